"""The watch over changes under review: a run for each head that is to be tested, or a comment that says why it is not.

A head is tested once; again when what it depends on has another head, when somebody comments ``recheck``, and, at most
`scripts.phases.news.TRIES` times, when the lab was at fault.  Drafts and private proposals wait in silence.  What cannot be
asked about one proposal stops no other one.  A project that is not public is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Final

from lab.base import environment
from lab.base.errors import LabError
from lab.base.git import GitMirror
from lab.config.description import Lab
from lab.config.review_projects import ReviewedProject, project_of, server_of
from lab.forges.forge_api import NotPublic
from lab.forges.proposals import Forge, ForgeComment, Proposal, ProposalId, ReviewMessage, mark_of
from lab.forges.registry import open_forge
from lab.store.records import Stored
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.phases import runner
from scripts.phases.news import TRIES, watch_log
from scripts.reviews import comments, merging, states
from scripts.reviews.comments import SHORT
from scripts.reviews.dependencies import Dependencies, NotYet, Unmet, has_merged
from scripts.reviews.states import DependencyBuild


@dataclass(frozen=True)
class TestedHead:
    """A build of a head, by its key and those of what it was tested with; ``started``: RFC 3339; ``archive``: its state.

    ``run``: of this machine; ``newest``: the newest run of the head there, of any phase.
    """

    key: str
    depends_on: frozenset[str]
    verdict: str
    started: str
    archive: str = ""
    version: str = ""
    run: Run | None = None
    newest: Run | None = None


@dataclass(frozen=True)
class WantedBuild:
    """A build to begin; ``resumed``: the run of this machine to continue instead."""

    component: str
    proposal: ProposalId
    depends_on: tuple[ProposalId, ...]
    onto: str = ""
    resumed: Run | None = None


class HiddenProjects(Stored):
    """The projects of a track that are not public, and were told."""

    projects: frozenset[str] = frozenset()


GOOD: Final = frozenset({"passed", "unstable"})
"""The verdicts of builds whose packages others can be built with."""
Known = Callable[[str], Sequence[TestedHead]]
"""Return the builds of a component that have an identity, oldest first."""


def new_runs(lab: Lab, track: str, troubles: list[LabError]) -> Iterator[Run]:
    """Yield a run for each head that is to be tested; the caller runs each before it asks for the next.

    It is a new one, or one that was cut short, or whose next phase never began.
    """
    for wanted in wanted_builds(lab, track, partial(local_heads, lab, track), troubles):
        if wanted.resumed:
            yield wanted.resumed
            continue
        run = Store.of(lab).new_run(lab, track, wanted.component, wanted.proposal.head)
        described = {name: getattr(wanted, name) for name in ("proposal", "depends_on", "onto")}
        run.write_info(run.info.model_copy(update={"cause": "change under review", **described}))
        yield run


def local_heads(lab: Lab, track: str, component: str) -> list[TestedHead]:
    """Return the builds of this machine."""
    runs = [run for run in Store.of(lab).runs(track, component) if run.info.proposal]
    newest = {run.info.proposal.key: run for run in runs if run.info.proposal}
    return [
        TestedHead(
            run.info.proposal.key,
            frozenset(one.key for one in run.info.depends_on),
            run.verdict,
            run.info.started,
            run.info.archive,
            run.version,
            run,
            newest[run.info.proposal.key],
        )
        for run in runs
        if run.info.proposal and run.info.phase == "build"
    ]


def wanted_builds(lab: Lab, track: str, known: Known, troubles: list[LabError]) -> Iterator[WantedBuild]:
    """Yield the builds to begin; tell the authors of other proposals why there is none."""
    try:
        name, _ = server_of(lab, track)
        forge = open_forge(lab, lab.file.parent, name, lambda: environment.now().timestamp())
    except LabError as error:
        troubles.append(error)
        return
    with watch_log(lab) as log:
        yield from ReviewRound(lab, track, forge, known, log, troubles).wanted()


@dataclass
class ReviewRound:
    """One poll of a server for a track."""

    lab: Lab
    track: str
    forge: Forge
    known: Known
    log: IO[str]
    troubles: list[LabError]
    projects: dict[ReviewedProject, list[str]] = field(init=False)
    """The components of each project."""

    def __post_init__(self) -> None:
        self.projects = {}
        for component in self.lab.components_of(self.track):
            self.projects.setdefault(project_of(self.lab, component, self.track), []).append(component)

    def wanted(self) -> Iterator[WantedBuild]:
        found: list[tuple[Proposal, str]] = []
        public: set[str] = set()
        hidden: dict[str, NotPublic] = {}
        for project, components in self.projects.items():
            try:
                proposals = self.forge.proposals(project.path, project.branch)
                found += [(proposal, component) for proposal in proposals for component in components]
                public.add(project.path)
            except NotPublic as error:
                hidden[project.path] = error
            except LabError as error:
                self.troubles.append(error)
        self._tell_hidden(public, hidden)
        for proposal, component in sorted(found, key=lambda pair: bool(comments.references(pair[0]))):
            yield from self._of(proposal, component)

    def _tell_hidden(self, public: AbstractSet[str], hidden: Mapping[str, NotPublic]) -> None:
        """Report projects that are not public, each once until it is public again."""
        path = Store.of(self.lab).root / "reviews" / f"{self.track}-not-public.json"
        known = HiddenProjects.read(path).projects if path.exists() else frozenset()
        self.troubles += [error for project, error in hidden.items() if project not in known]
        if (now := (known - public) | hidden.keys()) != known:
            HiddenProjects(projects=now).write(path)

    def _of(self, proposal: Proposal, component: str) -> Iterator[WantedBuild]:
        """Yield the build of a proposal for a component, or tell its author why there is none."""
        if proposal.is_private or proposal.is_draft:
            return
        try:
            if wanted := self._due(proposal, component):
                yield wanted
        except NotYet:
            return
        except Unmet as reason:
            self._try_to_tell(proposal, "waits", str(reason))
        except merging.Conflict as conflict:
            self._try_to_tell(proposal, "conflict", str(conflict))
        except LabError as error:
            self.troubles.append(error)

    def _due(self, proposal: Proposal, component: str) -> WantedBuild | None:
        """Return the build to begin; None where nothing is to be done.  Raises Unmet and Conflict."""
        found = self.forge.comments(proposal)
        if not comments.is_approved(proposal, found):
            self._tell(proposal, found, "approval", comments.approval_wanted(proposal))
            return None
        needed = Dependencies(self.forge).of(proposal)
        ids, keys = tuple(one.id for one in needed), {one.id.key for one in needed}
        builds = [head for head in self.known(component) if head.key == proposal.id.key and keys <= head.depends_on]
        # A dependency that has been merged meanwhile is no reason for another build, and one that is left out is.
        if builds and not all(has_merged(self.forge, key) for key in builds[-1].depends_on - keys):
            builds = []
        if builds and not _is_due(builds, found):
            newest = builds[-1].newest
            goes_on = newest and _goes_on(self.lab, newest)
            return WantedBuild(component, proposal.id, ids, resumed=newest) if goes_on else None
        if builds and builds[-1].verdict == "aborted" and builds[-1].run:
            return WantedBuild(component, proposal.id, ids, resumed=builds[-1].run)
        self._check(needed)
        own = project_of(self.lab, component, self.track)
        same = [one for one in ids if (one.project, one.branch) == (own.path, own.branch)]
        mirror = GitMirror.of(self.lab.component(component, self.track).upstream.git)
        merged = merging.merge(self.lab, mirror, [*same, proposal.id], self.log)
        self._check_parents(proposal, merging.unmerged(mirror, merged.base, [one.head for one in (*same, proposal.id)]))
        builds_of_others = [build for one in ids if one not in same for build in self._builds_of(one)]
        onto = states.with_packages_of(self.lab, self.track, builds_of_others, self.log)
        return WantedBuild(component, proposal.id, ids, onto)

    def _builds_of(self, one: ProposalId) -> list[DependencyBuild]:
        """Return the newest builds of a proposal that another one needs.  Raises Unmet and NotYet."""
        found = []
        for component in self.projects[ReviewedProject(one.forge, one.project, one.branch)]:
            newest = next((head for head in reversed(self.known(component)) if head.key == one.key), None)
            if newest is None or newest.verdict in {"running", "aborted"}:
                raise NotYet(f"it depends on {one}, which is not built yet as {component}")
            if newest.verdict not in GOOD:
                raise Unmet(f"it depends on {one}, which is {newest.verdict} as {component}")
            if not newest.archive:
                raise Unmet(f"it depends on {one}, whose packages are not in the archive")
            found.append(DependencyBuild(component, newest.version, newest.archive))
        return found

    def _check(self, needed: Sequence[Proposal]) -> None:
        """Raise Unmet for a dependency that the lab may not or cannot test."""
        for one in needed:
            if ReviewedProject(one.id.forge, one.id.project, one.id.branch) not in self.projects:
                raise Unmet(f"it depends on {one.id}, whose project {self.track} does not test")
            if one.is_draft or not comments.is_approved(one, self.forge.comments(one)):
                raise Unmet(f"it depends on {one.id}, which is {'a draft' if one.is_draft else 'not approved'}")

    def _check_parents(self, proposal: Proposal, commits: Sequence[str]) -> None:
        """Raise Unmet for a proposal on a commit of another one that the lab may not test; ``commits``: those below it."""
        if len(commits) > merging.MOST_COMMITS:
            raise Unmet(f"more than {merging.MOST_COMMITS} commits of it are on no branch")
        for one in self.forge.at(proposal.id.project, frozenset(commits)) if commits else ():
            if one.status == "merged" or one.id.number == proposal.id.number:
                continue
            if one.is_private:
                raise Unmet(f"it is on top of {one.id}, which is private")
            if one.id.head in commits and not comments.is_approved(one, self.forge.comments(one)):
                raise Unmet(f"it is on top of {one.id}, which is not approved")
            if one.id.head not in commits and not one.is_trusted:
                raise Unmet(
                    f"it is on top of an outdated head of {one.id}, whose author the lab does not know: rebase it"
                )

    def _try_to_tell(self, proposal: Proposal, kind: str, reason: str) -> None:
        """Tell why a proposal is not tested.  The reason has words of its author."""
        try:
            self._tell(proposal, self.forge.comments(proposal), kind, "The lab does not test this change:", reason)
        except LabError as error:
            self.troubles.append(error)

    def _tell(self, proposal: Proposal, known: Sequence[ForgeComment], kind: str, text: str, *details: str) -> None:
        """Comment on a proposal once, without a vote."""
        mark = f"{kind}-{proposal.id.head[:SHORT]} {comments.digest(text + ''.join(details))}"
        if any(one.is_own and mark_of(one.text) == mark for one in known):
            return
        self.forge.tell(ReviewMessage(proposal.id, None, text, text, mark, details))


def _goes_on(lab: Lab, run: Run) -> bool:
    """Return whether a later phase was cut short, or the next one never began."""
    if run.verdict == "aborted":
        return run.info.phase != "build"
    return run.verdict in GOOD | {"skipped"} and bool(runner.following_phases(lab, run))


def _is_due(builds: Sequence[TestedHead], found: Sequence[ForgeComment]) -> bool:
    """Return whether a head that has builds gets another one."""
    last, again = builds[-1], [build for build in builds if build.verdict in {"error", "aborted"}]
    if last.verdict != "running" and comments.is_without_vote(found, last.key, last.started):
        return True
    if last.verdict in {"error", "aborted"} and ((last.run and last.verdict == "aborted") or len(again) < TRIES):
        return True
    return last.verdict != "running" and comments.is_rechecked(found, last.started)
