"""``qalab step NAME``: run one step in a run directory, with or without Jenkins."""

from __future__ import annotations

import inspect
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.description import COMPONENT_PHASES, Lab
from lab.config.loading import load
from lab.config.options import lab_option
from lab.store import durations
from lab.store.records import Record
from lab.store.run_directory import WHOLE, Run, check_known, open_run, phase_of, run_at
from lab.store.step import Action, execute

# Pauses between attempts of a step after an infrastructure error; the last one repeats.
PAUSES_SECONDS = (10.0, 30.0, 90.0)


@dataclass(frozen=True)
class Request:
    """The options of ``qalab step NAME``."""

    lab_file: Path
    run: Path
    track: str | None
    component: str | None
    commit: str
    tries: int


def main(name: str, action: Action, argv: Sequence[str] | None = None) -> int:
    """Run one step as a program; return its exit code.  Raises `click.UsageError` for wrong arguments."""
    words = None if argv is None else [*argv]
    code: int = command(name, action).main(words, prog_name=f"qalab step {name}", standalone_mode=False)
    return code


def command(name: str, action: Action, document: str | None = None) -> click.Command:
    """Return ``qalab step NAME`` as a command, whose callback returns the step's exit code.

    ``document``: the docstring of the step's module; it is the help.
    """

    @click.command(name, help=_help(name, document or "Run one step in a run directory."))
    @lab_option
    @click.option(
        "--run", default=".", type=click.Path(path_type=Path), help="The run directory; default: the current directory."
    )
    @click.option("--track", help="The track, to turn a plain directory into a run directory.")
    @click.option(
        "--component", help="The component, for the same purpose; default: all, and none for a build or test."
    )
    @click.option(
        "--commit", default="", metavar="REV", help="An upstream commit or ref, for the same purpose; default: the tip."
    )
    @click.option(
        "--tries",
        default=1,
        type=click.IntRange(min=1),
        help="The maximum number of attempts after infrastructure errors.",
    )
    def run_step(**options: Any) -> int:
        return carry_out(name, action, Request(**options))

    return run_step


def _help(name: str, document: str) -> str:
    """Return a module's docstring as a help text: without the step's name and without markup."""
    text = inspect.cleandoc(document).removeprefix(f"{name}: ").replace("``", "")
    return text[:1].upper() + text[1:]


def carry_out(name: str, action: Action, options: Request) -> int:
    """Run one step in a plain directory, without Jenkins or with it; return its exit code.

    A plain directory, and a directory with the run of another Jenkins build, becomes a new run directory.
    """
    lab = load(options.lab_file)
    path = options.run.resolve()
    current = run_at(path)
    build = environment.variable("BUILD_URL")
    phase = phase_of(name)
    if current is None or (build and current.info.url != build):
        component = options.component or ("" if phase in COMPONENT_PHASES else WHOLE)
        if not (options.track and component):
            raise ConfigurationError(
                f"{path}: no run directory yet", hint="name --track and --component to make it one"
            )
        check_known(lab, options.track, component, phase)  # before anything is deleted for a mistyped name
        for leftover in ("results", "out", "work"):
            shutil.rmtree(path / leftover, ignore_errors=True)
        current = open_run(path, lab, options.track, component, revision=options.commit, phase=phase)
    if last := durations.last_time(current.info, name):
        print(f"{name}: {last}", flush=True)  # noqa: T201
    with current.held():
        record = _tried(options.tries, name, action, lab, current)
    print(f"{name}: {record.verdict}{': ' + record.message if record.message else ''}")  # noqa: T201
    return record.exit_code or 0


def _tried(most: int, name: str, action: Action, lab: Lab, current: Run) -> Record:
    """Run a step, and retry it after infrastructure errors, up to ``most`` times in all.

    A step that itself retries and counts its attempts (sbuild) is not retried.  The record contains the number.
    """
    record = execute(name, action, lab, current)
    tries = 1
    while tries < most and record.exit_code == InfrastructureError.exit_code and "attempts" not in record.facts:
        pause = PAUSES_SECONDS[min(tries, len(PAUSES_SECONDS)) - 1]
        print(f"{name}: the lab's fault: {record.message}; trying again in {pause:g} seconds", flush=True)  # noqa: T201
        time.sleep(pause)
        record = execute(name, action, lab, current)
        tries += 1
    if tries > 1:
        message = f"{record.message} (tried {tries} times)".lstrip()
        record = record.model_copy(update={"message": message, "facts": {**record.facts, "attempts": tries}})
        record.write(current.record_path(name))
    return record
