"""The store: where a lab keeps its runs, its archive and its keys on this machine.

::

    STATE/LAB/runs/TRACK/COMPONENT/NUMBER/   run directories, see docs/reference/run-directory.md
    STATE/LAB/archive/                       the package archive
    STATE/LAB/gnupg/                         the lab's own signing key
    STATE/LAB/proposed/TRACK.json            versions of a -proposed pocket that were tested
    STATE/LAB/environments/NAME/             deployments on this machine, see `scripts.drivers`
    STATE/LAB/juju.mark                      what Juju's models of the lab are known by, see `scripts.drivers.juju.driver`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.schema import NewerSchemaError
from lab.config.description import PHASES, Lab, Phase
from lab.store.records import Record, RunInfo, rfc3339
from lab.store.standing import RunStanding, RunVerdict, cut_short

COMMIT = re.compile("[0-9a-f]{40}")
# The component of a run that is about all of a track.
WHOLE = "all"
# What a phase leaves in ``results`` for the next one, as Java properties: where there is none, nothing follows.
HANDED_OVER = "parameters.properties"


@dataclass(frozen=True)
class Run:
    """A run directory, and what its run.json says."""

    path: Path

    @cached_property
    def info(self) -> RunInfo:
        """The content of run.json, read once.  Raises ConfigurationError for a missing or bad file."""
        return RunInfo.read(self.path / "run.json")

    @property
    def id(self) -> str:
        """``TRACK/COMPONENT/NUMBER``: how people name a run."""
        info = self.info
        return f"{info.track}/{info.component}/{info.number}"

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def work(self) -> Path:
        """Scratch space that steps hand over and the finished run may lose."""
        return self.path / "work"

    @property
    def results(self) -> Path:
        return self.path / "results"

    @property
    def steps(self) -> tuple[str, ...]:
        return phase_steps(self.info.phase)

    def record_path(self, step: str) -> Path:
        steps = self.steps
        if step not in steps:
            raise ConfigurationError(f"no step {step} in this phase; known: {', '.join(steps)}")
        return self.results / f"{steps.index(step) + 1:02d}-{step}.json"

    def log_path(self, step: str) -> Path:
        return self.results / f"{step}.log"

    def record(self, step: str) -> Record | None:
        """A step's record, None when it has none; one left ``running`` by the dead is ``aborted``."""
        path = self.record_path(step)
        if not path.exists():
            return None
        record = self._read(step, path)
        if record.verdict == "running" and not self.is_held():
            return cut_short(self._read(step, path))  # it may have ended well between the two looks
        return record

    def _read(self, step: str, path: Path) -> Record:
        """Read a record; a damaged one (by a failing disk) counts as an error.

        Raises NewerSchemaError: what a newer qalab has written is neither judged nor done again.
        """
        try:
            return Record.read(path)
        except NewerSchemaError:
            raise
        except ConfigurationError as error:
            info = self.info
            return Record(
                step=step,
                component=info.component,
                track=info.track,
                series=info.series,
                architecture="",
                verdict="error",
                started=info.started,
                exit_code=InfrastructureError.exit_code,
                message=str(error),
                log=str(self.log_path(step).relative_to(self.path)),
            )

    def records(self) -> list[Record]:
        """The records there are, in the order of the steps."""
        return [record for step in self.steps if (record := self.record(step))]

    def write_info(self, info: RunInfo) -> None:
        """Write run.json; `info` is this from now on."""
        info.write(self.path / "run.json")
        vars(self)["info"] = info

    @contextmanager
    def held(self) -> Iterator[None]:
        """Work in this directory.

        Raises InfrastructureError when somebody else does, NewerSchemaError when a newer qalab has worked there.
        """
        try:
            with files.locked(self.path / "run.lock", wait=False):
                self.records()
                yield
        except files.Busy:
            raise InfrastructureError(f"{self.path}: another process works on this run") from None

    def is_held(self) -> bool:
        return files.is_locked(self.path / "run.lock")

    def standing(self) -> RunStanding:
        """Read how the run stands now: each record once."""
        held = self.is_held()  # asked first: once nobody works here, the records are the last word
        return RunStanding(self.steps, tuple(self.records()), held)

    @property
    def verdict(self) -> RunVerdict:
        """The verdict, read from the records now."""
        return self.standing().verdict

    @property
    def version(self) -> str:
        """The newest version that a step has named, read from the records now."""
        return self.standing().version


class Survey(NamedTuple):
    """The runs that can be read, and an error for each run.json that cannot."""

    runs: list[Run]
    errors: list[ConfigurationError]


def phase_steps(phase: str) -> tuple[str, ...]:
    return next(steps for name, steps in PHASES.items() if name == phase)


def phase_of(step: str) -> Phase:
    """The phase that a step is of."""
    return next(phase for phase, steps in PHASES.items() if step in steps)


