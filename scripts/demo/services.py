"""The example of ordinary services: a copy of its lab, with git repositories of its sources."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from lab.base import git, resources
from lab.base.errors import ConfigurationError
from scripts.demo.demo import FIRST_COMMIT

EXAMPLE: Final = "examples/services"
SOURCES: Final = "sources"
PLACEHOLDER: Final = "/srv/services"
MAINTAINER: Final = "Services Lab <lab@services.example>"
VERSION: Final = "v1.0"
MESSAGES: Final = {"upstream": "Keep notes", "packaging": "Package it"}


def copy(directory: Path) -> str:
    """Copy roles, exercises and sources into a directory; return the text of lab.yaml.

    Raises ConfigurationError if one of them exists.
    """
    example = resources.path(EXAMPLE)
    parts = [path for path in sorted(example.iterdir()) if path.is_dir()]
    for part in parts:
        if (directory / part.name).exists():
            raise ConfigurationError(
                f"{directory / part.name}: exists already", hint="name another directory for the lab"
            )
    for part in parts:
        shutil.copytree(part, directory / part.name)
        _make_programs_executable(directory / part.name)
    for name in MESSAGES:
        _make_repository(directory / SOURCES / name, MESSAGES[name])
    git.git(["tag", VERSION], cwd=directory / SOURCES / "upstream")
    return (example / "lab.yaml").read_text(encoding="utf-8").replace(PLACEHOLDER, str(directory))


def _make_programs_executable(directory: Path) -> None:
    """Make files with a #! line executable: an installed qalab can have lost the permission."""
    for path in directory.rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b"#!"):
            path.chmod(0o755)


def _make_repository(path: Path, message: str) -> None:
    env = git.NO_CONFIG | git.identity(MAINTAINER, FIRST_COMMIT)
    git.git(["init", "--quiet", "--initial-branch=main"], cwd=path)
    git.git(["add", "--all"], cwd=path)
    git.git(["commit", "--quiet", "--message", message], cwd=path, env=env)
