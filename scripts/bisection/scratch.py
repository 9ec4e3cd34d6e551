"""The throw-away store of a probe: an archive with the state that is held, and the runs of one point.

::

    bisections/NUMBER/AGENT/qalab/LAB/   a store as that of the lab, for one probe; removed after it
    bisections/kept/KEY.TRY/             the build of a probe, for later tests of the same content

A probe is an ordinary run in this store: its packages never reach the lab's archive, and no watch, site or promotion sees
it.  The archive has what the held state has, without the component that is built, so that any version of it can be added;
the first label of the track is there too, because the phase test compares with it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

from lab.base import environment
from lab.config.description import Lab
from lab.store import bisections
from lab.store.archive import ArchiveReader
from lab.store.bisections import Bisection
from lab.store.records import BisectionProbe
from lab.store.run_directory import Run, phase_steps, run_at
from lab.store.runs import Store
from scripts.archives import lab_archive, labels
from scripts.archives.content import Content
from scripts.archives.labels import Reasons
from scripts.archives.stanzas import Stanza, binary_files, source_files
from scripts.bisection.points import PointContent

KEPT_FOR: Final = timedelta(hours=24)
"""A build that is older can have another environment than a new one."""
LAST_BUILD_STEP: Final = "content"
NOT_IN_PROBES: Final = ("archive", "upload", "push")


@dataclass(frozen=True)
class Workshop:
    """The place where the probes of a bisection are built."""

    lab: Lab
    bisection: Bisection
    store: Store

    @property
    def home(self) -> Path:
        return bisections.home(self.store) / str(self.bisection.number)

    @property
    def kept(self) -> Path:
        return bisections.home(self.store) / "kept"

    @property
    def last_step(self) -> str:
        """The last step of a probe."""
        sought = self.bisection.sought
        if sought.kind == "step" and sought.name in phase_steps(sought.phase):
            return sought.name
        return LAST_BUILD_STEP if sought.phase == "build" else phase_steps(sought.phase)[-1]

    def key(self, content: PointContent) -> str:
        """Return a digest of all that a build depends on, but for the base chroot and the mirror."""
        found = self.bisection
        end = self.last_step if found.sought.phase == "build" else LAST_BUILD_STEP  # a build up to it has no more
        parts = [found.track, found.component, content.commit, content.packaging, found.bad.state, end]
        text = json.dumps([*parts, sorted(content.older.items()), sorted(content.held.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def prepare(self, content: PointContent, agent: str, attempt: int, log: IO[str]) -> Run:
        """Make the store of a probe; return its run, with the build if that was kept.

        ``attempt``: the number of this test of the point, from 1 on.  A test of the phase build builds again; that of
        another phase takes the packages that are there.
        """
        place = self.home / agent
        shutil.rmtree(place, ignore_errors=True)
        scratch = Store(place / environment.state_home().name / self.lab.lab.name)
        if self.bisection.bad.state:
            self._archive(content, scratch, log)
        found = self.bisection
        run = scratch.new_run(self.lab, found.track, found.component, content.commit)
        probe = BisectionProbe(packaging=content.packaging, held=dict(content.held), since=found.started)
        run.write_info(run.info.model_copy(update={"cause": "bisection", "probe": probe}))
        if kept := self.kept_build(content, attempt):
            run.write_info(kept.info.model_copy(update={"archive": ""}))
            for name in ("results", "out"):
                shutil.copytree(kept.path / name, run.path / name, dirs_exist_ok=True, copy_function=_linked)
        return run

    def kept_build(self, content: PointContent, attempt: int) -> Run | None:
        """Return the kept build of a test, None without one; see `prepare`."""
        path = self.kept / f"{self.key(content)}.{attempt if self.bisection.sought.phase == 'build' else 1}"
        return run_at(path)

    def keep(self, run: Run, content: PointContent, attempt: int) -> str:
        """Keep the build of a probe for later ones; return its name, "" where it is not kept.

        A build that the lab was at fault for is not kept.
        """
        target = self.kept / f"{self.key(content)}.{attempt}"
        records = [record for record in run.records() if record.step not in NOT_IN_PROBES]
        if target.exists() or not records or any(record.verdict in {"error", "aborted"} for record in records):
            return ""
        fresh = self.home / "kept.new"  # no other search writes to it, and `clear` removes what a kill leaves
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name in ("results", "out"):
            shutil.copytree(run.path / name, fresh / name, copy_function=_linked)
        for step in NOT_IN_PROBES:
            if step in run.steps:
                (fresh / "results" / run.record_path(step).name).unlink(missing_ok=True)
        shutil.copyfile(run.path / "run.json", fresh / "run.json")
        self.kept.mkdir(exist_ok=True)
        try:
            fresh.rename(target)
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:  # another search has kept the same meanwhile
                raise
            shutil.rmtree(fresh)
            return ""
        return target.name

    def expire(self) -> None:
        """Remove the kept builds that are too old."""
        oldest = (environment.now() - KEPT_FOR).timestamp()
        for path in [*self.kept.glob("*")]:
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path, ignore_errors=True)

    def clear(self, *, kept: bool = False) -> None:
        """Remove the files of the bisection; ``kept``: also the builds that it kept."""
        shutil.rmtree(self.home, ignore_errors=True)
        for test in self.bisection.tests if kept else ():
            if test.kept:
                shutil.rmtree(self.kept / test.kept, ignore_errors=True)

    def _archive(self, content: PointContent, scratch: Store, log: IO[str]) -> None:
        """Make the archive of a probe."""
        found, real = self.bisection, ArchiveReader.at(self.store.archive)
        architectures = self.lab.series[self.lab.tracks[found.track].series].architectures
        held = self._held(Content.read(real, found.bad.state, architectures), content, real, architectures)
        label = f"{found.track}-{self.lab.tracks[found.track].labels[0]}" if self.lab.tracks[found.track].labels else ""
        base = Content.read(real, label, architectures) if label and real.has(label) else None
        for each in filter(None, (held, base)):
            _link_pool(each, real.root, scratch.archive)
        with lab_archive.opened(self.lab, log, scratch) as archive:
            if base:
                archive.commit(found.track, base, f"as {label}")
                labels.move(archive, "promotion", label, "", Reasons("bisection"))
            archive.commit(found.track, held, f"as {found.bad.state}, for the bisection {found.number}")

    def _held(
        self, content: Content, point: PointContent, real: ArchiveReader, architectures: tuple[str, ...]
    ) -> Content:
        """Return the content of the held state, with the older components of a point, and without what it builds."""
        content = _without(content, self.bisection.component)
        old = Content.read(real, self.bisection.good.state, architectures) if point.older else content
        for source in point.older:
            content = _without(content, source).with_version(_stanzas(old, source))
        return content


def _stanzas(content: Content, source: str) -> list[Stanza]:
    return [each for (name, _), found in content.by_version().items() if name == source for each in found]


def _without(content: Content, source: str) -> Content:
    for name, version in content.versions:
        if name == source:
            content = content.without(name, version)
    return content


def _link_pool(content: Content, real: Path, scratch: Path) -> None:
    """Have the pool files of a content in another archive, as hard links where the file systems allow."""
    for stanzas in content.by_version().values():
        for stanza in stanzas:
            for name in source_files(stanza) if stanza.kind == "source" else binary_files(stanza):
                (scratch / name).parent.mkdir(parents=True, exist_ok=True)
                _linked(real / name, scratch / name)


def _linked(source: Path | str, target: Path | str) -> None:
    with suppress(FileExistsError):
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
