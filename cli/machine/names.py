"""The names of machines in arguments."""

from __future__ import annotations

from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.config import loading
from lab.config.description import Lab


def load_lab(lab_file: Path, *names: str) -> Lab:
    """Read a lab that has some machines.  Raises ConfigurationError for an unknown one."""
    lab = loading.load(lab_file)
    for name in names:
        if name not in lab.machines:
            raise ConfigurationError(f"no machine {name}", hint=loading.known_names(name, lab.machines))
    return lab
