"""``qalab tidy``: free the space of old runs."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.filesize import decimal

from cli.options import dry_run_option
from cli.output import out
from lab.base import environment
from lab.config import loading
from lab.config.options import json_option, lab_option
from scripts.phases import retention


@click.command("tidy")
@lab_option
@dry_run_option
@json_option
def command(lab_file: Path, *, dry_run: bool, as_json: bool) -> None:
    """Delete the large files of old runs: scratch space, built packages, logs of nodes.

    Records, logs of steps and test results stay.  See `runs.keep` and `runs.keep_days` in lab.yaml.
    """
    freed: dict[str, int] = {}
    for old, size in retention.tidy(loading.load(lab_file), environment.now(), dry_run=dry_run):
        freed[old.id] = size
        if not as_json:
            out.print(f"{old.id}: {decimal(size)}")
    total = sum(freed.values())
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "bytes": total, "runs": freed}, indent=2))
    else:
        out.print(f"{decimal(total)} {'would be freed' if dry_run else 'freed'}")
