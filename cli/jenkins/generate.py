"""``qalab jenkins generate``: write jobs/generated/ from lab.yaml."""

from __future__ import annotations

from pathlib import Path

import click

from cli.output import out
from generator import render
from lab.base.errors import Failed
from lab.config import loading
from lab.config.options import lab_option


@click.command("generate")
@lab_option
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if there are differences.")
def command(lab_file: Path, *, check: bool) -> None:
    """Write jobs/generated/ from lab.yaml."""
    lab, jobs = loading.load(lab_file), lab_file.parent / "jobs"
    stale = render.stale(lab, jobs)
    if check and stale:
        raise Failed(f"{', '.join(map(str, stale))}: differs from {lab_file}", hint="run: qalab jenkins generate")
    if not check:
        render.write(lab, jobs)
    out.print(f"{jobs / 'generated'}: {f'{len(stale)} files written' if stale else 'up to date'}")
