"""What verbs print with."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class Terminal(Console):
    """Text as it is, without markup.  Whoever stops reading (``qalab run | head``) keeps nothing from going on."""

    def __init__(self, *, soft_wrap: bool = True) -> None:
        super().__init__(highlight=False, markup=False, soft_wrap=soft_wrap)

    def on_broken_pipe(self) -> None:
        """Print no more, and have nothing go wrong with what is still in buffers."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
