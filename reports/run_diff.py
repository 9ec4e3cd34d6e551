"""The comparison of two runs of a phase of this machine, as the site compares two builds."""

from __future__ import annotations

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.run_directory import Run
from reports.site.comparison_models import Comparison
from reports.site.comparisons import comparison
from reports.site.lane_history import History
from reports.site.summary import environment_digest, packages, summarise
from reports.sources import local


def compared(lab: Lab, before: Run, after: Run) -> Comparison:
    """Return what changed from one run to another.

    Raises ConfigurationError for runs of different phases, components or tracks, and for an unfinished one.
    """
    names = [(run.info.track, run.info.component, run.info.phase) for run in (before, after)]
    if names[0] != names[1]:
        raise ConfigurationError(
            f"{before.id} is a {names[0][2]} of {names[0][1]} in {names[0][0]}, and {after.id} is not"
        )
    # What they say about the state of the track does not matter here.
    aside = {"older": False, "proposal": None}
    builds = [local.build(run, lab)[0].model_copy(update=aside) for run in (before, after)]
    found = [summarise(build) for build in builds]
    rosters = {summary.results.roster: frozenset(roster) for summary, roster in found}
    parts = [part for build in builds for part in (build.environment, packages(build)) if part]
    environments = {environment_digest(part): part for part in parts}
    history = History(
        tuple(summary for summary, _ in found),
        lambda digest: rosters.get(digest, frozenset()),
        environment=environments.get,
    )
    return comparison(history, history.builds, ())
