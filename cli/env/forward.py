"""``qalab env forward``: reach a port of a node from this machine."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import click

from cli.env.names import chosen_node
from lab.base import resources
from lab.config import loading
from lab.config.options import lab_option
from scripts.deployment import environments

PORT = click.IntRange(1, 65535)


@click.command("forward")
@lab_option
@click.argument("name", metavar="NAME")
@click.argument("port", type=PORT)
@click.option("--node", help="The node; default: the first.")
@click.option("--local", type=PORT, help="The port of this machine; default: a free one.")
def command(lab_file: Path, name: str, port: int, node: str | None, local: int | None) -> None:
    """Forward a port of this machine's loopback address to PORT of a node, until Ctrl-C."""
    lab = loading.load(lab_file)
    chosen = chosen_node(lab, name, node)
    with socket.create_server(("127.0.0.1", local or 0)) as server:
        click.echo(f"http://127.0.0.1:{server.getsockname()[1]}/ is port {port} of {chosen.name}; end with Ctrl-C")
        argv = [sys.executable, "-m", "scripts.drivers.forwarding", str(server.fileno()), chosen.address, str(port)]
        environments.target(lab, name).beside(argv, cwd=resources.ROOT, keep=[server.fileno()])
