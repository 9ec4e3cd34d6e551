"""The result words of autopkgtest: outcome, nuance, and whose fault it is."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from lab.results.cases import Case
from reports.formats import excerpts, registry
from scripts.openstack.test_results import results_of
from tests.reports.formats import fixtures


def read(name: str, content: str | bytes, tmp_path: Path) -> list[Case]:
    path = tmp_path / "output"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return registry.cases(name, path)


@pytest.mark.parametrize(
    "attributes, seconds, started",
    [
        ("time='1,234.5'", 1234.5, ""),
        ("time='soon'", 0.0, ""),
        ("time='-1'", 0.0, ""),
        ("time='nan'", 0.0, ""),
        ("timestamp='2026-01-01T00:00:00'", 0.0, "2026-01-01T00:00:00.000Z"),
        ("timestamp='2026-01-01T01:00:00+01:00'", 0.0, "2026-01-01T00:00:00.000Z"),
        ("timestamp='0001-01-01T00:00:00+14:00'", 0.0, ""),
        ("timestamp='yesterday'", 0.0, ""),
    ],
)
def test_junit_times(attributes: str, seconds: float, started: str, tmp_path: Path) -> None:
    (case,) = read("junit", f"<testsuite name='s'><testcase name='t' {attributes}/></testsuite>", tmp_path)
    assert (case.seconds, case.started) == (seconds, started)


@pytest.mark.parametrize(
    "inside, outcome, nuance, message",
    [
        ("<error message='e'/><failure message='f'/>", "error", "", "e"),
        ("<failure>first\nsecond</failure>", "failed", "", "first"),
        ("<failure type='AssertionError'/>", "failed", "", "AssertionError"),
        ("<failure message='Failed: Timeout &gt;1.0s'/>", "failed", "timeout", "Failed: Timeout >1.0s"),
        ("<failure/>", "failed", "", ""),
        ("<skipped/>", "skipped", "", ""),
        ("<system-out>[flaky] now and then</system-out>", "passed", "flaky", "now and then"),
        ("<system-out>[PASS] printed by the test</system-out>", "passed", "", ""),
        ("<flakyError type='x' message='once'/>", "passed", "flaky", ""),
        ("<!-- <failure/> -->", "passed", "", ""),
    ],
)
def test_junit_results(inside: str, outcome: str, nuance: str, message: str, tmp_path: Path) -> None:
    case = read("junit", f"<testsuite name='s'><testcase name='t'>{inside}</testcase></testsuite>", tmp_path)[0]
    assert (case.suite, case.classname, case.name) == ("s", "s", "t")
    assert (case.outcome, case.nuance, case.message) == (outcome, nuance, message)


@pytest.mark.parametrize(
    "hint, outcome, message",
    [
        ({"visibility": "error"}, "failed", "error: note [a/b]"),
        ({"visibility": "error", "experimental": True}, "skipped", "experimental: note [a/b]"),
        ({"visibility": "error", "override": {"justification": "so"}}, "skipped", "overridden: note [a/b]"),
        ({"visibility": "error", "masks": [{"screen": "s"}]}, "skipped", "masked: note [a/b]"),
        ({"visibility": "pedantic", "note": "\ud800"}, "skipped", r"pedantic: \ud800 [a/b]"),
    ],
)
def test_lintian_hints(hint: dict[str, object], outcome: str, message: str, tmp_path: Path) -> None:
    (case,) = read("lintian", hints("a_1_all.deb", hint), tmp_path)
    assert (case.classname, case.name, case.outcome, case.message) == ("a", "t", outcome, message)


@pytest.mark.parametrize(
    "file, package", [("a_1.dsc", "a source"), ("x/a_1_amd64.changes", "a changes"), ("b_1_all.udeb", "b udeb")]
)
def test_lintian_files(file: str, package: str, tmp_path: Path) -> None:
    (case,) = read("lintian", hints(file, {"visibility": "info"}), tmp_path)
    assert case.classname == package


def hints(file: str, hint: dict[str, object]) -> str:
    whole = {"tag": "t", "note": "note", "pointer": {"item": {"name": "a/b"}, "line_position": 0}, **hint}
    return json.dumps({"groups": [{"input_files": [{"path": file, "hints": [whole]}]}], "lintian_version": "2"})


@pytest.mark.parametrize(
    "line",
    [
        "I: greet source: team/pkg-perl/testsuite/no-team-tests",
        "W: greet: team/pkg-perl/xs-abi/legacy-vendorarch-directory [usr/lib/perl5/Greet.pm]",
        "\x1b[33mW\x1b[0m: greet source: \x1b[33mteam/pkg-js/vcs/no-team-url\x1b[0m Vcs-Git https://example.org/greet",
        "greet (binary): team/pkg-perl/xs-abi/legacy-vendorarch-directory [usr/lib/perl5/Greet.pm]",
    ],
    ids=["of a source package", "of a binary package", "in colours", "universal"],
)
def test_lintian_tag_with_a_name_space_is_recognised(line: str, tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text(line)
    (case,) = registry.cases("auto", path)
    assert (case.suite, case.name.partition("/")[0]) == ("lintian", "team")


def test_lintian_tag_is_one_case_with_all_places(tmp_path: Path) -> None:
    (case,) = read("lintian", "W: a: t x [1]\nW: a: t y [2]\nN: a remark\nW: a: t\n", tmp_path)
    assert (case.message, case.evidence) == ("warning: x [1] and 1 more", "x [1]\ny [2]")


@pytest.mark.parametrize(
    "report, expected",
    [
        ("E: a: t\nUse of uninitialized value\n", [("t", "failed", "error"), ("[lintian]", "error", "lines that are not tags: Use of uninitialized value")]),
        ("I: a: t\nwarning: tainted binary package 'x', skipping\n", [("t", "skipped", "info"), ("[lintian]", "error", "lines that are not tags: warning: tainted binary package 'x', skipping")]),
        ("a (binary): t x\n", [("t", "failed", "unknown severity: x")]),
        ("\x1b[1mE\x1b[0m: a: init.d-x\n", [("init.d-x", "failed", "error")]),
    ],
)  # fmt: skip
def test_lintian_reports(report: str, expected: list[tuple[str, str, str]], tmp_path: Path) -> None:
    assert [(case.name, case.outcome, case.message) for case in read("lintian", report, tmp_path)] == expected


@pytest.mark.parametrize(
    "summary, expected",
    [
        ("Status: attempted\n", ("build", "error", "testbed")),
        ("Status: attempted\nFail-Stage: unpack\n", ("unpack", "failed", "")),
        ("Status: given-back\nFail-Stage: install-deps\n", ("install-deps", "error", "testbed")),
        ("Status: failed\nFail-Stage: chroot-update\n", ("chroot-update", "error", "testbed")),
        ("Status: skipped\nFail-Stage: arch-check\n", ("arch-check", "failed", "")),
        ("Status: successful\nBuild-Time: much\nPiuparts: fail\n", ("piuparts", "failed", "")),
        ("Status: successful\nAutopkgtest: no tests\n", ("autopkgtest", "passed", "")),
    ],
)
def test_sbuild_stages(summary: str, expected: tuple[str, str, str], tmp_path: Path) -> None:
    case = read("sbuild", f"sbuild (Debian sbuild) 0.85\n\n| Summary \n+--\nPackage: a\n{summary}", tmp_path)[-1]
    assert (case.classname, case.name, case.outcome, case.nuance) == ("a", *expected)


@pytest.mark.parametrize(
    "command, expected",
    [
        ("['chroot', '/tmp/x', 'apt-get', '-y', 'install', 'a']", ("Command: install", "failed", "bad-package")),
        ("['chroot', '/tmp/x', 'dpkg', '--purge', 'a']", ("Command: purge", "failed", "")),
        ("['debootstrap', 'bookworm']", ("Command: debootstrap", "error", "testbed")),
        ("[half, ]", ("Command: [half, ]", "error", "testbed")),
    ],
)
def test_piuparts_commands(command: str, expected: tuple[str, str, str], tmp_path: Path) -> None:
    begin = "0m0.0s INFO: piuparts version 1\n0m1.5s DEBUG: Copying ./a_1_all.deb to /tmp/x\n"
    case = read("piuparts", f"{begin}0m2.0s ERROR: Command failed (status=1): {command}\n  why\n", tmp_path)[0]
    assert (case.classname, case.name, case.outcome, case.nuance, case.evidence) == ("a", *expected, "  why")


@pytest.mark.parametrize(
    "lines, expected",
    [
        ("5.0s ERROR: WARN: Broken symlinks:\n  /a -> b\n0m6.0s INFO: PASS: All tests.", [("Broken symlinks", "skipped", "", 5.0), ("All tests", "passed", "", 1.0)]),
        ("5.0s ERROR: FAIL: Package purging left files on system:\n  /a\n0m5.0s ERROR: piuparts run ends.", [("Package purging left files on system", "failed", "", 5.0)]),
        ("5.0s INFO: SKIP: All tests. Package cannot be tested with piuparts: a.\n0m5.1s INFO: piuparts run ends.", [("All tests", "skipped", "", 5.0)]),
        ("5.0s INFO: FAIL: All tests. Package cannot be tested with piuparts: a.\n0m5.1s ERROR: piuparts run ends.", [("All tests", "failed", "", 5.0)]),
        ("5.0s ERROR: Could not install a.\n0m5.1s ERROR: piuparts run ends.", [("Installation", "failed", "bad-package", 5.0)]),
        ("5.0s ERROR: Scripts directory /x does not exist\n0m5.1s ERROR: piuparts run ends.", [("piuparts", "error", "testbed", 5.0)]),
        ("5.0s ERROR: piuparts run ends.", [("All tests", "error", "testbed", 0.0)]),
        ("5.0s INFO: piuparts run ends.", [("All tests", "error", "testbed", 0.0)]),
        ("5.0s ERROR: Terminating command due to timeout\n0m7.0s ERROR: Command failed (status=-15): ['chroot', '/x', 'dpkg', '--purge', 'a']\n0m8.0s ERROR: piuparts run ends.",
         [("Command: purge", "failed", "timeout", 7.0)]),
    ],
)  # fmt: skip
def test_ends_of_piuparts(lines: str, expected: list[tuple[str, str, str, float]], tmp_path: Path) -> None:
    begin = (
        "0m0.0s INFO: piuparts version 1\n0m0.0s INFO: Command line arguments: piuparts -l x.log --apt hello=2.10-3\n"
    )
    cases = read("piuparts", f"{begin}0m{lines}\n", tmp_path)
    assert [(case.name, case.outcome, case.nuance, case.seconds) for case in cases] == expected
    assert {case.classname for case in cases} == {"hello"}


def test_piuparts_log_without_end(tmp_path: Path) -> None:
    case = read("piuparts", "0m0.0s INFO: piuparts version 1\n0m1.5s DEBUG: Unpacking base\n", tmp_path)[-1]
    assert (case.outcome, case.nuance) == ("error", "testbed")
    assert case.message == "the log is incomplete; its last line: Unpacking base"


def packet(flags: int, body: bytes) -> bytes:
    data = bytes([0xB3]) + (0x2000 | flags).to_bytes(2, "big") + bytes([len(body) + 8]) + body
    return data + zlib.crc32(data).to_bytes(4, "big")


def test_subunit_attachments(tmp_path: Path) -> None:
    """Binary attachments are named, late ones are kept, and output in between belongs to the running test."""
    stream = (
        packet(0x802, b"\x03a.b")
        + b"about to greet\n"
        + packet(0x860, b"\x03a.b\x0fapplication/zip\x03zip\x02PK")
        + packet(0x840, b"\x03a.b\x06stderr\x04oops")
        + packet(0x886, b"\x03a.b\x01\x03tag")
        + packet(0x840, b"\x03a.b\x04late\x04word")
        + packet(0x840, b"\x03c.d\x03log\x01x")
    )
    failed, never = read("subunit", stream, tmp_path)
    assert (failed.output, failed.errors) == (
        "about to greet\nzip:\n(2 bytes of application/zip)\nlate:\nword\n[[PROPERTY|tags=tag]]",
        "oops",
    )
    assert (never.name, never.outcome, never.output) == ("d", "error", "log:\nx")


def string(text: bytes) -> bytes:
    return bytes([len(text)]) + text


@pytest.mark.parametrize(
    "mime, content, shown",
    [
        (b"application/json", b'{"a": 1}', '{"a": 1}'),
        (b"application/vnd.api+json;charset=utf-8", b"{}", "{}"),
        (b"text/plain;charset=latin-1", b"\xfc", "ü"),
        (b'text/plain;charset="UTF-16LE"', b"a\0", "a"),
        (b"text/plain;charset=nonsense", b"a", "a"),
        (b"text/x-log", b"\xff", "\\xff"),
        (b"application/octet-stream", b"ab", "(2 bytes of application/octet-stream)"),
        (b"image/png", b"abc", "(3 bytes of image/png)"),
    ],
)
def test_subunit_types_of_attachments(mime: bytes, content: bytes, shown: str, tmp_path: Path) -> None:
    (case,) = read("subunit", packet(0x863, b"\x03a.b" + string(mime) + b"\x01f" + string(content)), tmp_path)
    assert case.output == f"f:\n{shown}"


@pytest.mark.parametrize(
    "file, content, expected",
    [
        (b"import errors", b"Failed to import x", ("[import errors]", "error", "Failed to import x")),
        (b"stderr", b"Traceback (most recent call last):\n  x\nE: no", ("[stderr]", "error", "E: no")),
        (b"stdout", b"hello", ("[stdout]", "skipped", "a file of no test")),
    ],
)
def test_subunit_files_of_no_test(file: bytes, content: bytes, expected: tuple[str, str, str], tmp_path: Path) -> None:
    stream = packet(0x803, b"\x03a.b") + packet(0x40, string(file) + string(content))
    ended, stray = read("subunit", stream, tmp_path)
    assert (ended.name, ended.outcome) == ("b", "passed")
    assert (stray.name, stray.outcome, stray.message) == expected
    assert {test.outcome for test in results_of(stream)} == {"passed", *({"error"} & {stray.outcome})}


def test_subunit_workers_do_not_mix(tmp_path: Path) -> None:
    def of(worker: bytes, flags: int) -> bytes:
        return packet(0xC00 | flags, b"\x03a.b" + string(worker))

    first, second = read("subunit", of(b"0", 2) + of(b"1", 2) + of(b"1", 6) + of(b"0", 3), tmp_path)
    assert [first.outcome, second.outcome] == ["failed", "passed"]


def test_subunit_tags_without_worker(tmp_path: Path) -> None:
    (case,) = read("subunit", packet(0x883, b"\x03a.b\x02" + string(b"worker-3") + string(b"slow")), tmp_path)
    assert case.output == "[[PROPERTY|tags=slow]]"


@pytest.mark.parametrize(
    "torn",
    [
        "failure: a.b [ multipart\nContent-Type: text/plain\nlog\nZZ\n",
        "failure: a.b [ multipart\nContent-Type: text/plain\nlog\n5\nab",
    ],
)
def test_subunit_torn_chunks(torn: str, tmp_path: Path) -> None:
    failed, damage = read("subunit", torn, tmp_path)
    assert (failed.name, failed.outcome) == ("b", "failed")
    assert damage.message == "the stream ends within the details of a.b"


def test_exercise_that_never_ended(tmp_path: Path) -> None:
    rule = "=" * 69
    (case,) = read("exercises", f"{rule}\nRunning euca\n{rule}\nbooting\n", tmp_path)
    assert (case.name, case.outcome, case.evidence) == ("euca", "error", "booting")


def test_exercise_that_the_summary_does_not_name_is_an_error(tmp_path: Path) -> None:
    rule = "=" * 69
    log = "".join(f"{rule}\nRunning {name}\n{rule}\nbooting\n" for name in ("euca", "boot")) + f"{rule}\nPASS euca\n"
    assert [(case.name, case.outcome) for case in read("exercises", log, tmp_path)] == [
        ("euca", "passed"),
        ("boot", "error"),
    ]


@pytest.mark.parametrize("document", ["1..1\nok 1\n  ---\n  duration_ms: 1.2.3\n  ...\n", "1..1\nok 1 - in 9ms"])
def test_invalid_durations(document: str, tmp_path: Path) -> None:
    assert [case.seconds for case in read("tap", document, tmp_path)] == [0.0]


def test_invalid_times_of_day(tmp_path: Path) -> None:
    log = (fixtures.FORMATS / "autopkgtest/slow/log").read_text().replace("[01:", "[99:")
    assert [case.seconds for case in read("autopkgtest", log, tmp_path)] == [0.0]


@pytest.mark.parametrize("field", ["name", "classname"])
def test_long_names_stay_different(field: str, tmp_path: Path) -> None:
    tests = "".join(f"<testcase {field}='{'y' * 600}{number}'/>" for number in range(2))
    first, second = (getattr(case, field) for case in read("junit", f"<testsuite>{tests}</testsuite>", tmp_path))
    assert first != second
    assert len(first) == len(second) == excerpts.LONGEST_NAME


def test_files_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excerpts, "MOST_BYTES", 300)
    monkeypatch.setattr(excerpts, "HEAD_BYTES", 100)
    stream = (fixtures.FORMATS / "subunit/stestr.v2").read_bytes()
    assert read("subunit", stream, tmp_path)[0].message == f"output has {len(stream):,} bytes; the limit is 300"
    lines = "1..100\n" + "".join(f"ok {number}\n" for number in range(1, 101))
    cases = read("tap", lines, tmp_path)
    assert [cases[0].name, cases[-2].name, cases[-1].outcome] == ["test 1", "test 100", "failed"]


@pytest.mark.parametrize(
    "name, content, expected",
    [
        ("junit", "<testsuite name='s'><error message='no class'/></testsuite>", ("[suite]", "error", "no class")),
        ("junit", "<testsuite name='s'><failure message='no setup'/></testsuite>", ("[suite]", "failed", "no setup")),
        ("junit", "<testsuite name='s'><testcase name='t' status='disabled'/></testsuite>", ("t", "skipped", "disabled")),
        ("lintian", "warning: tainted binary package 'x', skipping\n",
         ("[unreadable]", "error", "output has a line that is not from lintian: warning: tainted binary package 'x', skipping")),
    ],
)  # fmt: skip
def test_untested_package_does_not_pass(
    name: str, content: str, expected: tuple[str, str, str], tmp_path: Path
) -> None:
    (case,) = read(name, content, tmp_path)
    assert (case.name, case.outcome, case.message) == expected
