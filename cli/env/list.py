"""``qalab env list``: list the environments of a lab."""

from __future__ import annotations

import json
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

from lab.config import loading
from lab.config.description import Lab
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from scripts import deploy
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
        run = found["not_deployed"]
        nothing = f"the deployment did not pass: qalab show {run}" if run else "nothing deployed"
        click.echo(f"{found['name']}: {nodes}; {found['deployed'] or nothing}")
    if not summaries:
        click.echo("no environments")


def summary(lab: Lab, name: str) -> dict[str, Any]:
    """Return an environment's name, nodes and deployed component as JSON; ``not_deployed``: the run that did not."""
    deployed = Deployed.of(Store.of(lab).environments / name)
    return {
        "name": name,
        "nodes": {node.name: node.address for node in environments.target(lab, name).nodes()},
        "deployed": f"{deployed.component} {deployed.version}" if deployed else "",
        "not_deployed": "" if deployed else not_deployed(Store.of(lab), name),
    }


def not_deployed(store: Store, name: str) -> str:
    """Return the run whose deployment an environment has, though it did not pass; "" where it is of no run."""
    made = (store.environments / name).stat().st_mtime
    records = [(run, run.record(deploy.NAME)) for run in store.runs(name, phase="deploy")]
    later = [
        (record.finished, run)
        for run, record in records
        if record and record.finished and datetime.fromisoformat(record.finished).timestamp() >= made
    ]
    return max(later, key=itemgetter(0))[1].id if later else ""
