"""The run that a verb names, of any lab on this machine or of one."""

from __future__ import annotations

from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.store.run_directory import Run
from reports import status


def named_run(name: str, lab_file: Path | None) -> Run:
    """Return a run, see `status.find`.  Raises ConfigurationError for one of another lab than that of ``lab_file``."""
    lab = loading.load(lab_file).lab.name if lab_file else ""
    found = status.find(name, lab)
    if lab and found.info.lab != lab:
        raise ConfigurationError(f"{name}: is a run of the lab {found.info.lab}, not of {lab}")
    return found
