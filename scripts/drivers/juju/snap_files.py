"""Files for the snap of Juju, which sees only some of this machine's."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.base import environment
from lab.base.errors import ConfigurationError
from scripts.drivers.juju.client import PROGRAM

# Charms, resources and texts of a bundle that are files, with paths from the bundle's directory.
BESIDE = re.compile(r"""[:\s]["']?(?:\.{1,2}/|include-(?:file|base64)://[^/])""")


@contextmanager
def readable(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield paths of the same files that the client can read.

    The snap of Juju 3 is confined and sees no file in a hidden directory, such as the lab's state, or outside the user's
    home; it sees its own directory there.  Raises ConfigurationError for a file that names others beside it, which a
    copy would not find.
    """
    if not _is_snap(Path(environment.find_program(PROGRAM) or PROGRAM)):
        yield list(paths)
        return
    shared = Path.home() / "snap/juju/common"
    shared.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="qalab-", dir=shared) as directory:
        yield [path if _is_visible(path) else _copied(path, Path(directory) / str(n)) for n, path in enumerate(paths)]


def _is_snap(program: Path) -> bool:
    """Return whether a program is one of a snap, or a link to one; all of these are links to ``/usr/bin/snap``."""
    while "snap" not in program.parts and program.is_symlink():
        program = program.parent / program.readlink()
    return "snap" in program.parts


def _is_visible(path: Path) -> bool:
    home, whole = Path.home().resolve(), path.resolve()
    return whole.is_relative_to(home) and not any(part[0] == "." for part in whole.relative_to(home).parts)


def _copied(path: Path, directory: Path) -> Path:
    """Copy a file into a directory of its own: two files can have one name."""
    if BESIDE.search(path.read_text(encoding="utf-8")):
        raise ConfigurationError(
            f"{path}: names files beside it, and the snap of Juju sees neither it nor them",
            hint="move them below your home directory, outside hidden directories",
        )
    directory.mkdir()
    return Path(shutil.copy2(path, directory))
