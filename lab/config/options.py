"""Options of most commands and of all steps."""

from __future__ import annotations

from pathlib import Path

import click

lab_option = click.option(
    "--lab",
    "lab_file",
    envvar="QALAB_LAB",
    default="lab.yaml",
    show_default=True,
    type=click.Path(path_type=Path, readable=False),  # `lab.config.loading` reports what is wrong with it
    help="The lab description.",
)
any_lab_option = click.option(
    "--lab",
    "lab_file",
    envvar="QALAB_LAB",
    type=click.Path(path_type=Path, readable=False),
    help="Only the runs of the lab with this description. Default: all labs.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
