"""A lab of five packages of Debian, each with tests of its own: build, test, deploy and exercise.

A library with a tool, a Python library, a daemon, a database and a web server.  The tests of the daemon need a
container of their own; the testing branch adds one that reboots.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from lab.base.git import git, identity
from lab.config.description import PHASES
from lab.config.loading import load
from lab.results import cases
from lab.store.runs import Store
from scripts.demo import demo
from tests.command import HOUSE
from tests.conftest import EPOCH
from tests.integration.test_real_packages import import_package, note

pytestmark = [pytest.mark.integration, pytest.mark.full]
STEPS: Final = ("installable", "piuparts", "autopkgtest", "upgrade")
JINJA: Final = "import jinja2; print(jinja2.Template('a {{ b }}').render(b=1))"
APPLICATIONS: Final[dict[str, dict[str, Any]]] = {
    "file": {
        "packages": ["file"],
        "options": {"command": "file --brief --mime-type /etc/hosts", "prints": "text/plain"},
    },
    "jinja2": {"packages": ["python3-jinja2"], "options": {"command": f'python3 -c "{JINJA}"', "prints": "a 1"}},
    "lighttpd": {"packages": ["lighttpd"], "options": {"health": "systemctl is-active lighttpd"}},
    "memcached": {"packages": ["memcached"], "options": {"health": "systemctl is-active memcached"}},
    "redis": {"packages": ["redis-server"], "options": {"command": "redis-cli ping", "prints": "PONG"}},
}
REBOOT: Final = """#!/bin/sh
set -e
systemctl is-active --quiet memcached
[ -n "$AUTOPKGTEST_REBOOT_MARK" ] || /tmp/autopkgtest-reboot again
test "$AUTOPKGTEST_REBOOT_MARK" = again
"""
CONTROL: Final = "\nTests: reboot\nDepends: memcached\nRestrictions: needs-root, needs-reboot, isolation-container\n"


def add_reboot(repository: Path) -> None:
    """Commit a test that reboots to the branch testing of a packaging repository."""
    git(["checkout", "--quiet", "-b", "testing", "master"], cwd=repository)
    tests = repository / "debian/tests"
    (tests / "control").write_text((tests / "control").read_text() + CONTROL)
    (tests / "reboot").write_text(REBOOT)
    (tests / "reboot").chmod(0o755)
    git(["add", "--all"], cwd=repository)
    git(["commit", "--quiet", "--message", "Reboot"], cwd=repository, env=identity(demo.MAINTAINER, EPOCH))
    git(["checkout", "--quiet", "main"], cwd=repository)


def describe(name: str, home: Path) -> Path:
    """Write the description of a lab with one component."""
    packaging: dict[str, Any] = {"git": str(home / name), "branch": "master"}
    if name == "memcached":
        packaging["testing"] = {"git": str(home / name), "branch": "testing"}
    component = {
        "upstream": {"git": str(home / name)},
        "packaging": packaging,
        "build": {"options": ["nocheck"], "profiles": ["nocheck"]},
        "test": {"steps": list(STEPS)},
    }
    description = {
        "lab": {"name": "packages", "maintainer": demo.MAINTAINER},
        "series": {demo.SERIES: {}},
        "tracks": {demo.TRACK: {"series": demo.SERIES, "branch": "main", "phases": list(PHASES)}},
        "components": {name: component},
        "deployment": {"applications": {name: {"role": "package", **APPLICATIONS[name]}}},
    }
    path = home / "lab.yaml"
    path.write_text(yaml.safe_dump(description, sort_keys=False))
    return path


@pytest.mark.parametrize("name", APPLICATIONS)
def test_package_passes_all_phases(
    name: str, shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shared_cache.is_dir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    import_package(name, tmp_path)
    note(tmp_path / name)
    if name == "memcached":
        add_reboot(tmp_path / name)
    lab = describe(name, tmp_path)
    command: list[str | Path] = [sys.executable, HOUSE / "qalab.py", "run", demo.TRACK, name, "--lab", lab]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = {run.info.phase: run for run in Store.of(load(lab)).runs()}
    assert set(runs) == set(PHASES)
    verdicts = {record.step: record.verdict for record in runs["test"].records()}
    assert {step: verdicts[step] for step in STEPS} == dict.fromkeys(STEPS, "passed")
    found = [*cases.parse((runs["test"].results / "native/autopkgtest.jsonl").read_text())]
    assert {case.outcome for case in found} <= {"passed", "skipped"}
    if name == "memcached":
        assert {case.name for case in found if case.outcome == "passed"} == {"daemon", "client.pl", "reboot"}
