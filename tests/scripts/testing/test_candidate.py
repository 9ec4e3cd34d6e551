"""What the phase test tests: the state of a run, and its baseline."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.description import Lab
from lab.store.archive import State
from lab.store.step import StepContext
from scripts.testing.candidate import candidate, hand_over
from tests.toylab import Toy, bench, promote, publish

pytestmark = pytest.mark.integration


@pytest.fixture
def first(lab_factory: Callable[..., Lab], tmp_path: Path) -> tuple[Lab, State]:
    lab = lab_factory()
    return lab, publish(lab, tmp_path, [Toy("greet", "1.0")])


def context(lab: Lab, state: State, **info: str) -> StepContext:
    run = bench(lab, "greet", state).run
    run.write_info(run.info.model_copy(update=info))
    return StepContext(lab, run, io.StringIO())


def test_candidate_baseline_is_series_then_label(first: tuple[Lab, State], tmp_path: Path) -> None:
    lab, state = first
    alone = candidate(context(lab, state, archive=""))
    assert (alone.state.name, alone.baseline, alone.baseline_name) == (state.name, None, "bookworm")
    promote(lab, tmp_path)
    newer = publish(lab, tmp_path, [Toy("greet", "1.1")])
    found = candidate(context(lab, newer))
    assert found.baseline == state
    assert found.baseline_name == f"trunk-tested ({state.name})"
    assert (found.version("greet"), found.baseline_version("greet")) == ("1.1", "1.0")


def test_candidate_of_another_version_is_an_error(first: tuple[Lab, State]) -> None:
    lab, state = first
    with pytest.raises(InfrastructureError, match=r"has 1\.0, and not greet 2\.0"):
        candidate(context(lab, state, version="2.0"))
    with pytest.raises(ConfigurationError, match="trunk-gone names no state"):
        candidate(context(lab, state, archive="trunk-gone"))


def test_candidate_is_handed_over(first: tuple[Lab, State]) -> None:
    lab, state = first
    work = context(lab, state, commit="0" * 40, cause="by hand")
    hand_over(work, candidate(work))
    assert (work.run.results / "parameters.properties").read_text() == (
        f"COMPONENT=greet\nCOMMIT={'0' * 40}\nVERSION=1.0\nARCHIVE={state.name}\nCAUSE=by hand\n"
    )
