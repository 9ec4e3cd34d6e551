"""The vote and the comment on changes under review, on a Gerrit (HTTP and SSH), a GitHub and a GitLab."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.forges.proposals import ForgeComment, Proposal, ProposalId, ReviewMessage, ReviewState, mark_of
from reports.model import ReviewedBuild, StepSummary
from reports.outputs import review_report, reviews
from reports.outputs.delivery import MOST_IN_A_ROW, PendingDelivery, Tombstone
from tests.forges import LAB, Item, World, install_ssh
from tests.reports.outputs.conftest import FAILING, Bench
from tests.reports.publications import a_build, a_proposal
from tests.servers import LOGIN_PAGE, Answer, Service

SSH = pytest.param("ssh", marks=pytest.mark.integration)  # starts a program for each request
KINDS = ("rest", SSH, "github", "gitlab")
PHASES = ["build", "deploy", "exercise"]


@dataclass
class Desk:
    """A lab, a server with proposals, and the lab's published builds of them."""

    kind: str
    lab: Bench
    world: World
    service: Service

    @property
    def is_gerrit(self) -> bool:
        return self.kind in {"rest", "ssh"}

    def identity(self, item: Item) -> ProposalId:
        ref = {"github": f"refs/pull/{item.number}/head", "gitlab": f"refs/merge-requests/{item.number}/head"}
        return ProposalId(
            forge="server",
            project=item.project,
            number=item.number,
            head=item.head,
            ref=ref.get(self.kind, item.ref),
            branch=item.branch,
        )

    def publish(self, item: Item, verdict: str = "passed", day: int = 1, **more: Any) -> PendingDelivery:
        """Publish a build of a proposal's present head; ``day``: of its start."""
        number = len(self.lab.items) + 1
        fields = {"proposal": self.identity(item), "base": "b" * 40, **more}
        return self.lab.publish(number, verdict, day, **fields)

    def deliver(self, *items: PendingDelivery) -> list[tuple[str, str]]:
        """Deliver builds with a new output, as a new pass does; return their outcomes and notes."""
        output = reviews.open_output(self.lab.context)
        assert output is not None
        return [(how, note) for _, how, note in self.lab.deliver(output, items or None)]

    def retract(self, build: PendingDelivery) -> None:
        """Take a published build back, as `qalab retract` does."""
        output = reviews.open_output(self.lab.context)
        assert output is not None
        component, track, phase = build.lane
        about = self.lab.builds.pop(build.name).proposal
        del self.lab.items[build.name]
        names = {"name": build.name, "component": component, "track": track, "phase": phase}
        output.withdraw([Tombstone(**names, retracted="2026-02-01T00:00:00.000Z", proposal=about)])

    def state(self, item: Item) -> str:
        """Return what the server shows for the head."""
        if self.is_gerrit:
            return {1: "success", -1: "failure"}.get(item.votes[-1] if item.votes else 0, "")
        last = item.statuses[-1] if item.statuses else {}
        word = str(last.get("state", last.get("status", "")))
        return {"failed": "failure", "canceled": "error", "running": "pending"}.get(word, word)


Desks = Callable[..., Desk]


@pytest.fixture
def desks(bench: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desks]:
    """Return ``desk(kind, tracks=..., settings=...)``: a lab with one server."""
    world = World([Item(7, f"{7:040x}")])
    monkeypatch.setenv("QALAB_GERRIT_USER", LAB)
    monkeypatch.setenv("QALAB_GERRIT_PASSWORD", "s3cret")
    monkeypatch.setenv("QALAB_GITHUB_TOKEN", "t0ken")
    monkeypatch.setenv("QALAB_GITLAB_TOKEN", "t0ken")
    with Service(world) as service:

        def make(kind: str, names: tuple[str, ...] = ("trunk",), phases: list[str] | None = None, **more: Any) -> Desk:
            tracks = {
                name: {"series": "bookworm", "trigger": "review", "branch": "main", "phases": phases or ["build"]}
                for name in names
            }
            own = {"forge": "gerrit", "trusted": ["alice"]} if kind in {"rest", "ssh"} else {"forge": kind}
            if kind == "ssh":
                own["ssh"] = f"{LAB}@gerrit.example"
                home = install_ssh(tmp_path, service.port)
                monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
            lab = bench(
                upstreams={"greet": f"{service.url}/team/greet"},
                tracks=tracks,
                reviews={"server": {**own, "url": f"{service.url}/", **more}},
            )
            return Desk(kind, lab, world, service)

        yield make


