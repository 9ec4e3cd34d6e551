"""The results of phases as criteria: recorded in the lab's store, because the workspace of a Jenkins job does not last."""

from __future__ import annotations

from lab.config.description import Lab
from lab.store import promotions
from lab.store.promotions import PhaseResult
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.promotion import failures


def note(lab: Lab, run: Run) -> None:
    """Record the result of a run that can be a criterion of a promotion, as far as the run has come."""
    info = run.info
    version = info.version or run.version
    if info.phase == "build" or not version:
        return
    result = PhaseResult(run=info.url or run.id, verdict=run.verdict, failures=tuple(failures.of_run(run)))
    result.write(promotions.phase_path(Store.of(lab), info.track, info.component, info.phase, version))
