"""JUnit XML of other producers: no failure and nothing that a case says is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.results.cases import Case
from reports.formats import registry


def read(content: str | bytes, tmp_path: Path, name: str = "result.xml") -> list[Case]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return registry.cases("auto", path)


def suite(inside: str, attributes: str = "") -> str:
    return f"<testsuite name='s' {attributes}>{inside}</testsuite>"


OK = "<testcase name='t'/>"
BAD = "<testcase name='b'><failure/></testcase>"
ANOTHER = "<testcase name='d'><failure/></testcase>"
MAY_FAIL = "<testcase name='t'><skipped message='TEST_CASE tagged with !mayfail'/><failure message='1==2'/></testcase>"
EMPTY = suite("", "tests='5'")
COUNTED = suite(BAD, "failures='1'")
OUTER = suite(suite(OK, "failures='2'"))


@pytest.mark.parametrize(
    "content, expected",
    [
        # A suite that could not be loaded, or whose header counts what it does not have.
        (f"<testsuites>{suite(OK)}<testsuite name='u'><error message='no class'/></testsuite></testsuites>", [("t", "passed", ""), ("[suite]", "error", "no class")]),
        (suite(f"{OK}<failure message='teardown'/>"), [("t", "passed", ""), ("[suite]", "failed", "teardown")]),
        (suite(OK, "failures='3'"), [("t", "passed", ""), ("[counts]", "failed", "the header counts 3 errors and failures; the suite has 0")]),
        (f"<testsuites errors='1'>{suite(OK)}</testsuites>", [("t", "passed", ""), ("[counts]", "failed", "the header counts 1 errors and failures; the suite has 0")]),
        (f"<testsuites>{EMPTY}{suite(OK)}</testsuites>", [("[counts]", "failed", "the header counts tests; the suite has none"), ("t", "passed", "")]),
        # mocha-junit-reporter: pending tests are counted, and not written; but no other number of them.
        (f"<testsuites tests='3' skipped='2'>{EMPTY.replace('5', '2')}{suite(OK)}</testsuites>", [("[counts]", "skipped", "the header counts tests; the suite has none"), ("t", "passed", "")]),
        (f"<testsuites tests='3' skipped='1'>{EMPTY.replace('5', '2')}{suite(OK)}</testsuites>", [("[counts]", "failed", "the header counts tests; the suite has none"), ("t", "passed", "")]),
        (f"<testsuites tests='1' skipped='2'>{EMPTY.replace('5', '2')}{suite(OK)}</testsuites>", [("[counts]", "failed", "the header counts tests; the suite has none"), ("t", "passed", "")]),
        (f"<testsuites failures='2'>{OUTER}</testsuites>", [("t", "passed", ""), ("[counts]", "failed", "the header counts 2 errors and failures; the suite has 0")]),
        (suite(BAD, "failures='1' tests='2'"), [("b", "failed", "")]),
        (f"<testsuites failures='1'>{COUNTED}</testsuites>", [("b", "failed", "")]),
        (suite("<testcase name='t'><warning type='PHPUnit\\Warning'>no tests</warning></testcase>"), [("t", "failed", "no tests")]),
        # Tests that did not run, and words for results.
        *((suite(f"<testcase name='t' {word}/>"), [("t", "skipped", message)]) for word, message in [
            ("status='disabled'", "disabled"), ("status='notrun'", "notrun"), ("result='suppressed'", "suppressed"),
            ("status='run' result='skipped'", "skipped"), ("ignored='true'", "ignored"), ("status='Pending'", "pending"),
        ]),
        (suite("<testcase name='t' status='failed'/>"), [("t", "failed", "status: failed")]),
        (suite("<testcase name='t' executed='True' success='False'/>"), [("t", "failed", "success: False")]),
        (suite("<testcase name='t' success='true' status='disabled'/>"), [("t", "skipped", "disabled")]),
        (suite("<testcase name='t' status='errored'/>"), [("t", "error", "status: errored")]),
        (suite("<testcase name='t' status='confused'/>"), [("t", "error", "unknown status: confused")]),
        (suite("<testcase name='t' status='run' result='completed'/>"), [("t", "passed", "")]),
        # What a tool writes as skipped or as a failure, and is not: nose2, Catch2.
        (suite("<testcase name='t'><skipped message='test passes unexpectedly'/></testcase>"), [("t", "failed", "test passes unexpectedly")]),
        (suite("<testcase name='t'><skipped message='expected test failure'>Traceback</skipped></testcase>"), [("t", "skipped", "expected test failure")]),
        (suite(MAY_FAIL, "failures='0'"), [("t", "skipped", "TEST_CASE tagged with !mayfail")]),
        (suite(MAY_FAIL + OK, "failures='1'"), [("t", "skipped", "TEST_CASE tagged with !mayfail"), ("t", "passed", ""), ("[counts]", "failed", "the header counts 1 errors and failures; the suite has 0")]),
        # TAP in the output of a suite: Meson writes its tests alone.
        (suite(f"{OK}<system-out>1..2\nok 1 t</system-out>"), [("t", "passed", ""), ("[plan]", "failed", "2 planned")]),
        (suite(f"{OK}<system-out>1..1\nok 1 t\nBail out! no disk</system-out>"), [("t", "passed", ""), ("[bail out]", "error", "Bail out! no disk")]),
        (suite(f"{OK}<system-out>TAP version 14\nok 1 t</system-out>"), [("t", "passed", ""), ("[plan]", "failed", "no plan: the tests ended early")]),
        (suite(f"{OK}<system-out>1..1\nok 1 t</system-out>"), [("t", "passed", "")]),
        (suite(f"{OK}<system-out>ok, hello\n1..2\nok 1</system-out>"), [("t", "passed", "")]),
        # The whole file is not lost.
        (suite("<testcase name='a\x1b'/>" + BAD), [("a#x1B", "passed", ""), ("b", "failed", "")]),
        (suite("<testcase name='a&#27;&#x0;&#x10;'/>" + BAD), [("a#x1B#x00#x10", "passed", ""), ("b", "failed", "")]),
        (suite("<testcase name='\udcff'/>").encode("utf-8", "surrogateescape"), [("\\xff", "passed", "")]),
        (f"<testsuites>{suite(BAD)}<testsuite name='u'>{OK}<testca", [("b", "failed", ""), ("t", "passed", ""), ("[damaged]", "error", "result.xml is not well-formed XML: Couldn't find end of Start Tag testca")]),
        (f"<testsuites xmlns='urn:x'>{suite(OK + BAD)}</testsuites>", [("t", "passed", ""), ("b", "failed", "")]),
        ("<j:testsuites xmlns:j='urn:x'><j:testsuite name='s'><j:testcase name='t'><j:failure/></j:testcase></j:testsuite></j:testsuites>", [("t", "failed", "")]),
    ],
)  # fmt: skip
def test_no_failure_and_no_test_is_lost(
    content: str | bytes, expected: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    cases = read(content, tmp_path)
    assert [
        (case.name, case.outcome, case.message.partition(",")[0].partition(" line ")[0]) for case in cases
    ] == expected


@pytest.mark.parametrize(
    "content, field, text",
    [
        (suite(f"{OK}<system-out>hello</system-out>"), "output", "hello"),
        (suite(f"{OK}{BAD}<system-out>hello</system-out>"), "output", ""),
        (suite(f"{OK}<system-err>oops</system-err>"), "errors", "oops"),
        (suite(f"<properties><property name='a' value='b'/></properties>{OK}"), "output", "[[PROPERTY|a=b]]"),
        (suite("<properties><property name='java.version' value='17'/><property name='x' value='y'/></properties>" + OK), "output", ""),
        (suite("<testcase name='t'><properties><property name='a'>b</property></properties></testcase>"), "output", "[[PROPERTY|a=b]]"),
        (suite("<testcase name='t' file='t/a.py' line='7' assertions='2'/>"), "output", "[[PROPERTY|file=t/a.py]]\n[[PROPERTY|line=7]]\n[[PROPERTY|assertions=2]]"),
        (suite("<testcase name='t'><tags>slow</tags><system-out>x</system-out></testcase>"), "output", "x\ntags: slow"),
        (suite("<testcase name='t'><system-out>x</system-out><system-out>y</system-out></testcase>"), "output", "x\ny"),
        (suite("<testcase name='t'><failure type='a.BError' message='m'>at a.c:1</failure></testcase>"), "evidence", "a.BError\nat a.c:1"),
        (suite("<testcase name='t'><failure type='a.BError' message='m'>a.BError: m\nat a.c:1</failure></testcase>"), "evidence", "a.BError: m\nat a.c:1"),
        (suite("<testcase name='t'><failure message='m'>x</failure><failure type='E' message='n'>y</failure></testcase>"), "evidence", "x\nE: n\ny"),
        (suite("<testcase name='t'><failure message='m'>x</failure><error message='n'>y</error></testcase>"), "evidence", "y\nm\nx"),
        (suite("<testcase name='t'><failure>x <b>y</b></failure></testcase>"), "evidence", "x y"),
        (suite(OK, "timestamp='2026-01-02T03:04:05'"), "started", "2026-01-02T03:04:05.000Z"),
        (suite(OK, "timestamp='1970-01-01T00:00:00'"), "started", ""),
        (suite("<testcase name='t' timestamp='1970-01-01T00:00:01'/>", "timestamp='2026-01-02T03:04:05'"), "started", "2026-01-02T03:04:05.000Z"),
        (suite("<testcase name='t' class='a.B'/>"), "classname", "a.B"),
        (suite("<testcase name='t' classname='c' class='a.B'/>"), "classname", "c"),
        (suite(OK), "classname", "s"),
    ],
)  # fmt: skip
def test_nothing_that_a_case_says_is_lost(content: str, field: str, text: str, tmp_path: Path) -> None:
    assert getattr(read(content, tmp_path)[0], field) == text


def test_output_of_suite_is_with_its_failures(tmp_path: Path) -> None:
    own = "<testcase name='c'><failure/><system-out>own</system-out></testcase>"
    cases = read(suite(f"{OK}{BAD}{own}{ANOTHER}<system-out>hello</system-out>"), tmp_path)
    assert [(case.name, case.output) for case in cases] == [("t", ""), ("b", "hello"), ("c", "own"), ("d", "hello")]


def test_output_file_of_surefire(tmp_path: Path) -> None:
    (tmp_path / "a.B-output.txt").write_text("hello")
    assert read(suite(OK), tmp_path, "TEST-a.B.xml")[0].output == "hello"
    assert read(suite(OK), tmp_path, "a.B.xml")[0].output == ""
    assert read(suite(f"{OK}<system-out>own</system-out>"), tmp_path, "TEST-a.B.xml")[0].output == "own"


def test_nested_suites_keep_their_order(tmp_path: Path) -> None:
    inner = "<testsuite name='i'><testcase name='a'/><testsuite name='j'><testcase name='b'/></testsuite></testsuite>"
    cases = read(f"<testsuites>{suite(inner + OK)}{suite(BAD)}</testsuites>", tmp_path)
    assert [(case.suite, case.name) for case in cases] == [("s", "t"), ("i", "a"), ("j", "b"), ("s", "b")]


@pytest.mark.parametrize(
    ("attributes", "message", "outcome"),
    [
        ("name='x' classname='x' status='notrun'", "Unable to find executable", "error"),
        ("name='x' classname='x' status='notrun'", "Fixture dependency failed", "error"),
        ("name='x' classname='x' status='notrun'", "Required Files Missing", "error"),
        ("name='x' classname='x' status='notrun'", "SKIP_RETURN_CODE=77", "skipped"),
        ("name='x' classname='x' status='notrun'", "SKIP_REGULAR_EXPRESSION_MATCHED", "skipped"),
        ("name='x' classname='a' status='notrun'", "no network", "skipped"),
        ("name='x' classname='x' status='run'", "no network", "skipped"),
    ],
)
def test_ctest_that_could_not_run_is_an_error(attributes: str, message: str, outcome: str, tmp_path: Path) -> None:
    (case,) = read(suite(f"<testcase {attributes}><skipped message='{message}'/></testcase>"), tmp_path)
    assert (case.outcome, case.message) == (outcome, message)


def of_node(inside: str, fail: int = 0, cancelled: int = 0) -> str:
    """Return a file of node's test runner, with the comments at its end."""
    counts = {
        "tests": 2,
        "suites": 0,
        "pass": 1,
        "fail": fail,
        "cancelled": cancelled,
        "skipped": 0,
        "todo": 0,
        "duration_ms": 1.5,
    }
    comments = "\n\t".join(f"<!-- {name} {count} -->" for name, count in counts.items())
    return f"<testsuites>\n\t{inside}\n\t{comments}\n\t{'</undefined>' * ('<undefined' in inside)}\n</testsuites>\n"


