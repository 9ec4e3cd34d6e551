"""The trees that make up an upstream commit: its own, and those of its submodules.

Each submodule comes through a mirror of its own.  A part of the step `snapshot`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import IO, Literal, Self

from lab.base.errors import ConfigurationError, Failed
from lab.base.git import GitMirror, try_git

HELPER = re.compile(r"[A-Za-z0-9]+::")  # gitremote-helpers(7): such as ext::, which runs a command
GITLINK = re.compile(r"160000 commit (?P<commit>[0-9a-f]+)\t(?P<path>.*)", re.DOTALL)


@dataclass(frozen=True)
class CommitTree:
    """A commit's tree, and the directory it is checked out in: empty, or a path that ends with a slash."""

    path: str
    mirror: GitMirror
    commit: str


Policy = Literal["refuse", "include", "omit"] | tuple[str, ...]


@dataclass(frozen=True)
class Trees:
    """The trees of a commit: its own first, and those of submodules; ``omitted``: the paths of those left out."""

    parts: list[CommitTree]
    omitted: list[str]

    @classmethod
    def of(cls, tree: CommitTree, policy: Policy, log: IO[str], replaced: Collection[str] = ()) -> Self:
        """Return the trees of a commit by a policy; a list of paths includes those submodules and omits all others.

        The paths ``replaced`` are no matter of the policy: something else is there.

        Raises ConfigurationError when the policy refuses submodules or lists an unknown one, Failed when
        upstream does not say where one is.
        """
        found = cls([], [])
        found._add(tree, policy, log, replaced)
        if not isinstance(policy, str):
            paths = {part.path.rstrip("/") for part in found.parts}
            if wrong := [path for path in policy if path not in paths]:
                known = ", ".join(sorted([*(paths - {""}), *found.omitted])) or "none"
                where = f"{tree.mirror.url}: commit {tree.commit[:7]}"
                raise ConfigurationError(f"{where}: no submodule {', '.join(wrong)}; known: {known}")
        return found

    def _add(self, tree: CommitTree, policy: Policy, log: IO[str], replaced: Collection[str]) -> None:
        self.parts.append(tree)
        mirror, commit = tree.mirror, tree.commit
        gitlinked = gitlinks(mirror.git("ls-tree", "-r", "-z", "--full-tree", commit))
        links = {path: wanted for path, wanted in gitlinked.items() if f"{tree.path}{path}" not in replaced}
        where = f"{mirror.url}: commit {commit[:7]}"
        if links and policy == "refuse":
            hint = "orig.submodules: include takes them into the tarball, omit leaves them out, a list takes some"
            raise ConfigurationError(f"{where} has submodules: {', '.join(sorted(links))}", hint=hint)
        locations = urls(mirror, commit) if links else {}
        for path, wanted in links.items():
            whole = f"{tree.path}{path}"
            if policy == "omit" or (not isinstance(policy, str) and whole not in policy):
                self.omitted.append(whole)
            else:
                inner = _fetched(where, mirror, (path, locations.get(path), wanted), log)
                self._add(CommitTree(f"{whole}/", inner, wanted), policy, log, replaced)


def _fetched(where: str, superproject: GitMirror, link: tuple[str, str | None, str], log: IO[str]) -> GitMirror:
    """Return the mirror of a submodule (path, URL, commit), which has its commit."""
    path, location, wanted = link
    if location is None:
        raise Failed(f"{where}: .gitmodules has no URL for the submodule {path}")
    url = resolve(superproject.url, location)
    if url is None:
        raise Failed(f"{where}: the submodule {path} may not be taken from {location}: it is no remote repository")
    inner = GitMirror.of(url)
    if inner.resolve(wanted) is None:
        inner.fetch(log)
    if inner.resolve(wanted) is None and not inner.fetch_commit(log, wanted):
        raise Failed(
            f"{where}: the submodule {path} is at {wanted}, which is on no branch and no tag of {url}, nor given alone"
        )
    return inner


def gitlinks(listing: str) -> dict[str, str]:
    """Path and commit of the submodules in the output of ``git ls-tree -r -z``."""
    matches = (GITLINK.fullmatch(entry) for entry in listing.split("\0"))
    return {match["path"]: match["commit"] for match in matches if match}


def urls(mirror: GitMirror, commit: str) -> dict[str, str]:
    """Return the URL for each path in a commit's .gitmodules."""
    argv = ["config", f"--blob={commit}:.gitmodules", "-z", "--get-regexp", r"^submodule\..*\.(path|url)$"]
    entries = dict(entry.split("\n", 1) for entry in try_git(argv, cwd=mirror.path).stdout.split("\0") if "\n" in entry)
    paths = {key.removesuffix(".path"): path for key, path in entries.items() if key.endswith(".path")}
    return {path: entries[f"{key}.url"] for key, path in paths.items() if f"{key}.url" in entries}


def resolve(superproject: str, url: str) -> str | None:
    """Return the URL of a submodule, with a relative one resolved as in git-submodule(1).

    It is None for a source that upstream must not select: an option or a helper of git, or this machine's own files (unless the
    superproject is on this machine too).
    """
    if HELPER.match(url):
        return None
    if url.startswith(("./", "../")):
        base, separator = superproject.rstrip("/"), "/"
        while url.startswith(("./", "../")):
            step, _, url = url.partition("/")
            if step == "..":
                separator = "/" if "/" in base else ":"
                base = base.rpartition(separator)[0]
        url = f"{base}{separator}{url}"
    if url.startswith("-") or (_is_local(url) and not _is_local(superproject)):
        return None
    return url


def _is_local(url: str) -> bool:
    # host:path is remote (git-clone(1), GIT URLS); a slash before the first colon makes it a path.
    return url.startswith("file:") or ":" not in url.partition("/")[0]
