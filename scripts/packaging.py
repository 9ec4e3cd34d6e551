"""packaging: merge the testing branch into the packaging branch.

Leaves ``work/packaging``, a clone whose only branch of its own is checked out.  Only its ``debian/``
counts later: a branch with nothing else and one with all of upstream's files serve alike.
Facts: ``branch``; ``head``, the commit the remote has; ``testing``, the commit that was merged, or "";
``merged``, the commit that came of it.

The branch is the one that lab.yaml names; else the first of these that holds a debian/control: what
gbp.conf(5) says on the remote's HEAD, DEP-14's names, HEAD, and git-buildpackage's default, master.
"""

from __future__ import annotations

import configparser
import shutil
from collections.abc import Sequence
from pathlib import Path

from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.git import GitMirror, git, identity, readable, try_git
from lab.config.components import Branch
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome

NAME = "packaging"
SOURCE_FORMAT = "3.0 (quilt)"
# The later file has the last word, see gbp.conf(5).
GBP_FILES = (".gbp.conf", "debian/gbp.conf")
GBP_SECTIONS = ("buildpackage", "git-buildpackage", "DEFAULT")
# Two branches that both add entries on top are merged entry by entry, by version.
CHANGELOG_DRIVER = "merge.dpkg-mergechangelogs.driver=dpkg-mergechangelogs %O %A %B %A"
CHANGELOG_ATTRIBUTE = "debian/changelog merge=dpkg-mergechangelogs\n"
SHOWN = 20


def gbp_branch(text: str, name: str = "gbp.conf") -> str:
    """The debian-branch of a gbp.conf, "" when it names none.  Raises configparser.Error."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text, name)
    for section in GBP_SECTIONS:
        if branch := parser.get(section, "debian-branch", fallback=""):
            return branch.strip("'\"")
    return ""


def candidates(gbp: str, head: str, distribution: str, codename: str) -> list[str]:
    """Names that the packaging branch may have, the likeliest first."""
    development = {"debian": ("unstable", "master", "sid"), "ubuntu": ("devel",)}[distribution]
    own = [f"{distribution}/{name}" for name in (codename, "latest", *development)]
    names = [gbp, *own, "debian/latest", "debian/unstable", "debian/master", "debian/sid", head, "master"]
    return [name for name in dict.fromkeys(names) if name]


def known_branches(mirror: GitMirror) -> str:
    names = mirror.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").splitlines()
    return ", ".join([readable(name) for name in names[:SHOWN]] + ["..."] * (len(names) > SHOWN)) or "none"


def file_at(repository: Path, commit: str, path: str) -> str | None:
    """A file's text in a commit, None when it has no such file."""
    result = try_git(["show", f"{commit}:{path}"], cwd=repository)
    return result.stdout if result else None


def branch_commit(mirror: GitMirror, branch: str) -> str:
    commit = mirror.resolve(f"refs/heads/{branch}")
    if not commit:
        raise ConfigurationError(f"{mirror.url}: no branch {branch}; known: {known_branches(mirror)}")
    return commit


def gbp_branch_of(mirror: GitMirror) -> str:
    """What the gbp.conf on the remote's HEAD says."""
    branch = ""
    for name in GBP_FILES:
        try:
            branch = gbp_branch(file_at(mirror.path, "HEAD", name) or "", name) or branch
        except configparser.Error as error:
            raise Failed(f"{mirror.url}: {readable(str(error))}") from None
    return branch


def find_branch(mirror: GitMirror, named: str | None, distribution: str, codename: str) -> tuple[str, str]:
    """The packaging branch and its commit.  Raises ConfigurationError that names the known branches."""
    if named:
        commit = branch_commit(mirror, named)
        if file_at(mirror.path, commit, "debian/control") is None:
            raise ConfigurationError(f"{mirror.url}: the branch {named} has no debian/control")
        return named, commit
    head = try_git(["symbolic-ref", "--short", "HEAD"], cwd=mirror.path).stdout.strip()
    for name in candidates(gbp_branch_of(mirror), head, distribution, codename):
        found = mirror.resolve(f"refs/heads/{name}")
        if found and file_at(mirror.path, found, "debian/control") is not None:
            return name, found
    known = known_branches(mirror)
    raise ConfigurationError(
        f"{mirror.url}: no packaging branch found; known: {known}", hint="name it as packaging.branch in lab.yaml"
    )


