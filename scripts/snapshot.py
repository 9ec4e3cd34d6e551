"""snapshot: make the orig tarball of an upstream commit, and its version.

Leaves the record's commit (also in run.json: a resumed run stays on it) and version, an artifact ``orig`` for each orig
tarball (the main one first; for a native package, upstream's files), and as facts ``source_package`` (its format and
orig tarballs by the packaging, see `scripts.upstream.source_shape`), ``committed`` (the commit's committer date, Unix time), ``tag`` (the tag counted from, or empty: all of history),
``count`` (the commits since), ``previous`` (the commit of the last run that passed, or empty), ``rises`` (False when
an older commit than the last one is tested on purpose, and for a working tree) and ``rewritten`` (the last one is no
longer on the branch).

Of a working tree (`qalab build`), the commit is one that has all its files; the version is that of the commit that the
tree stands on, with ``+localN`` for the Nth build.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from debian.debian_support import Version

from lab.base.debian import compare
from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror
from lab.base.text import plural
from lab.store import step_command
from lab.store.records import Record, WorkingTree
from lab.store.run_directory import Run
from lab.store.step import StepContext, StepOutcome
from scripts.archives.content import SOURCES
from scripts.archives.stanzas import split
from scripts.reviews import merging
from scripts.upstream import commit_selection, orig_tarball, packaging_branch, tags, upstream_tree, versions

NAME = "snapshot"


@dataclass(frozen=True)
class Last:
    """The commit tested last; its id is short where only the archive knows of it, and upstream no longer."""

    commit: str
    version: str


@dataclass(frozen=True)
class CommitPosition:
    """The relation of a commit to the last one: older, with replaced history, or neither."""

    older: bool = False
    rewritten: bool = False


def action(context: StepContext) -> StepOutcome:
    upstream = context.component.upstream
    branch = upstream.branch or context.track.branch
    mirror = GitMirror.of(upstream.git)
    commit = merged(context, mirror) or commit_selection.find(context, mirror, branch)
    context.run.write_info(context.run.info.model_copy(update={"commit": commit}))
    packaging = packaging_branch.find(context.lab, context.track_name, context.component_name, context.log, commit)
    local = context.run.info.working_tree
    history = tags.CommitHistory(mirror, local.commit if local and "upstream" in local.parts else commit)
    read = tags.usable(context, history)
    plain = history.version(read, tags.following(context))
    earlier, published = ([], []) if local else (earlier_runs(context), archived(context))
    last = None if local else last_one(context, mirror, [record for _, record in earlier], published)
    place = stand(context, mirror, branch, commit, last)
    version = plain.version
    if local:
        version = versions.local(version, context.run.info.number)
    elif context.run.info.proposal:
        version = versions.reviewed(version, context.run.info.number)
    elif not place.older:
        floors = [*published, *([last.version] if last else [])]
        version = above(version, floors, commit, context.component_name)
    committed = history.commits[history.commit]
    made = orig_tarball.make(context, upstream_tree.Origin(mirror, commit, committed), version, packaging)
    text = (
        describe_tree(plain, local)
        if local
        else message(
            plain, plain.version if context.run.info.proposal else version, place, last.commit if last else "", branch
        )
    )
    remarks = [text + tags.remark(context, history, read, plain)]
    return StepOutcome(
        message="; ".join([*remarks, *made.remarks]),
        version=made.version,
        commit=commit,
        artifacts=[(tarball, "orig") for tarball in made.tarballs],
        facts={
            "committed": committed,
            "source_package": made.shape.fact(),
            "tag": plain.tag,
            "count": plain.count,
            "previous": next((record.commit for run, record in earlier if run.verdict in {"passed", "unstable"}), ""),
            "rises": not (place.older or local),
            "rewritten": place.rewritten,
        },
    )


def merged(context: StepContext, mirror: GitMirror) -> str:
    """Merge the proposal of a run, and note its base and the state to build it with; return the commit, "" for none."""
    info, label = context.run.info, context.track.onto
    if info.proposal is None:
        return ""
    onto = info.onto or (context.archive.existing(label).name if label else "")
    context.run.write_info(info.model_copy(update={"onto": onto}))
    found = merging.of_run(context, mirror, info.proposal)
    context.run.write_info(context.run.info.model_copy(update={"base": found.base}))
    context.say(f"{info.proposal} is merged onto {info.proposal.branch} at {found.base}: {found.commit}")
    return found.commit


def message(plain: versions.SnapshotVersion, version: str, place: CommitPosition, last: str, branch: str) -> str:
    """Return the record's message for a snapshot."""
    text = f"commit {plain.count} after the tag {plain.tag}" if plain.tag else f"commit {plain.count} of all history"
    if place.older:
        text += f"; older than the last one tested, {last[:7]}: the archive keeps the newer"
    if place.rewritten:
        text += f"; {branch} was rewritten: the last one tested, {last[:7]}, is no longer on it"
    if version != plain.version:
        text += f"; by itself it would be {plain.version}, which does not rise"
    return text


