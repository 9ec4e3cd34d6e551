"""``qalab env shell``: open a shell on a node."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from cli.env.names import chosen_node
from lab.base import environment
from lab.base.run import run_attached
from lab.config import loading
from lab.config.options import lab_option

SHELL: Final = ("bash", "--login")


@click.command("shell", context_settings={"ignore_unknown_options": True})
@lab_option
@click.argument("name", metavar="NAME")
@click.argument("command_words", metavar="[COMMAND]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--node", help="The node; default: the first.")
@click.option(
    "--online", is_flag=True, help="Let the command reach the network of this machine, to install a debugger."
)
def command(lab_file: Path, name: str, command_words: Sequence[str], node: str | None, *, online: bool) -> NoReturn:
    """Open a shell on a node of an environment, or run COMMAND there."""
    chosen = chosen_node(loading.load(lab_file), name, node)
    terminal = f"TERM={environment.variable('TERM') or 'dumb'}"
    words = [str(word) for word in chosen.enter(["env", terminal, *(command_words or SHELL)], online=online)]
    if online:  # this process has the proxy that keeps packages
        status = run_attached(words).returncode
        sys.exit(status if status >= 0 else 128 - status)
    os.execvp(words[0], words)  # noqa: S606 - it takes over this process and its terminal
