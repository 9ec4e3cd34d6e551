"""The verbs on environments: what is deployed on this machine, for a person who wants to look inside."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

import click

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.description import Lab
from lab.store.runs import WHOLE, Store, check_known
from scripts.archives import package_source
from scripts.deployment import environments, installation, planner
from scripts.drivers.interfaces import Node
from scripts.services.deployed_state import Deployed

SHELL = ("bash", "--login")


def _load(_: click.Context, __: click.Parameter, path: Path) -> Lab:
    return loading.load(path)


lab_option = click.option(
    "--lab",
    envvar="QALAB_LAB",
    default="lab.yaml",
    show_default=True,
    type=click.Path(path_type=Path, readable=False),
    callback=_load,
    help="The lab's description.",
)
name_argument = click.argument("name", metavar="NAME")


@click.group("env")
def env() -> None:
    """Look into what is deployed.

    Make environments, look into them, and be rid of them; a track's deployment is called as the track is.
    """


@env.command()
@lab_option
@click.argument("track")
@click.argument("component", required=False)
def create(lab: Lab, track: str, component: str | None) -> None:
    """Boot the nodes of a track, pristine.

    Those that TRACK deploys COMPONENT on, with what its packages depend on, and nothing of it deployed yet.
    """
    check_known(lab, track, component or WHOLE, "deploy")
    store = Store.of(lab)
    with environments.exclusive_turn(lab, track, wait=False), _log(store, track) as log:
        offer = package_source.for_track(lab, track, component or WHOLE, log)
        wanted = planner.topology(lab, track, component or WHOLE, installation.built(offer.archive))
        target = environments.target(lab, track, log)
        if target.nodes():
            raise ConfigurationError(f"{track}: is there already", hint=f"qalab env reset {track}, or env destroy")
        if other := environments.current_holder(lab, track):
            raise ConfigurationError(f"{track}: its machines are in use by {other}", hint=f"qalab env destroy {other}")
        with (
            offer.reached(target) as repository,
            target.prepare(planner.pristine(lab, track, wanted, repository)) as snapshot,
        ):
            nodes = target.create(snapshot, wanted.nodes)
    _tell(track, nodes)


@env.command("list")
@lab_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_verb(lab: Lab, *, as_json: bool) -> None:
    """List the lab's environments."""
    told = [_summary(lab, name) for name in environments.names(lab)]
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for each in told:
        nodes = ", ".join(f"{name} {address}" for name, address in each["nodes"].items())
        click.echo(
            f"{each['name']}: {nodes or 'not whole: qalab env destroy removes it'}; {each['deployed'] or 'bare'}"
        )
    if not told:
        click.echo("no environments")


@env.command(context_settings={"ignore_unknown_options": True})
@lab_option
@name_argument
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--node", help="Which node; default: the first.")
def shell(lab: Lab, name: str, command: Sequence[str], node: str | None) -> NoReturn:
    """Open a shell on a node, or run COMMAND."""
    nodes = {each.name: each for each in environments.target(lab, name).nodes()}
    if not nodes:
        there = ", ".join(environments.names(lab)) or "none"
        raise ConfigurationError(f"no environment {name}; there is: {there}")
    if node and node not in nodes:
        raise ConfigurationError(f"{name}: no node {node}; known: {', '.join(nodes)}")
    chosen = nodes[node] if node else next(iter(nodes.values()))
    terminal = f"TERM={environment.variable('TERM') or 'dumb'}"
    words = [str(word) for word in chosen.enter(["env", terminal, *(command or SHELL)])]
    os.execvp(words[0], words)  # noqa: S606 - it takes our place and our terminal


@env.command()
@lab_option
@name_argument
def reset(lab: Lab, name: str) -> None:
    """Bring all nodes back to pristine."""
    with environments.exclusive_turn(lab, name, wait=False), _log(Store.of(lab), name) as log:
        nodes = environments.reset(lab, name, log)
    _tell(name, nodes)


@env.command()
@lab_option
@click.argument("names", nargs=-1, metavar="[NAME...]")
def destroy(lab: Lab, names: Sequence[str]) -> None:
    """Leave nothing of some, or of all."""
    there = environments.names(lab)
    for name in names or there:
        with environments.exclusive_turn(lab, name, wait=False), _log(Store.of(lab), name) as log:
            gone = environments.target(lab, name, log).destroy()
        click.echo(f"{name}: {'gone' if gone else 'there was nothing'}")
    if not (names or there):
        click.echo("no environments")


def _summary(lab: Lab, name: str) -> dict[str, Any]:
    deployed = Deployed.of(Store.of(lab).environments / name)
    return {
        "name": name,
        "nodes": {node.name: node.address for node in environments.target(lab, name).nodes()},
        "deployed": f"{deployed.component} {deployed.version}" if deployed else "",
    }


def _tell(name: str, nodes: Sequence[Node]) -> None:
    for node in nodes:
        click.echo(f"{name}: {node.name} {node.address}; look inside with: qalab env shell {name} --node {node.name}")


def _log(store: Store, name: str) -> IO[str]:
    path = store.root / "logs" / f"env-{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8", errors="surrogateescape")
