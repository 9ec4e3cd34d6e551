"""``qalab watch``: test new upstream commits, or new proposed packages, as they appear."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.options import WEEK_SECONDS
from cli.output import out
from cli.phases import run_phases
from lab.config import loading
from lab.config.options import lab_option
from lab.store.run_directory import check_known
from scripts.phases import watching


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
def command(track: str, lab_file: Path, interval: int, *, once: bool) -> None:
    """Test every new upstream commit, in order.

    On a track of proposed packages: test each update that waits, with its companions, and then all of them together.
    """
    lab = loading.load(lab_file)
    check_known(lab, track)
    codes = [
        run_phases(lab, current, out)[0] for current in watching.watch(lab, track, interval, once=once, say=out.print)
    ]
    if not codes:
        out.print(f"{track}: no new {'packages' if lab.tracks[track].trigger == 'proposed' else 'commits'}")
    sys.exit(max(codes, default=0))