def describe_tree(plain: versions.SnapshotVersion, tree: WorkingTree) -> str:
    """Return the record's message for the snapshot of a working tree."""
    changes = plural(tree.changed, "changed file") if tree.dirty else "no changes"
    after = f"commit {plain.count} after the tag {plain.tag}" if plain.tag else f"commit {plain.count} of all history"
    return f"the working tree {tree.directory} ({' and '.join(tree.parts)}) at {tree.commit[:7]}, {changes}; {after}"


def earlier_runs(context: StepContext) -> list[tuple[Run, Record]]:
    """Return the runs of the track and component whose snapshot rose, newest first (this run is not done yet)."""
    found = [(run, run.record(NAME)) for run in reversed(context.builds(context.track_name))]
    return [(run, done) for run, done in found if done and done.finished_well and done.facts.get("rises")]


def last_one(
    context: StepContext, mirror: GitMirror, earlier: Sequence[Record], published: Iterable[str]
) -> Last | None:
    """Return what was tested last: by the runs of this machine, else by the newest version in the archive."""
    if earlier:
        return Last(earlier[0].commit, versions.without_suffix(earlier[0].version))
    for newest in context.history.of_track(context.track_name):
        if newest.commit:
            return Last(newest.commit, versions.without_suffix(str(Version(newest.version).upstream_version)))
    snapshots = [(version, short) for version in published if (short := versions.commit_of(version))]
    if not snapshots:
        return None
    version, short = max(snapshots, key=lambda found: Version(found[0]))
    return Last(mirror.resolve(short) or short, version)


def stand(context: StepContext, mirror: GitMirror, branch: str, commit: str, last: Last | None) -> CommitPosition:
    """Return the relation of a commit to the last one tested."""
    if last is None or last.commit == commit:
        return CommitPosition()
    # Changes under review are independent: none replaces another.
    if context.track.trigger != "review" and not commit_selection.on_branch(mirror, last.commit, branch):
        return CommitPosition(rewritten=True)
    return CommitPosition(older=mirror.is_ancestor(commit, last.commit))


def archived(context: StepContext) -> list[str]:
    """Return the upstream version of the component that the lab's archive has for the track; none without one."""
    index = context.archive.index(context.track_name, SOURCES)
    listed = [each.version for each in split("source", index) if each.package == context.component_name]
    return [versions.without_suffix(str(Version(version).upstream_version)) for version in listed]


def above(version: str, floors: Iterable[str], commit: str, component: str) -> str:
    """``version``, or where it is below one of ``floors`` the next one above that: history was rewritten, say.

    Raises ConfigurationError when that is nothing a snapshot can be called.
    """
    for floor in floors:
        if compare(version, "ge", floor):
            continue
        risen = versions.successor(floor, commit)
        if risen is None:
            following = versions.release_after(floor)
            key = f"components.{component}.version.next: {following}"
            hint = f"set {key}, or take {floor} out with qalab archive withdraw"
            raise ConfigurationError(f"{component} {version} does not rise above {floor}, which is there", hint=hint)
        version = risen
    return version


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
