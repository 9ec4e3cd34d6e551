"""What a track of proposed packages tests next, from its pocket and from what was tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.config.description import Lab
from lab.store.run_directory import WHOLE
from scripts.deployment import environments, isolation
from scripts.pockets import baseline, proposed
from scripts.pockets.dependents import consequences
from scripts.pockets.selection import Pocket


@dataclass(frozen=True)
class PocketPlan:
    """Components and contents to test, in order, the baseline first; ``delays``: why others are not tested yet."""

    contents: tuple[tuple[str, str], ...] = ()
    delays: Mapping[str, str] = field(default_factory=dict)


def plan(lab: Lab, track: str, pocket: Pocket, is_new: Callable[[str], bool]) -> PocketPlan:
    """Return what to test of a pocket; ``is_new``: whether a content was not tested.

    The baseline is one of the contents where any update is, and none is known for the release as it is now.
    """
    delays: dict[str, str] = {}
    contents: list[tuple[str, str]] = []
    for name in sorted(filter(pocket.waits, lab.components_of(track))):
        update = pocket.update(name)
        if update.impediment:
            delays[f"{name} {update.version}"] = update.impediment
    for component, found in proposed.sets(lab, track, pocket):
        if not is_new(found.content):
            continue
        if why := isolation.missing_for_packages(environments.driver_of(lab, track).NAME, found.archive):
            delays[str(found)] = why
            continue
        if own := consequences(pocket, found.repository.only).own:
            delays[str(found)] = str(own[0])
            continue
        contents.append((component, found.content))
    if contents and is_new(name := baseline.name_of(lab, track, pocket)):
        contents.insert(0, (WHOLE, name))
    return PocketPlan(tuple(contents), delays)
