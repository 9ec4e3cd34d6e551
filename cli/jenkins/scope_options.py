"""The options that choose jobs, a Jenkins and an owner, and the way a plan is carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import click

from cli.options import can_ask, confirm
from cli.output import exit_with_worst, out, print_lines, progress
from generator import apply, presentation, reading
from generator.backup import Backup
from generator.scope import JobsOptions, Scope, scope_of
from generator.steps import Plan, PlanStep
from lab.config.options import lab_option

path_argument = click.argument("path", required=False)
names_argument = click.argument("names", nargs=-1)
recursive_option = click.option("-r", "--recursive", is_flag=True, help="Read subdirectories of PATH, too.")
exclude_option = click.option(
    "-x", "--exclude", "excludes", multiple=True, metavar="PATTERN", help="Directories that -r does not read."
)
rename_option = click.option(
    "--rename", "renames", multiple=True, metavar="OLD=NEW", help="A renamed job; * matches the same text in both."
)
replace_option = click.option(
    "--replace",
    "replaced",
    multiple=True,
    metavar="NAME",
    help="Delete an item of another type, with its builds, and create it again; NAME can contain *.",
)
rate_option = click.option(
    "--writes-per-second",
    "rate",
    type=click.IntRange(1),
    metavar="N",
    help="Change at most N items per second.  [default: jenkins.writes_per_second]",
)
workers_option = click.option("--workers", default=reading.WORKERS, show_default=True, type=click.IntRange(1, 64))


class ServerOptions(TypedDict):
    """The options of `server_options`."""

    lab_file: Path
    ini: Path | None
    section: str
    owner: str | None


class ScopeOptions(ServerOptions):
    """The options of `scope_options`."""

    path: str | None
    names: tuple[str, ...]
    recursive: bool
    excludes: tuple[str, ...]


Decorated = Callable[..., Any]


def ini_options(function: Decorated) -> Decorated:
    """Add the options for the settings of Jenkins Job Builder."""
    for option in (
        click.option("--section", default="jenkins", show_default=True, help="Section of jenkins_jobs.ini."),
        click.option(
            "--ini",
            type=click.Path(path_type=Path),
            help="A jenkins_jobs.ini.  [default, with PATH: the file that jenkins-jobs finds]",
        ),
    ):
        function = option(function)
    return function


def server_options(function: Decorated) -> Decorated:
    """Add the options that choose a Jenkins and an owner."""
    owner = click.option("--owner", help="The owner of the jobs; default: the lab's name.")
    return lab_option(ini_options(owner(function)))


def scope_options(function: Decorated) -> Decorated:
    """Add the options that choose jobs, a Jenkins and an owner."""
    return path_argument(names_argument(server_options(recursive_option(exclude_option(function)))))


def chosen_scope(rate: int | None = None, **options: Unpack[ScopeOptions]) -> Scope:
    """Return the scope that these options select; ``rate``: the most writes per second."""
    jobs = JobsOptions(options["path"], options["names"], options["recursive"], options["excludes"])
    scope = scope_of(options["lab_file"], options["ini"], options["section"], options["owner"], jobs)
    return replace(scope, access=replace(scope.access, writes_per_second=rate)) if rate else scope


def confirmed_renames(made: Plan) -> list[str]:
    """Ask at a terminal which jobs were renamed; return them as OLD=NEW, none where nobody can answer."""
    if not can_ask():
        return []
    return [f"{old}={new}" for old, new in made.guesses if click.confirm(f"Was {old} renamed to {new}?")]


def carry_out(scope: Scope, steps: Sequence[PlanStep], *, yes: bool, workers: int) -> None:
    """Ask for confirmation, carry out the steps and print the results.

    Exits with the highest exit code of the steps that failed.
    """
    if not steps:
        return
    counts = Counter(step.action for step in steps if step.action not in {"taken", "retype", "unreadable"})
    if counts:
        what = ", ".join(f"{action} {count}" for action, count in counts.items())
        confirm(f"{what} on {scope.server.url}", yes=yes)
    kept = scope.kept
    with kept.held(), progress(len(steps)) as advance:
        try:
            results = apply.carry_out(scope.server, steps, kept.write, lambda _: advance(), workers=workers)
        finally:
            commit = kept.commit(f"Before: {', '.join(sorted(counts))} on {scope.server.url}")
    print_lines(presentation.results(results))
    tell_kept(kept, commit)
    exit_with_worst([result.error for result in results])


def tell_kept(kept: Backup, commit: str) -> None:
    """Print where the previous configuration is, if a commit has it."""
    if commit:
        out.print(f"the previous configuration is kept in {kept.directory}, commit {commit[:12]}")
