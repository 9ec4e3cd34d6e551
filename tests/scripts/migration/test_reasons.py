"""What a migration says: why not yet, and the hints that do not apply."""

from __future__ import annotations

import pytest

from scripts.migration import items, universe
from scripts.migration.explaining import HeldReasons
from scripts.migration.indexes import IndexedSuite
from scripts.migration.items import MigrationItem
from scripts.migration.policies import Criteria, ItemVerdict
from scripts.migration.search import Search
from scripts.migration.search_state import SearchState
from tests.scripts.migration.suites import names, suite
from tests.scripts.migration.test_scenarios import Scenario, run


@pytest.mark.parametrize(
    "target, candidate, hints, expected",
    [
        ("a 1 > a", "a 2 > a : x (>= 3)", "", ("a/2", "x (>= 3)", "a 2 needs x (>= 3), which is not there")),
        ("a 1 > a", "a 2 > a", "block a", ("a/2", "", "hint: block a")),
        ("a 2 > a", "a 1 > a", "", ("a/1", "", "older than 2 in the target")),
        ("a 1 > a", "a 2 >", "", ("a/2", "", "not built: the candidate has no binary of this version")),
        (
            "a 1 > a\nl 1 > l",
            "a 2 > a : l (>= 2)\nl 2 > l",
            "block l",
            ("a/2", "l/2", "a 2 needs l (>= 2), which is not there; l/2 is held back: hint: block l"),
        ),
        (
            "a 1 > a\nb 1 > b\nc 1 > c",
            "a 2 > a : b (>= 2)\nb 2 > b : c (>= 2)\nc 2 > c : nowhere",
            "",
            ("a/2", "nowhere", "c 2 needs nowhere, which is not there"),
        ),
        ("a 1 > a : b\nb 1 > b", "a 1 > a : b", "", ("-b/1", "a 1", "a 1 needs b, which is not there")),
        (  # a removal is in the way, and waits for another source
            "p 1 > p\nb 1 > b : p (<< 2)\nc 1 > c : b\nl 1 > l",
            "p 2 > p\nc 2 > c : l (>= 2)\nl 2 > l",
            "block l",
            ("p/2", "l/2", "c 2 needs l (>= 2), which is not there; l/2 is held back: hint: block l"),
        ),
        (  # an old library is in the way, whose new version waits
            "p 1 > p\nb 1 > b1 @libs : p (<< 2)\nl 1 > l",
            "p 2 > p\nb 2 > b2 @libs : l (>= 2)\nl 2 > l",
            "block l",
            ("p/2", "l/2", "b2 2 needs l (>= 2), which is not there; l/2 is held back: hint: block l"),
        ),
        (
            "a 1 > a\nb 1 > b : a",
            "a 2 > a ! b\nb 1 > b : a",
            "",
            ("a/2", "b 1", "b 1 would be uninstallable: a 2 conflicts with b 1"),
        ),
    ],
)
def test_why_not_yet(target: str, candidate: str, hints: str, expected: tuple[str, str, str]) -> None:
    held = run(Scenario("", target, candidate, "", hints)).held
    assert expected in [(str(one.item), one.waits_for, one.reason) for one in held]


@pytest.mark.parametrize("blocked", ["", "block a099"])
def test_reasons_of_a_long_chain_need_one_step_each(monkeypatch: pytest.MonkeyPatch, blocked: str) -> None:
    """What is known of an item is not found again for each that waits for it."""
    added: list[MigrationItem] = []
    add = SearchState.add
    monkeypatch.setattr(SearchState, "add", lambda state, item: (added.append(item), add(state, item))[1])
    sources = [f"a{number:03}" for number in range(100)]
    target = "\n".join(f"{name} 1 > {name}" for name in sources)
    candidate = "\n".join(
        f"{name} 2 > {name} : {after} (>= 2)" for name, after in zip(sources, [*sources[1:], "x"], strict=True)
    )
    held = run(Scenario("", target, candidate, "", blocked)).held
    last = "hint: block a099" if blocked else "a099 2 needs x (>= 2), which is not there"
    assert len(held) == len(sources)
    assert all(last in one.reason for one in held)
    assert len(added) <= len(sources)


def test_reasons_of_a_circle_are_found() -> None:
    target = "a 1 > a\nb 1 > b\nc 1 > c\nd 1 > d"
    candidate = "a 2 > a : b (>= 2)\nb 2 > b : c (>= 2)\nc 2 > c : a (>= 2), d (>= 2)\nd 2 > d : x"
    held = run(Scenario("", target, candidate, "")).held
    assert {str(one.item): one.reason for one in held} == dict.fromkeys(
        ("a/2", "b/2", "c/2", "d/2"), "d 2 needs x, which is not there"
    )


def test_reasons_of_many_that_go_together_name_what_they_wait_for() -> None:
    """A language and its modules: hundreds of sources that can migrate only at once."""
    modules = [f"a{number:03}" for number in range(300)]
    target = "\n".join(f"{name} 1 > {name}" for name in (*modules, "l", "p"))
    candidate = [f"{name} 2 > {name} : p (>= 2)" for name in modules]
    candidate[-1] += ", l (>= 2)"
    candidate += ["l 2 > l", f"p 2 > p : {', '.join(f'{name} (>= 2)' for name in modules)}"]
    held = run(Scenario("", target, "\n".join(candidate), "", "block l")).held
    assert len(held) == 302
    assert {one.reason for one in held} == {
        "hint: block l",
        "a299 2 needs l (>= 2), which is not there; l/2 is held back: hint: block l",
    }


