"""Suites: the sources and binaries that a directory of Packages and Sources files describes."""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.base.errors import ConfigurationError
from scripts.migration import fields as field_forms
from scripts.migration.relations import clauses, order

FIELD: Final = re.compile(
    r"^(Package|Version|Source|Architecture|Section|Binary|Extra-Source-Only|Essential|Multi-Arch|Pre-Depends|Depends|Provides|Conflicts"
    r"|Breaks)[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)",
    re.MULTILINE | re.IGNORECASE,
)
FIELDS: Final = {name.lower(): name for name in re.findall(r"[A-Z][A-Za-z-]+", FIELD.pattern.partition(")")[0])}
SOURCE: Final = re.compile(r"(\S+)(?:\s+\(([^)]+)\))?")
# What dose reads of a package, besides its name, version and architecture.
RELATIONS: Final = ("Multi-Arch", "Essential", "Pre-Depends", "Depends", "Provides", "Conflicts", "Breaks")
REQUIRED: Final = {"Package": field_forms.NAME, "Version": field_forms.VERSION}
HINTS: Final = {
    "Package": "right are letters, digits and + - . _, a letter or a digit first",
    "Version": "right are letters, digits and . + - : ~ _, a letter or a digit first",
}
COMPRESSIONS: Final = ("", ".xz", ".gz")


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """A binary package of a suite; ``relations`` are the fields that decide on its installability."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    section: str
    relations: Mapping[str, str]

    @property
    def essential(self) -> bool:
        return self.relations.get("Essential") == "yes"

    @property
    def library(self) -> bool:
        """Return whether an old version can stay for a while beside its successor: sections libs and oldlibs."""
        return self.section.rpartition("/")[2] in {"libs", "oldlibs"}

    def paragraph(self) -> str:
        """Return the paragraph of a Packages file with the fields that decide on installability."""
        lines = [f"Package: {self.name}", f"Version: {self.version}", f"Architecture: {self.architecture}"]
        lines += [f"{key}: {value}" for key, value in self.relations.items()]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class SourceStanza:
    """A source package of a suite: its version and the names of its binaries."""

    version: str
    binaries: tuple[str, ...] = ()


@dataclass(frozen=True)
class IndexedSuite:
    """A set of packages: the newest version of each source, and of each binary for each architecture.

    ``superseded``: architecture and binary where another source has a newer binary of that name; ``title``: what reasons
    call the suite.
    """

    sources: Mapping[str, SourceStanza] = field(default_factory=dict)
    binaries: Mapping[str, Mapping[str, Binary]] = field(default_factory=dict)
    superseded: Sequence[tuple[str, Binary]] = ()
    title: str = "the target"

    def of_source(self) -> dict[str, dict[str, list[Binary]]]:
        """Return the binaries of each source, by architecture."""
        found: dict[str, dict[str, list[Binary]]] = {}
        newest = ((arch, binary) for arch, binaries in self.binaries.items() for binary in binaries.values())
        for arch, binary in (*newest, *self.superseded):
            found.setdefault(binary.source, {}).setdefault(arch, []).append(binary)
        return found


def read(directories: Iterable[Path]) -> IndexedSuite:
    """Read the indexes of some directories as one suite.

    The names are those of a Debian mirror (``main/binary-amd64/Packages.xz``, ``main/source/Sources.xz``), of a flat
    directory (``Packages``, ``Sources``) or of britney (``Packages_amd64``).  Without Sources files, the sources are those
    that the binaries name.  Raises ConfigurationError for a directory without Packages files, and for what is no index.
    """
    sources: dict[str, SourceStanza] = {}
    binaries: dict[str, dict[str, Binary]] = {}
    everywhere: list[Binary] = []
    superseded: list[tuple[str, Binary]] = []
    for directory in directories:
        files = indexes(directory)
        if not any(path.name.startswith("Packages") for path in files):
            raise ConfigurationError(f"{directory}: there is no Packages file, plain or .xz or .gz")
        for path in files:
            if path.name.startswith("Sources"):
                _add_sources(sources, paragraphs(path))
            else:
                _add_binaries(binaries, everywhere, superseded, path)
    for binary in everywhere:
        for arch in binaries:
            _add_newest(binaries, superseded, arch, binary)
    return IndexedSuite(sources or _sources_of(binaries), binaries, superseded)


def of_texts(architecture: str, packages: Iterable[str], sources: Iterable[str] = ()) -> IndexedSuite:
    """Return one suite of the texts of Packages files for an architecture and of Sources files, like `read`.

    A source package that no Sources file has is known by its binary packages.
    """
    known: dict[str, SourceStanza] = {}
    binaries: dict[str, dict[str, Binary]] = {architecture: {}}
    superseded: list[tuple[str, Binary]] = []
    for text in packages:
        for fields in stanzas(text, "Packages", strict=False):
            with suppress(ConfigurationError):
                _add_newest(binaries, superseded, architecture, _binary(fields, "Packages"))
    for text in sources:
        _add_sources(known, stanzas(text, "Sources", strict=False))
    return IndexedSuite({**_sources_of(binaries), **known}, binaries, superseded)


def indexes(directory: Path) -> list[Path]:
    """Return the Packages and Sources files below a directory, one of each that is there in several compressions."""
    best: dict[Path, tuple[int, Path]] = {}
    for path in sorted(directory.rglob("*")):
        plain, rank = path, 0
        if path.suffix in COMPRESSIONS[1:]:
            plain, rank = path.with_suffix(""), COMPRESSIONS.index(path.suffix)
        if {"by-hash", "debian-installer"} & set(path.relative_to(directory).parts) or not path.is_file():
            continue
        if re.fullmatch(r"(Packages|Sources)([_-][\w-]+)?", plain.name):
            best[plain] = min(best.get(plain, (rank, path)), (rank, path))
    return [path for _, path in best.values()]


def _add_sources(sources: dict[str, SourceStanza], index: Iterable[Mapping[str, str]]) -> None:
    for fields in index:
        if fields.get("Extra-Source-Only") == "yes":  # kept for a field Built-Using
            continue
        name, version = fields["Package"], fields["Version"]
        known = sources.get(name)
        if known is None or order(version, known.version) > 0:
            sources[name] = SourceStanza(version, tuple(clauses(fields.get("Binary", ""))))


def _add_binaries(
    binaries: dict[str, dict[str, Binary]],
    everywhere: list[Binary],
    superseded: list[tuple[str, Binary]],
    path: Path,
) -> None:
    parts = (path.parent.name, path.name.partition(".")[0])
    named = next(filter(None, (re.fullmatch(r"(?:binary-|Packages[_-])([\w-]+)", part) for part in parts)), None)
    of_file = named[1] if named and named[1] != "all" else ""
    if of_file:
        binaries.setdefault(of_file, {})
    for fields in paragraphs(path):
        binary = _binary(fields, str(path))
        if arch := of_file or (binary.architecture if binary.architecture != "all" else ""):
            _add_newest(binaries, superseded, arch, binary)
        else:
            everywhere.append(binary)


def _add_newest(
    binaries: dict[str, dict[str, Binary]], superseded: list[tuple[str, Binary]], arch: str, binary: Binary
) -> None:
    known = binaries.setdefault(arch, {})
    there = known.get(binary.name)
    older = there
    if there is None or order(binary.version, there.version) > 0:
        known[binary.name] = binary
    else:
        older = binary
    if older and older.source != known[binary.name].source:
        superseded.append((arch, older))


def _binary(fields: Mapping[str, str], where: str) -> Binary:
    source = SOURCE.match(fields.get("Source", ""))
    architecture = fields.get("Architecture") or "all"
    if not field_forms.ARCHITECTURE.fullmatch(architecture):
        raise _malformed(where, fields, f"Architecture: {architecture}", "right is one architecture, or all")
    relations = {}
    for key in RELATIONS:
        if text := fields.get(key):
            try:
                relations[key] = field_forms.plain(key, text)
            except ValueError as error:
                raise _malformed(where, fields, f"{key}: apt cannot read '{error}'", field_forms.FORM) from None
    named = source[2] if source and field_forms.VERSION.fullmatch(source[2] or "") else ""
    return Binary(
        name=fields["Package"],
        version=fields["Version"],
        architecture=architecture,
        source=source[1] if source else fields["Package"],
        source_version=named or fields["Version"],
        section=fields.get("Section", ""),
        relations={key: text for key, text in relations.items() if text},
    )


def _malformed(where: str, fields: Mapping[str, str], problem: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: {fields['Package']} {fields['Version']}: {problem}", hint=hint)


def _sources_of(binaries: Mapping[str, Mapping[str, Binary]]) -> dict[str, SourceStanza]:
    found: dict[str, SourceStanza] = {}
    for known in binaries.values():
        for binary in known.values():
            there = found.get(binary.source)
            if there is None or order(binary.source_version, there.version) > 0:
                found[binary.source] = SourceStanza(binary.source_version)
    return found


def paragraphs(path: Path) -> Iterator[dict[str, str]]:
    """Yield the fields of each paragraph of an index, see `stanzas`."""
    yield from stanzas(_text(path), str(path))


def stanzas(index: str, where: str, *, strict: bool = True) -> Iterator[dict[str, str]]:
    """Yield the fields of each paragraph of an index that matter here, continuation lines joined.

    Raises ConfigurationError for what is no index, with ``where``; if ``strict``, also for a malformed name or version of
    a package, which is left out otherwise.
    """
    for number, text in enumerate(re.split(r"\n(?:[ \t\r]*\n)+", index), 1):
        fields = {FIELDS[key.lower()]: value.strip() for key, value in FIELD.findall(text)}
        start = next(iter(text.strip().splitlines()), "")[:80]
        if not fields:
            if start:
                raise ConfigurationError(f"{where}: not an index of packages: {start}")
            continue
        for key, form in REQUIRED.items():
            if not fields.get(key):
                raise ConfigurationError(f"{where}: paragraph {number} has no field {key}; it begins with '{start}'")
            if not form.fullmatch(fields[key]) and strict:
                what = " ".join(f"{name}: {fields.get(name, '')!r}" for name in REQUIRED)
                raise ConfigurationError(
                    f"{where}: paragraph {number}, {what}: the {key} is malformed", hint=HINTS[key]
                )
        if all(form.fullmatch(fields[key]) for key, form in REQUIRED.items()):
            yield {key: " ".join(value.split()) if "\n" in value else value for key, value in fields.items()}


def _text(path: Path) -> str:
    try:
        match path.suffix:
            case ".xz":
                data = lzma.decompress(path.read_bytes())
            case ".gz":
                data = gzip.decompress(path.read_bytes())
            case _:
                data = path.read_bytes()
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    return data.decode("utf-8", "replace")
