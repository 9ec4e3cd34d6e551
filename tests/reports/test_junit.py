"""JUnit XML: well-formed for any text, valid in the strict profile, read back unchanged, without lost failures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from lab.config.description import Lab
from lab.results.cases import Case, Nuance, Outcome
from lab.store.records import Record
from lab.store.run_directory import Run
from lab.store.runs import Store
from reports import junit
from reports.formats import registry
from tests.reports.formats.fixtures import STRICT, XUNIT_PLUGIN

LEGAL = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
# Any text: control characters, surrogates, noncharacters, XML syntax, and the marks of qalab.
NASTY = st.text(
    st.one_of(st.characters(), st.characters(categories=["Cc", "Cs", "Cn"]), st.sampled_from("<>&'\"]\r\n\t"))
)
TEXT = st.one_of(
    NASTY, st.sampled_from(["[passed] x", "[flaky] \n\n[flaky] ", "[passed] a\n[passed] b\n", "\n", "\r", " "])
)
VERDICTS = ("passed", "failed", "unstable", "error", "aborted", "skipped", "running")
CASES = st.builds(
    Case,
    suite=st.sampled_from(["one", "two"]),
    classname=st.one_of(st.just("c"), NASTY),
    name=st.one_of(st.just("n"), NASTY),
    outcome=st.sampled_from(get_args(Outcome)),
    nuance=st.sampled_from(get_args(Nuance)),
    seconds=st.floats(),
    message=TEXT,
    evidence=TEXT,
    output=TEXT,
    errors=TEXT,
    started=st.one_of(st.just("2026-01-01T00:00:00.123Z"), NASTY),
)


def case(outcome: str = "passed", nuance: str = "", **fields: object) -> Case:
    values = {"suite": "s", "classname": "c", "name": "n", "outcome": outcome, "nuance": nuance, **fields}
    return Case.model_validate(values)


def written(cases: Iterable[Case]) -> etree._Element:
    """Return the parsed and validated XML of cases."""
    tree = etree.fromstring(junit.render(cases))
    STRICT.assertValid(tree)
    XUNIT_PLUGIN.assertValid(tree)
    return tree


def read_back(cases: Iterable[Case], tmp_path: Path) -> list[Case]:
    path = tmp_path / "junit.xml"
    path.write_bytes(junit.render(cases))
    return list(registry.FORMATS["junit"].parse(path))


def test_each_case_is_read_back(tmp_path: Path) -> None:
    messages = ("", "why\nand why", "[flaky] not written by qalab")
    outputs = ("", "words\n", "[superficial] printed by the test\n\nmore")
    cases = [
        case(
            *words,
            name=str(number),
            message=message,
            output=output,
            errors="e",
            seconds=1.5,
            evidence="line 1\r\nline 2",
        )
        for number, (*words, message, output) in enumerate(
            product(get_args(Outcome), get_args(Nuance), messages, outputs)
        )
    ]
    passed = [one.model_copy(update={"evidence": ""}) if one.outcome == "passed" else one for one in cases]
    assert read_back(passed, tmp_path) == passed


def test_earlier_tries_are_children_and_are_read_back(tmp_path: Path) -> None:
    cases = [
        case("passed", "flaky", name="flickers"),
        case("failed", "rerun", name="flickers", message="lost the race", evidence="trace", output="o", errors="e"),
        case("error", "rerun", name="flickers", message="broke"),
        case("passed", name="unsaid"),
        case("failed", "rerun", name="unsaid"),
        case("failed", name="fails", message="no"),
        case("failed", "rerun", name="fails", message="no"),
        case("error", "rerun", name="fails"),
        case("failed", "rerun", name="alone", message="of nobody"),
        case("skipped", name="skips"),
        case("failed", "rerun", name="skips"),
    ]
    (suite,) = written(cases)
    assert [[child.tag for child in element] for element in suite] == [
        ["flakyFailure", "flakyError"],
        ["system-out", "flakyFailure"],
        ["failure", "rerunFailure", "rerunError"],
        ["failure"],
        ["skipped"],
        ["failure"],
    ]
    assert read_back(cases, tmp_path) == cases


@pytest.mark.integration
@settings(max_examples=150)
@given(cases=st.lists(CASES, max_size=4))
def test_any_cases_give_valid_xml_and_are_read_back(cases: list[Case], tmp_path: Path) -> None:
    tree = written(cases)
    for element in tree.iter():
        for text in (element.text, *element.attrib.values()):
            assert LEGAL.fullmatch(str(text or ""))
    back = read_back(cases, tmp_path)
    ours = [one for suite in dict.fromkeys(one.suite for one in cases) for one in cases if one.suite == suite]
    assert [(one.outcome, one.nuance, one.message) for one in back] == [
        (one.outcome, one.nuance, "" if message == (one.nuance or one.outcome) else message)
        for one in ours
        for message in [junit.legal(one.message)]
    ]
    for one, other in zip(ours, back, strict=True):
        assert (junit.legal(one.output), junit.legal(one.errors)) == (other.output, other.errors)
        if one.outcome != "passed":
            assert junit.legal(one.evidence) == other.evidence


@given(NASTY)
def test_illegal_characters_are_visible(text: str) -> None:
    legal = junit.legal(text)
    assert LEGAL.fullmatch(legal)
    assert junit.legal(legal) == legal
    if LEGAL.fullmatch(text):
        assert legal == text


@pytest.mark.parametrize(
    "text, legal",
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred", "#x1B[31mred"),
        ("\x00", "#x00"),
        ("caf\udce9", "caf#xDCE9"),
        ("\ufffe\uffff", "#xFFFE#xFFFF"),
        ("日本 🙂", "日本 🙂"),
    ],
)
def test_legal_form_of_text(text: str, legal: str) -> None:
    assert junit.legal(text) == legal


@pytest.mark.parametrize(
    "outcome, most", [("passed", 1_000), ("skipped", 1_000), ("failed", 100_000), ("error", 100_000)]
)
def test_output_is_shortened_and_evidence_is_not(outcome: str, most: int, tmp_path: Path) -> None:
    output = f"begin {'x' * 300_000} end"
    evidence = "" if outcome == "passed" else "e" * 900_000
    one = case(outcome, output=output, errors=output, evidence=evidence)
    ((element,),) = written([one])
    for tag in ("system-out", "system-err"):
        text = element.findtext(tag) or ""
        assert most - 100 < len(text) <= most
        assert re.fullmatch(r"begin x+\n\[\.\.\. [\d,]+ characters cut \.\.\.\]\nx+ end", text)
    (back,) = read_back([one], tmp_path)
    assert back.evidence == evidence
    assert read_back([back], tmp_path) == [back]  # shortened only once


def test_suites_keep_order_and_counts() -> None:
    cases = [
        case(suite="b", seconds=0.0004, started="2026-01-01T00:00:02Z"),
        case("failed", suite="a", seconds=3600.25),
        case("error", suite="b", seconds=0.123456, started="2026-01-01T01:00:01.5+01:00"),
        case("skipped", suite="b", started="not a moment"),
    ]
    assert [dict(suite.attrib) for suite in written(cases)] == [
        {"name": "b", "id": "0", "time": "0.124", "tests": "3", "failures": "0", "errors": "1", "skipped": "1",
         "timestamp": "2026-01-01T00:00:02Z"},
        {"name": "a", "id": "1", "time": "3600.250", "tests": "1", "failures": "1", "errors": "0", "skipped": "0"},
    ]  # fmt: skip


def test_no_cases_give_no_suite() -> None:
    assert len(written([])) == 0


@pytest.fixture
def run(lab_factory: Callable[..., Lab]) -> Run:
    lab = lab_factory()
    return Store.of(lab).new_run(lab, "trunk", "greet")


def record(run: Run, name: str, verdict: str = "passed", message: str = "", seconds: float = 0.0) -> Record:
    return Record(
        step=name,
        component="greet",
        track="trunk",
        series="bookworm",
        architecture="amd64",
        started=run.info.started,
        log=f"results/{name}.log",
        verdict=verdict,  # type: ignore[arg-type]
        message=message,
        seconds=seconds,
    )


def left(run: Run, records: Sequence[Record]) -> etree._Element:
    """Return the parsed and validated XML of a run with these records."""
    for one in records:
        one.write(run.record_path(one.step))
    tree = etree.fromstring(junit.write(run).read_bytes())
    STRICT.assertValid(tree)
    first = (run.results / "junit.xml").read_bytes()
    assert junit.write(run).read_bytes() == first
    return tree


def test_every_step_is_a_case(run: Run) -> None:
    steps = run.steps
    records = [
        record(run, step, verdict, f"it is {verdict}", 1.5) for step, verdict in zip(steps, VERDICTS, strict=False)
    ]
    for step in steps[:5]:
        run.log_path(step).write_text(f"+ {step}\nwords of {step}\n")
    with run.held():  # otherwise `running` is read as `aborted`
        (suite,) = left(run, records)
    assert (suite.get("name"), suite.get("timestamp")) == ("trunk.greet", re.sub(r"\.\d+Z$", "Z", run.info.started))
    assert [(element.get("name"), element[0].tag, element[0].get("type"), element[0].get("message")) for element in suite] == [
        ("snapshot", "system-out", None, None),
        ("packaging", "failure", "failed", "it is failed"),
        ("changelog", "failure", "failed", "it is unstable"),
        ("source", "error", "testbed", "it is error"),
        ("sbuild", "error", "error", "it is aborted"),
        ("lintian", "skipped", "skipped", "it is skipped"),
        ("content", "error", "error", "it is running"),
    ]  # fmt: skip
    assert {element.get("classname") for element in suite} == {"trunk.greet"}
    assert suite[0].findtext("system-out") == "[passed] it is passed"
    assert suite[1][0].text == "+ packaging\nwords of packaging"
    assert suite[6][0].text == "it is running"  # without a log


@pytest.mark.parametrize(
    "verdict, tag, message",
    [
        ("failed", "failure", "failed"),
        ("unstable", "failure", "unstable"),
        ("error", "error", "testbed"),
        ("aborted", "error", "aborted"),
        ("skipped", "skipped", "skipped"),
    ],
)
@pytest.mark.parametrize("log", [None, "", "words\n"])
def test_result_without_message_is_kept(run: Run, verdict: str, tag: str, message: str, log: str | None) -> None:
    if log is not None:
        run.log_path("snapshot").write_text(log)
    ((element,),) = left(run, [record(run, "snapshot", verdict)])
    assert [(child.tag, child.get("message")) for child in element] == [(tag, message)]


def test_evidence_is_end_of_log(run: Run) -> None:
    lines = [f"line {number} é" for number in range(5000)]
    run.log_path("snapshot").write_text("\n".join(lines) + "\n")
    ((element,),) = left(run, [record(run, "snapshot", "failed", "no")])
    assert (element[0].text or "").splitlines() == lines[-60:]
    # One long line is shortened between characters.
    run.log_path("snapshot").write_text("é" * 100_001)
    ((element,),) = left(run, [])
    assert re.fullmatch("é{5999,6000}", element[0].text or "")


def test_run_without_steps_has_no_suite(run: Run) -> None:
    assert len(left(run, [])) == 0


GOOD = (
    '<testsuites><testsuite name="x" id="1" timestamp="2026-01-01T00:00:00Z" time="1.000" tests="1" failures="1" '
    'errors="0" skipped="0"><testcase name="a" classname="b" time="0.000"><failure type="failed" message="m">e</failure>'
    "</testcase></testsuite></testsuites>"
)


@pytest.mark.parametrize(
    "right, wrong",
    [
        ('time="1.000"', 'time="1"'),
        ('time="1.000"', 'time="1.0000"'),
        ("00Z", "00"),
        ('message="m"', 'message=""'),
        ('message="m"', ""),
        ('tests="1"', 'tests="1" disabled="0"'),
        ('classname="b"', ""),
        ('classname="b"', 'classname="b" file="c"'),
        ("</failure>", '</failure><error type="t" message="m"/>'),
        ("</failure>", "</failure><properties/>"),
    ],
)
def test_profile_is_strict(right: str, wrong: str) -> None:
    assert STRICT.validate(etree.fromstring(GOOD))
    assert not STRICT.validate(etree.fromstring(GOOD.replace(right, wrong, 1)))
