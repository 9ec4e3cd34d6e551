"""Options that verbs of all rooms share."""

from __future__ import annotations

from pathlib import Path

import click

lab_option = click.option(
    "--lab",
    "lab_file",
    envvar="QALAB_LAB",
    default="lab.yaml",
    show_default=True,
    type=click.Path(path_type=Path, readable=False),  # what is wrong with it, `loading` says
    help="The lab's description.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
