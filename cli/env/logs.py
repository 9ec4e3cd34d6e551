"""``qalab env logs``: collect the logs of all nodes."""

from __future__ import annotations

from pathlib import Path

import click

from cli.env.names import nodes_of
from lab.config import loading
from lab.config.options import lab_option
from scripts.deployment import environments


@click.command("logs")
@lab_option
@click.argument("name", metavar="NAME")
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
def command(lab_file: Path, name: str, directory: Path | None) -> None:
    """Collect the journal and the logs of all nodes of an environment in DIRECTORY, by default NAME-logs."""
    lab = loading.load(lab_file)
    into = directory or Path(f"{name}-logs")
    nodes = nodes_of(lab, name)
    environments.target(lab, name).collect_logs(into)
    for node in nodes:
        click.echo(f"{into / node}")
