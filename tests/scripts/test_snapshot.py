from __future__ import annotations

import gzip
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import Failed
from lab.base.git import GitMirror, git
from lab.config.description import Lab
from lab.store.records import Record
from lab.store.runs import Store
from scripts import snapshot
from scripts.upstream import orig_tarball, sdist, submodules
from tests.conftest import EPOCH, QUILT, Bench, GitRepository, packaging_files
from tests.scripts.histories import History, dpkg

DAY = 86_400
Labs = Callable[..., Lab]
Benches = Callable[..., Bench]
Repositories = Callable[..., GitRepository]


@pytest.fixture(scope="module")
def three_commits(tmp_path_factory: pytest.TempPathFactory) -> GitRepository:
    """A release, and two commits after it."""
    repository = GitRepository(tmp_path_factory.mktemp("three") / "commits")
    repository.commit("Begin", {"greet.txt": "hello\n"})
    repository.tag("v1.0")
    repository.commit("Greet the world", {"greet.txt": "hello, world\n"})
    repository.commit("Greet all", {"greet.txt": "hello, all\n"})
    return repository


@pytest.fixture(scope="module")
def packaging(tmp_path_factory: pytest.TempPathFactory) -> GitRepository:
    repository = GitRepository(tmp_path_factory.mktemp("packaging") / "greet")
    repository.commit("Package it", packaging_files())
    return repository


@pytest.fixture
def lab_factory(lab_factory: Labs, packaging: GitRepository) -> Labs:
    """Return a factory of labs with an existing packaging, unless the test provides one."""
    return lambda **options: lab_factory(**{"packaging": packaging.path} | options)


@pytest.fixture
def upstream(three_commits: GitRepository, tmp_path: Path) -> GitRepository:
    """Return a copy of the three commits, because their creation for each test would take half of the time."""
    shutil.copytree(three_commits.path, tmp_path / "upstream")
    return GitRepository(tmp_path / "upstream", when=three_commits.when, heads=[*three_commits.heads])


@pytest.fixture
def snap(lab_factory: Labs, bench: Benches, upstream: GitRepository) -> Callable[..., Record]:
    """Snapshot a revision in a new run; ``expect``: the expected verdict."""

    def take(revision: str = "", expect: str = "passed", url: Path | str = upstream.path, **description: Any) -> Record:
        run = bench(lab_factory(upstream=url, **description), revision)
        record = run.execute(snapshot)
        assert record.verdict == expect, record.message
        return record

    return take


