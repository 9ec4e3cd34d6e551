"""Configuration: templates filled, and laid over the file that the package brings.

Not a drop-in beside it: Debian's init scripts pass ``--config-file``, which is read last and wins.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

SECTION = re.compile(r"^\[(?P<name>[^\]]+)\]\s*$")
OPTION = re.compile(r"^(?P<name>[^\s#;=:\[]+)\s*[=:]")


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    # Nothing here is HTML; a name that nobody gave is an error.
    return Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)  # noqa: S701


def fill(name: str, **values: Any) -> str:
    """A template filled.  Raises jinja2.UndefinedError when a value is missing."""
    return _environment().get_template(name).render(values)


def lay_over(below: str, above: str) -> str:
    """An INI file with the options of another one set: in their sections, each once, the rest as it was."""
    wanted, told = _sections(above), _sections(above)
    lines: list[str] = []
    section = ""
    for line in [*below.splitlines(), "[]"]:
        header = "" if line == "[]" else _name(SECTION, line)
        if header or line == "[]":
            lines += _left(wanted, section)
            section = header
        name = _name(OPTION, line)
        if name in wanted.get(section, {}):
            lines.append(wanted[section].pop(name))
        elif name not in told.get(section, {}):  # what was set stands there once
            lines.append(line)
    del lines[-1]
    for name in list(wanted):
        lines += ["", f"[{name}]", *_left(wanted, name)]
    return "\n".join(lines) + "\n"


def _left(wanted: dict[str, dict[str, str]], section: str) -> list[str]:
    return list(wanted.pop(section, {}).values())


def _name(pattern: re.Pattern[str], line: str) -> str:
    match = pattern.match(line)
    return match["name"] if match else ""


def _sections(text: str) -> dict[str, dict[str, str]]:
    """The lines of a file by section and option."""
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in text.splitlines():
        section = _name(SECTION, line) or section
        if name := _name(OPTION, line):
            found.setdefault(section, {})[name] = line
    return found
