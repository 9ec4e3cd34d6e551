"""A run directory: its run.json, its records, and the lock of the process that works in it."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.schema import NewerSchemaError
from lab.config import lab_repository
from lab.config.description import COMPONENT_PHASES, PHASES, Lab, Phase
from lab.forges.proposals import proposal_of, proposals_of
from lab.store import working_tree as local_build
from lab.store.records import CAUSES, Cause, Record, RunInfo, RunInputs, WorkingTree, rfc3339
from lab.store.standing import RunStanding, RunVerdict, cut_short

COMMIT = re.compile("[0-9a-f]{40}")
# The component of a run of a whole track.
WHOLE = "all"
# What the number of a run of a working tree begins with.
LOCAL_PREFIX = "local-"
# The file in ``results`` that a phase writes for the next one, as Java properties: without it, no phase follows.
HANDED_OVER = "parameters.properties"


@dataclass(frozen=True)
class Run:
    """A run directory, and the content of its run.json."""

    path: Path

    @cached_property
    def info(self) -> RunInfo:
        """The content of run.json, read once.  Raises ConfigurationError for a missing or bad file."""
        return RunInfo.read(self.path / "run.json")

    @property
    def id(self) -> str:
        """``TRACK/COMPONENT/NUMBER``: the name of a run for people; ``.../local-NUMBER`` of a working tree."""
        info = self.info
        return f"{info.track}/{info.component}/{LOCAL_PREFIX * bool(info.working_tree)}{info.number}"

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def work(self) -> Path:
        """Scratch space that steps share; a finished run does not need it."""
        return self.path / "work"

    @property
    def results(self) -> Path:
        return self.path / "results"

    @property
    def steps(self) -> tuple[str, ...]:
        steps = phase_steps(self.info.phase)
        return local_build.steps(steps, local_build.kept_out(self.info))

    def record_path(self, step: str) -> Path:
        steps = self.steps
        if step not in steps:
            raise ConfigurationError(f"no step {step} in this phase; known: {', '.join(steps)}")
        return self.results / f"{steps.index(step) + 1:02d}-{step}.json"

    def log_path(self, step: str) -> Path:
        return self.results / f"{step}.log"

    def record(self, step: str) -> Record | None:
        """Return a step's record, None without one; a ``running`` record without a process is ``aborted``."""
        path = self.record_path(step)
        if not path.exists():
            return None
        record = self._read(step, path)
        if record.verdict == "running" and not self.is_held():
            return cut_short(self._read(step, path))  # the step can have ended between the two reads
        return record

    def _read(self, step: str, path: Path) -> Record:
        """Read a record; a damaged one (by a failing disk) counts as an error.

        Raises NewerSchemaError: the work of a newer qalab is neither judged nor repeated.
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
        """Return the existing records, in the order of the steps."""
        return [record for step in self.steps if (record := self.record(step))]

    def write_info(self, info: RunInfo) -> None:
        """Write run.json, and update `info`."""
        info.write(self.path / "run.json")
        vars(self)["info"] = info

    def hand_over(self, version: str, state: str) -> None:
        """Write the parameters of the next job, which tests a version in a state of the archive."""
        info = self.info
        values = {
            "COMPONENT": "" if info.component == WHOLE else info.component,
            "COMMIT": info.commit,
            "VERSION": version,
            "ARCHIVE": state,
            "CAUSE": info.cause,
        }
        if info.proposal:
            values |= {"PROPOSAL": info.proposal.model_dump_json(), "BASE": info.base}
        files.write_atomic(self.results / HANDED_OVER, parameters(values))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock of this directory.

        Raises InfrastructureError when another process holds it, NewerSchemaError when a newer qalab worked there.
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
        held = self.is_held()  # read first: without a process, the records are final
        return RunStanding(self.steps, tuple(self.records()), held)

    @property
    def verdict(self) -> RunVerdict:
        """The verdict, read from the records now."""
        return self.standing().verdict

    @property
    def version(self) -> str:
        """The newest version in the records, read now."""
        return self.standing().version


def parameters(values: Mapping[str, str]) -> str:
    """Return the parameters of a job as Java properties, for the plugin parameterized-trigger: see Properties.load of Java.

    The plugin replaces ``$NAME`` before it reads them.
    """
    return "".join(f"{name}={''.join(map(_escaped, value))}\n" for name, value in values.items())


def _escaped(char: str) -> str:
    """Return a character of a value as it is, or as Java's escape of its UTF-16."""
    if char == "\\":
        return r"\\"
    if char.isascii() and char.isprintable() and char != "$":
        return char
    return "".join(f"\\u{unit:04x}" for (unit,) in struct.iter_unpack(">H", char.encode("utf-16-be", "surrogatepass")))


