"""reprepro, so that it can be killed: the lab's archive as one that every change leaves whole.

reprepro's Berkeley DB does not survive a kill, and its lockfile does.  So the database is copied to
``db.before`` before every change and the copy removed after it; the next process that finds one restores it
first.  reprepro inherits the caller's lock, so that no second process joins an orphan.

reprepro writes indices file by file.  So it writes them to ``dists.new``, without a signature, and
`scripts.archives.index_export` puts them in their place.

A codename or an architecture that lab.yaml no longer names stays as it is, because reprepro would
refuse to run without it (see clearvanished in reprepro(1)).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from debian.deb822 import Deb822

from lab.base import files
from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.run import Word, attempt, run
from lab.config.description import Lab
from lab.store.runs import Store
from lab.store.signing import SigningKey
from scripts.archives.index_export import publish_indices

PUBLIC_KEY = "archive-key.asc"
NO_EXPORT, KEEP_FILES = "--export=silent-never", "--keepunreferencedfiles"


@dataclass(frozen=True)
class Tracked:
    """A version of a source package that the archive holds: ``files`` are paths below its root."""

    source: str
    version: str
    files: Mapping[str, int] = field(default_factory=dict, compare=False)
    """With each file the number of indices that list it."""


def distributions(lab: Lab, fingerprint: str, present: str) -> str:
    """Return the text of conf/distributions; ``present`` is the text now."""
    known: dict[str, dict[str, str]] = {each["Codename"]: dict(each) for each in Deb822.iter_paragraphs(present)}
    vanished = [known[codename] for codename in known if codename not in lab.tracks]
    paragraphs = []
    for codename, track in lab.tracks.items():
        series = lab.series[track.series]
        before = known.get(codename, {}).get("Architectures", "").split()
        paragraphs.append({
            "Codename": codename,
            "Suite": codename,
            "Origin": lab.lab.name,
            "Label": lab.lab.name,
            # The distributions that the .changes files name.
            "AlsoAcceptFor": series.codename or track.series,
            "Architectures": " ".join(dict.fromkeys([*series.architectures, "source", *before])),
            "Components": "main",
            "UDebComponents": "main",
            "Tracking": "keep",
        })  # fmt: skip
    text = "\n".join(
        "".join(f"{name}: {value}\n" for name, value in paragraph.items() if name != "SignWith")
        for paragraph in [*paragraphs, *vanished]
    )
    # Another key signs everything again.
    return f"# signed by {fingerprint}\n{text}"


def codenames(configuration: str) -> list[str]:
    """Return the codenames of conf/distributions."""
    return [paragraph["Codename"] for paragraph in Deb822.iter_paragraphs(configuration)]


def tracked(dump: str) -> list[Tracked]:
    """Return the versions that ``reprepro dumptracks`` prints."""
    versions = []
    for paragraph in Deb822.iter_paragraphs(dump):
        rows = [line.split() for line in paragraph["Files"].splitlines() if line.strip()]
        listed = {path: int(count) for path, _, count in rows}
        versions.append(Tracked(paragraph["Source"], paragraph["Version"], listed))
    return versions


def complaint(lines: Sequence[str]) -> LabError:
    """Return the error in reprepro's output, as a failure of the package or an error of the lab."""
    for line in lines:
        if match := re.search(r'"(?:.*/)?(.+)" is already registered with different checksums', line):
            hint = "a version is built once: start a new run, which gets the next build number"
            return InfrastructureError(f"the archive has another {match[1]} already", hint=hint)
        if re.match(r"No (section|priority) specified", line):
            return Failed(line, hint="debian/control is to name Section and Priority")
    telling = [line for line in lines if line.strip() and line != "There have been errors!"]
    why = next(
        (line for line in telling if re.match(r"[Ee]rror\b", line)), (telling or ["failed and did not say why"])[-1]
    )
    return InfrastructureError(f"reprepro: {why}")


def copy(database: Path, to: Path) -> None:
    """Copy reprepro's database, a directory of files."""
    to.mkdir()
    for path in database.iterdir():
        shutil.copy2(path, to)
    files.sync([*to.iterdir(), to])


