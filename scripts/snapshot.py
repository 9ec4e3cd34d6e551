"""snapshot: make the orig tarball of an upstream commit, and its version.

Leaves the record's commit (also in run.json: a resumed run stays on it) and version, the artifact ``orig``, and as
facts ``committed`` (the commit's committer date, Unix time), ``tag`` (the tag counted from, or empty: all of history),
``count`` (the commits since), ``previous`` (the commit of the last run that passed, or empty), ``rises`` (False when
an older commit than the last one is tested on purpose) and ``rewritten`` (the last one is no longer on the branch).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from debian.debian_support import Version

from lab.base import files
from lab.base.debian import compare
from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror
from lab.base.run import Word
from lab.store import step_command
from lab.store.records import Record
from lab.store.run_directory import Run
from lab.store.step import StepContext, StepOutcome
from scripts.upstream import commit_selection, orig_tarball, versions

NAME = "snapshot"


@dataclass(frozen=True)
class Last:
    """The commit tested last; its id is short where only the archive knows of it, and upstream no longer."""

    commit: str
    version: str


@dataclass(frozen=True)
class CommitPosition:
    """Where a commit stands to the last one: it is older, or the last one's history was replaced, or neither."""

    older: bool = False
    rewritten: bool = False


def action(context: StepContext) -> StepOutcome:
    upstream = context.component.upstream
    branch = upstream.branch or context.track.branch
    mirror = GitMirror.of(upstream.git)
    commit = commit_selection.find(context, mirror, branch)
    context.run.write_info(context.run.info.model_copy(update={"commit": commit}))
    plain = measure(mirror, commit, usable_tags(context, mirror, commit), following(context))
    earlier, there = earlier_runs(context), archived(context)
    last = last_one(mirror, [record for _, record in earlier], there)
    place = stand(context, mirror, branch, commit, last)
    version = plain.version
    if not place.older:
        floors = [*there, *([last.version] if last else [])]
        version = above(version, floors, commit, context.component_name)
    committed = int(mirror.git("log", "-1", "--format=%ct", commit))
    tarball = orig_tarball.make(context, mirror, commit, version, committed)
    return StepOutcome(
        message=message(plain, version, place, last.commit if last else "", branch),
        version=version,
        commit=commit,
        artifacts=[(tarball, "orig")],
        facts={
            "committed": committed,
            "tag": plain.tag,
            "count": plain.count,
            "previous": next((record.commit for run, record in earlier if run.verdict in {"passed", "unstable"}), ""),
            "rises": not place.older,
            "rewritten": place.rewritten,
        },
    )


def message(plain: versions.SnapshotVersion, version: str, place: CommitPosition, last: str, branch: str) -> str:
    """What the record says of a snapshot."""
    text = f"commit {plain.count} after the tag {plain.tag}" if plain.tag else f"commit {plain.count} of all history"
    if place.older:
        text += f"; older than the last one tested, {last[:7]}: the archive keeps the newer"
    if place.rewritten:
        text += f"; {branch} was rewritten: the last one tested, {last[:7]}, is no longer on it"
    if version != plain.version:
        text += f"; by itself it would be {plain.version}, which does not rise"
    return text


def usable_tags(context: StepContext, mirror: GitMirror, commit: str) -> list[versions.VersionTag]:
    """The tags merged into a commit that stand for a version."""
    names, known_as, how = merged_tags(mirror, commit), (context.component_name, project(mirror.url)), pattern(context)
    read = [(name, versions.from_tag(name, known_as, how)) for name in names]
    if left := [name for name, version in read if not version]:
        context.say(
            f"tags that are taken for no versions (version.tag_pattern could read them): {commit_selection.abbreviated(left)}"
        )
    return [versions.VersionTag(name, version) for name, version in read if version]


def merged_tags(mirror: GitMirror, commit: str) -> list[str]:
    return mirror.git("for-each-ref", f"--merged={commit}", "--format=%(refname:lstrip=2)", "refs/tags").splitlines()


