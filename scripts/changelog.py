"""changelog: add an entry with each upstream commit since the last one.

Commits ``debian/changelog`` in ``work/packaging``; the record's version is the Debian version.
Facts: ``since``, the upstream commit the list starts after ("" the first time); ``commits``, how many
are named; ``named``, these as id, subject and author; ``merges``, likewise the merges that can break something by themselves;
``unnamed``, how many others there are; ``entry``, its text; ``head``, the commit in
``work/packaging``; ``published``, the version that the series has ("": none, or it is not known, see the message).

The version must be above the packaging's own and above the one that the series has, unless ``version.replace_newer``
is set.

The last packaged commit is the one that the lab's newest entry in the packaging's changelog names (it is there when
the lab pushes back); else that of the last run of this track and component that reached the archive, or of the newest
version in the archive; else the commit of the distribution's version in the changelog: the one whose id stands in it, or the one with its tag.  When that commit is
newer than what the first two say, the distribution has packaged a release meanwhile, and it counts.

The entry leaves out merges and commits that only amend others (fixup!, squash!, amend!).  An author is named
where it is not the lab's maintainer, who signs the entry.  "Closes: #1" of an upstream subject is no
Debian bug and "LP: #1" is not fixed by an upload of ours: both are reworded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from lab.base import debian, files
from lab.base.debian import ChangelogEntry
from lab.base.errors import Failed
from lab.base.git import GitMirror, git, identity, readable, reset, try_git
from lab.store import step_command
from lab.store.records import Record, RunInfo
from lab.store.run_directory import Run
from lab.store.step import StepContext, StepOutcome
from scripts.archives import series_index
from scripts.archives.series_index import SeriesVersion
from scripts.upstream import debian_versions, packaged_version, tags
from scripts.upstream.debian_versions import build_number
from scripts.upstream.merges import changes_something
from scripts.upstream.tags import CommitHistory

NAME = "changelog"
CAP = 50
SUBJECT_LENGTH = 300
MARKER = re.compile(r"New upstream snapshot: commit\s+([0-9a-f]{64}|[0-9a-f]{40})\.")
AMENDING = ("fixup! ", "squash! ", "amend! ")
# A subject's own lines, where no blank line keeps them from the trailers; see git-interpret-trailers(1).
TRAILER = re.compile(r"[A-Za-z]+(-[A-Za-z]+)+: |\(cherry picked from ")
# What dpkg takes for a fixed bug, and lintian for a misspelt one; see deb-changelog(5).
CLOSES = re.compile(r"(closes?)(?::\s*(?=bug|#|\d)|[\s;]*(?=(?:bug)?#?\s?\d{6}))", re.IGNORECASE)
LAUNCHPAD = re.compile(r"(lp):(?=\s+#\d)", re.IGNORECASE)


@dataclass(frozen=True)
class UpstreamCommit:
    """An upstream commit; its texts are safe to show."""

    id: str
    author: str
    email: str
    subject: str


def subject_of(message: str) -> str:
    """Return the first paragraph of a commit message as one line, without trailers that stick to it."""
    first, *more = message.replace("\r\n", "\n").strip("\n").split("\n\n")[0].split("\n")
    subject = readable("\n".join([first, *(line for line in more if not TRAILER.match(line))])) or "(no subject)"
    return subject if len(subject) <= SUBJECT_LENGTH else subject[: SUBJECT_LENGTH - 3] + "..."


def escape_bug_closers(text: str) -> str:
    """Reword a text so that no program finds a bug in it that an upload closes."""
    return LAUNCHPAD.sub(r"\1", CLOSES.sub(r"\1 upstream ", text))


def commit_bullets(commits: Sequence[UpstreamCommit], maintainer: str) -> Iterator[str]:
    """Yield a line for each commit, the newest first, up to the cap; then the number of the others."""
    for commit in commits[:CAP]:
        author = "" if maintainer.endswith(f"<{commit.email}>") else f" [{commit.author or commit.email}]"
        yield escape_bug_closers(f"{commit.id[:7]} {commit.subject}{author}")
    if more := len(commits) - CAP if len(commits) > CAP else 0:
        yield f"... and {more} more commit{'s' if more > 1 else ''}."


def archived(context: StepContext, track: str | None, commit: str = "") -> Iterator[Run]:
    """Yield earlier runs of the component (at a commit) that reached the archive; of one track the newest first."""
    started = context.run.info.started
    for run in reversed(context.builds(track)):
        info = run.info
        if run.path != context.run.path and info.started <= started and commit in {"", info.commit}:
            record = run.record("archive")
            if record and record.verdict in {"passed", "unstable"}:  # not skipped: an older commit on purpose
                yield run


def debian_version(context: StepContext, snapshot: Record, epoch: str) -> str:
    """Return [EPOCH:]UPSTREAM-0qalab+RELEASE+B, with a B that nobody else has and that this run keeps.

    A native package has no revision: its version is UPSTREAM+0qalab+RELEASE+B.
    """
    upstream, release = snapshot.version, debian_versions.release(context.series.distribution, context.codename)
    own = [record.version for record in context.run.records() if record.step in {"source", "sbuild", "archive"}]
    number = build_number(upstream, release, own) - 1
    if not number:
        # All tracks share the pool.
        taken = [each.version for each in context.history.versions]
        built = [run.version for run in archived(context, None, snapshot.commit)]
        number = build_number(upstream, release, taken + built)
    mark = "+" if snapshot.facts["source_package"]["native"] else "-"
    return f"{epoch}{upstream}{mark}{debian_versions.revision(release, number)}"


def last_packaged(context: StepContext, mirror: GitMirror, changelog: str, top: ChangelogEntry) -> tuple[str, bool]:
    """Return the upstream commit that was packaged last, "" when none is known; whether it is the distribution's."""
    ours = debian_versions.made_by_a_lab(top.version)
    released = "" if ours else packaged_version.last_commit(context, mirror, changelog)
    pushed = MARKER.search(changelog)
    in_archive = (each.commit for each in context.history.of_track(context.track_name) if each.commit)
    runs = (run.info.commit for run in archived(context, context.track_name))
    known = chain([pushed[1]] if pushed else [], runs, in_archive)
    since = next((commit for name in known if (commit := mirror.resolve(name))), "")
    if released and (not since or mirror.is_ancestor(since, released)):
        return released, True
    return since or (pushed[1] if pushed else ""), False


