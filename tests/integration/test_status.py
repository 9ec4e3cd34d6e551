"""`qalab status` reads each file once, as the kernel sees it (strace)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab
from tests.reports.publishing import a_local_run

pytestmark = pytest.mark.integration
QALAB = Path(__file__).parent.parent.parent / "qalab.py"
RUNS = 500
# openat(AT_FDCWD, "PATH", FLAGS) = DESCRIPTOR
OPENED = re.compile(r'openat\(AT_FDCWD, "([^"]+)".* = \d+$', re.MULTILINE)


def test_status_of_many_runs_reads_each_file_once(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab = lab_factory()
    runs = [a_local_run(lab, "greet", number) for number in range(1, RUNS + 1)]
    trace = tmp_path / "trace"
    argv = ["strace", "-f", "-o", trace, "-s", "4096", "-e", "trace=openat", sys.executable, QALAB, "status", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=os.environ, timeout=300)
    assert len(json.loads(done.stdout)) == RUNS
    opened = Counter(OPENED.findall(trace.read_text()))
    files = [run.path / "run.json" for run in runs] + [path for run in runs for path in run.results.glob("*.json")]
    assert {str(path): opened[str(path)] for path in files} == {str(path): 1 for path in files}
