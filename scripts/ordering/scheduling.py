"""The decision which components a watch builds next: pure functions, for `qalab watch` and for a lab in Jenkins."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lab.base.text import first_of
from lab.results.component_graph import Needs, closure


@dataclass(frozen=True)
class Situation:
    """The components of a track at a moment.

    ``order``: the direct needs of each component, without circles (see `ComponentGraph.order`), in the order of the file.
    ``due``: components with something new, and ``busy``: those that are building or queued.  ``failed``: those whose
    newest build failed; one that is due or busy as well gets another build first, and so counts as neither good nor bad.
    """

    order: Needs
    due: Collection[str] = ()
    busy: Collection[str] = ()
    failed: Collection[str] = ()

    @cached_property
    def held(self) -> Mapping[str, tuple[str, ...]]:
        """The due components that are not started, because a direct need failed or is held itself, with these needs."""
        found: dict[str, tuple[str, ...]] = {}
        broken = set(self.failed) - set(self.due) - set(self.busy)
        while new := {
            name: needs
            for name in self.due
            if name not in found and name not in self.busy
            and (needs := tuple(sorted(self.order.get(name, frozenset()) & (broken | found.keys()))))
        }:  # fmt: skip
            found |= new
        return found

    @cached_property
    def waiting(self) -> Mapping[str, tuple[str, ...]]:
        """The due components that wait, with the direct and indirect needs that are built before them.

        So a component is built once, after all changes of what it needs.
        """
        pending = (set(self.due) - self.held.keys()) | set(self.busy)
        return {
            name: needs
            for name in self.due
            if name not in self.held and name not in self.busy
            and (needs := tuple(sorted(self._closure.get(name, frozenset()) & pending)))
        }  # fmt: skip

    def ready(self, free: int) -> Sequence[str]:
        """Return the components to start now, at most ``free``, in the order of the file."""
        later = {*self.held, *self.waiting, *self.busy}
        return [name for name in self.order if name in self.due and name not in later][: max(0, free)]

    def reasons(self) -> Mapping[str, str]:
        """Return why each due component is not started, for people."""
        held = {name: f"not started: {first_of(needs)} failed or waits" for name, needs in self.held.items()}
        return held | {name: f"waits for {first_of(needs)}" for name, needs in self.waiting.items()}

    @cached_property
    def _closure(self) -> Needs:
        return closure(self.order)
