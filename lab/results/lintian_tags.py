"""lintian's tags, as it prints them.  See lintian(1), and the modules ``Lintian::Output`` of lintian.

- ``EWI``, the default: ``C: PACKAGE [TYPE]: TAG [CONTEXT]``, with colours and links (OSC 8) on a terminal.
- ``universal`` (``--exp-output=format=universal``): ``PACKAGE (TYPE): TAG [CONTEXT]``, without the severity.
- Remarks: ``N:``, and the warning about root privileges.
- Any other line is trouble: lintian skipped a package or a check, or one of its checks broke.

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
UNKNOWN = "unknown severity"
LINE = re.compile(rf"([{''.join(SEVERITIES)}]): (\S+?(?: \S+?)?): (\S+)(?: (.*))?")
UNIVERSAL = re.compile(r"(\S+) \((binary|source|udeb|changes|buildinfo)\): (\S+)(?: (.*))?")
REMARK = re.compile(
    r"N:|(?:warning: )?(?:running with root privileges|the authors of lintian do not recommend running it with root)|\s*$"
)
SKIPPED = re.compile(r"warning: cannot run .* check on package |.*\bskipping(?:$| check of )|Skipping \S")
TERMINAL = re.compile(r"\x1b\[[\d;]*[A-Za-z]|\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)")
POLICY = re.compile(r"^N: qalab: fails on: ?(.*)$", re.MULTILINE)


class LintianTag(NamedTuple):
    """A tag at a place."""

    severity: str
    package: str
    name: str
    place: str


def parse(line: str) -> LintianTag | None:
    """Return the tag of a line; None when it has none."""
    plain = TERMINAL.sub("", line) if "\x1b" in line else line
    if match := LINE.fullmatch(plain):
        return LintianTag(SEVERITIES[match[1]], match[2], match[3], (match[4] or "").strip())
    if match := UNIVERSAL.fullmatch(plain):
        package = match[1] if match[2] == "binary" else f"{match[1]} {match[2]}"
        return LintianTag(UNKNOWN, package, match[3], (match[4] or "").strip())
    return None


def tags(report: str) -> Iterator[LintianTag]:
    """Yield the tag of each line of a report that has one."""
    return (tag for line in report.split("\n") if (tag := parse(line)))


def trouble(report: str) -> Iterator[str]:
    """Yield the lines that are neither a tag nor a remark: what lintian did not check, or could not."""
    return (line for line in report.split("\n") if not REMARK.match(line) and not parse(line))


def skipped(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of lintian's standard error about packages and checks that it skipped."""
    return filter(SKIPPED.match, lines)


def with_policy(report: str, fail_on: Iterable[str]) -> str:
    """Return a report that begins with the severities that are not accepted."""
    return f"N: qalab: fails on: {' '.join(sorted(fail_on))}\n{report}"


def policy(report: str) -> frozenset[str]:
    """Return the severities that are not accepted."""
    found = POLICY.match(report)
    return frozenset(found[1].split()) if found else FAIL_ON
