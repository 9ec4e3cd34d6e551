"""``qalab archive result``: record the results of a phase that ran on another machine."""

from __future__ import annotations

from pathlib import Path

import click

from cli.output import out
from lab.base import files
from lab.config import loading
from lab.config.options import lab_option
from lab.store.run_directory import HANDED_OVER, parameters
from scripts.handover.verification import Expected
from scripts.promotion import elsewhere


@click.command("result")
@click.argument("source", metavar="DIR|FILE", type=click.Path(path_type=Path))
@lab_option
@click.option("--track", default="", help="The track that the run must be of.")
@click.option("--number", type=int, help="The number that the run must have.")
@click.option("--url", default="", help="The Jenkins build that the run must be of.")
def command(source: Path, lab_file: Path, track: str, number: int | None, url: str) -> None:
    """Record the results of a phase that ran on another machine, for promotions.

    DIR|FILE is the run directory, or a tar or zip file of it, such as the artifacts of a Jenkins build. The run must be
    the one that the options name; another one is refused (exit code 3). Where a promotion waits for these results,
    results/parameters.properties starts it.
    """
    lab = loading.load(lab_file)
    run, awaited = elsewhere.take(lab, source, Expected(track=track, number=number, url=url))
    if awaited:
        files.write_atomic(Path("results", HANDED_OVER), parameters({"STATE": run.info.archive}))
    out.print(f"{run.id}: {run.info.phase}: {run.verdict}{': a promotion waits for it' if awaited else ''}")
