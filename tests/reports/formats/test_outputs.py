"""Recorded outputs of real tools give the expected cases, also after a round trip through JUnit XML."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from lab.results.cases import Case
from reports import junit
from reports.formats import registry
from tests.reports.formats import fixtures

# No tool of Debian writes them: see test_other_xml.
UNRECORDED = {"nunit", "trx", "debci"}
REAL = pytest.mark.parametrize("path", fixtures.outputs(), ids=fixtures.name)


@REAL
def test_recorded_output_gives_expected_cases(path: Path) -> None:
    assert [
        fixtures.expected_form(case) for case in registry.cases(fixtures.format_of(path), path)
    ] == fixtures.expected(path)


@REAL
def test_format_is_recognised_by_content(path: Path, tmp_path: Path) -> None:
    nameless = tmp_path / "output"
    nameless.write_bytes(path.read_bytes())
    assert registry.recognise(nameless) == fixtures.format_of(path)


@REAL
def test_cases_survive_junit_round_trip(path: Path, tmp_path: Path) -> None:
    cases = registry.cases(fixtures.format_of(path), path)
    written = tmp_path / "junit.xml"
    written.write_bytes(junit.render(cases))
    tree = etree.parse(written)
    fixtures.STRICT.assertValid(tree)
    fixtures.XUNIT_PLUGIN.assertValid(tree)
    assert registry.cases("junit", written) == as_read(by_suite(cases))


def by_suite(cases: list[Case]) -> list[Case]:
    return [case for suite in dict.fromkeys(case.suite for case in cases) for case in cases if case.suite == suite]


def as_read(cases: list[Case]) -> list[Case]:
    """Return cases in legal XML: three decimals, and the time of a suite, in seconds, as that of its first case.

    A message that is the outcome is none.
    """
    started: dict[str, str] = {}
    for case in cases:
        started[case.suite] = min(filter(None, [started.get(case.suite, ""), case.started]), default="")
    read = []
    for case in cases:
        legal = {name: junit.legal(getattr(case, name)) for name in ("message", "evidence", "output", "errors")}
        legal["message"] = "" if legal["message"] == case.outcome else legal["message"]
        moment = started.pop(case.suite, "")
        times = {"started": f"{moment[:19]}.000Z" if moment else "", "seconds": float(f"{case.seconds:.3f}")}
        read.append(case.model_copy(update={**legal, **times}))
    return read


def test_every_format_has_five_outputs_and_every_word_occurs() -> None:
    count = Counter(map(fixtures.format_of, fixtures.outputs()))
    assert set(count) | UNRECORDED == set(registry.FORMATS)
    assert min(count.values()) >= 5
    cases = [case for path in fixtures.outputs() for case in fixtures.expected(path)]
    assert {case["outcome"] for case in cases} == {"passed", "failed", "error", "skipped"}
    assert {case.get("nuance", "") for case in cases} == {
        "", "superficial", "flaky", "expected-failure", "unexpected-success", "timeout", "bad-package", "testbed",
        "rerun", "todo",
    }  # fmt: skip
