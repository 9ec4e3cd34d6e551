"""NUnit, TRX, CTest, Boost.Test and debci's JSON: each word of their results."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

import pytest

from lab.results.cases import Case
from reports.formats import registry

Row = tuple[str, str, str, str]


def read(name: str, content: str, tmp_path: Path) -> list[Case]:
    path = tmp_path / "result.xml"
    path.write_text(content)
    assert registry.recognise(path) == name
    return registry.cases("auto", path)


def rows(cases: list[Case]) -> list[Row]:
    return [(case.classname, case.name, case.outcome, case.message) for case in cases]


FAILURE = "<failure><message>no</message><stack-trace>at a.cs:1</stack-trace></failure>"
REASON = "<reason><message>later</message></reason>"


def nunit3(attributes: str, inside: str = "", of_suite: str = "result='Passed'") -> str:
    case = f"<test-case name='T' classname='a.C' fullname='a.C.T' {attributes}>{inside}</test-case>"
    return f"<test-run><test-suite name='/x/a.dll' {of_suite}>{case}</test-suite></test-run>"


def nunit2(attributes: str, inside: str = "") -> str:
    case = f"<test-case name='a.C.T(1.5)' {attributes}>{inside}</test-case>"
    return f"<test-results name='a'><test-suite name='C'><results>{case}</results></test-suite></test-results>"


@pytest.mark.parametrize(
    "content, row",
    [
        (nunit3("result='Passed'"), ("a.C", "T", "passed", "")),
        (nunit3("result='Failed'", FAILURE, "result='Failed' site='Child'"), ("a.C", "T", "failed", "no")),
        (nunit3("result='Failed' label='Error'", FAILURE), ("a.C", "T", "error", "no")),
        (nunit3("result='Failed' label='Invalid'", REASON), ("a.C", "T", "error", "later")),
        (nunit3("result='Skipped' label='Ignored'", REASON), ("a.C", "T", "skipped", "later")),
        (nunit3("result='Inconclusive'"), ("a.C", "T", "skipped", "")),
        (nunit3("result='Warning'", REASON), ("a.C", "T", "passed", "later")),
        (nunit3("result='Dubious'"), ("a.C", "T", "error", "unknown result: Dubious")),
        (nunit3(""), ("a.C", "T", "error", "unknown result: executed , success ")),
        (nunit2("executed='True' result='Success' success='True'"), ("a.C", "T(1.5)", "passed", "")),
        (nunit2("executed='True' result='Failure'", FAILURE), ("a.C", "T(1.5)", "failed", "no")),
        (nunit2("executed='True' result='Error'", FAILURE), ("a.C", "T(1.5)", "error", "no")),
        (nunit2("executed='False' result='NotRunnable'", REASON), ("a.C", "T(1.5)", "error", "later")),
        (nunit2("executed='False' result='Ignored'", REASON), ("a.C", "T(1.5)", "skipped", "later")),
        (nunit2("executed='True' success='False'", FAILURE), ("a.C", "T(1.5)", "failed", "no")),
        (nunit2("executed='True' success='True'"), ("a.C", "T(1.5)", "passed", "")),
        (nunit2("executed='False'"), ("a.C", "T(1.5)", "skipped", "")),
        (nunit2("executed='True' success='Turue'"), ("a.C", "T(1.5)", "error", "unknown result: executed true, success turue")),
    ],
)  # fmt: skip
def test_words_of_nunit(content: str, row: Row, tmp_path: Path) -> None:
    assert rows(read("nunit", content, tmp_path)) == [row]


@pytest.mark.parametrize(
    "content, row",
    [
        (nunit3("result='Passed'").replace("<test-case", f"{FAILURE}<test-case").replace("result='Passed'", "result='Failed'", 1), ("/x/a.dll", "[suite]", "failed", "no")),
        (nunit3("result='Passed'", "", "result='Failed' fullname='a' site='SetUp'"), ("a", "[suite]", "failed", "Failed")),
        ("<test-run result='Passed'><test-suite name='a' fullname='a' result='Failed' label='Invalid'><reason><message>no assembly</message></reason></test-suite></test-run>", ("a", "[suite]", "error", "no assembly")),
        ("<test-run result='Failed'><test-suite name='a' result='Passed'/></test-run>", ("nunit", "[suite]", "failed", "Failed")),
    ],
)  # fmt: skip
def test_failed_suite_of_nunit(content: str, row: Row, tmp_path: Path) -> None:
    assert row in rows(read("nunit", content, tmp_path))


def test_details_of_nunit(tmp_path: Path) -> None:
    inside = (
        "<properties><property name='Category' value='slow'/></properties>"
        "<output>hello</output><assertions><assertion result='Failed'><message>first</message></assertion>"
        "<assertion result='Failed'><message>second</message></assertion></assertions>"
    )
    attributes = "result='Failed' duration='1.5' start-time='2026-01-02 03:04:05Z'"
    (case,) = read("nunit", nunit3(attributes, f"<failure><message>2 failed</message></failure>{inside}"), tmp_path)
    assert (case.suite, case.seconds, case.started) == ("a.dll", 1.5, "2026-01-02T03:04:05.000Z")
    assert (case.output, case.evidence) == ("hello\n[[PROPERTY|Category=slow]]", "first\nsecond")


TEAM = "http://microsoft.com/schemas/VisualStudio/TeamTest/2010"


def trx(results: str, summary: str = "<ResultSummary outcome='Completed'/>") -> str:
    test = "<UnitTest id='1'><TestCategory><TestCategoryItem TestCategory='slow'/></TestCategory><TestMethod className='a.C, a, Version=1' name='T'/></UnitTest>"
    return f"<TestRun xmlns='{TEAM}'><Results>{results}</Results><TestDefinitions>{test}</TestDefinitions>{summary}</TestRun>"


def result(outcome: str, inside: str = "") -> str:
    return f"<UnitTestResult testId='1' testName='a.C.T' {outcome}>{inside}</UnitTestResult>"


BAD = "outcome='Failed'"
ERROR = "<Output><StdOut>hello</StdOut><ErrorInfo><Message>no</Message><StackTrace>at a.cs:1</StackTrace></ErrorInfo></Output>"


@pytest.mark.parametrize(
    "content, expected",
    [
        (trx(result("outcome='Passed'")), [("a.C", "T", "passed", "")]),
        (trx(result(BAD, ERROR), "<ResultSummary outcome='Failed'/>"), [("a.C", "T", "failed", "no")]),
        (trx(result("outcome='Timeout'")), [("a.C", "T", "failed", "Timeout")]),
        (trx(result("outcome='Aborted'")), [("a.C", "T", "error", "Aborted")]),
        (trx(result("outcome='NotExecuted'")), [("a.C", "T", "skipped", "")]),
        (trx(result("outcome='Inconclusive'")), [("a.C", "T", "skipped", "")]),
        (trx(result("outcome='Odd'")), [("a.C", "T", "error", "unknown outcome: Odd")]),
        (trx(result("")), [("a.C", "T", "error", "no outcome")]),
        (trx(result("outcome='Passed'", f"<InnerResults>{result(BAD)}</InnerResults>")), [("a.C", "T", "failed", ""), ("a.C", "T", "passed", "")]),
        (trx(result("outcome='Passed'"), "<ResultSummary outcome='Failed'/>"), [("a.C", "T", "passed", ""), ("result", "[run]", "error", "the run ended as Failed, and none of its tests failed")]),
        (trx(result("outcome='Passed'"), "<ResultSummary outcome='Completed'><Counters failed='2'/></ResultSummary>"), [("a.C", "T", "passed", ""), ("result", "[run]", "error", "the summary counts 2 failed tests; the run has 0")]),
        (trx(result("outcome='Passed'"), ""), [("a.C", "T", "passed", ""), ("result", "[run]", "error", "the run has no summary: it did not end")]),
    ],
)  # fmt: skip
def test_words_of_trx(content: str, expected: list[Row], tmp_path: Path) -> None:
    assert rows(read("trx", content, tmp_path)) == expected


def test_details_of_trx(tmp_path: Path) -> None:
    attributes = f"{BAD} duration='00:01:02.5000000' startTime='2026-01-02T03:04:05.1234567+00:00'"
    told = "<ResultSummary outcome='Failed'><RunInfos><RunInfo outcome='Warning'><Text>slow disk</Text></RunInfo></RunInfos></ResultSummary>"
    (case,) = read("trx", trx(result(attributes, ERROR), told), tmp_path)
    assert (case.seconds, case.started, case.evidence) == (62.5, "2026-01-02T03:04:05.123Z", "at a.cs:1")
    assert case.output == "hello\n[[PROPERTY|category=slow]]\nWarning: slow disk"


def ctest(status: str, completion: str, output: str = "<Value>hello</Value>") -> str:
    named = (
        f"<NamedMeasurement type='text/string' name='Completion Status'><Value>{completion}</Value></NamedMeasurement>"
    )
    time = "<NamedMeasurement type='numeric/double' name='Execution Time'><Value>1.5</Value></NamedMeasurement>"
    results = f"<Results>{time}{named}<Measurement>{output}</Measurement></Results>"
    test = f"<Test Status='{status}'><Name>t</Name>{results}<Labels><Label>slow</Label></Labels></Test>"
    return f"<Site BuildName='linux'><Testing><TestList><Test>./t</Test></TestList>{test}</Testing></Site>"


@pytest.mark.parametrize(
    "status, completion, expected",
    [
        ("passed", "Completed", ("passed", "", "")),
        ("failed", "Completed", ("failed", "", "Completed")),
        ("failed", "Timeout", ("failed", "timeout", "Timeout")),
        ("notrun", "Disabled", ("skipped", "", "Disabled")),
        ("notrun", "SKIP_RETURN_CODE=77", ("skipped", "", "SKIP_RETURN_CODE=77")),
        ("notrun", "Unable to find executable", ("error", "", "Unable to find executable")),
        ("notrun", "Fixture dependency failed", ("error", "", "Fixture dependency failed")),
        ("odd", "", ("error", "", "unknown status: odd")),
    ],
)
def test_words_of_ctest(status: str, completion: str, expected: tuple[str, str, str], tmp_path: Path) -> None:
    (case,) = read("ctest", ctest(status, completion), tmp_path)
    assert (case.classname, case.name, case.seconds) == ("linux", "t", 1.5)
    assert (case.outcome, case.nuance, case.message) == expected
    assert "hello" in case.output + case.evidence
    assert "[[PROPERTY|labels=slow]]" in case.output


@pytest.mark.parametrize(
    "data, compression, output",
    [
        (base64.b64encode(zlib.compress(b"hello")), "gzip", "hello"),
        (base64.b64encode(b"hello"), "", "hello"),
        (b"abc", "gzip", "(output that cannot be decoded)"),
        (base64.b64encode(b"hello"), "gzip", "(output that cannot be decoded)"),
    ],
)
def test_output_of_ctest(data: bytes, compression: str, output: str, tmp_path: Path) -> None:
    value = f"<Value encoding='base64' compression='{compression}'>{data.decode()}</Value>"
    (case,) = read("ctest", ctest("failed", "Completed", value), tmp_path)
    assert case.evidence == output


def boost(inside: str, attributes: str = "") -> str:
    case = f"<TestCase name='t' file='a.cc' line='3' {attributes}>{inside}</TestCase>"
    return f"<TestLog><TestSuite name='m'><TestSuite name='s'>{case}</TestSuite></TestSuite></TestLog>"


def report(attributes: str) -> str:
    return f"<TestResult><TestSuite name='m'><TestCase name='t' {attributes}/></TestSuite></TestResult>"


@pytest.mark.parametrize(
    "content, row",
    [
        (boost("<Info file='a.cc' line='4'>check passed</Info>"), ("s", "t", "passed", "")),
        (boost("<Warning file='a.cc' line='4'>odd</Warning>"), ("s", "t", "passed", "")),
        (boost("<Error file='a.cc' line='4'>check failed</Error>"), ("s", "t", "failed", "a.cc:4: check failed")),
        (boost("<FatalError>require failed</FatalError>"), ("s", "t", "failed", "require failed")),
        (boost("<Error>x</Error><Exception file='u' line='0'>no voice<LastCheckpoint file='a.cc' line='5'>here</LastCheckpoint></Exception>"), ("s", "t", "error", "x")),
        (boost("", "skipped='yes' reason='disabled'"), ("s", "t", "skipped", "disabled")),
        (report("result='passed'"), ("m", "t", "passed", "")),
        (report("result='failed' assertions_failed='2'"), ("m", "t", "failed", "assertions failed: 2")),
        (report("result='aborted'"), ("m", "t", "error", "")),
        (report("result='skipped'"), ("m", "t", "skipped", "")),
        (report("result='odd'"), ("m", "t", "error", "unknown result: odd")),
        ("<TestLog><TestSuite name='m'><Error>fixture</Error></TestSuite></TestLog>", ("m", "[suite]", "failed", "fixture")),
        ("<TestResult><TestSuite name='m' result='failed'><TestCase name='t' result='passed'/></TestSuite></TestResult>", ("m", "t", "passed", "")),
        (boost("<Error>x</Error>").removesuffix("</TestLog>"), ("s", "t", "failed", "x")),
    ],
)  # fmt: skip
def test_words_of_boost(content: str, row: Row, tmp_path: Path) -> None:
    first, *others = rows(read("boost", content, tmp_path))
    assert first == row
    more = ["[damaged]"] * (not content.endswith(("</TestLog>", "</TestResult>")))
    assert [name for _, name, _, _ in others] == more or ["[suite]"] * ("failed" in content and row[2] == "passed")


def run(**fields: object) -> dict[str, object]:
    return {
        "run_id": "7",
        "package": "greet",
        "suite": "unstable",
        "arch": "amd64",
        "version": "1-1",
        "status": "pass",
        **fields,
    }


@pytest.mark.parametrize(
    "data, expected",
    [
        (run(), [("unstable/amd64", "passed", "")]),
        (run(status="fail", message="Tests failed"), [("unstable/amd64", "failed", "Tests failed")]),
        (run(status="neutral", message="No tests"), [("unstable/amd64", "skipped", "No tests")]),
        (run(status="tmpfail"), [("unstable/amd64", "error", "")]),
        (run(status=None), [("unstable/amd64", "error", "the run has not ended")]),
        (run(status="odd"), [("unstable/amd64", "error", "unknown status: odd")]),
        ([run(run_id=9), run(run_id=10, status="fail"), run(run_id=8)], [("unstable/amd64", "failed", "")]),
        (
            [run(), run(arch="arm64", status="fail")],
            [("unstable/amd64", "passed", ""), ("unstable/arm64", "failed", "")],
        ),
    ],
)
def test_words_of_debci(data: object, expected: list[tuple[str, str, str]], tmp_path: Path) -> None:
    cases = read("debci", json.dumps(data), tmp_path)
    assert [(case.name, case.outcome, case.message) for case in cases] == expected
    assert {case.classname for case in cases} == {"greet"}


def test_earlier_runs_of_debci_are_output(tmp_path: Path) -> None:
    runs = [
        run(run_id=10, duration_seconds=65, date="2026-01-02T03:04:05.000Z"),
        run(run_id=9, status="fail", message="no"),
    ]
    (case,) = read("debci", json.dumps(runs), tmp_path)
    assert (case.seconds, case.started) == (65.0, "2026-01-02T03:04:05.000Z")
    assert case.output == "9: 1-1: fail: no\n[[PROPERTY|version=1-1]]\n[[PROPERTY|run_id=10]]"


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        (nunit3("result='Passed'").replace("<test-run>", "<test-run total='2' failed='1'>"), ["failed"]),
        (nunit2("executed='True' success='True'").replace("<test-results ", "<test-results errors='1' failures='0' "), ["failed"]),
        (nunit2("executed='True' success='True'").replace("<test-results ", "<test-results errors='0' failures='2' "), ["failed"]),
        (nunit3("result='Failed'", FAILURE).replace("<test-run>", "<test-run total='1' failed='1'>"), []),
        (nunit2("executed='True' success='False'", FAILURE).replace("<test-results ", "<test-results failures='1' "), []),
        (nunit2("executed='True' success='True'").replace("<test-results ", "<test-results errors='0' failures='0' not-run='4' "), []),
    ],
    ids=["NUnit 3", "errors of NUnit 2", "failures of NUnit 2", "right in NUnit 3", "right in NUnit 2", "nothing failed"],
)  # fmt: skip
def test_failures_that_only_the_header_of_nunit_counts_are_not_lost(
    content: str, counts: list[str], tmp_path: Path
) -> None:
    assert [case.outcome for case in read("nunit", content, tmp_path) if case.name == "[counts]"] == counts
