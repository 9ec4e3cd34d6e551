"""archive: add the packages to the lab's archive.

Source and binary packages go there; apt and sbuild read it.  Packages are held back, and the step is skipped, when
a step of ``build.gate`` is unstable: then there is no upload, no push and no next phase either, and the exit code is 4.

Each change makes a new state of the archive, which the label of the track then names (see `lab.store.archive`); run.json
names it too.  All suites are signed with the lab's key, whose public half is ``archive-key.asc``.  Old versions leave
the indices as ``archive.keep`` and ``archive.keep_days`` say (see `lab.config.archive_settings`).  When there are
enough old states, they are removed, and the pool files that only they have (see `scripts.archives.retention`).

``results/parameters.properties`` hands the archive's state over to the next job (in Jenkins: its
parameters): COMPONENT, COMMIT, VERSION, ARCHIVE, the name of the state, and CAUSE.

The packages of a change under review go into a state of their own, which no label names.

Facts: ``codename`` (the track), ``path`` (the archive's root), ``added`` (False: it had all of it already),
``archive`` (as ARCHIVE).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from debian.deb822 import Changes, Deb822
from debian.debian_support import Version

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError, Verdict
from lab.store import step_command
from lab.store.archive import State
from lab.store.archive_place import is_apart
from lab.store.records import Artifact, rfc3339
from lab.store.run_directory import HANDED_OVER
from lab.store.step import EXIT_CODES, StepContext, StepOutcome
from scripts.archives import lab_archive, labels, retention, stanzas, versions
from scripts.archives.content import SOURCES, Content
from scripts.archives.lab_archive import LabArchive
from scripts.archives.stanzas import Stanza
from scripts.archives.versions import PoolVersion
from scripts.reviews import states

NAME = "archive"


def pool_name(artifact: Artifact) -> str:
    """Return the name of a file in the pool: Ubuntu's debug packages are .deb files by another name."""
    return Path(artifact.path).name.replace(".ddeb", ".deb")


def holds(content: Content, record: PoolVersion | None, packages: Sequence[Artifact]) -> bool:
    """Return whether a version is listed with all these files, their content the same.

    A version that was taken out of the indices still has a record: its files are in the pool, listed by none.
    """
    if record is None or record.withdrawn:
        return False
    listed = content.files(record.source, record.version)
    there = {
        Path(path).name: digest
        for path, digest in record.files.items()
        if path in listed or str(Path(path).parent) in listed
    }
    return all(there.get(pool_name(item)) == item.sha256 for item in packages)


def read_packages(context: StepContext, packages: Sequence[Artifact], changes: Path) -> list[Stanza]:
    """Return the stanzas of built packages.  Raises Failed for a package without section or priority."""
    home = versions.directory(context.component_name)
    with changes.open("rb") as stream:
        listed = {row["name"]: row for row in Changes(stream)["Files"]}
    found = []
    for item in packages:
        path = context.run.path / item.path
        if path.suffix == ".dsc":
            row = listed[path.name]
            found.append(stanzas.of_source(path, home, row["section"], row["priority"]))
        elif item.kind == "binary":
            found.append(stanzas.of_binary(path, f"{home}/{pool_name(item)}"))
    return found


def expired(archive: LabArchive, track: str, source: str) -> list[PoolVersion]:
    """Return the versions of a source package that leave the indices."""
    settings, known = archive.lab.archive, versions.of_source(archive.root, track, source)
    now = environment.now()
    ages = {
        (each.source, each.version): (now - datetime.fromisoformat(each.added)) / timedelta(days=1) for each in known
    }
    late = versions.expired(ages, settings.keep, settings.keep_days)
    return [each for each in known if (each.source, each.version) in late]


def publish(
    context: StepContext, archive: LabArchive, content: Content, packages: Sequence[Artifact], changes: Path
) -> str:
    """Add a version and remove those past their time from the indices; return what was done."""
    track, source = context.track_name, context.component_name
    content = with_packages(context, archive, content, packages, changes)
    gone = [each for each in expired(archive, track, source) if content.files(each.source, each.version)]
    for each in gone:
        content = content.without(each.source, each.version)
    archive.commit(track, content, f"add {source} {context.earlier('source').version}")
    removed = ", ".join(f"{each.source} {each.version}" for each in gone)
    return f"added; removed {removed}" if removed else "added"


def held_back(context: StepContext) -> str:
    """Return why the gate holds the packages back; an empty text when they may go into the archive.

    Raises ConfigurationError when a check was of other packages: a step before it was repeated alone.
    """
    checks = {name: context.earlier(name) for name in context.run.steps if name in context.component.build.gate}
    for name, record in checks.items():
        if record.facts.get("packages", context.packages) != context.packages:
            hint = f"qalab run --run {context.run.id} --from {name}"
            raise ConfigurationError(f"{name} has checked other packages than these", hint=hint)
    for name, record in checks.items():
        if record.verdict == "unstable":
            return f"held back: {name} is unstable: {record.message}"
    return ""


