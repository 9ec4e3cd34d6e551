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

from pydantic import Field

from generator import jjb
from generator.items import Item, ItemKey, Kind
from generator.made_jobs import MadeJobs
from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.store.records import Stored

KEPT = 20
# Directories of code: JJB's, which its version identifies, and Python's.
CODE = tuple(str(Path(prefix).resolve()) + os.sep for prefix in {sys.prefix, sys.base_prefix})
_reading: list[set[str]] = []


class Memo(Stored):
    """A cached expansion: the files that were read, with their SHA-256; the paths without a file; the items.

    ``made``: the digests of what jobs were made of, by the jobs' names (see `generator.made_jobs`).
    """

    migrations = dict.fromkeys((1,), lambda data: data)  # the new field has a default
    schema_version: int = Field(2, alias="schema")
    read_files: Mapping[str, str]
    absent: tuple[str, ...]
    items: tuple[tuple[Kind, str, str], ...]
    made: Mapping[str, str] = Field(default_factory=dict)

    def jobs(self) -> dict[str, str]:
        """Return the XML of jobs, by the digests of what they were made of."""
        return {self.made[name]: xml for kind, name, xml in self.items if kind == "job" and name in self.made}

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
            version("jenkins-job-builder"), sys.version, files.sha256(Path(jjb.__file__))]  # fmt: skip
    place = (
        environment.cache_home() / "jobs" / f"{hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()}.json"
    )
    found = _remembered(place)
    if found and found.holds():
        files.refresh(place)
        return [Item(ItemKey(kind, name), xml) for kind, name, xml in found.items]
    made = MadeJobs(found.jobs() if found else {})
    with _noted() as read:
        items = jjb.expand(chosen, config, plugins, made)
    _remember(place, read, config.yamlparser["include_path"], items, made.digests)
    return items


def _remembered(place: Path) -> Memo | None:
    try:
        return Memo.read(place)
    except ConfigurationError:  # absent, or written by another release
        return None


def _remember(
    place: Path, read: set[str], include_path: Sequence[str], items: Sequence[Item], made: Mapping[str, str]
) -> None:
    read_files = {path: digest for path in sorted(read) if (digest := _digest(path))}
    memo = Memo(
        read_files=read_files,
        absent=tuple(sorted(_before(list(read_files), include_path))),
        items=tuple((item.key.kind, item.key.name, item.xml) for item in items),
        made=made,
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