def measure(
    mirror: GitMirror, commit: str, tags: Iterable[versions.VersionTag], following: str | None
) -> versions.SnapshotVersion:
    """A commit's version by its history alone."""
    start = versions.base(tags, following)
    counted = [stretch(mirror, commit, tag.name) for tag in start.tags] or [stretch(mirror, commit, "")]
    return versions.snapshot(start, counted, commit)


def project(url: str) -> str:
    """What a repository is called, by its URL."""
    return re.split(r"[/:]", url.rstrip("/").removesuffix(".git"))[-1]


def following(context: StepContext) -> str | None:
    """version.next of lab.yaml.  Raises ConfigurationError when it is no upstream version."""
    version = context.component.version.next
    if version and not versions.UPSTREAM_VERSION.fullmatch(version):
        hint = "digits first, then letters, digits, . + ~; no epoch, no revision"
        raise ConfigurationError(f"version.next of {context.component_name}: {version} is no version", hint=hint)
    return version


def pattern(context: StepContext) -> re.Pattern[str] | None:
    """version.tag_pattern of lab.yaml.  Raises ConfigurationError when it is no pattern with one group."""
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


def stretch(mirror: GitMirror, commit: str, tag: str) -> versions.CommitRange:
    """The commits behind a tag, or all of them."""
    ref = f"refs/tags/{tag}"
    stamps = mirror.git("log", "--format=%ct", commit, *([f"^{ref}"] if tag else [])).split()
    at_tag = [mirror.git("log", "-1", "--format=%ct", ref)] if tag else []
    return versions.CommitRange(tag, len(stamps), max(int(stamp) for stamp in [*stamps, *at_tag]))


def earlier_runs(context: StepContext) -> list[tuple[Run, Record]]:
    """The runs of this track and component whose snapshot rose, newest first (our own is not done yet)."""
    runs = context.store.runs(context.track_name, context.component_name, "build")
    found = [(run, run.record(NAME)) for run in reversed(runs)]
    return [(run, done) for run, done in found if done and done.finished_well and done.facts.get("rises")]


def last_one(mirror: GitMirror, earlier: Sequence[Record], there: Iterable[str]) -> Last | None:
    """What was tested last: by the runs, else (in Jenkins' workspaces there are none) by the archive's newest version."""
    if earlier:
        return Last(earlier[0].commit, earlier[0].version)
    snapshots = [(version, short) for version in there if (short := versions.commit_of(version))]
    if not snapshots:
        return None
    version, short = max(snapshots, key=lambda found: Version(found[0]))
    return Last(mirror.resolve(short) or short, version)


def stand(context: StepContext, mirror: GitMirror, branch: str, commit: str, last: Last | None) -> CommitPosition:
    """How a commit stands to the last one tested."""
    if last is None or last.commit == commit:
        return CommitPosition()
    # Changes under review stand side by side: none replaces another.
    if context.track.trigger != "gerrit" and not commit_selection.on_branch(mirror, last.commit, branch):
        return CommitPosition(rewritten=True)
    return CommitPosition(older=mirror.is_ancestor(commit, last.commit))


def archived(context: StepContext) -> list[str]:
    """The upstream versions of the component that the lab's archive has for the track."""
    archive, track = context.store.archive, context.track_name
    distributions = archive / "conf/distributions"
    if not (archive / "db").is_dir() or f"Codename: {track}" not in distributions.read_text().splitlines():
        return []
    options: list[Word] = ["--basedir", archive, "--type", "dsc", "--list-format", "${version}\\n"]
    with files.locked(context.store.lock_path("archive"), shared=True):
        listing = context.sh(["reprepro", *options, "list", track, context.component_name], capture=True).stdout
    return [str(Version(version).upstream_version) for version in listing.split()]


def above(version: str, floors: Iterable[str], commit: str, component: str) -> str:
    """``version``, or where it is below one of ``floors`` the next one above that: history was rewritten, say.

    Raises ConfigurationError when that is nothing a snapshot can be called.
    """
    for floor in floors:
        if compare(version, "ge", floor):
            continue
        risen = versions.successor(floor, commit)
        if risen is None:
            hint = f"name a higher release in components.{component}.version.next, or take {floor} out of the archive"
            raise ConfigurationError(f"{component} {version} does not rise above {floor}, which is there", hint=hint)
        version = risen
    return version


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
