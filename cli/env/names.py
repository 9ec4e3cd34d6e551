"""The check of an environment's name, which several verbs share."""

from __future__ import annotations

from collections.abc import Sequence

from cli.groups import nearest
from lab.base.errors import ConfigurationError


def check_environment(name: str, known: Sequence[str]) -> None:
    """Raise ConfigurationError for a name that is not known, with the nearest known one."""
    if name not in known:
        near = nearest(name, [*known])
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigurationError(f"no environment {name}; known: {', '.join(known) or 'none'}{hint}")
