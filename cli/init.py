"""``qalab init``: start a lab in a git repository of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import click
import yaml

from cli.output import out
from generator import new_lab
from lab.base.errors import ConfigurationError
from scripts.demo import demo, services
from scripts.demo.examples import HELLO
from scripts.drivers.nspawn import driver

DEMO: Final = "demo"
SERVICES: Final = "services"
SOURCES: Final = "sources"
COMMIT: Final = "commit it (git add --all; git commit)"
DEMO_HEADER: Final = f"""\
# The package {HELLO.component}: each upstream commit is built, and deployed if this machine can boot containers.
# The repositories are in {SOURCES}/; commit to {SOURCES}/upstream, and run again.
# What each key means: qalab schema, or the reference of lab.yaml in qalab's documentation.

"""


@click.command("init")
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from",
    "example",
    default="minimal",
    show_default=True,
    type=click.Choice([*new_lab.EXAMPLES, DEMO, SERVICES]),
    help=f"The lab.yaml to start from. {DEMO}: the package of qalab demo; {SERVICES}: a web application with its database. "
    "Both have their repositories and are ready to run.",
)
def command(directory: Path, example: str) -> None:
    """Start a lab in a git repository: lab.yaml, its jobs, a README."""
    new_lab.check_new(directory)
    if example == DEMO:
        text = make_demo(directory.resolve() / SOURCES)
        paths = new_lab.create(directory, text, [f"/{SOURCES}/"])
        following = f"{COMMIT}, then: qalab run {demo.TRACK} {HELLO.component}"
    elif example == SERVICES:
        paths = new_lab.create(directory, services.copy(directory.resolve()), [f"/{SOURCES}/"])
        following = f"{COMMIT}, then: qalab run trunk notes"
    else:
        paths = new_lab.create(directory, new_lab.example(example))
        following = f"edit lab.yaml, then: qalab check; qalab jenkins generate; {COMMIT}; qalab run TRACK COMPONENT"
    for path in paths:
        out.print(f"{path}")
    out.print(following)


def make_demo(sources: Path) -> str:
    """Make the repositories of the demo in a new directory; return the text of a lab.yaml for them.

    A failure leaves no directory.  Raises ConfigurationError for a directory that exists.
    """
    if sources.exists():
        raise ConfigurationError(f"{sources}: exists already", hint="name another directory for the lab")
    sources.mkdir(parents=True)
    try:
        with (sources / "import.log").open("w", encoding="utf-8") as log:
            out.print(f"importing the source package {HELLO.component} of Debian {demo.SERIES}")
            demo.make_repositories(HELLO, sources, log)
    except BaseException:
        shutil.rmtree(sources)
        raise
    lab = demo.describe_lab(HELLO, sources, name="hello-lab", deployed=not driver.missing_prerequisite())
    lab["jenkins"] = {"url": "https://jenkins.lab.example/"}
    return DEMO_HEADER + yaml.safe_dump(lab, sort_keys=False)
