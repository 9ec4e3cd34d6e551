"""Keep the results of Jenkins builds in the lab's store, where a search for what broke a test finds them.

The workspace of a job does not last, and other jobs do not see it.
"""

from __future__ import annotations

import shutil
from typing import Final

from lab.config.description import Lab
from lab.store.run_directory import Run
from lab.store.runs import Store

MOST_KEPT: Final = 60
"""The number of builds of a job; enough for the rate of a flaky test."""
NEEDLESS: Final = ("nodes", "*.log", "*.tmp")


def keep(lab: Lab, run: Run) -> None:
    """Copy the records and the results of a Jenkins build, without logs, if lab.yaml wants breakages to be searched."""
    store, info = Store.of(lab), run.info
    searched = lab.bisection.job and lab.tracks[info.track].trigger == "commit"
    if not searched or info.origin != "jenkins" or run.path.is_relative_to(store.root):
        return
    home = store.jenkins_results(info.track, info.component, info.phase)
    staging = home / f".{info.number}"
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(run.results, staging / run.results.name, ignore=shutil.ignore_patterns(*NEEDLESS))
    shutil.copyfile(run.path / "run.json", staging / "run.json")
    shutil.rmtree(home / str(info.number), ignore_errors=True)
    staging.rename(home / str(info.number))
    # By age: a job that was made again counts from 1.  Two builds of a job can remove the same one.
    ages = sorted((path.stat().st_mtime_ns, path) for path in home.iterdir() if path.name.isdecimal())
    for _, path in ages[:-MOST_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
