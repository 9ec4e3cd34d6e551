"""``qalab env reset``: reset nodes to their pristine state."""

from __future__ import annotations

from pathlib import Path

import click

from cli.env import log
from cli.env.names import check_environment
from lab.config import loading
from lab.config.options import lab_option
from lab.store.runs import Store
from scripts.deployment import environments


@click.command("reset")
@lab_option
@click.argument("name", metavar="NAME")
def command(lab_file: Path, name: str) -> None:
    """Reset all nodes of an environment to their pristine state."""
    lab = loading.load(lab_file)
    check_environment(name, environments.names(lab))
    with environments.exclusive_turn(lab, name, wait=False), log.opened(Store.of(lab), name) as stream:
        nodes = environments.reset(lab, name, stream)
    log.print_nodes(name, nodes)
