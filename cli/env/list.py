"""``qalab env list``: list the environments of a lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from lab.config import loading
from lab.config.description import Lab
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from scripts.deployment import environments
from scripts.services.deployed_state import Deployed


@click.command("list")
@lab_option
@json_option
def command(lab_file: Path, *, as_json: bool) -> None:
    """List the lab's environments, their nodes and their deployments."""
    lab = loading.load(lab_file)
    summaries = [summary(lab, name) for name in environments.names(lab)]
    if as_json:
        click.echo(json.dumps(summaries, indent=2))
        return
    for found in summaries:
        nodes = ", ".join(f"{name} {address}" for name, address in found["nodes"].items())
        nodes = nodes or f"incomplete; remove it with: qalab env destroy {found['name']}"
        click.echo(f"{found['name']}: {nodes}; {found['deployed'] or 'nothing deployed'}")
    if not summaries:
        click.echo("no environments")


def summary(lab: Lab, name: str) -> dict[str, Any]:
    """Return an environment's name, nodes and deployed component as JSON."""
    deployed = Deployed.of(Store.of(lab).environments / name)
    return {
        "name": name,
        "nodes": {node.name: node.address for node in environments.target(lab, name).nodes()},
        "deployed": f"{deployed.component} {deployed.version}" if deployed else "",
    }
