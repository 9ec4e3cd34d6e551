"""The watch: find what is new for a track, and begin a run for each.

A run begins for each upstream commit that the branch was at (first parents), and for the tip when the packaging branch
or the testing branch has something new.  Why it began is the run's ``cause``.

A commit is tested when a run of it came to a verdict on it.  A run that the lab could not finish (``error``) is no
verdict: the commit gets another run, at most `TRIES` in all.  A run that was cut short (``aborted``) is none either:
the watch resumes its own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import IO, Literal

from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError
from lab.base.git import GitMirror, try_git
from lab.config.description import Lab
from lab.store.records import Cause
from lab.store.run_directory import COMMIT, WHOLE, Run
from lab.store.runs import Store
from scripts import packaging, push
from scripts.phases import runner
from scripts.pockets import proposed
from scripts.upstream import commit_selection, packaging_branch
from scripts.upstream.tags import reachable

TRIES = 3
"""How many runs a commit gets while the lab is at fault."""
WATCHED: Collection[Cause] = ("upstream commit", "packaging commit", "testing commit", "proposed packages")
Outcome = Literal["verdict", "error", "none"]
RETRIED = (ConfigurationError.exit_code, InfrastructureError.exit_code)


def watch(lab: Lab, track: str, seconds: float, *, once: bool, say: Callable[[str], None] = print) -> Iterator[Run]:
    """Poll for ever; yield the runs that were cut short, then a new run for each thing that is new, in order.

    The caller runs each before it asks for the next.  What cannot be asked (an upstream that does not answer) stops
    nothing else: it is reported, and asked again in the next round.  With ``once`` there is one round, and the last
    such error is raised at its end.
    """
    ask = _new_proposed if lab.tracks[track].trigger == "proposed" else _new_commits
    while True:
        troubles: list[LabError] = []
        for run in ask(lab, track, troubles):
            say(f"{run.id}: {run.info.cause} {run.info.revision[:7]}".rstrip())
            yield run
        for trouble in troubles[: -1 if once else None]:
            say(str(trouble))
        if once and troubles:
            raise troubles[-1]
        if once:
            return
        time.sleep(seconds)


def _new_commits(lab: Lab, track: str, troubles: list[LabError]) -> Iterator[Run]:
    for component in lab.components_of(track):
        yield from cut_short(lab, track, component)
        heads: Heads | None = None
        try:
            heads = packaging_heads(lab, track, component)
        except (ConfigurationError, Failed, InfrastructureError) as error:
            troubles.append(error)
        try:
            commits, tip = new_commits(lab, track, component)
        except (ConfigurationError, InfrastructureError) as error:
            troubles.append(error)
            continue
        for commit in commits:
            yield begin(lab, track, component, commit, "upstream commit", heads)
        if not commits and heads and (cause := heads.news(*last_heads(lab, track, component))):
            yield begin(lab, track, component, tip, cause, heads)


def _new_proposed(lab: Lab, track: str, troubles: list[LabError]) -> Iterator[Run]:
    """Yield a run for each update that waits, with its companions, and then one for all together."""
    for component in (*lab.components_of(track), WHOLE):
        yield from cut_short(lab, track, component)
    try:
        with _watch_log(lab) as log:
            waiting = [*proposed.sets(lab, track, log)]
    except (ConfigurationError, InfrastructureError) as error:
        troubles.append(error)
        return
    for component, found in waiting:
        if proposed.is_new(lab, track, found.content):
            run = Store.of(lab).new_run(lab, track, component, phase=lab.tracks[track].phases[0])
            run.write_info(run.info.model_copy(update={"cause": "proposed packages"}))
            yield run


@contextmanager
def _watch_log(lab: Lab) -> Iterator[IO[str]]:
    path = Store.of(lab).root / "watch.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as log:
        yield log


def cut_short(lab: Lab, track: str, component: str) -> Iterator[Run]:
    """Yield the runs of a watch that were cut short after its last finished one, oldest first.

    Then yield that one, where it went well and the run of its track's next phase never began.
    """
    watched = [run for run in Store.of(lab).runs(track, component) if run.info.cause in WATCHED]
    aborted = [*takewhile(lambda run: run.verdict == "aborted", reversed(watched))]
    yield from reversed(aborted)
    waiting = None if aborted else runner.to_go_on(lab, track, component)
    if waiting and waiting.info.cause in WATCHED:
        yield waiting


def begin(  # noqa: PLR0913, PLR0917 - what a run is
    lab: Lab, track: str, component: str, commit: str, cause: Cause, heads: Heads | None
) -> Run:
    """Make a run directory for what is new."""
    run = Store.of(lab).new_run(lab, track, component, commit)
    seen = {"packaging": heads.packaging, "testing": heads.testing} if heads else {}
    run.write_info(run.info.model_copy(update={"cause": cause, **seen}))
    return run


def new_commits(lab: Lab, track: str, component: str) -> tuple[list[str], str]:
    """Return the upstream commits that no run of the track has tested, oldest first, and the branch's tip."""
    mirror, tip = upstream_tip(lab, track, component)
    runs = Store.of(lab).runs(track, component, "build")
    return untested(mirror, tip, *judged((commit_of(run), outcome_of(run)) for run in runs)), tip


