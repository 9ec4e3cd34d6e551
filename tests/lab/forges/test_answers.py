"""Answers of real servers, shortened to the fields that are read: each has something that others have not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, NotNow, Refused
from lab.config.description import Lab
from lab.forges.answers import Fields
from lab.forges.proposals import Forge, Proposal, ProposalId, ReviewMessage, mark_of
from lab.forges.registry import open_forge
from tests.forges import LAB, Item, World, install_ssh
from tests.servers import Service

HEAD = "b1c82d0f1c916b7f66cfece625d67fb5ecea9ea7"
Opened = Callable[[str], Forge]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def opened(
    world: World, lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opened]:
    """Return ``open(kind)``: a forge whose server shows the world."""
    for name, value in {
        "GERRIT_USER": LAB,
        "GERRIT_PASSWORD": "s3cret",
        "GITHUB_TOKEN": "t0ken",
        "GITLAB_TOKEN": "t0ken",
    }.items():
        monkeypatch.setenv(f"QALAB_{name}", value)
    with Service(world) as service:

        def make(kind: str) -> Forge:
            server: dict[str, Any] = {"forge": "gerrit" if kind in {"rest", "ssh"} else kind, "url": f"{service.url}/"}
            if server["forge"] == "gerrit":
                server["trusted"] = ["alice"]
            if kind == "ssh":
                server["ssh"] = f"{LAB}@gerrit.example"
                monkeypatch.setenv("PATH", f"{install_ssh(tmp_path, service.port)}:{os.environ['PATH']}")
            lab = lab_factory(lab={"reviews": {"server": server}})
            return open_forge(lab, tmp_path, "server", lambda: 0.0)

        yield make


def ssh(*changes: Any, **stats: Any) -> str:
    lines = [*map(json.dumps, changes), json.dumps({"type": "stats", "rowCount": len(changes), **stats})]
    return "\0".join(["0", "\n".join(lines), ""])


def by_ssh(number: Any = 2144, **more: Any) -> dict[str, Any]:
    current = {"number": "3", "revision": HEAD, "ref": f"refs/changes/44/{number}/3"}
    return {"project": "p", "branch": "master", "number": number, "status": "NEW", "currentPatchSet": current, **more}


def by_rest(number: Any = 1756, **more: Any) -> dict[str, Any]:
    revisions = {HEAD: {"_number": 1, "ref": "refs/changes/56/1756/1", "commit": {"message": "One change"}}}
    return {
        "_number": number, "project": "p", "branch": "master", "status": "NEW", "owner": {"_account_id": 7, "username": "jdoe"},
        "current_revision": HEAD, "revisions": revisions, **more,
    }  # fmt: skip


def pull(number: int = 31, **more: Any) -> dict[str, Any]:
    return {
        "number": number, "state": "open", "title": "t", "body": None, "user": {"login": "jacquev6"}, "draft": False,
        "merged_at": None, "head": {"sha": HEAD, "ref": "topic"}, "base": {"ref": "master"}, "author_association": "NONE", **more,
    }  # fmt: skip


def request(number: int = 14656, **more: Any) -> dict[str, Any]:
    return {
        "iid": number, "state": "opened", "title": "t", "description": "d\r\n", "sha": HEAD, "target_branch": "master",
        "author": {"id": 3614858, "username": LAB}, "source_project_id": 1, "target_project_id": 1, **more,
    }  # fmt: skip


ANSWERS: list[tuple[str, str, str, list[int] | str]] = [
    # name, kind, answer to the list of proposals, their numbers or the complaint
    ("Gerrit 2: numbers are texts", "ssh", ssh(by_ssh("2144", owner={"name": "R", "email": "r@x"})), [2144]),
    ("Gerrit 2: no owner", "ssh", ssh(by_ssh()), [2144]),
    ("change without a patch set", "ssh", ssh({"project": "p", "branch": "m", "number": "368"}, by_ssh()), [2144]),
    ("only such a change", "ssh", ssh({"project": "p", "branch": "m", "number": "368"}), []),
    ("nothing found", "ssh", ssh(runTimeMilliseconds=4, moreChanges=False), []),
    ("wrong query", "ssh", "0\0" + '{"type":"error","message":"Unsupported query:5S2D4D2D4"}' + "\0", "Unsupported query"),
    ("not a number", "ssh", ssh(by_ssh("x"), by_ssh("y")), "number is no number"),
    ("guard without a line feed", "rest", ")]}'" + json.dumps([by_rest()]), [1756]),
    ("number as a text", "rest", ")]}'\n" + json.dumps([by_rest("91827")]), [91827]),
    ("owner with a name alone", "rest", ")]}'\n" + json.dumps([by_rest(owner={"name": "John Doe"})]), [1756]),
    ("label nobody voted on", "rest", ")]}'\n" + json.dumps([by_rest(labels={"Verified": {}, "Code-Review": {}})]), [1756]),
    ("change without a revision", "rest", ")]}'\n" + json.dumps([by_rest(1, current_revision=None), by_rest()]), [1756]),
    ("no list of changes", "rest", ")]}'\n" + json.dumps([{"id": 1}, {"id": 2}]), "current_revision"),
    ("deleted fork and user", "github", json.dumps([pull(head={"label": None, "ref": "m", "sha": HEAD, "user": None, "repo": None}, user=None)]), [31]),
    ("pull request without a head", "github", json.dumps([pull(30, head=None), pull()]), [31]),
    ("GitLab 12", "gitlab", json.dumps([request(work_in_progress=False, head_pipeline={"id": 77056819, "sha": HEAD})]), [14656]),
    ("ref of no change", "rest", ")]}'\n" + json.dumps([by_rest(1, revisions={HEAD: {"ref": "refs/heads/x"}}), by_rest()]), [1756]),
    ("revision without a ref", "rest", ")]}'\n" + json.dumps([by_rest(1, revisions={}), by_rest()]), [1756]),
    ("ref of no change", "ssh", ssh(by_ssh(1, currentPatchSet={"revision": HEAD, "ref": "x"}), by_ssh()), [2144]),
    ("unknown status", "rest", ")]}'\n" + json.dumps([by_rest(1, status="HELD"), by_rest()]), [1756]),
    ("no status", "ssh", ssh(by_ssh(1, status=None), by_ssh()), [2144]),
    ("negative number", "github", json.dumps([pull(-1), pull()]), [31]),
    ("negative number", "gitlab", json.dumps([request(-1), request()]), [14656]),
    ("deleted author", "gitlab", json.dumps([request(author=None)]), [14656]),
    ("fork that was deleted", "gitlab", json.dumps([request(source_project_id=None)]), [14656]),
    ("merge request without a commit", "gitlab", json.dumps([request(1, sha=None), request()]), [14656]),
]  # fmt: skip


@pytest.mark.parametrize("kind, answer, expected", [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_answers_of_real_servers(
    opened: Opened, world: World, kind: str, answer: str, expected: list[int] | str
) -> None:
    lists = ("/ssh", "/a/changes/", "/pulls", "/merge_requests")
    world.trouble = lambda method, path: (200, answer) if path.endswith(lists) else False  # noqa: ARG005
    forge = opened(kind)
    if isinstance(expected, str):
        with pytest.raises(NotNow, match=expected):
            forge.proposals("p", "master")
    else:
        assert [one.id.number for one in forge.proposals("p", "master")] == expected


def test_answer_about_one_change_is_never_left_out(opened: Opened, world: World) -> None:
    world.trouble = lambda method, path: (200, ssh({"project": "p", "number": 7}))  # noqa: ARG005
    with pytest.raises(NotNow, match="is no commit"):
        opened("ssh").now("p", 7)


@pytest.mark.parametrize("kind", ["rest", "ssh"])
def test_draft_of_gerrit_2_is_private(opened: Opened, world: World, kind: str) -> None:
    found = ssh(by_ssh(status="DRAFT")) if kind == "ssh" else json.dumps(by_rest(status="DRAFT"))
    world.trouble = lambda method, path: (200, found)  # noqa: ARG005
    shown = opened(kind).now("p", 7)
    assert shown is not None
    assert (shown.is_private, shown.status) == (True, "open")


@pytest.mark.parametrize("kind", ["rest", "ssh"])
@pytest.mark.parametrize("uploader, trusted", [("alice", True), ("eve", False), (None, False)])
def test_uploader_of_a_patch_set_must_be_trusted(
    opened: Opened, world: World, kind: str, uploader: str | None, *, trusted: bool
) -> None:
    who, owner = ({"username": uploader} if uploader else {}), {"username": "alice"}
    current = {"revision": HEAD, "ref": "refs/changes/44/2144/3", "uploader": who}
    shown = by_ssh(owner=owner, currentPatchSet=current)
    answer = ssh(shown)
    if kind == "rest":
        answer = json.dumps(by_rest(owner=owner, revisions={HEAD: {"ref": "refs/changes/56/1756/1", "uploader": who}}))
    world.trouble = lambda method, path: (200, answer)  # noqa: ARG005
    found = opened(kind).now("p", 7)
    assert found is not None
    assert found.is_trusted is trusted


MOMENTS: list[tuple[str, Any, str]] = [
    ("2013-10-02T09:22:45Z", "2013-10-02T09:22:45", ""),
    ("2017-01-08T14:48:00.472-05:00", "2017-01-08T19:48:00.472", ""),
    ("2013-02-26 15:40:43.986000000", "2013-02-26T15:40:43.986", ""),  # a Gerrit, in UTC
    (1_767_312_000, "2026-01-02T00:00:00", ""),
    ("", "", "is no moment"),
    (None, "", "is no moment"),
    ("soon", "", "is no moment"),
    (10**20, "", "is no moment"),
    ({}, "", "is no moment"),
]


@pytest.mark.parametrize("value, expected, complaint", MOMENTS, ids=str)
def test_moment(value: Any, expected: str, complaint: str) -> None:
    fields = Fields("x", {"at": value})
    if complaint:
        with pytest.raises(NotNow, match=complaint):
            fields.moment("at")
    else:
        assert fields.moment("at").startswith(expected)
        assert fields.moment("at").endswith("+00:00")


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_comment_without_a_moment_concerns_one_change(opened: Opened, world: World, kind: str) -> None:
    one = {"id": 5, "user": {"login": "x"}, "author": {"id": 1, "username": "x"}, "body": "hi"}
    world.items = [Item(7, HEAD)]
    forge = opened(kind)
    found = forge.now("team/greet", 7)
    assert found is not None
    world.trouble = lambda method, path: (200, json.dumps([one])) if path.endswith(("/comments", "/notes")) else False  # noqa: ARG005
    with pytest.raises(NotNow, match="created_at is no moment"):
        forge.comments(found)


PROJECTS: list[tuple[str, dict[str, Any], bool]] = [
    ("gitlab", {"visibility": "public"}, False),
    ("gitlab", {"visibility": "public", "repository_access_level": "enabled"}, False),
    ("gitlab", {"visibility": "internal"}, True),
    ("gitlab", {"visibility": "private"}, True),
    ("gitlab", {"visibility": "public", "repository_access_level": "private"}, True),
    ("gitlab", {"visibility": "public", "merge_requests_access_level": "private"}, True),
    ("gitlab", {}, True),
    ("github", {"private": False}, False),
    ("github", {"private": True}, True),
]


@pytest.mark.parametrize("kind, shown, private", PROJECTS)
def test_change_of_a_project_that_not_everybody_sees_is_private(
    opened: Opened, world: World, kind: str, shown: dict[str, Any], *, private: bool
) -> None:
    world.items = [Item(7, HEAD)]
    one = json.dumps(pull(7, base={"ref": "main", "repo": shown}) if kind == "github" else shown)
    path_of = {"github": "/pulls/7", "gitlab": "team%2Fgreet"}
    world.trouble = lambda method, path: (200, one) if path.endswith(path_of[kind]) else False  # noqa: ARG005
    found = opened(kind).now("team/greet", 7)
    assert found is not None
    assert found.is_private is private


def test_list_without_end(opened: Opened, world: World) -> None:
    page = json.dumps([pull(number) for number in range(100)])
    world.trouble = lambda method, path: (200, page)  # noqa: ARG005
    with pytest.raises(Refused, match="more than 10000 items"):
        opened("github").proposals("p/p", "master")


def test_token_of_an_app_is_the_fault_of_the_lab(opened: Opened, world: World) -> None:
    world.items = [Item(7, HEAD)]
    world.items[0].say("alice", "hi")
    refusal = json.dumps({"message": "Resource not accessible by integration"})
    world.trouble = lambda method, path: (403, refusal) if path.endswith("/user") else False  # noqa: ARG005
    forge = opened("github")
    found = forge.now("team/greet", 7)
    assert found is not None
    with pytest.raises(ConfigurationError, match="must be that of a user") as error:
        forge.comments(found)
    assert not isinstance(error.value, Refused)


@pytest.mark.parametrize(
    ("answer", "text"),
    [(r'"\ud800"', "?"), (r'"a\udfffb"', "a?b"), (r'"\ud83d\ude00"', "\U0001f600"), ('"\U0001f600"', "\U0001f600")],
)
def test_text_of_half_a_character_can_be_written(answer: str, text: str) -> None:
    found = Fields("x", {"a": json.loads(answer)}).text("a")
    assert (found, found.encode().decode()) == (text, text)


@pytest.mark.parametrize(("lanes", "details"), [(0, 3000), (9, 900), (27, 900), (90, 900), (3000, 0), (3000, 900)])
@pytest.mark.parametrize("word", ["x" * 150, "é" * 100, "\U0001f600" * 60, "`" * 90])
def test_comment_fits_whatever_it_is_about(lanes: int, details: int, word: str) -> None:
    one = ProposalId(forge="f", project="p", number=1, head="a" * 40, ref="refs/pull/1/head", branch="main")
    said = ReviewMessage(one, None, "s", "\n".join(["summary", *[f"* {word}"] * lanes]), "abc def", (word,) * details)
    for text in (said.plain, said.markdown):
        assert len(text.encode()) < 16 * 1024
        assert mark_of(text) == "abc def"
        assert text.startswith("summary\n")
        if details or lanes > 90:
            assert "more lines" in text


def test_merged_pull_request(opened: Opened, world: World) -> None:
    merged = json.dumps(pull(state="closed", merged_at="2012-05-27T10:29:07Z", head={"label": None, "sha": HEAD}))
    world.trouble = lambda method, path: (200, merged)  # noqa: ARG005
    found = opened("github").now("p/p", 31)
    assert isinstance(found, Proposal)
    assert (found.status, found.id.head) == ("merged", HEAD)


def test_status_of_2012_has_no_context(opened: Opened, world: World) -> None:
    old = json.dumps([{"id": 277031, "state": "pending", "description": None, "target_url": None}])
    world.trouble = lambda method, path: (200, old)  # noqa: ARG005
    one = ProposalId(forge="server", project="p/p", number=31, head=HEAD, ref="refs/pull/31/head", branch="m")
    assert not opened("github").shows(ReviewMessage(one, "pending", "", "", ""))


@pytest.mark.parametrize("kind", ["rest", "ssh", "github", "gitlab"])
def test_proposals_with_a_head_among_commits(opened: Opened, world: World, kind: str) -> None:
    items = [Item(number, f"{number:040x}", author="eve") for number in range(1, 131)]
    items[5].project, items[6].branch, items[7].status = "team/meet", "stable/1", "closed"
    items[8].former, items[8].head = [items[8].head], "f" * 40
    world.items = items
    asked = frozenset(f"{number:040x}" for number in range(5, 125))
    found = {one.id.number for one in opened(kind).at("team/greet", asked)}
    is_gerrit = kind in {"rest", "ssh"}  # which knows closed changes and former heads
    assert found == {*range(5, 125)} - {6} - (set() if is_gerrit else {8, 9})


@pytest.mark.parametrize("most", [1, 2, 500])
def test_changes_on_all_pages_are_found(opened: Opened, world: World, most: int) -> None:
    world.items, world.most = [Item(number, f"{number:040x}") for number in (7, 8, 9)], most
    assert [one.id.number for one in opened("ssh").proposals("team/greet", "main")] == [7, 8, 9]
