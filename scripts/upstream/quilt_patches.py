"""Quilt patches as dpkg-source applies them: which one fails, where, and which ones upstream has merged."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from lab.base.errors import Failed
from lab.base.git import readable
from lab.base.run import Result, Word, run

# As Dpkg::Source::Quilt calls it.
PATCH = ("patch", "-t", "-F", "0", "-N", "-p1", "-u", "-V", "never", "-E", "--no-backup-if-mismatch", "--reject-file=-")
SHOWN = 5


def series_entry(line: str) -> str:
    """Return the patch that a line of a series file names, "" for a comment; see Dpkg::Source::Quilt."""
    words = re.sub(r"(^|\s)#.*", "", line).split()
    return words[0] if words else ""


def without(series: str, patches: Collection[str]) -> str:
    """Return a series file without some patches, otherwise unchanged."""
    return "".join(line for line in series.splitlines(keepends=True) if series_entry(line) not in patches)


def failing_places(output: str) -> Iterator[str]:
    """Return the errors of patch(1), one item for each file: ``FILE: hunk 2 at line 34``."""
    name, hunks = "", list[str]()
    for line in [*output.splitlines(), "patching file "]:
        if match := re.match(r"(?:patching|checking) file '?(.*?)'?$", line):
            if hunks:
                yield f"{name}: {', '.join(hunks)}"
            name, hunks = match[1], []
        elif match := re.match(r"Hunk #(\d+) FAILED at (\d+)", line):
            hunks.append(f"hunk {match[1]} at line {match[2]}")
        elif "previously applied) patch detected" in line:
            hunks.append("merged upstream, at least in part")
        elif match := re.match(r"The next patch would (create|delete) the file '?(.*?)'?,$", line):
            yield f"{match[2]}: is {'there' if match[1] == 'create' else 'gone'} already"
        elif match := re.match(r"\|\+\+\+ (?:[^/\t]*/)?([^\t]+)", line):
            yield f"{match[1]}: is not there"


def series_file(debian: Path, distribution: str) -> Path:
    """Return the series file that dpkg-source uses: the vendor's own before the common one."""
    own = debian / f"patches/{distribution}.series"
    return own if own.exists() else debian / "patches/series"


def merged(tree: Path, series: Path, log: IO[str]) -> list[str]:
    """Apply the patches that a series file in ``tree`` names; return those that upstream has merged.

    Merged is what does not apply and can be taken back cleanly.  Raises Failed for a patch that can be
    neither.
    """
    names = map(series_entry, series.read_text(errors="surrogateescape").splitlines() if series.is_file() else [])
    found = []
    for name in filter(None, names):
        path = series.parent / name
        if not (path.is_file() and path.resolve().is_relative_to(tree.resolve())):
            raise Failed(f"debian/patches/{series.name}: names {readable(name)}, which is not there")
        if tried := attempt(tree, path, log):
            attempt(tree, path, log, dry_run=False)
        elif attempt(tree, path, log, "--reverse"):
            found.append(name)
        else:
            log.write(tried.stdout)
            raise not_applying(tree, path, readable(name), tried.stdout, log)
    return list(dict.fromkeys(found))


def attempt(tree: Path, patch: Path, log: IO[str], *options: str, dry_run: bool = True) -> Result:
    """Run patch(1) on a patch; return whether it applies, and the output."""
    argv: list[Word] = [*PATCH, *options, *(["--dry-run"] if dry_run else []), "--input", patch]
    return run(argv, cwd=tree, log=log, capture=True, check=False)


def not_applying(tree: Path, patch: Path, name: str, output: str, log: IO[str]) -> Failed:
    """Return the error for a patch, with file and hunk."""
    places = [readable(place) for place in failing_places(output)]
    where = "; ".join(places[:SHOWN] + ["..."] * (len(places) > SHOWN)) or "it is malformed, see the step's log"
    fuzzy = attempt(tree, patch, log, "--fuzz=2")
    hint = "it applies with fuzz, which dpkg-source refuses: quilt refresh" if fuzzy else ""
    return Failed(f"the patch {name} does not apply: {where}", hint=hint)
