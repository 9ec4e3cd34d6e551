"""The only wrapper of git: no configuration of the user or the machine changes its behaviour."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import ProgramFailed, Result, Word, run

SAFE = (
    "-c", "protocol.file.allow=always", "-c", "gc.auto=0", "-c", "core.quotePath=false",
    # Else ~/.config/git/attributes and ~/.config/git/ignore are read even without a configuration.
    "-c", "core.attributesFile=/dev/null", "-c", "core.excludesFile=/dev/null",
)  # fmt: skip
# qalab's own configuration instead of the user's: the other end of a local fetch or push also reads it, but no -c.
CONFIG = Path(__file__).with_name("gitconfig")
NO_CONFIG = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": str(CONFIG), "GIT_ATTR_NOSYSTEM": "1"}
FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


# Characters that control a terminal, end a line, or change the reading direction.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")


def git(
    argv: Sequence[Word],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: IO[str] | None = None,
) -> str:
    """Return the standard output of a git command, without its last line end.  Raises ProgramFailed.

    ``log`` gets the command and its standard error.
    """
    if log is None:  # for the reason of a failure
        with tempfile.NamedTemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as own:
            return git(argv, cwd=cwd, env=env, log=own)
    try:
        result = run(["git", *SAFE, *argv], cwd=cwd, env=NO_CONFIG | dict(env or {}), log=log, capture=True)
    except ProgramFailed as error:
        raise ProgramFailed(replace(error.result, argv=("git", *map(str, argv)))) from None
    return result.stdout.rstrip("\n")


def try_git(
    argv: Sequence[Word], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, log: IO[str] | None = None
) -> Result:
    """Run a git command that can fail; its output goes to ``log``, or is returned without one."""
    return run(
        ["git", *SAFE, *argv], cwd=cwd, env=NO_CONFIG | dict(env or {}), log=log, capture=log is None, check=False
    )


def files_at(repository: Path, commit: str, paths: Iterable[str]) -> dict[str, str | None]:
    """Return the text of files in a commit, by path; None for a file that the commit does not have.

    Symbolic links are followed as in a checkout, but not out of the commit.
    """
    names = list(paths)
    asked = "".join(f"{commit}:{name}\n" for name in names).encode()
    argv = ["git", *SAFE, "cat-file", "--batch", "--follow-symlinks"]
    found = run(argv, cwd=repository, env=NO_CONFIG, capture=True, stdin=asked).stdout.encode(
        "utf-8", "surrogateescape"
    )
    texts: dict[str, str | None] = {}
    for name in names:
        # "OBJECT TYPE SIZE" and the content; "REASON SIZE" and a name, for a link that leads nowhere; "ASKED missing".
        head, _, found = found.partition(b"\n")
        *_, kind, size = head.split(b" ")
        texts[name] = None
        if size != b"missing":
            if kind == b"blob":
                texts[name] = found[: int(size)].decode("utf-8", "surrogateescape")
            found = found[int(size) + 1 :]
    return texts


def identity(maintainer: str, when: int) -> dict[str, str]:
    """Return the environment that makes a commit reproducible: author, committer and time (Unix time)."""
    name, _, address = maintainer.rstrip(">").rpartition(" <")
    stamp = f"@{when} +0000"  # without @, git takes a small number for a date
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": address,
        "GIT_AUTHOR_DATE": stamp,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": address,
        "GIT_COMMITTER_DATE": stamp,
    }


def reset(tree: Path, commit: str) -> None:
    """Make a private work tree identical to a commit, even after a git that was killed."""
    for lock in (tree / ".git").rglob("*.lock"):
        lock.unlink()
    git(["reset", "--quiet", "--hard", commit], cwd=tree)
    git(["clean", "--quiet", "-ffdx"], cwd=tree)


def readable(text: str) -> str:
    """Return git's output about a commit or a file name as one line of plain text that is safe to show.

    Bytes that are no UTF-8 (a commit made without i18n.commitEncoding) are read as Windows-1252.
    """
    raw = text.encode("utf-8", "surrogateescape")
    try:
        decoded = raw.decode()
    except UnicodeDecodeError:
        decoded = raw.decode("windows-1252", "replace")
    return " ".join(CONTROL.sub(" ", decoded).split())


def check_whole(repository: Path, name: str) -> None:
    """Raise ConfigurationError for a shallow clone on this machine."""
    argv = ["rev-parse", "--is-shallow-repository"]
    if repository.is_dir() and try_git(argv, cwd=repository).stdout.strip() == "true":
        hint = "give the whole repository: its tags and commit counts make the versions"
        raise ConfigurationError(f"{name}: is a shallow clone", hint=hint)


def working_tree_copies() -> Path:
    """Return the directory of repositories that hold the content of working trees, see `qalab build`."""
    return environment.cache_home() / "trees"


@dataclass(frozen=True)
class GitMirror:
    """A bare copy of a repository, shared by all runs on this machine, fetched incrementally."""

    url: str
    path: Path

    @classmethod
    def of(cls, url: str) -> GitMirror:
        """Return the mirror of a URL.  A copy of a working tree (`working_tree_copies`) is its own mirror."""
        if Path(url).parent == working_tree_copies():
            return cls(url, Path(url))
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", url.rstrip("/").removesuffix(".git").rsplit("/", 1)[-1])
        digest = hashlib.sha256(url.encode()).hexdigest()[:12]
        return cls(url, environment.cache_home() / "mirrors" / f"{slug}-{digest}.git")

    @contextmanager
    def held(self) -> Iterator[int]:
        """Hold the lock of the mirror for a change; yield the lock, for programs that work on the mirror."""
        with files.locked(self.path.with_suffix(".lock")) as lock:
            yield lock

    def git(self, *argv: Word) -> str:
        return git(argv, cwd=self.path)

    def fetch(self, log: IO[str], *refs: str) -> None:
        """Update the mirror from its origin, where it is not its own: branches, tags, ``refs`` (that are fetched only when asked for).

        Raises InfrastructureError for an origin that cannot be reached, ConfigurationError for a shallow clone (its
        counts and tags would be wrong) and for one with SHA-256.
        """
        if self.url == str(self.path):
            return
        # Checked first: git rejects such refs with only a warning, and prunes refs that a shallow clone does not have.
        check_whole(Path(self.url.removeprefix("file://")), self.url)
        with self.held() as lock:
            for stale in self.path.rglob("*.lock"):  # its process is dead, because this process holds the mirror's lock
                stale.unlink()
            git(["init", "--quiet", "--bare", self.path], log=log)  # also repairs an interrupted one
            specs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", *(f"+{ref}:{ref}" for ref in refs)]
            argv: list[Word] = [
                "git",
                *SAFE,
                "fetch",
                "--prune",
                "--no-tags",
                "--no-auto-maintenance",
                "--",
                self.url,
                *specs,
            ]
            try:
                run(argv, log=log, cwd=self.path, env=NO_CONFIG, keep=(lock,))
            except ProgramFailed as error:
                if "mismatched algorithms" in error.result.complaint:
                    hint = "push it to one with SHA-1, git's default"
                    raise ConfigurationError(f"{self.url}: is a repository with SHA-256", hint=hint) from None
                full = "No space left on device" in error.result.complaint
                hint = "" if full else "is it there, and may this account read it?"
                raise InfrastructureError(
                    f"{self.url}: cannot be fetched: {error.result.complaint}", hint=hint
                ) from error
            head = try_git(["ls-remote", "--symref", "--", self.url, "HEAD"], cwd=self.path)
            if match := re.match(r"ref: (refs/heads/\S+)\tHEAD", head.stdout):
                git(["symbolic-ref", "HEAD", match[1]], cwd=self.path)

    def fetch_ref(self, log: IO[str], url: str, ref: str) -> None:
        """Fetch a ref of another repository with the same history.  Raises InfrastructureError if it is not there."""
        with self.held() as lock:
            argv: list[Word] = ["git", *SAFE, "fetch", "--no-tags", "--no-auto-maintenance", "--", url, f"+{ref}:{ref}"]
            try:
                run(argv, log=log, cwd=self.path, env=NO_CONFIG, keep=(lock,))
            except ProgramFailed as error:
                hint = "a mirror may not have it yet, or never"
                raise InfrastructureError(f"{url}: {ref}: {error.result.complaint}", hint=hint) from error

    def fetch_commit(self, log: IO[str], commit: str) -> bool:
        """Fetch a commit that may be on no branch and no tag, as git-submodule(1) does; return whether it is there."""
        with self.held():
            kept = f"refs/commits/{commit}"  # no `fetch` prunes it
            argv = ["fetch", "--no-tags", "--no-auto-maintenance", "--", self.url, f"+{commit}:{kept}"]
            try_git(argv, cwd=self.path, log=log)
        return self.resolve(commit) is not None

    def resolve(self, revision: str) -> str | None:
        """Return the full id of a revision's commit, None for an unknown revision."""
        if not self.path.is_dir():
            return None
        found = try_git(["rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"], cwd=self.path).stdout.strip()
        return found if FULL_ID.fullmatch(found) else None

    def is_ancestor(self, older: str, newer: str) -> bool:
        return bool(try_git(["merge-base", "--is-ancestor", older, newer], cwd=self.path))
