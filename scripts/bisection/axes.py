"""The lines of changes that are searched: upstream commits, then the lab's own changes, then the distribution's packages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Final

from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror, readable
from lab.config.description import Lab
from lab.store.archive import SOURCE_LOCK, ArchiveReader
from lab.store.bisections import BisectedChange, Bisection, BisectionAxis, ChangeKind
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.archives.content import differences
from scripts.bisection.points import grouped

FORMAT = "%H%x00%an%x00%ae%x00%s"
MOST_CHARACTERS: Final = 200
"""Of a subject and a name: for git, the subject of a commit without an empty line is the whole message."""
IN_PACKAGING = ("--", "debian", ":(exclude)debian/changelog")


def installed(runs: Sequence[Run]) -> dict[str, str]:
    """Return the versions in the chroot of a build, as its record has them."""
    records = (run.record("sbuild") for run in runs if run.info.phase == "build")
    return next((dict(record.facts.get("installed", {})) for record in records if record), {})


def resolved(lab: Lab, track: str, component: str, revision: str, log: IO[str]) -> str:
    """Return the full id of an upstream commit; upstream is asked only for an unknown one.  Raises ConfigurationError."""
    mirror = GitMirror.of(lab.component(component, track).upstream.git)
    found = mirror.resolve(revision)
    if found is None:
        mirror.fetch(log)
        found = mirror.resolve(revision)
    if found is None:
        raise ConfigurationError(f"{mirror.url}: no commit, tag or branch {revision}")
    return found


def upstream(  # noqa: PLR0913, PLR0917 - the ends of a range
    lab: Lab, track: str, component: str, good: str, bad: str, log: IO[str]
) -> BisectionAxis:
    """Return the states that the branch had after one commit, up to another: its first parents that have the commit.

    Raises ConfigurationError where the one is no ancestor of the other.
    """
    mirror = GitMirror.of(lab.component(component, track).upstream.git)
    good, bad = (resolved(lab, track, component, end, log) for end in (good, bad))
    if not mirror.is_ancestor(good, bad):
        raise ConfigurationError(f"{component}: {good[:12]} is no ancestor of {bad[:12]}")
    return BisectionAxis(kind="upstream", changes=tuple(_commits(mirror, "upstream commit", good, bad)))


def following(lab: Lab, found: Bisection, own: frozenset[str], log: IO[str]) -> BisectionAxis | None:
    """Return the axis to search after those of a bisection; None where nothing else has changed.

    ``own``: the binary packages of the lab.
    """
    kinds = {axis.kind for axis in found.axes}
    if kinds == {"upstream"} and (changes := [*_packaging(lab, found, log), *_components(lab, found)]):
        return BisectionAxis(kind="lab", changes=tuple(changes))
    if "distribution" in kinds:
        return None
    today = next((test.installed for test in found.tests if test.installed), {})
    packages = grouped(found.good.installed, today, own) if found.good.installed and today else []
    return BisectionAxis(kind="distribution", changes=tuple(packages)) if packages else None


def _packaging(lab: Lab, found: Bisection, log: IO[str]) -> Iterator[BisectedChange]:
    good, bad = found.good.packaging, found.bad.packaging
    if not (good and bad) or good == bad:
        return
    mirror = GitMirror.of(lab.component(found.component, found.track).packaging.git)
    mirror.fetch(log)
    if mirror.is_ancestor(good, bad):
        yield from _commits(mirror, "packaging commit", good, bad, *IN_PACKAGING)
    else:
        yield BisectedChange(kind="packaging commit", name=bad, before=good, after=bad, subject="rewritten branch")


def _components(lab: Lab, found: Bisection) -> Iterator[BisectedChange]:
    reader = ArchiveReader.at(Store.of(lab).archive)
    states = found.good.state, found.bad.state
    if not all(state and reader.has(state) for state in states):
        return
    before, after = (reader.lock(state, SOURCE_LOCK) for state in states)
    for change in differences(before, after):
        if change.source != found.component:
            yield BisectedChange(kind="component", name=change.source, before=change.before, after=change.after)


def _commits(mirror: GitMirror, kind: ChangeKind, good: str, bad: str, *paths: str) -> Iterator[BisectedChange]:
    before = good
    # A first parent can lack the good commit: that of a merge which was pushed onto the branch, or where the good one is
    # of a branch that was merged.
    after = {*mirror.git("rev-list", "--ancestry-path", f"{good}..{bad}").split()}
    lines = mirror.git("log", "--first-parent", "--reverse", f"--format={FORMAT}", f"{good}..{bad}", *paths)
    for line in filter(None, lines.split("\n")):  # a subject can have other line separators
        commit, author, email, subject = line.split("\0", 3)
        if commit not in after:
            continue
        yield BisectedChange(
            kind=kind, name=commit, before=before, after=commit, subject=readable(subject)[:MOST_CHARACTERS],
            author=readable(author)[:MOST_CHARACTERS], email=readable(email),
        )  # fmt: skip
        before = commit
