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
from scripts.archives import kept_packages
from scripts.chroots import kept_sessions
from scripts.phases import retention


@click.command("tidy")
@lab_option
@dry_run_option
@json_option
def command(lab_file: Path, *, dry_run: bool, as_json: bool) -> None:
    """Delete the large files of old runs: scratch files, packages, node logs, kept chroots; and what is kept for apt and is too much.

    Records, logs of steps and test results stay.  See `runs` in lab.yaml.
    """
    lab = loading.load(lab_file)
    freed: dict[str, int] = {}
    for old, size in retention.tidy(lab, environment.now(), dry_run=dry_run):
        freed[old.id] = size
        if not as_json:
            out.print(f"{old.id}: {decimal(size)}")
    chroots: dict[str, int] = {}
    for kept in kept_sessions.bound(kept_sessions.home(), lab, lab.runs.keep_chroots, dry_run=dry_run):
        chroots[kept.manifest.run] = retention.size(kept.path)
        if not as_json:
            out.print(f"{kept.manifest.run}: its chroot: {decimal(chroots[kept.manifest.run])}")
    packages = kept_packages.bound(lab.runs.keep_packages_gb * 10**9, dry_run=dry_run)
    if packages and not as_json:
        out.print(f"packages for apt: {decimal(packages)}")
    total = sum([*freed.values(), *chroots.values(), packages])
    if as_json:
        told = {"dry_run": dry_run, "bytes": total, "runs": freed, "chroots": chroots, "packages": packages}
        click.echo(json.dumps(told, indent=2))
    else:
        out.print(f"{decimal(total)} {'would be freed' if dry_run else 'freed'}")
