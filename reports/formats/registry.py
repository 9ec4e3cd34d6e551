"""The formats, and the function that reads a file of any format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Protocol

from lab.base.errors import ConfigurationError
from lab.results.cases import MOST_CASES, UNREAD, Case
from reports.formats import (
    autopkgtest,
    boost,
    compressed,
    ctest,
    debci,
    exercises,
    gnome_desktop_testing,
    junit,
    lintian,
    meson,
    nunit,
    piuparts,
    record,
    sbuild,
    subunit,
    tap,
    trx,
)
from reports.formats import cases as own
from reports.formats.excerpts import Unreadable, bounded
from reports.formats.gc_pause import uncollected

AUTO = "auto"
SAMPLE_BYTES = 64 * 2**10
HTML = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)\b", re.IGNORECASE)


class Recognition(Protocol):
    """What recognizes a format, a pattern for most: ``search`` returns something true for its beginning or end."""

    def search(self, data: bytes, /) -> object: ...


class Format(Protocol):
    """The interface of a format, see `reports.formats`."""

    FORMAT: str

    @property
    def MARK(self) -> Recognition: ...  # noqa: N802 - a constant of a module

    def parse(self, path: Path) -> Iterable[Case]: ...


# The order of recognition: a format that can be part of another format's log comes late.
MODULES: tuple[Format, ...] = (
    record, own, junit, nunit, trx, ctest, boost, debci, meson, sbuild, piuparts, autopkgtest, subunit, lintian, exercises,
    gnome_desktop_testing, tap,
)  # fmt: skip
FORMATS: Mapping[str, Format] = {module.FORMAT: module for module in MODULES}


def recognise(path: Path) -> str | None:
    """Return the format of a file by its content, whatever its name; None if it is unknown."""
    try:
        with compressed.plain(path) as plain:
            return _recognised(_sample(plain))
    except (OSError, Unreadable):
        return None


def _recognised(sample: bytes) -> str | None:
    return next((name for name, module in FORMATS.items() if module.MARK.search(sample)), None)


def cases(name: str, path: Path) -> list[Case]:
    """Return the cases of a native result, at least one: an unreadable file is a case with the error.

    ``name`` is that of a format or ``auto``.  Raises ConfigurationError for another name, or a missing file.
    """
    if name != AUTO and name not in FORMATS:
        raise ConfigurationError(f"no format {name}; known: {', '.join([*FORMATS, AUTO])}")
    if path.is_dir():
        raise ConfigurationError(f"{path}: is a directory; name a file in it")
    try:
        with compressed.plain(path) as plain:
            return _cases(name, plain)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Unreadable as error:
        return [unreadable(name, path, f"{path.name} {error}")]


def _cases(name: str, path: Path) -> list[Case]:
    sample = _sample(path)
    read_cases: list[Case] = []
    try:
        with uncollected():
            read_cases.extend(map(bounded, islice(_format(name, sample).parse(path), MOST_CASES + 1)))
    except Unreadable as error:
        if not read_cases:
            return [unreadable(name, path, f"{path.name} {error}{_hint(name, sample)}")]
        message = f"{path.name} {error}"
        read_cases.append(Case(suite=name, classname=path.name, name="[damaged]", outcome="error", message=message))
    if len(read_cases) > MOST_CASES:
        message = f"{path.name} has more than {MOST_CASES:,} tests: the rest is not read"
        read_cases[MOST_CASES:] = [unreadable(name, path, message)]
    return read_cases or [_without_tests(name, path, sample)]


def is_unread(case: Case) -> bool:
    """Return whether a case says that a file, or a part of it, could not be read."""
    return case.outcome == "error" and case.name in UNREAD


def _format(name: str, sample: bytes) -> Format:
    """Return the format of a file.  Raises Unreadable if it is of no format."""
    chosen = _recognised(sample) if name == AUTO else name
    if HTML.match(sample):
        raise Unreadable(f"is an HTML page, not {name if name != AUTO else 'a test result'}")
    if chosen is None and sample.strip():
        raise Unreadable(f"has an unknown format; known: {', '.join(FORMATS)}")
    return FORMATS[chosen or tap.FORMAT]  # an empty file has no test in any format


def unreadable(name: str, path: Path, message: str) -> Case:
    """Return the case of an unreadable file."""
    return Case(suite=name, classname=path.name, name="[unreadable]", outcome="error", message=message)


def _sample(path: Path) -> bytes:
    """Return the beginning and the end of a file."""
    with path.open("rb") as stream:
        head = stream.read(SAMPLE_BYTES)
        stream.seek(max(SAMPLE_BYTES, path.stat().st_size - SAMPLE_BYTES))
        return head + stream.read(SAMPLE_BYTES)


def _hint(name: str, sample: bytes) -> str:
    kind = _recognised(sample)
    return f"; it looks like {kind}" if kind and name not in {kind, AUTO} else ""


def _without_tests(name: str, path: Path, sample: bytes) -> Case:
    message = f"{path.name} is empty" if not sample.strip() else f"{path.name} has no test"
    kind = "[empty]" if not sample.strip() else "[no tests]"
    return Case(suite=name, classname=path.name, name=kind, outcome="failed", message=message + _hint(name, sample))
