"""The watch: which commits get a run, why, and what becomes of runs that were cut short."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.description import PHASES, Lab
from lab.store.records import Cause
from lab.store.run_directory import HANDED_OVER, Run
from lab.store.runs import Store
from scripts import packaging, snapshot
from scripts.phases import news, runner, watching
from tests.conftest import Bench, GitRepository, packaging_files
from tests.packages import killer
from tests.scripts.phases.test_runner import Heard

HOUSE = Path(__file__).parents[3]


@pytest.fixture
def upstream(git_repository: Callable[..., GitRepository]) -> GitRepository:
    repository = git_repository("upstream")
    repository.commit("Start", {"greet.txt": "hello\n"})
    repository.tag("v1.0")
    return repository


@pytest.fixture
def packages(git_repository: Callable[..., GitRepository]) -> GitRepository:
    repository = git_repository("packaging")
    repository.commit("Package it", packaging_files())
    repository.git("branch", "testing")
    repository.commit("Install it", {"debian/examples": "greet.txt\n"})
    return repository


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], packages: GitRepository, upstream: GitRepository) -> Lab:
    return lab_factory(upstream=upstream.path, packaging=packages.path)


def end(lab: Lab, run: Run, verdict: str = "passed", exit_code: int = 0) -> None:
    """Have a run's steps pass up to sbuild, which has the verdict; and the later ones where that is good."""
    bench = Bench(lab, run)
    for name in run.steps:
        if run.record(name) is None:
            bench.pretend(name)
        if name == "sbuild" and verdict != "passed":
            decided = run.record(name).model_copy(update={"verdict": verdict, "exit_code": exit_code})
            decided.write(run.record_path(name))
            if verdict != "unstable":
                return


def had(lab: Lab, commit: str, verdict: str = "passed", exit_code: int = 0, cause: Cause = "by hand") -> Run:
    """Create a run of a commit with a verdict."""
    run = Store.of(lab).new_run(lab, "trunk", "greet", commit)
    run.write_info(run.info.model_copy(update={"commit": commit, "cause": cause}))
    if verdict != "aborted":
        end(lab, run, verdict, exit_code)
    return run


def new(lab: Lab) -> list[str]:
    return watching.new_commits(lab, "trunk", "greet")[0]


# Which commits.


def test_new_commits_of_first_watch_are_the_tip(lab: Lab, upstream: GitRepository) -> None:
    upstream.commit("More")
    assert new(lab) == [upstream.heads[-1]]


def test_new_commits_without_change_are_none(lab: Lab, upstream: GitRepository) -> None:
    had(lab, upstream.heads[-1])
    assert new(lab) == []


def test_new_commits_are_listed_in_order(lab: Lab, upstream: GitRepository) -> None:
    had(lab, upstream.heads[-1])
    commits = [upstream.commit("One"), upstream.commit("Two")]
    assert new(lab) == commits


def test_new_commits_follow_first_parent_of_merge(lab: Lab, upstream: GitRepository) -> None:
    had(lab, upstream.heads[-1])
    upstream.git("checkout", "--quiet", "-b", "side")
    upstream.commit("On the side", {"side.txt": "x\n"})
    upstream.git("checkout", "--quiet", "main")
    one = upstream.commit("On main", {"main.txt": "x\n"})
    upstream.git("-c", "user.name=A", "-c", "user.email=a@b.example", "merge", "--quiet", "--no-edit", "side")
    assert new(lab) == [one, upstream.git("rev-parse", "HEAD")]


@pytest.mark.integration
def test_new_commits_ignore_manual_run_of_older_commit(lab: Lab, upstream: GitRepository) -> None:
    upstream.commit("Tested")
    for commit in reversed(upstream.heads):
        had(lab, commit)
    assert new(lab) == []
    commit = upstream.commit("New")
    assert new(lab) == [commit]


