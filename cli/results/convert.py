"""``qalab results convert``: convert a tool's results to JUnit XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from lab.base import files
from lab.results.cases import Case, Outcome
from reports import junit
from reports.formats import registry


@click.command("convert")
@click.argument("name", metavar="FORMAT", type=click.Choice([*registry.FORMATS, registry.AUTO]))
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write; default: standard output.")
def command(name: str, path: Path, output: Path | None) -> None:
    """Convert the results of a tool to JUnit XML.

    Content that cannot be read becomes a failing case that says so.  FORMAT auto: recognize it by its content.
    """
    cases = registry.cases(name, path)
    rendered = junit.render(cases)
    if output:
        files.write_atomic(output, rendered)
    else:
        click.echo(rendered, nl=False)
    click.echo(f"{path}: {summary_line(cases)}", err=True)


def summary_line(cases: Sequence[Case]) -> str:
    """Return counts such as ``7 cases: 5 passed, 2 failed``."""
    counts = Counter(case.outcome for case in cases)
    outcomes: tuple[Outcome, ...] = ("passed", "failed", "error", "skipped")
    parts = ", ".join(f"{counts[outcome]} {outcome}" for outcome in outcomes if counts[outcome])
    return f"{len(cases)} case{'s' * (len(cases) != 1)}: {parts}"
