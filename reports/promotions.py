"""What the components of a track wait for that are not in its promoted label, for the site."""

from __future__ import annotations

from collections.abc import Iterator

from lab.config.description import Lab
from lab.store import promotions
from lab.store.promotions import WaitingVersion, WaitingVersions
from lab.store.runs import Store
from reports.model import FrozenModel


class UnpromotedComponent(FrozenModel):
    """A component whose newest version is not in the label; ``runs``: the evidence."""

    component: str
    before: str
    version: str
    waits_for: str
    reason: str
    runs: tuple[str, ...]


class TrackPromotion(FrozenModel):
    """The label of a track, and the components that are not in it."""

    track: str
    label: str
    state: str
    """The state that the label names; empty without one."""
    newest: str
    checked: str
    components: tuple[UnpromotedComponent, ...]
    open_state: str
    open_votes: tuple[str, ...]
    """The votes that the state of the open promotion waits for."""


Promotions = tuple[TrackPromotion, ...]


def of_lab(lab: Lab) -> Promotions:
    """Return the promotions of a lab, as the last call of `qalab promote` has left them; unredacted."""
    return tuple(_of_tracks(lab))


def _of_tracks(lab: Lab) -> Iterator[TrackPromotion]:
    for track, described in lab.tracks.items():
        if described.promotion:
            found = promotions.waiting(Store.of(lab), f"{track}-{described.promotion.label}")
            if found:
                yield _of_track(found)


def _of_track(found: WaitingVersions) -> TrackPromotion:
    return TrackPromotion(
        track=found.track,
        label=found.label,
        state=found.state,
        newest=found.newest,
        checked=found.checked,
        components=tuple(map(_component, found.components)),
        open_state=found.open_state,
        open_votes=found.open_votes,
    )


def _component(one: WaitingVersion) -> UnpromotedComponent:
    return UnpromotedComponent(**one.model_dump(exclude={"item"}))
