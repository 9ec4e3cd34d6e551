"""INI files of packages, with options changed.

The change is in the package's own file, not in a drop-in: Debian's init scripts pass ``--config-file``, which is read
last and wins.
"""

from __future__ import annotations

import re

# Not by ConfigUpdater 4.1, which was tried: it refuses a file without sections (libvirt's qemu.conf), and of an option
# that a section repeats it sets the first, where uwsgi and oslo.config use the last.
SECTION = re.compile(r"^\[(?P<name>[^\]]+)\]\s*$")
# In options to be set: one that the file is not to have.
UNSET = re.compile(r"^-(?P<name>[^\s#;=:\[]+)$")
OPTION = re.compile(r"^(?P<name>[^\s#;=:\[]+)\s*[=:]")


def set_options(text: str, options: str) -> str:
    """Return an INI file with the options of another one set: in their sections, each once, the rest unchanged.

    A line ``-NAME`` of the other one removes an option.
    """
    wanted, set_here = _sections(options), _sections(options)
    lines: list[str] = []
    section, replaced = "", False
    for line in [*text.splitlines(), "[]"]:
        if replaced and line[:1].isspace() and line.strip():
            continue  # more lines of a value that is gone
        header = "" if line == "[]" else _name(SECTION, line)
        if header or line == "[]":
            lines += _left(wanted, section)
            section = header
        name = _name(OPTION, line)
        replaced = name in set_here.get(section, {})
        if name in wanted.get(section, {}):
            lines += filter(None, [wanted[section].pop(name)])
        elif not replaced:  # each option that was set is there once
            lines.append(line)
    del lines[-1]
    for name in list(wanted):
        if left := _left(wanted, name):
            lines += ["", f"[{name}]", *left]
    return "\n".join(lines) + "\n"


def _left(wanted: dict[str, dict[str, str]], section: str) -> list[str]:
    return [line for line in wanted.pop(section, {}).values() if line]


def _name(pattern: re.Pattern[str], line: str) -> str:
    match = pattern.match(line)
    return match["name"] if match else ""


def _sections(text: str) -> dict[str, dict[str, str]]:
    """Return the lines of a file by section and option; an empty line for one to be removed."""
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in text.splitlines():
        section = _name(SECTION, line) or section
        if name := _name(OPTION, line):
            found.setdefault(section, {})[name] = line
        if name := _name(UNSET, line):
            found.setdefault(section, {})[name] = ""
    return found
