"""``qalab env destroy``: destroy environments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from cli.env import log
from cli.env.names import check_environment
from cli.options import confirm, dry_run_option, yes_option
from lab.config import loading
from lab.config.options import lab_option
from lab.store.runs import Store
from scripts.deployment import environments


@click.command("destroy")
@lab_option
@click.argument("names", nargs=-1, metavar="[NAME...]")
@yes_option
@dry_run_option
def command(lab_file: Path, names: Sequence[str], *, yes: bool, dry_run: bool) -> None:
    """Destroy the named environments, or all of them."""
    lab = loading.load(lab_file)
    for name in names:
        check_environment(name, [*dict.fromkeys([*environments.names(lab), *lab.tracks])])
    chosen = list(names) or environments.names(lab)
    if not chosen:
        click.echo("no environments")
        return
    if dry_run:
        click.echo("\n".join(f"{name}: would be destroyed" for name in chosen))
        return
    confirm(f"destroy {', '.join(chosen)}", yes=yes)
    for name in chosen:
        with environments.exclusive_turn(lab, name, wait=False), log.opened(Store.of(lab), name) as stream:
            destroyed = environments.target(lab, name, stream).destroy()
        click.echo(f"{name}: {'destroyed' if destroyed else 'nothing to destroy'}")
