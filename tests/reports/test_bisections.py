"""The pages of bisections: the evidence, the line on the card of the breakage, and what is not public."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from lab.config.loading import load
from lab.store import bisections
from lab.store.bisections import (
    BisectedChange,
    Bisection,
    BisectionAxis,
    BisectionEnd,
    BisectionTest,
    Rejection,
    Sought,
)
from reports.bisections import of_lab
from reports.redact import lab_parts
from reports.redact.bisections import published
from reports.redact.publication import Publication
from reports.site.api import KINDS
from tests.reports.publishing import Press, a_lab, a_local_run

PASSWORD = "Zx81kq0pLm3w"
LATER = "2027-01-01T00:00:00.000Z"
CULPRIT = BisectedChange(kind="upstream commit", name="c" * 40, subject=f"Set password={PASSWORD}", author="Ada")


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """Return the publisher of a lab whose component ``secret`` is not public."""
    a_lab(tmp_path, ("greet", "secret"))
    path = tmp_path / "lab.yaml"
    data = yaml.safe_load(path.read_text())
    data["publish"]["jobs"] = ["trunk/greet/*"]
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return Press(load(path), tmp_path)


def bisected(press: Press, component: str = "greet", culprit: BisectedChange = CULPRIT, **changes: object) -> Bisection:
    """Write the record of a bisection that has found its culprit."""
    tests = [(0, "good"), (1, "bad")] * 3
    found = Bisection(
        number=1, track="trunk", component=component, sought=Sought(phase="build"),
        good=BisectionEnd(commit="a" * 40), bad=BisectionEnd(commit="c" * 40), started=LATER, finished=LATER,
        axes=(BisectionAxis(kind="upstream", changes=(culprit,)),),
        tests=tuple(BisectionTest(axis=0, point=point, result=result, finished=LATER) for point, result in tests),  # type: ignore[arg-type]
        outcome="found", suspects=(culprit,), message=f"proved: {culprit} broke the phase build",
    ).model_copy(update=changes)  # fmt: skip
    found.write(bisections.path(press.place.store, found.number))
    return found


def page(press: Press, path: str) -> str:
    return (press.place.site / "current" / path / "index.html").read_text()


def test_damaged_record_is_told_and_the_others_are_published(press: Press) -> None:
    bisected(press)
    bisections.path(press.place.store, 2).write_text("{")
    told = lab_parts.note(press.lab, press.place, Publication.of(press.lab))
    assert [name for name, _ in told] == ["bisections"]
    assert "2.json" in str(told[0][1])
    assert [one.number for one in press.place.bisections.read()] == [1]


@pytest.mark.integration
def test_answer_is_published_with_its_evidence(press: Press) -> None:
    a_local_run(press.lab, number=1)
    a_local_run(press.lab, number=2, verdict="failed")
    assert press.run().lines == []
    assert "proved" not in page(press, "p/greet/trunk")

    found = bisected(press)
    assert press.run().lines == []  # without a new build
    text = page(press, "bisections/1")
    assert "proved: the upstream commit cccccccccccc" in text
    assert PASSWORD not in text
    assert re.findall(r'data-unit="(passed|failed)">(\d+)<', text) == [
        ("passed", "3"), ("failed", "0"),
        ("passed", "0"), ("failed", "3"),
    ]  # fmt: skip
    assert '<a href="../../../bisections/1/">proved: ' in page(press, "p/greet/trunk")
    assert '<a href="bisections/1/">proved: ' in page(press, "")
    assert '<a href="../bisections/">' in page(press, "changes")
    api = press.place.site / "current/api/v1/bisections"
    for path in (api.with_suffix(".json"), api / "1.json"):
        data = path.read_text()
        assert KINDS[json.loads(data)["kind"]].model_validate_json(data).model_dump_json() == data

    bisected(press, rejected=Rejection(who="Bea", when=LATER, reason="the test was wrong"))
    assert press.run().lines == []
    assert "Rejected</strong> by Bea: the test was wrong" in page(press, "bisections/1")
    assert "proved: " not in page(press, "p/greet/trunk") + page(press, "")

    bisections.path(press.place.store, found.number).unlink()
    assert press.run().lines == []
    assert not [*press.place.site.glob("current/bisections/**/index.html")]


@pytest.mark.parametrize(
    ("component", "kind", "name", "count"),
    [
        ("greet", "upstream commit", "c" * 40, 1),
        ("secret", "upstream commit", "c" * 40, 0),
        ("greet", "component", "secret", 0),
        ("greet", "component", "greet", 1),
    ],
)
def test_private_components_are_not_public(press: Press, component: str, kind: str, name: str, count: int) -> None:
    bisected(press, component, CULPRIT.model_copy(update={"kind": kind, "name": name}))
    assert len(published(Publication.of(press.lab), of_lab(press.lab))) == count


@pytest.mark.parametrize("outcome", ["open", "cancelled", "fixed"])
def test_bisection_without_answer_has_no_page(press: Press, outcome: str) -> None:
    bisected(press, outcome=outcome)
    assert of_lab(press.lab) == ()


def test_damaged_file_of_bisections_is_none(press: Press) -> None:
    press.place.bisections.path.parent.mkdir(parents=True, exist_ok=True)
    press.place.bisections.path.write_bytes(b"torn")
    assert press.place.bisections.read() == ()
