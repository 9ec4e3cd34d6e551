"""A lab on a machine that has lost its network: what ran once runs again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import PHASES, Lab
from lab.store.runs import Store
from tests.command import HOUSE
from tests.conftest import GitRepository, packaging_files

pytestmark = pytest.mark.integration
WITHOUT_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


def run(lab: Lab, *before: str) -> str:
    """Run all phases of the newest commit and require success; return the output."""
    command = [*before, sys.executable, HOUSE / "qalab.py", "run", "trunk", "greet", "--lab", lab.file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_next_commit_passes_all_phases_without_network(
    lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository], shared_cache: Path
) -> None:
    assert shared_cache.is_dir()
    upstream, packaging = git_repository("upstream"), git_repository("packaging")
    upstream.commit("Start", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    upstream.commit("Greet the world", {"greet.txt": "hello world\n"})
    tests = {"debian/tests/control": "Test-Command: grep world /usr/share/greet/greet.txt\nDepends: greet, bc\n"}
    packaging.commit("Package it", packaging_files() | tests)
    lab = lab_factory(
        upstream=upstream.path, packaging=packaging.path,
        component={"test": {"steps": ["installable", "autopkgtest"]}},
        track={"phases": [*PHASES]},
        lab={"deployment": {"applications": {"greet": {"role": "package", "packages": ["greet", "ed"]}}}},
    )  # fmt: skip
    assert "does not answer" not in run(lab)
    upstream.commit("Greet the moon", {"greet.txt": "hello world and moon\n"})
    printed = run(lab, *WITHOUT_NETWORK)
    runs = Store.of(lab).runs()
    assert [(run.info.phase, run.verdict) for run in runs] == [(phase, "passed") for phase in PHASES] * 2
    told = [line for line in printed.splitlines() if "does not answer: packages as of " in line]
    assert {"sbuild", "deploy"} <= {line.split()[1] for line in told}, printed