@dataclass(frozen=True)
class Store:
    """One lab's state on this machine."""

    root: Path

    @classmethod
    def of(cls, lab: Lab) -> Store:
        return cls(environment.state_home() / lab.lab.name)

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def environments(self) -> Path:
        """What is deployed on this machine: a directory for each track."""
        return self.root / "environments"

    @property
    def gnupg(self) -> Path:
        return self.root / "gnupg"

    def lock_path(self, *names: str) -> Path:
        return self.root / "locks" / ("+".join(names) + ".lock")

    def runs(self, track: str | None = None, component: str | None = None, phase: Phase | None = None) -> list[Run]:
        """Return the runs that can be read, by track, component and number, oldest first.

        Raises NewerSchemaError.
        """
        return [run for run in self.survey(track, component).runs if phase in {None, run.info.phase}]

    def survey(self, track: str | None = None, component: str | None = None) -> Survey:
        """Read each run.json once.  Raises NewerSchemaError."""
        survey = Survey([], [])
        for run in self._runs(track or "*", component or "*"):
            try:
                run.info  # noqa: B018 - reads run.json
            except NewerSchemaError:
                raise
            except ConfigurationError as error:
                survey.errors.append(error)
            else:
                survey.runs.append(run)
        return survey

    def _runs(self, track: str, component: str) -> list[Run]:
        found = (self.root / "runs").glob(f"{track}/{component}/*/run.json")
        paths = [path.parent for path in found if path.parent.name.isdecimal()]  # not somebody's copy of one
        return [Run(path) for path in sorted(paths, key=lambda path: (path.parts[:-1], int(path.name)))]

    def run(self, track: str, component: str, number: str) -> Run | None:
        """Return a run by its place, without a look at any other; None when there is none."""
        if not number.isdecimal() or {track, component} & {"", ".", ".."}:
            return None
        return run_at(self.root / "runs" / track / component / number)

    def new_run(  # noqa: PLR0913 - what a run is, by name
        self, lab: Lab, track: str, component: str, revision: str = "", *, phase: Phase = "build", version: str = ""
    ) -> Run:
        """Make the next run directory of a track's component.  Raises ConfigurationError for an unknown one."""
        check_known(lab, track, component, phase)
        home = self.root / "runs" / track / component
        home.mkdir(parents=True, exist_ok=True)
        number = max((int(path.name) for path in home.iterdir() if path.name.isdecimal()), default=0) + 1
        while True:
            path = home / str(number)
            try:
                path.mkdir()
                break
            except FileExistsError:
                number += 1
        return open_run(path, lab, track, component, revision=revision, phase=phase, version=version, number=number)


def run_at(path: Path) -> Run | None:
    """The run whose directory this is, None when it is none."""
    return Run(path) if (path / "run.json").is_file() else None


def check_known(lab: Lab, track: str, component: str | None = None, phase: str = "build") -> None:
    """Raises ConfigurationError for a track that the lab does not have, or a component that the track does not."""
    if track not in lab.tracks:
        raise ConfigurationError(f"no track {track}; known: {', '.join(lab.tracks)}")
    whole = component == WHOLE and phase != "build"
    if component is not None and not whole and component not in lab.components_of(track):
        raise ConfigurationError(f"no component {component} in {track}; known: {', '.join(lab.components_of(track))}")


def open_run(  # noqa: PLR0913 - what a run is, by name
    path: Path,
    lab: Lab,
    track: str,
    component: str,
    *,
    revision: str = "",
    phase: Phase = "build",
    version: str = "",
    number: int | None = None,
) -> Run:
    """Make ``path`` a run directory: Jenkins' workspace, or a fresh one of the store.

    Its number and version are what is given, else the Jenkins build's (the version is a parameter of the
    phases behind the build).  Raises ConfigurationError as `check_known`, and when the directory that
    ``path`` lies in does not exist: a mistyped path makes no directories.
    """
    check_known(lab, track, component, phase)
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path}: there is no directory {path.parent}")
    run = Run(path)
    url = environment.variable("BUILD_URL")
    if url and phase != "build":
        version = version or environment.variable("VERSION") or ""
    build = environment.variable("BUILD_NUMBER") if url else None
    run.write_info(
        RunInfo(
            lab=lab.lab.name,
            track=track,
            component=component,
            series=lab.tracks[track].series,
            phase=phase,
            revision=revision,
            commit=revision if phase != "build" and COMMIT.fullmatch(revision) else "",
            version=version,
            number=number or int(build or 1),
            origin="jenkins" if url else "local",
            url=url or "",
            started=rfc3339(environment.now()),
            cause="" if url else "by hand",
        )
    )
    for directory in (run.results / "native", run.out, run.work):
        directory.mkdir(parents=True, exist_ok=True)
    return run
