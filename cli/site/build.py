"""``qalab site build``: update the site from the lab's bundles."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click
from rich.progress import track

from cli.output import out
from cli.site.location import bundles, out_option, site_directory
from lab.base import environment
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from reports.home import PublicationHome
from reports.site import build, identity
from scripts.ordering.track_components import archive_graphs


@click.command("build")
@lab_option
@out_option
@click.option("--rebuild", is_flag=True, help="Write all pages again.")
@json_option
def command(lab_file: Path, directory: Path | None, *, rebuild: bool, as_json: bool) -> None:
    """Update the site from the lab's bundles."""
    lab = loading.load(lab_file)
    target = directory or site_directory(lab)
    home = PublicationHome(Store.of(lab))
    view, site = home.view(archive_graphs(lab)), replace(identity(lab), bisections=home.bisections.read())
    now = environment.now().timestamp()
    report = build(bundles(lab), target, site, rebuild=rebuild, view=view, progress=with_progress, now=now)
    if as_json:
        counts = {"added": report.added, "written": len(report.written), "rebuilt": report.rebuilt}
        left_out = [str(error) for error in (*report.left_out.values(), *report.stale.values())]
        click.echo(json.dumps(counts | {"errors": left_out}, indent=2))
        sys.exit(report.exit_code)
    for error in report.left_out.values():
        out.print(f"left out: {error}")
    for lane, error in report.stale.items():
        out.print(f"not updated: pages of {lane}: {error}")
    done = "rebuilt" if report.rebuilt else "updated"
    out.print(f"{target / 'current'}: {done}: builds added: {report.added}, files written: {len(report.written)}")
    sys.exit(report.exit_code)


def with_progress(digests: Iterable[str]) -> Iterable[str]:
    """Show a progress bar at a terminal while iterating."""
    return track(list(digests), "reading bundles", console=out, disable=not environment.on_terminal())
