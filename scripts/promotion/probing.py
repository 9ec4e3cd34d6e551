"""The probe of a state: a real deployment of it, and the exercises of the track."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from lab.config.description import COMPONENT_PHASES, Lab
from lab.store.archive import State
from lab.store.promotions import ProbeFailure
from lab.store.run_directory import WHOLE, Run
from lab.store.runs import Store
from scripts.promotion import failures


@dataclass(frozen=True)
class ProbeResult:
    """The result of a probe; an ``error`` is the lab's fault, and no verdict on the state.

    ``ended_at``: the step whose failure ended the probe, so that nothing after it was tested; "" for none.
    """

    verdict: Literal["passed", "failed", "error"]
    runs: tuple[str, ...] = ()
    failures: tuple[ProbeFailure, ...] = ()
    message: str = ""
    ended_at: str = ""


Probe = Callable[[State], ProbeResult]
PhaseRunner = Callable[[Run], Sequence[Run]]
"""Runs a phase of a run, and the later phases of its track while they pass; returns the runs."""


def prober(lab: Lab, track: str, run_phases: PhaseRunner) -> Probe:
    """Return the probe of a track: it deploys a state and exercises it, as far as the track has these phases."""
    phases = [phase for phase in lab.tracks[track].phases if phase not in COMPONENT_PHASES]

    def probe(state: State) -> ProbeResult:
        if not phases:
            return ProbeResult("passed", message="the track has no phase to test a state with")
        begun = Store.of(lab).new_run(lab, track, WHOLE, phase=phases[0])
        begun.write_info(begun.info.model_copy(update={"archive": state.name, "cause": "promotion"}))
        return result(run_phases(begun), phases, state.name)

    return probe


def result(runs: Sequence[Run], phases: Sequence[str], state: str) -> ProbeResult:
    """Return the result of the runs of some phases for a state: what was not done is an error, never a pass."""
    names = tuple(run.id for run in runs)
    for run in runs:
        verdict, main = run.verdict, run.record(run.info.phase)
        if verdict in {"error", "aborted", "running"} or main is None or main.verdict in {"error", "skipped"}:
            bad = next((each for each in run.records() if not each.finished_well), main)
            why = bad.message if bad else "it has no record"
            return ProbeResult("error", names, message=f"{run.id}: {verdict}: {why}")
        if run.info.archive != state:
            return ProbeResult("error", names, message=f"{run.id} is of the state {run.info.archive}, not of {state}")
    found = tuple(failure for run in runs for failure in failures.of_run(run))
    if found:
        ended_at = next((record.step for run in runs for record in run.records() if record.verdict == "failed"), "")
        return ProbeResult("failed", names, found, failures.described(found), ended_at)
    done = [run.info.phase for run in runs]
    if missing := [phase for phase in phases if phase not in done]:
        return ProbeResult("error", names, message=f"no run of the phase {missing[0]}")
    return ProbeResult("passed", names)
