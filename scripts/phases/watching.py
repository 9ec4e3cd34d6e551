"""The watch: find what is new for a track, and begin a run for each.

A run begins for each upstream commit that the branch was at (first parents), and for the tip when something else is
new: the packaging branch, the testing branch, the settings, a build dependency (see `scripts.ordering.inputs`).  The
reason is the run's ``cause``.  A component waits for those that it build-depends on (see `scripts.ordering.scheduling`).

A commit is tested when a run of it came to a verdict on it (see `scripts.phases.news`).  A run that was cut short
(``aborted``) is none: the watch resumes its own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import takewhile

from lab.base import environment
from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError
from lab.config.description import Lab
from lab.store.records import Cause, rfc3339
from lab.store.run_directory import COMMIT, WHOLE, Run
from lab.store.runs import Store
from scripts import packaging, push
from scripts.ordering.scheduling import Situation
from scripts.ordering.track_components import TrackComponents, packaging_control
from scripts.phases import news, runner
from scripts.phases.news import TRIES, WATCHED, Heads, Outcome, watch_log
from scripts.pockets import closing, planning, proposed
from scripts.reviews import watching as reviewing

RETRIED = (ConfigurationError.exit_code, InfrastructureError.exit_code)
TROUBLES = (ConfigurationError, Failed, InfrastructureError)
Begin = Callable[[], Run]


def watch(  # noqa: PLR0913 - options have names
    lab: Lab,
    track: str,
    seconds: float,
    *,
    once: bool,
    say: Callable[[str], None] = print,
    jobs: int = 1,
    finished: Callable[[], Run] | None = None,
    idle: Callable[[], None] | None = None,
) -> Iterator[Run]:
    """Poll for ever; yield the runs that were cut short, then a new run for each thing that is new, in order.

    The caller runs each before it asks for the next; or at most ``jobs`` at the same time, with ``finished``, which
    waits for one of them and returns it.  A source that cannot be asked stops nothing
    else: it is reported, and asked again in the next round.  With ``once`` there is one round, and the last
    such error is raised at its end.  ``idle`` is called after each round.
    """
    reported: set[tuple[str, ...]] = set()
    while True:
        troubles: list[LabError] = []
        if lab.tracks[track].trigger == "proposed":
            yield from _said(say, _new_proposed(lab, track, troubles, say))
        elif lab.tracks[track].trigger == "review":
            yield from _said(say, reviewing.new_runs(lab, track, troubles))
        else:
            current = WatchRound(lab, track, troubles)
            for circle in {*current.components.graph.circles} - reported:
                say(f"circle: {', '.join(circle)} build-depend on each other: the order of {lab.file.name} counts")
                reported.add(circle)
            yield from _run_round(current, say, jobs, finished)
        for trouble in troubles[: -1 if once else None]:
            say(str(trouble))
        if idle:
            idle()
        if once and troubles:
            raise troubles[-1]
        if once:
            return
        time.sleep(seconds)


def _run_round(
    current: WatchRound, say: Callable[[str], None], jobs: int, finished: Callable[[], Run] | None
) -> Iterator[Run]:
    """Yield the runs of a round, each when it can start; then report why other components are not started."""
    busy: list[Run] = []
    while True:
        for run in _said(say, current.start(jobs - len(busy))):
            busy.append(run)
            yield run
        if not busy:
            break
        ended = finished() if finished else busy[0]
        busy.remove(ended)
        current.finish(ended.info.component)
    for component, reason in current.situation.reasons().items():
        say(f"{component}: {reason}")


def _said(say: Callable[[str], None], runs: Iterator[Run]) -> Iterator[Run]:
    for run in runs:
        info = run.info
        say(f"{run.id}: {info.cause} {info.revision[:7]}".rstrip() + (f": {info.reason}" if info.reason else ""))
        yield run


class WatchRound:
    """One round of a watch: the components with something new, and those that are building."""

    def __init__(self, lab: Lab, track: str, troubles: list[LabError]) -> None:
        self.lab, self.track, self.troubles = lab, track, troubles
        self.busy: set[str] = set()
        self.heads: dict[str, Heads] = {}
        self.tips: dict[str, str] = {}
        self.control = packaging_control(lab, track)
        names = lab.components_of(track)
        self.items = {name: self._new(name) for name in names}
        self.due: dict[str, Begin] = {}
        self.standings = {name: _standing(lab, track, name) for name in names}
        self.components = TrackComponents(lab, track, self.control)
        for name in names:
            self._advance(name)

    @property
    def situation(self) -> Situation:
        """The situation now; a component that another process builds is busy."""
        elsewhere = {name for name, standing in self.standings.items() if standing == "busy"}
        failed = {name for name, standing in self.standings.items() if standing == "failed"}
        return Situation(
            self.components.graph.order, self.due.keys(), self.busy | (elsewhere - self.due.keys()), failed
        )

    def start(self, free: int) -> Iterator[Run]:
        """Begin a run of each component that can start now, at most ``free``."""
        for name in self.situation.ready(free):
            begin = self.due.pop(name)
            self.busy.add(name)
            yield begin()

    def finish(self, component: str) -> None:
        """Note the end of a component's run: its next one is due, and its users may need a rebuild."""
        self.busy.remove(component)
        self.standings[component] = _standing(self.lab, self.track, component)
        self.components = TrackComponents(self.lab, self.track, self.control)
        self._advance(component)
        for user, needs in self.components.graph.order.items():
            if component in needs and user not in self.due and user not in self.busy:
                self.items[user] = self._changed(user)
                self._advance(user)

    def _advance(self, component: str) -> None:
        try:
            item = next(self.items[component], None)
        except TROUBLES as error:
            self.troubles.append(error)
            return
        if item:
            self.due[component] = item

    def _new(self, component: str) -> Iterator[Begin]:
        """Yield the runs to begin; what follows the resumed ones is asked after their end."""
        for run in cut_short(self.lab, self.track, component):
            yield partial(_same, run)
        try:
            self.heads[component] = news.packaging_heads(self.lab, self.track, component)
        except TROUBLES as error:
            self.troubles.append(error)
        commits, self.tips[component] = new_commits(self.lab, self.track, component)
        for commit in commits:
            yield partial(self._begin, component, commit, "upstream commit", "")
        if not commits:
            yield from self._changed(component)

    def _changed(self, component: str) -> Iterator[Begin]:
        """Yield a run of the tip where something other than upstream is new."""
        tip = self.tips.get(component, "")
        if tip and (found := self._cause(component))[0]:
            yield partial(self._begin, component, tip, *found)

    def _cause(self, component: str) -> tuple[Cause, str]:
        """Return what other than upstream is new for a component, and the details."""
        heads = self.heads.get(component)
        if heads and (cause := heads.news(*last_heads(self.lab, self.track, component))):
            return cause, ""
        runs = Store.of(self.lab).runs(self.track, component, "build")
        last = next((run.info.inputs for run in reversed(runs) if run.info.inputs), None)
        return self.components.cause(component, last, failed=self.standings[component] == "failed")

    def _begin(self, component: str, commit: str, cause: Cause, reason: str) -> Run:
        """Make a run directory for what is new, with the inputs and the reason of this moment."""
        if cause == "dependency":  # other needs may have changed meanwhile
            reason = self._cause(component)[1] or reason
        run = Store.of(self.lab).new_run(self.lab, self.track, component, commit)
        heads = self.heads.get(component)
        seen = {"packaging": heads.packaging, "testing": heads.testing} if heads else {}
        inputs = self.components.inputs(component)
        run.write_info(run.info.model_copy(update={"cause": cause, "reason": reason, "inputs": inputs, **seen}))
        return run