@pytest.mark.parametrize(
    ("content", "outcomes"),
    [
        (of_node(OK), ["passed"]),
        (of_node(suite(OK), fail=1), ["passed", "failed"]),
        (of_node(suite(OK), cancelled=1), ["passed", "failed"]),
        (of_node(suite(OK + BAD), fail=2), ["passed", "failed"]),
        (of_node(f"{OK}<undefined name='root'>{BAD}", fail=1), ["passed", "failed"]),
        (f"<testsuites><group>{suite(BAD)}</group></testsuites>", ["failed"]),
        (suite(f"{OK}<group><group>{BAD}</group></group>"), ["passed", "failed"]),
        (suite(f"<testcase name='outer'>{BAD}</testcase>"), ["failed", "passed"]),
    ],
    ids=["passed", "parent failed", "parent cancelled", "counted twice", "hook failed", "suite in an element", "test in elements", "test in a test"],
)  # fmt: skip
def test_no_test_of_an_unknown_element_is_lost(content: str, outcomes: list[str], tmp_path: Path) -> None:
    assert [case.outcome for case in read(content, tmp_path)] == outcomes


ECLIPSE = '<testrun name="AllTests" project="greet" tests="2" started="{}" failures="{}" errors="0" ignored="1"><testsuite name="greet.HelloTest" time="0.1">{}</testsuite></testrun>'
PASSED = '<testcase name="says" classname="greet.HelloTest" time="0.1"/>'


