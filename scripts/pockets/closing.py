"""The end of updates that wait no more: released, withdrawn, or superseded by what is released.

The history of a component on a track ends there: what failed with a version that nobody will get is not broken.  The end
is a run with the verdict ``skipped`` for each phase, whose message begins with `lab.results.breakages.CLOSED`.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.base import environment
from lab.config.description import Lab, Phase
from lab.results.breakages import CLOSED
from lab.store.records import Record, rfc3339
from lab.store.run_directory import WHOLE, Run
from lab.store.runs import Store
from lab.store.step import architecture
from scripts.migration.relations import order
from scripts.pockets.proposed import suite_of
from scripts.pockets.selection import Pocket

VERDICTS = ("passed", "failed", "unstable")


def close(lab: Lab, track: str, pocket: Pocket) -> list[Run]:
    """Write the run that ends the history of each update that is gone; return them."""
    return [_write(lab, track, *ended) for ended in _ended(lab, track, pocket)]


def _ended(lab: Lab, track: str, pocket: Pocket) -> Iterator[tuple[str, Phase, str, str]]:
    """Yield the component, the phase, the version and the reason of each update that is gone and not closed."""
    waits = any(map(pocket.waits, lab.components_of(track)))
    for component in (*lab.components_of(track), WHOLE):
        for phase in lab.tracks[track].phases:
            if (last := _last(lab, track, component, phase)) is None:
                continue
            version = last.info.version or last.version
            if component == WHOLE and not waits:
                yield component, phase, "", f"nothing waits in {suite_of(lab, track)} any more"
            elif component != WHOLE and version and _is_gone(pocket, component, version):
                yield component, phase, version, f"{component} {version} {_fate(pocket, component, version)}"


def _last(lab: Lab, track: str, component: str, phase: Phase) -> Run | None:
    """Return the newest run with a verdict; None where there is none, or its update is closed."""
    for run in reversed(Store.of(lab).runs(track, component)):
        if run.info.phase != phase:
            continue
        if run.info.reason.startswith(CLOSED):
            return None
        if run.verdict in VERDICTS:
            return run
    return None


def _is_gone(pocket: Pocket, component: str, version: str) -> bool:
    """Return whether a version waits no more, and no newer one waits in its place."""
    return not pocket.waits(component) or order(pocket.version(component), version) < 0


def _fate(pocket: Pocket, component: str, version: str) -> str:
    known = pocket.released.sources.get(component)
    if known is None or order(known.version, version) < 0:
        return "was withdrawn"
    return (
        "is released" if order(known.version, version) == 0 else f"is superseded by {known.version}, which is released"
    )


def _write(lab: Lab, track: str, component: str, phase: Phase, version: str, reason: str) -> Run:  # noqa: PLR0913, PLR0917
    run = Store.of(lab).new_run(lab, track, component, phase=phase, version=version)
    message = f"{CLOSED}{reason}"
    run.write_info(run.info.model_copy(update={"cause": "proposed packages", "reason": message}))
    now = rfc3339(environment.now())
    for step in run.steps:
        run.log_path(step).write_text(f"{message}\n", encoding="utf-8")
        Record(
            step=step,
            component=component,
            track=track,
            series=run.info.series,
            architecture=architecture(),
            version=version,
            verdict="skipped",
            exit_code=0,
            message=message,
            started=now,
            finished=now,
            log=str(run.log_path(step).relative_to(run.path)),
        ).write(run.record_path(step))
    return run
