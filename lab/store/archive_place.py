"""The lab's archive for its readers: on this machine, or on the one machine of the lab that has it."""

from __future__ import annotations

from lab.config.description import Lab
from lab.store.archive import ArchiveReader
from lab.store.runs import Store


def is_apart(lab: Lab) -> bool:
    """Return whether one machine of the lab has the archive, and all others read it by its URL."""
    return bool(lab.jenkins and lab.jenkins.archive_agent)


def reader_of(lab: Lab) -> ArchiveReader:
    """Return the lab's archive, to read it: by ``archive.url`` where `is_apart`, else in the state of this machine.

    A machine of a lab with a machine for the archive never reads a local one: it can be a leftover.
    """
    if is_apart(lab):
        return ArchiveReader(str(lab.archive.url).rstrip("/"))
    return ArchiveReader.at(Store.of(lab).archive)