@pytest.mark.parametrize(
    ("started", "failures", "content", "expected"),
    [
        (2, 0, PASSED + '<testcase name="ends" classname="greet.HelloTest" ignored="true" time="0.0"/>', [("says", "passed", ""), ("ends", "skipped", "ignored")]),
        (2, 0, PASSED + '<testcase name="ends" classname="greet.HelloTest" incomplete="true" time="0.0"/>', [("says", "passed", ""), ("ends", "error", "it did not end")]),
        (2, 1, PASSED + '<testcase name="ends" classname="greet.HelloTest"><failure><expected>bye</expected><actual>hi</actual>org.junit.ComparisonFailure: hi\n\tat x</failure></testcase>',
         [("says", "passed", ""), ("ends", "failed", "org.junit.ComparisonFailure: hi")]),
        (2, 0, PASSED + '<testcase name="ends" classname="greet.HelloTest"><skipped>org.junit.AssumptionViolatedException: x</skipped></testcase>',
         [("says", "passed", ""), ("ends", "skipped", "org.junit.AssumptionViolatedException: x")]),
        (1, 0, PASSED, [("says", "passed", ""), ("[counts]", "failed", "the run was stopped: 1 of 2 tests began")]),
        (2, 1, PASSED, [("says", "passed", ""), ("[counts]", "failed", "the header counts 1 errors and failures; the suite has 0")]),
        (2, 0, "", [("[counts]", "failed", "the header counts tests; the suite has none")]),
    ],
    ids=["ignored", "not ended", "comparison", "assumption", "stopped", "a failure is missing", "no test"],
)  # fmt: skip
def test_run_of_eclipse(
    started: int, failures: int, content: str, expected: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "run.xml"
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{ECLIPSE.format(started, failures, content)}')
    cases = registry.cases("auto", path)
    assert [(case.name, case.outcome, case.message) for case in cases] == expected
    assert all("bye" in case.evidence for case in cases if "Comparison" in case.message)


@pytest.mark.parametrize("name", ["junit", "auto"])
def test_run_of_another_program_is_not_read_as_eclipse(name: str, tmp_path: Path) -> None:
    path = tmp_path / "run.xml"
    path.write_text(
        '<testrun name="All"><count name="total" value="1"/><suite name="a"><test name="b" status="failed"/></suite></testrun>'
    )
    assert [(case.name, case.outcome) for case in registry.cases(name, path)] == [("[unreadable]", "error")]


@pytest.mark.parametrize(
    ("attributes", "content", "outcome"),
    [
        ("", "<Failure message='x'>y</Failure>", "failed"),
        ("", "<failures><failure message='x'/></failures>", "failed"),
        ("", "<failed/>", "failed"),
        ("", "<exception>boom</exception>", "error"),
        ("", "<timeout/>", "error"),
        ("", "<rerunFailure message='x'/>", "failed"),
        ("", "<flakyFailure message='x'/>", "passed"),
        ("", "<rerunFailure message='x'/><flakyFailure message='x'/>", "passed"),
        ("", "<system-out>exception</system-out><note>failed</note>", "passed"),
        ("outcome='failed'", "", "failed"),
        ("outcome='strange'", "", "passed"),
        ("state='errored'", "", "error"),
        ("success='0'", "", "failed"),
        ("passed='false'", "", "failed"),
        ("passed='true'", "", "passed"),
    ],
)
def test_failure_in_the_words_of_an_unknown_writer_is_one(
    attributes: str, content: str, outcome: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.xml"
    path.write_text(
        f"<testsuite name='s'><testcase name='t' classname='c' {attributes}>{content}</testcase></testsuite>"
    )
    assert registry.cases("junit", path)[0].outcome == outcome


def test_header_can_count_failures_as_failed(tmp_path: Path) -> None:
    path = tmp_path / "t.xml"
    path.write_text("<testsuite name='s' tests='1' failed='1'><testcase name='t' classname='c'/></testsuite>")
    assert [(case.name, case.outcome) for case in registry.cases("junit", path)] == [
        ("t", "passed"),
        ("[counts]", "failed"),
    ]
