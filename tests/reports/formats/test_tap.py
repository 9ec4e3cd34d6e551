"""TAP: the cases of lines, and the errors of documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.formats import registry, tap

Told = tuple[str, str, str, str, str]


@pytest.mark.parametrize(
    "document, expected",
    [
        ("1..1\nok", [("t", "test 1", "passed", "", "")]),
        ("1..1\nok 1 - a", [("t", "a", "passed", "", "")]),
        ("1..1\nok 1 a", [("t", "a", "passed", "", "")]),
        ("1..1\nok - 2 apples", [("t", "2 apples", "passed", "", "")]),
        ("1..1\nnot ok 1 - a # of all \\# \\\\", [("t", "a # of all # \\", "failed", "", "")]),
        ("1..1\nok 1 - a # SKIP", [("t", "a", "skipped", "", "")]),
        ("1..1\nok 1 - a # skipped: no network", [("t", "a", "skipped", "", "no network")]),
        ("1..1\nnot ok 1 # skip why", [("t", "test 1", "skipped", "", "why")]),
        ("1..1\nnot ok 1 - a # TODO later", [("t", "a", "skipped", "todo", "later")]),
        ("1..1\nok 1 - a # todo later", [("t", "a", "passed", "unexpected-success", "later")]),
        ("1..1\nok 1 - a\\# todo later", [("t", "a# todo later", "passed", "", "")]),
        ("1..1\nnot ok 1 - a\n# why\n# more", [("t", "a", "failed", "", "why")]),
        ("1..1\nnot ok 1 - a\n  ---\n  message: 'why'\n  ...", [("t", "a", "failed", "", "why")]),
        ("1..1\nnot ok 1 - a\n  ---\n  error: |-\n    why\n  ...", [("t", "a", "failed", "", "why")]),
        ("1..1\nnot ok 1 - a\n  ---\n  message: x", [("t", "a", "failed", "", "x")]),
        ("ok 1 - a\r\n1..1\r\n", [("t", "a", "passed", "", "")]),
        ("1..0 # SKIP not here", [("t", "all tests", "skipped", "", "not here")]),
        ("1..0", [("t", "all tests", "skipped", "", "")]),
        ("1..2\nok 1 - a", [("t", "a", "passed", "", ""), ("t", "[plan]", "failed", "", "2 planned, 1 run")]),
        ("1..1\nok 1 - a\nok 2 - b", [("t", "a", "passed", "", ""), ("t", "b", "passed", "", ""), ("t", "[plan]", "failed", "", "1 planned, 2 run")]),
        ("ok 1 - a", [("t", "a", "passed", "", ""), ("t", "[plan]", "failed", "", "no plan: the tests ended early")]),
        ("1..3\nok 1 - a\nBail out!", [("t", "a", "passed", "", ""), ("t", "[bail out]", "error", "", "Bail out!")]),
        ("Bail out! no disk", [("t", "[bail out]", "error", "", "Bail out! no disk")]),
        ("1..1\n    ok 1 - a\n    1..1\nok 1 - outer", [("t.outer", "a", "passed", "", ""), ("t", "outer", "passed", "", "")]),
        ("1..1\n    1..2\n    ok 1 - a\nnot ok 1 - outer", [("t.outer", "a", "passed", "", ""), ("t.outer", "[plan]", "failed", "", "2 planned, 1 run"), ("t", "outer", "failed", "", "")]),
        ("1..1\n    Bail out! no disk", [("t", "[bail out]", "error", "", "Bail out! no disk")]),
        ("1..1\n    ok 1 - a\n    1..1\n    Bail out! no disk", [("t.subtest", "a", "passed", "", ""), ("t", "[bail out]", "error", "", "Bail out! no disk")]),
        ("t/a.t .. \n1..1\nok 1 - x\nt/b.t .. skipped: no network\nResult: PASS\n", [("t/a.t", "x", "passed", "", ""), ("t/b.t", "all tests", "skipped", "", "no network")]),
        ("t/a.t .. skipped\nt/bc.t . skipped: x\nt/b.t .. \n1..1\nok 1 - x\nResult: PASS\n", [("t/a.t", "all tests", "skipped", "", ""), ("t/b.t", "x", "passed", "", "")]),
        ("1..1\nnot ok 1 - a # time=2ms {\n    1..1\n    not ok 1 - b\n}\n", [("t.a", "b", "failed", "", ""), ("t", "a", "failed", "", "")]),
        ("1..1\nok 1 - a {\n    1..1\n    ok 1 - b {\n        1..1\n        ok 1 - c\n    }\n}\n", [("t.a.b", "c", "passed", "", ""), ("t.a", "b", "passed", "", ""), ("t", "a", "passed", "", "")]),
        ("1..1\nnot ok 1 - a\n  ---\n  at: x\n  ...\n{\n    1..1\n    ok 1 - b\n}\n", [("t.a", "b", "passed", "", ""), ("t", "a", "failed", "", "at: x")]),
        ("1..1\n# Subtest: a\n    ok 1 - b {\n        ok 1 - c\n        1..1\n    }\n    1..1\nok 1 - a\n", [("t.a.b", "c", "passed", "", ""), ("t.a", "b", "passed", "", ""), ("t", "a", "passed", "", "")]),
        ("1..2\nok 1 - parses {\nok 2 - }\n", [("t", "parses {", "passed", "", ""), ("t", "}", "passed", "", "")]),
        ("1..2\nnot ok 1 a\n  why\n    at x\nok 2 b\n", [("t", "a", "failed", "", "why"), ("t", "b", "passed", "", "")]),
        ("1..1\nnot ok 1 - a\n  ---\n  details:\n    message: inner\n  message: 'why'\n  ...", [("t", "a", "failed", "", "why")]),
        ("1..1\nnot ok 1 - a\n  ---\n  message: ''\n  at: x\n  ...", [("t", "a", "failed", "", "message: ''")]),
        ("t/a.t .. \n1..1\nok 1 - x\nt/b.t ... \n1..1\nok 1 - x\nResult: PASS\n", [("t/a.t", "x", "passed", "", ""), ("t/b.t", "x", "passed", "", "")]),
    ],
)  # fmt: skip
def test_cases_of_document(document: str, expected: list[Told], tmp_path: Path) -> None:
    path = tmp_path / "t.tap"
    path.write_bytes(document.encode())
    cases = registry.cases("tap", path)
    assert [(case.classname, case.name, case.outcome, case.nuance, case.message) for case in cases] == expected


def outcomes(document: str, tmp_path: Path, name: str = "tap") -> list[tuple[str, str]]:
    path = tmp_path / "t.tap"
    path.write_text(document)
    return [(case.name, case.outcome) for case in registry.cases(name, path)]


@pytest.mark.parametrize("name", ["tap", "auto"])
@pytest.mark.parametrize(
    "document, lost",
    [
        ("1..2\nnot ok 1 - a # TODO later\n  ---\n  a: b\nnot ok 2 - real\n", "real"),  # a block without an end
        ("1..3\nok 1\n  ---\n  a: b\nnot ok 2 - real\nok 3\n", "real"),
        ("1..1\n    1..1\n    ok 1\n      ---\n      a: b\n    not ok 2 - real\nok 1 - outer\n", "real"),
        ("1..2\nok 1\n  ---\n  raw: |\n    ...\n  not: ...\nnot ok 2 - real\n", "real"),
        ("1..2\nnot ok 1 - x # TODO y\nnot ok 2 - the server died ...\n", "the server died ..."),  # not a heading of prove
        ("t/a.t .. \n1..2\nok 1 - up\nnot ok 2 - going down ..\n", "going down .."),
        ("1..3\nnot ok 1 # TODO x\n", "[plan]"),  # two never ran
        ("1..3\nok 1\nok 1\nok 3\n", "[plan]"),
        ("1..3\nok 1\nok 2\nok 4\n", "[plan]"),
        ("1..1\nok 12345678901234567890\n", "[plan]"),
        ("1..1\nok 0\n", "[plan]"),
        ("ok 1\n1..3\nok 2\nok 3\n", "[plan]"),  # neither first nor last
        ("1..1\nok 1\n1..1\n", "[plan]"),
        ("1..0 # skip\nok 1\n", "[plan]"),
        ("1..2 todo 2\nok 1\nok 2\n", "[plan]"),  # unknown meaning
        ("2..3\nok 2\nok 3\n", "[plan]"),
        ("TAP version 14\n    ok 1\n    1..1\n", "[plan]"),  # a subtest only
        ("1..1\nok-ish\n", "[plan]"),
        ("1..1\nnot ok: broken\n", ": broken"),
        ("1..2\nok 1\nnot\nok 2 - real\n", "real"),  # VMS
        ("1..1\nprogress 99%\rnot ok 1 - real\n", "real"),
        ("1..1\nnot ok 1 - buy a # todolist\n", "buy a # todolist"),
        ("1..1\nnot ok 1 - a # SKIPPY\n", "a # SKIPPY"),
        ("1..1\nnot ok 1 - no # skipper\n", "no # skipper"),
        ("1..1\nnot ok 1 - see page.html#skip\n", "see page.html#skip"),
        ("1..1\nnot ok 1 - a \\# SKIP b\n", "a # SKIP b"),
        ("1..1\nnot ok 1 - a \\\\\\# todo b\n", "a \\# todo b"),
        ("1..1\nnot ok 1 - a # b # todo\n", "a # b # todo"),  # only after the first delimiter
        ("TAP version 15\n1..1\nok 1\n", "[document]"),
        ("1..1\npragma +strict\nok 1\nwhat is this\n", "[document]"),
        ("1..1\npragma +strict\nTAP version 12\nok 1\n", "[document]"),
        ("1..1\nok 1\nbail out! no disk\n", "[bail out]"),
        ("t/a.t .. \nNo subtests run\nt/b.t .. \n1..1\nok 1\n", "[plan]"),  # died before its first line
        ("t/a.t .. \n1..1\nok 1\nDubious, test returned 3 (wstat 768, 0x300)\n", "[exit]"),
        ("t/a.t .. \n1..1\nok 1\nResult: FAIL\n", "[prove]"),
        # Test::More says so on standard error, after good tests.
        ("1..1\nok 1 - a\n# Looks like your test exited with 255 just after 1.\n", "[exit]"),
        ("1..1\nok 1 - a # SKIP b\n# Looks like your test died just after 1.\n", "[exit]"),
        # prove's own end is missing.
        ("t/a.t .. \n1..1\nok 1\nok\n", "[prove]"),
        ("t/a.t ..\n1..1\nok 1\nok\nt/b.t ..\n1..1\nok 1\n", "[prove]"),
        # Only the `ok` below the tests of a good file is prove's own.
        ("./a .. \n1..2\nok\nFailed 1/2 subtests \n./b .. \n1..1\nok\nok\n", "[plan]"),
        ("./a .. \n1..1\nok\nok\nok\nAll tests successful.\n", "[plan]"),
        ("./a .. \n1..1\nok\nok\nDubious, test returned 1 (wstat 256, 0x100)\n", "[plan]"),
        ("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\n  not ok 2 real\nok 1 s\n", "real"),  # the kernel indents by two blanks
        ("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n    KTAP version 1\n    1..1\n    not ok 1 real\n  ok 1 b\nok 1 s\n", "real"),
        ("# boot\nKTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nok 1 s\n", "[plan]"),
        ("KTAP version 1\n1..1\n    KTAP version 1\n    1..1\n    not ok 1 real\nok 1 s\n", "real"),  # KUnit
    ],
)  # fmt: skip
def test_no_failure_is_lost(name: str, document: str, lost: str, tmp_path: Path) -> None:
    assert dict(outcomes(document, tmp_path, name))[lost] in {"failed", "error"}


@pytest.mark.parametrize(
    "document, expected",
    [
        ("./a .. \n1..1\nok 1 - x\nok\nAll tests successful.\nFiles=1, Tests=1\nResult: PASS\n", [("x", "passed")]),
        ("./a .. \n1..1\nok\nok\n./b .. \n1..1\nok 1 - x\nok\n\nTest Summary Report\nResult: PASS\n", [("test 1", "passed"), ("x", "passed")]),
        ("[10:00:00] ./a .. \n1..1\nok 1 - x\nok       18 ms ( 0.00 usr  0.00 sys)\n[10:00:00]\nAll tests successful.\n", [("x", "passed")]),
        ("1..2 # two tests\nok 1\nok 2\n", [("test 1", "passed"), ("test 2", "passed")]),
        ("1..3\nok 2\nok 3\nok 1\n", [("test 2", "passed"), ("test 3", "passed"), ("test 1", "passed")]),
        ("1..3\nok 1 - a\nok 2 - loading ...\nok 3\n", [("a", "passed"), ("loading ...", "passed"), ("test 3", "passed")]),
        ("1..1\nok 1 - #SkIp why\n", [("test 1", "skipped")]),
        ("1..1\nok 1 - a \\\\# todo b\n", [("a \\", "passed")]),
        ("1..1\nok 1 - fix #5 # SKIP why\n", [("fix #5", "skipped")]),
        ("1..1\nok 1 - a # time=13.891ms\n", [("a", "passed")]),
        ("1..1\nnot ok 1 - a # TODO b # time=2s\n", [("a", "skipped")]),
        ("1..1\npragma +bail\npragma -strict\nok 1\nwhat\n", [("test 1", "passed")]),
        ("1..1\npragma -strict\n    1..1\n    pragma +strict\n    ok 1\nok 1 - outer\nwhat\n", [("test 1", "passed"), ("outer", "passed")]),
        ("1..1\n    1..2\n    ok 1 - a\nbetween\n    ok 2 - b\nok 1 - outer\n", [("a", "passed"), ("b", "passed"), ("outer", "passed")]),
        ("1..2\nok 1\n  ---\n  raw: |\n    1..1\n    ok 1\n      ---\n      a: b\n      ...\n  ...\nok 2\n", [("test 1", "passed"), ("test 2", "passed")]),
        ("t/a.t .. \n1..1\nloading data ...\nok 1\nResult: PASS\n", [("test 1", "passed")]),
        ("t/a.t .... \n1..1\nok 1\nt/abc.t .. \n1..1\nok 1\nResult: PASS\n", [("test 1", "passed"), ("test 1", "passed")]),
    ],
)  # fmt: skip
def test_valid_documents_do_not_fail(document: str, expected: list[tuple[str, str]], tmp_path: Path) -> None:
    assert outcomes(document, tmp_path) == expected


def test_plan_that_counts_lines_is_broken(tmp_path: Path) -> None:
    """The checkers of jenkins-debian-glue count so."""
    document = "1..3\nnot ok 1           possible bashism in debian/rules line 3 ('==')\n"
    bashism = "possible bashism in debian/rules line 3 ('==')"
    assert outcomes(document, tmp_path) == [(bashism, "failed"), ("[plan]", "failed")]


def test_name_excludes_duration(tmp_path: Path) -> None:
    path = tmp_path / "t.tap"
    path.write_text("1..2\nnot ok 1 - a # time=13.5ms\nok 2 - b # duration_ms 20\n")
    times = [(case.name, case.seconds) for case in registry.cases("tap", path)]
    assert times == [("a", 0.0135), ("b", 0.02)]


@pytest.mark.parametrize(
    "descriptions, names",
    [
        ("a a b a", "a|a [2]|b|a [3]"),
        ("a a[2] a", "a|a[2]|a [2]"),
        ("a a a a", "a|a [2]|a [3]|a [4]"),
    ],
)
def test_names_are_unique(descriptions: str, names: str, tmp_path: Path) -> None:
    words = descriptions.split()
    document = f"1..{len(words)}\n" + "".join(f"ok - {word}\n" for word in words)
    assert [name for name, _ in outcomes(document, tmp_path)] == names.split("|")


def test_name_that_looks_like_a_number(tmp_path: Path) -> None:
    assert [name for name, _ in outcomes("1..3\nok - a\nok - a [2]\nok - a\n", tmp_path)] == ["a", "a [2]", "a [3]"]


def test_too_deep_subtests_are_a_failure(tmp_path: Path) -> None:
    lines = [
        f"{'    ' * depth}{word}"
        for depth in range(30, -1, -1)
        for word in ("not ok 1" if depth == 30 else "ok 1", "1..1")
    ]
    assert ("[document]", "failed") in outcomes("\n".join(lines), tmp_path)


def test_output_and_diagnostics_belong_to_test(tmp_path: Path) -> None:
    path = tmp_path / "t.tap"
    path.write_text("1..2\nhello\nok 1 - a\n# fine\nabout to greet\nnot ok 2 - b\n# expected hello\n# tests 2\n")
    passed, failed = registry.cases("tap", path)
    assert (passed.output, passed.evidence) == ("hello\nfine", "")
    assert (failed.output, failed.evidence) == ("about to greet", "expected hello\ntests 2")


def test_endless_indentation(tmp_path: Path) -> None:
    path = tmp_path / "t.tap"
    path.write_text("".join(f"{'    ' * depth}ok 1 - {depth}\n" for depth in range(300, -1, -1)) + "1..1\n")
    cases = registry.cases("tap", path)
    assert (cases[-1].classname, cases[-1].name) == ("t", "[plan]") or cases[-1].name == "0"


KSELFTEST = """TAP version 13
1..3
# timeout set to 3600
# selftests: net: amt.sh
# TEST: IPv4 amt multicast forwarding [FAIL]
not ok 1 selftests: net: amt.sh # exit=1
# selftests: net: split.py
# no device was found
ok 2 selftests: net: split.py # SKIP
# selftests: net: slow.sh
not ok 3 selftests: net: slow.sh # TIMEOUT 45 seconds
"""


@pytest.mark.parametrize(
    "document, expected",
    [
        (KSELFTEST, [
            ("selftests: net: amt.sh", "failed", "", "exit=1", "TEST: IPv4 amt multicast forwarding [FAIL]"),
            ("selftests: net: split.py", "skipped", "", "", "no device was found"),
            ("selftests: net: slow.sh", "failed", "timeout", "TIMEOUT 45 seconds", "selftests: net: slow.sh"),
        ]),
        ("KTAP version 1\n1..3\nok 1 a # XFAIL known\nnot ok 2 b # XFAIL\nok 3 c # rcode=0\n", [
            ("a", "skipped", "todo", "XFAIL known", ""), ("b", "failed", "", "XFAIL", ""), ("c", "passed", "", "rcode=0", ""),
        ]),
        ("KTAP version 1\n1..3\nok 1 a # TIMEOUT 9\nok 2 b # ERROR: no memory\nnot ok 3 c # ERROR\n", [
            ("a", "failed", "timeout", "TIMEOUT 9", ""), ("b", "error", "", "ERROR no memory", ""), ("c", "error", "", "ERROR", ""),
        ]),
        ("KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..1\n    # x: EXPECTATION FAILED\n    not ok 1 x\n# s: pass:0 fail:1\nnot ok 1 s\n", [
            ("x", "failed", "", "", "x: EXPECTATION FAILED"), ("s", "failed", "", "", "s: pass:0 fail:1"),
        ]),
    ],
)  # fmt: skip
def test_kernel_results_keep_their_names_and_the_comments_before_them(
    document: str, expected: list[tuple[str, ...]], tmp_path: Path
) -> None:
    (tmp_path / "x.tap").write_text(document)
    found = [*tap.parse(tmp_path / "x.tap")]
    assert [(case.name, case.outcome, case.nuance, case.message) for case in found] == [row[:4] for row in expected]
    assert all(row[4] in case.output for row, case in zip(expected, found, strict=True))


def test_test_of_the_kernel_has_one_name_whether_it_passes_or_not(tmp_path: Path) -> None:
    for end in ("", " # exit=1", " # SKIP", " # TIMEOUT 45 seconds", " # XFAIL", " # KILLED"):
        (tmp_path / "x.tap").write_text(
            f"TAP version 13\n1..1\n# selftests: net: a.sh\nok 1 selftests: net: a.sh{end}\n"
        )
        assert [case.name for case in tap.parse(tmp_path / "x.tap")] == ["selftests: net: a.sh"]


@pytest.mark.parametrize(("failed", "ended", "names"), [
    ("1", "ok", ["[counts]", "selftests: net: a.sh"]), ("  12", "ok", ["[counts]", "selftests: net: a.sh"]),
    ("0", "ok", ["selftests: net: a.sh"]), ("3", "not ok", ["selftests: net: a.sh"]),
])  # fmt: skip
def test_failures_that_a_test_of_the_kernel_counts_are_a_failure(
    tmp_path: Path, failed: str, ended: str, names: list[str]
) -> None:
    """As fcnal-test.sh did, which exited with 0."""
    path = tmp_path / "x.tap"
    path.write_text(
        "TAP version 13\n1..1\n# selftests: net: a.sh\n# TEST: ping out, VRF bind  [ OK ]\n"
        f"#\n# Tests passed: 119\n# Tests failed: {failed}\n{ended} 1 selftests: net: a.sh\n"
    )
    cases = list(tap.parse(path))
    assert [case.name for case in cases] == names
    assert (cases[0].outcome == "failed") == (failed != "0")


@pytest.mark.parametrize("ended", ["ok", "not ok"])
@pytest.mark.parametrize(
    "comment, failed",
    [
        ("# not ok 2 test_b", ["test_b"]), ("# 4.13 [+0.00] not ok 3 link.test_c # exit=1", ["link.test_c"]), ("#   not ok 2 d", []),
        ("# not ok 1", ["test 1"]), ("# not ok 2 b # SKIP no device", []), ("# not ok 2 b # XFAIL", []), ("# not ok, it said", []),
        ("# ok 1 not ok 2 b", []), ("# not ok 2 b\n# not ok 3 c # TIMEOUT", ["b", "c"]),
    ],
)  # fmt: skip
def test_bad_result_in_a_comment_of_the_kernel_is_a_failed_subtest(
    comment: str, failed: list[str], ended: str, tmp_path: Path
) -> None:
    document = f"TAP version 13\n1..1\n# selftests: net: a.py\n{comment}\n{ended} 1 selftests: net: a.py\n"
    last = ("selftests: net: a.py", "passed" if ended == "ok" else "failed")
    assert outcomes(document, tmp_path) == [*((name, "failed") for name in failed), last]