def _same(run: Run) -> Run:
    return run


def _standing(lab: Lab, track: str, component: str) -> str:
    """Return how the newest build of a component ended: ``busy`` in another process, ``failed``, or an empty text."""
    verdicts = (run.verdict for run in reversed(Store.of(lab).runs(track, component, "build")))
    newest = next((verdict for verdict in verdicts if verdict != "aborted"), "")
    return {"running": "busy", "failed": "failed", "error": "failed"}.get(newest, "")


def _new_proposed(lab: Lab, track: str, troubles: list[LabError], say: Callable[[str], None]) -> Iterator[Run]:
    """Yield a run for each update that waits, with its companions, and then one for all together.

    The baseline comes first, where none is kept for the release as it is now.  What cannot be tested yet is reported.
    """
    for component in (*lab.components_of(track), WHOLE):
        yield from cut_short(lab, track, component)
    try:
        with watch_log(lab) as log:
            pocket = proposed.asked(lab, track, log)
        since = rfc3339(environment.now() - timedelta(days=1))
        runs = [run for run in Store.of(lab).runs(track) if run.info.started >= since]
        errors = Counter(run.info.archive for run in runs if outcome_of(run) == "error")
        is_new = partial(proposed.is_new, lab, track)
        found = planning.plan(lab, track, pocket, lambda each: is_new(each) and errors[each] < TRIES)
    except (ConfigurationError, InfrastructureError) as error:
        troubles.append(error)
        return
    for run in closing.close(lab, track, pocket):
        say(f"{run.id}: {run.info.reason}")
    for what, reason in found.delays.items():
        say(f"{what} waits: {reason}")
    for component, content in found.contents:
        run = Store.of(lab).new_run(lab, track, component, phase=lab.tracks[track].phases[0])
        run.write_info(run.info.model_copy(update={"cause": "proposed packages", "archive": content}))
        yield run


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


def new_commits(lab: Lab, track: str, component: str) -> tuple[list[str], str]:
    """Return the upstream commits that no run of the track has tested, oldest first, and the branch's tip."""
    mirror, tip = news.upstream_tip(lab, track, component)
    runs = [
        (commit_of(run), outcome_of(run), run.info.cause in WATCHED)
        for run in Store.of(lab).runs(track, component, "build")
    ]
    watched, _ = news.judged((commit, outcome) for commit, outcome, began in runs if began)
    return news.untested(mirror, tip, *news.judged((commit, outcome) for commit, outcome, _ in runs), watched), tip


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