def cause_bullet(info: RunInfo) -> list[str]:
    """Return a line with the cause of a build that has details: a rebuild says why."""
    return [escape_bug_closers(f"Built because of: {info.cause}: {info.reason}.")] if info.reason else []


def commits_between(mirror: GitMirror, since: str, commit: str, which: str = "--no-merges") -> list[UpstreamCommit]:
    """Return the commits of ``since..commit`` without merges, or the merges (``--merges``), the newest first."""
    text = mirror.git(
        "log", which, "--date-order", "-z", "--encoding=UTF-8", "--format=%H%x00%an%x00%ae%x00%B",
        f"{since}..{commit}",
    )  # fmt: skip
    fields = text.split("\0")
    rows = zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    commits = [
        UpstreamCommit(name, readable(author), readable(email), subject_of(body)) for name, author, email, body in rows
    ]
    # git ends the walk by date: with commits dated before their parents it may list what since has already.
    before = tags.reachable(mirror, since) if commits else {}
    return [one for one in commits if one.id not in before]


def worth_naming(commits: Sequence[UpstreamCommit]) -> list[UpstreamCommit]:
    """Return the commits that do not only amend others."""
    return [one for one in commits if not one.subject.startswith(AMENDING)]


def what_changed(mirror: GitMirror, since: str, commit: str, *, tagged: bool) -> tuple[str, list[UpstreamCommit]]:
    """Return a remark ("" for none), and the new commits without merges."""
    if not since:
        return "", []
    if since == commit:
        return "No upstream change; rebuilt.", []
    if mirror.is_ancestor(commit, since):
        return f"An older upstream commit than {since[:7]}, which was packaged last.", []
    base = try_git(["merge-base", since, commit], cwd=mirror.path).stdout.strip()
    if not base:
        return f"The upstream history was replaced; {since[:7]}, packaged last, is not in it.", []
    commits = commits_between(mirror, base, commit)
    if base != since and not tagged:
        return (
            f"The upstream history was rewritten after {base[:7]}; {since[:7]}, packaged last, is not in it.",
            commits,
        )
    return "" if worth_naming(commits) else f"Nothing but merges since {since[:7]}.", commits


