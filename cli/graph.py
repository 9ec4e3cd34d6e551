"""``qalab graph``: the order in which the components of a track are built."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from cli.output import out, print_lines
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.results.component_graph import ComponentGraph
from lab.store.run_directory import check_known
from scripts.ordering import drawing
from scripts.ordering.track_components import TrackComponents, packaging_control


@click.command("graph")
@click.argument("track", required=False)
@lab_option
@json_option
@click.option("--dot", "as_dot", is_flag=True, help="Print DOT, the language of Graphviz.")
def command(track: str | None, lab_file: Path, *, as_json: bool, as_dot: bool) -> None:
    """Show which components build-depend on which others, of TRACK or of all tracks.

    A level has the components that can be built at the same time, once the levels before it are built. The build
    dependencies are those of the newest source packages in the lab's archive; for a component that was never built,
    those of its packaging. Exit code 3: the build dependencies of a component cannot be read.
    """
    lab = loading.load(lab_file)
    if track:
        check_known(lab, track)
    if as_json and as_dot:
        raise click.UsageError("--json and --dot exclude each other")
    tracks = [track] if track else [name for name, each in lab.tracks.items() if "build" in each.phases]
    if not tracks:
        raise ConfigurationError(f"{lab.file}: no track has the phase build")
    graphs = {name: TrackComponents(lab, name, packaging_control(lab, name)).graph for name in tracks}
    if as_json:
        click.echo(json.dumps({name: drawing.as_data(graph) for name, graph in graphs.items()}, indent=2))
    elif as_dot:
        click.echo("\n".join(line for name, graph in graphs.items() for line in drawing.dot_lines(name, graph)))
    else:
        print_graphs(graphs)
    if any(graph.unknown for graph in graphs.values()):
        sys.exit(InfrastructureError.exit_code)


def print_graphs(graphs: Mapping[str, ComponentGraph]) -> None:
    """Print graphs as text, each with its track where there are several."""
    for name, graph in graphs.items():
        if len(graphs) > 1:
            out.print(f"{name}:")
        print_lines(drawing.text_lines(graph))
