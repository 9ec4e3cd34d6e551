"""``qalab site serve``: preview the site on this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from cli.output import out
from cli.site.location import out_option, site_directory
from lab.config import loading
from lab.config.options import lab_option
from reports.site.serve import server


@click.command("serve")
@lab_option
@out_option
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
def command(lab_file: Path, directory: Path | None, port: int) -> None:
    """Serve the site on 127.0.0.1 until interrupted."""
    site = directory or site_directory(loading.load(lab_file))
    with server(site, port) as running, contextlib.suppress(KeyboardInterrupt):
        out.print(f"http://127.0.0.1:{running.server_port}/ (stop it with ^C)")
        running.serve_forever()
