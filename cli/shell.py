"""``qalab shell``: open a shell in the chroot of a build."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.options import lab_option
from lab.store.step import check_ours
from reports import status
from scripts.chroots import build_shell, kept_sessions
from scripts.chroots.build_shell import Wish
from scripts.chroots.chroots import Chroots


@click.command("shell", context_settings={"ignore_unknown_options": True})
@lab_option
@click.option("--root", "as_root", is_flag=True, help="Open the shell as root; default: the build user.")
@click.argument("run_name", metavar="RUN")
@click.argument("words", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
def command(lab_file: Path, run_name: str, words: Sequence[str], *, as_root: bool) -> None:
    """Open a shell, or run COMMAND, in the chroot and the build directory of a failed RUN.

    If the chroot was not kept, this makes a new one with the build dependencies and the unpacked source.
    """
    lab = loading.load(lab_file)
    current = status.find(run_name, lab.lab.name)
    check_ours(lab, current.info)
    if current.info.phase != "build":
        raise ConfigurationError(f"{current.id}: is no build", hint="qalab env shell opens a shell on a deployment")
    wish = Wish(tuple(words), as_root)
    with current.results.joinpath("shell.log").open("w", encoding="utf-8", errors="surrogateescape") as log:
        chroots = Chroots.here(log)
        kept = kept_sessions.find(chroots.way.home, current) if chroots.way.mode == "schroot" else None
        if kept:
            click.echo(f"qalab: the chroot of the failed build, kept since {kept.manifest.created}", err=True)
            build = lab.component(current.info.component, current.info.track).build
            sys.exit(build_shell.in_kept(chroots.way, kept, build, wish))
        build_shell.source_of(current)
        click.echo(
            "qalab: no chroot of this build is kept; making a new one with the build dependencies and the source",
            err=True,
        )
        sys.exit(build_shell.in_new(lab, current, chroots, wish))
