"""``qalab archive gc``: remove old states."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.filesize import decimal

from cli.archive.access import changing, removing, tell_left_over
from cli.options import confirm, dry_run_option, yes_option
from cli.output import out, print_lines
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from scripts.archives import retention


@click.command("gc")
@lab_option
@yes_option
@dry_run_option
@json_option
def command(lab_file: Path, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Remove old states of the archive, and the files that only they have.

    A state stays if a label names it, it is among the last ones of a label, it is pinned or deployed, or a run uses it.
    See `archive.states` in lab.yaml.  The step archive does the same when there are enough old states.
    """
    lab = loading.load(lab_file)
    with removing(lab) as archive:
        removal = retention.plan(archive)
    if not dry_run:
        if removal.states or removal.files:
            confirm(f"remove {len(removal.states)} states and {decimal(removal.size)} of files", yes=yes)
            with removing(lab) as archive:
                removal = retention.collect(archive)
        with changing(lab):  # there is room now to complete what a full disk has cut short
            pass
    tell_left_over(lab)
    root = Store.of(lab).archive
    if as_json:
        found = {
            "dry_run": dry_run,
            "states": removal.states,
            "versions": [f"{track}: {source} {version}" for track, source, version in removal.versions],
            "files": sorted(str(path.relative_to(root)) for path in removal.files),
            "bytes": removal.size,
        }
        click.echo(json.dumps(found, indent=2))
        return
    print_lines(removal.states)
    print_lines(f"{track}: {source} {version}" for track, source, version in removal.versions)
    out.print(
        f"{len(removal.states)} states, {len(removal.files)} files, {decimal(removal.size)}"
        f" {'would be removed' if dry_run else 'removed'}"
    )
