"""lintian's tags, line by line."""

from __future__ import annotations

import pytest

from lab.results.lintian_tags import parse, policy, tags, trouble, with_policy

REPORT = """\
E: greet changes: bad-distribution-in-changes-file noble
W: greet: wrong-bug-number-in-closes #1 [usr/share/doc/greet/changelog.Debian.gz:1]
W: greet source: no-nmu-in-changelog [debian/changelog:1]
W: greet-udeb udeb: some-tag
I: greet: typo-in-manual-page W: E: [usr/share/man/man1/greet.1.gz:27]
P: greet source: no-dep5-copyright [debian/copyright]
O: greet: hidden-by-an-override usr/bin/greet
N: 0 hints overridden; 1 unused override
warning: something else
"""


def test_tags_of_report() -> None:
    assert [(tag.severity, tag.package, tag.name) for tag in tags(REPORT)] == [
        ("error", "greet changes", "bad-distribution-in-changes-file"),
        ("warning", "greet", "wrong-bug-number-in-closes"),
        ("warning", "greet source", "no-nmu-in-changelog"),
        ("warning", "greet-udeb udeb", "some-tag"),
        ("info", "greet", "typo-in-manual-page"),
        ("pedantic", "greet source", "no-dep5-copyright"),
        ("overridden", "greet", "hidden-by-an-override"),
    ]
    assert next(tags(REPORT)).place == "noble"


@pytest.mark.parametrize("fail_on", [set(), {"error"}, {"warning", "info"}])
def test_policy_of_report(fail_on: set[str]) -> None:
    report = with_policy(REPORT, fail_on)
    assert policy(report) == fail_on
    assert list(tags(report)) == list(tags(REPORT))


def test_policy_default_of_report() -> None:
    assert policy(REPORT) == policy("") == {"error"}


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        ("E: a: init.d-script-x [etc/init.d/a]", ("error", "a", "init.d-script-x", "[etc/init.d/a]")),
        ("I: a source: GNU_STACK x: y", ("info", "a source", "GNU_STACK", "x: y")),
        ("\x1b[1;31mE\x1b[0m: a: \x1b[37mtag\x1b[0m x", ("error", "a", "tag", "x")),
        ("W: a: \x1b]8;;https://l.example/tag\x07tag\x1b]8;;\x07", ("warning", "a", "tag", "")),
        ("a (binary): tag context (x): y", ("unknown severity", "a", "tag", "context (x): y")),
        ("a (source): tag", ("unknown severity", "a source", "tag", "")),
        ("a (thing): tag", None),
        ("E:a: tag", None),
    ],
)
def test_tag_line_formats(line: str, tag: tuple[str, ...] | None) -> None:
    assert parse(line) == tag


@pytest.mark.parametrize(
    ("line", "is_trouble"),
    [
        ("", False),
        ("N: a remark", False),
        ("warning: running with root privileges is not recommended!", False),
        ("warning: the authors of lintian do not recommend running it with root privileges!", False),
        ("warning: tainted binary package 'x', skipping", True),
        ("warning: cannot run binaries check on package binary:a/1/all", True),
        ("internal error: cannot run binaries check", True),
        ("Use of uninitialized value $x in concatenation", True),
    ],
)
def test_trouble_lines(line: str, is_trouble: bool) -> None:  # noqa: FBT001 - a column of the table
    assert list(trouble(f"E: a: tag\n{line}\n")) == [line] * is_trouble
