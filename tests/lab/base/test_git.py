"""Git with real repositories: a mirror equals its origin, and only qalab's configuration applies."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.git import FULL_ID, GitMirror, files_at, git, identity, readable, reset, try_git
from lab.base.run import ProgramFailed
from tests.conftest import EPOCH, GitRepository
from tests.processes import python

FETCHER = """
import sys
from pathlib import Path
from lab.base.git import GitMirror
print("ready", flush=True)
sys.stdin.readline()
with open(sys.argv[2], "w") as log:
    for _ in range(5):
        GitMirror.of(sys.argv[1]).fetch(log)
print("good")
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[IO[str]]:
    with (tmp_path / "log").open("w", encoding="utf-8", errors="surrogateescape") as stream:
        yield stream


@pytest.fixture
def upstream(git_repository: Callable[..., GitRepository]) -> GitRepository:
    repository = git_repository("upstream")
    repository.commit("Start", {"a": "1\n"})
    repository.tag("v1.0")
    return repository


@pytest.fixture
def mirror(upstream: GitRepository) -> GitMirror:
    return GitMirror.of(str(upstream.path))


def refs(mirror: GitMirror) -> dict[str, str]:
    lines = mirror.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def said(tmp_path: Path) -> str:
    return (tmp_path / "log").read_text(errors="replace")


def test_mirror_has_branches_tags_and_head(mirror: GitMirror, upstream: GitRepository, log: IO[str]) -> None:
    upstream.git("branch", "stable/1.0")
    upstream.git("symbolic-ref", "HEAD", "refs/heads/stable/1.0")
    mirror.fetch(log)
    start = upstream.heads[0]
    assert refs(mirror) == {"refs/heads/main": start, "refs/heads/stable/1.0": start, "refs/tags/v1.0": start}
    assert mirror.git("symbolic-ref", "HEAD") == "refs/heads/stable/1.0"
    assert mirror.git("rev-parse", "--is-bare-repository") == "true"


def test_files_of_commit_with_links(upstream: GitRepository) -> None:
    upstream.commit("Files", {"debian/real": "text\n", "debian/empty": "", "debian/latin": b"\xfc\n"})
    links = {
        "link": "real",
        "up": "../debian/real",
        "chain": "link",
        "gone": "nothing",
        "out": "/etc/hostname",
        "loop": "loop",
    }
    for name, target in links.items():
        (upstream.path / "debian" / name).symlink_to(target)
    (upstream.path / "packaging").symlink_to("debian")
    commit = upstream.commit("Links")
    expected = {
        "debian/link": "text\n",
        "debian/gone": None,
        "debian/up": "text\n",
        "debian/out": None,
        "debian/chain": "text\n",
        "debian/loop": None,
        "packaging/real": "text\n",
        "debian": None,
        "debian/empty": "",
        "debian/missing": None,
        "debian/real/below": None,
        "debian/latin": "\udcfc\n",
    }
    assert files_at(upstream.path, commit, expected) == expected


def test_mirror_fetch_is_incremental(mirror: GitMirror, upstream: GitRepository, log: IO[str], tmp_path: Path) -> None:
    upstream.commit("Big", {"big": os.urandom(300_000)})
    mirror.fetch(log)
    packs = set(mirror.path.glob("objects/**/*"))
    head = upstream.commit("Small", {"a": "2\n"})
    upstream.tag("v2.0")
    mirror.fetch(log)
    assert refs(mirror)["refs/tags/v2.0"] == head
    new = [path for path in set(mirror.path.glob("objects/**/*")) - packs if path.is_file()]
    assert sum(path.stat().st_size for path in new) < 10_000
    before = len(said(tmp_path))
    mirror.fetch(log)
    lines = said(tmp_path)[before:].splitlines()
    assert [line.split()[0] for line in lines] == ["+", "+"]  # the commands (init, fetch) without output


def test_mirror_fetch_removes_deleted_refs(mirror: GitMirror, upstream: GitRepository, log: IO[str]) -> None:
    for branch in ("old", "dir/one"):
        upstream.git("branch", branch)
    mirror.fetch(log)
    upstream.git("branch", "--delete", "old", "dir/one")
    upstream.git("tag", "--delete", "v1.0")
    upstream.git("branch", "dir")  # where a directory was
    upstream.git("branch", "old/new")  # and a directory where a branch was
    mirror.fetch(log)
    assert sorted(refs(mirror)) == ["refs/heads/dir", "refs/heads/main", "refs/heads/old/new"]


