"""``qalab env shell``: open a shell on a node."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from cli.env.names import check_environment
from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.options import lab_option
from scripts.deployment import environments

SHELL: Final = ("bash", "--login")


@click.command("shell", context_settings={"ignore_unknown_options": True})
@lab_option
@click.argument("name", metavar="NAME")
@click.argument("command_words", metavar="[COMMAND]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--node", help="The node; default: the first.")
def command(lab_file: Path, name: str, command_words: Sequence[str], node: str | None) -> NoReturn:
    """Open a shell on a node of an environment, or run COMMAND there."""
    lab = loading.load(lab_file)
    nodes = {found.name: found for found in environments.target(lab, name).nodes()}
    if not nodes:
        check_environment(name, [known for known in environments.names(lab) if known != name])
    if node and node not in nodes:
        raise ConfigurationError(f"{name}: no node {node}; known: {', '.join(nodes)}")
    chosen = nodes[node] if node else next(iter(nodes.values()))
    terminal = f"TERM={environment.variable('TERM') or 'dumb'}"
    words = [str(word) for word in chosen.enter(["env", terminal, *(command_words or SHELL)])]
    os.execvp(words[0], words)  # noqa: S606 - it takes over this process and its terminal
