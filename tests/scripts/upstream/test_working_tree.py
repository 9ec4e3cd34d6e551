"""The content of a working tree as a commit: whole, the same each time, and without a trace in the tree."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base import files
from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror
from lab.store.records import WorkingTree
from scripts.upstream import working_tree
from tests.conftest import GitRepository, packaging_files

MAINTAINER = "Test Lab <lab@lab.example>"


def capture(path: Path) -> WorkingTree:
    with tempfile.TemporaryFile("w+") as log:
        return working_tree.capture(path, MAINTAINER, log)


def content(found: WorkingTree) -> dict[str, str]:
    """Return the files of a capture with their blobs."""
    listing = GitMirror(found.repository, Path(found.repository)).git("ls-tree", "-r", found.branch)
    return {line.partition("\t")[2]: line.split()[2] for line in listing.splitlines()}


def every_file(top: Path) -> dict[str, tuple[str, int]]:
    paths = [path for path in top.rglob("*") if path.is_file()]
    return {str(path): (files.sha256(path), path.stat().st_mtime_ns) for path in paths}


@pytest.fixture
def tree(git_repository: Callable[..., GitRepository]) -> GitRepository:
    repository = git_repository("greet")
    repository.commit(
        "Start", {"greet.txt": "hello\n", "gone": "x\n", ".gitignore": "*.o\nkept.o\n", "run": "#!/bin/sh\n"}
    )
    repository.tag("v1.0")
    return repository


def test_capture_of_unchanged_tree_is_its_commit(tree: GitRepository) -> None:
    found = capture(tree.path)
    head = tree.heads[-1]
    assert (found.commit, found.branch, found.dirty, found.changed) == (head, f"local-{head[:12]}", False, 0)
    assert found.parts == ("upstream",)


@pytest.mark.integration
def test_capture_has_all_changes_and_keeps_tree(tree: GitRepository) -> None:
    (tree.path / "kept.o").write_text("tracked and ignored")
    tree.git("add", "--force", "kept.o")
    tree.commit("Track what is ignored", {"kept.o": "tracked and ignored"})
    (tree.path / "greet.txt").write_text("edited\n")
    (tree.path / "staged").write_text("staged\n")
    tree.git("add", "staged")
    (tree.path / "untracked \u00fc\n").write_text("new\n")
    (tree.path / "ignored.o").write_text("no\n")
    (tree.path / ".git/info").mkdir(exist_ok=True)
    (tree.path / ".git/info/exclude").write_text("private\n")
    (tree.path / "private").write_text("no\n")
    (tree.path / "gone").unlink()
    (tree.path / "kept.o").write_text("edited, tracked and ignored")
    (tree.path / "run").chmod(0o755)
    before = every_file(tree.path)
    found = capture(tree.path)
    assert every_file(tree.path) == before
    assert set(content(found)) == {'"untracked \u00fc\\n"', ".gitignore", "greet.txt", "kept.o", "run", "staged"}
    assert (found.commit, found.dirty, found.changed) == (tree.heads[-1], True, 6)
    again = capture(tree.path)
    assert again == found


def test_capture_after_change_is_another_commit(tree: GitRepository) -> None:
    (tree.path / "new").write_text("1\n")
    first = capture(tree.path)
    (tree.path / "new").write_text("2\n")
    second = capture(tree.path)
    assert first.tree != second.tree
    assert content(first)["new"] != content(second)["new"]  # the first can still be resumed


@pytest.mark.parametrize("leftover", ["capture.index", "capture.index.lock", "HEAD.lock"])
def test_capture_after_killed_capture(tree: GitRepository, leftover: str) -> None:
    place = working_tree.copy_of(tree.path).path
    if leftover != "HEAD.lock":
        place.mkdir(parents=True)
        (place / leftover).write_text("half")
    (tree.path / "new").write_text("1\n")
    assert capture(tree.path).dirty


def test_capture_removes_deleted_tags(tree: GitRepository) -> None:
    capture(tree.path)
    tree.git("tag", "--delete", "v1.0")
    found = capture(tree.path)
    assert GitMirror(found.repository, Path(found.repository)).git("tag") == ""


@pytest.mark.parametrize(
    "names, packaged, parts",
    [
        (["src", ".gitignore"], False, ("upstream",)),
        (["debian", ".gitignore", ".salsa-ci.yml"], True, ("packaging",)),
        (["debian", "src"], True, ("upstream", "packaging")),
        (["debian", "src"], False, ("upstream",)),
    ],
)
def test_capture_parts_of_changed_names(names: list[str], parts: tuple[str, ...], *, packaged: bool) -> None:
    assert working_tree.parts(names, packaged=packaged) == parts


def test_capture_of_linked_work_tree(tree: GitRepository, tmp_path: Path) -> None:
    tree.git("worktree", "add", "--quiet", "--detach", tmp_path / "linked")
    (tmp_path / "linked/new").write_text("1\n")
    assert "new" in content(capture(tmp_path / "linked"))


def _nothing(path: Path) -> Path:
    return path / "nosuch"


def _plain(path: Path) -> Path:
    (path / "plain").mkdir()
    return path / "plain"


def _unborn(path: Path) -> Path:
    GitRepository(path / "unborn")
    return path / "unborn"


def _part(path: Path) -> Path:
    (path / "greet/src").mkdir()
    return path / "greet/src"


def _shallow(path: Path) -> Path:
    repository = GitRepository(path / "greet")
    repository.commit("Two")
    repository.git("clone", "--quiet", "--depth=1", f"file://{path}/greet", path / "shallow")
    return path / "shallow"


def _empty(path: Path) -> Path:
    for each in (path / "greet").iterdir():
        if each.name != ".git":
            each.unlink()
    return path / "greet"


def _submodule(path: Path) -> Path:
    inner, outer = GitRepository(path / "inner"), GitRepository(path / "greet")
    inner.commit("Inner", {"a": "1\n"})
    outer.git("submodule", "--quiet", "add", inner.path, "sub")
    outer.commit("Use it")
    (outer.path / "sub/a").write_text("2\n")
    return outer.path


def _nested(path: Path) -> Path:
    GitRepository(path / "greet/vendor/lib").commit("Inner", {"a": "1\n"})
    return path / "greet"


def _nested_unborn(path: Path) -> Path:
    GitRepository(path / "greet/vendor/lib")
    (path / "greet/vendor/lib/a").write_text("1\n")
    return path / "greet"


def _patched(path: Path) -> Path:
    repository = GitRepository(path / "greet")
    repository.commit("Patch it", {"debian/patches/series": "x.patch\n"})
    (path / "greet/.pc").mkdir()
    (path / "greet/.pc/applied-patches").write_text("x.patch\ny.patch\n")
    return repository.path


def _sparse(path: Path) -> Path:
    repository = GitRepository(path / "greet")
    repository.commit("Two directories", {"kept/a": "1\n", "left/out": "2\n"})
    repository.git("sparse-checkout", "set", "kept")
    return repository.path


@pytest.mark.parametrize(
    "make, message",
    [
        (_nothing, "no such directory"),
        (_plain, "is no git working tree"),
        (_unborn, "has no commit yet"),
        (_part, "is only a part of a working tree .*build /"),
        (_shallow, "is a shallow clone"),
        (_empty, "there is nothing to build"),
        (_submodule, "submodules with changes: sub "),
        (_nested, "untracked git repositories: vendor/lib .*exclude"),
        (_nested_unborn, "untracked git repositories: vendor/lib .*exclude"),
        (_patched, r"applied patches of debian/patches: x.patch, y.patch \(cd /.* quilt pop -a"),
        (_sparse, r"tracked, but not checked out: left/out \(git sparse-checkout disable\)"),
    ],
)
def test_capture_refuses_invalid_directory(
    tree: GitRepository, tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        capture(make(tmp_path))


def test_capture_leaves_out_excluded_nested_repository(tree: GitRepository) -> None:
    GitRepository(tree.path / "vendor/lib").commit("Inner", {"a": "1\n"})
    (tree.path / ".git/info").mkdir(exist_ok=True)
    (tree.path / ".git/info/exclude").write_text("/vendor/\n")
    assert not capture(tree.path).dirty


def test_capture_keeps_file_that_git_does_not_look_at(tree: GitRepository) -> None:
    tree.commit("Start", {"skipped": "1\n"})
    tree.git("update-index", "--skip-worktree", "skipped")
    (tree.path / "skipped").write_text("2\n")
    assert capture(tree.path).changed == 1


def test_capture_of_packaging_only(git_repository: Callable[..., GitRepository]) -> None:
    repository = git_repository("packaging")
    repository.commit("Package it", packaging_files())
    shutil.rmtree(repository.path / "debian/source")
    assert capture(repository.path).parts == ("packaging",)


@pytest.mark.parametrize(
    "name, is_left_out",
    [
        ("debian/files", True),
        ("debian/greet/usr/bin/greet", True),
        ("debian/tmp/usr/bin/greet", True),
        ("debian/.debhelper/generated/greet", True),
        ("debian/greet.substvars", True),
        ("debian/greet.postinst.debhelper", True),
        ("debian/debhelper-build-stamp", True),
        (".pc/.version", True),
        ("obj-x86_64-linux-gnu/CMakeCache.txt", True),
        (".pybuild/cpython3_3.11/build/greet.py", True),
        ("debian/other/file", False),
        ("debian/greet.install", False),
        ("src/debian/files", False),
        ("greet/files", False),
    ],
)
def test_capture_leaves_out_what_an_earlier_build_left(
    git_repository: Callable[..., GitRepository], name: str, *, is_left_out: bool
) -> None:
    repository = git_repository("packaging")
    repository.commit("Package it", packaging_files())
    (repository.path / ".git/info").mkdir(exist_ok=True)
    (repository.path / ".git/info/exclude").write_text("*.o")
    for each in (name, "main.o"):
        (repository.path / each).parent.mkdir(parents=True, exist_ok=True)
        (repository.path / each).write_text("x\n")
    found = capture(repository.path)
    assert found.dirty != is_left_out
    assert "main.o" not in content(found)
    repository.git("add", "--force", name)
    assert name in content(capture(repository.path))  # a tracked file is no leftover


@pytest.mark.parametrize("name", ["a.o", "*.o", "sub dir/ü.o", ":(top)x.o", "-x.o"])
def test_capture_has_ignored_file_that_is_added(tree: GitRepository, name: str) -> None:
    path = tree.path / name
    path.parent.mkdir(exist_ok=True)
    for each in (path, tree.path / "other.o"):
        each.write_text("x\n")
    tree.git("--literal-pathspecs", "add", "--force", "--", name)
    before = tree.git("status", "--porcelain")
    found = capture(tree.path)
    assert found.changed == 1
    assert tree.git("status", "--porcelain") == before
    path.unlink()
    assert not capture(tree.path).dirty
