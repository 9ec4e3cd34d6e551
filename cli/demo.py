"""``qalab demo``: run the main job on real input, without a Jenkins."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from cli import publisher
from cli.output import out
from cli.phases import run_phases
from cli.setup import set_up_if_needed
from lab.base import environment, files, outages
from lab.base.errors import InfrastructureError
from lab.config import loading
from lab.config.description import PHASES, Lab
from lab.store.run_directory import Run
from lab.store.runs import Store
from lab.store.step import EXIT_CODES
from reports import status
from scripts.chroots.installed_command import run_installed
from scripts.demo import demo
from scripts.demo.examples import DEMOS
from scripts.drivers.nspawn import driver, leftovers


@click.command("demo")
@click.option(
    "--component",
    default="hello",
    show_default=True,
    type=click.Choice([name for name in DEMOS if name != "openstack"]),
)
@click.option("--openstack", is_flag=True, help="One commit of keystone in a whole cloud, with Tempest.")
def command(component: str, *, openstack: bool) -> None:
    """Run the main job on a real source package: build, deploy, test and publish two commits.

    No Jenkins is needed.
    """
    set_up_if_needed()
    sys.exit(run("openstack" if openstack else component))


def run(name: str) -> int:
    """Run a demo of `DEMOS`, print where its results are, and return the exit code.

    Raises InfrastructureError while another process runs it: each demo starts afresh, in the same directory.
    """
    with ExitStack() as held:
        try:
            held.enter_context(files.locked(environment.state_home() / f"demo-{name}.lock", wait=False))
        except files.Busy:
            raise InfrastructureError(f"the demo {name} is under way in another process: wait for its end") from None
        return run_alone(name)


def run_alone(name: str) -> int:
    """Run a demo that no other process runs; see `run`."""
    example = DEMOS[name]
    home = demo.empty_home(name)
    with (home / "demo.log").open("w", encoding="utf-8") as log:
        out.print(f"importing {demo.origin(example)}")
        commits = demo.make_repositories(example, home, log)
        if away := outages.told():
            out.print(away)
        missing = driver.missing_prerequisite()
        description = demo.write_lab(example, home, deployed=not missing)
        lab = loading.load(description)
        store = Store.of(lab)
        for commit in commits:
            code, _ = run_phases(lab, store.new_run(lab, demo.TRACK, example.component, commit), out)
            if code not in {0, EXIT_CODES["unstable"]}:
                return code
        if missing:
            out.print(f"{missing}: {example.install} is installed from the lab's archive in a clean chroot instead")
            printed = run_installed(lab, demo.TRACK, example.install, example.command, log).strip()
        else:
            printed = demo.last_printed(store)
    out.print(f"$ {shlex.join(example.command)}\n{printed}")
    if printed.splitlines()[-1:] != [example.prints]:
        out.print(f"expected output: {example.prints}")
        return 1
    for phase in PHASES:
        if runs := [run for run in store.runs() if run.info.phase == phase]:
            out.print(status.side_by_side(runs))
    page = publish(lab, description)
    left = leftovers.left_by(store.environments)
    for line in left or ["nothing: no process, mount, namespace, link, loop device or control group"]:
        out.print(f"left of containers     {line}")
    for what, where in (
        ("lab description", description),
        ("package archive", store.archive),
        ("runs", store.root / "runs"),
        ("site", page),
        ("look around with", f"export QALAB_LAB={shlex.quote(str(description))}"),
        ("", "qalab site serve"),
        *(("", line) for line in tour([*store.runs()])),
    ):
        out.print(f"{what:<22} {where}")
    return InfrastructureError.exit_code if left else code


def tour(runs: Sequence[Run]) -> list[str]:
    """Return the commands that look at the runs of a demo."""
    builds = [run.id for run in runs if run.info.phase == "build"]
    last = runs[-1]
    shown = ["qalab status", f"qalab show {last.id}", f"qalab log {last.id} {last.records()[0].step}"]
    return [*shown, f"qalab diff {builds[0]} {builds[-1]}"] if len(builds) > 1 else shown


def publish(lab: Lab, description: Path) -> Path:
    """Publish the builds of a lab and return the home page of its site."""
    with publisher.opened(lab, description.parent) as (current, _):
        publisher.print_report(current.run(), as_json=False)
        return Path(current.place.site, "current", "index.html")
