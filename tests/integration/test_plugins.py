"""The errors of the type checker for a plug-in without a part, with the settings of the project."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
HOUSE = Path(__file__).parent.parent.parent
PACKAGES = ("cli", "lab", "generator", "scripts", "reports")
ROLE = """
from scripts.services.deployed_state import Service
from scripts.services.site import Site
from scripts.drivers.topology import Application
NAME, PACKAGES, SUPPORTING, ENDPOINT = "broken", ("greet",), False, None
def describe(site: Site, application: Application) -> Service:
    return site.service(application)
def configure(site: Site, application: Application) -> None: ...
def start(site: Site, application: Application) -> None: ...
"""
STEP = """
from collections.abc import Sequence
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome
NAME = "broken"
def action(context: StepContext) -> StepOutcome:
    return StepOutcome()
def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
"""
EXERCISE = """
from scripts.exercises.cases import Cases
from scripts.exercises.scene import Scene
NAME = "broken"
NEEDS: tuple[str, ...] = ()
CASES = ("greets",)
def exercise(scene: Scene, cases: Cases) -> None: ...
"""
DRIVER = """
from pathlib import Path
from typing import IO
from lab.config.description import Lab
from scripts.drivers.ssh.driver import SshTarget
NAME, SHARED = "broken", False
def target(home: Path, log: IO[str] | None = None, lab: Lab | None = None) -> SshTarget:
    return SshTarget(home, log, lab.deployment if lab else None)
"""
PLUGINS = {"scripts": STEP, "scripts/roles": ROLE, "scripts/exercises": EXERCISE, "scripts/drivers": DRIVER}
# The package, the change to its correct module, and the error of mypy.
BROKEN = {
    "a step without action": ("scripts", "def action(", "def act(", "action"),
    "a step whose action returns nothing": ("scripts", "-> StepOutcome:\n    return StepOutcome()", "-> None: ...", "def action("),
    "a step without main": ("scripts", "def main(", "def run(", "main"),
    "a role without start": ("scripts/roles", "def start(", "def begin(", "start"),
    "a role without ENDPOINT": ("scripts/roles", ", ENDPOINT =", ", OTHER =", "ENDPOINT"),
    "a role whose configure takes no application": (
        "scripts/roles", "configure(site: Site, application: Application)", "configure(site: Site)", "def configure(",
    ),
    "a role whose packages are one text": ("scripts/roles", '("greet",)', '"greet"', "PACKAGES: expected"),
    "an exercise without exercise": ("scripts/exercises", "def exercise(", "def begin(", "exercise"),
    "an exercise without needs": ("scripts/exercises", "NEEDS:", "WANTS:", "NEEDS"),
    "an exercise without cases": ("scripts/exercises", "CASES =", "ALL_OF_THEM =", "CASES"),
    "an exercise without a name": ("scripts/exercises", "NAME =", "TITLE =", "NAME"),
    "a driver without target": ("scripts/drivers", "def target(", "def goal(", "target"),
    "a driver that does not say whether its machines are shared": ("scripts/drivers", "SHARED =", "OTHER =", "SHARED"),
    "a driver whose target is no provisioner": ("scripts/drivers", "-> SshTarget:\n    return SshTarget(home, log, lab.deployment if lab else None)", "-> None: ...", "def target("),
}  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the packages with a mypy cache that all tests of this module share."""
    home = tmp_path_factory.mktemp("plugins")
    for name in PACKAGES:
        shutil.copytree(HOUSE / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOUSE / "pyproject.toml", home)
    return home


def checked(copy: Path, package: str, text: str) -> str:
    """Return the output of mypy for a package with an additional plug-in, which its registry names."""
    module, registry = copy / package / "broken.py", copy / package / "registry.py"
    before = registry.read_text()
    try:
        module.write_text(text)
        imported = f"\\1from {package.replace('/', '.')} import broken\n\n\\1MODULES: "
        named = re.sub(r"^( *)MODULES: ", imported, before, count=1, flags=re.MULTILINE)
        registry.write_text(named.replace("] = [", "] = [broken, ", 1))
        argv = [Path(sys.executable).parent / "mypy", "--no-error-summary", "--hide-error-context", "--no-pretty"]
        done = subprocess.run(argv, cwd=copy, capture_output=True, text=True, check=False)
        assert done.returncode == bool(done.stdout), done.stderr  # 2: mypy itself did not work
        return done.stdout
    finally:
        registry.write_text(before)
        module.unlink()


@pytest.mark.parametrize("package", PLUGINS)
def test_plugin_with_all_parts_is_accepted(copy: Path, package: str) -> None:
    assert checked(copy, package, PLUGINS[package]) == ""


@pytest.mark.parametrize("what", BROKEN)
def test_plugin_without_a_part_is_refused(copy: Path, what: str) -> None:
    package, good, bad, part = BROKEN[what]
    assert good in PLUGINS[package]
    printed = checked(copy, package, PLUGINS[package].replace(good, bad))
    (error,) = [line for line in printed.splitlines() if f"{package}/registry.py" in line and " error: " in line]
    assert "List item 0 has incompatible type Module; expected" in error
    notes = [line.partition(" note: ")[2].strip() for line in printed.splitlines() if f"{package}/registry.py" in line]
    assert [note for note in notes if note.startswith(part)], printed
