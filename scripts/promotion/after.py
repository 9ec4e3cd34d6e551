"""The steps that wait for a promotion: upload and push, where ``after`` is ``tested``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lab.config.description import Lab, after
from lab.config.promotion import After
from lab.store import step
from lab.store.archive import SOURCE_LOCK, ArchiveReader
from lab.store.archive_place import reader_of
from lab.store.records import Record
from lab.store.run_directory import Run, run_at
from lab.store.runs import Store
from lab.store.step import StepContext, StepOutcome
from scripts.handover import keeping
from scripts.registry import STEPS

STEPS_AFTER: Final = ("upload", "push")
WAITS_FOR: Final = "waits_for"


@dataclass(frozen=True)
class LateStep:
    """A step of a promoted version that was done now; without a record, its build is not on this machine."""

    name: str
    component: str
    version: str
    run: Run | None = None
    record: Record | None = None

    @property
    def problem(self) -> str:
        """The reason why the step is not done; empty when it is."""
        if self.record is None:
            return "its build is not on this machine: promote on the machine that has the archive"
        return "" if self.record.finished_well else self.record.message


def postponed(context: StepContext, chosen: After | None) -> StepOutcome | None:
    """Return the outcome of a step that waits for the promotion of its version; None for one that does not wait.

    The run is kept for `carry_out`.
    """
    promotion = context.track.promotion
    if promotion is None or after(context.track, chosen) == "built":
        return None
    label, version = f"{context.track_name}-{promotion.label}", context.earlier("archive").version
    listed = reader_of(context.lab).lock(label, SOURCE_LOCK)
    if (context.component_name, version) in listed:
        return None
    keeping.keep(context.store, context.run)
    message = f"follows the promotion to {label}: qalab promote {context.track_name}"
    return StepOutcome(message, verdict="skipped", facts={WAITS_FOR: label})


def carry_out(lab: Lab, track: str, label: str) -> Iterator[LateStep]:
    """Do the steps that have waited for the promotion of the versions in a label; yield each with its record.

    A step that has failed is tried again.
    """
    store, known = Store.of(lab), lab.components_of(track)
    for component, version in ArchiveReader.at(store.archive).lock(label, SOURCE_LOCK):
        names = [name for name in STEPS_AFTER if component in known and _is_late(lab, track, component, name)]
        if not names:
            continue
        run = _build(store, track, component, version)
        for name in names:
            if run is None:
                yield LateStep(name, component, version)
            elif _is_open(run.record(name)):
                with run.held():
                    record = step.execute(name, STEPS[name].action, lab, run)
                yield LateStep(name, component, version, run, record)
        if run and keeping.is_kept(store, run) and not any(_is_open(run.record(name)) for name in names):
            keeping.strip(run)
            keeping.forget_older(store, track, component, version)


def _build(store: Store, track: str, component: str, version: str) -> Run | None:
    """Return the build of a version: the kept one, else the newest of this machine."""
    runs = store.runs(track, component, "build")
    newest = next((run for run in reversed(runs) if run.version == version), None)
    return run_at(store.postponed(track, component, version)) or newest


def _is_late(lab: Lab, track: str, component: str, name: str) -> bool:
    settings = lab.component(component, track)
    described = {"upload": settings.upload, "push": settings.packaging.push}[name]
    return described is not None and after(lab.tracks[track], described.after) == "tested"


def _is_open(record: Record | None) -> bool:
    return record is None or not record.finished_well or WAITS_FOR in record.facts
