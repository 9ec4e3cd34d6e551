"""The content of a working tree as a commit, in a repository of its own: nothing in the tree changes.

The repository is ``CACHE/trees/NAME-KEY.git``, one for each working tree.  It has the tree's HEAD and tags, and for each
content that was built a branch ``local-COMMIT``.  Where the tree has changes, the branch is at a commit on top of HEAD
that has them all: edited, added and deleted files, untracked ones too, but for those that .gitignore or
.git/info/exclude name, and for what an earlier build of a package left there.  It is dated as HEAD is: the same content is the same commit.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import IO, Final, Literal

from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror, check_whole, git, identity, try_git, working_tree_copies
from lab.store.records import WorkingTree
from scripts.upstream.commit_selection import abbreviated

SUBJECT = "Uncommitted changes of the working tree"
# What dpkg-buildpackage leaves, and debian/rules clean removes: see dh_clean(1) and dh_auto_clean(1).
LEFTOVERS: Final = (
    "/.pc/", "/.pybuild/", "/obj-*-*-*/", "/debian/.debhelper/", "/debian/tmp/", "/debian/files",
    "/debian/*.debhelper", "/debian/*.debhelper.log", "/debian/*.substvars", "/debian/debhelper-build-stamp",
    "/debian/autoreconf.after", "/debian/autoreconf.before",
)  # fmt: skip


def capture(directory: Path, maintainer: str, log: IO[str]) -> WorkingTree:
    """Copy the content of a working tree to its repository.

    Raises ConfigurationError for a directory that is no whole working tree, or whose submodules have changes.
    """
    top = check_tree(directory)
    head = git(["rev-parse", "HEAD"], cwd=top)
    repository = copy_of(top)
    with repository.held():
        git(["init", "--quiet", "--bare", "--template=", repository.path], log=log)
        fetch = ["fetch", "--quiet", "--prune", "--no-tags", "--no-auto-maintenance"]
        git([*fetch, str(top), "+refs/tags/*:refs/tags/*", head], cwd=repository.path, log=log)
        tree = _tree(repository, top, head, log)
        dirty = tree != repository.git("rev-parse", f"{head}^{{tree}}")
        commit = _commit(repository, tree, head, maintainer) if dirty else head
        branch = f"local-{commit[:12]}"
        repository.git("update-ref", f"refs/heads/{branch}", commit)
    changed = repository.git("diff", "--name-only", "--no-renames", "-z", head, tree).count("\0")
    return WorkingTree(
        directory=str(top),
        commit=head,
        tree=tree,
        dirty=dirty,
        changed=changed,
        parts=parts(
            repository.git("ls-tree", "-z", "--name-only", tree).split("\0"),
            packaged=bool(try_git(["cat-file", "-e", f"{tree}:debian/control"], cwd=repository.path)),
        ),
        repository=str(repository.path),
        branch=branch,
    )


def copy_of(top: Path) -> GitMirror:
    """Return the repository that has the content of a working tree."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", top.name) or "root"
    key = hashlib.sha256(str(top).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    path = working_tree_copies() / f"{slug}-{key}.git"
    return GitMirror(str(path), path)


def check_tree(directory: Path) -> Path:
    """Return the top directory of a working tree.  Raises ConfigurationError, see `capture`."""
    if not directory.is_dir():
        raise ConfigurationError(f"{directory}: no such directory")
    place = directory.resolve()
    found = try_git(["rev-parse", "--show-toplevel"], cwd=place).stdout.rstrip("\n")
    if not found:
        raise ConfigurationError(f"{directory}: is no git working tree", hint="its tags and commits make the version")
    if Path(found).resolve() != place:
        raise ConfigurationError(f"{directory}: is only a part of a working tree", hint=f"build {found}")
    check_whole(place, str(directory))
    if not try_git(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], cwd=place):
        raise ConfigurationError(f"{directory}: has no commit yet: there is nothing to count a version from")
    if changed := changed_submodules(place):
        hint = "commit them in the submodule: a build takes the commit of a submodule, not its working tree"
        raise ConfigurationError(f"{directory}: submodules with changes: {abbreviated(changed)}", hint=hint)
    if nested := nested_repositories(place):
        hint = "add them as submodules, or name them in .gitignore or .git/info/exclude: git does not take their files"
        raise ConfigurationError(f"{directory}: untracked git repositories: {abbreviated(nested)}", hint=hint)
    if applied := applied_patches(place):
        hint = f"cd {place} && QUILT_PATCHES=debian/patches quilt pop -a: a source package has its patches unapplied"
        raise ConfigurationError(f"{directory}: applied patches of debian/patches: {abbreviated(applied)}", hint=hint)
    if absent := absent_by_sparse_checkout(place):
        hint = "git sparse-checkout disable"
        raise ConfigurationError(f"{directory}: tracked, but not checked out: {abbreviated(absent)}", hint=hint)
    return place


