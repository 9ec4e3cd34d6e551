"""The baseline: its name, and the comparison of cases with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.config.description import Lab
from lab.results.cases import Case, Outcome
from scripts.pockets import baseline
from scripts.pockets.baseline import BaselineCases
from scripts.pockets.dependents import consequences
from scripts.pockets.selection import together
from tests.scripts.pockets.test_selection import ARCH, pocket

PROPOSED = {"trigger": "proposed", "phases": ["deploy", "exercise"]}


def case(outcome: Outcome, message: str = "") -> Case:
    return Case(suite="exercise", classname="command", name="it works", outcome=outcome, message=message)


@pytest.mark.parametrize(
    ("now", "before", "outcome", "message", "kind"),
    [
        (case("passed"), "passed", "passed", "", ""),
        (case("passed"), "none", "passed", "", ""),
        (case("passed"), "failed", "passed", "fixed; in the release: old", "fixed"),
        (case("failed", "new"), "failed", "skipped", "fails in the release too: new", "known"),
        (case("failed", "new"), "passed", "failed", "regression: new", "regressions"),
        (case("failed", "new"), "none", "failed", "regression (the release has no result): new", "regressions"),
        (case("skipped", "not here"), "failed", "skipped", "not here", ""),
        (case("error", "lab"), "failed", "error", "lab", ""),
    ],
)
def test_case_is_compared_with_the_release(now: Case, before: str, outcome: str, message: str, kind: str) -> None:
    kept = BaselineCases(
        run="trunk/all/1", finished="", failed={now.id: "old"} if before == "failed" else {},
        passed=(now.id,) if before == "passed" else (),
    )  # fmt: skip
    found = baseline.compare([now], kept)
    assert [(each.outcome, each.message) for each in found.cases] == [(outcome, message)]
    assert {name for name in ("regressions", "known", "fixed") if getattr(found, name)} == ({kind} if kind else set())
    assert found.missing == []


@pytest.mark.parametrize(
    ("now", "missing"),
    [((), 1), ((case("skipped", "no such service"),), 1), ((case("error", "lab"),), 1), ((case("failed"),), 0), ((case("passed"),), 0)],
)  # fmt: skip
def test_case_that_ran_in_the_release_alone(now: tuple[Case, ...], missing: int) -> None:
    kept = BaselineCases(run="trunk/all/1", finished="", failed={"x": ""}, passed=(case("passed").id,))
    assert len(baseline.compare(now, kept).missing) == missing


def test_baseline_is_named_for_what_is_deployed_of_the_release(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track=PROPOSED)
    released, same = "greet 1; Depends: lib\nlib 1\nother 1", "greet 2"
    first = baseline.name_of(lab, "trunk", pocket(released, same))
    assert baseline.is_baseline(first)
    assert not baseline.is_baseline("0123456789abcdef")
    assert baseline.name_of(lab, "trunk", pocket(released.replace("other 1", "other 2"), "greet 3")) == first
    newer = baseline.name_of(lab, "trunk", pocket(released.replace("lib 1", "lib 1.1"), same))
    described = lab_factory(track={**PROPOSED, "exercises": ["token"]})
    assert len({first, newer, baseline.name_of(described, "trunk", pocket(released, same))}) == 3


@pytest.mark.parametrize("changed", ["exercises/own.sh", "exercises/data/table", "roles/greet/greet.conf"])
def test_another_line_in_an_own_exercise_or_role_is_another_baseline(
    lab_factory: Callable[..., Lab], changed: str
) -> None:
    own = {"name": "own", "run": "exercises/own.sh", "files": ["exercises/data"], "result": "tap"}
    deployment = {"applications": {"greet": {"role": "package"}}, "exercises": [own], "roles": "roles"}
    lab = lab_factory(track=PROPOSED, lab={"deployment": deployment})
    for name in ("exercises/own.sh", "exercises/data/table", "roles/greet/greet.conf"):
        path = lab.file.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one\n")
    (lab.file.parent / "roles/greet/role.yaml").write_text("packages: [greet]\n")
    before = baseline.name_of(lab, "trunk", pocket("greet 1", "greet 2"))
    assert baseline.name_of(lab, "trunk", pocket("greet 1", "greet 3")) == before
    (lab.file.parent / changed).write_text("two\n")
    assert baseline.name_of(lab, "trunk", pocket("greet 1", "greet 2")) != before


@pytest.mark.parametrize(
    ("control", "names"),
    [
        ("nova-kvm 1 n; Conflicts: nova-hyp; Provides: nova-hyp\nnova-lxc 1 n; Conflicts: nova-hyp; Provides: nova-hyp", ["nova-kvm"]),
        ("a 2 n\nb 2 n; Breaks: a (<< 2)", ["a", "b"]),
        ("a 2 n\nb 2 n; Breaks: a (<= 2)\nc 2 n", ["a", "c"]),
        ("a 2 n; Conflicts: a-old\nb 2 n", ["a", "b"]),
    ],
)  # fmt: skip
def test_packages_of_a_source_that_go_together(control: str, names: list[str]) -> None:
    binaries = pocket("", control).waiting.binaries[ARCH].values()
    kept, left = together(binaries, ARCH)
    assert (kept, {*kept, *left}) == (names, {each.name for each in binaries})


@pytest.mark.integration
@pytest.mark.parametrize(
    ("released", "waiting", "own", "dependents"),
    [
        ("greet 1\nuser 1; Depends: greet (<< 2)", "greet 2", [], ["user"]),
        ("greet 1; Provides: api-1\nuser 1; Depends: api-1", "greet 2; Provides: api-2", [], ["user"]),
        # not by a relation of one package: user needs both, and the update does not go with the other
        ("greet 1\ntool 1\nuser 1; Depends: greet, tool", "greet 2; Breaks: tool", [], ["user"]),
        ("greet 1\nbad 1; Depends: greet, nosuch", "greet 2", [], []),
        ("greet 1\nlib 1; Conflicts: x\nx 1", "greet 2; Depends: lib, x", ["greet"], []),
    ],
)
def test_consequences_of_an_update(released: str, waiting: str, own: list[str], dependents: list[str]) -> None:
    found = consequences(pocket(released, waiting), ["greet"])
    assert [each.name for each in found.own] == own
    assert [each.name for each in found.dependents] == dependents
