"""The deployments of a lab: the one of `deployment`, and those of `deployments` that tracks name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.config.deployment import Deployment
from lab.config.description import Lab

Place = tuple[str | int, ...]


def of_track(lab: Lab, track: str) -> Lab:
    """Return a lab with the deployment of a track as its only one; the lab itself for the name of no track."""
    return lab.model_copy(update={"deployment": lab.deployment_of(track)}) if track in lab.tracks else lab


def views(lab: Lab) -> Iterator[tuple[Place, Lab]]:
    """Yield each deployment as the only one of a lab with the tracks that have it, after its key in lab.yaml."""
    for name, deployment in ((None, lab.deployment), *lab.deployments.items()):
        tracks = [track for track, described in lab.tracks.items() if described.deployment == name]
        yield ("deployments", name) if name else ("deployment",), _view(lab, deployment, tracks)


def targets(lab: Lab) -> tuple[str, ...]:
    """Return the targets of all deployments, each once, that of `deployment` first."""
    return tuple(dict.fromkeys(view.deployment.target for _, view in views(lab) if view.deployment))


def at(home: Place, found: Iterable[tuple[Place, str]]) -> Iterator[tuple[Place, str]]:
    """Yield complaints about a view of a lab, with their keys where lab.yaml has its deployment."""
    for key, what in found:
        yield ((*home, *key[1:]) if key[:1] == ("deployment",) else key), what


def contradictions(lab: Lab) -> Iterator[tuple[Place, str]]:
    """Yield deployments that no track has, and tracks with a deployment that does not exist."""
    chosen = {track.deployment for track in lab.tracks.values()}
    for name in lab.deployments:
        if name not in chosen:
            yield ("deployments", name), f"no track has it; set tracks.TRACK.deployment: {name}"
    for name, track in lab.tracks.items():
        if track.deployment and track.deployment not in lab.deployments:
            known = ", ".join(lab.deployments) or "none"
            yield ("tracks", name, "deployment"), f"no deployment {track.deployment}; known: {known}"


def _view(lab: Lab, deployment: Deployment | None, tracks: Iterable[str]) -> Lab:
    own = {name: lab.tracks[name].model_copy(update={"deployment": None}) for name in tracks}
    return lab.model_copy(update={"deployment": deployment, "deployments": {}, "tracks": own})
