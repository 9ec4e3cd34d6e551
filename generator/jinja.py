"""Rendering of the Jinja2 templates in generator/templates/, with data that Jenkins Job Builder does not change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml


def fill(template: str, **values: Any) -> str:
    """Return a rendered template; all values that it names are required."""
    return _environment().get_template(f"{template}.j2").render(values)


def literal(value: Any) -> Any:
    """Return a value that Jenkins Job Builder leaves unchanged: it formats each text once, like str.format."""
    match value:
        case str():
            return value.replace("{", "{{").replace("}", "}}")
        case Mapping():
            return {key: literal(item) for key, item in value.items()}
        case _:
            return value


def data(value: Any) -> str:
    """Return a value as YAML on one line, with literal texts."""
    return _flow(literal(value))


def _flow(value: Any) -> str:
    match value:
        case str() if value.isascii() and value.isprintable():
            return json.dumps(value)  # the same as YAML, and much faster
        case str():
            return yaml.dump(value, default_style='"', allow_unicode=True, width=float("inf")).rstrip("\n")
        case Mapping():
            return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
        case _:
            return json.dumps(value)


@cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - the output is YAML, and `data` quotes it
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["data"] = data
    return found