def clone(context: StepContext, mirror: GitMirror, branch: str, commit: str) -> Path:
    """A fresh clone of the mirror, hard-linked where the file systems allow, at ``commit``."""
    tree = context.run.work / NAME
    if tree.exists():
        shutil.rmtree(tree)
    with mirror.held():
        git(["clone", "--quiet", "--no-checkout", "--template=", mirror.path, tree], log=context.log)
    git(["checkout", "--quiet", "-B", branch, commit], cwd=tree, log=context.log)
    return tree


def described(tree: Path, commit: str) -> str:
    """A commit as people name it: short id and subject."""
    full, _, subject = git(["log", "-1", "--encoding=UTF-8", "--format=%H %s", commit], cwd=tree).partition(" ")
    return f"{full[:7]} {readable(subject)}"


def merge(context: StepContext, tree: Path, branch: str, testing: Branch) -> str:
    """Merge the testing branch; its commit.  Raises Failed for a conflict."""
    mirror = GitMirror.of(testing.git)
    mirror.fetch(context.log)
    theirs = branch_commit(mirror, testing.branch)
    ref = f"refs/heads/{testing.branch}"
    git(
        ["fetch", "--quiet", "--no-tags", mirror.path, f"+{ref}:{ref.replace('heads', 'remotes/testing', 1)}"], cwd=tree
    )
    base = try_git(["merge-base", "HEAD", theirs], cwd=tree).stdout.strip()
    if not base:
        raise ConfigurationError(f"{testing.git}: the branch {testing.branch} shares no history with {branch}")
    attributes = tree / ".git/info/attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text(CHANGELOG_ATTRIBUTE)
    when = int(context.earlier("snapshot").facts["committed"])
    message = f"Merge the testing branch {testing.branch}"
    merged = try_git(
        ["-c", CHANGELOG_DRIVER, "merge", "--no-edit", "-m", message, theirs],
        cwd=tree, env=identity(context.lab.lab.maintainer, when), log=context.log,
    )  # fmt: skip
    if not merged:
        raise conflict(context, tree, base, (branch, "HEAD"), (testing.branch, theirs))
    return theirs


def conflict(
    context: StepContext, tree: Path, base: str, ours: tuple[str, str], theirs: tuple[str, str]
) -> Failed | InfrastructureError:
    """What stopped a merge, as an error; what each side did, and the hunks, go into the log."""
    files = git(["diff", "--name-only", "--diff-filter=U", "-z"], cwd=tree).split("\0")[:-1]
    if not files:
        return InfrastructureError("git merge ended without a conflict and without a merge")
    for name, side in (ours, theirs):
        context.say(f"\nWhat {name} did to the files in conflict:")
        try_git(["log", "--oneline", "--no-merges", f"{base}..{side}", "--", *files], cwd=tree, log=context.log)
    try_git(["diff"], cwd=tree, log=context.log)
    names = ", ".join(readable(name) for name in files[:SHOWN]) + ", ..." * (len(files) > SHOWN)
    sides = (f"{name} ({described(tree, side)})" for name, side in (ours, theirs))
    return Failed(f"{names}: conflict between {' and '.join(sides)}", hint="the step's log has the hunks")


def check_format(tree: Path) -> None:
    """Raises Failed for a source format that the lab does not build."""
    lines = (file_at(tree, "HEAD", "debian/source/format") or "1.0").split("\n")
    if lines[0].strip() != SOURCE_FORMAT:
        raise Failed(f"debian/source/format: is {readable(lines[0])}; the lab builds {SOURCE_FORMAT}")


def action(context: StepContext) -> StepOutcome:
    packaging = context.component.packaging
    mirror = GitMirror.of(packaging.git)
    mirror.fetch(context.log)
    branch, head = find_branch(mirror, packaging.branch, context.series.distribution, context.codename)
    tree = clone(context, mirror, branch, head)
    testing = merge(context, tree, branch, packaging.testing) if packaging.testing else ""
    check_format(tree)
    message = f"{branch} at {head[:7]}"
    if packaging.testing:
        message += f", with {packaging.testing.branch} at {testing[:7]} merged"
    merged = git(["rev-parse", "HEAD"], cwd=tree)
    return StepOutcome(message, facts={"branch": branch, "head": head, "testing": testing, "merged": merged})


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