@pytest.mark.integration
@pytest.mark.parametrize("cause", ["by hand", "bisection", "promotion"])
@pytest.mark.parametrize(
    "tested, expected", [([3], [1, 2]), ([2], [1, 3]), ([3, 1], [2]), ([1, 2, 3], []), ([0], [1, 2, 3])]
)
def test_new_commits_before_manual_run_are_not_skipped(
    lab: Lab, upstream: GitRepository, cause: Cause, tested: list[int], expected: list[int]
) -> None:
    had(lab, upstream.heads[-1], cause="upstream commit")
    commits = [upstream.heads[-1], *(upstream.commit(f"Commit {number}") for number in (1, 2, 3))]
    for number in tested:
        had(lab, commits[number], cause=cause)
    assert new(lab) == [commits[number] for number in expected]


@pytest.mark.integration
def test_new_commits_after_replaced_history_and_manual_run(lab: Lab, upstream: GitRepository) -> None:
    """Where no watch has tested the branch, it begins at the run by hand."""
    had(lab, upstream.heads[-1], cause="upstream commit")
    upstream.git("checkout", "--quiet", "--orphan", "other")
    upstream.commit("Start over", {"greet.txt": "bye\n"})
    had(lab, upstream.commit("Tested", {"greet.txt": "good\n"}))
    upstream.git("branch", "--force", "main", "other")
    assert new(lab) == []
    upstream.commit("Go on", {"greet.txt": "goodbye\n"})
    upstream.git("branch", "--force", "main", "other")
    assert new(lab) == [upstream.heads[-1]]


@pytest.mark.integration
@pytest.mark.parametrize("dropped, added", [(1, 1), (4, 3), (3, 0), (2, 6)])
def test_new_commits_after_force_push_follow_merge_base(
    lab: Lab, upstream: GitRepository, dropped: int, added: int
) -> None:
    base = upstream.commit("Base")
    for number in range(dropped):
        upstream.commit(f"Dropped {number}")
    for commit in upstream.heads:
        had(lab, commit)
    new(lab)  # the mirror has them
    upstream.git("reset", "--quiet", "--hard", base)
    commits = [upstream.commit(f"Added {number}", {"greet.txt": f"{number}\n"}) for number in range(added)]
    assert new(lab) == (commits or [base])


def test_new_commits_after_force_push_without_dropped_commit(lab: Lab, upstream: GitRepository) -> None:
    had(lab, upstream.heads[-1])
    had(lab, "0123456789abcdef0123456789abcdef01234567")
    commits = [upstream.commit("Added"), upstream.commit("Added too")]
    assert new(lab) == commits


@pytest.mark.integration
def test_new_commits_after_branch_reset(lab: Lab, upstream: GitRepository) -> None:
    base = upstream.heads[-1]
    had(lab, base)
    had(lab, upstream.commit("Dropped"))
    new(lab)
    upstream.git("reset", "--quiet", "--hard", base)
    assert new(lab) == [base]
    had(lab, base)
    assert new(lab) == []


def test_new_commits_after_replaced_history(lab: Lab, upstream: GitRepository) -> None:
    had(lab, upstream.heads[-1])
    upstream.git("checkout", "--quiet", "--orphan", "other")
    upstream.commit("Start over", {"greet.txt": "bye\n"})
    upstream.commit("Go on", {"greet.txt": "goodbye\n"})
    upstream.git("branch", "--force", "main", "other")
    assert new(lab) == [upstream.heads[-1]]


@pytest.mark.integration
@pytest.mark.parametrize("days", [[3000, 1, 1, 1, 1, 1, 1, 1, 1, 1], [-50] * 10])
def test_new_commits_ignore_dates(lab: Lab, upstream: GitRepository, days: list[int]) -> None:
    """`git rev-list TIP ^TESTED` stops by date and would list tested commits here."""
    when = upstream.when
    first = upstream.commit("Dated", {"greet.txt": "dated\n"}, when=when + days[0] * 86_400)
    chain = [upstream.commit(f"Then {n}", when=when + n * 86_400) for n in range(len(days))]
    upstream.git("checkout", "--quiet", "-b", "side", first)
    side = upstream.commit("Aside", {"aside": ""}, when=when + (days[0] + 1) * 86_400)
    upstream.git("branch", "--force", "main", "side")
    had(lab, chain[-1])
    upstream.git("tag", "kept", chain[-1])
    assert new(lab) == [side]


# What counts as tested.


