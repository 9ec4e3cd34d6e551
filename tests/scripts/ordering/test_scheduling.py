"""The next builds: tables, and simulated watches of random graphs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.results.component_graph import closure
from scripts.ordering.scheduling import Situation

DIAMOND = {
    "top": frozenset(),
    "left": frozenset({"top"}),
    "right": frozenset({"top"}),
    "end": frozenset({"left", "right"}),
}
CHAIN = {"a": frozenset(), "b": frozenset({"a"}), "c": frozenset({"b"})}


@pytest.mark.parametrize(
    "order, due, busy, failed, ready, reasons",
    [
        (DIAMOND, "top left right end", "", "", "top", {
            "left": "waits for top", "right": "waits for top", "end": "waits for left, right, top"}),
        (DIAMOND, "left right end", "top", "", "", {
            "left": "waits for top", "right": "waits for top", "end": "waits for left, right, top"}),
        (DIAMOND, "left right end", "", "", "left right", {"end": "waits for left, right"}),
        (DIAMOND, "end", "left", "", "", {"end": "waits for left"}),
        (DIAMOND, "end", "left", "right", "", {"end": "not started: right failed or waits"}),
        (DIAMOND, "left right end", "", "top", "", {
            "left": "not started: top failed or waits", "right": "not started: top failed or waits",
            "end": "not started: left, right failed or waits"}),
        (DIAMOND, "end", "", "top", "end", {}),
        (DIAMOND, "top end", "", "top", "top", {"end": "waits for top"}),
        (DIAMOND, "left", "", "left", "left", {}),
        (CHAIN, "c", "a", "", "", {"c": "waits for a"}),
        (CHAIN, "a c", "", "b", "a", {"c": "not started: b failed or waits"}),
        (CHAIN, "b c", "", "a", "", {"b": "not started: a failed or waits", "c": "not started: b failed or waits"}),
        (CHAIN, "", "", "a", "", {}),
    ],
    ids=["all-due", "top-busy", "both-sides", "one-side-busy", "one-side-failed", "top-failed", "indirect-failure",
         "failed-is-due-again", "own-failure", "indirect-busy", "direct-failure", "chain-held", "nothing-due"],
)  # fmt: skip
def test_situation(  # noqa: PLR0917 - the columns of a table
    order: Mapping[str, frozenset[str]], due: str, busy: str, failed: str, ready: str, reasons: Mapping[str, str]
) -> None:
    situation = Situation(order, due.split(), busy.split(), failed.split())
    assert (situation.ready(9), situation.reasons()) == (ready.split(), reasons)


@pytest.mark.parametrize("free, ready", [(2, ["left", "right"]), (1, ["left"]), (0, []), (-1, [])])
def test_situation_ready_is_limited(free: int, ready: list[str]) -> None:
    assert Situation(DIAMOND, ["end", "right", "left"]).ready(free) == ready


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, frozenset[str]]:
    number = draw(st.integers(1, 9))
    return {f"c{n}": frozenset(draw(st.sets(st.sampled_from([f"c{m}" for m in range(n)])) if n else st.just(set())))
            for n in range(number)}  # fmt: skip


@pytest.mark.integration
@settings(max_examples=60)
@given(graphs(), st.integers(1, 3), st.data())
def test_simulated_watch_builds_each_once_and_in_order(
    order: dict[str, frozenset[str]], width: int, data: st.DataObject
) -> None:
    changed = data.draw(st.sets(st.sampled_from(sorted(order)), min_size=1))
    broken = data.draw(st.sets(st.sampled_from(sorted(order))))
    due, busy, built, failed = set(changed), set[str](), list[str](), set[str]()
    needs = closure(order)
    while True:
        situation = Situation(order, due, busy, failed)
        started = situation.ready(width - len(busy))
        for name in started:
            assert needs[name].isdisjoint(
                busy | set(situation.ready(len(order))) | (due - situation.held.keys()) - {name}
            )
            assert order[name].isdisjoint(failed)
        due -= set(started)
        busy |= set(started)
        assert len(busy) <= width
        if not busy:
            break
        ended = data.draw(st.sampled_from(sorted(busy)))
        busy.remove(ended)
        built.append(ended)
        if ended in broken:
            failed.add(ended)
        else:  # its new version has its users built again
            due |= {name for name in order if ended in order[name]} - busy
    assert len(built) == len(set(built))  # each once, however many of its needs changed
    situation = Situation(order, due, busy, failed)
    assert set(situation.held) == due  # what is left has a reason
    assert all(built.index(need) < built.index(name) for name in built for need in needs[name] & set(built))
    if not broken:
        assert set(built) == {name for name in order if name in changed or needs[name] & changed}
