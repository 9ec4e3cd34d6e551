"""The errors of Jenkins Job Builder, Jinja2 and YAML as one line each, with the place in the user's file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from traceback import walk_tb
from types import TracebackType
from typing import Any

import jinja2
import yaml

from lab.base.errors import ConfigurationError
from lab.base.text import cut_short
from lab.config.loading import yaml_problem

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pkg_resources, which JJB requires
    from jenkins_jobs.errors import JenkinsJobsException

BRACES = "write a literal brace twice: {{ }}"
DUPLICATE = "Duplicate "
MOST_CHARACTERS = 300
MOST_OF_TEXT = 80


def unreadable(error: Exception, paths: str) -> ConfigurationError:
    """Return the error for what Jenkins Job Builder cannot expand; ``paths``: what it was given to read."""
    said = " ".join(str(error).split())
    hint = ""
    match error:
        case JenkinsJobsException():
            told = complaint(error)
        case yaml.MarkedYAMLError():
            mark = error.problem_mark or error.context_mark
            where = f"{_file(mark.name)}:{mark.line + 1}:{mark.column + 1}" if mark else paths
            told = f"{where}: not YAML: {yaml_problem(error)}"
        case OSError() | UnicodeDecodeError() | yaml.YAMLError():
            told = f"{_place(error, paths)}: {said}"
        case jinja2.TemplateError():
            line = getattr(error, "lineno", None)
            return ConfigurationError(
                f"{_place(error, paths)}: Jinja2: {said}{f' (line {line} of it)' if line else ''}"
            )
        case ImportError():
            told, hint = f"{_place(error, paths)}: {said}", "does PYTHONPATH name its directory?"
        case _ if text := _unfilled(error):
            told = f"{_place(error, paths)}: cannot fill in a text: {said}: {text}"
            hint = BRACES
        case _:
            told = f"{_place(error, paths)}: Jenkins Job Builder cannot read it: {type(error).__name__}: {said}"
    return ConfigurationError(told, hint=hint)


def complaint(error: JenkinsJobsException) -> str:
    """Return an error of JJB as one line, at the innermost place that it names."""
    said = cut_short(" ".join(str(error.message).split()), MOST_CHARACTERS)  # some have all that was read
    duplicate = next((one for one in error.ctx if one.message.startswith(DUPLICATE)), None)
    if duplicate and duplicate.pos and error.pos:
        return f"{_told(duplicate.pos)}: {duplicate.message}; {said[:1].lower()}{said[1:]}: {_told(error.pos)}"
    places = [error.pos, *(context.pos for context in reversed(error.ctx))]
    pos = next((pos for pos in places if pos), None)
    within = next((context.message for context in reversed(error.ctx)), "")
    told = f"{said} ({' '.join(within.split())})" if within and within != said else said
    return f"{_told(pos)}: {told}" if pos else told


def _told(pos: Any) -> str:
    return f"{_file(pos.path)}:{pos.line + 1}:{pos.column + 1}"


def _file(path: Any) -> str:
    return str(path) if path and str(path) not in {"<file>", "<stdin>", "<unicode string>"} else "standard input"


def _place(error: Exception, otherwise: str) -> str:
    """Return the place that Jenkins Job Builder was at: its objects know their place, and its errors do not."""
    return next((_told(pos) for pos in reversed(list(_positions(error.__traceback__)))), otherwise)


def _unfilled(error: Exception) -> str:
    """Return what of a text could not be filled in, and the text's beginning, on one line; "" for another error."""
    frames = [frame.f_locals for frame, _ in walk_tb(error.__traceback__) if "format_string" in frame.f_locals]
    if not frames:
        return ""
    text, name = " ".join(str(frames[-1]["format_string"]).split()), frames[-1].get("field_name")
    found = (
        ""
        if name is None or isinstance(error, ValueError)
        else f"{{{cut_short(' '.join(name.split()), MOST_OF_TEXT)}}} in "
    )
    return f"{found}{cut_short(text, MOST_OF_TEXT)}"


def _positions(trace: TracebackType | None) -> Iterator[Any]:
    while trace is not None:
        names = trace.tb_frame.f_locals
        for found in (
            names.get("pos"),
            getattr(names.get("self"), "pos", None),
            getattr(names.get("self"), "_pos", None),
        ):
            if found is not None and hasattr(found, "line") and hasattr(found, "column") and hasattr(found, "path"):
                yield found
                break
        trace = trace.tb_next
