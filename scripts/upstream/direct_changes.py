"""Changes of a packaging to upstream's own files, which the diff of source format 1.0 holds beside debian/.

They are what the packaging branch changes outside debian/ since the release that it packages.  A branch with debian/
alone has none.  A part of the step `source`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from debian.debian_support import Version

from lab.base.errors import ConfigurationError, Failed
from lab.base.git import GitMirror, git, readable, try_git
from lab.store.step import StepContext
from scripts.upstream import packaged_version, tags, versions
from scripts.upstream.commit_selection import abbreviated

OUTSIDE = ("--", ".", ":(exclude)debian")


def apply(context: StepContext, packaging: Path, tree: Path, when: int) -> list[str]:
    """Apply the changes of a packaging branch to a tree of upstream's files; return the names of the files.

    Raises ConfigurationError where the release that the branch packages is not known, Failed where a change does not
    apply.
    """
    head = context.earlier("packaging").facts["head"]
    entries = git(["ls-tree", "-z", "--name-only", head], cwd=packaging).split("\0")
    if head == context.earlier("snapshot").commit or {*entries} <= {"debian", ""}:
        return []
    base = _release(context, packaging, head)
    names = [
        name for name in git(["diff", "-z", "--name-only", base, head, *OUTSIDE], cwd=packaging).split("\0") if name
    ]
    if not names:
        return []
    patch = tree.parent / "direct.diff"
    git(["diff", "--binary", "--no-renames", f"--output={patch}", base, head, *OUTSIDE], cwd=packaging)
    # git interprets paths relative to a repository around the tree, if any.
    alone = {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
    if not try_git(["apply", "--whitespace=nowarn", patch], cwd=tree, env=alone, log=context.log):
        raise Failed(f"the packaging's changes outside debian/ do not apply: {_named(names)}")
    for path in (tree / name for name in names if (tree / name).exists()):
        os.utime(path, (when, when), follow_symlinks=False)
    context.say(f"changed by the packaging outside debian/: {_named(names)}")
    return names


def _release(context: StepContext, packaging: Path, head: str) -> str:
    """Return the commit of the upstream release that a branch packages: the one with its tag."""
    text = git(["show", f"{head}:debian/changelog"], cwd=packaging)
    mirror = GitMirror.of(context.component.packaging.git)
    known = tags.read_all(context, mirror)
    # The newest entry may prepare a release that the branch does not have yet.
    entries = (packaged_version.newest(text), packaged_version.newest_released(text))
    wanted = [str(Version(entry).upstream_version) for entry in entries if entry]
    found = [(version, name) for version in wanted for name, read in known if read == versions.as_in_tags(version)]
    # DEP-14's tag is of the imported tarball; upstream's own may be of another tree.
    found.sort(key=lambda each: (wanted.index(each[0]), not each[1].startswith("upstream/"), each[1]))
    commits = [commit for _, name in found if (commit := mirror.resolve(f"{tags.TAGS}{name}"))]
    merged = (commit for commit in commits if mirror.is_ancestor(commit, head))
    if not commits:
        release = wanted[0] if wanted else "VERSION"
        raise ConfigurationError(
            f"what the packaging changes outside debian/ is not known: no tag of {release} in {mirror.url}",
            hint=f"tag the imported release as upstream/{versions.dep14(release)}, or keep debian/ alone in the branch",
        )
    return next(merged, commits[0])


def _named(names: Sequence[str]) -> str:
    return abbreviated([readable(name) for name in names])
