"""Import a run that another machine has built: verify a copy of it, and make it the run of this directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from lab.base import environment
from lab.base.debian import newest_entry
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.git import files_at, git
from lab.base.run import ProgramFailed
from lab.config.description import Lab
from lab.store.run_directory import Run
from scripts.handover import run_files, verification
from scripts.handover.verification import Expected

MOVED: Final = ("results", "out", "work", "run.json")
"""What becomes the run, in this order: an import that is killed leaves no run.json, and so no run."""
PACKAGING: Final = "out/packaging.bundle"
"""The packaging branch with the lab's commits, for the step `push`: a bundle of git."""


def import_run(lab: Lab, source: Path, directory: Path, expected: Expected) -> Run:
    """Make ``directory`` the run that is handed over in ``source``; in a Jenkins build, it is of that build then.

    Raises InfrastructureError for a run that is refused, which leaves ``directory`` as it was.  Raises ConfigurationError
    where ``directory`` has a run already, or something else of these names that no killed import has left.
    """
    staging = directory / ".import"
    there = [name for name in MOVED if (directory / name).exists()]
    if "run.json" in there or (there and not staging.exists()):
        raise ConfigurationError(f"{directory}: has {there[-1]} already", hint="name an empty directory with --run")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        run_files.copy(source, staging)
        found = Run(staging)
        verification.check(found, lab, expected)
        _drop_unrecorded(found)
        for name in ("results/native", "out", "work"):
            (staging / name).mkdir(parents=True, exist_ok=True)
        if (staging / PACKAGING).exists():
            restore_packaging(found, staging / PACKAGING)
        if url := environment.variable("BUILD_URL"):
            found.write_info(found.info.model_copy(update={"url": url}))
        for name in MOVED:
            target = directory / name
            if target.exists():
                shutil.rmtree(target)
            (staging / name).rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Run(directory)


def _drop_unrecorded(found: Run) -> None:
    """Remove files from ``out`` that no record names: their content is not verified."""
    known = verification.recorded(found)
    for path in found.out.rglob("*"):
        if path.is_file() and str(path.relative_to(found.path)) not in known:
            path.unlink()


def restore_packaging(found: Run, origin: Path) -> None:
    """Make the work tree of the step `push`, without a checkout, from a bundle or a repository.

    Raises InfrastructureError for a bad one.
    """
    tree = found.work / "packaging"
    try:
        git(["init", "--quiet", "--template=", tree])
        strict = ["-c", "fetch.fsckObjects=true", "-c", "fsck.zeroPaddedFilemode=ignore"]
        git([*strict, "fetch", "--quiet", "--no-tags", origin, "HEAD"], cwd=tree)
        git(["update-ref", "--no-deref", "HEAD", "FETCH_HEAD"], cwd=tree)
        text = files_at(tree, "HEAD", ["debian/changelog"])["debian/changelog"] or ""
        entry = newest_entry(text)
    except ValueError as error:
        raise InfrastructureError(f"{origin.name}: debian/changelog: {error}") from None
    except ProgramFailed as error:
        raise InfrastructureError(f"{origin.name}: cannot be read: {error.result.complaint}") from None
    if (entry.package, entry.version) != (found.info.component, found.version):
        wanted = f"{found.info.component} {found.version}"
        raise InfrastructureError(
            f"{origin.name}: its changelog is of {entry.package} {entry.version}, and not of {wanted}"
        )
