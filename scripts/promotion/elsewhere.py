"""Probes on other machines: a job there deploys a state, and hands its results over to the machine of the archive.

::

    probes/STATE/asked.json   when the deployment of a state was asked for, see `ProbeRequest`
    probes/STATE/PHASE/       the results of a phase, see `take`

A probe finds the results, or asks for them: a promotion ends there, and the next call continues it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from lab.base import environment
from lab.base.errors import InfrastructureError
from lab.config.description import COMPONENT_PHASES, Lab
from lab.store import promotions
from lab.store.archive import ArchiveReader, State
from lab.store.promotions import ProbeRequest
from lab.store.records import rfc3339
from lab.store.run_directory import WHOLE, Run, run_at
from lab.store.runs import Store
from lab.store.step import check_ours
from scripts.archives import archive_identity
from scripts.handover import run_files, verification
from scripts.handover.verification import Expected
from scripts.promotion import phase_results, probing
from scripts.promotion.probing import Probe, ProbeResult

# Two deployments that end with an error of the lab end a call; the next one, by the schedule, asks again.
TRIES: Final = 2
MOST_FILES, MOST_BYTES = 20_000, 2 * 10**9
PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:_-]*")


class DeploymentMissing(Exception):
    """A state waits for its deployment by a job."""

    def __init__(self, state: str) -> None:
        super().__init__(f"{state} waits for its deployment")
        self.state = state


def prober(lab: Lab, track: str, ask: Callable[[str], bool]) -> Probe:
    """Return the probe of a track whose deployments are on other machines.

    ``ask`` starts the deployment of a state; it returns whether it did.  The probe raises DeploymentMissing until the
    results are there, and InfrastructureError after `TRIES` errors of the lab.
    """
    phases = [phase for phase in lab.tracks[track].phases if phase not in COMPONENT_PHASES]
    store = Store.of(lab)

    def probe(state: State) -> ProbeResult:
        if not phases:
            return ProbeResult("passed", message="the track has no phase to test a state with")
        home = promotions.probe_home(store, state.name)
        request = promotions.probe_request(store, state.name)
        found = _complete(home, phases)
        if found:
            names = tuple(run.info.url or run.id for run in found)
            result = replace(probing.result(found, phases, state.name), runs=names)
            shutil.rmtree(home)
            if result.verdict != "error":
                return result
            errors = (request.errors if request else 0) + 1
            if errors >= TRIES:
                hint = "qalab promote tries again"
                raise InfrastructureError(f"{state.name} has no verdict: {result.message}", hint=hint)
            request = ProbeRequest(since="", errors=errors)
        if request is None or request.is_open:
            # The results that are there are of a deployment whose other phases were lost.
            shutil.rmtree(home, ignore_errors=True)
            if ask(state.name):
                asked = ProbeRequest(since=rfc3339(environment.now()), errors=request.errors if request else 0)
                asked.write(home / promotions.ASKED)
        raise DeploymentMissing(state.name)

    return probe


def _complete(home: Path, phases: Sequence[str]) -> list[Run]:
    """Return the runs of a deployment, up to the last phase or to the one that did not pass; none before that."""
    found: list[Run] = []
    for phase in phases:
        run = run_at(home / phase)
        if run is None:
            return []
        found.append(run)
        if run.verdict not in {"passed", "unstable"}:
            break
    return found


def take(lab: Lab, source: Path, expected: Expected) -> tuple[Run, bool]:
    """Record the results that another machine hands over; return the run, and whether a promotion waits for it.

    Raises InfrastructureError for results that are refused, ConfigurationError on a machine without the archive.
    """
    archive_identity.check(lab)
    store = Store.of(lab)
    store.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.root, prefix=".results-") as directory:
        staging = Path(directory, "run")
        run_files.copy(source, staging, most_files=MOST_FILES, most_bytes=MOST_BYTES)
        run = Run(staging)
        _check(run, lab, expected)
        info = run.info
        if info.cause != "promotion":
            phase_results.note(lab, run)
            return run, False
        state = ArchiveReader.at(store.archive).existing(info.archive)
        if state.track != info.track or info.component != WHOLE:
            raise InfrastructureError(f"{run.id}: is no test of a state of {info.track}")
        if promotions.probe_request(store, state.name) is None:
            return run, False  # nobody waits for it any more
        shutil.rmtree(staging / "out", ignore_errors=True)
        target = promotions.probe_home(store, state.name) / info.phase
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
        return Run(target), True


def _check(run: Run, lab: Lab, expected: Expected) -> None:
    info = run.info
    check_ours(lab, info)
    expected.check(info)
    if info.phase == "build" or info.phase not in lab.tracks[info.track].phases:
        raise InfrastructureError(f"{run.id}: {info.phase} is no phase whose results are handed over")
    for name in filter(None, (info.archive, info.version, *(record.version for record in run.records()))):
        if not PART.fullmatch(name):
            raise InfrastructureError(f"{run.id}: {name!r} is no name of a version or a state")
    for record in run.records():
        verification.check_record(run, record)