def changed_submodules(top: Path) -> list[str]:
    """Return the paths of submodules that have changes or untracked files of their own, see git-status(1)."""
    argv = ["--no-optional-locks", "status", "--porcelain=v2", "-z", "--untracked-files=no"]
    lines = [line.split(" ", 8) for line in try_git(argv, cwd=top).stdout.split("\0")]
    return [line[8] for line in lines if line[0] == "1" and line[2].startswith("S") and set(line[2][2:]) & set("MU")]


def nested_repositories(top: Path) -> list[str]:
    """Return the paths of git repositories in a working tree that are no submodules of it."""
    others = try_git(["ls-files", "--others", "--exclude-standard", "-z"], cwd=top).stdout.split("\0")
    return [name.removesuffix("/") for name in others if name.endswith("/")]  # of anything else, git lists the files


def applied_patches(top: Path) -> list[str]:
    """Return the names of the packaging's patches that quilt or dpkg-source has applied to a working tree."""
    note = top / ".pc/applied-patches"
    there = note.is_file() and (top / "debian/patches/series").is_file()
    return note.read_text(errors="replace").split() if there else []


def leftovers(top: Path) -> list[str]:
    """Return the patterns of files that an earlier build of a package left in a working tree, see gitignore(5)."""
    control = top / "debian/control"
    text = control.read_text(errors="replace") if control.is_file() else ""
    return [
        *LEFTOVERS,
        *(f"/debian/{name}/" for name in re.findall(r"^Package:\s*([a-z0-9.+-]+)\s*$", text, re.MULTILINE)),
    ]


def absent_by_sparse_checkout(top: Path) -> list[str]:
    """Return the tracked files that a sparse checkout leaves out of a working tree."""
    entries = try_git(["ls-files", "-t", "-z"], cwd=top).stdout.split("\0")
    skipped = [entry[2:] for entry in entries if entry.startswith("S ")]
    return [name for name in skipped if not os.path.lexists(top / name)]


def parts(names: list[str], *, packaged: bool) -> tuple[Literal["upstream", "packaging"], ...]:
    """Return what a tree has, by the names in its top directory, and by whether it has a debian/control.

    Names that begin with a dot do not count: each repository has some.  Raises ConfigurationError for a tree of neither.
    """
    upstream = any(name and not name.startswith(".") and name != "debian" for name in names)
    if not (upstream or packaged):
        raise ConfigurationError("the working tree has no files and no debian/control: there is nothing to build")
    if not packaged:
        return ("upstream",)
    return ("upstream", "packaging") if upstream else ("packaging",)


def _tree(repository: GitMirror, top: Path, head: str, log: IO[str]) -> str:
    """Return the git tree with the files of a working tree, created with a separate index."""
    index = repository.path / "capture.index"
    for leftover in (index, index.with_suffix(".index.lock")):  # of a killed process: this process holds the lock
        leftover.unlink(missing_ok=True)
    env = {"GIT_DIR": str(repository.path), "GIT_WORK_TREE": str(top), "GIT_INDEX_FILE": str(index)}
    named = try_git(["rev-parse", "--path-format=absolute", "--git-path", "info/exclude"], cwd=top).stdout.rstrip("\n")
    own = Path(named).read_bytes() if Path(named).is_file() else b""
    exclude = repository.path / "capture.exclude"
    exclude.write_bytes(own + "\n".join(["", *leftovers(top), ""]).encode())
    git(["read-tree", head], cwd=top, env=env, log=log)  # so that tracked files count, whatever is ignored
    git(["-c", f"core.excludesFile={exclude}", "add", "--all", "."], cwd=top, env=env, log=log)
    added = try_git(
        ["diff", "--cached", "--name-only", "--no-renames", "--diff-filter=A", "-z", "HEAD"], cwd=top
    ).stdout.split("\0")
    if there := [name for name in added if name and os.path.lexists(top / name)]:
        # They are tracked too, whatever is ignored.
        names = repository.path / "capture.names"
        names.write_bytes(os.fsencode("\0".join(there)))
        listed = [f"--pathspec-from-file={names}", "--pathspec-file-nul"]
        git(["--literal-pathspecs", "add", "--force", *listed], cwd=top, env=env, log=log)
    tree = git(["write-tree"], cwd=top, env=env, log=log)
    index.unlink()
    return tree


def _commit(repository: GitMirror, tree: str, head: str, maintainer: str) -> str:
    when = int(repository.git("log", "-1", "--format=%ct", head))
    argv = ["commit-tree", tree, "-p", head, "-m", SUBJECT]
    return git(argv, cwd=repository.path, env=identity(maintainer, when))