def test_mirror_fetch_replaces_rewritten_refs(mirror: GitMirror, upstream: GitRepository, log: IO[str]) -> None:
    upstream.commit("Wrong", {"a": "2\n"})
    upstream.tag("v2.0")
    mirror.fetch(log)
    upstream.git("reset", "--quiet", "--hard", upstream.heads[0])
    right = upstream.commit("Right", {"a": "3\n"})
    upstream.git("tag", "--force", "v2.0")
    mirror.fetch(log)
    assert refs(mirror)["refs/heads/main"] == refs(mirror)["refs/tags/v2.0"] == right


def test_mirror_fetches_change_under_review_on_request(
    mirror: GitMirror, upstream: GitRepository, log: IO[str]
) -> None:
    change = upstream.commit("Proposed", {"a": "2\n"})
    upstream.git("update-ref", "refs/changes/01/1/2", change)
    upstream.git("reset", "--quiet", "--hard", upstream.heads[0])
    mirror.fetch(log)
    assert mirror.resolve(change) is None
    mirror.fetch(log, "refs/changes/01/1/2")
    assert mirror.resolve("refs/changes/01/1/2") == change
    mirror.fetch(log)
    assert mirror.resolve(change) == change  # a resumed run still finds it


def test_mirror_of_empty_repository(git_repository: Callable[..., GitRepository], log: IO[str]) -> None:
    mirror = GitMirror.of(f"file://{git_repository('empty').path}")
    assert mirror.resolve("main") is None  # nor before there is a mirror
    mirror.fetch(log)
    assert (refs(mirror), mirror.resolve("main")) == ({}, None)


def test_mirror_refuses_shallow_clone(upstream: GitRepository, tmp_path: Path, log: IO[str]) -> None:
    upstream.commit("More", {"a": "2\n"})
    git(["clone", "--quiet", "--depth=1", f"file://{upstream.path}", tmp_path / "shallow"])
    for url in (str(tmp_path / "shallow"), f"file://{tmp_path}/shallow"):
        with pytest.raises(ConfigurationError) as caught:
            GitMirror.of(url).fetch(log)
        hint = "give the whole repository: its tags and commit counts make the versions"
        assert str(caught.value) == f"{url}: is a shallow clone ({hint})"
        assert not GitMirror.of(url).path.exists()


def test_mirror_refuses_repository_with_other_ids(tmp_path: Path, log: IO[str]) -> None:
    """The lab's records and versions have ids of 40 digits."""
    git(["init", "--quiet", "--object-format=sha256", tmp_path / "long"])
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@upstream.example"]
    git([*who, "commit", "--quiet", "--allow-empty", "--message", "Begin"], cwd=tmp_path / "long")
    with pytest.raises(ConfigurationError, match=r"long: is a repository with SHA-256 \("):
        GitMirror.of(str(tmp_path / "long")).fetch(log)


@pytest.mark.parametrize(
    "url, why",
    [
        ("{0}/nowhere", "'{0}/nowhere' does not appear to be a git repository"),
        ("file://{0}/nowhere", "'{0}/nowhere' does not appear to be a git repository"),
        ("{0}/plain", "'{0}/plain' does not appear to be a git repository"),
        ("http://127.0.0.1:9/x.git", "unable to access 'http://127.0.0.1:9/x.git/': Failed to connect to 127.0.0.1"),
        ("ssh://", "no path specified"),
        ("--upload-pack=touch {0}/bad:x", "strange pathname '--upload-pack=touch {0}/bad:x' blocked"),
    ],
)
def test_mirror_fetch_failure_is_one_line(tmp_path: Path, log: IO[str], url: str, why: str) -> None:
    (tmp_path / "plain").mkdir()
    url = url.format(tmp_path)
    with pytest.raises(InfrastructureError) as caught:
        GitMirror.of(url).fetch(log)
    assert str(caught.value).startswith(f"{url}: cannot be fetched: fatal: {why.format(tmp_path)}")
    assert str(caught.value).endswith(" (is it there, and may this account read it?)")
    assert not (tmp_path / "bad").exists()