def members(tarball: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(tarball) as tar:
        return {member.name: member for member in tar}


def content(tarball: Path, name: str) -> str:
    with tarfile.open(tarball) as tar:
        return tar.extractfile(name).read().decode()


def test_snapshot_of_first_run(lab_factory: Labs, bench: Benches, upstream: GitRepository) -> None:
    run = bench(lab_factory(upstream=upstream.path))
    record = run.execute(snapshot)
    tip = upstream.heads[-1]
    assert record.verdict == "passed", record.message
    assert record.version == f"1.0+git20260104.2.{tip[:7]}"
    assert record.commit == run.run.info.commit == tip
    assert record.facts == {
        "source_package": QUILT, "committed": EPOCH + 3 * DAY, "tag": "v1.0", "count": 2, "previous": "", "rises": True, "rewritten": False
    }  # fmt: skip
    [artifact] = record.artifacts
    assert (artifact.path, artifact.kind) == (f"out/greet_{record.version}.orig.tar.xz", "orig")
    assert [path.name for path in run.run.out.iterdir()] == [f"greet_{record.version}.orig.tar.xz"]
    assert not list(run.run.work.iterdir())


@pytest.mark.integration
def test_snapshot_is_repeatable_after_a_kill(lab_factory: Labs, bench: Benches, upstream: GitRepository) -> None:
    run = bench(lab_factory(upstream=upstream.path))
    first = run.execute(snapshot)
    mirror = GitMirror.of(str(upstream.path)).path
    for left in ("refs/heads/main.lock", "packed-refs.lock", "config.lock", "HEAD.lock"):  # a killed git's
        (mirror / left).touch()
    (mirror / "info/attributes").write_text("* export-ignore\n")
    (run.run.work / "orig").mkdir()
    (run.run.work / "orig/0.tar").write_text("half")
    (run.run.out / "greet_0.9.orig.tar.xz").write_text("of a version that is none any more")
    run.run.write_info(run.run.info.model_copy(update={"commit": ""}))
    upstream.tag("v0.9", upstream.heads[0])  # something to fetch
    again = run.execute(snapshot)
    assert (again.verdict, again.version, again.artifacts) == ("passed", first.version, first.artifacts)
    assert [path.name for path in run.run.out.iterdir()] == [Path(first.artifacts[0].path).name]


@pytest.mark.integration
def test_snapshot_of_resumed_run_keeps_commit(lab_factory: Labs, bench: Benches, upstream: GitRepository) -> None:
    run = bench(lab_factory(upstream=upstream.path))
    first = run.execute(snapshot)
    upstream.commit("Greet later")
    assert run.execute(snapshot).commit == first.commit


@pytest.mark.integration
def test_snapshot_version_rises_with_new_commit(snap: Callable[..., Record], upstream: GitRepository) -> None:
    first = snap()
    upstream.commit("Greet again")
    second = snap()
    assert second.version == f"1.0+git20260105.3.{upstream.heads[-1][:7]}"
    assert dpkg(first.version, "lt", second.version)


@pytest.mark.integration
def test_snapshot_previous_commit_is_of_passed_run(lab_factory: Labs, bench: Benches, upstream: GitRepository) -> None:
    lab = lab_factory(upstream=upstream.path)
    passed = bench(lab, upstream.heads[1])
    passed.execute(snapshot)
    for name in passed.run.steps[1:]:
        passed.pretend(name)
    bench(lab, upstream.heads[2]).execute(snapshot)  # and no further
    upstream.commit("Greet later")
    assert bench(lab).execute(snapshot).facts["previous"] == upstream.heads[1]


# Which commit.


@pytest.mark.integration
@pytest.mark.parametrize(
    "revision, commit",
    [
        ("{0}", 1),
        ("{0:.9}", 1),
        ("main", 2),
        ("v1.0", 0),
        ("annotated", 1),
        ("refs/heads/main", 2),
        ("refs/tags/v1.0", 0),
    ],
)
def test_snapshot_of_revision(snap: Callable[..., Record], upstream: GitRepository, revision: str, commit: int) -> None:
    upstream.git("-c", "user.name=A", "-c", "user.email=a@b.example", "tag", "-m", "x", "annotated", upstream.heads[1])
    assert snap(revision.format(upstream.heads[1])).commit == upstream.heads[commit]


@pytest.mark.integration
def test_snapshot_of_known_commit_needs_no_upstream(snap: Callable[..., Record], upstream: GitRepository) -> None:
    snap()
    shutil.move(upstream.path, upstream.path.with_name("away"))
    assert snap(upstream.heads[1]).commit == upstream.heads[1]
    record = snap(upstream.heads[1][:9], expect="error")
    assert record.exit_code == 3
    assert record.message.startswith(f"{upstream.path}: cannot be fetched: fatal: ")


@pytest.mark.parametrize(
    "revision", ["0" * 40, "abcdef0", "nowhere", "v9", "refs/changes/45/12345/2", "^main", "--all", "x:y"]
)
def test_snapshot_refuses_unknown_revision(snap: Callable[..., Record], upstream: GitRepository, revision: str) -> None:
    for number in range(7):
        upstream.git("branch", f"stable/{number}")
    record = snap(revision, expect="error")
    assert record.exit_code == 2
    assert f"{upstream.path}: no commit, tag or branch {revision} " in record.message
    assert "branches: main, stable/0, stable/1, stable/2, stable/3 and 3 more" in record.message


@pytest.mark.integration
def test_snapshot_refuses_ambiguous_id(snap: Callable[..., Record], upstream: GitRepository) -> None:
    history = History()
    for number in range(500):
        history.add([number - 1] if number else [], EPOCH + number)
    ids = sorted(history.write(upstream.path.with_name("many.git")))
    one = next(one for one, other in pairwise(ids) if one[:4] == other[:4])
    record = snap(one[:4], expect="error", url=upstream.path.with_name("many.git"), track={"branch": "c499"})
    assert f"no commit, tag or branch {one[:4]} (in full, or unambiguous)" in record.message


def test_snapshot_refuses_unknown_branch(snap: Callable[..., Record], upstream: GitRepository) -> None:
    record = snap(expect="error", track={"branch": "master"})
    assert (record.exit_code, record.message) == (2, f"{upstream.path}: no branch master; branches: main")


def test_snapshot_refuses_empty_upstream(snap: Callable[..., Record], git_repository: Repositories) -> None:
    empty = git_repository("empty")
    record = snap(expect="error", url=empty.path)
    assert (record.exit_code, record.message) == (2, f"{empty.path}: no branch main; branches: none")


def test_snapshot_of_unreachable_upstream(snap: Callable[..., Record], tmp_path: Path) -> None:
    record = snap(expect="error", url=tmp_path / "nowhere")
    assert record.exit_code == 3
    assert record.message.startswith(f"{tmp_path}/nowhere: cannot be fetched")


@pytest.mark.integration
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_shallow_upstream(snap: Callable[..., Record], upstream: GitRepository, tmp_path: Path, scheme: str) -> None:
    clone = tmp_path / "clone"
    git(["clone", "--quiet", upstream.path, clone])
    assert snap(url=f"{scheme}{clone}").facts["count"] == 2
    shutil.rmtree(clone)
    git(["clone", "--quiet", "--depth=1", f"file://{upstream.path}", clone])
    record = snap(url=f"{scheme}{clone}", expect="error")
    assert (record.exit_code, record.message.split(" (")[0]) == (2, f"{scheme}{clone}: is a shallow clone")
    git(["fetch", "--quiet", "--unshallow", "--tags"], cwd=clone)
    assert snap(url=f"{scheme}{clone}").facts["count"] == 2


def test_snapshot_refuses_commit_of_other_branch(snap: Callable[..., Record], upstream: GitRepository) -> None:
    upstream.git("checkout", "--quiet", "-b", "stable/1", "v1.0")
    fix = upstream.commit("Mend it", {"greet.txt": "hullo\n"})
    upstream.git("branch", "also")
    for revision in (fix, "stable/1"):
        record = snap(revision, expect="error")
        assert record.exit_code == 2
        assert f"{upstream.path}: commit {fix} is not on the branch main; it is on: also, stable/1" in record.message


@pytest.mark.integration
def test_snapshot_refuses_commit_on_no_branch(snap: Callable[..., Record], upstream: GitRepository) -> None:
    snap()
    lost = upstream.heads[-1]
    upstream.git("reset", "--quiet", "--hard", "v1.0")
    snap()  # the mirror has the commit, and knows by now that it is on no branch
    assert f"commit {lost} is not on the branch main; it is on: none" in snap(lost, expect="error").message


def test_snapshot_refuses_change_without_identity(lab_factory: Labs, bench: Benches, upstream: GitRepository) -> None:
    server = {"server": {"forge": "github"}}
    lab = lab_factory(upstream="https://github.com/a/greet", track={"trigger": "review"}, lab={"reviews": server})
    record = bench(lab, upstream.heads[-1]).execute(snapshot)
    assert (record.verdict, "which one is not named" in record.message) == ("error", True)


# What must rise.


def rewrite(upstream: GitRepository, days: int) -> str:
    """Replace all after the release by one commit."""
    upstream.git("reset", "--quiet", "--hard", "v1.0")
    return upstream.commit("Greet otherwise", {"greet.txt": "hi\n"}, when=EPOCH + days * DAY)


@pytest.mark.integration
def test_snapshot_version_rises_after_rewritten_history(snap: Callable[..., Record], upstream: GitRepository) -> None:
    before = snap()
    assert before.version.startswith("1.0+git20260104.2.")
    tip = rewrite(upstream, days=2)
    after = snap()
    assert after.version == f"1.0+git20260104.3.{tip[:7]}"
    assert (after.facts["rewritten"], after.facts["rises"]) == (True, True)
    assert f"main was rewritten: the last one tested, {before.commit[:7]}, is no longer on it" in after.message
    assert f"by itself it would be 1.0+git20260103.1.{tip[:7]}, which does not rise" in after.message
    again = snap()
    assert (again.version, again.artifacts) == (after.version, after.artifacts)
    tip = upstream.commit("Go on", when=EPOCH + 2 * DAY)
    later = snap()
    assert later.version == f"1.0+git20260104.4.{tip[:7]}"
    assert later.facts["rewritten"] is False
    tip = upstream.commit("Go on further", when=EPOCH + 5 * DAY)
    assert snap().version == f"1.0+git20260106.3.{tip[:7]}"


@pytest.mark.integration
def test_snapshot_of_rewritten_history_with_later_date(snap: Callable[..., Record], upstream: GitRepository) -> None:
    snap()
    tip = rewrite(upstream, days=9)
    record = snap()
    assert (record.version, record.facts["rewritten"]) == (f"1.0+git20260110.1.{tip[:7]}", True)
    assert "by itself" not in record.message


@pytest.mark.integration
def test_snapshot_version_rises_after_branch_reset(snap: Callable[..., Record], upstream: GitRepository) -> None:
    before = snap()
    upstream.git("reset", "--quiet", "--hard", upstream.heads[1])
    after = snap()
    assert (after.commit, after.facts["rewritten"], after.facts["rises"]) == (upstream.heads[1], True, True)
    assert dpkg(before.version, "lt", after.version)


@pytest.mark.integration
def test_snapshot_version_rises_after_removed_tag(snap: Callable[..., Record], upstream: GitRepository) -> None:
    upstream.tag("v2.0", upstream.heads[1])
    before = snap()
    assert before.version.startswith("2.0+git20260104.1.")
    upstream.git("tag", "--delete", "v2.0")
    tip = upstream.commit("Go on")
    record = snap()
    assert (record.version, record.facts["tag"]) == (f"2.0+git20260104.2.{tip[:7]}", "v1.0")


@pytest.mark.integration
def test_snapshot_of_older_commit_does_not_rise(snap: Callable[..., Record], upstream: GitRepository) -> None:
    newest = snap()
    older = snap(upstream.heads[1])
    assert older.version == f"1.0+git20260103.1.{upstream.heads[1][:7]}"
    assert (older.facts["rises"], older.facts["rewritten"]) == (False, False)
    assert f"older than the last one tested, {newest.commit[:7]}: the archive keeps the newer" in older.message
    assert snap(upstream.heads[0]).facts["rises"] is False
    assert snap(upstream.heads[1]).facts["rises"] is False, "it is older than the newest, not than the one before"
    same = snap()
    assert (same.version, same.facts["rises"]) == (newest.version, True)


@pytest.mark.integration
def test_snapshot_versions_rise_along_merged_branch(snap: Callable[..., Record], upstream: GitRepository) -> None:
    upstream.git("checkout", "--quiet", "-b", "topic", "v1.0")
    side = upstream.commit("Greet aside", {"aside.txt": "psst\n"}, when=EPOCH + DAY)
    upstream.git("checkout", "--quiet", "main")
    upstream.git("-c", "user.name=A", "-c", "user.email=a@b.example", "merge", "--quiet", "--no-edit", "topic")
    first, second = snap(upstream.heads[2]), snap(side)
    assert second.facts == first.facts | {"rises": True, "count": 1, "committed": EPOCH + DAY}
    assert dpkg(first.version, "lt", second.version)


@pytest.fixture
def archive(lab_factory: Labs, tmp_path: Path) -> Callable[[str], None]:
    """Put a source package of a version into the lab's archive."""

    def add(version: str, codename: str = "trunk") -> None:
        index = Store.of(lab_factory()).archive / f"dists/{codename}/main/source/Sources.gz"
        index.parent.mkdir(parents=True, exist_ok=True)
        paragraph = f"Package: greet\nVersion: {version}\nDirectory: pool/main/g/greet\n"
        index.write_bytes(gzip.compress(paragraph.encode()))

    return add


@pytest.mark.parametrize(
    "archived, expected",
    [
        ("1.0+git20260104.1.0000000-0qalab1~bookworm1", "1.0+git20260104.2"),
        ("1.0-3", "1.0+git20260104.2"),
        ("1.0+git20260104.2.fffffff-0qalab3~bookworm1", "1.0+git20260104.3"),
        ("2:1.0+git20260301.7.fffffff-0qalab1~bookworm1", "1.0+git20260301.8"),
    ],
)
def test_version_rises_above_archive(
    snap: Callable[..., Record], archive: Callable[..., None], archived: str, expected: str
) -> None:
    archive(archived)
    record = snap()
    assert record.version == f"{expected}.{record.commit[:7]}"


@pytest.mark.integration
def test_version_of_archived_commit_is_kept(snap: Callable[..., Record], archive: Callable[..., None]) -> None:
    first = snap()
    archive(f"{first.version}-0qalab1~bookworm1")
    again = snap()
    assert (again.version, again.facts["rises"]) == (first.version, True)


@pytest.mark.parametrize("archived", [0, 1, 2, None])
def test_previous_commit_comes_from_archive_without_runs(
    snap: Callable[..., Record], archive: Callable[..., None], upstream: GitRepository, archived: int | None
) -> None:
    short = "fffffff" if archived is None else upstream.heads[archived][:7]
    archive(f"1.0+git20260104.2.{short}-0qalab1~bookworm1")
    tip = snap()
    assert (tip.facts["rises"], tip.facts["rewritten"], tip.facts["previous"]) == (True, archived is None, "")


def test_version_of_commit_older_than_archive(
    snap: Callable[..., Record], archive: Callable[..., None], upstream: GitRepository
) -> None:
    archive(f"1.0+git20260104.2.{upstream.heads[2][:7]}-0qalab1~bookworm1")
    record = snap(upstream.heads[1])
    assert (record.facts["rises"], record.version) == (False, f"1.0+git20260103.1.{upstream.heads[1][:7]}")


@pytest.mark.integration
def test_version_not_above_archive_is_refused(
    snap: Callable[..., Record], archive: Callable[..., None], upstream: GitRepository
) -> None:
    archive("2.0-1")
    record = snap(expect="error")
    assert record.exit_code == 2
    assert f"greet 1.0+git20260104.2.{upstream.heads[-1][:7]} does not rise above 2.0, which is there" in record.message
    hint = "(set components.greet.version.next: 2.1, or take 2.0 out with qalab archive withdraw)"
    assert record.message.endswith(hint)
    archive("1.0-1")  # as after the withdrawal
    assert snap().version.startswith("1.0+git20260104.2.")
    archive("2.0-1")
    assert snap(component={"version": {"next": "2.1"}}).version.startswith("2.1~git20260104.3.")


def test_version_ignores_archive_without_track(snap: Callable[..., Record], archive: Callable[..., None]) -> None:
    archive("2.0-1", codename="other")
    assert snap().version.startswith("1.0+git")


# Version settings of lab.yaml.


@pytest.mark.parametrize(
    "versioning, expected",
    [
        ({"next": "1.1"}, "1.1~git20260104.3"),
        ({"next": "1.0"}, "1.0+git20260104.2"),
        ({"tag_pattern": "cut-(.*)"}, "0.9+git20260104.2"),
        ({"tag_pattern": "(none)"}, "0.0.1~git20260104.3"),
        ({"tag_pattern": "v(.*)", "next": "2.0~rc1"}, "2.0~rc1~git20260104.3"),
    ],
)
def test_version_settings(
    snap: Callable[..., Record], upstream: GitRepository, versioning: dict[str, str], expected: str
) -> None:
    upstream.tag("cut-0.9", "v1.0")
    record = snap(component={"version": versioning})
    assert record.version == f"{expected}.{record.commit[:7]}"


@pytest.mark.parametrize(
    "versioning, message",
    [
        ({"tag_pattern": "v("}, "version.tag_pattern of greet: v(: no regular expression: missing ), unterminated"),
        ({"tag_pattern": "v.*"}, "version.tag_pattern of greet: v.*: has 0 groups; needs one"),
        ({"tag_pattern": "(v)(.*)"}, "version.tag_pattern of greet: (v)(.*): has 2 groups; needs one"),
        ({"next": "2.0-1"}, "version.next of greet: 2.0-1 is no version"),
        ({"next": "2:2.0"}, "version.next of greet: 2:2.0 is no version"),
        ({"next": "next"}, "version.next of greet: next is no version"),
    ],
)
def test_version_settings_refused(snap: Callable[..., Record], versioning: dict[str, str], message: str) -> None:
    record = snap(expect="error", component={"version": versioning})
    assert record.exit_code == 2
    assert record.message.startswith(message)


def test_tags_without_version_are_logged(lab_factory: Labs, bench: Benches, upstream: GitRepository) -> None:
    upstream.tag("tree", "HEAD^{tree}")
    upstream.tag("7.0", "HEAD:greet.txt")
    upstream.tag("newton-eol")
    run = bench(lab_factory(upstream=upstream.path))
    assert run.execute(snapshot).facts["tag"] == "v1.0"
    assert "taken for no versions (version.tag_pattern could read them): newton-eol\n" in run.log("snapshot")


# The tarball.


@pytest.mark.integration
def test_tarball_content(lab_factory: Labs, bench: Benches, upstream: GitRepository) -> None:
    upstream.git("config", "core.quotePath", "false")
    (upstream.path / "link").symlink_to("greet.txt")
    commit = upstream.commit(
        "All there is",
        {
            "configure": "#!/bin/sh\n",
            "grüße/größe.txt": "é\n",
            "grüße.txt": "é\n",
            os.fsdecode(b"latin-\xe9"): "bytes\n",
            f"{'long/' * 40}name": "long\n",
            "kept.txt": "$Format:%d$\n",
            "left-out.txt": "no\n",
            ".gitattributes": "*.txt export-subst\nleft-out.txt export-ignore\n",
        },
    )
    run = bench(lab_factory(upstream=upstream.path))
    record = run.execute(snapshot)
    tarball = run.run.path / record.artifacts[0].path
    top = f"greet-{record.version}"
    found = members(tarball)
    assert {name.removeprefix(top): f"{member.mode:o}" for name, member in found.items() if "long" not in name} == {
        "": "755",
        "/.gitattributes": "644",
        "/configure": "755",
        "/greet.txt": "644",
        "/grüße": "755",
        "/grüße.txt": "644",
        "/grüße/größe.txt": "644",
        "/kept.txt": "644",
        "/latin-\udce9": "644",
        "/link": "777",
    }
    assert f"{top}/{'long/' * 40}name" in found
    assert found[f"{top}/link"].linkname == "greet.txt"
    assert content(tarball, f"{top}/kept.txt") == "$Format:%d$\n"
    assert {(member.uid, member.gid, member.mtime) for member in found.values()} == {(0, 0, EPOCH + 4 * DAY)}
    assert list(found) == sorted(found, key=os.fsencode)
    assert record.commit == commit


@pytest.mark.integration
def test_tarball_is_reproducible(
    snap: Callable[..., Record],
    upstream: GitRepository,
    own_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attributes = "* export-subst\n*.id ident\n*.crlf eol=crlf\n"
    upstream.commit(
        "Name the refs",
        {
            ".gitattributes": attributes,
            "subst": "$Format:%d %D %h %H %an$\n",
            "a.id": "$Id$\n",
            "a.crlf": "a\n",
            "configure": "x",
        },
    )
    mine = snap()
    # Another machine: other mirrors, refs, objects, settings, umask and zone.
    other = tmp_path / "their clone.git"
    git(["clone", "--quiet", "--bare", upstream.path, other])
    for number in range(30):
        git(["update-ref", f"refs/heads/more{number}", "main"], cwd=other)
    git(["update-ref", "refs/tags/private-9", "main"], cwd=other)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "their cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "their state"))
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("LC_ALL", "C")
    (own_home / ".config/git").mkdir(parents=True)
    (own_home / ".config/git/attributes").write_text("* export-subst eol=crlf\ngreet.txt export-ignore\n")
    (own_home / ".gitconfig").write_text("[tar]\n\tumask = 0077\n[core]\n\tautocrlf = true\n\tabbrev = 12\n")
    umask = os.umask(0o077)
    try:
        theirs = snap(url=other)
    finally:
        os.umask(umask)
    assert theirs.artifacts == mine.artifacts
    assert oct((tmp_path / "their state").stat().st_mode)[-3:] == "700", "or the umask was not"


def test_tarball_of_commit_without_files_fails(snap: Callable[..., Record], upstream: GitRepository) -> None:
    upstream.commit("Remove it all", {"greet.txt": None})
    record = snap(expect="failed")
    assert (record.exit_code, "the commit has no files" in record.message) == (1, True)


def test_tarball_repack_prefers_later_tree_and_copies_hard_links(tmp_path: Path) -> None:
    for name, text in (("one", "one"), ("two", "longer")):
        (tmp_path / "x").write_text(text)
        with tarfile.open(tmp_path / f"{name}.tar", "w") as tar:
            tar.add(tmp_path / "x", "./top/file")
            link = tarfile.TarInfo("./top/a-link")
            link.type, link.linkname = tarfile.LNKTYPE, "./top/file"
            tar.addfile(link)
    orig_tarball.repack([tmp_path / "one.tar", tmp_path / "two.tar"], tmp_path / "done.tar.xz", "greet-1", 7)
    assert [content(tmp_path / "done.tar.xz", f"greet-1/{name}") for name in ("file", "a-link")] == ["longer"] * 2
    assert {member.mtime for member in members(tmp_path / "done.tar.xz").values()} == {7}


def test_tarball_repack_refuses_special_file(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        pipe = tarfile.TarInfo("top/pipe")
        pipe.type = tarfile.FIFOTYPE
        tar.addfile(pipe)
    with pytest.raises(Failed, match="greet-1/pipe: is no file, no directory and no symbolic link"):
        orig_tarball.repack([tmp_path / "odd.tar"], tmp_path / "done.tar.xz", "greet-1", 7)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("tree", "new"),
        ("tree/", "new"),
        ("tree/a/b", "new/a/b"),
        ("./tree/a", "new/a"),
        ("/tree/a", "new/tree/a"),
        ("t/../../a", "new/a"),
    ],
)
def test_tarball_member_is_renamed(name: str, expected: str) -> None:
    assert orig_tarball.renamed(name, "new") == expected


def test_tarball_directory_missing_is_an_error(lab_factory: Labs, bench: Benches, upstream: GitRepository) -> None:
    run = bench(lab_factory(upstream=upstream.path))
    run.run.out.rmdir()
    run.run.out.write_text("in the way")
    record = run.execute(snapshot)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert record.message.startswith("Not a directory: ")


# Submodules.


def add_submodule(above: GitRepository, path: str, url: str, commit: str) -> None:
    above.git("config", "--file", ".gitmodules", f"submodule.{path}.path", path)
    above.git("config", "--file", ".gitmodules", f"submodule.{path}.url", url)
    above.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    (above.path / path).mkdir(parents=True)
    above.git("add", ".gitmodules")
    above.commit(f"Take in {path}")


@pytest.fixture
def nested(upstream: GitRepository, git_repository: Repositories) -> GitRepository:
    """Upstream, with a submodule that has a submodule; neither at its branch's tip."""
    inner, outer = git_repository("inner.git"), git_repository("outer")
    inner.commit("Inner", {"inner.txt": "in\n"})
    inner.commit("Later", {"inner.txt": "later\n"})
    outer.commit("Outer", {"outer.txt": "out\n", "configure": "x"})
    add_submodule(outer, "vendor/inner", "../inner.git", inner.heads[0])
    outer.commit("Later", {"outer.txt": "later\n"})
    add_submodule(upstream, "lib/öuter", str(outer.path), outer.heads[1])
    return upstream


def test_submodules_are_refused(snap: Callable[..., Record], nested: GitRepository) -> None:
    record = snap(expect="error")
    assert record.exit_code == 2
    assert f"commit {nested.heads[-1][:7]} has submodules: lib/öuter (orig.submodules: include" in record.message


@pytest.mark.integration
def test_submodules_are_included(lab_factory: Labs, bench: Benches, nested: GitRepository) -> None:
    run = bench(lab_factory(upstream=nested.path, component={"orig": {"submodules": "include"}}))
    record = run.execute(snapshot)
    assert record.verdict == "passed", record.message
    tarball, top = run.run.path / record.artifacts[0].path, f"greet-{record.version}"
    found = members(tarball)
    assert content(tarball, f"{top}/lib/öuter/outer.txt") == "out\n"
    assert content(tarball, f"{top}/lib/öuter/vendor/inner/inner.txt") == "in\n"
    assert found[f"{top}/lib/öuter/configure"].mode == 0o755
    assert {member.mtime for member in found.values()} == {record.facts["committed"]}


@pytest.mark.integration
@pytest.mark.parametrize(
    "config, message",
    [
        ("", ".gitmodules has no URL for the submodule lib/öuter"),
        ("[submodule]\n\tpath = lib/öuter\n\turl = x\n", ".gitmodules has no URL for the submodule lib/öuter"),
        ("[submodule 'x']\n\tpath", ".gitmodules has no URL for the submodule lib/öuter"),
        ('[submodule "o"]\n\tpath = lib/öuter\n\turl = --upload-pack=x\n', "lib/öuter may not be taken from --upload-pack=x"),
    ],
)  # fmt: skip
def test_submodule_without_a_url(snap: Callable[..., Record], nested: GitRepository, config: str, message: str) -> None:
    nested.commit("Forget where", {".gitmodules": config})
    record = snap(expect="failed", component={"orig": {"submodules": "include"}})
    assert message in record.message


def test_submodule_at_lost_commit_fails(
    snap: Callable[..., Record], upstream: GitRepository, git_repository: Repositories
) -> None:
    git_repository("lib").commit("Lib", {"lib.txt": "x\n"})
    add_submodule(upstream, "lib", "../lib", "1" * 40)
    record = snap(expect="failed", component={"orig": {"submodules": "include"}})
    assert f"the submodule lib is at {'1' * 40}, which is on no branch and no tag of " in record.message


@pytest.mark.integration
@pytest.mark.parametrize("ref", ["refs/pull/1/head", ""])
def test_submodule_at_commit_on_no_branch(
    snap: Callable[..., Record], upstream: GitRepository, git_repository: Repositories, tmp_path: Path, ref: str
) -> None:
    """A commit of a pull request, or one that a force push has left behind: git submodule update finds it too."""
    lib = git_repository("lib")
    lib.commit("Lib", {"lib.txt": "x\n"})
    aside = lib.commit("Of a pull request", {"lib.txt": "y\n"})
    lib.git("reset", "--quiet", "--hard", "HEAD~1")
    if ref:
        lib.git("update-ref", ref, aside)
    add_submodule(upstream, "lib", "../lib", aside)
    include = {"orig": {"submodules": "include"}}
    first = snap(component=include)
    with (tmp_path / "log").open("w") as log:
        GitMirror.of(str(lib.path)).fetch(log)  # which does not prune it
    assert snap(component=include).artifacts[0].sha256 == first.artifacts[0].sha256


@pytest.mark.parametrize(
    "superproject, url, expected",
    [
        ("https://h.example/a/b.git", "https://o.example/c", "https://o.example/c"),
        ("https://h.example/a/b.git", "../c.git", "https://h.example/a/c.git"),
        ("https://h.example/a/b.git/", "../../x/c.git", "https://h.example/x/c.git"),
        ("https://h.example/a/b", "./c", "https://h.example/a/b/c"),
        ("git@h.example:a/b.git", "../c.git", "git@h.example:a/c.git"),
        ("git@h.example:b.git", "../c.git", "git@h.example:c.git"),
        ("/srv/a/b", "../c", "/srv/a/c"),
        ("/srv/a/b", "/srv/c", "/srv/c"),
        ("file:///srv/b", "../c", "file:///srv/c"),
        # Upstream must not make this machine publish its own files.
        ("https://h.example/a/b.git", "/srv/secret", None),
        ("https://h.example/a/b.git", "file:///srv/secret", None),
        ("git@h.example:a/b.git", "srv/se:cret", None),
        ("https://h.example/a/b.git", "--upload-pack=x", None),
        ("/srv/a/b", "-x", None),
        # Nor run a helper of git, which may run a command.
        ("https://h.example/a/b.git", "ext::sh -c x", None),
        ("/srv/a/b", "fd::7", None),
        ("hg::https://h.example/a/b", "../c", "hg::https://h.example/a/c"),
        ("/srv/a/b", "file::/srv/c", None),
    ],
)
def test_submodule_url_is_resolved(superproject: str, url: str, expected: str | None) -> None:
    assert submodules.resolve(superproject, url) == expected


# The sdist, as far as it needs no chroot; see tests/integration/test_snapshot_command.py.


@pytest.mark.parametrize(
    "output, message",
    [
        (
            "ModuleNotFoundError: No module named 'foo'\n\n\x1b[91mERROR\x1b[0m Backend subprocess exited when trying",
            "ModuleNotFoundError: No module named 'foo'",
        ),
        ("* Building sdist...\nERROR x is no Python project\n", "ERROR x is no Python project"),
        ("Traceback (most recent call last):\n  File x, line 1\nValueError: no\x07\n\n", "ValueError: no"),
        (
            "* Getting\nERROR Missing dependencies:\n\tpbr>=2\n\tfoo -> bar\n",
            f"missing dependencies: pbr>=2, foo -> bar ({sdist.MISSING_HINT})",
        ),
        ("", "it says nothing"),
    ],
)
def test_sdist_failure_line(output: str, message: str) -> None:
    error = sdist.failure(output.splitlines())
    assert error.exit_code == 1
    assert str(error) == f"the project makes no sdist: {message}"


CONTROL = """\
# A comment
Source: greet
Build-Depends: debhelper-compat (= 13),
# another
 python3-pbr (>= 2) <!nocheck>,
Build-Depends-Indep: python3-tests

Package: greet
Depends: other
"""


@pytest.mark.parametrize(
    "packages, control, expected",
    [
        ((), CONTROL, "debhelper-compat (= 13), python3-pbr (>= 2) <!nocheck>"),
        (("python3-flit (>= 3)", "libx"), CONTROL, "python3-flit (>= 3), libx"),
        ((), "Source: greet\n", ""),
        ((), "", ""),
    ],
)
def test_sdist_build_dependencies(packages: tuple[str, ...], control: str, expected: str) -> None:
    tools = "git, python3-build, python3-setuptools, python3-wheel"
    wanted = f"{tools}, {expected}" if expected else tools
    made = sdist.dist_command(packages, control).control
    assert made == f"Source: dependencies\nBuild-Depends: {wanted}\n"


@pytest.mark.integration
def test_snapshot_step_runs_alone(
    lab_factory: Labs, upstream: GitRepository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab_factory(upstream=upstream.path)
    argv = ["--lab", str(tmp_path / "lab.yaml"), "--run", str(tmp_path / "here")]
    assert snapshot.main([*argv, "--track", "trunk", "--component", "greet", "--commit", "v1.0"]) == 0
    assert capsys.readouterr().out == "snapshot: passed: commit 0 after the tag v1.0\n"
    assert json.loads((tmp_path / "here/run.json").read_text())["commit"] == upstream.heads[0]
    assert snapshot.main(argv) == 0
