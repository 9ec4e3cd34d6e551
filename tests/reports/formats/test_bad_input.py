"""Invalid input: one case with the error, never a traceback, and no other result is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from lab.base.errors import ConfigurationError
from lab.results.cases import Case
from reports import junit
from reports.formats import registry
from tests.reports.formats import fixtures

HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>\n"
BOMB = b"<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'>" + b"".join(
    b"<!ENTITY a%d '&a%s;&a%s;&a%s;&a%s;'>" % (n, *[str(n - 1 or "").encode()] * 4) for n in range(1, 20)
)
OUTSIDE = b"<!DOCTYPE testsuite [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><testsuite name='&x;'><testcase name='&x;'/></testsuite>"
SUITE = "<testsuite name='s'><testcase name='t'/></testsuite>"
EVERY = tuple(registry.FORMATS)


def read(name: str, content: bytes, tmp_path: Path, file: str = "output") -> list[Case]:
    path = tmp_path / file
    path.write_bytes(content)
    return registry.cases(name, path)


@pytest.mark.parametrize(
    "name, content, message",
    [
        *((name, HTML, f"output is an HTML page, not {name}") for name in EVERY),
        ("auto", HTML, "output is an HTML page, not a test result"),
        ("auto", b"Lorem ipsum\n", f"output has an unknown format; known: {', '.join(EVERY)}"),
        ("auto", b"<TestRun><FailedTests/></TestRun>", f"output has an unknown format; known: {', '.join(EVERY)}"),  # CppUnit
        ("junit", BOMB + b"]><testsuite>&a19;</testsuite>", "output has a DOCTYPE, which test results do not need: refused"),
        ("junit", OUTSIDE, "output has a DOCTYPE, which test results do not need: refused"),
        ("junit", b"<?xml version='1.0' encoding='UTF-7'?>" + SUITE.encode(), "output has the encoding UTF-7: refused; use UTF-8"),
        ("junit", b"<testsuite><testcase", "output is not well-formed XML: Couldn't find end of Start Tag testcase"),
        ("junit", b"<testsuite>" * 300 + b"</testsuite>" * 300, "output is not well-formed XML: Excessive depth in document: 256"),
        ("junit", b"<project/>", "output is XML, but not JUnit: its root is <project>"),
        ("junit", b"1..1\nok 1\n", "output is not well-formed XML: Start tag expected, '<' not found, line 1, column 1; it looks like tap"),
        ("tap", SUITE.encode(), "output has no line of TAP; it looks like junit"),
        ("subunit", b"Lorem ipsum\n", "output has no subunit test of version 1 or 2"),
        ("lintian", b"1..1\nok 1\n", "output has a line that is not from lintian: 1..1; it looks like tap"),
        ("lintian", b"{", "output is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("lintian", b'{"groups": 5}', "output is JSON, but not from lintian: TypeError(\"'int' object is not iterable\")"),
        ("lintian", b'{"groups": ' + b"[" * 100_000, "output is not JSON: maximum recursion depth exceeded while decoding a JSON array from a unicode string"),
        ("sbuild", b"Lorem ipsum\n", "output is not an sbuild log: it has neither the first line nor the summary"),
        ("piuparts", b"Lorem ipsum\n", "output is not a piuparts log: its first lines are missing"),
        ("autopkgtest", b"Lorem ipsum\n", "output is neither a summary nor a log of autopkgtest"),
        ("exercises", b"Lorem ipsum\n", "output has no summary of devstack's exercise.sh"),
        ("cases", b'{"schema": 1, "suite": "x", "classname": "c", "name": "y", "outcome": "lost"}\n', "output has no case on line 1"),
        ("cases", b'{"suite": "x", "classname": "c", "name": "y", "outcome": "passed"}\n', "output has no case on line 1"),
        ("cases", b'{"schema": 2, "suite": "x", "classname": "c", "name": "y", "outcome": "passed"}\n', "output has schema 2 on line 1; expected 1"),
        ("record", b'{"schema": 2, "step": "sbuild"}', "output was written by a newer qalab (schema 2; this one knows 1): upgrade qalab"),
        ("record", b"", "output Invalid JSON: EOF while parsing a value at line 1 column 0"),
    ],
)  # fmt: skip
def test_unreadable_file_is_one_case_with_the_error(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (case,) = read(name, content, tmp_path)
    assert (case.suite, case.classname, case.name, case.outcome) == (name, "output", "[unreadable]", "error")
    # The messages of libxml2 differ between versions.
    assert case.message.startswith(message) if "XML: " in message else case.message == message


@pytest.mark.parametrize("name", ["junit", "subunit", "tap", "autopkgtest", "exercises", "auto"])
@pytest.mark.parametrize("content, kind, says", [(b"", "[empty]", "is empty"), (b" \n\n", "[empty]", "is empty")])
def test_empty_file_is_a_failure(name: str, content: bytes, kind: str, says: str, tmp_path: Path) -> None:
    (case,) = read(name, content, tmp_path)
    assert (case.name, case.outcome, case.message) == (kind, "failed", f"output {says}")


@pytest.mark.parametrize(
    "name, content",
    [
        ("junit", b"<testsuites/>"),
        ("junit", b"<testsuite name='s'/>"),
        ("tap", b"TAP version 14\n"),
        ("tap", b"1..0\n# ok"),
    ],
)
def test_file_without_tests_is_a_failure(name: str, content: bytes, tmp_path: Path) -> None:
    cases = read(name, content, tmp_path)
    assert [case.outcome for case in cases] in (["failed"], ["skipped"])


def test_lintian_report_without_tags_passes(tmp_path: Path) -> None:
    """lintian prints nothing if it finds no tags."""
    (case,) = read("lintian", b"", tmp_path)
    assert (case.name, case.outcome) == ("no tags", "passed")


@pytest.mark.parametrize("name", EVERY)
def test_file_extension_is_ignored(name: str, tmp_path: Path) -> None:
    for path in fixtures.outputs():
        if fixtures.format_of(path) == name:
            cases = read("auto", path.read_bytes(), tmp_path, "result.xml")
            assert [case.outcome for case in cases] == [case["outcome"] for case in fixtures.expected(path)]


@pytest.mark.integration
@pytest.mark.parametrize(
    "name", [name for name in EVERY if name not in {"junit", "record", "nunit", "trx", "ctest", "boost", "debci"}]
)
def test_line_of_fifty_megabytes(name: str, tmp_path: Path) -> None:
    cases = read(name, b"ok 1 - " + b"x" * 50_000_000, tmp_path)
    assert sum(len(case.model_dump_json()) for case in cases) < 3_000_000
    assert len(junit.render(cases)) < 3_000_000


@pytest.mark.integration
@pytest.mark.parametrize(
    "piece",
    [b"<!---->", b"test: a\n", b"=" * 70 + b"\n", b"E: a ", b"0m0.0s INFO: ", b"a .. ", b"    ", b"ok 1 # ", b"\xb3)", b"PASS a\n",
     b"[passed] \n", b" [ multipart\n", b"  ---\n", b"'", b"[", b"Running a\n" + b"=" * 70 + b"\n"],
)  # fmt: skip
def test_patterns_are_fast(piece: bytes, tmp_path: Path) -> None:
    data = piece * (50_000 // len(piece))
    begin = time.process_time()  # processor time, independent of the load of the machine
    for name in ("auto", *EVERY):
        assert read(name, data, tmp_path)
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda path: registry.cases("tap", path / "nowhere"), "{path}/nowhere: cannot be read: No such file or directory"),
        (lambda path: registry.cases("tap", path), "{path}: is a directory; name a file in it"),
        (lambda path: registry.cases("gtester", path), f"no format gtester; known: {', '.join(EVERY)}, auto"),
    ],
)  # fmt: skip
def test_invalid_call_prints_one_line(call: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        call(tmp_path)
    assert str(caught.value) == message.replace("{path}", str(tmp_path))


SEEDS = {name: [path.read_bytes() for path in fixtures.outputs() if fixtures.format_of(path) == name] for name in EVERY}
PIECES = st.one_of(
    st.binary(max_size=40),
    st.text(st.characters(), max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text("\x00\x1b\x85\u2028\ufffe<>&\"' \r\n", max_size=20).map(str.encode),
    st.sampled_from([b"\n", b"    ", b"ok 1\n", b"1..2\n", b" [\n", b"]\n", b"\xb3\x29\x01", b"\xff\xfe", b"x" * 70_000,
                     b"E: ", b"test: a\n", b" [ multipart\n", b"FFFFFFFF\r\n", b"\\ud800", b"\x1b[31m", b"1e999", b"Infinity"]),
)  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn, name: str) -> bytes:
    """Return an output with a part removed, with bytes inserted, or replaced completely."""
    data = draw(st.sampled_from([*SEEDS[name], b""]))
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 300)))
        data = data[:begin] + draw(PIECES) + data[draw(st.sampled_from([begin, end, len(data)])) :]
    return data


@pytest.mark.integration
@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=60)
@given(data=st.data())
def test_any_bytes_give_cases_and_legal_xml(name: str, data: st.DataObject, tmp_path: Path) -> None:
    cases = read(name, data.draw(spoiled(name)), tmp_path)
    assert cases
    for case in cases:
        assert case.model_dump_json().encode()
    tree = etree.fromstring(junit.render(cases))
    fixtures.STRICT.assertValid(tree)
    fixtures.XUNIT_PLUGIN.assertValid(tree)
