"""The verbs of the public site: build and serve."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
from rich.progress import track

from lab.base import environment
from lab.base.terminal import Terminal
from lab.config import loading
from lab.config.description import Lab
from lab.config.options import lab_option
from lab.store.runs import Store
from reports.site import Identity, build
from reports.site.serve import server

out = Terminal()
out_option = click.option(
    "--out", "directory", type=click.Path(path_type=Path), help="Where the site is; default: in the lab's own state."
)


def place(lab: Lab) -> Path:
    """Where a lab's site is made, unless it is told otherwise."""
    return Store.of(lab).root / "site"


def identity(lab: Lab) -> Identity:
    url = (lab.public.site_url if lab.public else None) or ""
    return Identity(lab.lab.name, lab.lab.description, f"{url.rstrip('/')}/" if url else "")


def bundles(lab: Lab) -> list[Path]:
    """The bundles of a lab's store."""
    return sorted((Store.of(lab).root / "bundles").glob("??/*.tar.gz"))


def shown(digests: Iterable[str]) -> Iterable[str]:
    """Progress, on a terminal."""
    return track(list(digests), "reading bundles", console=out, disable=not environment.on_terminal())


@click.group("site")
def site() -> None:
    """Make the public site, and show it.

    Static pages of what is broken, since when, and by which commit.
    """


@site.command("build")
@lab_option
@out_option
@click.option("--rebuild", is_flag=True, help="Make all pages anew, whatever there is.")
def build_verb(lab_file: Path, directory: Path | None, *, rebuild: bool) -> None:
    """Bring the site up to date with the lab's bundles."""
    lab = loading.load(lab_file)
    target = directory or place(lab)
    report = build(bundles(lab), target, identity(lab), rebuild=rebuild, progress=shown)
    for error in report.left_out.values():
        out.print(f"left out: {error}")
    for where, error in report.stale.items():
        out.print(f"not made: pages of {where}: {error}")
    done = "made anew" if report.rebuilt else "brought up to date"
    out.print(f"{target / 'current'}: {done}: builds added: {report.added}, files written: {len(report.written)}")
    sys.exit(report.exit_code)


@site.command("serve")
@lab_option
@out_option
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
def serve_verb(lab_file: Path, directory: Path | None, port: int) -> None:
    """Show the site to a browser on this machine, until ^C."""
    with server(directory or place(loading.load(lab_file)), port) as running, contextlib.suppress(KeyboardInterrupt):
        out.print(f"http://127.0.0.1:{running.server_port}/ (end it with ^C)")
        running.serve_forever()


VERBS: Final = (site,)
