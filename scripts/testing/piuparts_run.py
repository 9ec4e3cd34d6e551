"""piuparts: its command line, its log, and the groups of packages that it can install together.

Tried with piuparts 1.1.7.  It exits with 1 for each failure, also one of a mirror, and passes without an upgrade test
if apt does not know the packages; so the log decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lab.base.run import Word
from scripts.migration.relations import alternatives, clauses, provided, provision_satisfies, satisfies

Outcome = Literal["passed", "failed", "error", "none"]
PURGE: Final = "install and purge"
UPGRADE: Final = "install, upgrade and purge"
ENDINGS: Final[Mapping[str, str]] = {
    PURGE: "Installation and purging test.",
    UPGRADE: "Installation, upgrade and purging tests.",
}
KNOWN: Final = "apt-cache knows about the following packages: "
LAB_FAULTS: Final = re.compile(
    r"Command failed \(status=\d+\): .*'(?:update|dist-upgrade)'|schroot.*(?:E: |failed)|Failed to fetch|"
    r"Temporary failure resolving"
)
UNMET: Final = re.compile(r"have unmet dependencies|held broken packages")
FULL: Final = "No space left on device"  # whatever dpkg or a maintainer script says of it then
# The first line that explains a failure: of dpkg, of apt, of a maintainer script, of piuparts itself.
REASONS: Final = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"trying to overwrite '(?P<file>[^']+)', which is also in package (?P<owner>\S+)",
        r"(?:installed|new|old) (?P<package>\S+) package (?P<script>\S+) script subprocess returned error exit status (?P<status>\d+)",
        r"^\s*(?P<broken>\S+ : (?:Pre)?Depends: .*)$",
        r"FAIL: (?P<found>Package purging left files on system|After purging files have .*?|.*?):?\n(?P<paths>(?:[ \t]+/\S+.*\n?)+)",
        r"^(?:ERROR: |FAIL: )?(?P<error>(?:FAIL: |Command failed).*)$",
    )
)
PATH: Final = re.compile(r"^[ \t]+(/\S+)", re.MULTILINE)
# piuparts runs logrotate for packages that have a file for it, and removes its trace only with logrotate, which the base has.
OWN_TRACE: Final = "--ignore=/var/lib/logrotate/status"
LINE: Final = re.compile(r"^\d+m[\d.]+s (?:DEBUG|INFO|WARN|ERROR|DUMP): ?", re.MULTILINE)


@dataclass(frozen=True)
class PiupartsRun:
    """One call of piuparts; ``options``: the exceptions of lab.yaml, ``scratch``: a directory for its own files."""

    debs: Sequence[Path]
    chroot: str
    codename: str
    testdebs: str
    log: Path
    scratch: Path
    options: Sequence[str] = ()
    upgrade_only: bool = False

    def argv(self) -> list[Word]:
        return [
            "piuparts", f"--schroot={self.chroot}", f"--distribution={self.codename}", "--keep-sources-list",
            f"--tmpdir={self.scratch}", f"--testdebs-repo={self.testdebs}", f"--log-file={self.log}", "--no-eatmydata", "--no-adequate",
            OWN_TRACE,
            *(["--no-install-purge-test"] if self.upgrade_only else []), *self.options, *self.debs,
        ]  # fmt: skip


def outcome(log: str, test: str) -> Outcome:
    """Return the outcome of one of the two tests; ``none``: it did not take place."""
    if _says(log, f"FAIL: {ENDINGS[test]}"):
        return "failed"
    if _says(log, f"PASS: {ENDINGS[test]}"):
        return "passed"
    if not log:
        return "error" if test == PURGE else "none"
    if not _has_begun(log, test):
        return "none"
    is_explained = any(each.search(log) for each in REASONS[:3])
    return "error" if FULL in log or (LAB_FAULTS.search(log) and not is_explained) else "failed"


def _has_begun(log: str, test: str) -> bool:
    """Return whether piuparts came to a test that it did not finish: a command that fails ends it."""
    if test == UPGRADE:
        return _says(log, KNOWN)
    return not _says(log, f"PASS: {ENDINGS[PURGE]}") and not _says(log, KNOWN)


def _says(log: str, text: str) -> bool:
    """Return whether piuparts itself says something: the output of maintainer scripts is indented."""
    return any(text in line for line in log.splitlines() if LINE.match(line))


def reason(log: str) -> str:
    """Return why a test failed, in one line."""
    text = LINE.sub("", log)
    if FULL in text:
        return f"the disk of this machine is full: {FULL}"
    for pattern in REASONS:
        if found := pattern.search(text):
            return _described(found)
    return "piuparts gives no reason: see its log"


def _described(found: re.Match[str]) -> str:
    parts = {name: " ".join(value.split()) for name, value in found.groupdict().items() if value is not None}
    match parts:
        case {"file": file, "owner": owner}:
            return f"{file} is also in package {owner}"
        case {"package": package, "script": script, "status": status}:
            return f"the {script} script of {package} fails with status {status}"
        case {"broken": broken}:
            return broken
        case {"found": what}:
            first, *others = PATH.findall(found["paths"])
            return f"{what[0].lower()}{what[1:]}: {first}{f' and {len(others)} more' if others else ''}"
        case _:
            return parts["error"].removeprefix("FAIL: ")


def groups(packages: Sequence[Mapping[str, str]], architecture: str) -> list[list[Mapping[str, str]]]:
    """Return paragraphs of a Packages file in as few groups as possible, without a conflict in any group."""
    found: list[list[Mapping[str, str]]] = []
    for each in packages:
        group = next(
            (group for group in found if not any(_conflict(each, other, architecture) for other in group)), None
        )
        if group is None:
            found.append([each])
        else:
            group.append(each)
    return found


def _conflict(one: Mapping[str, str], other: Mapping[str, str], architecture: str) -> bool:
    """Whether one package excludes another: its conflicts and breaks are about it, or what it provides."""

    def excludes(by: Mapping[str, str], of: Mapping[str, str]) -> bool:
        virtual = dict(provided(of.get("Provides", ""), architecture))
        for clause in (*clauses(by.get("Conflicts", "")), *clauses(by.get("Breaks", ""))):
            for each in alternatives(clause, architecture):
                if each.name == of["Package"] and satisfies(of.get("Version", ""), each):
                    return True
                if each.name in virtual and provision_satisfies(virtual[each.name], each):
                    return True
        return False

    return excludes(one, other) or excludes(other, one)
