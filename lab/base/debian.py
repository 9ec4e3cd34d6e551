"""Debian's formats: versions as dpkg compares them, changelogs as in deb-changelog(5)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final, Literal

from debian.changelog import ChangeBlock, Changelog, ChangelogParseError

from lab.base.run import run

Relation = Literal["lt", "le", "eq", "ge", "gt"]
# A line fits a terminal of 80 columns and does not trigger a lintian tag.
CHANGELOG_WIDTH = 79
LAST_DATE: Final = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
VERSION: Final = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~:-]*")
"""A version, see deb-version(7): a part of names of files and directories, so others are dangerous there."""
# A field with its name (deb822(5)), or a line that continues one.
LINE: Final = re.compile(r"[!-\"$-,.-9;-~][!-9;-~]*:.*|[ \t].*\S.*")


def compare(left: str, relation: Relation, right: str) -> bool:
    """Return whether ``left relation right`` is true for dpkg."""
    return run(["dpkg", "--compare-versions", left, relation, right], check=False).returncode == 0


def covers(architectures: str, machine: str) -> bool:
    """Return whether packages of a source are built on a machine, by the field Architecture of its .dsc.

    Such as ``any``, ``all``, ``linux-any arm64``: see deb-src-control(5) and dpkg-architecture(1).
    """
    return any(
        name in {"any", "all", machine}
        or run(["dpkg-architecture", "--host-arch", machine, "--is", name], check=False).returncode == 0
        for name in architectures.split()
    )


@dataclass(frozen=True)
class ChangelogEntry:
    """A changelog entry; ``date`` is Unix time, 0 for an entry without a date."""

    package: str
    version: str
    epoch: str
    upstream_version: str
    date: int


def newest_entry(changelog: str) -> ChangelogEntry:
    """Return a changelog's first entry.  Raises ValueError with one line about the problem."""
    try:
        block = Changelog(changelog.split("\n"), max_blocks=1, allow_empty_author=True, strict=True)[0]
    except ChangelogParseError as error:
        raise ValueError(str(error).removeprefix("Could not parse changelog: ")) from None
    version = block.version  # access parses it
    try:
        date = int(parsedate_to_datetime(block.date or "").timestamp())
    except ValueError:
        date = 0
    return ChangelogEntry(block.package or "", str(version), version.epoch or "", version.upstream_version or "", date)


def one_paragraph(text: str) -> list[tuple[str, str]]:
    """Return the lines of a control file, each with the name of its field in lower case.

    Raises ValueError for more than one paragraph, and for a field that is there twice: the first of two can count for
    one reader, and the last for another.
    """
    found, name, known = list[tuple[str, str]](), "", set[str]()
    for line in text.rstrip("\n").split("\n"):
        continues = line.startswith((" ", "\t"))
        if not LINE.fullmatch(line) or (continues and not name):
            raise ValueError(f"has a line that is no field: {line[:40]!r}")
        if not continues:
            name = line.partition(":")[0].lower()
            if name in known:
                raise ValueError(f"has the field {name} twice")
            known.add(name)
        found.append((name, line))
    return found


def bullet(text: str) -> list[str]:
    """Return the lines of one item of an entry; a word that is longer than a line (a URL) is not broken."""
    return textwrap.wrap(
        text,
        CHANGELOG_WIDTH,
        initial_indent="  * ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def entry_above(  # noqa: PLR0913 - the parts of an entry, by name
    below: ChangelogEntry, version: str, distribution: str, *, bullets: Iterable[str], maintainer: str, date: int
) -> str:
    """Return an entry to insert above another one, with the blank line between them.

    ``date`` is Unix time; if the entry below is not older, the new one is one second younger than it.  A date has four
    digits for its year.
    """
    moment = datetime.fromtimestamp(min(max(date, below.date + 1), LAST_DATE), UTC)
    lines = [line for text in bullets for line in bullet(text)]
    block = ChangeBlock(
        package=below.package,
        version=version,
        distributions=distribution,
        urgency="medium",
        changes=["", *lines, ""],
        author=maintainer,
        date=format_datetime(moment),
    )
    return f"{block}\n"


def add_bullet(changelog: str, text: str) -> str:
    """Return a changelog with one more item at the end of its newest entry."""
    changes, trailer, rest = changelog.partition("\n -- ")
    return "\n".join([changes.rstrip("\n"), *bullet(text), ""]) + trailer + rest