def action(context: StepContext) -> StepOutcome:
    nothing = context.earlier("sbuild").verdict == "skipped"
    if reason := "nothing was built" if nothing else held_back(context):
        # The next phase has no input.
        (context.run.results / HANDED_OVER).unlink(missing_ok=True)
        code = None if nothing else EXIT_CODES["unstable"]
        facts = {"codename": context.track_name, "added": False}
        return StepOutcome(reason, verdict="skipped", facts=facts, exit_code=code)
    source, built = context.earlier("source"), context.earlier("sbuild")
    name, version, track = context.component_name, source.version, context.track_name
    changes = next(context.run.path / item.path for item in source.artifacts if item.kind == "changes")
    packages = [item for item in (*source.artifacts, *built.artifacts) if item.kind in {"source", "binary"}]
    facts = {"codename": track, "path": str(context.store.archive), "added": False}
    with lab_archive.opened(context.lab, context.log) as archive:
        if context.track.trigger == "review":
            state = throw_away(context, archive, packages, changes)
            message = f"only the state {state.name} has it"
            return handed_over(
                context, StepOutcome(message, version=version, facts=facts | {"added": True}), state.name
            )
        content = archive.content(track)
        present = [each for each in versions.of_source(archive.root, track, name) if not each.withdrawn]
        newest = present[-1].version if present else version
        record = next((each for each in present if each.version == version), None)
        verdict: Verdict = "passed"
        if Version(newest) > Version(version):
            message, verdict = f"{track} has {name} {newest} and keeps it", "skipped"
        elif holds(content, record, packages):
            message = f"{track} has it already"
        else:
            message = publish(context, archive, content, packages, changes)
            facts["added"] = True
            if len(retention.removable(archive)) >= retention.BATCH:
                retention.collect(archive)
        name_of_state = archive.reader.existing(track).name
        return handed_over(context, StepOutcome(message, version=version, verdict=verdict, facts=facts), name_of_state)


def handed_over(context: StepContext, outcome: StepOutcome, state: str) -> StepOutcome:
    """Note the state that has the packages, and hand it over to the next phase."""
    context.run.write_info(context.run.info.model_copy(update={"archive": state}))
    context.run.hand_over(outcome.version, state)
    return replace(outcome, facts={**outcome.facts, "archive": state})


def throw_away(context: StepContext, archive: LabArchive, packages: Sequence[Artifact], changes: Path) -> State:
    """Make the state of a change under review: its packages on top of those that it was built with.

    No label names it, so that no other build sees the packages; it is removed after ``archive.states.keep_days``.
    """
    track, info = context.track_name, context.run.info
    assert info.proposal  # noqa: S101 - the caller has asked
    check_base(context, archive)
    base = Content.read(archive.reader, info.onto, context.series.architectures)
    for (source, version), stanzas_of_base in base.by_version().items():  # else a removal takes their files away
        if not versions.record_path(archive.root, track, source, version).exists():
            archive.record(track, PoolVersion.of(stanzas_of_base, added=rfc3339(environment.now())))
    content = with_packages(context, archive, base, packages, changes)
    return archive.candidate(track, track, content, states.why(info.proposal, context.component_name))


def check_base(context: StepContext, archive: LabArchive) -> None:
    """Raise InfrastructureError unless the state below a change is one of its track, or of what the track is onto.

    The machine that has built the change says which one it is.
    """
    onto, label, track = context.run.info.onto, context.track.onto, context.track_name
    if not onto and not label:
        return
    state = archive.reader.state(onto) if onto else None
    tracks = {track, labels.of_lab(context.lab).get(label or "", label)}
    if state is None or state.name != onto or state.track not in tracks:
        wanted = f"{track} or {label}" if label else track
        raise InfrastructureError(f"run.json: onto: {onto!r} is no state of {wanted}")


def check_names(context: StepContext, content: Content, added: Sequence[Stanza]) -> None:
    """Raise InfrastructureError for a package that the newest source package of another component lists.

    The machine that has built it runs the code of others, which would replace a package of each component.  A package
    moves to another component once the first one was built without it.
    """
    others = {*context.lab.components_of(context.track_name)} - {context.component_name}
    sources = content.indices.get(SOURCES)
    for stanza in added if sources else ():
        for index in content.indices.values():
            there = index.get(stanza.package)
            if stanza.kind == "source" or not there or there.source not in others:
                continue
            source = sources.get(there.source) if sources else None
            if source and stanza.package in re.split(r"[,\s]+", Deb822(source.text).get("Binary", "")):
                message = f"{stanza.package} is a package of the component {there.source} {source.version}"
                hint = f"build {there.source} without it first"
                raise InfrastructureError(message, hint=hint)


def with_packages(
    context: StepContext, archive: LabArchive, content: Content, packages: Sequence[Artifact], changes: Path
) -> Content:
    """Put packages into the pool; return the content with them."""
    track, root = context.track_name, archive.root
    added = read_packages(context, packages, changes)
    if is_apart(context.lab):
        check_names(context, content, added)
    new = PoolVersion.of(added, added=rfc3339(environment.now()), commit=context.run.info.commit)
    for record in versions.of_source(root, track, new.source):
        if record.version == new.version:
            new = record.joined(new)
    given = {pool_name(item): context.run.path / item.path for item in packages}
    given |= {path.name: path for path in context.run.out.iterdir() if path.name not in given and path.is_file()}
    versions.add_files(root, given, new.files, new.source)
    archive.record(track, new)
    return content.with_version(added)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
