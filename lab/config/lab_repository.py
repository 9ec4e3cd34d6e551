"""The lab's own git repository: a checkout for a Jenkins build, and the commit that a lab.yaml is of."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.git import git, try_git
from lab.base.run import ProgramFailed

CHECKOUT: Final = "lab"
"""The directory in the workspace of a Jenkins build that the lab's repository is checked out to."""


def checkout(url: str, branch: str, directory: Path) -> str:
    """Clone the tip of a branch into a new directory; return its commit.

    Git itself finds the credentials of a private repository: SSH keys, or ~/.netrc.  A clone that fails or is
    interrupted leaves no directory (git-clone(1)), so it can be repeated.

    Raises ConfigurationError for a directory that exists, InfrastructureError when the clone fails.
    """
    if directory.exists():
        raise ConfigurationError(f"{directory}: exists already", hint="name a new directory with --into")
    options = ["--quiet", "--depth=1", "--single-branch", "--no-tags", f"--branch={branch}"]
    try:
        git(["clone", *options, "--", url, directory])
    except ProgramFailed as error:
        hint = "does it exist, and can this account read it?"
        message = f"{url}: branch {branch} cannot be cloned: {error.result.complaint}"
        raise InfrastructureError(message, hint=hint) from error
    return git(["rev-parse", "HEAD"], cwd=directory)


def commit_of(file: Path) -> str:
    """Return the checked-out commit of the repository that contains a file.

    The result ends with ``-dirty`` when the file differs from that commit, and is empty when the commit does not
    contain the file or when no repository contains it.
    """
    path = file.resolve()
    ids = try_git(["rev-parse", "HEAD", f"HEAD:./{path.name}"], cwd=path.parent)
    if not ids:
        return ""
    commit, committed = ids.stdout.split()
    present = git(["hash-object", "--", path.name], cwd=path.parent)
    return commit if present == committed else f"{commit}-dirty"
