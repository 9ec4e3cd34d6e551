"""``qalab env cp``: copy files to and from a node."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath

import click

from cli.env.names import nodes_of
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import ProgramFailed
from lab.config import loading
from lab.config.options import lab_option
from lab.results.apt_log import complaint
from scripts.drivers.interfaces import Node

Nodes = dict[str, Node]


@click.command("cp")
@lab_option
@click.argument("name", metavar="NAME")
@click.argument("source")
@click.argument("destination")
def command(lab_file: Path, name: str, source: str, destination: str) -> None:
    """Copy a file or a directory to a node of an environment, or from it.

    A place on a node is NODE:PATH, such as node0:/etc/hosts.  DESTINATION is the new name, or an existing directory.
    """
    nodes = nodes_of(loading.load(lab_file), name)
    here, there = place(nodes, source), place(nodes, destination)
    if bool(here) == bool(there):
        raise ConfigurationError("name one place on a node, as NODE:PATH", hint=f"nodes: {', '.join(nodes)}")
    if here:
        fetch(*here, Path(destination))
    elif there:
        send(Path(source), *there)


def place(nodes: Nodes, text: str) -> tuple[Node, PurePosixPath] | None:
    """Return the node and the path that a text names; None for a path of this machine."""
    name, colon, path = text.partition(":")
    if not colon or "/" in name:
        return None
    if name not in nodes or not path.startswith("/"):
        raise ConfigurationError(f"{text}: not NODE:/PATH", hint=f"nodes: {', '.join(nodes)}")
    return nodes[name], PurePosixPath(path)


def send(source: Path, node: Node, path: PurePosixPath) -> None:
    """Copy a file or directory of this machine to a path of a node."""
    if not source.exists():
        raise ConfigurationError(f"{source}: no such file")
    if node.run(["test", "-d", str(path)], check=False):
        path /= source.resolve().name
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(source, path.name)
    script = 'mkdir -p -- "$1"; tar -x --no-same-owner -C "$1"'
    sent, lines = node.attempt(["sh", "-euc", script, "sh", str(path.parent)], stdin=packed.getvalue())
    if not sent:
        why = complaint([line for line in lines if "Exiting with failure" not in line])
        raise InfrastructureError(f"{node.name}:{path}: cannot be written: {why}")


def fetch(node: Node, path: PurePosixPath, destination: Path) -> None:
    """Copy a file or directory of a node to this machine."""
    target = destination / path.name if destination.is_dir() else destination
    try:
        shown = node.run(["tar", "-c", "-C", str(path.parent), "--", path.name], capture=True)
    except ProgramFailed:
        raise ConfigurationError(f"{node.name}:{path}: cannot be read") from None
    content = io.BytesIO(shown.stdout.encode("utf-8", "surrogateescape"))
    with tarfile.open(fileobj=content) as tar:
        for member in tar.getmembers():
            inner = PurePosixPath(member.name).relative_to(path.name)
            member.name = str(target.name / inner)
            try:
                tar.extract(member, target.parent, filter="data")
            except tarfile.FilterError as error:  # a link out of the directory, a device
                raise ConfigurationError(f"{node.name}:{path}: {error}") from None
