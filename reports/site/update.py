"""Update the site from a set of bundles.

A new build costs its own pages, and the pages of the component, the track, the commit, the tests and the lab that
change; everything else costs nothing.  A missing bundle, a new version of qalab, and ``rebuild`` build the site again
from all bundles.  The result is the same, byte for byte, either way.

A bundle whose pages fail is left out, and a page that fails stays unchanged: the rest is published.  Each update
retries both.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lab.base import files
from lab.base.errors import Aborted, LabError
from lab.base.failures import caught
from reports import bundle as bundles_on_disk
from reports.build_times import check_times
from reports.database import Damaged
from reports.lab_view import NOTHING_KNOWN, LabView
from reports.model import Build, started_ms
from reports.site import builds
from reports.site.bisection_pages import bisection_pages
from reports.site.builds import BuildPages, BundleSource
from reports.site.identity import Identity
from reports.site.logs import PAGE
from reports.site.page_selection import Changed, Page, pages
from reports.site.render import HERE, Renderer, renderer
from reports.site.state import SiteState, opened
from reports.site.summary import packages, summarise
from reports.site.tree import SLOTS, SiteTree
from reports.site.view_pages import pages_of_view

SUFFIX: Final = ".tar.gz"


@dataclass(frozen=True)
class SiteReport:
    """The result of an update: ``left_out`` are the bundles that failed, ``stale`` the subjects of the pages that failed."""

    added: int = 0
    rebuilt: bool = False
    written: tuple[Path, ...] = ()
    linked: int = 0
    left_out: Mapping[Path, LabError] = field(default_factory=dict)
    stale: Mapping[str, LabError] = field(default_factory=dict)

    @property
    def refused(self) -> tuple[str, ...]:
        """A line for each bundle that is left out."""
        return tuple(map(str, self.left_out.values()))

    @property
    def exit_code(self) -> int:
        """The highest exit code of the errors."""
        return max((error.exit_code for error in (*self.left_out.values(), *self.stale.values())), default=0)


def build(  # noqa: PLR0913 - the only entry point; options have names
    bundles: Iterable[Path],
    out: Path,
    site: Identity,
    *,
    rebuild: bool = False,
    view: LabView = NOTHING_KNOWN,
    read: Callable[[Path], BundleSource] = bundles_on_disk.read,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
    now: float = math.inf,
) -> SiteReport:
    """Make the site in ``out`` show exactly these bundles; wait for another update of it.

    Builds that are later than ``now`` (Unix time) are left out until their time has come.
    A damaged state is deleted, and made again from the bundles.
    """
    named = {path.name.removesuffix(SUFFIX): path for path in bundles}
    out.mkdir(parents=True, exist_ok=True)

    def update() -> SiteReport:
        with opened(out / "state.sqlite") as state:
            one = Update(SiteTree(out), state, renderer(site), named, view, read, progress, now)
            return one.run(rebuild=rebuild)

    with files.locked(out / ".lock"):
        try:
            return update()
        except Damaged:
            for path in out.glob("state.sqlite*"):
                path.unlink()
            return update()


@dataclass
class Update:
    """One update: its inputs and its results."""

    tree: SiteTree
    state: SiteState
    renderer: Renderer
    bundles: dict[str, Path]
    view: LabView
    read: Callable[[Path], BundleSource]
    progress: Callable[[Iterable[str]], Iterable[str]]
    now: float
    changed: Changed = field(default_factory=Changed)
    left_out: dict[Path, LabError] = field(default_factory=dict)
    stale: dict[str, LabError] = field(default_factory=dict)
    is_displaced: bool = False
    """Whether a build has a new bundle that the site has to show instead of the one that it shows."""

    @property
    def permanent(self) -> Path:
        return self.tree.edition(self.renderer.edition)

    def run(self, *, rebuild: bool) -> SiteReport:
        self._finish_last_update()
        known = self.state.bundles()
        rebuild = rebuild or self.state.fact("edition") != self.renderer.edition or not known <= self.bundles.keys()
        new = sorted(self.bundles.keys() if rebuild else self.bundles.keys() - known)
        site = self.renderer.site
        unfinished, about = self.state.fact("unfinished"), repr((site.known, site.bisections, site.phases))
        has_news = bool(new or rebuild or unfinished or self.state.fact("about") != about)
        if not has_news and self.state.fact("view") == self.view.fingerprint:
            return SiteReport()
        if unfinished and not rebuild:  # a rebuild adds all subjects, but for those that are gone
            self.changed.load(unfinished)
        self.changed.everything |= rebuild
        slot = self._begin(rebuild=rebuild)
        if self.state.fact("about") != about:
            self.changed.add_lanes(self.state.lanes())
            self.state.set_fact("about", about)
        for digest in self.progress(new):
            self._add(digest)
        if self.is_displaced:  # pages that no longer have the build could be anywhere
            self.state.rollback()
            return replace(self, tree=SiteTree(self.tree.out), changed=Changed(), is_displaced=False).run(rebuild=True)
        self.state.set_fact("view", self.view.fingerprint)
        for where, group in self._pages(has_news=has_news):
            self._write_group(where, group, slot)
        self.state.set_fact("unfinished", self.changed.dumps() if self.stale else "")
        self._publish(slot, rebuilt=rebuild)
        added = len(new) - len(self.left_out)
        return SiteReport(added, rebuild, tuple(self.tree.written), self.tree.linked, self.left_out, self.stale)

    def _pages(self, *, has_news: bool) -> Iterator[tuple[str, Iterator[Page]]]:
        if has_news:
            yield from pages(self.state, self.changed, self.renderer.site)
        yield from pages_of_view(self.state, self.renderer.site, self.view)
        yield "bisections", bisection_pages(self.state, self.renderer.site)

    def _finish_last_update(self) -> None:
        """Publish an update that was killed after its commit; clean up after any other."""
        slot = self.state.fact("slot")
        if slot and self.tree.current != slot:
            self.tree.publish(slot)
        if self.state.fact("under way"):
            self._tidy(slot)

    def _begin(self, *, rebuild: bool) -> str:
        """Return the slot to write into: the oldest one, made equal to the current one, or empty for a rebuild."""
        current, slots = self.tree.current, self.state.slots()
        slot = min((name for name in SLOTS if name != current), key=lambda name: (slots.get(name, 0), name))
        self.state.set_fact("under way", "yes")
        self.state.commit()
        if rebuild:
            self.state.forget()
            self.tree.make_slot(slot, self.renderer.edition)
            for path in sorted((HERE / "static").iterdir()):
                self.tree.put(self.permanent / "static" / path.name, path.read_bytes())
        else:
            self.tree.catch_up(current, slot, self.state.pages_since(slots[slot]))
        return slot

    def _add(self, digest: str) -> None:
        """Add a build, and write its own pages; neither if one of them fails."""
        path, build_pages = self.bundles[digest], None
        try:
            with caught(sqlite3.DatabaseError), self.state.whole():
                bundle = self.read(path)
                _check(path, bundle.build, self.now)
                summary, roster = summarise(bundle.build)
                build_pages = builds.make(bundle, digest, summary, has_bundle=path.exists())
                for versions in filter(None, (bundle.build.environment, packages(bundle.build))):
                    self.state.put_environment(versions)
                shown = self.state.shown(summary.id)
                if shown and shown < digest:
                    self.state.add_hidden(digest, summary.id)
                elif shown:
                    self.is_displaced = True
                else:
                    self.state.add(digest, started_ms(summary.started), summary, roster)
                    self._write_build(build_pages, path)
                    self.changed.add(summary)
        except Aborted:
            raise
        except LabError as error:
            self.left_out[path] = error
            if build_pages and not self.state.shown(build_pages.page.id):
                self.tree.remove_build(self.renderer.edition, build_pages.page.id)

    def _write_build(self, made: BuildPages, bundle: Path) -> None:
        page = made.page
        home = self.permanent / "builds" / page.id[:2] / page.id
        self.tree.put(self.permanent / "api" / page.id[:2] / f"{page.id}.json", page.model_dump_json().encode())
        kept = set[str]()
        for name, data in self._build_files(made):
            self.tree.put(home / name, data)
            kept.add(name)
        if made.has_bundle:
            self.tree.link(bundle, home / builds.DOWNLOAD)
            kept.add(builds.DOWNLOAD)
        self.tree.remove_others(home, kept)

    def _build_files(self, made: BuildPages) -> Iterator[tuple[str, bytes]]:
        """Yield the names and the contents of the files of a build."""

        def render(template: str, **more: object) -> bytes:
            return self.renderer.render(template, made.page.path, page=made.page, made=made, shown=builds.CASES, **more)

        yield "index.html", render("build.html")
        if any(log.count for log in made.logs):
            yield PAGE, render("log.html")
        yield from made.texts.items()
        case_pages = made.case_pages
        for number, (cases, passed) in enumerate(case_pages, 1):
            more = number < len(case_pages)
            yield f"tests-{number}.html", render("tests.html", cases=cases, passed=passed, number=number, more=more)

    def _write_group(self, where: str, group: Iterator[Page], slot: str) -> None:
        """Write the pages of one subject; each that fails stays unchanged."""
        while True:
            try:
                with caught(sqlite3.DatabaseError):
                    page = next(group, None)
                    if page is None:
                        return
                    self._write(page, slot)
            except Aborted:
                raise
            except LabError as error:
                self.stale.setdefault(where, error)

    def _write(self, page: Page, slot: str) -> None:
        """Render a page if its data changed; store its digest with each of its files, "" if the page is removed."""
        if page.is_gone:
            for name in page.files:
                (self.tree.slot(slot) / name).unlink(missing_ok=True)
                self.state.put_page(name, "", self.state.generation + 1)
            return
        if self.state.page_digest(page.files[0]) == page.digest:
            return
        for name in page.files:
            target = self.tree.slot(slot) / name
            if name.endswith(".json"):
                self.tree.put(target, page.json)
            else:
                self.tree.put(target, self.renderer.render(page.template, page.path, page=page.data))
            self.state.put_page(name, page.digest, self.state.generation + 1)

    def _publish(self, slot: str, *, rebuilt: bool) -> None:
        """Commit the database, then swap the symlink."""
        self.state.set_fact("edition", self.renderer.edition)
        self.state.set_fact("slot", slot)
        self.state.set_fact("generation", str(self.state.generation + 1))
        self.state.set_fact("under way", "yes" if rebuilt else "")
        self.state.set_slot(slot, self.state.generation)
        self.tree.settle()
        self.state.commit()
        self.tree.publish(slot)
        if rebuilt:
            self._tidy(slot)

    def _tidy(self, current: str) -> None:
        """Remove everything that the current slot does not show; make the other slots equal to it."""
        self.tree.remove_all_but(self.state.fact("edition"), self.state.ids())
        for slot in SLOTS:
            if current and slot != current:
                self.tree.copy_slot(current, slot)
                self.state.set_slot(slot, self.state.generation)
        self.state.set_fact("under way", "")
        self.state.commit()


def _check(path: Path, build: Build, now: float) -> None:
    try:
        check_times(build, now)
    except LabError as error:
        raise type(error)(f"{path}: {error.args[0]}", hint=error.hint) from None
