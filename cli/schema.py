"""``qalab schema``: print the JSON Schema of lab.yaml."""

from __future__ import annotations

import click

from lab.config import loading


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of lab.yaml."""
    click.echo(loading.schema(), nl=False)
