"""The published tree: permanent pages, and three slots of the pages that change; one slot is ``current``.

::

    OUT/current -> slots/b       the document root of a web server
    OUT/slots/a, b, c            complete trees of the pages that change; equal files are hard links
    OUT/editions/EDITION/        permanent pages and stylesheets: builds/, api/, static/
    OUT/state.sqlite             the site's state (see `reports.site.state`)

A generation is written into the oldest slot, after the pages that changed since that slot was current are linked into
it from the current one; then the symlink is swapped.  The cost depends on the changes alone, not on the size of the
site; readers never see half a generation, and the two previous generations stay for readers in progress.
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
MANY: Final = 500  # for more files, one sync(2) costs less than an fsync(2) of each


@dataclass
class SiteTree:
    """The directory OUT, with the files that were written, and the number of linked files, since it was opened."""

    out: Path
    written: list[Path] = field(default_factory=list)
    linked: int = 0

    @property
    def current(self) -> str:
        """The published slot, "" if none is."""
        link = self.out / "current"
        return link.readlink().name if link.is_symlink() else ""

    def slot(self, name: str) -> Path:
        return self.out / "slots" / name

    def edition(self, name: str) -> Path:
        return self.out / "editions" / name

    def put(self, path: Path, data: bytes) -> None:
        """Replace a file; its old content, which other slots can share, stays."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:200]}.new")
        temporary.write_bytes(data)
        temporary.replace(path)
        self.written.append(path)

    def link(self, source: Path, target: Path) -> None:
        """Make ``target`` a hard link to ``source``; a copy if they are on different file systems."""
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name[:200]}.new")
        temporary.unlink(missing_ok=True)
        if target.exists() and target.samefile(source):
            return  # rename(2) of two links to one file leaves both
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(target)
        self.linked += 1

    def make_slot(self, name: str, edition: str) -> None:
        """Empty a slot, and link it to the permanent pages."""
        slot = self.slot(name)
        shutil.rmtree(slot, ignore_errors=True)
        (slot / "api/v1").mkdir(parents=True)
        for link, target in (("b", "builds"), ("static", "static"), ("api/v1/b", "api")):
            above = "../" * (2 + link.count("/"))
            (slot / link).symlink_to(f"{above}editions/{edition}/{target}", target_is_directory=True)
        for permanent in ("builds", "static", "api"):
            (self.edition(edition) / permanent).mkdir(parents=True, exist_ok=True)

    def copy_slot(self, source: str, target: str) -> None:
        """Make a slot a copy of another, with hard links."""
        shutil.rmtree(self.slot(target), ignore_errors=True)
        shutil.copytree(self.slot(source), self.slot(target), symlinks=True, copy_function=os.link)

    def catch_up(self, source: str, target: str, paths: Iterable[str]) -> None:
        """Link the pages that changed since ``target`` was current; remove those that are gone."""
        for path in paths:
            if (self.slot(source) / path).exists():
                self.link(self.slot(source) / path, self.slot(target) / path)
            else:
                (self.slot(target) / path).unlink(missing_ok=True)

    def settle(self) -> None:
        """Flush the written files to the disk."""
        if len(self.written) > MANY:
            os.sync()
            return
        for path in {*self.written, *(path.parent for path in self.written)}:
            with suppress(FileNotFoundError):  # removed later
                handle = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def publish(self, name: str) -> None:
        """Swap the symlink: publish a slot."""
        temporary = self.out / ".current.new"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(f"slots/{name}", target_is_directory=True)
        temporary.replace(self.out / "current")

    def remove_others(self, home: Path, kept: Collection[str]) -> None:
        """Remove the files of a build that another bundle of it had."""
        for path in home.iterdir():
            if path.name not in kept:
                path.unlink()

    def remove_build(self, edition: str, name: str) -> None:
        """Remove the pages of a build."""
        shutil.rmtree(self.edition(edition) / "builds" / name[:2] / name, ignore_errors=True)
        (self.edition(edition) / "api" / name[:2] / f"{name}.json").unlink(missing_ok=True)

    def remove_all_but(self, edition: str, ids: Collection[str]) -> None:
        """Remove the other editions, and the pages of builds that are not among ``ids``."""
        for path in (self.out / "editions").glob("*"):
            if path.name != edition:
                shutil.rmtree(path)
        for page in self.edition(edition).glob("builds/*/*"):
            if page.name not in ids:
                shutil.rmtree(page)
        for data in self.edition(edition).glob("api/*/*"):
            if data.stem not in ids:
                data.unlink()
