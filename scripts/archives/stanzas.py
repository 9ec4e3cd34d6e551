"""Stanzas: the paragraphs of Packages and Sources files, read from packages and from indices.

The rules are those of https://wiki.debian.org/DebianRepository/Format.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from debian.deb822 import Deb822, Dsc

from lab.base.debian import one_paragraph
from lab.base.errors import Failed
from lab.base.run import output

Kind = Literal["source", "binary", "udeb"]
SOURCE = re.compile(r"(\S+)(?: \((.+)\))?")
_SHARED = ("\nPackage:", "\nVersion:", "\nSource:", "\nArchitecture:")
NAMED = frozenset({"package", "version", "source", "architecture"})
OF_INDEX = frozenset({"filename", "size", "md5sum", "sha1", "sha256", "sha512"})
CONTROL = "it has one paragraph, with each field once: see deb-control(5)"
FIELDS: Mapping[Kind, tuple[str, ...]] = {
    "source": (*_SHARED, "\nDirectory:"),
    "binary": (*_SHARED, "\nFilename:"),
    "udeb": (*_SHARED, "\nFilename:"),
}


class Stanza(NamedTuple):
    """A package in an index, with its text; ``path``: its file below the archive, for a source its directory.

    A change of the archive makes one of each paragraph: a tuple takes the least time.
    """

    kind: Kind
    package: str
    version: str
    source: str
    source_version: str
    architecture: str
    path: str
    text: str


def parsed(kind: Kind, text: str) -> Stanza:
    """Return the stanza of a paragraph of an index: the first lines of its fields, "" for a missing one.

    A regular expression, or a call for each field, takes far longer.
    """
    lines, values = f"\n{text}\n", []
    for name in FIELDS[kind]:
        start = lines.find(name)
        begin = start + len(name)
        values.append(lines[begin : lines.find("\n", begin)].strip() if start >= 0 else "")
    package, version, source, architecture, path = values
    match = SOURCE.fullmatch(source) if source else None
    source, source_version = (match[1], match[2] or version) if match else (package, version)
    if not (package and version and path):
        raise ValueError(f"not a paragraph of an index: {text[:80]!r}")
    return Stanza(kind, package, version, source, source_version, architecture or "all", path, text)


def split(kind: Kind, index: str) -> Iterator[Stanza]:
    """Yield the stanzas of an index."""
    for paragraph in index.split("\n\n"):
        if text := paragraph.strip("\n"):
            yield parsed(kind, f"{text}\n")


def of_binary(path: Path, place: str) -> Stanza:
    """Return the stanza of a .deb or .udeb whose pool file is ``place``.

    Raises Failed for a package without Section or Priority, and for a control file that is not one paragraph.
    """
    control = _control(path)
    _check_classified(Deb822(control), place)
    text = f"{control}\nFilename: {place}\nSize: {path.stat().st_size}\nSHA256: {_digest('sha256', path)}\n"
    return parsed("udeb" if path.suffix == ".udeb" else "binary", text)


def _control(path: Path) -> str:
    """Return the control file of a package, without fields that an index has of its own.

    dpkg-deb shows it as it is.  In an index, a second paragraph would be another package, and the first of two fields
    with one name can count for one reader, and the last for another: for apt, for the archive, or for who verifies.
    """
    text = output(["dpkg-deb", "--field", path]).strip("\n")
    try:
        lines = one_paragraph(text)
    except ValueError as error:
        raise Failed(f"{path.name}: its control file {error}", hint=CONTROL) from None
    if odd := next((line for _, line in lines if len(line.splitlines()) > 1), ""):
        raise Failed(f"{path.name}: its control file has a line that is no field: {odd[:40]!r}", hint=CONTROL)
    kept = [(name, line) for name, line in lines if name not in OF_INDEX]
    # As `parsed` reads them.
    return "\n".join(f"{name.capitalize()}{line[len(name) :]}" if _begins(line, name) else line for name, line in kept)


def _begins(line: str, name: str) -> bool:
    """Return whether a line begins a field that `parsed` reads."""
    return name in NAMED and not line.startswith((" ", "\t"))


def of_source(dsc: Path, directory: str, section: str, priority: str) -> Stanza:
    """Return the stanza of a source package whose pool directory is ``directory``.

    Raises Failed for a package without a section or a priority.
    """
    with dsc.open("rb") as stream:
        given = Dsc(stream)
    added = {"Priority": priority, "Section": section, "Directory": directory}
    _check_classified(added, dsc.name)
    fields = Deb822()
    fields["Package"] = given["Source"]
    for name in given:
        if name.lower() not in {"source", "package", "checksums-sha1", "checksums-sha256", "files"}:
            fields[name] = given[name]
    fields.update(added)
    for name, algorithm, digest in (("Files", "md5", "md5sum"), ("Checksums-Sha256", "sha256", "sha256")):
        rows = [(_digest(algorithm, dsc), str(dsc.stat().st_size), dsc.name)]
        rows += [(item[digest], item["size"], item["name"]) for item in given[name]]
        fields[name] = "".join(f"\n {' '.join(row)}" for row in rows)
    return parsed("source", fields.dump() or "")


def source_files(stanza: Stanza) -> dict[str, str]:
    """Return the SHA-256 of each file of a source package, by its path below the archive."""
    rows = Dsc(stanza.text)["Checksums-Sha256"]
    return {f"{stanza.path}/{row['name']}": row["sha256"] for row in rows}


def binary_files(stanza: Stanza) -> dict[str, str]:
    """Return the SHA-256 of the file of a binary package, by its path below the archive."""
    return {stanza.path: Deb822(stanza.text)["SHA256"]}


def _check_classified(fields: Mapping[str, str], name: str) -> None:
    for field in ("Section", "Priority"):
        if fields.get(field, "-") == "-":
            message = f"No {field.lower()} specified for '{Path(name).name}'"
            raise Failed(message, hint="debian/control is to name Section and Priority")


def _digest(algorithm: str, path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
