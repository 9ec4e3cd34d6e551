"""archive: add the packages to the lab's archive.

Source and binary packages go there; apt and sbuild read it.  Packages are held back, and the step is skipped, when
a step of ``build.gate`` is unstable: then there is no upload, no push and no next phase either, and the exit code is 4.

The archive is reprepro's, in the store: one codename per track, signed with the lab's key, whose
public half is ``archive-key.asc`` (see `scripts.archives.reprepro`).  Old versions are deleted from the pool as
``archive.keep`` and ``archive.keep_days`` say (see `lab.config.description.ArchiveSettings`); the age of a version is
that of its youngest pool file.

``results/parameters.properties`` hands the archive's state over to the next job (in Jenkins: its
parameters): COMPONENT, COMMIT, VERSION, ARCHIVE, the SHA-256 of the codename's InRelease, and CAUSE.

Facts: ``codename``, ``path`` (the archive's root), ``added`` (False: it had all of it already),
``archive`` (as ARCHIVE).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from debian.debian_support import Version

from lab.base import environment, files
from lab.base.errors import Verdict
from lab.store import step_command
from lab.store.records import Artifact
from lab.store.run_directory import HANDED_OVER
from lab.store.signing import lab_key
from lab.store.step import EXIT_CODES, StepContext, StepOutcome
from scripts.archives.reprepro import Archive, Tracked

NAME = "archive"
DAY_SECONDS = 86_400


def expired(ages: Mapping[Tracked, float], keep: int, keep_days: int) -> list[Tracked]:
    """Return the versions to remove, of all with their ages in seconds; the newest of a source package always stays."""
    ordered = sorted(ages, key=lambda item: (item.source, Version(item.version)), reverse=True)
    return [
        item
        for _, group in groupby(ordered, key=lambda item: item.source)
        for rank, item in enumerate(group)
        if rank and (rank >= keep or ages[item] > keep_days * DAY_SECONDS)
    ]


def holds(archive: Archive, version: Tracked, present: Iterable[Tracked], packages: Iterable[Artifact]) -> bool:
    """Return whether a version is listed with all these files, their content the same.

    A version that was taken out of the indices may still be tracked: its files are in the pool, listed by none.
    """
    files_of = (item.files.items() for item in present if item == version)
    there = {Path(path).name: archive.root / path for each in files_of for path, listed in each if listed}
    wanted = {Path(item.path).name.replace(".ddeb", ".deb"): item.sha256 for item in packages}
    return all(name in there and files.sha256(there[name]) == digest for name, digest in wanted.items())


def age(archive: Archive, version: Tracked) -> float:
    """Return the seconds since the last file of a version was added; 0 for a version that is not there yet."""
    times = [path.stat().st_mtime for name in version.files if (path := archive.root / name).exists()]
    return environment.now().timestamp() - max(times) if times else 0.0


def publish(archive: Archive, present: Sequence[Tracked], new: Tracked, changes: Path, binaries: Sequence[Path]) -> str:
    """Add a version and remove those past their time; return what was done."""
    settings = archive.lab.archive
    ages = {item: age(archive, item) for item in (*present, new)}
    old = expired(ages, settings.keep, settings.keep_days)
    with archive.change():
        archive.add(changes, binaries)
        for item in old:
            archive.remove(item)
        archive.export()
    archive.sweep()
    removed = ", ".join(f"{item.source} {item.version}" for item in old)
    return f"added; removed {removed}" if removed else "added"


def hand_over(context: StepContext, archive: Archive, version: str) -> str:
    """Write the parameters of the next job, and return the archive's state."""
    state = files.sha256(archive.root / "dists" / archive.codename / "InRelease")
    info = context.run.info
    values = {
        "COMPONENT": context.component_name,
        "COMMIT": info.commit,
        "VERSION": version,
        "ARCHIVE": state,
        "CAUSE": info.cause,
    }
    # Nothing in a name, an id or a version needs escaping in the value of a Java property.
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    files.write_atomic(context.run.results / HANDED_OVER, text)
    return state


def held_back(context: StepContext) -> str:
    """Return why the gate holds the packages back; an empty text when they may go into the archive."""
    for name in context.component.build.gate:
        record = context.earlier(name)
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
    new, codename = Tracked(context.component_name, source.version), context.track_name
    changes = next(context.run.path / item.path for item in source.artifacts if item.kind == "changes")
    packages = [item for item in (*source.artifacts, *built.artifacts) if item.kind in {"source", "binary"}]
    binaries = [context.run.path / item.path for item in packages if item.kind == "binary"]
    facts = {"codename": codename, "path": str(context.store.archive), "added": False}
    lock_path = context.store.lock_path("archive")
    with files.locked(lock_path) as lock, lab_key(context.lab, context.store, context.log) as key:
        archive = Archive(context.lab, codename, new.source, key, lock, context.log)
        archive.open()
        present = archive.versions()
        newest = max((item.version for item in present if item.source == new.source), key=Version, default=new.version)
        verdict: Verdict = "passed"
        if Version(newest) > Version(new.version):
            message, verdict = f"{codename} has {new.source} {newest} and keeps it", "skipped"
        elif holds(archive, new, present, packages):
            message = f"{codename} has it already"
        else:
            message = publish(archive, present, new, changes, binaries)
            facts["added"] = True
        facts["archive"] = hand_over(context, archive, new.version)
    return StepOutcome(message, version=new.version, verdict=verdict, facts=facts)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
