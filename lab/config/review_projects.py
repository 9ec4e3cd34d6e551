"""The projects under review of a lab: which track tests the changes of which project, and contradictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.config.reviews import ReviewServer

Lane = tuple[str, str, str]
"""A component, a track and a phase."""


class ReviewedProject(NamedTuple):
    """The project of a component on a server, by the name of the server in lab.yaml, and the branch to merge into."""

    server: str
    path: str
    branch: str


def server_of(lab: Lab, track: str) -> tuple[str, ReviewServer]:
    """Return the server with the changes of a track, and its name.  Raises ConfigurationError without one."""
    name = lab.tracks[track].review_server or next(iter(lab.reviews), "")
    if name not in lab.reviews:
        raise ConfigurationError(f"{lab.file}: tracks.{track}.review_server: no server of `reviews` has this name")
    return name, lab.reviews[name]


def reviewed_tracks(lab: Lab) -> list[str]:
    """Return the tracks of changes under review."""
    return [name for name, track in lab.tracks.items() if track.trigger == "review"]


def project_of(lab: Lab, component: str, track: str) -> ReviewedProject:
    """Return the project whose changes a track tests for a component.  Raises ConfigurationError without one."""
    name, server = server_of(lab, track)
    upstream = lab.component(component, track).upstream
    path = server.project(upstream.git)
    if path is None:
        raise ConfigurationError(f"{component}: its upstream repository {upstream.git} is no project of {server.home}")
    return ReviewedProject(name, path, upstream.branch or lab.tracks[track].branch)


def components_of(lab: Lab, project: ReviewedProject) -> list[tuple[str, str]]:
    """Return the components, each with its track, that the changes of a project are tested for."""
    pairs = [(component, track) for track in reviewed_tracks(lab) for component in lab.components_of(track)]
    return [pair for pair in pairs if project_of(lab, *pair) == project]


def is_one_of_several(lab: Lab, project: ReviewedProject) -> bool:
    """Return whether the changes for other branches of a project are tested too: a commit can be proposed for several."""
    every = {
        project_of(lab, component, track) for track in reviewed_tracks(lab) for component in lab.components_of(track)
    }
    return any(one[:2] == project[:2] and one.branch != project.branch for one in every)


def lanes_of(lab: Lab, project: ReviewedProject) -> list[list[Lane]]:
    """Return the phases that a change must pass, in their order, for each component and track."""
    pairs = components_of(lab, project)
    return [[(component, track, phase) for phase in lab.tracks[track].phases] for component, track in pairs]


def lanes_of_branch(lab: Lab, lane: Lane) -> list[Lane]:
    """Return the lanes in which the branch itself is tested like the changes of a lane: same series, same branch."""
    component, track, phase = lane

    def what(name: str) -> tuple[str, str, str | None]:
        upstream, each = lab.component(component, name).upstream, lab.tracks[name]
        return each.series, upstream.branch or each.branch, upstream.git

    return [
        (component, name, phase)
        for name, each in lab.tracks.items()
        if each.trigger == "commit" and component in lab.components_of(name) and phase in each.phases
        if what(name) == what(track)
    ]


def contradictions(lab: Lab) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the keys of changes under review that cannot work, each with the reason."""
    for name in reviewed_tracks(lab):
        chosen = lab.tracks[name].review_server
        if not lab.reviews:
            yield ("tracks", name, "trigger"), "review: no server of changes is named in `reviews`"
        elif chosen and chosen not in lab.reviews:
            yield ("tracks", name, "review_server"), f"no server {chosen}; known: {', '.join(lab.reviews)}"
        elif not chosen and len(lab.reviews) > 1:
            yield ("tracks", name), f"review_server: missing; known: {', '.join(lab.reviews)}"
        else:
            yield from _elsewhere(lab, name)


def _elsewhere(lab: Lab, track: str) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for component in lab.components_of(track):
        if component in lab.components and lab.component(component, track).upstream.git:
            try:
                project_of(lab, component, track)
            except ConfigurationError as error:
                yield ("tracks", track, "components"), str(error)
