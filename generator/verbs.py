"""The verbs on a Jenkins: plan, apply, prune, drift, adopt, backup, restore; and generate."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import click
from rich.progress import Progress

from generator import apply, backup, expansion, limits, lint, plan, presentation, render
from generator.adopt import adopt
from generator.backup import Backup
from generator.plan import Plan, PlanStep
from generator.scope import Scope, scope_of, some
from lab.base.errors import ConfigurationError, Failed, LabError
from lab.base.terminal import Terminal
from lab.config import loading
from lab.config.options import json_option, lab_option

out = Terminal()


def where(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which jobs, on which Jenkins, and whose."""
    for option in (
        click.option("--owner", help="Whose jobs; default: the lab's name."),
        click.option("--section", default="jenkins", show_default=True, help="Section of the jenkins_jobs.ini."),
        click.option("--ini", type=click.Path(path_type=Path), help="A jenkins_jobs.ini: which Jenkins, who we are."),
        lab_option,
    ):  # fmt: skip
        function = option(function)
    return function


class WhereOptions(TypedDict):
    """The options of `where`."""

    lab_file: Path
    ini: Path | None
    section: str
    owner: str | None


class PlaceOptions(WhereOptions):
    """With the argument or option for the path."""

    path: Path | None


path_argument = click.argument("path", required=False, type=click.Path(path_type=Path))
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
rename_option = click.option("--rename", "renames", multiple=True, metavar="OLD=NEW",
                             help="A job that has another name now; a * stands for the same in both.")  # fmt: skip
workers_option = click.option("--workers", default=plan.WORKERS, show_default=True, type=click.IntRange(1, 64))


@click.command("generate")
@lab_option
@click.option("--check", is_flag=True, help="Write nothing; exit code 1: there are differences.")
def generate_verb(lab_file: Path, *, check: bool) -> None:
    """Write jobs/generated/ from lab.yaml."""
    lab, jobs = loading.load(lab_file), lab_file.parent / "jobs"
    stale = render.stale(lab, jobs)
    if check and stale:
        raise Failed(f"{', '.join(map(str, stale))}: not what {lab_file} says", hint="run: qalab generate")
    if not check:
        render.write(lab, jobs)
    out.print(f"{jobs / 'generated'}: {'up to date' if not stale else f'{len(stale)} files written'}")


@click.command("check")
@path_argument
@lab_option
def check_verb(path: Path | None, lab_file: Path) -> None:
    """Validate lab.yaml and the jobs.

    Without a Jenkins.  PATH: a directory of any Jenkins Job Builder YAML to look at instead.
    """
    complaints: list[str] = []
    if path is None:
        lab, path = loading.load(lab_file), lab_file.parent / "jobs"
        builds = sum(len(lab.components_of(track)) for track in lab.tracks)
        counts = f"{len(lab.components)} components, {len(lab.tracks)} tracks, {builds} combinations"
        out.print(f"{lab_file}: good: {counts}")
        if not path.exists() or lab.jenkins is None:
            return
        complaints += [f"{name}: not what {lab_file} says; run: qalab generate" for name in render.stale(lab, path)]
    items = some(path, expansion.expand(path, None, "jenkins", None))
    complaints += map(str, lint.lint(items))
    if complaints:
        raise ConfigurationError("\n".join(complaints))
    out.print(
        f"{path}: good: {sum(item.key.kind == 'job' for item in items)} jobs, "
        f"{sum(item.key.kind == 'view' for item in items)} views"
    )


@click.command("plan")
@path_argument
@where
@rename_option
@click.option("--quick", is_flag=True, help="Believe the marks: two requests, and edits by hand are not seen.")
@click.option("--check", is_flag=True, help="Exit code 1: there are differences.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Save the plan, for: qalab apply PLAN.json")
@json_option
def plan_verb(
    *,
    renames: Sequence[str],
    quick: bool,
    check: bool,
    output: Path | None,
    as_json: bool,
    **options: Unpack[PlaceOptions],
) -> None:
    """Say what would be done on the Jenkins.

    What would be created, changed, renamed and deleted, and what was edited there by hand.

    PATH: a file or directory of Jenkins Job Builder YAML; default: jobs/ beside lab.yaml.
    """
    made = scope_of(**options).plan(renames, quick=quick)
    if output:
        made.save(output)
    if as_json:
        click.echo(made.as_json())
    else:
        tell(presentation.plan(made))
    sys.exit(Failed.exit_code if check and not made.empty else 0)


@click.command("apply")
@path_argument
@where
@rename_option
@yes_option
@workers_option
def apply_verb(
    *, path: Path | None, renames: Sequence[str], yes: bool, workers: int, **options: Unpack[WhereOptions]
) -> None:
    """Show the plan, ask, and carry it out.

    What is described no more stays (see: qalab prune).

    PATH: JJB YAML as for plan, or a plan that was saved, PLAN.json; a stale one is refused.
    """
    saved = path if path and path.suffix == ".json" else None
    at = scope_of(path=None if saved else path, **options)
    if saved:
        made = Plan.read(saved)
        apply.verify(at.server, made, at.owner)
    else:
        made = at.plan(renames)
    tell(presentation.plan(made))
    carry_out(at, made.of("create", "change", "revert", "rename", "taken"), yes=yes, workers=workers)


