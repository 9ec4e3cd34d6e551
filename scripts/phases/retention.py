"""Housekeeping: delete the large files of old runs.

``runs.keep`` and ``runs.keep_days`` say which runs are old (see `lab.config.description.RunsSettings`).  Such a run loses
scratch, built files (the archive has them) and logs of nodes.  Records, logs of steps and native results stay.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.store.run_directory import Run
from lab.store.runs import Store


def old_runs(lab: Lab, now: datetime) -> Iterator[Run]:
    """Return the runs beyond the newest ``runs.keep`` that are also older than ``runs.keep_days``, oldest first."""
    oldest = now - timedelta(days=lab.runs.keep_days)

    def kind(run: Run) -> tuple[str, str, str, bool]:
        return run.info.track, run.info.component, run.info.phase, run.info.working_tree is not None

    store = Store.of(lab)
    # Sorting keeps the order of those that are alike: by number.
    for _, runs in groupby(sorted([*store.runs(), *store.local_runs().runs], key=kind), key=kind):
        yield from (run for run in [*runs][: -lab.runs.keep] if datetime.fromisoformat(run.info.started) < oldest)


def prunable_paths(run: Run) -> list[Path]:
    """Return what a run loses, as far as it is there."""
    return [path for path in (run.work, run.out, run.results / "nodes") if path.exists() and any(path.iterdir())]


def size(path: Path) -> int:
    """Bytes of all files below a directory."""
    return sum(each.lstat().st_size for each in path.rglob("*") if not each.is_dir())


def tidy(lab: Lab, now: datetime, *, dry_run: bool = False) -> Iterator[tuple[Run, int]]:
    """Delete what old runs no longer need; yield each with the bytes it lost.  A run that a process works on stays."""
    for run in old_runs(lab, now):
        with suppress(InfrastructureError), run.held():
            if paths := prunable_paths(run):
                lost = sum(map(size, paths))
                for path in () if dry_run else paths:
                    shutil.rmtree(path)
                yield run, lost
