"""``qalab archive withdraw``: take a version out of the lab's archive."""

from __future__ import annotations

from pathlib import Path

import click

from cli.archive.access import reader
from cli.options import confirm, dry_run_option, yes_option
from cli.output import out
from lab.config import loading
from lab.config.options import lab_option
from lab.store.archive import SOURCE_LOCK
from lab.store.run_directory import check_known
from lab.store.runs import Store
from scripts.archives import labels, versions, withdrawal
from scripts.archives.withdrawal import SourceVersion


@click.command("withdraw")
@click.argument("track")
@click.argument("component")
@click.argument("version")
@lab_option
@yes_option
@dry_run_option
def command(track: str, component: str, version: str, lab_file: Path, *, yes: bool, dry_run: bool) -> None:
    """Withdraw a version of a component from a track's archive.

    The archive gets a new state, in which the newest version that remains takes its place; apt in chroots of the lab downgrades to it.  Uploads, pushes
    and records of runs stay.  To add the version again, run the step archive of its run.
    """
    lab = loading.load(lab_file)
    check_known(lab, track)
    store = Store.of(lab)
    if not versions.of_source(store.archive, track, component):  # it can have versions of a component that was renamed
        check_known(lab, track, component)
    store.root.mkdir(parents=True, exist_ok=True)
    with (store.root / "withdraw.log").open("w+", encoding="utf-8", errors="surrogateescape") as log:
        plan = withdrawal.withdraw(lab, track, SourceVersion(component, version), log, dry_run=True)
        what = f"{component} {version}"
        place = f"{plan.restored or 'no other version'} takes its place"
        if dry_run:
            out.print(f"{what}: would be withdrawn from {track}; {place}")
            return
        confirm(f"withdraw {what} from {track} ({place})", yes=yes)
        done = withdrawal.withdraw(lab, track, SourceVersion(component, version), log)
    place = f"{done.restored or 'no other version'} takes its place"
    out.print(f"{what}: withdrawn from {track}; {place}")
    archive = reader(lab)
    for label, state in archive.labels().items():
        if label in labels.of_lab(lab) and (component, version) in archive.lock(state.name, SOURCE_LOCK):
            out.print(f"{label} still has it: qalab archive demote {label}")
