"""The options of applications, each with a function that returns the fault of a value, empty when there is none."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from lab.config.loading import known_names

Options: TypeAlias = Mapping[str, Callable[[object], str]]


# What only a shell would understand, as a word or in one, without quotes.
OF_SHELL = re.compile(r"(?:\|\|?|&&?|\d*(?:>>?|<)\S*|[^'\"]*;|[^'\"]*(?:\$[\w({]|`).*)")


def command_fault(value: object) -> str:
    """Return what is wrong with a command, which no shell reads: a pipe in it would be an argument of its program."""
    text = str(value)
    try:
        words = shlex.split(text)
        of_shell = next(filter(OF_SHELL.fullmatch, shlex.split(text, posix=False)), "")
    except ValueError as error:
        return f"not a command: {error}"
    if of_shell:
        return f"no shell reads it, and {of_shell} would be an argument of {words[0]}: write sh -c '...'"
    return "" if words else "is empty"


def pattern_fault(value: object) -> str:
    try:
        re.compile(str(value))
    except re.error as error:
        return f"not a regular expression: {error}"
    return ""


def flag_fault(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def seconds_fault(value: object) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "not a number of seconds"


def choice(*known: str) -> Callable[[object], str]:
    """Return the check of an option with these values."""
    return lambda value: "" if value in known else f"{value}; known: {', '.join(known)}"


def like(default: object) -> Callable[[object], str]:
    """Return the check of an option whose values are of the kind of its default."""
    return partial(_kind_fault, type(default), default)


def _kind_fault(kind: type, default: object, value: object) -> str:
    return "" if type(value) is kind else f"must be of the kind of its default, {default!r}"


# What the exercises read, of an application with any role.
EXERCISES: Options = {"command": command_fault, "prints": pattern_fault, "accept_errors": pattern_fault}
# What the deployment of packages reads, with any role; Juju's does not.
DEPLOYMENT: Options = {"starts_nothing": flag_fault}

# What says how another option is judged.
NEEDS: Final = {"prints": "command", "patience": "health"}


def faults(given: Mapping[str, object], known: Options) -> dict[str, str]:
    """Return what is wrong with the options of an application, by option; ``known`` are those that its role has."""
    unknown = {option: f"no {option}; {known_names(option, known)}" for option in given if option not in known}
    of_values = {
        option: known[option](value) or _lacks(option, given, known)
        for option, value in given.items()
        if option in known
    }
    return {option: fault for option in given if (fault := unknown.get(option) or of_values.get(option, ""))}


def _lacks(option: str, given: Mapping[str, object], known: Options) -> str:
    """Return why an option would do nothing without another one."""
    other = NEEDS.get(option, option)
    return f"does nothing without {other}" if other in known and other not in given else ""
