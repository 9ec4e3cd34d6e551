"""lintian's tags, line by line."""

from __future__ import annotations

import pytest

from lab.results.lintian_tags import policy, tags, with_policy

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


def test_tags() -> None:
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
def test_policy(fail_on: set[str]) -> None:
    report = with_policy(REPORT, fail_on)
    assert policy(report) == fail_on
    assert list(tags(report)) == list(tags(REPORT))


def test_policy_of_a_report_that_has_none() -> None:
    assert policy(REPORT) == policy("") == {"error"}