@pytest.mark.integration
@pytest.mark.parametrize(
    "ends, again",
    [
        ([("failed", 1)], False),
        ([("unstable", 4)], False),
        ([("error", 3)], True),
        ([("error", 3)] * 2, True),
        ([("error", 3)] * 3, False),
        ([("error", 2)] * 2, True),
        ([("error", 2), ("error", 3), ("error", 3)], False),
        ([("error", 70)], False),  # a bug of qalab's is not tried again
        ([("error", 3), ("passed", 0)], False),
        ([("passed", 0), ("error", 3)], False),
        ([("aborted", 130)], True),
        ([("aborted", 130)] * 5, True),
    ],
)
@pytest.mark.parametrize("later", [0, 2])
def test_new_commits_repeat_error_verdicts_only(
    lab: Lab, upstream: GitRepository, ends: list[tuple[str, int]], *, again: bool, later: int
) -> None:
    """A commit with the verdict error is tested again, even after runs of later commits."""
    had(lab, upstream.heads[-1])
    commit = upstream.commit("Tested or not")
    for verdict, exit_code in ends:
        had(lab, commit, verdict, exit_code)
    for number in range(later):
        had(lab, upstream.commit(f"Later {number}"))
    aborted = {verdict for verdict, _ in ends} == {"aborted"}
    assert new(lab) == ([commit] if again and not (aborted and later) else [])


@pytest.mark.integration
def test_new_commits_count_failed_snapshot_for_its_revision(lab: Lab, upstream: GitRepository) -> None:
    run = Store.of(lab).new_run(lab, "trunk", "greet", upstream.heads[-1])
    for _ in range(news.TRIES):
        assert new(lab) == [upstream.heads[-1]]
        record = Bench(lab, run).pretend("snapshot")
        record.model_copy(update={"verdict": "error", "exit_code": 3}).write(run.record_path("snapshot"))
        run = Store.of(lab).new_run(lab, "trunk", "greet", upstream.heads[-1])
    assert new(lab) == []


def test_new_commits_of_missing_branch_name_known_branches(lab: Lab, upstream: GitRepository) -> None:
    upstream.git("branch", "--move", "main", "trunk")
    with pytest.raises(ConfigurationError, match=r"upstream: no branch main; branches: trunk$"):
        new(lab)


# A run for each, and why.


def round_of(lab: Lab, verdict: str = "passed") -> list[tuple[str, str, str]]:
    """Run one round of the watch, in which each run executes snapshot and packaging, and then gets the verdict."""
    found = []
    for run in watching.watch(lab, "trunk", 0, once=True, say=lambda _: None):
        for module in (snapshot, packaging):
            Bench(lab, run).execute(module)
        end(lab, run, verdict, verdict == "failed")
        found.append((run.id, run.info.cause, run.info.revision))
    return found


@pytest.mark.integration
def test_watch_starts_run_for_each_new_commit(lab: Lab, upstream: GitRepository) -> None:
    assert round_of(lab) == [("trunk/greet/1", "upstream commit", upstream.heads[-1])]
    commits = [upstream.commit("One"), upstream.commit("Two")]
    assert round_of(lab) == [(f"trunk/greet/{n + 2}", "upstream commit", commit) for n, commit in enumerate(commits)]
    assert round_of(lab) == []


def change(packages: GitRepository, lab: Lab, what: str) -> None:
    """Do something to the packaging."""
    match what:
        case "a packaging commit":
            packages.commit("Install more", {"debian/docs": "greet.txt\n"})
        case "packaging commits that cancel out":
            packages.commit("Install more", {"debian/docs": "greet.txt\n"})
            packages.commit("Do not", {"debian/docs": None})
        case "a changelog entry":
            packages.commit("Release", {"debian/changelog": packaging_files(version="1.0-2")["debian/changelog"]})
        case "a file outside of debian":
            packages.commit("Merge upstream", {"greet.txt": "hello\n"})
        case "a testing commit" | "both":
            packages.git("checkout", "--quiet", "testing")
            packages.commit("Test it", {"debian/tests/control": "Test-Command: true\n"})
            packages.git("checkout", "--quiet", "main")
            if what == "both":
                packages.commit("Install more", {"debian/docs": "greet.txt\n"})
        case "a commit on another branch":
            packages.git("checkout", "--quiet", "-b", "wip")
            packages.commit("Try it", {"debian/docs": "greet.txt\n"})
            packages.git("checkout", "--quiet", "main")
        case "the lab's own push":
            run = Store.of(lab).runs()[-1]
            tree = run.work / "packaging"
            pushed = packages.git("ls-remote", tree, "HEAD").split()[0]
            packages.git("fetch", "--quiet", tree, "HEAD")
            packages.git("reset", "--quiet", "--hard", pushed)
        case "a force push":
            packages.git("reset", "--quiet", "--hard", "HEAD~1")
            packages.commit("Install another", {"debian/docs": "greet.txt\n"})


