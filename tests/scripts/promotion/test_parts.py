"""The parts of a promotion as pure functions: verdicts, votes, contents, the packages below, runs as probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.store.promotions import ProbeFailure, ProbeRecord, StateVote
from lab.store.run_directory import WHOLE, Run
from lab.store.runs import Store
from scripts.archives.content import Content
from scripts.archives.stanzas import Kind, parsed
from scripts.promotion import judgement, probing
from scripts.promotion.composition import compose
from scripts.promotion.distribution import needed
from scripts.promotion.failures import described
from scripts.promotion.probing import ProbeResult
from tests.conftest import Bench
from tests.scripts.migration.suites import suite

A, B = ProbeFailure(test="exercise: a", message="a is broken"), ProbeFailure(test="exercise: b")


def record(*failures: ProbeFailure) -> ProbeRecord:
    return ProbeRecord(state="base", verdict="failed" if failures else "passed", failures=failures)


@pytest.mark.parametrize(
    "result, baseline, verdict, message",
    [
        (ProbeResult("passed"), None, "passed", ""),
        (ProbeResult("failed", failures=(A,)), None, "failed", "exercise: a: a is broken"),
        (ProbeResult("failed", failures=(A,)), record(), "failed", "exercise: a: a is broken"),
        (ProbeResult("failed", failures=(A, B)), record(A), "failed", "exercise: b"),
        (
            ProbeResult("failed", failures=(A,)),
            record(A, B),
            "passed",
            "no regression: exercise: a: a is broken fails in the present state of the label too",
        ),
        (ProbeResult("failed", message="it burned"), record(A), "failed", "it burned"),  # nothing to compare
    ],
)
def test_only_regressions_fail(result: ProbeResult, baseline: ProbeRecord | None, verdict: str, message: str) -> None:
    found = judgement.judged(result, "state", ("x/1",), baseline, "now")
    assert (found.verdict, found.message) == (verdict, message)


def test_same_failure_that_ends_the_probe_is_no_verdict() -> None:
    probed = ProbeResult("failed", failures=(A,), message="apt failed", ended_at="deploy")
    message = "state has no verdict: deploy fails there and in the present state of the label: apt failed"
    with pytest.raises(InfrastructureError, match=message):
        judgement.judged(probed, "state", ("x/1",), record(A), "now")
    assert judgement.judged(probed, "state", ("x/1",), record(B), "now").verdict == "failed"


def vote(name: str, verdict: Literal["passed", "failed"]) -> StateVote:
    return StateVote(state="base", name=name, verdict=verdict, url=f"https://{name}.example")


@pytest.mark.parametrize(
    "votes, expected",
    [
        ([], ("one", "two")),
        ([vote("one", "passed")], ("two",)),
        ([vote("one", "passed"), vote("two", "passed"), vote("stranger", "failed")], "passed"),
        ([vote("two", "failed")], "failed"),  # whatever the other says
    ],
)
def test_votes_are_counted(votes: list[StateVote], expected: str | tuple[str, ...]) -> None:
    known = {one.name: one for one in votes}
    if isinstance(expected, tuple):
        with pytest.raises(judgement.VotesMissing) as caught:
            judgement.with_votes(record(), known, ["one", "two"])
        assert caught.value.names == expected
    else:
        found = judgement.with_votes(record(), known, ["one", "two"])
        assert (found.verdict, len(found.votes)) == (expected, len([name for name in known if name != "stranger"]))


def test_failures_in_one_line() -> None:
    assert described([A, B, A, B]) == "exercise: a: a is broken; exercise: b and 2 more"


def content(*lines: str) -> Content:
    """A content of packages, ``KIND SOURCE VERSION PACKAGE [ARCH]``."""
    made = Content(("amd64",), {})
    for line in lines:
        kind, source, version, package, *arch = line.split()
        text = f"Package: {package}\nSource: {source}\nVersion: {version}\nArchitecture: {arch[0] if arch else 'all'}\n"
        text += "Directory: x\n" if kind == "source" else "Filename: x\n"
        known: dict[str, Kind] = {"source": "source", "binary": "binary", "udeb": "udeb"}
        made = made.with_version([parsed(known[kind], text)])
    return made


def test_a_content_has_what_a_migration_lists() -> None:
    base = content(
        "source a 1 a", "binary a 1 a", "binary a 1 old", "udeb a 1 a-udeb", "source b 1 b", "binary b 1 b amd64"
    )
    newest = content("source a 2 a", "binary a 2 a", "udeb a 2 a-udeb", "source b 2 b", "binary b 2 b amd64")
    chosen = [("a", "2", "all"), ("b", "1", "amd64"), ("a", "2", "source"), ("b", "1", "source")]
    found = compose(base, newest, chosen)
    assert found.versions == (("a", "2"), ("b", "1"))
    assert found.binaries == (("a", "2"), ("b", "1"))
    assert [each.version for each in found.indices["main/debian-installer/binary-amd64/Packages"].stanzas.values()] == [
        "2"
    ]
    kept = compose(base, newest, [*chosen, ("old", "1", "all")])  # an old library that something still needs
    assert kept.binaries == (("a", "2"), ("b", "1"), ("old", "1"))


DISTRIBUTION = """\
Package: base-files
Version: 1
Architecture: amd64
Essential: yes
Depends: awk

