"""The options of a charm on this machine: a directory, or a file that charmcraft packed.

Of charms on Charmhub only Juju knows them; see config.go in github.com/juju/charm, which tells what it refuses.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from lab.base.errors import ConfigurationError
from lab.config.loading import known_names

MOST: Final = 1 << 20  # bytes of a file in a charm
# What Juju takes for a number or a truth in a text, as Go does, and what YAML makes of one without quotes.
FORMS: Final = {
    "int": (re.compile(r"[+-]?\d+"), int),
    "float": (
        re.compile(r"[+-]?(?:\d+(?:_?\d)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf|nan", re.IGNORECASE),
        int | float,
    ),
    "boolean": (re.compile(r"1|0|t|f|T|F|true|false|True|False|TRUE|FALSE"), bool),
}
INCLUDED: Final = ("include-file://", "include-base64://")  # a value that is in a file


def is_local(charm: str) -> bool:
    """Return whether a bundle's charm is a path: one that begins with a dot or a slash."""
    return charm.startswith((".", "/"))


def types(charm: Path) -> Mapping[str, str]:
    """Return the types of a charm's options, by their names.  Raises ConfigurationError for what is no charm."""
    try:
        known = _packed(charm) if charm.is_file() else _unpacked(charm)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{charm}: cannot be read as a charm: {' '.join(str(error).split())}") from None
    return {str(name): str((option or {}).get("type") or "string") for name, option in known.items()}


def faults(known: Mapping[str, str], options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the options that Juju refuses, each with the reason; ``known``: those of the charm, with their types."""
    for name, value in options.items():
        if name not in known:
            others = f"no such option; {known_names(str(name), known)}" if known else "no options"
            yield name, f"the charm has {others}"
        elif not _fits(known[name], value):
            hint = "; write it in quotes" if known[name] == "string" and isinstance(value, int | float) else ""
            yield name, f"{value!r} is no {known[name]}{hint}"


def _fits(kind: str, value: Any) -> bool:
    if value is None or kind not in FORMS:
        return value is None or isinstance(value, str)
    form, plain = FORMS[kind]
    if isinstance(value, str):
        return not value or value.startswith(INCLUDED) or bool(form.fullmatch(value))
    return isinstance(value, plain) and (kind == "boolean" or not isinstance(value, bool))


def _unpacked(charm: Path) -> Mapping[str, Any]:
    found = {name: charm / name for name in ("config.yaml", "charmcraft.yaml") if (charm / name).is_file()}
    return _options({name: path.read_bytes()[:MOST] for name, path in found.items()})


def _packed(charm: Path) -> Mapping[str, Any]:
    found = {}
    with zipfile.ZipFile(charm) as packed:
        for name in {"config.yaml", "charmcraft.yaml"} & {*packed.namelist()}:
            with packed.open(name) as member:
                found[name] = member.read(MOST)
    return _options(found)


def _options(files: Mapping[str, bytes]) -> Mapping[str, Any]:
    """Return the options of a charm: config.yaml has them, or charmcraft.yaml, from which charmcraft makes it."""
    described = {name: yaml.safe_load(content) or {} for name, content in files.items()}
    if not all(isinstance(each, dict) for each in described.values()):
        raise ValueError("a file in it is no mapping")
    config = described.get("config.yaml") or described.get("charmcraft.yaml", {}).get("config") or {}
    options = (config.get("options") if isinstance(config, dict) else None) or {}
    if not isinstance(options, dict) or not all(isinstance(each, dict | None) for each in options.values()):
        raise ValueError("its options are no mapping of mappings")
    return options
