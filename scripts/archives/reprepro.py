"""reprepro, so that it can be killed: the lab's archive as one that every change leaves whole.

reprepro's Berkeley DB does not survive a kill, and its lockfile does.  So the database is copied to
``db.before`` ahead of every change and the copy removed behind it; whoever finds one puts it back
first.  The caller's lock is inherited by reprepro, so that an orphan is never joined by another.

A codename or an architecture that lab.yaml no longer names stays as it is, because reprepro would
refuse to run without it (see clearvanished in reprepro(1)).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from debian.deb822 import Deb822

from lab.base import files
from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.run import Word
from lab.config.description import Lab
from lab.store.signing import SigningKey
from lab.store.step import StepContext

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
    """The text of conf/distributions; ``present`` is what it says now."""
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
            # What the .changes name as their distribution.
            "AlsoAcceptFor": series.codename or track.series,
            "Architectures": " ".join(dict.fromkeys([*series.architectures, "source", *before])),
            "Components": "main",
            "UDebComponents": "main",
            "Tracking": "keep",
        })  # fmt: skip
    return "\n".join(
        "".join(f"{name}: {value}\n" for name, value in (paragraph | {"SignWith": fingerprint}).items())
        for paragraph in [*paragraphs, *vanished]
    )


def tracked(dump: str) -> list[Tracked]:
    """What ``reprepro dumptracks`` prints, as data."""
    versions = []
    for paragraph in Deb822.iter_paragraphs(dump):
        rows = [line.split() for line in paragraph["Files"].splitlines() if line.strip()]
        listed = {path: int(count) for path, _, count in rows}
        versions.append(Tracked(paragraph["Source"], paragraph["Version"], listed))
    return versions


def complaint(lines: Sequence[str]) -> LabError:
    """What reprepro said, as an error that names who is at fault."""
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


def sync(paths: Iterable[Path]) -> None:
    """Have files and directories on the disk before we go on (fsync(2)): power may go at any time."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def copy(database: Path, to: Path) -> None:
    """Copy reprepro's database, a directory of files."""
    to.mkdir()
    for path in database.iterdir():
        shutil.copy2(path, to)
    sync([*to.iterdir(), to])


@dataclass(frozen=True)
class Archive:
    """The lab's archive, its lock held by us, as one track changes it."""

    context: StepContext
    key: SigningKey
    lock: int

    @property
    def root(self) -> Path:
        return self.context.store.archive

    @property
    def codename(self) -> str:
        return self.context.track_name

    @property
    def database(self) -> Path:
        return self.root / "db"

    @property
    def before(self) -> Path:
        return self.root / "db.before"

    @property
    def partial(self) -> Path:
        """A copy that is not whole yet, or no longer."""
        return self.root / "db.partial"

    def reprepro(self, *argv: Word) -> None:
        words: list[Word] = ["reprepro", "--basedir", self.root, *argv]
        result, said = self.context.try_sh(words, env=self.key.env, keep=[self.lock])
        if not result:
            raise complaint(said)

    def ask(self, *argv: Word) -> str:
        """What a command prints that changes nothing."""
        return self.context.sh(["reprepro", "--basedir", self.root, *argv], capture=True, keep=[self.lock]).stdout

    def open(self) -> None:
        """Make the archive what lab.yaml says, and whole: configuration, database, indices and pool agree."""
        shutil.rmtree(self.partial, ignore_errors=True)
        (self.database / "lockfile").unlink(missing_ok=True)
        if cut_short := self.before.exists():
            self.context.say("a change of the archive was cut short: back to what was before it")
            shutil.rmtree(self.database, ignore_errors=True)
            copy(self.before, self.database)
        configuration = self.root / "conf" / "distributions"
        present = configuration.read_text() if configuration.exists() else ""
        wanted = distributions(self.context.lab, self.key.fingerprint, present)
        if cut_short or wanted != present:
            with self.change():
                self.key.export(self.root / PUBLIC_KEY)
                files.write_atomic(configuration, wanted)
                self.reprepro("export")
        self.sweep()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Change the archive; what fails or is cut short at any moment, `open` takes back."""
        if not self.before.exists():
            self.database.mkdir(parents=True, exist_ok=True)
            copy(self.database, self.partial)
            self.partial.rename(self.before)
            sync([self.root])
        yield
        pool = self.root.glob(f"pool/*/*/{self.context.component_name}/*")
        indices = (path for path in (self.root / "dists").rglob("*") if path.is_file())
        sync([*pool, *indices, *self.database.iterdir()])
        self.before.rename(self.partial)
        shutil.rmtree(self.partial)

    def versions(self) -> list[Tracked]:
        """What the codename holds."""
        return tracked(self.ask("dumptracks", self.codename))

    def add(self, changes: Path, binaries: Sequence[Path]) -> None:
        """Include a source package and its binary packages in the codename."""
        self.reprepro(NO_EXPORT, "include", self.codename, changes)
        if debs := [path for path in binaries if path.suffix != ".udeb"]:
            # Ubuntu's debug packages are .deb files by another name.
            self.reprepro(NO_EXPORT, "--ignore=extension", "includedeb", self.codename, *debs)
        if udebs := [path for path in binaries if path.suffix == ".udeb"]:
            self.reprepro(NO_EXPORT, "includeudeb", self.codename, *udebs)

    def remove(self, version: Tracked) -> None:
        """Let go of a version; its files stay in the pool until `sweep`."""
        if any(version.files.values()):  # a binary package that later versions no longer build
            self.reprepro(NO_EXPORT, KEEP_FILES, "removesrc", self.codename, version.source, version.version)
        self.reprepro(KEEP_FILES, "removetrack", self.codename, version.source, version.version)

    def export(self) -> None:
        """Write the codename's indices, signed."""
        self.reprepro("export", self.codename)

    def sweep(self) -> None:
        """Delete files that nothing needs.

        In a change of its own: were the one that let go of them taken back, they could not be had back.
        """
        if self.ask("dumpunreferenced"):
            with self.change():
                self.reprepro("deleteunreferenced")
