"""Keep a run whose directory does not last, such as the workspace of a Jenkins job, for the steps that wait."""

from __future__ import annotations

import shutil

from debian.debian_support import Version

from lab.store.run_directory import Run, run_at
from lab.store.runs import Store
from scripts.handover import importing, run_files
from scripts.handover.control_files import PACKAGES


def keep(store: Store, run: Run) -> None:
    """Copy a run into the store unless it is there: its records, its source package and its packaging branch."""
    directory = store.postponed(run.info.track, run.info.component, run.version)
    known = run_at(directory)
    if run.path.is_relative_to(store.root) or (known and known.info.url == run.info.url):
        return
    staging = directory.with_name(f".{directory.name}")
    for path in (staging, directory):
        shutil.rmtree(path, ignore_errors=True)
    staging.parent.mkdir(parents=True, exist_ok=True)
    run_files.copy(run.path, staging)
    found = Run(staging)
    for path in [*found.out.iterdir()]:
        if path.suffix in PACKAGES:
            path.unlink()
    if (packaging := run.work / "packaging").exists():
        importing.restore_packaging(found, packaging)
    staging.rename(directory)


def is_kept(store: Store, run: Run) -> bool:
    """Return whether a run is a copy that `keep` has made."""
    return run.path.is_relative_to(store.root / "postponed")


def strip(run: Run) -> None:
    """Remove the files of a kept run whose steps are done; its records remain."""
    for path in (run.out, run.work):
        shutil.rmtree(path, ignore_errors=True)


def forget_older(store: Store, track: str, component: str, version: str) -> None:
    """Remove the kept runs of versions before ``version``."""
    home = store.postponed(track, component, version).parent
    for path in home.glob("[!.]*"):
        if Version(path.name) < Version(version):
            shutil.rmtree(path)
