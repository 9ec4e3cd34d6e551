"""The names of machines in arguments, and what several verbs do with a machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from cli.env import log
from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.drivers.metal import by_hand


def load_lab(lab_file: Path, *names: str) -> Lab:
    """Read a lab that has some machines.  Raises ConfigurationError for an unknown one."""
    lab = loading.load(lab_file)
    for name in names:
        if name not in lab.machines:
            raise ConfigurationError(f"no machine {name}", hint=loading.known_names(name, lab.machines))
    return lab


def chosen_series(lab: Lab, series: str | None) -> str:
    """Return a series of the lab, by default its first.  Raises ConfigurationError for an unknown one."""
    chosen = series or next(iter(lab.series))
    if chosen not in lab.series:
        raise ConfigurationError(f"no series {chosen}", hint=loading.known_names(chosen, lab.series))
    return chosen


def _by_hand(lab_file: Path, name: str, series: str | None, *, install: bool) -> None:
    """Restore or install a machine, and print its stages."""
    lab = load_lab(lab_file, name)
    chosen = chosen_series(lab, series)
    with log.opened(Store.of(lab), name) as stream:
        click.echo(f"{name}: details are in {stream.name}", err=True)
        target = by_hand.restore(lab, name, chosen, stream, install=install)
    noted = target.noted()
    stages = noted.stages["node0"] if noted else {}
    click.echo(f"{name}: {', '.join(f'{stage} {seconds:g} s' for stage, seconds in stages.items())}")


restore_by_hand = partial(_by_hand, install=False)
install_by_hand = partial(_by_hand, install=True)