def test_no_output_without_servers(bench: Callable[..., Bench]) -> None:
    assert reviews.open_output(bench().context) is None


@pytest.mark.parametrize("kind", KINDS)
def test_message(desks: Desks, kind: str) -> None:
    desk = desks(kind)
    (item,) = desk.world.items
    bad = desk.publish(item, "failed", message="it broke")
    assert desk.deliver() == [("delivered", "")]
    assert desk.state(item) == "failure"
    (text,) = item.bodies
    page = f"https://qa.lab.example/b/{bad.name[:2]}/{bad.name}/"
    assert f"* greet build on trunk: failed at sbuild, {page}\n" in text
    assert f"Tested: {item.head} merged onto main at {'b' * 40}." in text
    assert "greet build on trunk: it broke" in text
    assert "s/c/boot: it <b>fell</b>" in text
    assert mark_of(text).split()[0] == item.head[:12]


# The answers of servers.  Each row: the proposal or the answer, the verdict of the build; then the outcome, the state that
# the server shows, and the number of comments.


def restricted(item: Item, world: World) -> None:
    item.can_vote = False


def unknown_label(item: Item, world: World) -> None:
    world.label = "Code-Review"


def ignored_label(item: Item, world: World) -> None:
    world.label, world.is_strict = "Code-Review", False


def changed(**fields: Any) -> Callable[[Item, World], None]:
    def change(item: Item, world: World) -> None:
        for name, value in fields.items():
            setattr(item, name, value)

    return change


def superseded(item: Item, world: World) -> None:
    item.head, item.patch_set = "9" * 40, 2


def closes_meanwhile(item: Item, world: World) -> None:
    """Show an open change until the first write."""

    def trouble(method: str, path: str) -> Answer | bool | None:
        if method == "POST" and path != "/ssh":
            item.status = "closed"
        return False

    world.trouble = trouble


def gone(item: Item, world: World) -> None:
    world.items.remove(item)


def lost(item: Item, world: World) -> None:
    world.lose = 1


