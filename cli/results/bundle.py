"""``qalab results bundle``: make the public bundle of a run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from reports import bundle, status
from reports.redact.publication import Publication
from reports.sources import local


@click.command("bundle")
@click.argument("run_name", metavar="RUN")
@lab_option
@json_option
def command(run_name: str, lab_file: Path, *, as_json: bool) -> None:
    """Make the public bundle of a run in the lab's store, and print its path."""
    lab = loading.load(lab_file)
    build, files = local.build(status.find(run_name), lab)
    path = Publication.of(lab).publish(build, files, Store.of(lab).root / "bundles")
    notes = bundle.read(path).build.notes
    if as_json:
        click.echo(json.dumps({"path": str(path), "sha256": path.name.partition(".")[0], "notes": notes}, indent=2))
        return
    for note in notes:
        click.echo(note, err=True)
    click.echo(path)
