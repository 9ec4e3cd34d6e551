"""The tags and commits of an upstream history, read from git; what they mean is in `scripts.upstream.versions`.

No walk here excludes commits: git ends ``A ^B`` and ``--merged=A`` by date, with a small margin.  Where a commit is
dated before its parent, such a walk loses tags and counts commits twice.  A walk to the roots has no such limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror
from lab.base.text import first_of
from lab.store.step import StepContext
from scripts.upstream import commit_selection, versions

TAGS = "refs/tags/"


def reachable(mirror: GitMirror, *revisions: str) -> dict[str, int]:
    """Return the full ids of the commits that can be reached from revisions, with their committer dates (Unix time).

    Full ids that the mirror does not have are left out.
    """
    lines = mirror.git("rev-list", "--timestamp", "--ignore-missing", *revisions).splitlines()
    return {commit: int(stamp) for stamp, commit in map(str.split, lines)}


def all_tags(mirror: GitMirror) -> dict[str, str]:
    """Return the names of all tags, sorted, with the full id of what each is on in the end (a commit, or a file)."""
    found: dict[str, str] = {}
    # show-ref peels a tag of a tag in every git; %(*objectname) of for-each-ref does so since git 2.45.
    for line in mirror.git("show-ref", "--dereference").splitlines():
        target, ref = line.split(" ", 1)
        if ref.startswith(TAGS):
            found[ref.removeprefix(TAGS).removesuffix("^{}")] = target  # the peeled one comes second
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class CommitHistory:
    """A commit with all that leads to it.  Each walk is made once."""

    mirror: GitMirror
    commit: str

    @cached_property
    def commits(self) -> dict[str, int]:
        """The commit and its ancestors, with their committer dates."""
        return reachable(self.mirror, self.commit)

    @cached_property
    def tags(self) -> dict[str, str]:
        """The names of the tags in this history, sorted, with the full ids of their commits."""
        return {name: commit for name, commit in all_tags(self.mirror).items() if commit in self.commits}

    @cached_property
    def _walks(self) -> dict[str, dict[str, int]]:
        return {}

    def before(self, tag: str) -> dict[str, int]:
        """Return the commit of one of the tags and its ancestors, with their committer dates."""
        if tag not in self._walks:
            self._walks[tag] = reachable(self.mirror, self.tags[tag])
        return self._walks[tag]

    def range_after(self, tag: str) -> versions.CommitRange:
        """Return the commits after one of the tags ("": all commits)."""
        if not tag:
            return versions.CommitRange("", len(self.commits), max(self.commits.values()))
        start = self.tags[tag]
        after = self.commits.keys() - self.before(tag).keys()
        return versions.CommitRange(tag, len(after), max(self.commits[each] for each in {start, *after}))

    def version(self, tags: Iterable[versions.VersionTag], following: str | None) -> versions.SnapshotVersion:
        """Return the version that follows from the history alone."""
        start = versions.base(tags, following)
        ranges = [self.range_after(tag.name) for tag in start.tags] or [self.range_after("")]
        return versions.snapshot(start, ranges, self.commit)


def usable(context: StepContext, history: CommitHistory) -> list[versions.VersionTag]:
    """Return the tags of a history that stand for a version; name the others in the step's log.

    Raises ConfigurationError for a bad ``version.tag_pattern``.
    """
    read = [(name, _version(context, history.mirror, name)) for name in history.tags]
    if left := [name for name, version in read if not version]:
        shown = commit_selection.abbreviated(left)
        context.say(f"tags that are taken for no versions (version.tag_pattern could read them): {shown}")
    return [versions.VersionTag(name, version) for name, version in read if version]


def read_all(context: StepContext, mirror: GitMirror) -> list[tuple[str, str]]:
    """Return each tag of a repository that stands for a version, with that version."""
    read = [(name, _version(context, mirror, name)) for name in all_tags(mirror)]
    return [(name, version) for name, version in read if version]


def _version(context: StepContext, mirror: GitMirror, tag: str) -> str | None:
    return versions.from_tag(tag, names(context, mirror), pattern(context))


def names(context: StepContext, mirror: GitMirror) -> tuple[str, str]:
    """Return the names that a project has in its tags."""
    return context.component_name, project(mirror.url)


def remark(
    context: StepContext, history: CommitHistory, read: Sequence[versions.VersionTag], found: versions.SnapshotVersion
) -> str:
    """Return a remark on the tags that give no version or a wrong one, else "".

    They are named if no tag of the history gives one, and if releases may be among those after the tag counted from.
    So is a release on top of that tag with a lower version: the numbers began anew, and the old ones hide the new ones.
    With ``version.tag_pattern`` or ``version.next``, they are ignored on purpose.
    """
    count = len(history.tags)
    if not read and count:
        which = "1 tag, not read as a version" if count == 1 else f"{count} tags, none read as a version"
        return f"; {which}: set version.tag_pattern"
    settings, known = context.component.version, {tag.name: tag.version for tag in read}
    if settings.tag_pattern or settings.next:
        return ""
    counted = history.before(found.tag) if found.tag else {}
    later = [name for name in history.tags if history.tags[name] not in counted]
    unread = [
        name for name in later if name not in known and versions.may_be_release(name, names(context, history.mirror))
    ]
    lower = _on_top(history, found.tag, [name for name in later if known.get(name) not in {None, known.get(found.tag)}])
    texts = [
        f"; not read as versions: {first_of(unread)}: set version.tag_pattern" if unread else "",
        f"; lower versions after {found.tag}: {first_of(lower)}: set version.tag_pattern" if lower else "",
    ]
    return "".join(texts)


def _on_top(history: CommitHistory, tag: str, later: Iterable[str]) -> list[str]:
    """Return the newest of the tags whose commits descend from that of ``tag``, if any; a few are tried.

    A lower release that descends from the highest one began a new count (2013.1, then 1.0).  Releases of a branch for
    corrections do not descend from it.
    """
    if not tag:
        return []
    newest = sorted(later, key=lambda name: history.commits[history.tags[name]], reverse=True)
    tried = newest[: commit_selection.FEW]
    return [name for name in tried if history.mirror.is_ancestor(history.tags[tag], history.tags[name])][:1]


def project(url: str) -> str:
    """Return the name of a repository, from its URL."""
    return re.split(r"[/:]", url.rstrip("/").removesuffix(".git"))[-1]


def pattern(context: StepContext) -> re.Pattern[str] | None:
    """Return ``version.tag_pattern``.  Raises ConfigurationError when it is no pattern with one group."""
    text = context.component.version.tag_pattern
    if text is None:
        return None
    where = f"version.tag_pattern of {context.component_name}: {text}"
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise ConfigurationError(f"{where}: no regular expression: {error}") from None
    if compiled.groups != 1:
        raise ConfigurationError(f"{where}: has {compiled.groups} groups; needs one, the version", hint="v(.*)-final")
    return compiled


def following(context: StepContext) -> str | None:
    """Return ``version.next``.  Raises ConfigurationError when it is no upstream version."""
    version = context.component.version.next
    if version and not versions.UPSTREAM_VERSION.fullmatch(version):
        hint = "digits first, then letters, digits, . + ~; no epoch, no revision"
        raise ConfigurationError(f"version.next of {context.component_name}: {version} is no version", hint=hint)
    return version
