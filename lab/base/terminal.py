"""The terminal that commands print to."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class Terminal(Console):
    """A console that changes no text: without markup, and ``:b:`` is no emoji.

    A reader that stops (``qalab run | head``) does not stop the command.
    """

    def __init__(self, *, soft_wrap: bool = True, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap, stderr=stderr, width=width)

    def on_broken_pipe(self) -> None:
        """Stop printing, and discard the content of buffers without an error."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if self.stderr else sys.stdout).fileno())
