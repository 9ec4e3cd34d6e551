"""``qalab machine console``: print the console of a machine."""

from __future__ import annotations

from pathlib import Path

import click

from cli.machine.names import load_lab
from lab.base import files
from lab.base.errors import ConfigurationError
from lab.base.text import plain
from lab.config.options import lab_option

MOST_OF_LINE = 1000
"""Bytes: a console can have written for years."""


@click.command("console")
@lab_option
@click.argument("name", metavar="NAME")
@click.option("--lines", default=100, show_default=True, type=click.IntRange(1), help="The number of last lines.")
def command(lab_file: Path, name: str, lines: int) -> None:
    """Print the last lines of a machine's console, from the file that lab.yaml names."""
    console = load_lab(lab_file, name).machines[name].console
    if console is None:
        raise ConfigurationError(f"machines.{name}.console: missing", hint="a file with the output of its console")
    if not Path(console).is_file():  # a pipe or a terminal would be waited for
        raise ConfigurationError(f"{console} is no file: nothing writes the console of {name} there")
    text = plain(files.end_of(Path(console), lines * MOST_OF_LINE))
    click.echo("\n".join(text.splitlines()[-lines:]))
