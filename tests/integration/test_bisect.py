"""A bisection over 60 commits with real builds in clean chroots, killed with SIGKILL in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.store import bisections
from lab.store.runs import Store
from scripts.bisection.sectioning import rounds
from tests.conftest import packaging_files
from tests.scripts.bisection.conftest import history

pytestmark = pytest.mark.full
HOUSE = Path(__file__).parent.parent.parent
CULPRIT, COMMITS = 23, 60
BROKEN = "all:\n\tfalse # it cannot be built from here on\n"


def qalab(lab: Lab, *argv: str) -> subprocess.Popen[str]:
    command = [sys.executable, HOUSE / "qalab.py", *argv, "--lab", lab.file]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_real_commit_is_found(lab_factory: Callable[..., Lab], tmp_path: Path, shared_cache: Path) -> None:
    """The commit that breaks the build is found among 60, in as many builds as the n-section predicts."""
    texts = [{"greet.txt": f"hello {number}\n"} | ({"Makefile": BROKEN} if number == CULPRIT else {})
             for number in range(COMMITS + 1)]  # fmt: skip
    commits = history(tmp_path / "upstream", texts)
    history(tmp_path / "packaging", [packaging_files()])
    component = {"version": {"next": "2.0"}}
    lab = lab_factory(upstream=tmp_path / "upstream", packaging=tmp_path / "packaging", component=component)
    for commit, code in ((commits[0], 0), (commits[-1], 1)):
        run = qalab(lab, "run", "trunk", "greet", "--commit", commit)
        printed = run.communicate(timeout=600)[0]
        assert run.returncode == code, printed
    states = sorted(path.name for path in (Store.of(lab).archive / "dists").iterdir())

    store = Store.of(lab)
    killed = qalab(lab, "bisect", "trunk", "greet", "--jobs", "2")
    while not (found := bisections.all_of(store)) or len(found[0].tests) < 3:
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()

    resumed = qalab(lab, "bisect", "trunk", "greet", "--jobs", "2", "--json")
    printed = resumed.communicate(timeout=1800)[0]
    assert resumed.returncode == 0, printed
    done = bisections.existing(store, 1)
    assert (done.outcome, done.suspects[0].name) == ("found", commits[CULPRIT]), done.message
    assert json.loads(printed[printed.index("[{") :])[0]["outcome"] == "found"
    assert sum(test.built for test in done.tests) <= 2 + 2 * rounds(COMMITS, 2) + 4 + 1
    assert sorted(path.name for path in (store.archive / "dists").iterdir()) == states
    assert not (bisections.home(store) / "1").exists()
    assert [run.info.number for run in store.runs()] == [1, 2]

    again = qalab(lab, "bisect", "trunk", "greet")  # nothing is built
    printed = again.communicate(timeout=600)[0]
    assert again.returncode == 0, printed
    assert not any(test.built for test in bisections.existing(store, 2).tests)