@pytest.mark.integration
@pytest.mark.parametrize(
    "what, cause",
    [
        ("nothing", ""),
        ("a packaging commit", "packaging commit"),
        ("packaging commits that cancel out", ""),
        ("a changelog entry", ""),
        ("a file outside of debian", ""),
        ("a testing commit", "testing commit"),
        ("both", "packaging commit"),
        ("a commit on another branch", ""),
        ("a force push", "packaging commit"),
    ],
)
def test_watch_starts_run_of_tip_for_packaging_commit(
    lab_factory: Callable[..., Lab], upstream: GitRepository, packages: GitRepository, what: str, cause: str
) -> None:
    testing = {"git": str(packages.path), "branch": "testing"}
    lab = lab_factory(upstream=upstream.path, packaging=packages.path,
                      component={"packaging": {"branch": "main", "testing": testing}})  # fmt: skip
    assert len(round_of(lab)) == 1
    change(packages, lab, what)
    assert round_of(lab) == ([("trunk/greet/2", cause, upstream.heads[-1])] if cause else [])
    assert round_of(lab) == []
    change(packages, lab, "the lab's own push")
    assert round_of(lab) == []


@pytest.mark.integration
def test_watch_builds_upstream_commit_with_new_packaging(
    lab: Lab, upstream: GitRepository, packages: GitRepository
) -> None:
    round_of(lab)
    change(packages, lab, "a packaging commit")
    commit = upstream.commit("One")
    assert round_of(lab) == [("trunk/greet/2", "upstream commit", commit)]
    assert round_of(lab) == []


@pytest.mark.integration
def test_watch_repeats_packaging_conflict_after_fix(
    lab_factory: Callable[..., Lab], upstream: GitRepository, packages: GitRepository
) -> None:
    testing = {"git": str(packages.path), "branch": "testing"}
    lab = lab_factory(upstream=upstream.path, packaging=packages.path,
                      component={"packaging": {"branch": "main", "testing": testing}})  # fmt: skip
    round_of(lab)
    packages.commit("Ours", {"debian/install": "a\n"})
    packages.git("checkout", "--quiet", "testing")
    packages.commit("Theirs", {"debian/install": "b\n"})
    packages.git("checkout", "--quiet", "main")
    for run in watching.watch(lab, "trunk", 0, once=True, say=lambda _: None):
        Bench(lab, run).execute(snapshot)
        assert Bench(lab, run).execute(packaging).verdict == "failed"
        assert run.info.cause == "packaging commit"
    assert round_of(lab) == []  # nothing has changed
    packages.commit("As theirs", {"debian/install": "b\n"})
    assert [cause for _, cause, _ in round_of(lab)] == ["packaging commit"]
    assert round_of(lab) == []


@pytest.mark.integration
def test_watch_repeats_packaging_commit_after_lab_error(
    lab: Lab, upstream: GitRepository, packages: GitRepository
) -> None:
    round_of(lab)
    change(packages, lab, "a packaging commit")
    for _ in range(news.TRIES):
        [run] = watching.watch(lab, "trunk", 0, once=True, say=lambda _: None)
        assert run.info.cause == "packaging commit"
        for module in (snapshot, packaging):
            Bench(lab, run).execute(module)
        end(lab, run, "error", 3)
    assert round_of(lab) == []


