"""Builds in Jenkins that a person asks for, whatever was tested before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.base.errors import ConfigurationError, LabError
from lab.config.description import Lab
from lab.store.run_directory import check_known
from scripts.phases.jenkins_builds import NewBuild, TriggerRound, build_job
from scripts.phases.news import upstream_tip


def requested_builds(lab: Lab, track: str, components: Sequence[str], commit: str = "") -> TriggerRound:
    """Return a build of each component; what upstream cannot be asked for stops no other one.

    ``commit``: a commit of the only component; "" for the tip of the branch of each.  Raises ConfigurationError for a
    component that the track does not have, and for a track whose builds are of something else than commits.
    """
    if (trigger := lab.tracks[track].trigger) in {"proposed", "review"}:
        raise ConfigurationError(f"{track}: has the trigger {trigger}; its builds are of no commit of a component")
    for component in components:
        check_known(lab, track, component)
    builds: list[NewBuild] = []
    troubles: list[LabError] = []
    for component in components:
        try:
            builds += _requested(lab, track, component, commit)
        except LabError as error:
            troubles.append(error)
    return TriggerRound(tuple(builds), {}, tuple(troubles))


def _requested(lab: Lab, track: str, component: str, commit: str) -> Iterator[NewBuild]:
    mirror, tip = upstream_tip(lab, track, component)
    found = mirror.resolve(f"{commit}^{{commit}}") if commit else tip
    if found is None:
        raise ConfigurationError(f"{component}: {lab.component(component, track).upstream.git}: no commit {commit}")
    yield NewBuild(component, build_job(lab, track, component), {"COMMIT": found, "CAUSE": "by hand"})
