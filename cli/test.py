"""``qalab test``: run the fast tests of a checkout."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from cli.setup import set_up_if_needed
from lab.base import resources
from lab.base.errors import ConfigurationError


@click.command("test", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> NoReturn:
    """Run the fast tests of a checkout; arguments go to pytest and narrow them."""
    if not resources.path("tests").is_dir():
        raise ConfigurationError("no tests here: an installed qalab has none", hint="run ./qalab test in a checkout")
    set_up_if_needed()
    os.chdir(resources.ROOT)
    argv = [sys.executable, "-m", "pytest", *fast_suite(arguments)]
    os.execv(sys.executable, argv)  # noqa: S606 - pytest takes over this process


def fast_suite(arguments: Sequence[str]) -> list[str]:
    """Return pytest's arguments for the fast tests, narrowed by a caller's.

    pytest obeys the last ``-m``: a caller's becomes part of it.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", dest="marked")
    options, rest = parser.parse_known_args(list(arguments) or ["-q"])
    marked = f"({options.marked}) and not integration" if options.marked else "not integration"
    return ["-n", "auto", *rest, "-m", marked]
