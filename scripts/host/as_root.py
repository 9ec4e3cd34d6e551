"""Commands that change this machine, as root."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO

from lab.base import environment
from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, Word, run


def set_up(what: str, commands: Iterable[tuple[Sequence[Word], str]], log: IO[str]) -> None:
    """Run commands, each with a text as its input; sudo can ask at the terminal.

    ``what`` is set up, for the message.  Raises InfrastructureError when one fails, ConfigurationError when it is missing.
    """
    root = () if environment.is_root() else ("sudo",)
    try:
        for command, text in commands:
            run([*root, *command], log=log, stdin=text.encode(), foreground=bool(root))
    except ProgramFailed as error:
        raise InfrastructureError(f"{what} could not be set up: {error}", hint=f"see {log.name}") from error
