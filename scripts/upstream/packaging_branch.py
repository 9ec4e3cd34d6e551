"""The packaging of an upstream commit: its repository, its branch, and the commit that has its debian/.

The branch is the one that lab.yaml names; else the first of these that holds a debian/control: what
gbp.conf(5) says on the remote's HEAD, DEP-14's names, upstream's branch where the repository is
upstream's, HEAD, and git-buildpackage's default, master.

Where that is the upstream branch itself, debian/ belongs to each upstream commit: the commit under test has it.
A part of the steps `snapshot` and `packaging`.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from typing import IO

from lab.base.errors import ConfigurationError, Failed
from lab.base.git import GitMirror, files_at, readable, try_git
from lab.config.description import Lab
from scripts.upstream.source_shape import GBP_FILES

GBP_SECTIONS = ("buildpackage", "git-buildpackage", "DEFAULT")
SHOWN = 20


@dataclass(frozen=True)
class PackagingBranch:
    """A branch with a debian/ directory; ``head`` is the full id of the commit to take it from."""

    mirror: GitMirror
    name: str
    head: str

    def files(self, *paths: str) -> dict[str, str | None]:
        """Return the text of files, by path; None where the commit has no such file."""
        return files_at(self.mirror.path, self.head, paths)


def find(lab: Lab, track: str, component: str, log: IO[str], commit: str = "") -> PackagingBranch:
    """Fetch the packaging repository and return the branch for an upstream commit (its full id, or "": the tip).

    Raises ConfigurationError where there is no such branch, Failed where the commit itself lacks its debian/.
    """
    settings, name = lab.component(component, track), lab.tracks[track].series
    inside = _same_repository(settings.packaging.git, settings.upstream.git)
    mirror = GitMirror.of(settings.upstream.git if inside else settings.packaging.git)
    mirror.fetch(log)
    followed = (settings.upstream.branch or lab.tracks[track].branch) if inside else ""
    codename = lab.series[name].codename or name
    names = Names(settings.packaging.branch, followed, lab.series[name].distribution, codename)
    branch, tip = find_branch(mirror, names, commit if inside else "")
    if not (inside and branch == followed and commit):
        return PackagingBranch(mirror, branch, _held(mirror, settings.packaging.commit) or tip)
    if not has_debian(mirror, commit):
        raise Failed(
            f"{mirror.url}: commit {commit[:7]} has no debian/control; the packaging is in the upstream branch"
        )
    return PackagingBranch(mirror, branch, commit)


def _held(mirror: GitMirror, commit: str | None) -> str:
    """Return the commit that lab.yaml holds the packaging at; "" for none."""
    if commit and not has_debian(mirror, commit):
        raise ConfigurationError(f"{mirror.url}: packaging.commit: no commit {commit} with a debian/control")
    return commit or ""


def _same_repository(one: str, other: str) -> bool:
    return one.rstrip("/").removesuffix(".git") == other.rstrip("/").removesuffix(".git")


@dataclass(frozen=True)
class Names:
    """The possible names of a packaging branch; ``named`` by lab.yaml, ``followed``: upstream's branch, if possible."""

    named: str | None
    followed: str
    distribution: str
    codename: str

    def candidates(self, gbp: str, head: str) -> list[str]:
        """Return names that the packaging branch may have, the likeliest first."""
        development = {"debian": ("unstable", "master", "sid"), "ubuntu": ("devel",)}[self.distribution]
        own = [f"{self.distribution}/{name}" for name in (self.codename, "latest", *development)]
        general = ["debian/latest", "debian/unstable", "debian/master", "debian/sid"]
        names = [gbp, *own, *general, self.followed, head, "master"]
        return [name for name in dict.fromkeys(names) if name]


def find_branch(mirror: GitMirror, names: Names, commit: str = "") -> tuple[str, str]:
    """Return the packaging branch and its commit.  Raises ConfigurationError that names the known branches.

    ``commit``: an upstream commit; the branch that is followed counts where this has a debian/, whatever its tip has.
    """
    if names.named:
        found = branch_commit(mirror, names.named)
        if not has_debian(mirror, found) and names.named != names.followed:
            raise ConfigurationError(f"{mirror.url}: the branch {names.named} has no debian/control")
        return names.named, found
    # Not --short: with a tag of the same name, that is heads/NAME.
    head = try_git(["symbolic-ref", "HEAD"], cwd=mirror.path).stdout.strip().removeprefix("refs/heads/")
    listing = mirror.git("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads").splitlines()
    tips = {name: tip for tip, _, name in (line.partition(" ") for line in listing)}
    for name in names.candidates(gbp_branch_of(mirror), head):
        if name in tips and has_debian(mirror, commit if commit and name == names.followed else tips[name]):
            return name, tips[name]
    known = known_branches(mirror)
    raise ConfigurationError(
        f"{mirror.url}: no packaging branch found; known: {known}", hint="name it as packaging.branch in lab.yaml"
    )


def gbp_branch(text: str, name: str = "gbp.conf") -> str:
    """Return the debian-branch of a gbp.conf, "" when it names none.  Raises configparser.Error."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text, name)
    for section in GBP_SECTIONS:
        if branch := parser.get(section, "debian-branch", fallback=""):
            return branch.strip("'\"")
    return ""


def gbp_branch_of(mirror: GitMirror) -> str:
    """Return the branch that the gbp.conf on the remote's HEAD names.  Raises Failed where it cannot be read."""
    branch = ""
    for name, text in files_at(mirror.path, "HEAD", GBP_FILES).items():
        try:
            branch = gbp_branch(text or "", name) or branch
        except configparser.Error as error:
            raise Failed(f"{mirror.url}: {readable(str(error))}") from None
    return branch


def known_branches(mirror: GitMirror) -> str:
    names = mirror.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").splitlines()
    return ", ".join([readable(name) for name in names[:SHOWN]] + ["..."] * (len(names) > SHOWN)) or "none"


def branch_commit(mirror: GitMirror, branch: str) -> str:
    """Return the full id of a branch's tip.  Raises ConfigurationError that names the known branches."""
    commit = mirror.resolve(f"refs/heads/{branch}")
    if not commit:
        raise ConfigurationError(f"{mirror.url}: no branch {branch}; known: {known_branches(mirror)}")
    return commit


def has_debian(mirror: GitMirror, commit: str) -> bool:
    return files_at(mirror.path, commit, ["debian/control"])["debian/control"] is not None
