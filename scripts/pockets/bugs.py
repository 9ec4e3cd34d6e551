"""The bugs that an update closes, and the CVEs that it names, in the entries that are newer than the release.

Those are ``LP: #123``, ``Closes: #123`` and ``CVE-2026-1234``.
"""

from __future__ import annotations

import re

from debian.changelog import Changelog

from scripts.migration.relations import order

# Shell: print the changelog of the first installed package that has one.
SHOW = """\
for name; do
    for each in "/usr/share/doc/$name/changelog.Debian.gz" "/usr/share/doc/$name/changelog.gz"; do
        [ ! -f "$each" ] || { zcat "$each"; exit; }
    done
done
"""
# dpkg-parsechangelog(1), and dpkg's vendor hook for Launchpad.
LAUNCHPAD = re.compile(r"lp:\s+(\#\d+(?:\s*,\s*\#\d+)*)", re.IGNORECASE)
DEBIAN = re.compile(r"closes:\s*((?:bug)?\#?\s?\d+(?:\s*,\s*(?:bug)?\#?\s?\d+)*)", re.IGNORECASE)
CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b", re.IGNORECASE)


def closed(changelog: Changelog, replaces: str) -> list[str]:
    """Return the bugs and CVEs of all entries after a released version, as ``LP: #123`` and ``#123``; "": of the newest one."""
    found: list[str] = []
    for number, entry in enumerate(changelog):
        if number and (not replaces or order(str(entry.version), replaces) <= 0):
            break
        text = " ".join("\n".join(entry.changes()).split())
        found += [f"LP: #{each}" for match in LAUNCHPAD.findall(text) for each in re.findall(r"\d+", match)]
        found += map(str.upper, CVE.findall(text))
        found += [f"#{each}" for match in DEBIAN.findall(text) for each in re.findall(r"\d+", match)]
    return list(dict.fromkeys(found))
