"""The lab's archive as the machine that has it changes it: new states, labels that move, repair after a kill.

A change is written aside and becomes visible by renames: first the directory of the new state, which no label names yet,
then the link of the label.  `LabArchive.repair` completes or removes what a killed process has left, and each opening
begins with it.  Changes take turns, by a lock that dies with its holder (see the layout in `lab.store.archive`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.base import environment, files
from lab.config.description import Lab
from lab.store import source_history
from lab.store.archive import PUBLIC_KEY, SOURCE_LOCK, STATE_FILE, State
from lab.store.records import rfc3339
from lab.store.runs import Store
from lab.store.signing import SigningKey, lab_key
from scripts.archives import states_index, suites, versions
from scripts.archives.content import Content, differences
from scripts.archives.locked_archive import LockedArchive, locked
from scripts.archives.suites import IndexFile, Suite
from scripts.archives.versions import PoolVersion

TAKEN_OVER = "the archive of an older release"


@dataclass(frozen=True)
class LabArchive(LockedArchive):
    """The archive in good order, with the key of the lab."""

    key: SigningKey

    @property
    def url(self) -> str:
        """The address of the archive for users."""
        return (self.lab.archive.url or f"file:{self.root}").rstrip("/")

    def content(self, track: str) -> Content:
        """Return the newest content of a track; nothing for a track that has no state yet."""
        known = self.lab.tracks.get(track)
        return Content.read(self.reader, track, self.lab.series[known.series].architectures if known else ())

    def commit(self, track: str, content: Content, why: str) -> State:
        """Make a state of a content and have the label of the track name it.

        A content that is that of the newest state makes no new one.
        """
        parent = self.reader.state(track) or self.reader.newest(track)
        before = self.root / "dists" / (parent.name if parent else track) / "Release"
        suite = self._written(content, before)
        if parent and _named(suite) == _named(_of(before)):
            return parent
        state = self._make(track, content, suite, parent, why)
        self.point(track, state)
        return state

    def candidate(self, label: str, track: str, content: Content, why: str) -> State:
        """Make a state of a content that is a candidate for a label, or of a change under review.  No label names it.

        The parent is the state of the label.  A state of the track that has this content, and that is not older than
        the parent, makes a new one unnecessary.
        """
        parent = self.reader.state(label)
        suite = self._written(content, self.root / "dists" / track / "Release")
        least = parent.number if parent else 0
        for state in reversed(self.reader.states(track)):
            if state.number >= least and _named(suite) == _named(_of(self.root / "dists" / state.name / "Release")):
                return state
        made = self._make(track, content, suite, parent, why, label)
        shutil.rmtree(self.scratch, ignore_errors=True)
        states_index.write(self.reader)
        return made

    def _written(self, content: Content, before: Path) -> tuple[tuple[str, ...], tuple[IndexFile, ...]]:
        """Write the indices of a content; return its architectures and its indices."""
        indices = suites.written(self.root, content, suites.indices_of(before))
        return (*content.architectures, "source"), indices

    def _make(  # noqa: PLR0913, PLR0917 - the parts of a state
        self,
        track: str,
        content: Content,
        suite: tuple[tuple[str, ...], tuple[IndexFile, ...]],
        parent: State | None,
        why: str,
        label: str = "",
    ) -> State:
        architectures, indices = suite
        old = self.reader.lock(parent.name, SOURCE_LOCK) if parent else ()
        now, number = environment.now(), max((state.number for state in self.reader.states(track)), default=0) + 1
        text = json.dumps([track, number, parent and parent.name, [each.digest for each in indices]])
        state = State(
            name=f"{track}-{now:%Y%m%dT%H%M%SZ}-{hashlib.sha256(text.encode()).hexdigest()[:8]}",
            track=track,
            number=number,
            parent=parent.name if parent else "",
            created=rfc3339(now),
            why=why,
            changes=differences(old, content.versions) if parent else (),
            candidate_for=label,
        )
        tree = Suite(state.name, self.lab.lab.name, architectures, indices, f"{track}, state {number}")
        described = {STATE_FILE: f"{state.model_dump_json(indent=1, by_alias=True)}\n".encode()}
        self._place(tree, self.root / "dists" / state.name, described)
        return state

    def point(self, label: str, state: State) -> None:
        """Have a label name a state: write its tree, and exchange the link of the label in one step."""
        link, home = self.root / "dists" / label, self.root / "labels" / label
        old = [path for path in home.iterdir() if path.is_dir()] if home.exists() else []
        tree = home / str(max((int(path.name) for path in old), default=0) + 1)
        self._copy(self.root / "dists" / state.name, label, f"the state {state.name}", tree, link)
        fresh = self.scratch / ".link"
        fresh.symlink_to(f"../labels/{label}/{tree.name}")
        if link.is_dir() and not link.is_symlink():  # of an older release
            files.exchange(fresh, link)
        else:
            fresh.replace(link)
        files.sync([link.parent])
        for path in (*old, self.scratch):
            shutil.rmtree(path)
        states_index.write(self.reader)

    def _copy(self, source: Path, name: str, about: str, target: Path, link: Path | None = None) -> None:
        """Place a suite with the content of another one."""
        architectures, indices = _of(source / "Release")
        suite = Suite(name, self.lab.lab.name, architectures, indices, about)
        listed = {each.name for each in indices}
        others = [source / STATE_FILE, *(path for path in source.glob("*.lock*") if path.name not in listed)]
        copied = {path.name: path.read_bytes() for path in others}
        self._place(suite, target, copied, link)

    def _place(self, suite: Suite, target: Path, others: dict[str, bytes], link: Path | None = None) -> None:
        """Write and sign the tree of a suite, and rename it to its place; ``link``: the label whose suite it is."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        # At the same depth below the root as its place, for the links to by-hash.
        tree = self.scratch.joinpath(*target.relative_to(self.root).parts[1:])
        users = suites.for_users(suite.name, suite.origin, self.url, self.reader.key())
        suites.write_tree(self.root, tree, suite, others | users)
        before = link or target
        later = (before / "InRelease").stat().st_mtime if (before / "InRelease").exists() else 0.0
        date = suites.date_after(environment.now(), before / "Release")
        suites.sign(tree, suite.release(date), self.key, self.log, later)
        files.sync([*(path for path in tree.rglob("*") if path.is_dir() and not path.is_symlink()), tree])
        tree.rename(target)
        files.sync([target.parent])

    def repair(self) -> None:
        """Bring the archive in line with lab.yaml, and complete what a killed process has begun."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self._restore_states()
        self._take_over()
        self._sign_again()
        self._complete_labels()
        if states_index.differs(self.reader):
            for source in sorted({path.name for path in self.root.glob("versions/*/*")}):
                source_history.write(self.root, source)
            states_index.write(self.reader)

    def _restore_states(self) -> None:
        """Make the states again whose directory somebody has removed while a label names them: its tree has it all."""
        for label, state in self.reader.labels().items():
            target = self.root / "dists" / state.name
            if not (target / STATE_FILE).exists():
                self.log.write(f"{state.name}: its directory was removed; it is made again from {label}\n")
                shutil.rmtree(target, ignore_errors=True)
                self._copy(self.root / "dists" / label, state.name, f"{state.track}, state {state.number}", target)
                shutil.rmtree(self.scratch)

    def _complete_labels(self) -> None:
        for label, state in self.meant().items():
            found = self.reader.state(label)
            if found is None or found.name != state.name:
                self.point(label, state)
            tree = (
                (self.root / "dists" / label).readlink().name
            )  # as written: the path of the archive can have links too
            for path in (self.root / "labels" / label).iterdir():
                if path.name != tree:
                    shutil.rmtree(path)

    def _take_over(self) -> None:
        """Make the first state of each suite that an older release has left."""
        for path in self.older_suites():
            self.log.write(f"{path.name}: its first state is made from {TAKEN_OVER}\n")
            self.key.export(self.root / PUBLIC_KEY, self.log)
            content = self.content(path.name)
            added = rfc3339(environment.now())
            for stanzas in content.by_version().values():
                self.record(path.name, PoolVersion.of(stanzas, added=added))
            self.commit(path.name, content, TAKEN_OVER)

    def _sign_again(self) -> None:
        """Sign all suites where the key or the address of the archive has changed."""
        note, wanted = self.root / "signed-by", f"{self.key.fingerprint} {self.url}\n"
        if note.exists() and note.read_text() == wanted:
            return
        self.key.export(self.root / PUBLIC_KEY, self.log)
        for path in sorted(self.root.glob(f"dists/*/{STATE_FILE}")):
            tree = path.parent
            users = suites.for_users(tree.name, self.lab.lab.name, self.url, self.reader.key())
            for name, data in users.items():
                files.write_atomic(tree / name, data)
            later = (tree / "InRelease").stat().st_mtime
            suites.sign(tree, (tree / "Release").read_text(), self.key, self.log, later)
        files.write_atomic(note, wanted)

    def record(self, track: str, version: PoolVersion) -> None:
        """Write the record of a version, and the history of its source package."""
        version.write(versions.record_path(self.root, track, version.source, version.version))
        source_history.write(self.root, version.source)


def _of(release: Path) -> tuple[tuple[str, ...], tuple[IndexFile, ...]]:
    """Return the architectures and the indices that a Release file names; none without the file."""
    if not release.exists():
        return (), ()
    return suites.architectures_of(release), tuple(suites.indices_of(release).values())


def _named(suite: tuple[tuple[str, ...], tuple[IndexFile, ...]]) -> tuple[tuple[str, ...], set[IndexFile]]:
    """Return the architectures and the indices of a suite, without its lock lists: states of an older release list none."""
    return suite[0], {each for each in suite[1] if "/" in each.name}


@contextmanager
def opened(lab: Lab, log: IO[str], scratch: Store | None = None) -> Iterator[LabArchive]:
    """Wait for the lock of the archive, and give the archive in good order; ``scratch``: a store with one to throw away.

    Raises ConfigurationError like `scripts.archives.locked_archive.locked`.
    """
    with locked(lab, log, scratch) as found, lab_key(lab, found.store, log) as key:
        archive = LabArchive(lab, log, found.store, key)
        archive.repair()
        yield archive