ANSWERS: list[tuple[str, Callable[[Item, World], None], str, str, str, str, str, int]] = [
    # name, what differs, verdict, outcome, part of the note, state on a Gerrit, state on the others, comments
    ("passed", changed(), "passed", "delivered", "", "success", "success", 1),
    ("failed", changed(), "failed", "delivered", "", "failure", "failure", 1),
    ("unstable", changed(), "unstable", "delivered", "", "failure", "failure", 1),
    ("error", changed(), "error", "delivered", "", "", "error", 1),
    ("aborted", changed(), "aborted", "delivered", "", "", "error", 1),
    ("skipped", changed(), "skipped", "delivered", "", "", "error", 1),
    ("merged", changed(status="merged"), "passed", "delivered", "", "", "", 1),
    ("abandoned", changed(status="closed"), "passed", "delivered", "", "", "", 1),
    ("draft", changed(is_draft=True), "passed", "delivered", "", "", "", 1),
    ("superseded", superseded, "passed", "delivered", "", "", "", 1),
    ("of other branch by now", changed(branch="stable/1"), "passed", "delivered", "", "", "", 1),
    ("gone", gone, "passed", "parked", "no such change", "", "", 0),
    ("may not vote", restricted, "passed", "parked", "", "", "", 1),
    ("vote stands", changed(votes=[1], statuses=[{"id": 1, "context": "qalab", "name": "qalab", "state": "success", "status": "success"}]), "passed", "delivered", "", "success", "success", 1),
    ("no user", changed(author=""), "passed", "delivered", "", "success", "success", 1),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers(desks: Desks, kind: str, row: tuple[Any, ...]) -> None:
    _, differ, verdict, how, note, on_gerrit, elsewhere, comments = row
    desk = desks(kind)
    (item,) = desk.world.items
    build = desk.publish(item, verdict)
    differ(item, desk.world)
    for _ in range(2):  # a second pass changes nothing
        ((outcome, said),) = desk.deliver(build)
        assert (outcome, note in said) == (how, True), said
        assert desk.state(item) == (on_gerrit if desk.is_gerrit else elsewhere)
        assert len(item.bodies) == comments
    assert len(item.votes) <= 1


@pytest.mark.parametrize("kind", ("rest", SSH))
@pytest.mark.parametrize(
    "differ, verdict, how, note, votes, comments",
    [
        (unknown_label, "passed", "parked", "is not a configured label", [], 1),
        (ignored_label, "passed", "parked", "took the comment, but not the vote Verified", [], 1),
        (changed(is_private=True), "passed", "nothing", "the change is private", [], 0),
        (closes_meanwhile, "passed", "delivered", "", [], 1),
        (changed(votes=[1]), "failed", "delivered", "", [1, -1], 1),
    ],
)
def test_answers_of_gerrit(  # noqa: PLR0917 - a table's columns
    desks: Desks, kind: str, differ: Callable[[Item, World], None], verdict: str, how: str, note: str,
    votes: list[int], comments: int,
) -> None:  # fmt: skip
    desk = desks(kind)
    (item,) = desk.world.items
    build = desk.publish(item, verdict)
    differ(item, desk.world)
    if kind == "ssh" and differ is closes_meanwhile:
        votes = [1]  # the double closes it for HTTP only
    for _ in range(2):
        ((outcome, said),) = desk.deliver(build)
        assert (outcome, note in said) == (how, True), said
    assert (item.votes, len(item.bodies)) == (votes, comments)


@pytest.mark.parametrize("kind", ("rest", SSH))
def test_patch_set_that_is_replaced_meanwhile_gets_no_vote(desks: Desks, kind: str) -> None:
    desk = desks(kind)
    (item,) = desk.world.items
    build, old, asked = desk.publish(item), item.head, []

    def trouble(method: str, path: str) -> Answer | bool | None:
        asked.append(path)
        if len(asked) == 3:  # what the lab had asked before was of the former patch set
            superseded(item, desk.world)
        return False

    desk.world.trouble = trouble
    assert desk.deliver(build) == [("delivered", "")]
    (text,) = item.bodies
    assert (item.votes, f"No vote: {item.head[:12]} has replaced {old[:12]}" in text) == ([], True)


@pytest.mark.parametrize("kind", KINDS)
def test_lost_answer_brings_no_second_comment(desks: Desks, kind: str) -> None:
    desk = desks(kind)
    (item,) = desk.world.items
    build = desk.publish(item)
    desk.world.lose = 1
    if kind == "ssh":  # ssh itself failed: that concerns the server
        assert desk.deliver(build)[0][0] == "later"
    else:
        ((how, note),) = desk.deliver(build)
        assert (how, "cannot be reached" in note) == ("later", True)
    for _ in range(2):
        assert desk.deliver(build) == [("delivered", "")]
    assert (desk.state(item), len(item.bodies)) == ("success", 1)


def on(method: str, part: str, answer: Answer | None) -> Callable[[str, str], Answer | bool | None]:
    return lambda asked, path: answer if asked == method and part in path else False


REFUSALS: dict[str, Answer | None] = {
    "400": (400, "no\n"),
    "403": (403, "restricted\n"),
    "404": (404, "Not found\n"),
    "409": (409, "change is closed\n"),
    "422": (422, "Validation Failed"),
    "500": (500, "oops\n"),
    "503": (503, "busy\n"),
    "lost": None,
}
PLACES = {
    "rest": "/a/changes/team%2Fgreet~7/",
    "github": "statuses/" + f"{7:040x}",
    "gitlab": "statuses/" + f"{7:040x}",
}


@pytest.mark.integration
@pytest.mark.parametrize("kind", ("rest", "github", "gitlab"))
@pytest.mark.parametrize("refusal", REFUSALS)
def test_one_refusing_change_does_not_delay_ten_others(desks: Desks, kind: str, refusal: str) -> None:
    desk = desks(kind)
    desk.world.items += [Item(number, f"{number:040x}") for number in range(8, 18)]
    for item in desk.world.items:
        desk.publish(item)
    desk.world.trouble = on("POST", PLACES[kind], REFUSALS[refusal])
    first, *others = desk.deliver()
    assert first[0] in {"parked", "later", "nothing", "delivered"}
    assert others == [("delivered", "")] * 10
    assert [desk.state(item) for item in desk.world.items[1:]] == ["success"] * 10
    assert desk.state(desk.world.items[0]) == ""


@pytest.mark.integration
def test_one_refusing_change_does_not_delay_ten_others_over_ssh(desks: Desks) -> None:
    desk = desks("ssh")
    desk.world.items += [Item(number, f"{number:040x}") for number in range(8, 18)]
    for item in desk.world.items:
        desk.publish(item)
    desk.world.items[0].can_vote = False
    first, *others = desk.deliver()
    assert first[0] == "parked"
    assert others == [("delivered", "")] * 10


@pytest.mark.parametrize("kind", ("rest", "github", "gitlab"))
@pytest.mark.parametrize(
    "answer, error, message",
    [
        ((401, "Unauthorized"), ConfigurationError, ""),
        ((200, LOGIN_PAGE), ConfigurationError, "is not JSON"),
        ((301, "", {"Location": "https://elsewhere.example/"}), ConfigurationError, "which is not followed"),
        ((429, "slow down", {"Retry-After": "60"}), InfrastructureError, "slow down"),
    ],
    ids=["401", "login page", "redirect", "429"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_answer_about_server_delays_all(  # noqa: PLR0917 - a table's columns
    desks: Desks, kind: str, method: str, answer: Answer, error: type[Exception], message: str
) -> None:
    desk = desks(kind)
    desk.world.items += [Item(number, f"{number:040x}") for number in (8, 9)]
    for item in desk.world.items:
        desk.publish(item)
    desk.world.trouble = lambda asked, _: answer if asked == method else False
    outcomes = desk.deliver()
    assert [how for how, _ in outcomes] == ["later"] * 3
    assert message in outcomes[0][1]
    assert all(desk.state(item) == "" for item in desk.world.items)


@pytest.mark.parametrize("kind", KINDS)
def test_server_that_fails_is_asked_three_times(desks: Desks, kind: str) -> None:
    desk = desks(kind)
    desk.world.items += [Item(number, f"{number:040x}") for number in range(8, 13)]
    for item in desk.world.items:
        desk.publish(item)
    busy: Answer = (200, "1\0\0fatal: internal server error") if kind == "ssh" else (503, "busy")
    desk.world.trouble = lambda *_: busy
    assert [how for how, _ in desk.deliver()] == ["later"] * 6
    assert len(desk.service.requests) <= MOST_IN_A_ROW


@pytest.mark.parametrize(
    "line",
    ['{"type":"error","message":"cannot query database"}', "", "fatal", '{"type":"stats","rowCount":0}\n[1]', "null"],
)
def test_error_with_the_status_0_is_no_answer(desks: Desks, line: str) -> None:
    desk = desks("ssh")
    (item,) = desk.world.items
    desk.publish(item)
    desk.world.trouble = lambda *_: (200, f"0\0{line}\n\0")
    assert [how for how, _ in desk.deliver()] == ["later"]
    desk.world.trouble = lambda *_: False
    assert (desk.deliver(), item.votes, len(item.bodies)) == ([("delivered", "")], [1], 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verdict", ["error", "aborted", "failed"])
def test_build_that_ended_before_it_knew_its_commit_is_told(desks: Desks, kind: str, verdict: str) -> None:
    desk = desks(kind)
    (item,) = desk.world.items
    desk.publish(item, verdict, commit="", commits=(), base="", version="", cases=(), step="snapshot")
    assert desk.deliver() == [("delivered", "")]
    (text,) = item.bodies
    word = "failed" if verdict == "failed" else f"not tested ({verdict})"
    assert f"* greet build on trunk: {word} at snapshot" in text
    assert "Tested: " not in text
    assert -1 not in item.votes or verdict == "failed"


@pytest.mark.parametrize("kind", ("rest", SSH))
def test_same_commit_in_two_changes(desks: Desks, kind: str) -> None:
    """The identity names the change, not the commit: of another project, and of another branch."""
    desk = desks(kind)
    (item,) = desk.world.items
    twins = [Item(8, item.head, project="fork/greet"), Item(9, item.head, branch="stable/1")]
    desk.world.items += twins
    desk.publish(item)
    desk.deliver()
    assert (desk.state(item), [desk.state(twin) for twin in twins]) == ("success", ["", ""])


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_nothing_is_said_of_a_project_that_is_not_public(desks: Desks, kind: str) -> None:
    desk = desks(kind)
    (item,) = desk.world.items
    build = desk.publish(item, "failed")
    desk.world.hidden = {item.project}
    assert desk.deliver(build) == [("nothing", "the change is private")]
    assert (item.statuses, item.comments) == ([], [])


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_same_commit_for_two_branches_has_two_statuses(desks: Desks, kind: str) -> None:
    """A status belongs to a commit: a good one for another branch must not hide a bad one."""
    desk = desks(kind, ("trunk", "stable"))
    tracks = dict(desk.lab.lab.tracks)
    tracks["stable"] = tracks["stable"].model_copy(update={"branch": "stable/1"})
    desk.lab.lab = desk.lab.lab.model_copy(update={"tracks": tracks})
    (item,) = desk.world.items
    twin = Item(8, item.head, branch="stable/1", statuses=item.statuses)
    desk.world.items.append(twin)
    desk.publish(item, "failed")
    desk.publish(twin, track="stable")
    desk.deliver()
    name, state = ("name", "status") if kind == "gitlab" else ("context", "state")
    shown = {one[name]: one[state] for one in item.statuses}
    assert shown == {"qalab/main": "failed" if kind == "gitlab" else "failure", "qalab/stable/1": "success"}


def test_comment_names_what_a_change_was_tested_with(desks: Desks) -> None:
    desk = desks("github")
    (item,) = desk.world.items
    other = desk.identity(Item(9, f"{9:040x}", project="team/meet"))
    desk.publish(item, depends_on=(other,))
    desk.deliver()
    assert f"merged onto main at {'b' * 40}, with team/meet 9 (0000000)." in item.bodies[0]


def test_merge_request_of_fork_gets_note_alone(desks: Desks) -> None:
    desk = desks("gitlab")
    (item,) = desk.world.items
    item.is_fork = True
    build = desk.publish(item)
    assert [desk.deliver(build), desk.deliver(build)] == [[("delivered", "")]] * 2
    assert (item.statuses, len(item.bodies)) == ([], 1)


@pytest.mark.parametrize("kind", KINDS)
def test_comment_is_harmless(desks: Desks, kind: str) -> None:
    """No word of the tested software begins a line, mentions people, ends a code block or exceeds a limit."""
    desk = desks(kind)
    (item,) = desk.world.items
    names = ["/close", "recheck", "```\n/merge", "@everybody", "x" * 4000]
    cases = tuple(FAILING.model_copy(update={"name": f"{name}", "classname": "", "suite": ""}) for name in names * 20)
    desk.publish(item, "failed", cases=cases, message="recheck\n/approve " + "z" * 30_000)
    desk.deliver()
    (text,) = item.bodies
    assert len(text.encode()) < 16 * 1024
    fences = [line for line in text.splitlines() if set(line) == {"`"}]
    assert len(fences) == (0 if desk.is_gerrit else 2)
    outside = text if desk.is_gerrit else text.split(fences[0])[0] + text.split(fences[0])[2]
    assert not [line for line in outside.splitlines() if line.startswith(("/", "recheck", "@"))]


def test_build_of_other_track_is_not_sent(bench: Callable[..., Bench], desks: Desks) -> None:
    desk = desks("github")
    other = desk.lab.publish(1, track="gone")
    unnamed = desk.lab.publish(2)
    notes = [note for _, note in desk.deliver(other, unnamed)]
    assert notes == ["not of a change under review", "its run names no change"]


# Three tracks and three phases.

LANES = [(track, phase) for track in ("bookworm", "noble", "trixie") for phase in PHASES]


def expected(verdicts: dict[tuple[str, str], str]) -> str:
    """Return the state of a head by the definition: bad at once, good when all of it is good."""
    known = [verdicts.get(lane, "") for lane in LANES]
    if "failed" in known:
        return "failure"
    return "success" if set(known) == {"passed"} else ""


@dataclass
class MemoryForge:
    """A forge with one proposal, in memory: the state machine does not know which forge it speaks to."""

    one: ProposalId
    replaces_comments: bool = False
    comment: str = ""
    state: ReviewState | None = None
    votes: list[ReviewState] = field(default_factory=list)

    def now(self, project: str, number: int) -> Proposal:
        return Proposal(self.one, "alice")

    def proposals(self, project: str, branch: str) -> list[Proposal]:
        return [Proposal(self.one, "alice")]

    def named(self, reference: str) -> None:
        return None

    def comments(self, proposal: Proposal) -> list[ForgeComment]:
        return [ForgeComment("1", LAB, self.comment, "", is_own=True)]

    def shows(self, message: ReviewMessage) -> bool:
        return message.state in {None, self.state}

    def tell(self, message: ReviewMessage, *, comment: bool = True) -> None:
        self.comment = message.plain if comment else self.comment
        if message.state != self.state:
            self.state = message.state
            self.votes += [self.state] if self.state else []


@pytest.mark.parametrize("bad", ["", "noble deploy", "trixie exercise", "bookworm build"])
@pytest.mark.parametrize("seed", range(8))
def test_one_vote_in_every_order(bench: Callable[..., Bench], seed: int, bad: str) -> None:
    """Build results arrive in a random order; after each arrival, the server shows the right state."""
    names = ("bookworm", "noble", "trixie")
    track = {"series": "bookworm", "trigger": "review", "branch": "main", "phases": PHASES}
    server = {"forge": "gerrit", "url": "https://g.example/", "trusted": ["*"]}
    lab = bench(
        upstreams={"greet": "https://g.example/team/greet"},
        tracks=dict.fromkeys(names, track),
        reviews={"server": server},
    )
    one = ProposalId(
        forge="server", project="team/greet", number=7, head="7" * 40, ref="refs/changes/07/7/1", branch="main"
    )
    forge = MemoryForge(one)
    order, arrived = [lane for lane in LANES if not follows_bad(lane, bad)], dict[tuple[str, str], str]()
    Random(seed).shuffle(order)
    for number, (name, phase) in enumerate(order, 1):
        arrived[name, phase] = verdict = "failed" if f"{name} {phase}" == bad else "passed"
        day = 1 + PHASES.index(phase)
        build = lab.publish(number, verdict, day, track=name, phase=phase, proposal=one)
        output = reviews.ReviewsOutput(lab.context, {"server": forge})
        assert [how for _, how, _ in lab.deliver(output, [build])] == ["delivered" if expected(arrived) else "nothing"]
        assert (forge.state or "") == expected(arrived)
    assert forge.votes == (["failure"] if bad else ["success"])


@pytest.mark.parametrize("bad", ["", *(f"{track} {phase}" for track, phase in LANES)])
def test_state_of_every_set_of_results(bad: str) -> None:
    """Each order of arrival is a path through these sets; on each, the state is decided once, and stays."""
    tracks = [*dict.fromkeys(track for track, _ in LANES)]
    lanes = [[("greet", track, phase) for phase in PHASES] for track in tracks]
    order = [lane for lane in LANES if not follows_bad(lane, bad)]

    def state(chosen: frozenset[tuple[str, str]]) -> str:
        verdicts = {lane: "failed" if " ".join(lane) == bad else "passed" for lane in order if lane in chosen}
        builds = [
            ReviewedBuild(" ".join(lane), ("greet", *lane), PHASES.index(lane[1]), verdict)  # type: ignore[arg-type]
            for lane, verdict in verdicts.items()
        ]
        found = review_report.state_of(review_report.results(lanes, builds))
        assert found == (expected(verdicts) or "pending")
        return found

    states = {
        chosen: state(chosen) for size in range(len(order) + 1) for chosen in map(frozenset, combinations(order, size))
    }
    for chosen, now in states.items():
        for lane in {*order} - chosen:
            assert now == "pending" or states[chosen | {lane}] == now
    assert states[frozenset(order)] == ("failure" if bad else "success")


def follows_bad(lane: tuple[str, str], bad: str) -> bool:
    """Return whether a phase is after the bad one of its track: it never begins."""
    track, _, phase = bad.partition(" ")
    return lane[0] == track and PHASES.index(lane[1]) > PHASES.index(phase)


@pytest.mark.parametrize(
    "verdicts, state, summary",
    [
        ("passed skipped passed", "success", "Passed: 2 of 3 phases passed, 1 had nothing to do"),
        ("passed skipped", "pending", "In progress: 1 of 3 phases passed, 1 had nothing to do"),
        ("passed skipped failed", "failure", "Failed: 1 of 3 phases passed, 1 had nothing to do"),
        ("passed skipped error", "error", "The lab could not test it: 1 of 3 phases passed, 1 had nothing to do"),
        ("skipped", "error", "The lab could not test it: 0 of 3 phases passed, 1 had nothing to do"),
        ("passed lost passed", "error", "The lab could not test it: 2 of 3 phases passed"),
    ],
)
def test_phase_without_anything_to_do_is_no_error(verdicts: str, state: str, summary: str) -> None:
    """A phase that Jenkins did not build is ``skipped``, too, and no success."""
    lanes, builds, reviewed = [("greet", "trunk", phase) for phase in ("build", "test", "deploy")], {}, []
    for number, (lane, word) in enumerate(zip(lanes, verdicts.split(), strict=False)):
        verdict: Any = "skipped" if word == "lost" else word
        steps = () if word == "lost" else (StepSummary(step="autopkgtest", verdict=verdict),)
        builds[lane[2]] = a_build(phase=lane[2], verdict=verdict, steps=steps)
        reviewed.append(ReviewedBuild(lane[2], lane, number, verdict))
    found = review_report.message(a_proposal(), review_report.results([lanes], reviewed), builds, lambda _: "")
    assert (found.state, found.summary) == (state, summary)


@pytest.mark.parametrize("order", [*permutations(range(4))], ids=str)
def test_state_is_that_of_the_newest_builds(order: tuple[int, ...]) -> None:
    """All orders of arrival of a bad round and a good one."""
    lanes = [[("greet", "trunk", "build"), ("greet", "trunk", "deploy")]]
    builds = [
        ReviewedBuild("a", lanes[0][0], 1, "passed"),
        ReviewedBuild("b", lanes[0][1], 2, "failed"),
        ReviewedBuild("c", lanes[0][0], 3, "passed"),
        ReviewedBuild("d", lanes[0][1], 4, "passed"),
    ]
    known = [builds[number] for number in order]
    states = [review_report.state_of(review_report.results(lanes, known[:count])) for count in range(1, 5)]
    assert states[-1] == "success"
    for count, state in enumerate(states, 1):
        has = {build.name for build in known[:count]}
        newest = "d" if "d" in has else "b" if "b" in has and "c" not in has else ""
        follows = newest == "d" and has & {"a", "c"}
        assert state == ("success" if follows else "failure" if newest == "b" else "pending")


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_status_is_pending_until_the_last_phase(desks: Desks, kind: str) -> None:
    desk = desks(kind, phases=["build", "deploy"])
    (item,) = desk.world.items
    desk.deliver(desk.publish(item))
    assert desk.state(item) == "pending"
    desk.deliver(desk.publish(item, phase="deploy", day=2))
    assert (desk.state(item), len(item.bodies)) == ("success", 1)


def test_recheck_waits_for_all_phases_again(desks: Desks) -> None:
    desk = desks("rest", phases=["build", "deploy"])
    (item,) = desk.world.items
    for day, (phase, verdict) in enumerate([("build", "passed"), ("deploy", "failed"), ("build", "passed")], 1):
        desk.deliver(desk.publish(item, verdict, day, phase=phase))
    assert item.votes == [-1]  # a new build alone does not take it back
    desk.deliver(desk.publish(item, day=4, phase="deploy"))
    assert item.votes == [-1, 1]


@pytest.mark.integration
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "builds, retracted, on_gerrit, elsewhere",
    [
        ([("build", "failed")], 0, "", "pending"),
        ([("build", "failed"), ("build", "passed"), ("deploy", "passed")], 2, "", "pending"),
        ([("build", "passed"), ("build", "failed"), ("deploy", "passed")], 1, "success", "success"),
        ([("build", "passed"), ("deploy", "failed"), ("deploy", "error")], 2, "failure", "failure"),
        ([("build", "failed"), ("build", "error")], 0, "", "error"),
    ],
    ids=str,
)
def test_retraction_recomputes_the_vote(  # noqa: PLR0917 - a table's columns
    desks: Desks, kind: str, builds: list[tuple[str, str]], retracted: int, on_gerrit: str, elsewhere: str
) -> None:
    desk = desks(kind, phases=["build", "deploy"])
    (item,) = desk.world.items
    sent = []
    for day, (phase, verdict) in enumerate(builds, 1):
        sent.append(desk.publish(item, verdict, day, phase=phase))
        desk.deliver(sent[-1])
    desk.retract(sent[retracted])
    assert desk.state(item) == (on_gerrit if desk.is_gerrit else elsewhere)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("differ", [changed(status="merged"), changed(is_draft=True), superseded, gone])
def test_retraction_of_a_change_without_votes_is_done(
    desks: Desks, kind: str, differ: Callable[[Item, World], None]
) -> None:
    desk = desks(kind)
    (item,) = desk.world.items
    build = desk.publish(item, "failed")
    desk.deliver(build)
    before = len(item.votes), len(item.statuses)
    differ(item, desk.world)
    desk.retract(build)
    assert (len(item.votes), len(item.statuses)) == before


@pytest.mark.parametrize("kind", ("rest", SSH))
def test_error_of_the_lab_takes_a_vote_back(desks: Desks, kind: str) -> None:
    desk = desks(kind)
    (item,) = desk.world.items
    desk.deliver(desk.publish(item, "failed"))
    desk.deliver(desk.publish(item, "error", 2))
    assert item.votes == [-1, 0]


def test_track_of_other_branch_is_not_waited_for(desks: Desks) -> None:
    desk = desks("rest", ("trunk", "stable"))
    tracks = dict(desk.lab.lab.tracks)
    tracks["stable"] = tracks["stable"].model_copy(update={"branch": "stable/1"})
    desk.lab.lab = desk.lab.lab.model_copy(update={"tracks": tracks})
    (item,) = desk.world.items
    desk.deliver(desk.publish(item))
    assert desk.state(item) == "success"


@pytest.mark.parametrize(
    "branch, series, cases, lines",
    [
        ("main", "bookworm", (FAILING,), ["main itself, on tip: failed at sbuild", "fell</b> (fails without the change too)"]),
        ("main", "bookworm", (), ["main itself, on tip: failed at sbuild", "boot: it <b>fell</b>\n"]),
        ("stable/1", "bookworm", (FAILING,), ["boot: it <b>fell</b>\n"]),
        ("main", "trixie", (FAILING,), ["boot: it <b>fell</b>\n"]),
    ],
    ids=str,
)  # fmt: skip
def test_failure_is_compared_with_the_branch(
    desks: Desks, branch: str, series: str, cases: tuple[Any, ...], lines: list[str]
) -> None:
    desk = desks("github")
    (item,) = desk.world.items
    lab = desk.lab.lab
    tip = lab.tracks["trunk"].model_copy(update={"trigger": "commit", "branch": branch, "series": series})
    desk.lab.lab = lab.model_copy(update={"tracks": {**lab.tracks, "tip": tip}})
    desk.lab.publish(1, "failed", 1, track="tip", job="tip/greet/build", cases=cases)
    desk.lab.publish(2, "error", 2, track="tip", job="tip/greet/build")  # no verdict
    desk.deliver(desk.publish(item, "failed", 3))
    (text,) = item.bodies
    assert desk.state(item) == "failure"
    assert all(line in text for line in lines), text
    assert ("itself" in text) == any("itself" in line for line in lines)


def test_damaged_bundle_is_parked_alone(desks: Desks) -> None:
    desk = desks("rest")
    desk.world.items.append(Item(8, f"{8:040x}"))
    torn = desk.publish(desk.world.items[0])
    desk.publish(desk.world.items[1])
    torn.path.write_bytes(b"torn")
    assert [how for how, _ in desk.deliver()] == ["parked", "delivered"]
