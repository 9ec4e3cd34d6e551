"""Files that the packaging keeps out of an orig tarball: Files-Excluded of debian/copyright.

mk-origtargz(1) decides and removes, as it does for uscan.  What it leaves is packed again by
`scripts.upstream.orig_tarball`, so its compressor and the dates of its work show nowhere.
A part of the step `snapshot`.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path

from lab.base import files
from lab.base.errors import ConfigurationError, Failed
from lab.base.git import readable
from lab.store.step import StepContext

# A pattern all of whose files a later pattern matches too is named so as well.
IDLE = re.compile(r"No files matched excluded pattern as the last matching glob: (?P<glob>.*)")


def remove(context: StepContext, tarball: Path, component: str, copyright_text: str) -> tuple[Path, int, list[str]]:
    """Return a tarball without what debian/copyright excludes from a component ("": the main one), how many files went, and
    the patterns that match none.

    ``tarball`` is compressed with gzip and has one top directory; directories do not count.  Raises ConfigurationError
    where debian/copyright is not in the format that mk-origtargz reads, Failed where it refuses a pattern.
    """
    before = _members(tarball)  # it can be moved
    work = tarball.parent / f"excluded-{component}"
    work.mkdir()
    copyright_file = work / "copyright"
    files.write_atomic(copyright_file, copyright_text.encode("utf-8", "surrogateescape"))
    result, lines = context.try_sh(
        ["mk-origtargz", "--package", context.component_name, "--version", "0", "--repack", "--compression", "gzip",
         *(["--component", component] if component else []),
         "--copyright-file", copyright_file, "--directory", work, tarball]
    )  # fmt: skip
    text = "\n".join(lines)
    if "format is not recognized" in text:
        hint = "its Format: must be https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
        raise ConfigurationError(
            "debian/copyright: Files-Excluded is there, and mk-origtargz cannot read it", hint=hint
        )
    made = sorted(work.glob("*.tar.gz"))
    if not result or len(made) != 1:
        why = re.search(r"^mk-origtargz(?: \w+)?: (.*)", text, re.MULTILINE)
        raise Failed(f"mk-origtargz: {readable(why[1]) if why else 'it made no tarball'}")
    left = work.with_suffix(".tar.gz")
    shutil.move(made[0].resolve() if made[0].is_symlink() else made[0], left)
    idle = [match["glob"] for match in IDLE.finditer(text) if not any(map(_pattern(match["glob"]).fullmatch, before))]
    return left, sum(before.values()) - sum(_members(left).values()), idle


def _members(tarball: Path) -> dict[str, bool]:
    """Return the names in a tarball, without the top directory, and whether each is a file or a link."""
    with tarfile.open(tarball, "r:*", encoding="utf-8", errors="surrogateescape") as tar:
        return {member.name.partition("/")[2]: not member.isdir() for member in tar}


def _pattern(glob: str) -> re.Pattern[str]:
    """Return what a pattern of Files-Excluded matches: ``*`` and ``?`` match slashes too."""
    return re.compile(re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".") + "(?:/.*)?", re.DOTALL)
