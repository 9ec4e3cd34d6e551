"""The job that promotes: its values, where a track has `promotion`."""

from __future__ import annotations

from typing import Any, Final

from generator import cron
from lab.base.errors import ConfigurationError
from lab.config import agents
from lab.config.description import Lab
from lab.store.archive_place import is_apart

# Several deployments take so long; a promotion that is aborted is continued by the next one.
MINUTES: Final = 1440


def values(lab: Lab, track: str) -> dict[str, Any]:
    """Return the values of the job of a track; none for a track that does not promote.

    It runs where the archive is, and else on the agent of the track's deployments.  Raises ConfigurationError for a
    schedule that Jenkins does not take.
    """
    promotion, jenkins = lab.tracks[track].promotion, lab.jenkins
    if promotion is None or jenkins is None:
        return {}
    if problem := cron.complaint(promotion.schedule):
        raise ConfigurationError(f"{lab.file}: tracks.{track}.promotion.schedule: Jenkins would refuse {problem}")
    deploys = agents.label_of_track(lab, jenkins, track, "deploy")
    agent = agents.label(jenkins, "archive") if is_apart(lab) else deploys
    found = {"track": track, "label": f"{track}-{promotion.label}", "schedule": promotion.schedule, "minutes": MINUTES}
    return found | ({"agent": agent} if agent != jenkins.agent else {})
