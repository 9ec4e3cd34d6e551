"""The projects on forges that get the commit statuses of a lab, and the contradictions between the two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from lab.config.description import Lab
from lab.config.forges import CommitStatuses

KEY: Final = ("notifications", "statuses")


class ForgeProject(NamedTuple):
    """The project of a component on a forge, and the name of its statuses from a track, without the phase."""

    forge: CommitStatuses
    path: str
    context: str


def project_of(lab: Lab, component: str, track: str) -> ForgeProject | None:
    """Return the project that gets the statuses of a component on a track; None for no statuses.

    The context names the component too, if another component of the track has the same repository.
    """
    found = _find(lab, component, track)
    if found is None:
        return None
    forge, path = found
    others = [name for name in lab.components_of(track) if name != component and _find(lab, name, track) == found]
    parts = [forge.context, track, *([component] if others else [])]
    return ForgeProject(forge, path, "/".join(parts))


def contradictions(lab: Lab) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the keys of commit statuses that cannot work, each with the reason."""
    if lab.notifications.statuses and not (lab.public and lab.public.site_url):
        yield KEY, "public.site_url is missing: a status links to the page of its build"
    for number, forge in enumerate(lab.notifications.statuses):
        pairs = [(name, track) for track in _tracks(lab) for name in lab.components_of(track) if name in lab.components]
        named = [(name, track) for name, track in pairs if forge.names(name, track)]
        elsewhere = {name: _git(lab, name, track) for name, track in named if not forge.project(_git(lab, name, track))}
        if forge.components is None:
            if len(elsewhere) == len({name for name, _ in named}):
                what = "no upstream repository of a component is there; a mirror has no commit statuses"
                yield (*KEY, number), f"{forge.home}: {what}"
            continue
        for pattern in forge.components:
            if not any(forge.model_copy(update={"components": (pattern,)}).names(*pair) for pair in pairs):
                yield (*KEY, number, "components"), f"no component {pattern} on a track that follows upstream commits"
        for name, git in elsewhere.items():
            what = "is not a project there; a mirror has no commit statuses"
            yield (*KEY, number, "components"), f"{name}: its upstream repository {git} {what}: {forge.home}"


def _tracks(lab: Lab) -> list[str]:
    """Return the tracks whose builds are of upstream commits; a change under review is on its review server only."""
    return [name for name, track in lab.tracks.items() if track.trigger == "commit"]


def _git(lab: Lab, component: str, track: str) -> str:
    return lab.component(component, track).upstream.git


def _find(lab: Lab, component: str, track: str) -> tuple[CommitStatuses, str] | None:
    if component not in lab.components or track not in _tracks(lab):
        return None
    for forge in lab.notifications.statuses:
        if forge.names(component, track) and (path := forge.project(_git(lab, component, track))):
            return forge, path
    return None
