"""``qalab env create``: boot the pristine nodes of a track."""

from __future__ import annotations

from pathlib import Path

import click

from cli.env import log
from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.options import lab_option
from lab.store.run_directory import WHOLE, check_known
from lab.store.runs import Store
from scripts.archives import package_source
from scripts.deployment import environments, installation, planner


@click.command("create")
@lab_option
@click.argument("track")
@click.argument("component", required=False)
def command(lab_file: Path, track: str, component: str | None) -> None:
    """Boot the pristine nodes of a track, with nothing deployed on them.

    The nodes are those that TRACK deploys COMPONENT on, with the dependencies of its packages.
    """
    lab = loading.load(lab_file)
    component = component or WHOLE
    check_known(lab, track, component, "deploy")
    store = Store.of(lab)
    with environments.exclusive_turn(lab, track, wait=False), log.opened(store, track) as stream:
        source = package_source.for_track(lab, track, component, stream)
        topology = planner.topology(lab, track, component, installation.built(source.archive))
        target = environments.target(lab, track, stream)
        if target.nodes():
            raise ConfigurationError(f"{track}: already exists", hint=f"qalab env reset {track}, or env destroy")
        if other := environments.current_holder(lab, track):
            raise ConfigurationError(f"{track}: its machines are in use by {other}", hint=f"qalab env destroy {other}")
        with (
            source.reached(target) as repository,
            target.prepare(planner.pristine(lab, track, topology, repository)) as snapshot,
        ):
            nodes = target.create(snapshot, topology.nodes)
    log.print_nodes(track, nodes)
