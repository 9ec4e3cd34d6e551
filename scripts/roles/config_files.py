"""Configuration files from templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    # The output is not HTML; an undefined name is an error.
    return Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)  # noqa: S701


def fill(name: str, **values: Any) -> str:
    """Return a rendered template.  Raises jinja2.UndefinedError when a value is missing."""
    return _environment().get_template(name).render(values)
