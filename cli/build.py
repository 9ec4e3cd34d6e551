"""``qalab build``: build a working tree as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.groups import nearest
from cli.options import keep_option
from cli.output import out
from cli.phases import run_phases
from lab.base.errors import ConfigurationError
from lab.base.terminal import Terminal
from lab.config import loading
from lab.config.description import PHASES, Lab
from lab.config.options import json_option, lab_option
from lab.store.run_directory import check_known
from lab.store.runs import Store
from lab.store.working_tree import steps
from reports import status
from scripts.phases import runner
from scripts.upstream import working_tree


@click.command("build")
@click.argument("directory", default=".", metavar="[DIR]", type=click.Path(path_type=Path))
@lab_option
@click.option("--component", metavar="NAME", help="The component; default: that of DIR's changelog or name.")
@click.option("--track", metavar="TRACK", help="The track; default: the first one that has the component.")
@click.option("--until", metavar="STEP", help="Stop after this step.")
@keep_option
@json_option
def command(
    directory: Path,
    lab_file: Path,
    *,
    component: str | None,
    track: str | None,
    until: str | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Build a git working tree as it is, with uncommitted changes and untracked files.

    DIR has upstream's files, the packaging (debian/), or both; the rest comes from the repositories of the lab.
    The steps are those of a run, without archive, upload and push: such a build is never published. DIR is not changed.
    """
    lab = loading.load(lab_file)
    working_tree.check_tree(directory)  # first: a directory that is not there has no component either
    name = component or component_of(lab, directory)
    where = track or track_of(lab, name)
    check_known(lab, where, name)
    runner.span(steps(PHASES["build"]), None, until)
    console = Terminal(soft_wrap=False, stderr=True) if as_json else out
    store = Store.of(lab)
    store.root.mkdir(parents=True, exist_ok=True)
    with (store.root / "capture.log").open("w", encoding="utf-8") as log:
        tree = working_tree.capture(directory, lab.lab.maintainer, log)
    current = store.new_run(lab, where, name, working_tree=tree)
    if keep:
        current.write_info(current.info.model_copy(update={"keep_chroot": True}))
    code, runs = run_phases(lab, current, console, until=until)
    if as_json:
        click.echo(status.runs_json(runs))
    sys.exit(code)


def component_of(lab: Lab, directory: Path) -> str:
    """Return the component that a directory is of: by its changelog, else its name, else the only one of the lab."""
    changelog = directory / "debian/changelog"
    source = changelog.read_text(errors="replace").partition(" ")[0] if changelog.is_file() else ""
    names = [source] if source else [directory.resolve().name]
    if not source and len(lab.components) == 1:
        names += lab.components
    for name in names:
        if name in lab.components:
            return name
    near = nearest(names[0], [*lab.components])
    hint = f"name it with --component; known: {', '.join(lab.components)}{f'; nearest: {near}' if near else ''}"
    raise ConfigurationError(f"{directory}: {names[0]} is no component of the lab", hint=hint)


def track_of(lab: Lab, component: str) -> str:
    """Return the first track that builds a component.  Raises ConfigurationError when there is none."""
    for name, track in lab.tracks.items():
        if component in lab.components_of(name) and "build" in track.phases:
            return name
    check_known(lab, next(iter(lab.tracks)), component)
    raise ConfigurationError(f"no track builds {component}")
