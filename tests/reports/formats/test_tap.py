"""TAP, line by line: what each says, and what is wrong with a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.formats import registry

Told = tuple[str, str, str, str, str]


@pytest.mark.parametrize(
    "document, told",
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
        ("ok 1 - a", [("t", "a", "passed", "", ""), ("t", "[plan]", "failed", "", "there is no plan: it ended before it could say how many tests there are")]),
        ("1..3\nok 1 - a\nBail out!", [("t", "a", "passed", "", ""), ("t", "[bail out]", "error", "", "Bail out!")]),
        ("Bail out! no disk", [("t", "[bail out]", "error", "", "Bail out! no disk")]),
        ("1..1\n    ok 1 - a\n    1..1\nok 1 - outer", [("t.outer", "a", "passed", "", ""), ("t", "outer", "passed", "", "")]),
        ("1..1\n    1..2\n    ok 1 - a\nnot ok 1 - outer", [("t.outer", "a", "passed", "", ""), ("t.outer", "[plan]", "failed", "", "2 planned, 1 run"), ("t", "outer", "failed", "", "")]),
        ("1..1\n    Bail out! no disk", [("t", "[bail out]", "error", "", "Bail out! no disk")]),
        ("1..1\n    ok 1 - a\n    1..1\n    Bail out! no disk", [("t.subtest", "a", "passed", "", ""), ("t", "[bail out]", "error", "", "Bail out! no disk")]),
        ("t/a.t .. \n1..1\nok 1 - x\nt/b.t ... \n1..1\nok 1 - x\n", [("t/a.t", "x", "passed", "", ""), ("t/b.t", "x", "passed", "", "")]),
    ],
)  # fmt: skip
def test_documents(document: str, told: list[Told], tmp_path: Path) -> None:
    path = tmp_path / "t.tap"
    path.write_bytes(document.encode())
    cases = registry.cases("tap", path)
    assert [(case.classname, case.name, case.outcome, case.nuance, case.message) for case in cases] == told


def test_a_plan_that_counts_lines_does_not_fail_jenkins_debian_glue(tmp_path: Path) -> None:
    path = tmp_path / "checkbashism.tap"
    path.write_text("1..3\nnot ok 1           possible bashism in debian/rules line 3 ('==')\n")
    told = [(case.name, case.outcome, case.message) for case in registry.cases("tap", path)]
    assert told == [
        ("possible bashism in debian/rules line 3 ('==')", "failed", ""),
        ("[plan]", "skipped", "3 planned, 1 run"),
    ]


def test_what_a_test_prints_is_its_output_and_what_it_says_is_its_evidence(tmp_path: Path) -> None:
    path = tmp_path / "t.tap"
    path.write_text("1..2\nhello\nok 1 - a\n# fine\nabout to greet\nnot ok 2 - b\n# expected hello\n# tests 2\n")
    passed, failed = registry.cases("tap", path)
    assert (passed.output, passed.evidence) == ("hello\nfine", "")
    assert (failed.output, failed.evidence) == ("about to greet", "expected hello\ntests 2")


def test_indentation_without_end(tmp_path: Path) -> None:
    path = tmp_path / "t.tap"
    path.write_text("".join(f"{'    ' * depth}ok 1 - {depth}\n" for depth in range(300, -1, -1)) + "1..1\n")
    cases = registry.cases("tap", path)
    assert (cases[-1].classname, cases[-1].name) == ("t", "[plan]") or cases[-1].name == "0"