def upstream_tip(lab: Lab, track: str, component: str) -> tuple[GitMirror, str]:
    """Ask upstream; return its mirror, and the full id of the branch's tip.  Raises as the step `snapshot`."""
    upstream = lab.component(component, track).upstream
    mirror = GitMirror.of(upstream.git)
    with _watch_log(lab) as log:
        mirror.fetch(log)
    branch = upstream.branch or lab.tracks[track].branch
    tip = mirror.resolve(f"refs/heads/{branch}")
    if tip is None:
        known = commit_selection.abbreviated(commit_selection.branches(mirror))
        raise ConfigurationError(f"{upstream.git}: no branch {branch}; branches: {known}")
    return mirror, tip


def untested(mirror: GitMirror, tip: str, tested: Sequence[str], again: Collection[str]) -> list[str]:
    """Return the commits of a branch that were not tested, oldest first.

    They are the states that the branch itself has had (first parents).  The first time, and where nothing of the
    branch was tested, it is the tip alone.  After a force push, it is what follows the last common commit.
    """
    line = mirror.git("rev-list", "--first-parent", tip).split()
    known = reachable(mirror, *dict.fromkeys(tested)) if tested else {}
    new = [*takewhile(lambda commit: commit not in known, line)]
    if len(new) == len(line):
        return [tip]
    if not new and not mirror.is_ancestor(tested[-1], tip):
        new = [tip]  # the branch was set back to a commit that the last tested one has
    new += [commit for commit in line[len(new) :] if commit in again]
    return new[::-1]


def judged(runs: Iterable[tuple[str, Outcome]]) -> tuple[list[str], set[str]]:
    """Return the commits that runs came to a verdict on, in their order, and those that the lab owes another run.

    ``runs``: their commits (full ids, or "") and outcomes, oldest first.
    """
    tested: list[str] = []
    errors: Counter[str] = Counter()
    for commit, outcome in runs:
        if not commit or outcome == "none":
            continue
        errors[commit] += outcome == "error"
        if outcome == "verdict" or errors[commit] >= TRIES:
            tested.append(commit)
    return tested, set(errors) - set(tested)


def commit_of(run: Run) -> str:
    """Return the full id of a run's commit, "" if it is not known yet."""
    info = run.info
    return info.commit or (info.revision if COMMIT.fullmatch(info.revision) else "")


def outcome_of(run: Run) -> Outcome:
    """Return what a run came to: a verdict (or it is under way), an error that another run may not meet, or nothing."""
    standing = run.standing()
    if standing.verdict == "aborted":
        return "none"
    codes = [record.exit_code for record in standing.records if record.verdict == "error"]
    return "error" if standing.verdict == "error" and codes[-1] in RETRIED else "verdict"


@dataclass(frozen=True)
class Heads:
    """The heads of the branches of a packaging; ``testing`` is empty without a testing branch."""

    mirror: GitMirror
    packaging: str
    testing: str

    def news(self, packaging: Collection[str], testing: str) -> Cause:
        """Return what has something new since these commits were tested ("": nothing).

        A packaging commit that changes nothing below debian/ but its changelog is not news: the lab pushes such.
        """
        if not packaging:
            return ""
        tested = [self._content(commit) for commit in packaging]
        if self.packaging not in packaging and self._content(self.packaging) not in tested:
            return "packaging commit"
        return "testing commit" if testing != self.testing else ""

    def _content(self, commit: str) -> list[str]:
        listing = try_git(["ls-tree", "-r", commit, "debian/"], cwd=self.mirror.path).stdout.splitlines()
        return [line for line in listing if not line.endswith("\tdebian/changelog")]


def packaging_heads(lab: Lab, track: str, component: str) -> Heads:
    """Ask the packaging and its testing branch what they are at.  Raises as the step `packaging`."""
    settings = lab.component(component, track).packaging
    with _watch_log(lab) as log:
        found = packaging_branch.find(lab, track, component, log)
        if not settings.testing:
            return Heads(found.mirror, found.head, "")
        theirs = GitMirror.of(settings.testing.git)
        if theirs != found.mirror:
            theirs.fetch(log)
        testing = packaging_branch.branch_commit(theirs, settings.testing.branch)
        return Heads(found.mirror, found.head, testing)


def last_heads(lab: Lab, track: str, component: str) -> tuple[tuple[str, ...], str]:
    """Return the packaging commits that the newest build tested or pushed, and its testing commit.

    Runs without a verdict do not count, unless the lab has failed `TRIES` times.
    """
    errors = 0
    for run in reversed(Store.of(lab).runs(track, component, "build")):
        outcome = outcome_of(run)
        errors += outcome == "error"
        if outcome == "none" or (outcome == "error" and errors < TRIES):
            continue
        record, pushed = run.record(packaging.NAME), run.record(push.NAME)
        if record and record.finished_well:
            commits = [record.facts["head"], record.facts["merged"], pushed.facts.get("commit") if pushed else ""]
            return tuple(filter(None, commits)), record.facts["testing"]
        if run.info.packaging:
            return (run.info.packaging,), run.info.testing
    return (), ""