@dataclass(frozen=True)
class Archive:
    """The lab's archive as one track changes it for one source package; the caller holds its lock."""

    lab: Lab
    codename: str
    source: str
    key: SigningKey
    lock: int
    log: IO[str]

    @property
    def root(self) -> Path:
        return Store.of(self.lab).archive

    @property
    def database(self) -> Path:
        return self.root / "db"

    @property
    def before(self) -> Path:
        return self.root / "db.before"

    @property
    def partial(self) -> Path:
        """A copy that is incomplete."""
        return self.root / "db.partial"

    def reprepro(self, *argv: Word) -> None:
        words: list[Word] = ["reprepro", "--basedir", self.root, *argv]
        result, said = attempt(words, self.log, env=self.key.env, keep=[self.lock])
        if not result:
            raise complaint(said)

    def ask(self, *argv: Word) -> str:
        """Return what a command prints that changes nothing."""
        words: list[Word] = ["reprepro", "--basedir", self.root, *argv]
        return run(words, log=self.log, capture=True, keep=[self.lock]).stdout

    def open(self) -> None:
        """Bring the archive in line with lab.yaml, and repair it: configuration, database, indices and pool agree."""
        shutil.rmtree(self.partial, ignore_errors=True)
        (self.database / "lockfile").unlink(missing_ok=True)
        if cut_short := self.before.exists():
            self.log.write("a change of the archive was cut short: back to the state before it\n")
            self.log.flush()
            shutil.rmtree(self.database, ignore_errors=True)
            copy(self.before, self.database)
        configuration = self.root / "conf" / "distributions"
        present = configuration.read_text() if configuration.exists() else ""
        wanted = distributions(self.lab, self.key.fingerprint, present)
        if cut_short or wanted != present:
            with self.change():
                self.key.export(self.root / PUBLIC_KEY)
                files.write_atomic(configuration, wanted)
                self.export(*codenames(wanted))
        self.sweep()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Change the archive; `open` takes back a change that failed or was interrupted."""
        if not self.before.exists():
            self.database.mkdir(parents=True, exist_ok=True)
            copy(self.database, self.partial)
            self.partial.rename(self.before)
            files.sync([self.root])
        yield
        pool = self.root.glob(f"pool/*/*/{self.source}/*")
        indices = (path for path in (self.root / "dists").rglob("*") if path.is_file())
        files.sync([*pool, *indices, *self.database.iterdir()])
        self.before.rename(self.partial)
        shutil.rmtree(self.partial)

    def versions(self) -> list[Tracked]:
        """Return the versions that the codename tracks."""
        return tracked(self.ask("dumptracks", self.codename))

    def add(self, changes: Path, binaries: Sequence[Path]) -> None:
        """Include a source package and its binary packages in the codename."""
        self.reprepro(NO_EXPORT, "include", self.codename, changes)
        self._add_binaries(binaries)

    def restore(self, version: Tracked) -> None:
        """List a version again if its files are still in the pool."""
        paths = [self.root / name for name in sorted(version.files)]
        for path in (path for path in paths if path.suffix == ".dsc"):
            self.reprepro(NO_EXPORT, "includedsc", self.codename, path)
        self._add_binaries([path for path in paths if path.suffix in {".deb", ".udeb"}])

    def _add_binaries(self, binaries: Sequence[Path]) -> None:
        if debs := [path for path in binaries if path.suffix != ".udeb"]:
            # Ubuntu's debug packages are .deb files by another name.
            self.reprepro(NO_EXPORT, "--ignore=extension", "includedeb", self.codename, *debs)
        if udebs := [path for path in binaries if path.suffix == ".udeb"]:
            self.reprepro(NO_EXPORT, "includeudeb", self.codename, *udebs)

    def remove(self, version: Tracked) -> None:
        """Remove a version; its files stay in the pool until `sweep`."""
        if any(version.files.values()):  # a binary package that later versions no longer build
            self.reprepro(NO_EXPORT, KEEP_FILES, "removesrc", self.codename, version.source, version.version)
        self.reprepro(KEEP_FILES, "removetrack", self.codename, version.source, version.version)

    def export(self, *codenames: str) -> None:
        """Write the signed indices of codenames, by default of this one.

        A reader finds the old state of a codename or the new one (see `scripts.archives.index_export`).
        """
        staged = self.root / "dists.new"
        shutil.rmtree(staged, ignore_errors=True)
        self.reprepro("--distdir", staged, "export", *(codenames or (self.codename,)))
        for path in sorted(staged.iterdir()):
            publish_indices(path, self.root / "dists" / path.name, self.key, self.log, [self.lock])
        staged.rmdir()

    def sweep(self) -> None:
        """Delete files that no version needs.

        In a change of its own: the change that removed their version can still be taken back, deleted files cannot.
        """
        if self.ask("dumpunreferenced"):
            with self.change():
                self.reprepro("deleteunreferenced")
