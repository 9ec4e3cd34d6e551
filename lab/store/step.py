"""The execution of a step: write the record, run the action, write the record again.

A step module has ``NAME``, an ``action(context) -> StepOutcome`` that raises `lab.base.errors`, and a ``main``
that calls `lab.store.step_command.main`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Unpack

from lab.base import environment, failures, files, outages
from lab.base.errors import Aborted, ConfigurationError, LabError, Verdict
from lab.base.failures import Failure
from lab.base.git import readable
from lab.base.run import AttemptOptions, CheckedOptions, Result, Word, attempt, output, run
from lab.config.components import ComponentSettings
from lab.config.description import Lab, Series, Track
from lab.store import durations, source_history
from lab.store.archive import ArchiveReader
from lab.store.archive_place import is_apart, reader_of
from lab.store.records import Artifact, Native, Record, RunInfo, rfc3339
from lab.store.run_directory import Run, check_known
from lab.store.runs import Store
from lab.store.source_history import SourceHistory
from lab.store.working_tree import check_step, described_for


@dataclass(frozen=True)
class StepContext:
    """The input of a step: the validated description, the run, and the step's log."""

    lab: Lab
    run: Run
    log: IO[str]

    @cached_property
    def store(self) -> Store:
        return Store.of(self.lab)

    @cached_property
    def archive(self) -> ArchiveReader:
        """The lab's archive, on this machine or by its URL."""
        return reader_of(self.lab)

    @cached_property
    def history(self) -> SourceHistory:
        """The versions of the component in the archive."""
        return source_history.read(self.archive, self.component_name)

    def builds(self, track: str | None = None) -> list[Run]:
        """Return the builds of the component on this machine, oldest first; none where agents hold no state."""
        return [] if is_apart(self.lab) else self.store.runs(track, self.component_name, "build")

    @cached_property
    def track_name(self) -> str:
        return self.run.info.track

    @cached_property
    def track(self) -> Track:
        return self.lab.tracks[self.track_name]

    @cached_property
    def component_name(self) -> str:
        """The name of the component, and of the source package."""
        return self.run.info.component

    @cached_property
    def component(self) -> ComponentSettings:
        return self.lab.component(self.component_name, self.track_name)

    @cached_property
    def series_name(self) -> str:
        return self.track.series

    @cached_property
    def series(self) -> Series:
        return self.lab.series[self.series_name]

    @cached_property
    def codename(self) -> str:
        """The release's codename, for apt and changelog entries."""
        return self.series.codename or self.series_name

    def say(self, text: str) -> None:
        """Write a line of the step itself to its log."""
        self.log.write(f"{text}\n")
        self.log.flush()

    def last_words(self, text: str) -> None:
        """Write a line about the end of the step; on a full disk, the record matters more."""
        with suppress(OSError):
            self.say(text)

    def sh(self, argv: Sequence[Word], **options: Unpack[CheckedOptions]) -> Result:
        """Run a program with its output in the step's log; see `lab.base.run.run`."""
        return run(argv, log=self.log, **options)

    def try_sh(self, argv: Sequence[Word], **options: Unpack[AttemptOptions]) -> tuple[Result, list[str]]:
        """Run a program that can fail; return also its lines in the log, without the echoed command."""
        return attempt(argv, self.log, **options)

    def earlier(self, step: str) -> Record:
        """Return the record of an earlier step.  Raises ConfigurationError for a step that has not passed."""
        record = self.run.record(step)
        if record is None or not record.finished_well:
            stands = record.verdict if record else "not run"
            hint = f"qalab step {step} --run {self.run.path}"
            raise ConfigurationError(f"{self.run.path}: the step {step} comes first and is {stands}", hint=hint)
        return record

    @property
    def packages(self) -> str:
        """The digest of the packages that the steps source and sbuild have left."""
        made = (*self.earlier("source").artifacts, *self.earlier("sbuild").artifacts)
        lines = sorted(f"{item.sha256}  {item.path}\n" for item in made if item.kind in {"source", "binary"})
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class StepOutcome:
    """The result of a step that passed, or is ``unstable`` or ``skipped``."""

    message: str = ""
    version: str = ""
    commit: str = ""
    verdict: Verdict = "passed"
    artifacts: Iterable[tuple[Path, str]] = ()
    """Paths below the run directory, with their kind (see `lab.store.records.Artifact`)."""
    native: Iterable[tuple[Path, str]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    """Instead of the verdict's."""


Action = Callable[[StepContext], StepOutcome]
EXIT_CODES: Mapping[Verdict, int] = {"passed": 0, "skipped": 0, "failed": 1, "error": 3, "unstable": 4, "aborted": 130}


def execute(name: str, action: Action, lab: Lab, current: Run) -> Record:
    """Run a step in a held run directory.  Errors that a user can meet are not raised: they are in the record.

    An interruption is recorded as ``aborted`` and raised again as Aborted.  Raises ConfigurationError for a step that is
    refused for the build of a working tree.
    """
    info = current.info
    check_step(info, name)
    outages.forget()
    started = environment.now()
    last_commit = info.commit
    record = Record(
        step=name,
        component=info.component,
        track=info.track,
        series=info.series,
        architecture=architecture(),
        commit=last_commit,
        started=rfc3339(started),
        log=str(current.log_path(name).relative_to(current.path)),
    )
    current.results.mkdir(parents=True, exist_ok=True)
    record.write(current.record_path(name))

    def finish(verdict: Verdict, code: int, message: str, **more: Any) -> Record:
        ended = environment.now()
        done = record.model_copy(
            update={
                "verdict": verdict,
                "exit_code": code,
                "message": readable(_with_outages(message)),
                "finished": rfc3339(ended),
                "seconds": max(0.0, round((ended - started).total_seconds(), 3)),
                **more,
            }
        )
        done.write(current.record_path(name))
        durations.note(info, done)
        return done

    log = current.log_path(name).open("w", encoding="utf-8", errors="surrogateescape")
    context = StepContext(lab, current, log)
    try:
        check_ours(lab, info)
        outcome = action(replace(context, lab=described_for(lab, info)))
        return finish(
            outcome.verdict,
            EXIT_CODES[outcome.verdict] if outcome.exit_code is None else outcome.exit_code,
            outcome.message,
            version=outcome.version,
            commit=outcome.commit or last_commit,
            artifacts=tuple(describe(current, path, kind) for path, kind in outcome.artifacts),
            native=tuple(
                Native(path=str(path.relative_to(current.path)), format=kind) for path, kind in outcome.native
            ),
            facts=dict(outcome.facts),
        )
    except (KeyboardInterrupt, Aborted) as error:
        message = stopped_by(error)
        context.last_words(f"aborted: {message}")
        finish("aborted", Aborted.exit_code, message)
        raise Aborted(message) from None
    except Exception as error:  # noqa: BLE001 - the failure policy decides, and the record has the result
        failure = failures.failure(error)
        message = f"{failure.message}; see {record.log}" if failure.bug else failure.message
        context.last_words(_last_words(error, failure))
        return finish(failure.verdict, failure.exit_code, message)
    finally:
        with suppress(OSError):  # a full disk
            log.close()


def _with_outages(message: str) -> str:
    """Return a message that says from when the data are that the step has used."""
    told = outages.told()
    return message if told in message else "; ".join(filter(None, (message, told)))


def stopped_by(error: KeyboardInterrupt | Aborted) -> str:
    """Return who or what has stopped a step, as far as that is known."""
    user = environment.user()
    return f"stopped with Ctrl-C by {user}" if isinstance(error, KeyboardInterrupt) else str(error) or "interrupted"


def _last_words(error: Exception, failure: Failure) -> str:
    """Return the end of the step's log.  A bug also has its own log, which the step's log names."""
    if isinstance(error, LabError):
        return f"{failure.verdict}: {failure.message}"
    report = failures.report(error, environment.arguments())
    return f"{failures.write_log(report)}\n{report}" if failure.bug else report


def check_ours(lab: Lab, info: RunInfo) -> None:
    """Raise ConfigurationError for a run that this lab cannot continue."""
    if info.lab != lab.lab.name:
        hint = "name its description with --lab or QALAB_LAB"
        raise ConfigurationError(f"this is a run of the lab {info.lab}, not of {lab.lab.name}", hint=hint)
    check_known(lab, info.track, info.component, info.phase)


def describe(current: Run, path: Path, kind: str) -> Artifact:
    """Return a file of the run as an artifact of a record."""
    relative = str(path.relative_to(current.path))
    return Artifact(path=relative, sha256=files.sha256(path), size=path.stat().st_size, kind=kind)


def architecture() -> str:
    """Return this machine's architecture as dpkg names it."""
    return output(["dpkg", "--print-architecture"])
