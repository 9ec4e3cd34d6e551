"""A project's own sdist (PEP 517), made from a clone at the commit that has its tags.

So PBR and setuptools-scm find their version, and leave it in PKG-INFO, where the package's build finds it again:
no PBR_VERSION is set, it would have to be repeated in every build of the package.  What builds the sdist is pinned
by ``orig.constraints``; what is not pinned may change the sdist when it is released.  A part of the step `snapshot`.
"""

from __future__ import annotations

import gzip
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.base.errors import Failed, InfrastructureError
from lab.base.git import NO_CONFIG, SAFE, git
from lab.base.run import Word
from lab.store.step import StepContext
from scripts.upstream.submodules import CommitTree
from scripts.upstream.tags import CommitHistory

# What is said when it is not the project that is at fault.
LAB = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProtocolError|ProxyError|SSLError|NameResolutionError"
    r"|Temporary failure in name resolution|Connection (?:reset|refused|timed out)|HTTP error 5\d\d"
    r"|(?:50[0234]|429) (?:Server|Client) Error|No space left on device"
    r"|ensurepip is not available|No module named (?:build|pip)\b"
)
# What pip and build put around it: progress, the frames of tracebacks (indented), advice, that a command ended.
NOISE = re.compile(
    r"|(?:\s|\* |Traceback|TIP |ERROR (?:Backend|Command) |ERROR: ResolutionImpossible|subprocess\.CalledProcessError|note:|hint:|\[notice\]).*"
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def make(context: StepContext, trees: Sequence[CommitTree], committed: int, work: Path) -> Path:
    """Build the sdist of a checkout of ``trees`` (the first has the project) as an uncompressed tar below ``work``.

    Raises Failed when the project's build backend does, InfrastructureError when what it needs cannot be had.
    """
    source, made, constraints = work / "source", work / "sdist", work / "constraints.txt"
    for tree in trees:
        checkout(context, tree, source / tree.path)
    pins = context.component.orig.constraints
    constraints.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
    if not pins:
        context.say("orig.constraints pins nothing: newer build tools may make another sdist of the same commit")
    built = context.sh(
        [sys.executable, "-m", "build", "--sdist", "--outdir", made, source],
        env=build_environment(constraints, committed),
        timeout=context.component.build.timeout_minutes * 60,
        check=False,
    )
    found = sorted(made.glob("*.tar.gz"))
    if not built or len(found) != 1:
        said = Path(context.log.name).read_text(encoding="utf-8", errors="replace")
        raise failure(said.rpartition(" -m build ")[2])
    plain = work / "sdist.tar"
    with gzip.open(found[0]) as packed, plain.open("wb") as target:
        shutil.copyfileobj(packed, target)
    return plain


def build_environment(constraints: Path, committed: int) -> dict[str, str]:
    """Return the environment for a reproducible build: no git configuration, fixed hashes and dates, pinned tools."""
    return NO_CONFIG | {
        "SOURCE_DATE_EPOCH": str(committed),
        "PYTHONHASHSEED": "0",
        "PIP_CONSTRAINT": constraints.as_uri(),  # a list, which a path with a space in it would end
        "NO_COLOR": "1",
        "COLUMNS": "1000",  # or build breaks pip's messages into lines
    }


def checkout(context: StepContext, tree: CommitTree, path: Path) -> None:
    """Clone a tree's repository: its commit and the tags merged into it, and nothing else.

    What else a mirror holds would show: in ``git describe``, and in how long git makes its short ids.
    """
    git(["init", "--quiet", "--initial-branch=snapshot", path])
    tags = [f"refs/tags/{name}:refs/tags/{name}" for name in CommitHistory(tree.mirror, tree.commit).tags]
    wanted = "\n".join([f"{tree.commit}:refs/remotes/origin/snapshot", *tags, ""])
    argv: list[Word] = ["git", *SAFE, "fetch", "--quiet", "--no-tags", "--stdin", tree.mirror.path]
    context.sh(argv, cwd=path, env=NO_CONFIG, stdin=wanted.encode("utf-8", "surrogateescape"))
    git(["reset", "--quiet", "--hard", tree.commit], cwd=path, log=context.log)


def failure(output: str) -> Failed | InfrastructureError:
    """Return the error for a failed build, from the output of its last stage."""
    stage = output.rpartition("\n* ")[2]
    if trouble := LAB.search(stage):
        hint = "the step's log has pip's own words"
        return InfrastructureError(f"what builds the sdist cannot be had: {trouble[0]}", hint=hint)
    return Failed(f"the project makes no sdist: {last_line(stage)}")


def last_line(output: str) -> str:
    """Return the last informative line."""
    lines = (COLOUR.sub("", line).removeprefix("< ") for line in reversed(output.splitlines()))
    return next((line.strip() for line in lines if not NOISE.fullmatch(line)), "it says nothing")
