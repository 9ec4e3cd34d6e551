"""JUnit XML: well-formed whatever the text, true to the strict profile, and no failure ever lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from lab.description import Lab
from lab.records import Record
from lab.store import Run, Store
from reports import junit

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent.parent / "data/junit.xsd"))
LEGAL = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
# Any text at all: controls, surrogates, what is no character, and what XML gives a meaning.
NASTY = st.text(
    st.one_of(st.characters(), st.characters(categories=["Cc", "Cs", "Cn"]), st.sampled_from("<>&'\"]\r\n\t"))
)
WITHOUT_SURROGATES = partial(re.sub, "[\ud800-\udfff]", "")  # which a record cannot hold
BYTES = methodcaller("encode", "utf-8", "surrogatepass")
VERDICTS = ("passed", "failed", "unstable", "error", "aborted", "skipped", "running")


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
    """What is written of a run with these records, parsed and found good."""
    for one in records:
        one.write(run.record_path(one.step))
    written = etree.fromstring(junit.write(run).read_bytes())
    SCHEMA.assertValid(written)
    assert junit.write(run).read_bytes() == junit.render(run)  # the same bytes each time
    return written


def test_every_step_is_a_case(run: Run) -> None:
    steps = run.steps
    records = [
        record(run, step, verdict, f"it is {verdict}", seconds)
        for step, verdict, seconds in zip(
            steps, VERDICTS, (0.0, 0.0004, 1.5, 3600.25, 7.0, 0.123456, 2.0), strict=False
        )
    ]
    for step in steps[:5]:
        run.log_path(step).write_text(f"+ {step}\nwords of {step}\n")
    with run.held():  # else `running` reads as `aborted`
        suites = left(run, records)
    (suite,) = suites
    assert dict(suite.attrib) == {
        "name": "trunk.greet",
        "id": "1",
        "timestamp": re.sub(r"\.\d+Z$", "Z", run.info.started),
        "time": "3610.874",
        "tests": "7",
        "failures": "2",
        "errors": "3",
        "skipped": "1",
    }
    told = [(case.get("name"), case.get("time"), [child.tag for child in case]) for case in suite]
    assert told == [
        ("snapshot", "0.000", ["system-out"]),
        ("packaging", "0.000", ["failure", "system-out"]),
        ("changelog", "1.500", ["failure", "system-out"]),
        ("source", "3600.250", ["error", "system-out"]),
        ("sbuild", "7.000", ["error", "system-out"]),
        ("lintian", "0.123", ["skipped", "system-out"]),
        ("archive", "2.000", ["error", "system-out"]),
    ]
    assert {case.get("classname") for case in suite} == {"trunk.greet"}
    results = {case.get("name"): case[0] for case in suite if len(case) > 1}
    for name, verdict in zip(steps, VERDICTS, strict=False):
        if name in results:
            kind = "skipped" if verdict == "skipped" else verdict
            assert (results[name].get("type"), results[name].get("message")) == (kind, f"it is {verdict}")
    assert results["packaging"].text == "+ packaging\nwords of packaging"
    assert results["archive"].text == "it is running"  # it has no log


@pytest.mark.parametrize(
    "verdict, tag",
    [("failed", "failure"), ("unstable", "failure"), ("error", "error"), ("aborted", "error"), ("skipped", "skipped")],
)
@pytest.mark.parametrize("log", [None, "", "words\n"])
def test_a_result_without_a_message_is_kept(run: Run, verdict: str, tag: str, log: str | None) -> None:
    if log is not None:
        run.log_path("snapshot").write_text(log)
    ((case,),) = left(run, [record(run, "snapshot", verdict)])
    assert [(child.tag, child.get("message")) for child in case] == [(tag, verdict)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(message=NASTY.map(WITHOUT_SURROGATES), log=st.one_of(st.binary(), NASTY.map(BYTES)))
def test_any_text_makes_good_xml(run: Run, message: str, log: bytes) -> None:
    run.log_path("snapshot").write_bytes(log)
    ((case,),) = left(run, [record(run, "snapshot", "failed", message)])
    failure = case[0]
    assert failure.tag == "failure"
    assert failure.get("message") == (junit.legal(message) or "failed")
    for text in (failure.get("message"), failure.text):
        assert LEGAL.fullmatch(text or "")


@settings(deadline=None)
@given(NASTY)
def test_what_xml_cannot_hold_is_made_visible(text: str) -> None:
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
def test_how_it_is_made_visible(text: str, legal: str) -> None:
    assert junit.legal(text) == legal


def test_the_evidence_is_the_end_of_the_log(run: Run) -> None:
    lines = [f"line {number} é" for number in range(5000)]
    run.log_path("snapshot").write_text("\n".join(lines) + "\n")
    ((case,),) = left(run, [record(run, "snapshot", "failed", "no")])
    assert (case[0].text or "").splitlines() == lines[-60:]
    # One long line is cut, even in the middle of a character.
    run.log_path("snapshot").write_text("é" * 100_001)
    ((case,),) = left(run, [])
    assert 5_000 < len(case[0].text or "") <= 12_000


def test_a_run_without_a_step_is_an_empty_suite(run: Run) -> None:
    (suite,) = left(run, [])
    assert (len(suite), suite.get("tests"), suite.get("time")) == (0, "0", "0.000")


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
        ("</failure>", '</failure><error type="t" message="m"/>'),
    ],
)
def test_the_profile_is_strict(right: str, wrong: str) -> None:
    assert SCHEMA.validate(etree.fromstring(GOOD))
    assert not SCHEMA.validate(etree.fromstring(GOOD.replace(right, wrong, 1)))
