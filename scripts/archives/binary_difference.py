"""The difference between the binary packages of two runs, by debdiff or diffoscope."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Final

from lab.base.errors import InfrastructureError
from lab.base.run import run
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.archives.versions import directory

DIFFERENT: Final = 1


def packages(built: Run, store: Store) -> dict[str, Path]:
    """Return the binary packages of a build that are still there, by name: in its directory, or in the archive's pool."""
    found: dict[str, Path] = {}
    for record in built.records():
        for artifact in record.artifacts:
            path = built.path / artifact.path
            pooled = store.archive / directory(built.info.component) / path.name
            if artifact.kind == "binary" and path.suffix == ".deb":
                for place in (path, pooled):
                    if place.is_file():
                        found.setdefault(path.name.partition("_")[0], place)
    return found


def debdiff(before: dict[str, Path], after: dict[str, Path], log: IO[str] | None = None) -> list[str]:
    """Return what debdiff prints about files and control fields that differ; none for equal packages."""
    both = sorted(before.keys() & after.keys())
    if not both:
        return []
    old, new = ([found[name] for name in both] for found in (before, after))
    done = run(["debdiff", "--from", *old, "--to", *new], capture=True, check=False, log=log)
    if done.returncode not in {0, DIFFERENT}:
        raise InfrastructureError(f"debdiff: {done.complaint}")
    return [] if done.returncode == 0 else done.stdout.strip().splitlines()


def diffoscope(before: Path, after: Path) -> list[str]:
    """Return what the program prints about two packages."""
    done = run(["diffoscope", "--text", "-", before, after], capture=True, check=False)
    if done.returncode not in {0, DIFFERENT}:
        raise InfrastructureError(f"diffoscope: {done.complaint}")
    return done.stdout.splitlines()