@pytest.fixture
def weird_home(own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Provide a home with a git configuration that would break all commands."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-checkout", "reference-transaction"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    (own_home / ".gitconfig").write_text(f"""\
[url "/nowhere/"]
	insteadOf = {tmp_path}/
[core]
	hooksPath = {hooks}
	autocrlf = true
	quotePath = true
[commit]
	gpgSign = true
[fetch]
	prune = false
[init]
	templateDir = /nowhere
	defaultObjectFormat = sha256
[log]
	showSignature = true
	date = relative
[status]
	short = true
[transfer]
	fsckObjects = bogus
[user]
	name = The User
	useConfigOnly = true
""")
    (own_home / ".config/git").mkdir(parents=True)
    (own_home / ".config/git/config").write_text("[alias]\n\tx = y\n[core]\n\tautocrlf = true\n")
    (own_home / ".config/git/ignore").write_text("*\n")
    (own_home / ".config/git/attributes").write_text("* export-ignore\n")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_WORK_TREE", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "bogus")


def test_mirror_ignores_git_configuration_of_user(
    mirror: GitMirror, upstream: GitRepository, log: IO[str], tmp_path: Path, weird_home: None
) -> None:
    assert subprocess.run(["git", "status"], cwd=upstream.path, capture_output=True, check=False).returncode  # it would
    upstream.git("checkout", "--quiet", "-b", "other")
    head = upstream.commit("Crème", {"é": "1\n", "lines": b"a\r\nb\n"})
    mirror.fetch(log)
    assert (mirror.resolve("other"), mirror.git("symbolic-ref", "HEAD")) == (head, "refs/heads/other")
    assert sorted(mirror.git("ls-tree", "--name-only", head).splitlines()) == ["a", "lines", "é"]
    assert git(["cat-file", "-s", f"{head}:lines"], cwd=mirror.path) == "5"
    git(["archive", "--output", tmp_path / "a.tar", head], cwd=mirror.path)
    assert (tmp_path / "a.tar").read_bytes().count(b"ustar") == 4  # three files and the comment with the id
    assert mirror.git("log", "-1", "--format=%an %ad", "--date=unix", head) == f"Ada Author {upstream.when}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another account")
def test_mirror_reads_repository_of_other_account(mirror: GitMirror, upstream: GitRepository, log: IO[str]) -> None:
    for path in [upstream.path, *upstream.path.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    mirror.fetch(log)
    assert mirror.resolve("main") == upstream.heads[0]


def test_mirror_is_repaired_after_kill(mirror: GitMirror, upstream: GitRepository, log: IO[str]) -> None:
    mirror.path.mkdir(parents=True)
    (mirror.path / "config.lock").touch()  # git init was killed
    mirror.fetch(log)
    (mirror.path / "HEAD").unlink()
    (mirror.path / "refs/heads/main.lock").touch()  # git fetch was killed
    (mirror.path / "packed-refs.lock").touch()
    (mirror.path / "config.lock").touch()
    head = upstream.commit("More", {"a": "2\n"})
    mirror.fetch(log)
    assert mirror.resolve("main") == head


@pytest.mark.integration
def test_mirror_is_shared_by_two_processes(mirror: GitMirror, upstream: GitRepository, tmp_path: Path) -> None:
    for number in range(20):
        upstream.git("branch", f"b{number}")
    with (
        python(FETCHER, mirror.url, tmp_path / "one") as one,
        python(FETCHER, mirror.url, tmp_path / "other") as other,
    ):
        for process in (one, other):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60)[0] for process in (one, other)] == ["good\n", "good\n"]
    assert len(refs(mirror)) == 22
    assert mirror.git("fsck", "--strict") == ""


def test_mirror_path_of_url(tmp_path: Path) -> None:
    paths = [
        GitMirror.of(url).path
        for url in ("https://a.example/x/Nova.git", "https://b.example/Nova", "git@c.example:n~.git")
    ]
    assert [path.name[:-17] for path in paths] == ["Nova", "Nova", "git-c.example-n-"]
    assert len(set(paths)) == 3
    assert {path.parent for path in paths} == {tmp_path / "cache/qalab/mirrors"}


