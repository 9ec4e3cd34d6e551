"""``qalab jenkins plugins``: list the plugins that the lab's jobs need."""

from __future__ import annotations

from pathlib import Path

import click

from generator.plugins import VERSIONS, needed_plugins
from lab.config import loading
from lab.config.options import lab_option


@click.command("plugins")
@lab_option
@click.option("--latest", is_flag=True, help="Print the names without versions.")
def command(lab_file: Path, *, latest: bool) -> None:
    """Print the plugins that the lab's jobs need, with tested versions, for jenkins-plugin-cli.

    Save them to a file, and run: jenkins-plugin-cli --plugin-file FILE
    """
    for name in sorted(needed_plugins(loading.load(lab_file))):
        click.echo(name if latest else f"{name}:{VERSIONS[name]}")
