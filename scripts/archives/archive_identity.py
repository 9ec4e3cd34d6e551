"""The identity of the archive: where one machine of the lab has it, no other machine changes one of its own.

``archive-id`` in the archive is a random text.  A machine has the archive of the lab if its own file is the one at
``archive.url``.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from lab.base import files
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.archive_place import is_apart, reader_of
from lab.store.runs import Store

FILE = "archive-id"


def check(lab: Lab) -> None:
    """Make sure that the lab's archive is on this machine; the first time, make it so.

    Raises ConfigurationError on another machine, and where ``archive.url`` does not serve this machine's archive;
    InfrastructureError where that URL does not answer.
    """
    if not is_apart(lab):
        return
    path, reader = Store.of(lab).archive / FILE, reader_of(lab)
    served = reader.read(FILE)
    if served is None and not path.exists():
        _begin(path)
        if reader.read(FILE) == path.read_bytes():
            return
        path.unlink()
        raise ConfigurationError(
            f"{reader.location}: is not the archive of this machine, {path.parent}",
            hint="run this on the machine of jenkins.archive_agent, and have a web server serve that directory",
        )
    if not path.exists() or served != path.read_bytes():
        raise ConfigurationError(
            f"{reader.location}: is the archive of another machine: this one must not change an archive of its own",
            hint="run this on the machine of jenkins.archive_agent",
        )


def require(lab: Lab) -> None:
    """Raise ConfigurationError on a machine that does not have the lab's archive; InfrastructureError like `check`."""
    if not Store.of(lab).archive.exists():
        if is_apart(lab):
            hint = "run this on the machine of jenkins.archive_agent, where the step archive makes it"
            raise ConfigurationError("the lab's archive is not on this machine", hint=hint)
        raise ConfigurationError("the lab has no archive yet: the step archive makes it")
    check(lab)


def _begin(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomic(path, f"{secrets.token_hex(16)}\n")
