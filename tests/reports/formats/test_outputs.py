"""Recorded outputs of real tools give the expected cases, also after a round trip through JUnit XML."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from lab.results.cases import Case
from reports import junit
from reports.formats import autopkgtest_log, registry
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


RUNS = pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("piuparts", "greet-leftover.log", "trixie-apt.log"),
        ("sbuild", "greet-c.log", "greet.log"),
        ("sbuild", "trixie-greet-unmet.log", "trixie-greet.log"),
        ("autopkgtest", "mixed/log", "good/log"),
        ("autopkgtest", "trixie-mixed/log", "good/log"),
        ("autopkgtest", "testbed/log", "good/log"),
    ],
)


@RUNS
def test_log_of_several_packages_has_all_results(name: str, bad: str, good: str, tmp_path: Path) -> None:
    files = [fixtures.FORMATS / name / bad, fixtures.FORMATS / name / good]
    one = [outcomes(name, path) for path in files]
    for first, second in ((0, 1), (1, 0)):
        both = tmp_path / f"{first}.txt"
        both.write_bytes(files[first].read_bytes() + files[second].read_bytes())
        assert registry.recognise(both) == name
        assert outcomes(name, both) == one[first] + one[second]


@RUNS
def test_last_run_of_a_package_counts(name: str, bad: str, good: str, tmp_path: Path) -> None:
    for path in (fixtures.FORMATS / name / bad, fixtures.FORMATS / name / good):
        twice = tmp_path / "twice.txt"
        twice.write_bytes(path.read_bytes() * 2)
        assert outcomes(name, twice) == outcomes(name, path)


def outcomes(name: str, path: Path) -> list[tuple[str, str, str]]:
    return [(case.classname, case.name, case.outcome) for case in registry.cases(name, path)]


def test_log_in_the_output_of_a_build_is_part_of_it(tmp_path: Path) -> None:
    outer, inner = (fixtures.FORMATS / "sbuild" / name for name in ("greet.log", "greet-c.log"))
    at = outer.read_text().index("\nBuild finished at ")
    path = tmp_path / "x.log"
    path.write_text(outer.read_text()[:at] + "\n" + inner.read_text() + outer.read_text()[at:])
    assert outcomes("sbuild", path) == outcomes("sbuild", outer)


def test_log_in_the_output_of_a_test_begins_no_run() -> None:
    outer, inner = (fixtures.FORMATS / "autopkgtest" / name / "log" for name in ("good", "mixed"))
    begin, mark, end = outer.read_text().partition("[-----------------------\n")
    nested = begin + mark + inner.read_text() + end
    assert autopkgtest_log.runs(nested) == [nested]


def test_summary_with_other_line_ends_has_all_results(tmp_path: Path) -> None:
    summary = fixtures.FORMATS / "autopkgtest" / "mixed" / "summary"
    path = tmp_path / "summary"
    path.write_bytes(summary.read_bytes().replace(b"\n", b"\r"))
    assert [case.outcome for case in registry.cases("autopkgtest", path)] == [
        case.outcome for case in registry.cases("autopkgtest", summary)
    ]
