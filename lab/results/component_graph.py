"""The graph of a track's components: which component needs which others to be built, circles and levels.

Pure functions, so that a watch, the command line and the site agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

Needs = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class ComponentGraph:
    """Components with the components that they build-depend on.

    ``relations``: for each component the components that it needs, each with its build dependencies on it
    (``libgreet-dev (>= 2)``).  ``versions``: the versions in the lab's archive; empty for a component that was never
    built.  ``unknown``: the components whose build dependencies cannot be read, each with the reason.
    """

    relations: Mapping[str, Mapping[str, tuple[str, ...]]]
    versions: Mapping[str, str]
    unknown: Mapping[str, str]

    @cached_property
    def needs(self) -> Needs:
        """The direct needs of each component."""
        return {name: frozenset(needed) for name, needed in self.relations.items()}

    @cached_property
    def circles(self) -> tuple[tuple[str, ...], ...]:
        """The groups of components that need each other, each sorted."""
        return tuple(sorted(tuple(sorted(group)) for group in strong_components(self.needs) if len(group) > 1))

    @cached_property
    def order(self) -> Needs:
        """The needs without those inside a circle, which no order can satisfy."""
        circle = {name: number for number, group in enumerate(self.circles) for name in group}
        return {
            name: frozenset(need for need in needed if name not in circle or circle.get(need) != circle[name])
            for name, needed in self.needs.items()
        }

    @cached_property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The components by level: a component comes after all that it needs, outside of its circle."""
        return levels(merged(self.order, self.circles))

    def users(self, component: str) -> tuple[str, ...]:
        """Return the components that need a component directly, in the order of the file."""
        return tuple(name for name, needed in self.needs.items() if component in needed)


def merged(order: Needs, circles: Iterable[tuple[str, ...]]) -> Needs:
    """Return the needs where each member of a circle needs what any member needs from outside."""
    joined = {name: frozenset[str]().union(*(order[each] for each in group)) for group in circles for name in group}
    return {**order, **joined}


def levels(needs: Needs) -> tuple[tuple[str, ...], ...]:
    """Return the components by level, each level sorted.  Raises ValueError for a graph with a circle."""
    found: list[tuple[str, ...]] = []
    rest = dict(needs)
    while rest:
        ready = tuple(sorted(name for name, needed in rest.items() if needed.isdisjoint(rest)))
        if not ready:
            raise ValueError(f"a circle: {', '.join(sorted(rest))}")
        found.append(ready)
        for name in ready:
            del rest[name]
    return tuple(found)


def closure(needs: Needs) -> Needs:
    """Return the direct and indirect needs of each component."""
    found: dict[str, frozenset[str]] = {}
    for name in needs:
        reached: set[str] = set()
        todo = list(needs[name])
        while todo:
            each = todo.pop()
            if each not in reached:
                reached.add(each)
                todo.extend(found[each] if each in found else needs.get(each, ()))
        found[name] = frozenset(reached)
    return found


def strong_components(needs: Needs) -> list[frozenset[str]]:
    """Return the strongly connected components of a graph (Kosaraju's algorithm, without recursion)."""
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in needs.items():
        for each in needed:
            users.setdefault(each, []).append(name)
    found: list[frozenset[str]] = []
    assigned: set[str] = set()
    for root in reversed(_finishing_order(needs)):
        if root in assigned:
            continue
        group, todo = {root}, [root]
        while todo:
            for each in users.get(todo.pop(), ()):
                if each not in assigned and each not in group:
                    group.add(each)
                    todo.append(each)
        assigned |= group
        found.append(frozenset(group))
    return found


def _finishing_order(needs: Needs) -> list[str]:
    """Return the components in the order in which a depth-first search leaves them."""
    order: list[str] = []
    seen: set[str] = set()
    for root in needs:
        stack = [] if root in seen else [(root, iter(sorted(needs[root])))]
        seen.add(root)
        while stack:
            name, rest = stack[-1]
            following = next((each for each in rest if each not in seen), None)
            if following is None:
                order.append(name)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(sorted(needs.get(following, ())))))
    return order
