"""``qalab archive migrate``: compute what of a candidate can replace a target."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from lab.config.options import json_option
from scripts.migration import dates, dose, indexes, migrating
from scripts.migration import hints as hint_files
from scripts.migration.policies import Criteria

directory = click.Path(exists=True, file_okay=False, path_type=Path)
file = click.Path(exists=True, dir_okay=False, path_type=Path)


@contextmanager
def without_collector() -> Iterator[None]:
    """Look for no circles among the millions of objects that stay until the end: that takes a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@click.command("migrate")
@click.option("--target", required=True, type=directory, help="The Packages and Sources files of the target.")
@click.option("--candidate", required=True, type=directory, help="Those of the candidate.")
@click.option("--base", multiple=True, type=directory, help="Those of a distribution below both; repeatable.")
@click.option("--hints", type=file, help="A file of hints in britney's format.")
@click.option(
    "--dates", "date_file", type=file, help="A file of lines SOURCE VERSION YYYY-MM-DD: since when it is there."
)
@click.option("--min-age", default=0.0, help="The days that a source must be in the candidate.", metavar="DAYS")
@json_option
def command(
    target: Path,
    candidate: Path,
    base: tuple[Path, ...],
    hints: Path | None,
    date_file: Path | None,
    min_age: float,
    *,
    as_json: bool,
) -> None:
    """Compute what of a candidate can replace a target.

    The result is the largest set of sources found after which no package is newly uninstallable.  Packages that need each other go together.  What is uninstallable in the target may stay so.

    It prints NAME VERSION ARCH for each package of the new target, and nothing is changed.  The reasons of what is held
    back are on standard error, or all in one object with --json.
    """
    with without_collector():
        result = migrating.migrate(
            indexes.read([target]),
            indexes.read([candidate]),
            dose.uninstallable,
            base=indexes.read(base),
            hint_text=hint_files.text_of(hints) if hints else "",
            criteria=Criteria(ages=dates.ages(date_file) if date_file else {}, least_age=min_age),
        )
    for warning in result.warnings:
        click.echo(f"qalab: {warning}", err=True)
    if as_json:
        click.echo(json.dumps(migrating.as_data(result), indent=2))
        return
    # Each call of echo flushes: one for each of 100,000 lines takes seconds.
    click.echo("".join(f"qalab: {held.item} is held back: {held.reason}\n" for held in result.held), nl=False, err=True)
    click.echo("".join(f"{' '.join(line)}\n" for line in result.packages), nl=False)
