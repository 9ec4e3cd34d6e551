"""A cache of expansions: Jenkins Job Builder does not expand the same files twice.

A cached expansion is valid while all files that were read for it are unchanged, and while no new file exists where
JJB would look first (``include_path`` precedes a file's own directory).
Python reports the files that are read (see `sys.addaudithook`), because JJB has no list of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

from generator import jjb
from generator.items import Item, ItemKey, Kind
from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.store.records import Stored

KEPT = 20
# Directories of code: JJB's, which its version identifies, and Python's.
CODE = tuple(str(Path(prefix).resolve()) + os.sep for prefix in {sys.prefix, sys.base_prefix})
_reading: list[set[str]] = []


class Memo(Stored):
    """A cached expansion: the files that were read, with their SHA-256; the paths without a file; the items."""

    read_files: Mapping[str, str]
    absent: tuple[str, ...]
    items: tuple[tuple[Kind, str, str], ...]

    def holds(self) -> bool:
        """Return True if a new expansion would have the same result."""
        return not any(map(os.path.exists, self.absent)) and all(
            _digest(path) == digest for path, digest in self.read_files.items()
        )


def expand(paths: Path | Sequence[Path], settings: jjb.Settings, plugins: jjb.Plugins | None) -> list[Item]:
    """Return the result of `jjb.expand`, from the cache if possible.  Raises the same errors."""
    config = settings.configuration()
    chosen = [paths] if isinstance(paths, Path) else list(paths)
    if jjb.STDIN in chosen:
        return jjb.expand(chosen, config, plugins)
    said = [[path.resolve() for path in chosen], jjb.yaml_files(chosen, config), Path.cwd(),
            settings.ini and settings.ini.read_text(), settings.section, sorted((plugins or {}).items()),
            version("jenkins-job-builder"), sys.version]  # fmt: skip
    place = (
        environment.cache_home() / "jobs" / f"{hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()}.json"
    )
    if found := _remembered(place):
        return [Item(ItemKey(kind, name), xml) for kind, name, xml in found.items]
    with _noted() as read:
        items = jjb.expand(chosen, config, plugins)
    _remember(place, read, config.yamlparser["include_path"], items)
    return items


def _remembered(place: Path) -> Memo | None:
    try:
        found = Memo.read(place)
    except ConfigurationError:  # absent, or written by an older release
        return None
    if not found.holds():
        return None
    files.refresh(place)
    return found


def _remember(place: Path, read: set[str], include_path: Sequence[str], items: Sequence[Item]) -> None:
    read_files = {path: digest for path in sorted(read) if (digest := _digest(path))}
    memo = Memo(
        read_files=read_files,
        absent=tuple(sorted(_before(list(read_files), include_path))),
        items=tuple((item.key.kind, item.key.name, item.xml) for item in items),
    )
    files.write_cache(place, memo.model_dump_json(by_alias=True), KEPT)  # private: a job can contain secrets


def _digest(path: str) -> str:
    """Return the SHA-256 of a file's content; "" where there is no file, or none that can be read."""
    try:
        return files.sha256(Path(path)) if Path(path).is_file() else ""
    except OSError:
        return ""


def _before(paths: Sequence[str], include_path: Sequence[str]) -> Iterator[str]:
    """Return the paths, now without a file, where JJB would look first for files of these names."""
    for path in map(Path, paths):
        for directory in map(Path, include_path):
            candidates = (directory.resolve().joinpath(*path.parts[-size:]) for size in range(1, len(path.parts)))
            yield from (str(found) for found in candidates if not found.exists())


@contextmanager
def _noted() -> Iterator[set[str]]:
    """Collect the files that are opened in the context, except code."""
    _hook()
    read: set[str] = set()
    _reading.append(read)
    try:
        yield read
    finally:
        _reading.remove(read)


@cache
def _hook() -> None:
    sys.addaudithook(_note)  # permanent: an audit hook cannot be removed


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _reading and event == "open" and isinstance(arguments[0], str | os.PathLike):
        path = os.path.realpath(arguments[0])
        if not path.startswith(CODE):
            _reading[-1].add(path)
