"""lintian's tags, as it prints them: ``C: PACKAGE [TYPE]: TAG PLACE``.  See lintian(1).

The step that runs lintian writes the severities that the lab does not accept into the report, as a remark; a report
without it is one of which errors are not accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SEVERITIES = {
    "E": "error", "W": "warning", "I": "info", "P": "pedantic", "X": "experimental", "C": "classification",
    "O": "overridden", "M": "masked",
}  # fmt: skip
FAIL_ON = frozenset({"error"})
LINE = re.compile(rf"([{''.join(SEVERITIES)}]): (\S+?(?: \S+?)?): (\S+)(?: (.*))?")
REMARK = re.compile(r"N:|warning: |running with root privileges|\s*$")
POLICY = re.compile(r"^N: qalab: fails on: ?(.*)$", re.MULTILINE)


class LintianTag(NamedTuple):
    """A tag at a place."""

    severity: str
    package: str
    name: str
    place: str


def parse(line: str) -> LintianTag | None:
    """Return the tag of a line; None when it has none."""
    match = LINE.fullmatch(line)
    return LintianTag(SEVERITIES[match[1]], match[2], match[3], (match[4] or "").strip()) if match else None


def tags(report: str) -> Iterator[LintianTag]:
    """Yield the tag of each line of a report that has one."""
    return (tag for line in report.split("\n") if (tag := parse(line)))


def with_policy(report: str, fail_on: Iterable[str]) -> str:
    """Return a report that begins with the severities that are not accepted."""
    return f"N: qalab: fails on: {' '.join(sorted(fail_on))}\n{report}"


def policy(report: str) -> frozenset[str]:
    """Return the severities that are not accepted."""
    found = POLICY.match(report)
    return frozenset(found[1].split()) if found else FAIL_ON