def merges_between(
    context: StepContext, mirror: GitMirror, since: str, commit: str
) -> tuple[list[UpstreamCommit], int]:
    """Return the newest merges since the last packaged commit that change something by themselves; how many are older.

    Of a change under review, the lab's own merge is not among them.
    """
    base = try_git(["merge-base", since, commit], cwd=mirror.path).stdout.strip() if since else ""
    merges = commits_between(mirror, base, commit, "--merges") if base else []
    if context.run.info.proposal:
        merges = [one for one in merges if one.id != commit]
    return [one for one in merges[:CAP] if changes_something(mirror, one.id)], len(merges[CAP:])


def facts_of(commits: Sequence[UpstreamCommit]) -> list[dict[str, str]]:
    return [
        {"id": commit.id, "subject": commit.subject, "author": f"{commit.author} <{commit.email}>"}
        for commit in commits
    ]


def upstream_mirror(context: StepContext, commit: str) -> GitMirror:
    """Return the mirror that the snapshot was made from; fetch it again only when it was lost meanwhile."""
    mirror = GitMirror.of(context.component.upstream.git)
    if not mirror.path.exists() or not mirror.resolve(commit):
        revision = context.run.info.revision
        mirror.fetch(context.log, *([revision] if revision.startswith("refs/") else []))
    return mirror


def read_changelog(context: StepContext, path: Path) -> tuple[str, ChangelogEntry]:
    """Return the packaging's changelog and its newest entry.  Raises Failed when it is not the component's."""
    if not path.is_file():
        raise Failed("debian/changelog: is not there; the packaging branch needs one")
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    try:
        top = debian.newest_entry(text)
    except ValueError as error:
        raise Failed(f"debian/changelog: {readable(str(error))}") from None
    if top.package != context.component_name:
        raise Failed(f"debian/changelog: is of the source package {top.package}, not {context.component_name}")
    return text, top


def published_version(context: StepContext) -> SeriesVersion:
    """Return the version that the series has; nobody's where the lab's package replaces it whatever it is."""
    if context.component.version.replace_newer:
        return SeriesVersion("")
    return series_index.newest_version(context.series_name, context.series, context.component_name, context.log)


def action(context: StepContext) -> StepOutcome:
    snapshot = context.earlier("snapshot")
    tree = context.run.work / "packaging"
    reset(tree, context.earlier("packaging").facts["merged"])
    path = tree / "debian/changelog"
    text, top = read_changelog(context, path)
    mirror = upstream_mirror(context, snapshot.commit)
    since, tagged = last_packaged(context, mirror, text, top)
    remark, new = what_changed(mirror, since, snapshot.commit, tagged=tagged)
    commits = worth_naming(new)

    maintainer, committed = context.lab.lab.maintainer, int(snapshot.facts["committed"])
    version = debian_version(context, snapshot, f"{top.epoch}:" if top.epoch else "")
    published = SeriesVersion("")
    if snapshot.facts.get("rises", True):  # an older commit on purpose reaches no archive
        history, published = CommitHistory(mirror, snapshot.commit), published_version(context)
        packaged_version.check(context, history, version, packaged_version.newest_released(text), published.version)
    bullets = [
        f"Local package of the lab {context.lab.lab.name}.",  # else lintian takes it for a non-maintainer upload
        f"New upstream snapshot: commit {snapshot.commit}.",
        *([remark] if remark else []),
        *cause_bullet(context.run.info),
        *commit_bullets(commits, maintainer),
    ]
    entry = debian.entry_above(top, version, context.codename, bullets=bullets, maintainer=maintainer, date=committed)
    files.write_atomic(path, (entry + text).encode("utf-8", "surrogateescape"))
    git(
        ["commit", "--quiet", "--message", f"Update the changelog for {version}", "debian/changelog"],
        cwd=tree, env=identity(maintainer, committed), log=context.log,
    )  # fmt: skip
    context.say(entry)

    named = facts_of(commits[:CAP])
    merges, older = merges_between(context, mirror, since, snapshot.commit)
    head = git(["rev-parse", "HEAD"], cwd=tree)
    facts = {
        "published": published.version,
        "since": since,
        "commits": len(named),
        "named": named,
        "merges": facts_of(merges),
        "unnamed": len(new) - len(named) + older,
        "entry": entry,
        "head": head,
    }
    message = f"{version}; commits named: {len(named)}"
    if debian.compare(version, "le", top.version):
        message += f"; not above the changelog's {top.version}"
    message += f"; {published.doubt}" if published.doubt else ""
    return StepOutcome(message, version=version, facts=facts)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
