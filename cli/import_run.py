"""``qalab import``: take over a run that another machine has built."""

from __future__ import annotations

from pathlib import Path

import click

from cli.output import out
from lab.config import loading
from lab.config.options import lab_option
from scripts.handover import importing, verification
from scripts.handover.verification import Expected


@click.command("import")
@click.argument("source", metavar="DIR|FILE", type=click.Path(path_type=Path))
@lab_option
@click.option(
    "--run",
    "directory",
    default=".",
    type=click.Path(path_type=Path),
    help="The directory that becomes the run directory; default: the current directory.",
)
@click.option("--track", default="", help="The track that the run must be of.")
@click.option("--component", default="", help="The component that the run must be of.")
@click.option("--number", type=int, help="The number that the run must have.")
@click.option("--url", default="", help="The Jenkins build that the run must be of.")
@click.option("--commit", default="", metavar="REV", help="The upstream commit that the run must be of.")
def command(
    source: Path, lab_file: Path, directory: Path, track: str, component: str, number: int | None, url: str, commit: str
) -> None:
    """Take over a run that another machine has built, and verify it.

    DIR|FILE is the run directory, or a tar or zip file of it, such as the artifacts of a Jenkins build. The records
    must be complete, match the files, and be of the run that the options name. A run that is not is refused (exit
    code 3). Continue with qalab step archive.
    """
    lab = loading.load(lab_file)
    expected = Expected(track, component, number, url, commit)
    run = importing.import_run(lab, source, directory.resolve(), expected)
    files = len(verification.recorded(run))
    out.print(f"{run.id}: {run.version}, commit {run.info.commit[:10]}: verified, {files} files", soft_wrap=True)
