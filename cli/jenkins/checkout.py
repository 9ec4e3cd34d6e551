"""``qalab jenkins checkout``: check out the lab's own repository in a Jenkins build."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cli.output import out
from lab.base.errors import InfrastructureError
from lab.config import lab_repository
from lab.store.step_command import PAUSES_SECONDS


@click.command("checkout")
@click.argument("repository")
@click.argument("branch")
@click.option(
    "--into",
    "directory",
    default=lab_repository.CHECKOUT,
    show_default=True,
    type=click.Path(path_type=Path),
    help="A new directory.",
)
@click.option(
    "--tries",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Attempts, if the repository cannot be read.",
)
def command(repository: str, branch: str, directory: Path, tries: int) -> None:
    """Check out BRANCH of the lab's REPOSITORY, as the first builder of a Jenkins job does."""
    commit = check_out(repository, branch, directory, tries)
    out.print(f"{directory}: commit {commit} of {branch}", soft_wrap=True)


def check_out(repository: str, branch: str, directory: Path, tries: int) -> str:
    """Check out a branch and return its commit; retry after an infrastructure error, up to ``tries`` attempts in all."""
    for attempt in range(1, tries):
        try:
            return lab_repository.checkout(repository, branch, directory)
        except InfrastructureError as error:
            pause = PAUSES_SECONDS[min(attempt, len(PAUSES_SECONDS)) - 1]
            out.print(f"{error}; retrying in {pause:g} seconds", soft_wrap=True)
            time.sleep(pause)
    return lab_repository.checkout(repository, branch, directory)