@pytest.mark.parametrize(
    "revision, found",
    [("main", 0), ("v1.0", 0), ("refs/tags/v1.0", 0), ("HEAD", 0), ("main~1", None), ("nosuch", None), ("", None),
     ("--all", None), ("v1.0^{tree}", None), ("main:a", None)],
)  # fmt: skip
def test_mirror_resolves_commits_only(
    mirror: GitMirror, upstream: GitRepository, log: IO[str], revision: str, found: int
) -> None:
    mirror.fetch(log)
    assert mirror.resolve(revision) == (None if found is None else upstream.heads[found])
    assert mirror.resolve(upstream.heads[0][:10]) == upstream.heads[0]


def test_mirror_is_ancestor(mirror: GitMirror, upstream: GitRepository, log: IO[str]) -> None:
    second = upstream.commit("Second", {"a": "2\n"})
    mirror.fetch(log)
    first = upstream.heads[0]
    asked = [(first, second), (second, first), (second, second), ("0" * 40, second)]
    assert [mirror.is_ancestor(*pair) for pair in asked] == [True, False, True, False]


def test_git_failure_names_command(tmp_path: Path, log: IO[str]) -> None:
    with pytest.raises(ProgramFailed) as caught:
        git(["cat-file", "-p", "HEAD"], cwd=tmp_path, log=log)
    assert str(caught.value).startswith("git cat-file -p ended with status 128: fatal: not a git repository")


def test_try_git_returns_failure(upstream: GitRepository, tmp_path: Path, log: IO[str]) -> None:
    asked = try_git(["rev-parse", "HEAD"], cwd=upstream.path)
    assert FULL_ID.fullmatch(asked.stdout.strip())
    failed = try_git(["rev-parse", "nosuch"], cwd=upstream.path, log=log)
    assert (bool(failed), failed.stdout) == (False, "")
    assert "unknown revision" in said(tmp_path)


@pytest.mark.parametrize("when", [0, 1, 99_999_999, EPOCH, 4_102_444_800])
def test_identity_gives_same_commit_everywhere(git_repository: Callable[..., GitRepository], when: int) -> None:
    who = identity("Q. A. Łab <qa@lab.example>", when)
    ids = set()
    for name in ("one", "two"):
        tree = git_repository(name).path
        git(["commit", "--quiet", "--allow-empty", "-m", "x"], cwd=tree, env=who)
        shown = git(["log", "-1", "--format=%an|%ae|%at|%cn|%ce|%ct"], cwd=tree)
        assert shown == f"Q. A. Łab|qa@lab.example|{when}|Q. A. Łab|qa@lab.example|{when}"
        ids.add(git(["rev-parse", "HEAD"], cwd=tree))
    assert len(ids) == 1


def test_reset_work_tree_removes_leftovers(upstream: GitRepository) -> None:
    first, second = upstream.heads[0], upstream.commit("Second", {"a": "2\n", ".gitignore": "*.o\n"})
    upstream.git("checkout", "--quiet", "-b", "side", first)
    upstream.commit("Side", {"a": "side\n"})
    assert not try_git(["merge", "--quiet", second], cwd=upstream.path)  # a conflict
    for name in (".git/index.lock", ".git/refs/heads/side.lock", ".git/HEAD.lock", "new", "x.o"):
        (upstream.path / name).touch()
    GitRepository(upstream.path / "nested")
    reset(upstream.path, second)
    assert upstream.git("status", "--porcelain", "--ignored") == ""
    assert upstream.git("rev-parse", "HEAD") == second
    assert sorted(path.name for path in upstream.path.iterdir()) == [".git", ".gitignore", "a"]
    assert not (upstream.path / ".git/MERGE_HEAD").exists()


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain", "plain"),
        ("  two\n lines\t", "two lines"),
        ("Zoë → 日本", "Zoë → 日本"),
        ("caf\udce9", "café"),  # ISO 8859-1
        ("\udc93quoted\udc94", "“quoted”"),  # Windows-1252
        ("\udc81", "\ufffd"),  # neither
        ("red \x1b[31m\x07", "red [31m"),
        ("a\u202eb\u2066c\u200bd\ufeff", "a b c d"),
        ("a\u2028b\x85c\x00d", "a b c d"),
        ("", ""),
    ],
)
def test_readable_git_output(text: str, shown: str) -> None:
    assert readable(text) == shown
    assert readable(shown) == shown
