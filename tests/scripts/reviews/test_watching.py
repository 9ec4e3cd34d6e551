"""What is tested of changes under review: real repositories behind doubles of a Gerrit, a GitHub and a GitLab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import LabError
from lab.base.git import GitMirror
from lab.config.description import PHASES, Lab
from lab.store import step
from lab.store.records import Record
from lab.store.run_directory import Run
from scripts import snapshot
from scripts.phases import runner
from scripts.reviews import superseding, watching
from tests.conftest import GitRepository, packaging_files
from tests.forges import LAB, Item, World
from tests.servers import Service

pytestmark = pytest.mark.integration
KINDS = ("rest", "github", "gitlab")
MANY = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"


@dataclass
class Workshop:
    """A lab, a server, and the repositories of its two projects, ``team/greet`` and ``team/meet``."""

    lab: Lab
    world: World
    url: str
    greet: GitRepository
    meet: GitRepository
    troubles: list[LabError] = field(default_factory=list)

    def repository(self, item: Item) -> GitRepository:
        return self.greet if item.project == "team/greet" else self.meet

    def propose(
        self, number: int, files: dict[str, str], base: str = "v1.0", project: str = "team/greet", **more: Any
    ) -> Item:
        """Push a proposal on ``base``."""
        item = Item(number, "", project, **more)
        self.world.items.append(item)
        return self.push(item, files, base)

    def push(self, item: Item, files: dict[str, str], base: str = "v1.0") -> Item:
        """Give a proposal another head."""
        repository = self.repository(item)
        repository.git("checkout", "--quiet", "--detach", base)
        item.patch_set += bool(item.head)
        item.former += [item.head] if item.head else []
        item.head = repository.commit(f"Propose {item.number}\n\n{item.text}", files)
        repository.git("checkout", "--quiet", "main")
        pull, request = f"refs/pull/{item.number}/head", f"refs/merge-requests/{item.number}/head"
        for ref in (item.ref, pull, request):
            repository.git("update-ref", ref, item.head)
        repository.git("update-server-info")
        return item

    def advance(self, files: dict[str, str], repository: GitRepository | None = None) -> str:
        """Move the branch on."""
        repository = repository or self.greet
        head = repository.commit("Move on", files)
        repository.git("update-server-info")
        return head

    def poll(self) -> list[Run]:
        return list(watching.new_runs(self.lab, "review", self.troubles))

    def snapshot(self, run: Run) -> Record:
        with run.held():
            return step.execute(snapshot.NAME, snapshot.action, self.lab, run)

    def end(self, run: Run, verdict: str = "passed", archive: str = "") -> None:
        """Leave the records of a finished build, with the state of the archive that it has made."""
        last = {"passed": "push", "failed": "sbuild", "error": "source"}[verdict]
        steps = PHASES["build"][: PHASES["build"].index(last) + 1]
        for name in steps:
            Record(
                step=name, component=run.info.component, track="review", series="bookworm", architecture="amd64",
                started=run.info.started, log=f"results/{name}.log", exit_code=0, version="1.0-1",
                verdict=verdict if name == last else "passed",  # type: ignore[arg-type]
            ).write(run.record_path(name))  # fmt: skip
        run.write_info(run.info.model_copy(update={"archive": archive}))

    def content(self, commit: str, component: str = "greet") -> dict[str, str]:
        """Return the files of a commit in the lab's mirror."""
        mirror = GitMirror.of(self.lab.component(component, "review").upstream.git)
        names = mirror.git("ls-tree", "-r", "--name-only", commit).split()
        return {name: mirror.git("show", f"{commit}:{name}") for name in names}


Shops = Callable[[str], Workshop]