def phase_steps(phase: str) -> tuple[str, ...]:
    return next(steps for name, steps in PHASES.items() if name == phase)


def phase_of(step: str) -> Phase:
    """Return the phase of a step."""
    return next(phase for phase, steps in PHASES.items() if step in steps)


def run_at(path: Path) -> Run | None:
    """Return the run of a directory, None for a plain directory."""
    return Run(path) if (path / "run.json").is_file() else None


def check_known(lab: Lab, track: str, component: str | None = None, phase: str = "build") -> None:
    """Raise ConfigurationError for a track that the lab does not have, or a component that the track does not have."""
    if track not in lab.tracks:
        raise ConfigurationError(f"no track {track}; known: {', '.join(lab.tracks)}")
    whole = component == WHOLE and phase not in COMPONENT_PHASES
    if component is not None and not whole and component not in lab.components_of(track):
        raise ConfigurationError(f"no component {component} in {track}; known: {', '.join(lab.components_of(track))}")


def open_run(  # noqa: PLR0913 - the identity of a run, by name
    path: Path,
    lab: Lab,
    track: str,
    component: str,
    *,
    revision: str = "",
    phase: Phase = "build",
    version: str = "",
    number: int | None = None,
    working_tree: WorkingTree | None = None,
) -> Run:
    """Turn ``path`` into a run directory: Jenkins' workspace, or a new directory of the store.

    The default of the number and the version are those of the Jenkins build (the version is a parameter of the phases
    after the build).  Raises ConfigurationError like `check_known`, and for a missing parent directory: a mistyped path
    creates no directories.
    """
    check_known(lab, track, component, phase)
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path}: there is no directory {path.parent}")
    run = Run(path)
    url = environment.variable("BUILD_URL")
    later = url and phase != "build"
    if later:
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
            **(_jenkins_proposal() if url else {}),
            cause=_jenkins_cause() if url else "by hand",
            reason=(environment.variable("REASON") or "") if url else "",
            inputs=_jenkins_inputs() if url and phase == "build" else None,
            packaging=(environment.variable("PACKAGING") or "") if url else "",
            archive=(environment.variable("ARCHIVE") or "") if later else "",
            testing=(environment.variable("TESTING") or "") if url else "",
            lab_commit=lab_repository.commit_of(lab.file),
            working_tree=working_tree,
        )
    )
    for directory in (run.results / "native", run.out, run.work):
        directory.mkdir(parents=True, exist_ok=True)
    return run


def _jenkins_proposal() -> dict[str, Any]:
    """Return the fields about the change under review that a Jenkins build is about."""
    depends_on = environment.variable("DEPENDS_ON") or ""
    needed = proposals_of(depends_on)
    if needed is None:
        raise ConfigurationError(f"DEPENDS_ON: is no list of changes: {depends_on}")
    named = environment.variable("PROPOSAL") or ""
    proposal = proposal_of(named)
    if named and proposal is None:
        raise ConfigurationError(f"PROPOSAL: is no identity of a change: {named}")
    given = {name: environment.variable(name.upper()) or "" for name in ("base", "onto")}
    return {"proposal": proposal, "depends_on": needed, **given} if named else {}


def _jenkins_inputs() -> RunInputs | None:
    """Return the inputs that a watch has seen; None for a build that no watch began."""
    try:
        return RunInputs.model_validate_json(environment.variable("INPUTS") or "")
    except ValidationError:
        return None


def _jenkins_cause() -> Cause:
    """Return why a Jenkins build began: its parameter CAUSE; without one, a person."""
    given = environment.variable("CAUSE")
    if given:
        return next((cause for cause in CAUSES if cause == given), "")
    return "by hand"
