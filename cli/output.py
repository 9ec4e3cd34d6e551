"""What verbs print with: the terminal, lines, a progress bar, and the exit code of several failures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from lab.base import environment
from lab.base.errors import LabError
from lab.base.terminal import Terminal

# Tables, too, have whole lines in a file or a pipe.
WIDEST = 250
out = Terminal(soft_wrap=False) if environment.on_terminal() else Terminal(width=WIDEST)


def print_lines(lines: Iterable[str]) -> None:
    """Print each line."""
    for line in lines:
        out.print(line)


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """Give a function to call as each of ``total`` items is done: a bar at a terminal, nothing elsewhere."""
    with Progress(console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def exit_with_worst(errors: Iterable[LabError | None]) -> None:
    """Exit with the highest exit code of several errors; return if there is none."""
    codes = [error.exit_code for error in errors if error]
    if codes:
        sys.exit(max(codes))