@pytest.fixture
def shops(
    lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shops]:
    monkeypatch.setenv("QALAB_GERRIT_USER", LAB)
    monkeypatch.setenv("QALAB_GERRIT_PASSWORD", "s3cret")
    monkeypatch.setenv("QALAB_GITHUB_TOKEN", "t0ken")
    monkeypatch.setenv("QALAB_GITLAB_TOKEN", "t0ken")
    greet, meet, packaging = git_repository("greet"), git_repository("meet"), git_repository("packaging")
    packaging.commit("Package it", packaging_files())
    for repository in (greet, meet):
        repository.commit("Start", {"a.txt": MANY, "b.txt": "hello\n"})
        repository.tag("v1.0")
        repository.git("update-server-info")
    world = World(repositories={"team/greet": greet.path / ".git", "team/meet": meet.path / ".git"})
    with Service(world) as service:

        def make(kind: str) -> Workshop:
            server: dict[str, Any] = {"forge": kind, "url": f"{service.url}/"}
            if kind == "rest":
                server |= {"forge": "gerrit", "trusted": sorted(world.maintainers)}
            track = {"series": "bookworm", "trigger": "review", "branch": "main"}
            own = {name: {"upstream": {"git": f"{service.url}/team/{name}"}, "packaging": {"git": str(packaging.path)}}
                   for name in ("greet", "meet")}  # fmt: skip
            lab = lab_factory(lab={"tracks": {"review": track}, "components": own, "reviews": {"server": server}})
            tracks = {"review": lab.tracks["review"]}
            return Workshop(lab.model_copy(update={"tracks": tracks}), world, service.url, greet, meet)

        yield make


def reference(shop: Workshop, kind: str, item: Item) -> str:
    """Return the URL of a proposal."""
    part = {
        "rest": f"c/{item.project}/+/",
        "github": f"{item.project}/pull/",
        "gitlab": f"{item.project}/-/merge_requests/",
    }
    return f"{shop.url}/{part[kind]}{item.number}"


