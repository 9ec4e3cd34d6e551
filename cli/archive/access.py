"""What the verbs of ``qalab archive`` share: the archive to read or to change, and options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from lab.base import environment
from lab.config.description import Lab
from lab.store.archive import ArchiveReader, State
from lab.store.archive_place import reader_of
from lab.store.promotions import WaitingVersion
from lab.store.runs import Store
from scripts.archives import archive_identity, lab_archive, labels
from scripts.archives.lab_archive import LabArchive
from scripts.archives.locked_archive import LockedArchive, locked
from scripts.promotion.candidates import HELD

reason_option = click.option("--reason", default="", metavar="TEXT", help="The reason, for the record.")
by_option = click.option(
    "--by", default="", metavar="NAME", help="The person or program that decides; default: the user who calls qalab."
)
run_option = click.option(
    "--run", "runs", multiple=True, metavar="RUN", help="A run that is a reason for the move; can be repeated."
)


def reader(lab: Lab) -> ArchiveReader:
    """Return the lab's archive, to read it."""
    return reader_of(lab)


@contextmanager
def changing(lab: Lab) -> Iterator[LabArchive]:
    """Give the lab's archive, to change it; what programs print goes to archive.log in the lab's state.

    Raises ConfigurationError on a machine without the lab's archive.
    """
    with _logged(lab) as log, lab_archive.opened(lab, log) as archive:
        yield archive


@contextmanager
def removing(lab: Lab) -> Iterator[LockedArchive]:
    """Give the lab's archive, to remove states: that works on a full disk, where nothing can be completed or signed.

    Raises ConfigurationError on a machine without the lab's archive.
    """
    with _logged(lab) as log, locked(lab, log) as archive:
        if not archive.older_suites():
            yield archive
            return
    with changing(lab) as archive:
        yield archive


@contextmanager
def _logged(lab: Lab) -> Iterator[IO[str]]:
    archive_identity.require(lab)
    with (Store.of(lab).root / "archive.log").open("w+", encoding="utf-8", errors="surrogateescape") as log:
        yield log


def tell_left_over(lab: Lab) -> None:
    """Name the labels on standard error that lab.yaml does not name any more: they keep their states."""
    for label in labels.left_over(lab, {*reader(lab).labels()} | labels.promoted(Store.of(lab))):
        hint = f"qalab archive drop {label}"
        click.echo(f"qalab: {label} is no label of lab.yaml any more, and keeps its states ({hint})", err=True)


def who(given: str) -> str:
    """Return who decides."""
    return given or environment.user()


def facts(state: State) -> dict[str, Any]:
    """Return a state as JSON."""
    return state.model_dump(by_alias=True, exclude={"schema_version"})


def advice(track: str, components: Iterable[WaitingVersion]) -> Iterator[str]:
    """Yield what has versions tested again, if any is held back."""
    if any(one.reason.startswith(HELD) for one in components):
        yield f"held back: until the component has a newer version, or qalab promote {track} --retry COMPONENT"


def why_line(one: WaitingVersion) -> str:
    """Return why a component is not in the label, in one line."""
    version = one.version or "removal"
    runs = f" ({', '.join(one.runs)})" if one.runs else ""
    return f"{one.component} {version}, {f'after {one.before}' if one.before else 'new'}: {one.reason}{runs}"
