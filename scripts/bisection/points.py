"""The points of an axis: what each of them builds and holds.  Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.results.build_environment import package_changes
from lab.store.bisections import BisectedChange, Bisection, BisectionTest
from scripts.bisection.evidence import Evidence, FailureRates, PointResult
from scripts.bisection.search import RangeState


@dataclass(frozen=True)
class PointContent:
    """What a point builds: the upstream commit, the commit of the packaging, and the versions that differ from today.

    ``older``: components whose version is that of the good end's state, with that version ("": not there).
    ``held``: packages of the distribution, with their versions.
    """

    commit: str
    packaging: str
    older: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)


def content(found: Bisection, axis: int, point: int) -> PointContent:
    """Return what a point of an axis builds."""
    line = found.axes[axis]
    if line.kind == "upstream":
        commit = line.changes[point - 1].name if point else found.good.commit
        return PointContent(commit, found.bad.packaging)
    if line.kind == "distribution":
        earlier = [each for before in found.axes if before.kind == "lab" for each in before.changes]
        held = {name: each.before for each in line.changes[point:] if each.before for name in each.name.split()}
        return PointContent(found.good.commit, found.good.packaging or found.bad.packaging, _older(earlier), held)
    done, open_changes = line.changes[:point], line.changes[point:]
    commits = [each.after for each in done if each.kind == "packaging commit"]
    is_open = any(each.kind == "packaging commit" for each in open_changes)
    packaging = commits[-1] if commits else found.good.packaging if is_open else found.bad.packaging
    return PointContent(found.good.commit, packaging, _older(open_changes))


def _older(changes: Sequence[BisectedChange]) -> dict[str, str]:
    return {each.name: each.before for each in changes if each.kind == "component"}


def range_state(found: Bisection, axis: int, running: tuple[int, ...]) -> RangeState:
    """Return the results of an axis so far."""
    line = found.axes[axis]
    tests = Counter((test.point, test.result) for test in found.tests if test.axis == axis)
    evidence = {
        point: Evidence(tests[point, "good"], tests[point, "bad"], tests[point, "skip"], tests[point, "error"])
        for point in {point for point, _ in tests}
    }
    known: dict[int, PointResult] = {point: result for point, result in line.known.items() if result != "error"}
    return RangeState(len(line.changes), evidence, running, FailureRates(found.fails_good, found.fails_bad), known)


def grouped(before: Mapping[str, str], after: Mapping[str, str], own: frozenset[str]) -> list[BisectedChange]:
    """Return the packages of the distribution that differ, those with the same two versions together.

    The binary packages of one source package have its version, and depend on each other.  ``own``: packages of the lab.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for change in package_changes(before, after):
        if change.what not in own:
            groups.setdefault((change.before, change.after), []).append(change.what)
    return [
        BisectedChange(kind="distribution package", name=" ".join(names), before=old, after=new)
        for (old, new), names in sorted(groups.items(), key=lambda item: item[1])
    ]


def drift(tests: tuple[BisectionTest, ...], new: BisectionTest, own: frozenset[str]) -> list[str]:
    """Return the packages of the distribution whose version changed during the search of an axis, in words."""
    first = next((test.installed for test in tests if test.axis == new.axis and test.installed), {})
    both = first.keys() & new.installed.keys() - own
    return [
        f"{name} {first[name]} -> {new.installed[name]}" for name in sorted(both) if first[name] != new.installed[name]
    ]