@pytest.mark.parametrize("kind", KINDS)
def test_change_on_old_base_is_merged_onto_the_tip(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    item = shop.propose(7, {"a.txt": MANY.replace("one", "uno")})
    tip = shop.advance({"a.txt": MANY.replace("seven", "siete")})
    (run,) = shop.poll()
    record = shop.snapshot(run)
    assert record.verdict == "passed", record.message
    info = run.info
    assert info.proposal is not None
    assert (info.proposal.number, info.proposal.head, info.proposal.project) == (7, item.head, "team/greet")
    assert (info.base, info.cause) == (tip, "change under review")
    assert shop.content(info.commit)["a.txt"] == MANY.replace("one", "uno").replace("seven", "siete").rstrip()
    mirror = GitMirror.of(f"{shop.url}/team/greet")
    assert mirror.git("log", "-1", "--format=%P", info.commit).split() == [tip, item.head]
    assert record.version.endswith(f".{info.commit[:7]}+review{info.number}")
    assert "does not rise" not in record.message
    shop.end(run)
    assert shop.poll() == []
    assert shop.troubles == []


def test_tip_that_moves_is_the_base_once(shops: Shops) -> None:
    shop = shops("rest")
    shop.propose(7, {"b.txt": "hi\n"})
    (run,) = shop.poll()
    tip = shop.advance({"c.txt": "new\n"})
    first = shop.snapshot(run)
    assert (first.verdict, run.info.base) == ("passed", tip)
    shop.advance({"d.txt": "newer\n"})
    again = shop.snapshot(Run(run.path))  # resumed, after the tip has moved again
    assert (again.commit, again.version) == (first.commit, first.version)
    assert "d.txt" not in shop.content(again.commit)


@pytest.mark.parametrize("kind", KINDS)
def test_conflict_is_told_and_not_voted(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    item = shop.propose(7, {"b.txt": "hi\n"})
    tip = shop.advance({"b.txt": "hallo\n"})
    for _ in range(2):
        assert shop.poll() == []
        (text,) = item.bodies
        assert f"does not merge with main at {tip[:12]}: conflicts in b.txt" in text
    assert (item.votes, item.statuses) == ([], [])
    shop.advance({"b.txt": "hello\n"})
    (run,) = shop.poll()  # the tip has moved, and there is no conflict any more
    shop.advance({"b.txt": "hallo\n"})
    record = shop.snapshot(run)  # the conflict came in between
    assert (record.verdict, "does not merge with main" in record.message) == ("error", True)


@pytest.mark.parametrize("kind", KINDS)
def test_dependency_in_the_same_project_is_merged_first(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    first = shop.propose(7, {"c.txt": "c\n"})
    shop.propose(8, {"d.txt": "d\n"}, text=f"Use c\n\nDepends-On: {reference(shop, kind, first)}")
    runs = shop.poll()
    assert [run.info.proposal.number for run in runs if run.info.proposal] == [7, 8]
    shop.snapshot(runs[1])
    assert [one.number for one in runs[1].info.depends_on] == [7]
    assert {"c.txt", "d.txt"} <= shop.content(runs[1].info.commit).keys()


def test_change_id_names_the_change_on_the_same_branch(shops: Shops) -> None:
    shop = shops("rest")
    identity = "I" + "ab" * 20
    shop.propose(6, {"c.txt": "other\n"}, branch="stable/1", text=f"C\n\nChange-Id: {identity}")
    shop.propose(7, {"c.txt": "c\n"}, text=f"C\n\nChange-Id: {identity}")
    shop.propose(8, {"d.txt": "d\n"}, text=f"Use c\n\nDepends-On: {identity}")
    runs = shop.poll()
    assert [one.number for one in runs[1].info.depends_on] == [7]


@pytest.mark.parametrize("kind", KINDS)
def test_dependency_in_another_project_is_built_first(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    needed = shop.propose(7, {"c.txt": "c\n"}, project="team/meet")
    item = shop.propose(8, {"d.txt": "d\n"}, text=f"Use c\n\nDepends-On: {reference(shop, kind, needed)}")
    (first,) = shop.poll()
    assert first.info.component == "meet"
    assert item.bodies == []  # it waits in silence
    shop.end(first, archive="review-20260101T000000Z-00000000")
    (second,) = shop.poll()
    assert (second.info.component, second.info.onto) == ("greet", "review-20260101T000000Z-00000000")
    assert [one.project for one in second.info.depends_on] == ["team/meet"]
    shop.end(second)
    shop.push(needed, {"c.txt": "better\n"})
    (third,) = shop.poll()
    shop.end(third, archive="review-20260102T000000Z-00000000")
    (fourth,) = shop.poll()  # another head of the dependency: another test
    assert (third.info.component, fourth.info.onto) == ("meet", "review-20260102T000000Z-00000000")


UNMET: list[tuple[str, dict[str, Any], str]] = [
    ("abandoned", {"status": "closed"}, "was abandoned"),
    ("draft", {"is_draft": True}, "which is a draft"),
    ("stranger's", {"author": "eve"}, "which is not approved"),
    ("other branch", {"branch": "stable/1"}, "whose project review does not test"),
]


@pytest.mark.parametrize("fields, reason", [row[1:] for row in UNMET], ids=[row[0] for row in UNMET])
def test_unmet_dependency_is_told_and_not_voted(shops: Shops, fields: dict[str, Any], reason: str) -> None:
    shop = shops("github")
    needed = shop.propose(7, {"c.txt": "c\n"}, **fields)
    item = shop.propose(8, {"d.txt": "d\n"}, text=f"Use c\n\nDepends-On: {reference(shop, 'github', needed)}")
    for _ in range(2):
        assert [run.info.proposal.number for run in shop.poll() if run.info.proposal] == []
        (text,) = item.bodies
        assert reason in text
    assert item.statuses == []


@pytest.mark.parametrize(
    "line, reason",
    [
        ("https://elsewhere.example/x/pull/1", "is no change of server"),
        ("{url}/team/greet/pull/99", "there is no such change"),
        ("{url}/team/greet/pull/8", "it depends on itself"),
    ],
)
def test_wrong_dependency_is_told(shops: Shops, line: str, reason: str) -> None:
    shop = shops("github")
    item = shop.propose(8, {"d.txt": "d\n"}, text=f"D\n\nDepends-On: {line.format(url=shop.url)}")
    assert shop.poll() == []
    assert reason in item.bodies[0]


def test_merged_dependency_is_on_the_tip(shops: Shops) -> None:
    shop = shops("github")
    needed = shop.propose(7, {"c.txt": "c\n"})
    item = shop.propose(8, {"d.txt": "d\n"}, text=f"D\n\nDepends-On: {reference(shop, 'github', needed)}")
    first, second = shop.poll()
    for run in (first, second):
        shop.snapshot(run)
        shop.end(run)
    shop.greet.git("merge", "--quiet", "--no-edit", needed.head)
    shop.greet.git("update-server-info")
    needed.status = "merged"
    assert shop.poll() == []  # what was tested with it is tested
    shop.push(item, {"d.txt": "better\n"})
    (run,) = shop.poll()
    assert run.info.depends_on == ()


def test_parents_are_part_of_a_change(shops: Shops) -> None:
    shop = shops("rest")
    parent = shop.propose(7, {"c.txt": "c\n"})
    shop.propose(8, {"d.txt": "d\n"}, base=parent.head)
    shop.advance({"e.txt": "e\n"})
    runs = shop.poll()
    shop.snapshot(runs[1])
    assert {"c.txt", "d.txt", "e.txt"} <= shop.content(runs[1].info.commit).keys()


STRANGERS_PARENT = "which is not approved"


@pytest.mark.parametrize("kind", KINDS)
def test_parent_of_a_stranger_waits_for_the_word_of_a_maintainer(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    parent = shop.propose(7, {"c.txt": "evil\n"}, author="eve", branch="stable/1")
    middle = shop.propose(8, {"d.txt": "d\n"}, base=parent.head)
    item = shop.propose(9, {"e.txt": "e\n"}, base=middle.head)
    for _ in range(2):
        assert shop.poll() == []
        (text,) = item.bodies
        assert "it is on top of team/greet 7" in text
        assert STRANGERS_PARENT in text
    item.say("maria", f"ok to test {item.head}")  # is no word about the parent
    parent.say("eve", f"ok to test {parent.head}")
    assert shop.poll() == []
    parent.say("maria", f"ok to test {parent.head}")
    assert [run.info.proposal.number for run in shop.poll() if run.info.proposal] == [8, 9]
    assert shop.troubles == []


@pytest.mark.parametrize(
    "fields, reason",
    [
        ({"author": "eve", "status": "closed"}, STRANGERS_PARENT),
        ({"uploader": "eve"}, STRANGERS_PARENT),
        ({"is_private": True}, "which is private"),
        ({"author": "eve", "status": "merged"}, ""),
        ({"author": "eve", "project": "team/meet"}, ""),  # with the same commit in its history
        ({}, ""),
    ],
    ids=str,
)
def test_parents_on_a_gerrit(shops: Shops, fields: dict[str, Any], reason: str) -> None:
    shop = shops("rest")
    parent = shop.propose(7, {"c.txt": "c\n"})
    item = shop.propose(8, {"d.txt": "d\n"}, base=parent.head)
    for name, value in fields.items():
        setattr(parent, name, value)
    runs = [run.info.proposal.number for run in shop.poll() if run.info.proposal]
    assert (8 in runs, [reason in text for text in item.bodies]) == (not reason, [True] * bool(reason))


@pytest.mark.parametrize("author, is_tested", [("eve", False), ("alice", True)])
def test_outdated_parent(shops: Shops, author: str, *, is_tested: bool) -> None:
    shop = shops("rest")
    parent = shop.propose(7, {"c.txt": "evil\n"}, author=author)
    item = shop.propose(8, {"d.txt": "d\n"}, base=parent.head)
    shop.push(parent, {"c.txt": "good\n"})
    parent.say("maria", f"ok to test {parent.head}")
    assert [run.info.proposal.number for run in shop.poll() if run.info.proposal] == [7, 8][: 1 + is_tested]
    assert ["an outdated head of team/greet 7" in text for text in item.bodies] == [True] * (not is_tested)


def test_dependency_on_top_of_a_strangers_change_waits(shops: Shops) -> None:
    shop = shops("rest")
    parent = shop.propose(6, {"c.txt": "evil\n"}, author="eve")
    needed = shop.propose(7, {"d.txt": "d\n"}, base=parent.head)
    item = shop.propose(8, {"e.txt": "e\n"}, text=f"E\n\nDepends-On: {reference(shop, 'rest', needed)}")
    assert shop.poll() == []
    assert "it is on top of team/greet 6" in item.bodies[0]


def test_commits_of_another_branch_are_no_parents(shops: Shops) -> None:
    shop = shops("rest")
    stranger = shop.propose(7, {"c.txt": "c\n"}, author="eve")
    shop.greet.git("update-ref", "refs/heads/feature", stranger.head)  # merged there
    shop.propose(8, {"d.txt": "d\n"}, base=stranger.head)
    assert [run.info.proposal.number for run in shop.poll() if run.info.proposal] == [8]


@pytest.mark.parametrize(
    "permission, is_tested",
    [("admin", True), ("write", True), ("read", False), ("none", False), ("", False)],
)
def test_member_of_a_github_who_may_only_read_is_a_stranger(shops: Shops, permission: str, *, is_tested: bool) -> None:
    shop = shops("github")
    shop.world.permissions["maria"] = permission
    shop.propose(7, {"c.txt": "c\n"}, author="maria")
    other = shop.propose(8, {"d.txt": "d\n"}, author="eve")
    other.say("maria", f"ok to test {other.head}")
    expected = [7, 8] if is_tested else []
    assert [run.info.proposal.number for run in shop.poll() if run.info.proposal] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_later_phases_of_an_outdated_head_do_not_begin(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    track = shop.lab.tracks["review"].model_copy(update={"phases": ("build", "deploy")})
    shop.lab = shop.lab.model_copy(update={"tracks": {"review": track}})
    item = shop.propose(7, {"c.txt": "c\n"})
    (run,) = shop.poll()
    shop.end(run)
    run.hand_over("1.0-1", "a-state")

    def due() -> list[str]:
        return [each.info.proposal.head for each in watching.new_runs(shop.lab, "review", []) if each.info.proposal]

    assert (superseding.why_to_stop(shop.lab, run), due()) == ("", [item.head])
    item.status = "closed"
    assert (superseding.why_to_stop(shop.lab, run), due()) == ("the change is closed", [])
    item.status, old = "open", item.head
    shop.push(item, {"c.txt": "d\n"})
    assert superseding.why_to_stop(shop.lab, run) == f"{item.head[:12]} has replaced {old[:12]}"
    assert due() == [item.head]
    shop.world.trouble = lambda method, path: (500, "")  # noqa: ARG005
    assert superseding.why_to_stop(shop.lab, run) == ""  # nobody knows


@pytest.mark.parametrize("kind", KINDS)
def test_later_phase_that_was_cut_short_goes_on(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    track = shop.lab.tracks["review"].model_copy(update={"phases": ("build", "deploy")})
    shop.lab = shop.lab.model_copy(update={"tracks": {"review": track}})
    item = shop.propose(7, {"c.txt": "c\n"})
    shop.propose(8, {"d.txt": "d\n"})
    first, second = shop.poll()
    shop.end(first)
    first.hand_over("1.0-1", "a-state")
    later = runner.next_run(shop.lab, first)
    assert later is not None
    shop.end(second, "failed")
    assert [run.id for run in shop.poll()] == [later.id]
    item.is_draft = True
    assert shop.poll() == []
    item.is_draft = False
    for name in later.steps:
        record = first.record("snapshot")
        assert record is not None
        record.model_copy(update={"step": name, "verdict": "failed", "exit_code": 1}).write(later.record_path(name))
    assert shop.poll() == []
    item.say("alice", "recheck", "2099-01-01T00:00:00.000Z")
    (again,) = shop.poll()
    assert (again.info.phase, again.id != first.id) == ("build", True)


def test_phase_that_never_began_goes_on_beside_newer_changes(shops: Shops) -> None:
    shop = shops("rest")
    track = shop.lab.tracks["review"].model_copy(update={"phases": ("build", "deploy")})
    shop.lab = shop.lab.model_copy(update={"tracks": {"review": track}})
    for number in (7, 8):
        shop.propose(number, {"c.txt": "c\n"})
    first, second = shop.poll()
    for run in (first, second):
        shop.end(run)
        run.hand_over("1.0-1", "a-state")
    assert [run.id for run in shop.poll()] == [first.id, second.id]


def test_new_head_is_tested_and_the_old_one_is_not(shops: Shops) -> None:
    shop = shops("github")
    item = shop.propose(7, {"b.txt": "hi\n"})
    (run,) = shop.poll()
    old = item.head
    shop.push(item, {"b.txt": "ho\n"})
    shop.greet.git("gc", "--quiet", "--prune=now")
    shop.greet.git("update-server-info")
    (again,) = shop.poll()
    assert again.info.proposal is not None
    assert again.info.proposal.head == item.head != old
    assert shop.snapshot(again).verdict == "passed"
    item.status = "closed"
    assert shop.poll() == []
    del run


@pytest.mark.parametrize("kind", KINDS)
def test_head_with_another_message_alone_is_tested(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    item = shop.propose(7, {"b.txt": "hi\n"})
    (run,) = shop.poll()
    shop.end(run)
    item.text = "Say it better"
    shop.push(item, {"b.txt": "hi\n"})
    assert [each.info.proposal.head for each in shop.poll() if each.info.proposal] == [item.head]


@pytest.mark.parametrize(
    "fields", [{"is_draft": True}, {"is_private": True}, {"status": "closed"}, {"status": "merged"}], ids=str
)
def test_draft_private_and_closed_changes_are_left_alone(shops: Shops, fields: dict[str, Any]) -> None:
    shop = shops("rest")
    item = shop.propose(7, {"b.txt": "hi\n"}, **fields)
    assert (shop.poll(), item.comments) == ([], [])


@pytest.mark.parametrize("kind", KINDS)
def test_stranger_waits_for_the_word_of_a_maintainer(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    item = shop.propose(7, {"b.txt": "hi\n"}, author="eve")
    for _ in range(2):
        assert shop.poll() == []
        (text,) = item.bodies  # the lab asks once, and its own words are no approval
        assert f"ok to test {item.head}`" in text
    item.say("eve", f"ok to test {item.head}")
    item.say("maria", "ok to test")
    item.say("maria", f"ok to test {item.head[:12]}")
    assert shop.poll() == []
    item.say("maria", f"I have read it.\nok to test {item.head}\n")
    (run,) = shop.poll()
    shop.end(run)
    shop.push(item, {"b.txt": "evil\n"})
    assert shop.poll() == []  # the word was for the former head
    assert len(item.bodies) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_recheck_and_errors_of_the_lab(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    item = shop.propose(7, {"b.txt": "hi\n"})
    for _ in range(3):
        (run,) = shop.poll()
        shop.end(run, "error")
    assert shop.poll() == []  # three times is enough
    item.say("alice", "please recheck this", "2099-01-01T00:00:00.000Z")
    assert shop.poll() == []
    item.say("alice", "recheck", "2000-01-01T00:00:00.000Z")
    assert shop.poll() == []
    if kind == "rest":
        item.comments[-1]["body"] = "Patch Set 1:\n\nrecheck"
    item.comments[-1]["when"] = "2099-01-01T00:00:00.000Z"
    assert len(shop.poll()) == 1


def test_patch_set_of_a_stranger_on_the_change_of_a_maintainer(shops: Shops) -> None:
    shop = shops("rest")
    item = shop.propose(7, {"b.txt": "hi\n"})
    (run,) = shop.poll()
    shop.end(run)
    item.uploader = "eve"
    shop.push(item, {"b.txt": "evil\n"})
    assert shop.poll() == []
    assert "ok to test" in item.bodies[0]
    other = shop.propose(8, {"b.txt": "ho\n"}, author="eve", uploader="maria")  # who rebased it, perhaps
    assert (shop.poll(), len(other.bodies)) == ([], 1)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_project_that_is_not_public_is_left_alone(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    item = shop.propose(7, {"b.txt": "hi\n"})
    shop.propose(8, {"b.txt": "hi\n"}, project="team/meet")
    shop.world.hidden = {"team/greet"}
    assert [run.info.component for run in shop.poll()] == ["meet"]
    told = ["team/greet is not public"]
    assert [str(trouble).partition(":")[0] for trouble in shop.troubles] == told
    shop.poll()
    assert [str(trouble).partition(":")[0] for trouble in shop.troubles] == told  # once
    shop.world.trouble = lambda method, path: (500, "") if "greet" in path else False  # noqa: ARG005
    shop.poll()
    shop.world.trouble = lambda method, path: False  # noqa: ARG005
    shop.poll()
    assert len([trouble for trouble in shop.troubles if "not public" in str(trouble)]) == 1  # an error says nothing
    shop.world.hidden = set()
    shop.poll()
    shop.world.hidden = {"team/greet"}
    shop.poll()
    assert len([trouble for trouble in shop.troubles if "not public" in str(trouble)]) == 2  # it was public in between
    assert item.comments == []
    server = shop.lab.reviews["server"].model_copy(update={"publish_private": True})
    shop.lab = shop.lab.model_copy(update={"reviews": {"server": server}})
    assert "greet" in [run.info.component for run in shop.poll()]


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_draft_is_left_alone(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    item = shop.propose(7, {"b.txt": "hi\n"}, is_draft=True)
    assert (shop.poll(), item.comments) == ([], [])
    item.is_draft = False
    assert len(shop.poll()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_head_without_vote_is_tested_again_when_it_is_ready(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    item = shop.propose(7, {"b.txt": "hi\n"})
    (run,) = shop.poll()
    shop.end(run)
    assert shop.poll() == []
    mark = f"qalab: {item.head[:12]} 012345"
    end = mark if kind == "rest" else f"<!-- {mark} -->"
    item.say(LAB, f"Passed: 1 of 1 phases passed\nNo vote: the change is a draft.\n\n{end}", "2099-01-01T00:00:00.000Z")
    item.is_draft = True
    assert shop.poll() == []
    item.is_draft = False
    assert [each.info.proposal.head for each in shop.poll() if each.info.proposal] == [item.head]


@pytest.mark.parametrize("kind", KINDS)
def test_dependency_that_is_left_out_is_another_test(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    needed = shop.propose(7, {"c.txt": "c\n"})
    item = shop.propose(8, {"d.txt": "d\n"}, text=f"D\n\nDepends-On: {reference(shop, kind, needed)}")
    for run in shop.poll():
        shop.snapshot(run)
        shop.end(run)
    assert shop.poll() == []
    item.text = "D"  # it would merge without what it was tested with
    (run,) = shop.poll()
    assert run.info.depends_on == ()


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@pytest.mark.parametrize("number, reason", [("9" * 5000, "is no change of server"), ("{many}", "more than 20 changes")])
def test_dependencies_without_end_stop_nobody(shops: Shops, kind: str, number: str, reason: str) -> None:
    shop = shops(kind)
    greedy = Item(0, "", "team/greet")
    line = f"Depends-On: {reference(shop, kind, greedy)[:-1]}"
    lines = [f"{line}{each}" for each in range(100, 1100)] if number == "{many}" else [f"{line}{number}"]
    item = shop.propose(8, {"d.txt": "d\n"}, text="\n".join(["D", "", *lines]))
    shop.propose(9, {"e.txt": "e\n"})
    assert [run.info.proposal.number for run in shop.poll() if run.info.proposal] == [9]
    assert reason in item.bodies[0]


def test_answer_about_one_change_does_not_stop_others(shops: Shops) -> None:
    shop = shops("github")
    for number in range(7, 12):
        shop.propose(number, {"b.txt": f"{number}\n"})
    shop.world.trouble = lambda _, path: (403, "locked") if "/issues/7/" in path else False
    assert [run.info.proposal.number for run in shop.poll() if run.info.proposal] == [8, 9, 10, 11]
    assert len(shop.troubles) == 1


def hide(shop: Workshop, item: Item) -> None:
    """Delete the refs of a proposal, as on a mirror without them."""
    for ref in (item.ref, f"refs/pull/{item.number}/head", f"refs/merge-requests/{item.number}/head"):
        shop.greet.git("update-ref", "-d", ref)
    shop.greet.git("update-server-info")


@pytest.mark.parametrize("kind", KINDS)
def test_mirror_without_changes_is_the_fault_of_the_lab(shops: Shops, kind: str) -> None:
    shop = shops(kind)
    item = shop.propose(7, {"b.txt": "hi\n"})
    hide(shop, item)
    assert shop.poll() == []
    assert "a mirror may not have it yet" in str(shop.troubles[0])
    assert item.comments == []


def test_mirror_that_is_late_is_asked_again(shops: Shops) -> None:
    shop = shops("rest")
    item = shop.propose(7, {"b.txt": "hi\n"})
    hide(shop, item)
    assert shop.poll() == []
    shop.greet.git("update-ref", item.ref, item.head)
    shop.greet.git("update-server-info")
    assert (len(shop.poll()), item.comments) == (1, [])


def test_mirror_that_is_ahead_has_another_head(shops: Shops) -> None:
    shop = shops("github")
    item = shop.propose(7, {"b.txt": "hi\n"})
    known = item.head
    hide(shop, item)
    shop.push(item, {"b.txt": "ho\n"})
    shop.greet.git("reflog", "expire", "--expire=now", "--all")
    shop.greet.git("gc", "--quiet", "--prune=now")
    shop.greet.git("update-server-info")
    item.head = known  # what the server still shows
    assert shop.poll() == []
    assert "a newer head has replaced it" in str(shop.troubles[0])
    assert item.comments == []


def test_change_is_from_the_review_server_and_its_base_from_the_mirror(shops: Shops, tmp_path: Path) -> None:
    shop = shops("rest")
    item = shop.propose(7, {"b.txt": "hi\n"})
    place = tmp_path / "changes.git"
    shop.greet.git("clone", "--quiet", "--mirror", str(shop.greet.path), str(place))
    shop.greet.git("-C", str(place), "update-server-info")
    shop.world.repositories["changes/team/greet"] = place
    hide(shop, item)
    tip = shop.advance({"c.txt": "new\n"})  # on the mirror alone
    server = shop.lab.reviews["server"].model_copy(update={"git": f"{shop.url}/changes/"})
    shop.lab = shop.lab.model_copy(update={"reviews": {"server": server}})
    (run,) = shop.poll()
    assert (shop.snapshot(run).verdict, run.info.base) == ("passed", tip)
    assert {"b.txt", "c.txt"} <= shop.content(run.info.commit).keys()