Package: mawk
Version: 1
Architecture: amd64
Provides: awk

Package: libc6
Version: 1
Architecture: amd64
Depends: libgcc-s1 (>= 1),
 libcrypt1

Package: libgcc-s1
Version: 1
Architecture: amd64

Package: libcrypt1
Version: 1
Architecture: all

Package: unused
Version: 1
Architecture: amd64
"""


@pytest.mark.parametrize(
    "depends, expected",
    [("", ""), ("libc6 (>= 0) | other", "libc6 libcrypt1 libgcc-s1"), ("nothing", ""), ("libcrypt1:any", "libcrypt1")],
)
def test_packages_below_are_those_that_others_need(depends: str, expected: str) -> None:
    relation = f" : {depends}" if depends else ""
    binaries = suite(f"a 1 > a{relation}").binaries["amd64"].values()
    found = needed([DISTRIBUTION, ""], binaries, "amd64").binaries["amd64"]
    assert sorted(found) == sorted([*expected.split(), "base-files", "mawk"])


Runs = Callable[..., Run]


@pytest.fixture
def made(lab_factory: Callable[..., Lab]) -> Callable[..., list[Run]]:
    """``made(deploy={"deploy": "passed"})``: runs of phases with the verdicts of their steps."""
    lab = lab_factory(track={"phases": ["build", "deploy", "exercise"]})

    def make(state: str = "trunk-1", **phases: dict[str, str]) -> list[Run]:
        runs = []
        for phase, steps in phases.items():
            run = Store.of(lab).new_run(lab, "trunk", WHOLE, phase=phase)  # type: ignore[arg-type]
            run.write_info(run.info.model_copy(update={"archive": state}))
            for step, verdict in steps.items():
                bench: Any = Bench(lab, run)
                done = bench.pretend(step, message=f"{step} is {verdict}")
                done.model_copy(update={"verdict": verdict}).write(run.record_path(step))
            runs.append(run)
        return runs

    return make


DEPLOYED = {"deploy": "passed", "configure": "skipped"}
EXERCISED = {"exercise": "passed", "tempest": "skipped", "reset": "passed"}


@pytest.mark.parametrize(
    "phases, verdict, message",
    [
        ({"deploy": DEPLOYED, "exercise": EXERCISED}, "passed", ""),
        ({"deploy": {"deploy": "failed"}}, "failed", "deploy: deploy is failed"),
        ({"deploy": {"deploy": "error"}}, "error", "trunk/all/1: error: deploy is error"),
        ({"deploy": {"deploy": "skipped", "configure": "skipped"}}, "error", "trunk/all/1: skipped: deploy is skipped"),
        ({"deploy": {"deploy": "running"}}, "error", "trunk/all/1: aborted: ended before it could say how it went"),
        ({"deploy": DEPLOYED}, "error", "no run of the phase exercise"),
        ({"deploy": DEPLOYED, "exercise": EXERCISED | {"exercise": "skipped"}}, "error", "trunk/all/2: passed: exercise is skipped"),
        ({"deploy": DEPLOYED, "exercise": EXERCISED | {"exercise": "unstable"}}, "failed", "exercise: exercise is unstable"),
        ({"deploy": DEPLOYED, "exercise": EXERCISED | {"tempest": "failed"}}, "failed", "tempest: tempest is failed"),
        ({"deploy": DEPLOYED, "exercise": {"exercise": "passed", "tempest": "error"}}, "error", "trunk/all/2: error: tempest is error"),
    ],
)  # fmt: skip
def test_what_was_not_done_is_an_error(
    made: Callable[..., list[Run]], phases: dict[str, dict[str, str]], verdict: str, message: str
) -> None:
    found = probing.result(made(**phases), ["deploy", "exercise"], "trunk-1")
    assert (found.verdict, found.message) == (verdict, message)


@pytest.mark.parametrize(
    "phases, step",
    [
        ({"deploy": {"deploy": "failed"}}, "deploy"),
        ({"deploy": DEPLOYED, "exercise": {"exercise": "failed"}}, "exercise"),  # Tempest did not run
        ({"deploy": DEPLOYED, "exercise": EXERCISED | {"exercise": "unstable"}}, ""),
        ({"deploy": DEPLOYED, "exercise": EXERCISED}, ""),
    ],
)
def test_step_that_ends_a_probe(made: Callable[..., list[Run]], phases: dict[str, dict[str, str]], step: str) -> None:
    assert probing.result(made(**phases), ["deploy", "exercise"], "trunk-1").ended_at == step


def test_runs_of_another_state_are_an_error(made: Callable[..., list[Run]]) -> None:
    runs = made("trunk-2", deploy=DEPLOYED, exercise=EXERCISED)
    assert probing.result(runs, ["deploy", "exercise"], "trunk-1").verdict == "error"
    assert probing.result(runs, ["deploy", "exercise"], "trunk-2").verdict == "passed"
