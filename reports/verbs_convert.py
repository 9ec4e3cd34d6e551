"""The verbs that make JUnit XML: of a run, and of a file that some tool wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from lab.base import files
from lab.results.cases import Case
from lab.store.runs import run_at
from reports import junit, status
from reports.formats import registry


@click.command("junit")
@click.argument("run_name", metavar="[RUN]", default=".")
def junit_verb(run_name: str) -> None:
    """Write results/junit.xml of a run.

    RUN (a name, or a directory; default: this one): its steps and their tools' results.
    """
    run = run_at(Path(run_name)) or status.find(run_name)
    click.echo(junit.write(run))


@click.command()
@click.argument("name", metavar="FORMAT", type=click.Choice([*registry.FORMATS, registry.AUTO]))
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write; default: standard output.")
def convert(name: str, path: Path, output: Path | None) -> None:
    """Write what a tool left as JUnit XML.

    What cannot be read becomes a case that says so.  FORMAT auto: by the file's content.
    """
    cases = registry.cases(name, path)
    made = junit.render(cases)
    if output:
        files.write_atomic(output, made)
    else:
        click.echo(made, nl=False)
    click.echo(f"{path}: {summary_line(cases)}", err=True)


def summary_line(cases: Sequence[Case]) -> str:
    """``7 cases: 5 passed, 2 failed``."""
    counts = Counter(case.outcome for case in cases)
    parts = ", ".join(
        f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "error", "skipped") if counts[outcome]
    )
    return f"{len(cases)} case{'s' * (len(cases) != 1)}: {parts}"


VERBS = (junit_verb, convert)
