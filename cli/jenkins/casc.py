"""``qalab jenkins casc``: print Jenkins Configuration as Code for the lab."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from generator import casc
from lab.config import loading
from lab.config.options import lab_option


@click.command("casc")
@lab_option
def command(lab_file: Path) -> None:
    """Print Jenkins Configuration as Code: agents with their labels, credentials, throttle category and folder.

    It describes one agent for each label; copy it for more. Its variables, such as ${BUILD_HOST}, are set where Jenkins
    starts. It needs the plugins that its first line names.
    """
    lab = loading.load(lab_file)
    text = yaml.safe_dump(casc.configuration(lab), sort_keys=False, allow_unicode=True, width=100)
    click.echo(f"# Needs the plugins {', '.join(casc.plugins(lab))}.\n{text}", nl=False)
