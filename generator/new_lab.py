"""A new lab: a git repository with a description, its jobs, and none of qalab's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from generator import render
from lab.base import files, git, resources
from lab.base.errors import ConfigurationError
from lab.config import loading

# Descriptions to start from, by name.
EXAMPLES: Final[Mapping[str, str]] = {"minimal": "generator/templates/labs/minimal.yaml", "openstack": "lab.yaml"}
IGNORED: Final = ("*.ini",)
README: Final = """\
# A QA lab

`lab.yaml` describes the lab; `jobs/` contains the Jenkins jobs that qalab generates from it.

    qalab check               # validate lab.yaml and the jobs
    qalab jenkins generate    # write jobs/generated/ after a change of lab.yaml
    qalab jenkins plan        # show what would change on the Jenkins
    qalab run TRACK COMPONENT # run a component without a Jenkins
"""


def example(name: str) -> str:
    """Return the text of an example's lab.yaml."""
    return resources.path(EXAMPLES[name]).read_text(encoding="utf-8")


def check_new(directory: Path) -> None:
    """Raise ConfigurationError if the directory contains a lab."""
    description = directory / "lab.yaml"
    if description.exists():
        raise ConfigurationError(f"{description}: exists already", hint="qalab init starts a lab in a new directory")


def create(directory: Path, text: str, ignored: Sequence[str] = ()) -> list[Path]:
    """Write a new lab into a directory and make it a git repository; return the files, sorted.

    ``text`` is the text of lab.yaml; ``ignored`` are patterns for .gitignore.

    Raises ConfigurationError if the directory contains a lab.
    """
    check_new(directory)
    description = directory / "lab.yaml"
    gitignore = "".join(f"{pattern}\n" for pattern in (*IGNORED, *ignored))
    texts = {description: text, directory / ".gitignore": gitignore, directory / "README.md": README}
    for path, content in texts.items():
        files.write_atomic(path, content)
    lab = loading.load(description)
    written = render.write(lab, directory / "jobs") if lab.jenkins else []
    if not (directory / ".git").exists():
        git.git(["init", "--quiet", "--initial-branch=main"], cwd=directory)  # the default of jenkins.repository
    return sorted([*texts, *written])
