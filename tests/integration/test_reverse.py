"""The step reverse in real containers: packages of the lab that depend on the component."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab
from scripts import reverse
from tests.toylab import Toy, bench, promote, publish

pytestmark = [pytest.mark.integration, pytest.mark.full]
USES = "#!/bin/sh\nset -e\ngrep -q '^1' /usr/share/greet/version\n"


def user(name: str, *tests: str) -> Toy:
    scripts = {"works": USES, "always": "#!/bin/sh\necho broken since ever >&2\nexit 1\n"}
    control = {"control": f"Tests: {' '.join(tests)}\nDepends: @\n"}
    return Toy(name, "1.0", {name: "Depends: greet"}, tests=control | {test: scripts[test] for test in tests})


def test_reverse_dependency_that_breaks_at_run_time(
    lab_factory: Callable[..., Lab], shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_factory()
    publish(lab, tmp_path, [Toy("greet", "1.0"), user("good", "works"), user("bad", "works", "always")])
    promote(lab, tmp_path)
    monkeypatch.setattr(reverse, "series_sources", lambda _: [])  # no package of the series depends on greet
    monkeypatch.setattr("scripts.archives.series_index.packages_files", lambda *_: [""])
    well = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1")])).execute(reverse)
    assert well.verdict == "passed", well.message
    assert well.message.startswith("2 tests of 2 packages passed; always of bad fails in trunk-tested")
    broken = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "2.0")]))
    record = broken.execute(reverse)
    assert record.verdict == "failed", broken.log("reverse")
    assert record.message.startswith("regression: works of bad: non-zero exit status 1; does not fail in trunk-tested")
    assert record.facts["tested"] == {"bad": ["bad depends on greet"], "good": ["good depends on greet"]}
    assert record.facts["tests"]["bad"] == {"works": "regression", "always": "known"}


def test_reverse_dependency_that_takes_the_former_package_proves_nothing(
    lab_factory: Callable[..., Lab], shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_factory()
    publish(lab, tmp_path, [Toy("greet", "1.0"), user("good", "works")])
    promote(lab, tmp_path)
    monkeypatch.setattr(reverse, "series_sources", lambda _: [])
    monkeypatch.setattr("scripts.archives.series_index.packages_files", lambda *_: [""])
    renamed = {"greet-ng": "Provides: greet (= 1.1)\nConflicts: greet\nReplaces: greet"}
    record = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1", renamed)])).execute(reverse)
    assert (record.verdict, record.message) == (
        "skipped",
        "0 tests of 1 packages passed; good: works ran with greet 1.0, and with no package of the candidate",
    )