@pytest.mark.parametrize(
    "line, warning",
    [
        ("unblock a/3", "a/3 is no item of this migration"),
        ("block a/3", "a/3 is no item of this migration"),
        ("age-days 3 a/3", "a/3 is no item of this migration"),
        ("age-days soon a/2", "soon is no number of days"),
        ("urgent a/3/amd64", "a/3/amd64 is no item of this migration"),
        ("easy a/2 b/1", "b/1 is no item of this migration"),
        ("easy a/2", "easy needs at least 2 words"),
        ("hint b/1", "b/1 is no item of this migration"),
        ("block a/1", "a/1 is no item of this migration"),
        ("force-hint -a/1", "-a/1 is no item of this migration"),
        ("remove b/1", "b/1 is neither in the target nor a candidate"),
        ("allow-uninst a/7", "a/7 is no binary of target or candidate"),
        ("block-all udebs", "block-all knows source and new-source, not udebs"),
        ("frobnicate a/2", "unknown hint"),
    ],
)
def test_a_hint_that_does_not_apply_is_one_warning(line: str, warning: str) -> None:
    result = run(Scenario("", "a 1 > a", "a 2 > a", "", f"# a comment\n\n{line}\n"))
    assert result.warnings == (f"hints, line 3: {line}: {warning}",)
    assert names(result.migrated) == "a/2"


@pytest.mark.parametrize(
    "line",
    [
        "unblock a/2", "unblock a/1", "age-days 3 a/2", "urgent a/2/amd64", "easy a/2 b/2", "hint a/2", "force-hint a/2",
        "block a/1", "allow-uninst a/1", "remove a/1",
    ],
)  # fmt: skip
def test_a_hint_that_has_done_its_work_is_no_warning(line: str) -> None:
    """The target has the version, or a newer one."""
    result = run(Scenario("", "a 2 > a\nb 1 > b", "a 2 > a\nb 2 > b", "", line))
    assert (names(result.migrated), result.warnings) == ("b/2", ())


def test_hints_after_finished_do_not_count() -> None:
    result = run(Scenario("", "a 1 > a", "a 2 > a", "", "remark nonsense\nfinished\nblock a\nnonsense"))
    assert (names(result.migrated), result.warnings) == ("a/2", ())


@pytest.mark.parametrize(
    "hints",
    ["block b # a is fine", "block b #a is fine\r\n", "\ufeffblock b\n", "#block a\nblock b", " # block a\nblock b"],
)
def test_a_comment_names_no_package(hints: str) -> None:
    result = run(Scenario("", "a 1 > a\nb 1 > b", "a 2 > a\nb 2 > b", "", hints))
    assert (names(result.migrated), result.warnings) == ("a/2", ())
    assert [held.reason for held in result.held] == ["hint: block b"]


@pytest.mark.parametrize(
    "hints, ages, held",
    [
        ("", {("a", "2"): 5.0}, {}),
        ("", {("a", "2"): 4.5}, {"a/2": "4.5 of 5 days old"}),
        ("", {("a", "1"): 9.0}, {"a/2": "its age is not known, 5 days are needed"}),
        ("urgent a/2", {}, {}),
        ("age-days 1 a/2", {("a", "2"): 2.0}, {}),
        ("age-days 9 a/2\nurgent a/2", {("a", "2"): 0.0}, {}),
        ("age-days 9 a/2", {("a", "2"): 8.0}, {"a/2": "8.0 of 9 days old"}),
    ],
)
def test_age(hints: str, ages: dict[tuple[str, str], float], held: dict[str, str]) -> None:
    result = run(Scenario("", "a 1 > a", "a 2 > a", "", hints), criteria=Criteria(ages=ages, least_age=5))
    assert {str(item.item): item.reason for item in result.held} == held


@pytest.mark.parametrize(
    "criteria, held",
    [
        (Criteria(verdicts={("a", "2"): ItemVerdict(passed=True)}), {}),
        (Criteria(verdicts={("a", "2"): ItemVerdict(passed=False, reason="run 7 failed")}), {"a/2": "run 7 failed"}),
        (Criteria(verdicts={("a", "2"): ItemVerdict(passed=False)}), {"a/2": "its runs did not pass"}),
        (Criteria(verdicts={("a", "1"): ItemVerdict(passed=False)}), {}),
        (Criteria(verdict_required=True), {"a/2": "no run has judged it"}),
    ],
)
def test_verdicts_of_runs(criteria: Criteria, held: dict[str, str]) -> None:
    result = run(Scenario("", "a 1 > a", "a 2 > a", ""), criteria=criteria)
    assert {str(item.item): item.reason for item in result.held} == held


def test_a_verdict_holds_back_who_needs_it() -> None:
    criteria = Criteria(verdicts={("l", "2"): ItemVerdict(passed=False, reason="run 7 failed")})
    scenario = Scenario("", "a 1 > a\nl 1 > l\nz 1 > z", "a 2 > a : l (>= 2)\nl 2 > l\nz 2 > z", "")
    result = run(scenario, criteria=criteria)
    assert names(result.migrated) == "z/2"
    assert [held.reason for held in result.held] == [
        "a 2 needs l (>= 2), which is not there; l/2 is held back: run 7 failed",
        "run 7 failed",
    ]


def test_reason_ends_with_its_constraint() -> None:
    """A package that may be uninstallable after all holds back nothing."""
    target, candidate = suite("a 1 > a"), suite("a 2 > a : x")
    changes = items.changes(target, candidate)
    world = universe.build(target, IndexedSuite(), changes, frozenset())
    search = Search(world, changes, held=(), forced=frozenset(), preferred=frozenset())
    reasons = HeldReasons(search, {}, frozenset())
    assert [held.reason for held in reasons.all(changes)] == ["a 2 needs x, which is not there"]
    for package in world.named("amd64", "a"):
        search.excuse(package)
    assert (reasons.all(changes), reasons.grown) == ([], frozenset(changes))
