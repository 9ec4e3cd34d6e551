"""A new lab: a git repository with a description, its jobs, and nothing of qalab's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from generator import render
from lab.base import files, git, resources
from lab.base.errors import ConfigurationError
from lab.config import loading

# Descriptions to start from, by name.
EXAMPLES: Final[Mapping[str, str]] = {"minimal": "generator/templates/labs/minimal.yaml", "openstack": "lab.yaml"}
GITIGNORE: Final = "*.ini\n"
README: Final = """\
# A QA lab

`lab.yaml` describes the lab; `jobs/` holds the Jenkins jobs that qalab makes of it.

    qalab check               # validate lab.yaml and the jobs
    qalab jenkins generate    # write jobs/generated/ after a change of lab.yaml
    qalab jenkins plan        # show what would change on the Jenkins
    qalab run TRACK COMPONENT # run a component without a Jenkins
"""


def create(directory: Path, example: str) -> list[Path]:
    """Write a new lab into a directory and make it a git repository; return the files, sorted.

    Raises ConfigurationError if the directory has a lab.yaml.
    """
    description = directory / "lab.yaml"
    if description.exists():
        raise ConfigurationError(f"{description}: exists already", hint="qalab init starts a lab in a new directory")
    text = resources.path(EXAMPLES[example]).read_text(encoding="utf-8")
    texts = {description: text, directory / ".gitignore": GITIGNORE, directory / "README.md": README}
    for path, content in texts.items():
        files.write_atomic(path, content)
    written = render.write(loading.load(description), directory / "jobs")
    if not (directory / ".git").exists():
        git.git(["init", "--quiet"], cwd=directory)
    return sorted([*texts, *written])
