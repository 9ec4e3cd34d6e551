"""Where a lab's site, its bundles and its identity are."""

from __future__ import annotations

from pathlib import Path

import click

from lab.config.description import Lab
from lab.store.runs import Store

out_option = click.option(
    "--out",
    "directory",
    type=click.Path(path_type=Path),
    help="The directory of the site; default: in the lab's state.",
)


def site_directory(lab: Lab) -> Path:
    """Return the directory of a lab's site."""
    return Store.of(lab).root / "site"


def bundles(lab: Lab) -> list[Path]:
    """Return the bundles in a lab's store."""
    return sorted((Store.of(lab).root / "bundles").glob("??/*.tar.gz"))
