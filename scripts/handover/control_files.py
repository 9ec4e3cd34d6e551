"""The packages of a run that another machine hands over: by their own fields and checksums, they are those of the run.

A record can name the file of another package, and a .changes another release: the machine that builds runs the code of
others.  What is uploaded or listed in an index is compared with what the run is known to be of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from debian.deb822 import Changes, Deb822, Dsc

from lab.base.debian import one_paragraph
from lab.base.errors import InfrastructureError, LabError
from lab.base.run import ProgramFailed, output
from lab.store.records import Artifact

PACKAGES: Final = (".deb", ".udeb", ".ddeb")
# The lists of files in a .dsc and a .changes, with the names of their digests: see deb-changes(5).
LISTS: Final = (
    ("Files", "md5", "md5sum"),
    ("Checksums-Sha1", "sha1", "sha1"),
    ("Checksums-Sha256", "sha256", "sha256"),
)
SIGNED: Final = b"-----BEGIN PGP SIGNED MESSAGE-----"
NEEDED: Final = frozenset({"Files", "Checksums-Sha256"})


@dataclass(frozen=True)
class BuiltVersion:
    """What the packages of a run must be of; ``known``: the files that its records name, by their paths in the run."""

    run: str
    directory: Path
    known: Mapping[str, Artifact]
    source: str
    version: str
    distribution: str
    """The release that a .changes is for: its codename."""
    architectures: frozenset[str]

    def check(self, item: Artifact) -> None:
        """Raise InfrastructureError for a package or a control file of something else."""
        path = self.directory / item.path
        try:
            if path.suffix in PACKAGES:
                names = ["Package", "Source", "Version", "Architecture"]
                self._check_binary(path, Deb822(output(["dpkg-deb", "--field", path, *names])))
            elif path.suffix == ".dsc":
                fields = Dsc(_unsigned(path))
                self._check_version(path, fields)
                self._check_lists(path, fields)
            elif path.suffix == ".buildinfo":
                self._check_version(path, Deb822(_unsigned(path)))
            elif path.suffix == ".changes":
                self._check_changes(path, Changes(_unsigned(path)))
        except LabError:
            raise
        except (ProgramFailed, ValueError, KeyError, TypeError) as error:
            raise self._refused(path, f"cannot be read: {error}") from None

    def _check_binary(self, path: Path, fields: Deb822) -> None:
        # The source package of a binary package and its version, see deb-control(5).
        name, _, version = fields.get("Source", fields.get("Package", "")).partition(" ")
        self._compare(path, name, version.strip("()") or fields.get("Version", ""))
        if (machine := fields.get("Architecture")) not in {"all", *self.architectures}:
            raise self._refused(path, f"is of the architecture {machine}")

    def _check_version(self, path: Path, fields: Deb822) -> None:
        self._compare(path, fields.get("Source", "").partition(" ")[0], fields.get("Version", ""))

    def _compare(self, path: Path, source: str, version: str) -> None:
        if (source, version) != (self.source, self.version):
            raise self._refused(path, f"is of {source} {version}, and not of {self.version}")

    def _check_changes(self, path: Path, fields: Deb822) -> None:
        self._check_version(path, fields)
        if (found := fields.get("Distribution", "")) != self.distribution:
            raise self._refused(path, f"is for the distribution {found or '(none)'}, and not for {self.distribution}")
        machines, wanted = set(fields.get("Architecture", "").split()), {"source"}
        if not path.name.endswith("_source.changes"):
            wanted = {"source", "all", *self.architectures}
        if not machines or not machines <= wanted:
            raise self._refused(path, f"is of the architectures {' '.join(sorted(machines)) or '(none)'}")
        self._check_lists(path, fields)

    def _check_lists(self, path: Path, fields: Deb822) -> None:
        """Compare each listed file with the file itself: it would be uploaded, or read by apt."""
        found = dict[str, set[str]]()
        for field, algorithm, key in LISTS:
            for row in fields.get(field, ()):
                item = self.known.get(f"out/{row['name']}")
                if item is None:
                    raise self._refused(path, f"names {row['name']}, and no record does")
                if (row["size"], row[key]) != (str(item.size), self._digest(algorithm, item)):
                    raise self._refused(path, f"{field}: is not of the file {row['name']}")
                found.setdefault(field, set()).add(row["name"])
        if not found.keys() >= NEEDED or len({frozenset(names) for names in found.values()}) > 1:
            raise self._refused(path, "its lists of files and checksums are not of the same files")

    def _digest(self, algorithm: str, item: Artifact) -> str:
        if algorithm == "sha256":  # compared already
            return item.sha256
        with (self.directory / item.path).open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest()

    def _refused(self, path: Path, why: str) -> InfrastructureError:
        return InfrastructureError(f"{self.run}: {path.name}: {why}")


def _unsigned(path: Path) -> bytes:
    """Return a control file of one paragraph.  Raises ValueError for another one: its readers would differ.

    The signature of a lab without a machine for the archive is no part of it.
    """
    data = path.read_bytes()
    if data.startswith(SIGNED):
        _, payload, _ = Deb822.split_gpg_and_payload(iter(data.splitlines()))
        data = b"\n".join(payload)
    if len(data.splitlines()) != len(data.rstrip(b"\n").split(b"\n")):
        raise ValueError("has a line that ends in its middle")
    one_paragraph(data.decode("utf-8", "surrogateescape"))
    return data
