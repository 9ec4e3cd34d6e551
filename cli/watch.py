"""``qalab watch``: test new upstream commits, proposed packages or changes under review, as they appear."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from cli import bisecting
from cli.options import WEEK_SECONDS
from cli.output import out
from cli.phases import run_phases
from lab.base import environment, resources
from lab.base.background import BackgroundPrograms
from lab.base.run import Word
from lab.config import loading
from lab.config.description import Lab, Trigger
from lab.config.options import lab_option
from lab.store.run_directory import Run, check_known
from scripts.phases import watching

MOST_JOBS = 64
NEWS: Mapping[Trigger, str] = {"commit": "commits", "proposed": "packages", "review": "changes"}


@click.command("watch")
@click.argument("track")
@lab_option
@click.option(
    "--interval",
    type=click.IntRange(1, WEEK_SECONDS),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="Time between two polls.",
)
@click.option("--once", is_flag=True, help="Poll once, then end.")
@click.option(
    "--jobs",
    type=click.IntRange(1, MOST_JOBS),
    metavar="N",
    help="Number of components to build at the same time.  [default: runs.jobs of lab.yaml]",
)
@click.option(
    "--bisect",
    is_flag=True,
    help="Search for the change that broke a test, while there is nothing new; see qalab bisect.",
)
def command(track: str, lab_file: Path, interval: int, jobs: int | None, *, once: bool, bisect: bool) -> None:
    """Test every new upstream commit, in order.

    A component waits for the components that it build-depends on, and is not started while one of them fails.
    On a track of proposed packages: test each update that waits, with its companions, and then all of them together.
    On a track of changes under review: test each open change, merged onto the tip of its branch.
    """
    lab = loading.load(lab_file)
    check_known(lab, track)
    jobs = jobs or lab.runs.jobs
    if bisect:
        bisecting.check_trigger(lab, track)

    def search() -> None:
        bisecting.idle(lab, track, out.print, None if once else interval)

    idle = search if bisect else None
    if jobs > 1 and lab.tracks[track].trigger == "commit":
        codes = _watch_parallel(lab, track, interval, jobs, once=once, idle=idle)
    else:
        codes = [
            run_phases(lab, current, out)[0]
            for current in watching.watch(lab, track, interval, once=once, say=out.print, idle=idle)
        ]
    if not codes:
        out.print(f"{track}: no new {NEWS[lab.tracks[track].trigger]}")
    sys.exit(max(codes, default=0))


def _watch_parallel(
    lab: Lab, track: str, interval: int, jobs: int, *, once: bool, idle: Callable[[], None] | None
) -> list[int]:
    """Watch with several runs at the same time, each in a `qalab run` of its own; return their exit codes.

    The output of a run appears at its end, so that the lines of two do not mix.
    """
    codes: list[int] = []
    runs: dict[str, Run] = {}
    with BackgroundPrograms() as programs:

        def finished() -> Run:
            name, code = programs.wait()
            out.print(_output_path(runs[name]).read_text(errors="replace").rstrip("\n"))
            codes.append(abs(code))
            return runs.pop(name)

        found = watching.watch(lab, track, interval, once=once, say=out.print, jobs=jobs, finished=finished, idle=idle)
        for current in found:
            runs[current.id] = current
            argv: list[Word] = [sys.executable, "-m", "cli", "run", "--run", current.id, "--lab", lab.file.resolve()]
            programs.start(current.id, argv, _output_path(current), environment.own(), resources.ROOT)
    return codes


def _output_path(run: Run) -> Path:
    return run.path / "output.log"