@click.command("prune")
@path_argument
@where
@rename_option
@yes_option
@workers_option
@click.option(
    "--max-delete",
    type=click.IntRange(0),
    metavar="N",
    help=f"Refuse to delete more than N.  [default: {limits.MOST}, and not more than half of the lab's]",
)
@click.option("--delete-all", is_flag=True, help="Delete all of the lab's when nothing is described.")
def prune_verb(
    *,
    renames: Sequence[str],
    yes: bool,
    workers: int,
    max_delete: int | None,
    delete_all: bool,
    **options: Unpack[PlaceOptions],
) -> None:
    """Delete what is described no more.

    Jobs and views of this lab; nobody else's are touched.

    What is only renamed is renamed.  Each config.xml is kept; builds are not.
    """
    at = replace(scope_of(**options), may_be_empty=delete_all)
    made = at.plan(renames, quick=True)
    steps = made.of("rename", "delete")
    tell(presentation.steps(steps))
    if at.items or max_delete is not None:  # else --delete-all
        limits.check(made, max_delete)
    carry_out(at, steps, yes=yes, workers=workers)


@click.command("drift")
@path_argument
@where
@click.option("--check", is_flag=True, help="Exit code 1: there are differences.")
@json_option
def drift_verb(*, check: bool, as_json: bool, **options: Unpack[PlaceOptions]) -> None:
    """Show what was edited by hand.

    On the Jenkins, since the lab applied it.
    """
    edited = [step for step in scope_of(**options).plan().steps if step.edited]
    if as_json:
        click.echo(presentation.steps_json(edited))
    else:
        tell(presentation.drift(edited))
    sys.exit(Failed.exit_code if check and edited else 0)


@click.command("adopt")
@click.argument("names", nargs=-1, required=True, metavar="JOB...")
@click.option("--path", type=click.Path(path_type=Path), help="JJB YAML; default: jobs/ beside lab.yaml.")
@click.option("--from", "previous", metavar="LAB", help="Take it over from this lab.")
@where
def adopt_verb(*, names: Sequence[str], previous: str | None, **options: Unpack[PlaceOptions]) -> None:
    """Take jobs that are there under management.

    But for the mark in the description, nothing of them changes.
    """
    at = scope_of(**options)
    for key in adopt(at.server, at.owner, at.items, names, previous):
        out.print(f"{key}: is {at.owner}'s now; qalab plan says what would change")


@click.command("backup")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@where
def backup_verb(*, directory: Path, **options: Unpack[WhereOptions]) -> None:
    """Save the Jenkins to a git repository.

    All jobs, folders and views, byte for byte, and the list of plugins.
    """
    at = scope_of(path=None, **options)
    saved = backup.save(at.server, Backup(directory.resolve(), at.author))
    what = f"{saved.items} items, {saved.changed} changed, {saved.removed} removed"
    out.print(f"{directory}: {what}; {f'commit {saved.commit[:12]}' if saved.commit else 'nothing new'}")


@click.command("restore")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("names", nargs=-1)
@yes_option
@where
def restore_verb(*, directory: Path, names: Sequence[str], yes: bool, **options: Unpack[WhereOptions]) -> None:
    """Put a backup, or parts of it, back.

    Each item is compared after.
    """
    at = scope_of(path=None, **options)
    from_there = Backup(directory.resolve(), at.author)
    confirm(f"put {', '.join(names) or 'everything'} of {directory} back into {at.server.url}", yes=yes)
    results = backup.restore(at.server, from_there, names)
    tell(presentation.restored(results))
    fail_with([result.error for result in results])


def carry_out(at: Scope, steps: Sequence[PlanStep], *, yes: bool, workers: int) -> None:
    """Ask, do it, tell of it.  Exits with the code of the gravest failure."""
    if not steps:
        return
    counts = Counter(step.action for step in steps if step.action != "taken")
    if counts:
        confirm(f"{', '.join(f'{action} {count}' for action, count in counts.items())} on {at.server.url}", yes=yes)
    kept = at.kept
    with kept.held(), progress(len(steps)) as advance:
        try:
            results = apply.carry_out(at.server, steps, kept.write, lambda _: advance(), workers=workers)
        finally:
            commit = kept.commit(f"Before: {', '.join(sorted(counts))} on {at.server.url}")
    tell(presentation.results(results))
    if commit:
        out.print(f"what was there before is kept in {kept.directory}, commit {commit[:12]}")
    fail_with([result.error for result in results])


def confirm(what: str, *, yes: bool) -> None:
    """Raises ConfigurationError where nobody can be asked, click.Abort for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"nothing done: {what}: nobody is there to ask", hint="--yes goes on without")
    click.confirm(f"{what}?", abort=True)


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """A function to be called as each of ``total`` is done: a bar at a terminal, nothing elsewhere."""
    with Progress(console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def tell(lines: Iterable[str]) -> None:
    for line in lines:
        out.print(line)


def fail_with(errors: Iterable[LabError | None]) -> None:
    codes = [error.exit_code for error in errors if error]
    if codes:
        sys.exit(max(codes))


VERBS = (
    generate_verb,
    check_verb,
    plan_verb,
    apply_verb,
    prune_verb,
    drift_verb,
    adopt_verb,
    backup_verb,
    restore_verb,
)
