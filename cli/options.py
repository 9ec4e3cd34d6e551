"""The question that destructive verbs ask, and options that several verbs share."""

from __future__ import annotations

import sys
from typing import Final

import click

from lab.base.errors import ConfigurationError

WEEK_SECONDS: Final = 604_800  # the longest interval of a watch

yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")

keep_option = click.option(
    "--keep", is_flag=True, help="Keep the chroot of a failed build for qalab shell, regardless of lab.yaml."
)


def can_ask() -> bool:
    """Return whether a person can answer a question."""
    return sys.stdin.isatty()


def confirm(action: str, *, yes: bool) -> None:
    """Ask before something is destroyed.

    Raises ConfigurationError where standard input is not a terminal, click.Abort for the answer no.
    """
    if yes:
        return
    if not can_ask():
        raise ConfigurationError(f"{action}: not done, because nobody can confirm it", hint="pass --yes to go ahead")
    click.confirm(f"{action}?", abort=True)