@pytest.mark.integration
@pytest.mark.parametrize("once", [True, False])
def test_watch_continues_after_missing_upstream(
    lab_factory: Callable[..., Lab], upstream: GitRepository, packages: GitRepository, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, *, once: bool,
) -> None:  # fmt: skip
    gone = {"upstream": {"git": str(tmp_path / "gone")}, "packaging": {"git": str(packages.path)}}
    lab = lab_factory(upstream=upstream.path, packaging=packages.path, lab={"components": {"aa": gone, "zz": gone}})
    messages: list[str] = []
    monkeypatch.setattr(watching.time, "sleep", lambda _: upstream.commit("Next"))
    runs = watching.watch(lab, "trunk", 9, once=once, say=messages.append)
    first = next(runs)
    assert first.id == "trunk/greet/1"
    end(lab, first)
    if once:
        with pytest.raises(InfrastructureError, match="gone: cannot be fetched"):
            next(runs)
    else:
        run = next(runs)  # of the next round
        assert (run.id, run.info.revision) == ("trunk/greet/2", upstream.heads[-1])
    troubles = [line.partition(": ")[0] for line in messages if "cannot be fetched" in line]
    assert troubles == [str(tmp_path / "gone")] * (1 if once else 2)
    assert messages[0] == f"trunk/greet/1: upstream commit {upstream.heads[0][:7]}"


def test_watch_tests_upstream_without_packaging_answer(
    lab_factory: Callable[..., Lab], upstream: GitRepository
) -> None:
    runs = watching.watch(lab_factory(upstream=upstream.path), "trunk", 9, once=True, say=lambda _: None)
    assert next(runs).info.revision == upstream.heads[-1]
    with pytest.raises(InfrastructureError, match="/nowhere/packaging: cannot be fetched"):
        next(runs)


# Runs that were cut short.


@pytest.mark.integration
def test_watch_resumes_its_killed_run_first(lab: Lab, upstream: GitRepository, tmp_path: Path) -> None:
    path = killer(tmp_path / "bin", "dpkg-source", 1)
    argv = [sys.executable, HOUSE / "qalab.py", "watch", "trunk", "--once", "--lab", tmp_path / "lab.yaml"]
    environment = os.environ | {"PATH": f"{path}:{os.environ['PATH']}"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stdout + done.stderr
    [run] = Store.of(lab).runs()
    assert (run.verdict, run.record("changelog").verdict, run.record("source").verdict) == (
        "aborted", "passed", "aborted"
    )  # fmt: skip
    later = upstream.commit("Meanwhile")
    found = []
    for each in watching.watch(lab, "trunk", 0, once=True, say=lambda _: None):
        heard = Heard()
        runner.run_phase(lab, each, heard, until="source")
        end(lab, each)
        found.append((each.id, each.info.cause, each.info.commit, heard.events[:3]))
    kept, anew = ["keep snapshot", "keep packaging", "keep changelog"], ["start snapshot", "passed snapshot"]
    assert found == [
        ("trunk/greet/1", "upstream commit", upstream.heads[0], kept),
        ("trunk/greet/2", "upstream commit", later, [*anew, "start packaging"]),
    ]


@pytest.mark.integration
def test_watch_does_not_resume_manual_run(lab: Lab, upstream: GitRepository) -> None:
    run = had(lab, upstream.heads[-1], "aborted")
    assert run.info.cause == "by hand"
    assert [found[:2] for found in round_of(lab)] == [("trunk/greet/2", "upstream commit")]


@pytest.mark.integration
def test_watch_does_not_touch_held_run(lab: Lab, upstream: GitRepository) -> None:
    [run] = watching.watch(lab, "trunk", 0, once=True, say=lambda _: None)
    with run.held():
        assert round_of(lab) == []
    assert [found[0] for found in round_of(lab)] == ["trunk/greet/1"]


@pytest.mark.integration
def test_watch_starts_missing_next_phase(
    lab_factory: Callable[..., Lab], upstream: GitRepository, packages: GitRepository
) -> None:
    phases: dict[str, Any] = {"phases": ["build", "deploy"]}
    lab = lab_factory(upstream=upstream.path, packaging=packages.path, track=phases)
    assert len(round_of(lab)) == 1
    (Store.of(lab).runs()[-1].results / HANDED_OVER).write_text("VERSION=1.0\n")
    [run] = watching.watch(lab, "trunk", 0, once=True, say=lambda _: None)
    assert (run.id, runner.next_run(lab, run).info.cause) == ("trunk/greet/1", "upstream commit")
    [deployment] = watching.watch(lab, "trunk", 0, once=True, say=lambda _: None)
    assert (deployment.id, deployment.steps) == ("trunk/greet/2", PHASES["deploy"])


# The order of components.


def in_order(
    lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository], needs: dict[str, str]
) -> Lab:
    """Return a lab with components whose packagings, never built, need each other; the file has them in the given order."""
    components = {}
    for name, needed in needs.items():
        upstream, packaging = git_repository(f"upstream-{name}"), git_repository(f"packaging-{name}")
        upstream.commit("Start", {"greet.txt": "hello\n"})
        files = packaging_files(name)
        more = "".join(f", {each}" for each in needed.split())
        files["debian/control"] = files["debian/control"].replace("compat (= 13)", f"compat (= 13){more}")
        packaging.commit("Package it", files)
        components[name] = {"upstream": {"git": str(upstream.path)}, "packaging": {"git": str(packaging.path)}}
    names = [*components]
    return lab_factory(lab={"components": components, "tracks": {"trunk": {"components": names}}})


