"""The published tree: permanent pages, and three slots of those that change, one of which is ``current``.

::

    OUT/current -> slots/b       the document root of a web server
    OUT/slots/a, b, c            whole trees of the pages that change; what is the same in them is linked
    OUT/editions/EDITION/        permanent pages, and the styles: builds/, api/, static/
    OUT/state.sqlite             what the site knows (see `reports.site.state`)

A generation is written into the slot that is oldest, after what changed since that one was current has been linked
into it from the current one; then the symlink is swapped.  The cost is that of what changed, however much there is;
nobody sees half a generation; and the two before it stay for readers who are on the way.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SLOTS: Final = ("a", "b", "c")
MANY: Final = 500  # files, above which one sync(2) costs less than an fsync(2) of each


@dataclass
class SiteTree:
    """OUT.  ``written`` are the files written since it was opened, ``linked`` is how many were linked."""

    out: Path
    written: list[Path] = field(default_factory=list)
    linked: int = 0

    @property
    def current(self) -> str:
        """The slot that is published, "" when none is."""
        link = self.out / "current"
        return link.readlink().name if link.is_symlink() else ""

    def slot(self, name: str) -> Path:
        return self.out / "slots" / name

    def edition(self, name: str) -> Path:
        return self.out / "editions" / name

    def put(self, path: Path, data: bytes) -> None:
        """Write a file beside its old content, which other slots may share, and put it in its place."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:200]}.new")
        temporary.write_bytes(data)
        temporary.replace(path)
        self.written.append(path)

    def link(self, source: Path, target: Path) -> None:
        """Make ``target`` the same file as ``source``; a copy where the two are on different file systems."""
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name[:200]}.new")
        temporary.unlink(missing_ok=True)
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(target)
        self.linked += 1

    def make_slot(self, name: str, edition: str) -> None:
        """Begin a slot anew: empty but for the ways to what is permanent."""
        slot = self.slot(name)
        shutil.rmtree(slot, ignore_errors=True)
        (slot / "api/v1").mkdir(parents=True)
        for link, target in (("b", "builds"), ("static", "static"), ("api/v1/b", "api")):
            above = "../" * (2 + link.count("/"))
            (slot / link).symlink_to(f"{above}editions/{edition}/{target}", target_is_directory=True)
        for permanent in ("builds", "static", "api"):
            (self.edition(edition) / permanent).mkdir(parents=True, exist_ok=True)

    def copy_slot(self, source: str, target: str) -> None:
        """Make a slot the same as another, its files linked."""
        shutil.rmtree(self.slot(target), ignore_errors=True)
        shutil.copytree(self.slot(source), self.slot(target), symlinks=True, copy_function=os.link)

    def catch_up(self, source: str, target: str, paths: Iterable[str]) -> None:
        """Link what changed since ``target`` was current."""
        for path in paths:
            self.link(self.slot(source) / path, self.slot(target) / path)

    def settle(self) -> None:
        """Bring what was written to the disk."""
        if len(self.written) > MANY:
            os.sync()
            return
        for path in {*self.written, *(path.parent for path in self.written)}:
            with suppress(FileNotFoundError):  # removed again
                handle = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def publish(self, name: str) -> None:
        """Swap the symlink: from here on this slot is what is seen."""
        temporary = self.out / ".current.new"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(f"slots/{name}", target_is_directory=True)
        temporary.replace(self.out / "current")

    def remove_build(self, edition: str, name: str) -> None:
        """Remove the pages of a build."""
        shutil.rmtree(self.edition(edition) / "builds" / name[:2] / name, ignore_errors=True)
        (self.edition(edition) / "api" / name[:2] / f"{name}.json").unlink(missing_ok=True)

    def remove_all_but(self, edition: str, ids: Collection[str]) -> None:
        """Remove other editions, and of this one the pages of builds that are not among ``ids``."""
        for path in (self.out / "editions").glob("*"):
            if path.name != edition:
                shutil.rmtree(path)
        for page in self.edition(edition).glob("builds/*/*"):
            if page.name not in ids:
                shutil.rmtree(page)
        for data in self.edition(edition).glob("api/*/*"):
            if data.stem not in ids:
                data.unlink()
