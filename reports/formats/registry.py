"""Every format there is, and the one way to read a file of any."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from lab.base.errors import ConfigurationError
from lab.results.cases import Case
from reports.formats import autopkgtest, exercises, junit, lintian, piuparts, record, sbuild, subunit, tap
from reports.formats import cases as own
from reports.formats.excerpts import Unreadable, bounded
from reports.formats.gc_pause import uncollected

AUTO = "auto"
SAMPLE_BYTES = 64 * 2**10
HTML = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)\b", re.IGNORECASE)


class Format(Protocol):
    """What `reports.formats` says a format is."""

    FORMAT: str
    MARK: re.Pattern[bytes]

    def parse(self, path: Path) -> Iterable[Case]: ...


# In the order in which a file of an unknown format is tried: what could be part of a log of another comes late.
MODULES: tuple[Format, ...] = (record, own, junit, sbuild, piuparts, autopkgtest, subunit, lintian, exercises, tap)
FORMATS: Mapping[str, Format] = {module.FORMAT: module for module in MODULES}


def recognise(path: Path) -> str | None:
    """The format that a file's content tells, whatever its name; None for none that is known."""
    return _recognised(_sample(path))


def _recognised(sample: bytes) -> str | None:
    return next((name for name, module in FORMATS.items() if module.MARK.search(sample)), None)


def cases(name: str, path: Path) -> list[Case]:
    """The cases of a native result, one at least: what cannot be read is an error that says so.

    ``name`` is a format's or ``auto``.  Raises ConfigurationError when it is neither, or there is no such file.
    """
    if name != AUTO and name not in FORMATS:
        raise ConfigurationError(f"no format {name}; known: {', '.join([*FORMATS, AUTO])}")
    try:
        sample = _sample(path)
        with uncollected():
            found = [bounded(case) for case in _format(name, sample).parse(path)]
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Unreadable as error:
        return [unreadable(name, path, f"{path.name} {error}{_better(name, sample)}")]
    return found or [_without_tests(name, path, sample)]


def _format(name: str, sample: bytes) -> Format:
    """The format to read a file by.  Raises Unreadable when no format can have made it."""
    chosen = _recognised(sample) if name == AUTO else name
    if HTML.match(sample):
        raise Unreadable(f"is an HTML page, not {name if name != AUTO else 'what a test left'}")
    if chosen is None and sample.strip():
        raise Unreadable(f"is of no format that is known: {', '.join(FORMATS)}")
    return FORMATS[chosen or tap.FORMAT]  # an empty file has no test in it, whatever it was to be


def unreadable(name: str, path: Path, message: str) -> Case:
    """What is told in place of the cases of a file."""
    return Case(suite=name, classname=path.name, name="[unreadable]", outcome="error", message=message)


def _sample(path: Path) -> bytes:
    """The beginning and the end of a file."""
    if path.is_dir():
        raise ConfigurationError(f"{path}: is a directory; name a file in it")
    with path.open("rb") as stream:
        head = stream.read(SAMPLE_BYTES)
        stream.seek(max(SAMPLE_BYTES, path.stat().st_size - SAMPLE_BYTES))
        return head + stream.read(SAMPLE_BYTES)


def _better(name: str, sample: bytes) -> str:
    kind = _recognised(sample)
    return f"; it looks like {kind}" if kind and name not in {kind, AUTO} else ""


def _without_tests(name: str, path: Path, sample: bytes) -> Case:
    message = f"{path.name} is empty" if not sample.strip() else f"{path.name} has not one test in it"
    kind = "[empty]" if not sample.strip() else "[no tests]"
    return Case(suite=name, classname=path.name, name=kind, outcome="failed", message=message + _better(name, sample))