@pytest.mark.integration
@pytest.mark.parametrize(
    "needs, broken, order, reasons",
    [
        ({"end": "left right", "left": "top", "right": "top", "top": ""}, "", "top left right end", []),
        ({"user": "lib", "lib": ""}, "lib", "lib", ["user: not started: lib failed or waits"]),
        (
            {"aa": "bb", "bb": "aa", "cc": "aa"},
            "",
            "aa bb cc",
            ["circle: aa, bb build-depend on each other: the order of lab.yaml counts"],
        ),
    ],
    ids=["diamond", "failed-need", "circle"],
)
def test_watch_follows_build_dependencies(  # noqa: PLR0917 - the columns of a table
    lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository],
    needs: dict[str, str], broken: str, order: str, reasons: list[str],
) -> None:  # fmt: skip
    lab = in_order(lab_factory, git_repository, needs)
    found, said = [], list[str]()
    for run in watching.watch(lab, "trunk", 0, once=True, say=said.append):
        found.append(run.info.component)
        end(lab, run, "failed" if run.info.component == broken else "passed", 1)
    assert found == order.split()
    assert [line for line in said if "upstream commit" not in line] == reasons
    assert all(run.info.inputs is not None for run in Store.of(lab).runs())


@pytest.mark.integration
def test_watch_runs_two_at_a_time(
    lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository]
) -> None:
    needs = {"end": "left right", "left": "top", "right": "top", "top": ""}
    lab = in_order(lab_factory, git_repository, needs)
    running: list[Run] = []
    found: list[list[str]] = []

    def finished() -> Run:
        found.append([run.info.component for run in running])
        end(lab, running[-1])
        return running.pop()

    for run in watching.watch(lab, "trunk", 0, once=True, say=lambda _: None, jobs=2, finished=finished):
        running += [run]
    assert found == [["top"], ["left", "right"], ["left"], ["end"]]


@pytest.mark.integration
def test_watch_repeats_failed_commit_with_new_settings(
    lab_factory: Callable[..., Lab], upstream: GitRepository, packages: GitRepository
) -> None:
    options = {"upstream": upstream.path, "packaging": packages.path}
    lab = lab_factory(**options)
    assert len(round_of(lab, "failed")) == 1
    assert round_of(lab) == []
    lab = lab_factory(**options, component={"build": {"options": ["nocheck"], "rebuild_on": []}})
    assert round_of(lab) == [("trunk/greet/2", "settings", upstream.heads[-1])]
    assert Store.of(lab).runs()[-1].info.reason == "changed in lab.yaml: build"
    lab = lab_factory(**options, component={"build": {"rebuild_on": []}})
    assert round_of(lab) == []  # it is well, and does not ask for it
