"""The pages of the site, and the pages that an update can change."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any

from lab.results import addresses
from reports.model import FrozenModel
from reports.site import comparisons, lane_pages, overview, search_index
from reports.site.api import KINDS
from reports.site.identity import Identity
from reports.site.lane_history import History
from reports.site.lane_models import Lane
from reports.site.lanes import lane
from reports.site.phase_states import has_become_quiet
from reports.site.state import SiteState
from reports.site.summary import Summary


@dataclass(frozen=True)
class Page:
    """A page that can change: its path, its template and its data.

    A path that is empty or ends with / or .html is an HTML page, whose data is also in ``api/v1``.
    """

    path: str
    template: str
    make: Callable[[], FrozenModel | dict[str, Any]]
    key: str = ""
    """A digest that changes with the data and costs less; "" if there is none."""
    is_gone: bool = False
    """Whether the page has to be removed: a list became shorter."""

    @cached_property
    def data(self) -> FrozenModel | dict[str, Any]:
        return self.make()

    @cached_property
    def json(self) -> bytes:
        if isinstance(self.data, dict):
            return (json.dumps(self.data, indent=1, sort_keys=True) + "\n").encode()
        return self.data.model_dump_json().encode()

    @property
    def digest(self) -> str:
        return self.key or hashlib.sha256(self.json).hexdigest()

    @property
    def files(self) -> tuple[str, ...]:
        if self.path.endswith(".html"):
            return self.path, f"api/v1/{self.path.removesuffix('.html')}.json"
        if self.path and not self.path.endswith("/"):
            return (self.path,)
        return f"{self.path}index.html", f"api/v1/{self.path.rstrip('/') or 'index'}.json"


@dataclass
class Changed:
    """The subjects of new builds: lanes with months, and commits; ``everything``: also pages that depend on no build."""

    lanes: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    commits: set[tuple[str, str]] = field(default_factory=set)
    everything: bool = False

    def add(self, build: Summary) -> None:
        self.lanes.setdefault((build.component, build.track), set()).add(lane_pages.month_of(build))
        if build.commit:
            self.commits.add((build.component, build.commit))

    def add_lanes(self, lanes: Iterable[Lane]) -> None:
        for one in lanes:
            self.lanes.setdefault((one.component, one.track), set())

    def dumps(self) -> str:
        """Return the subjects as JSON, for `load`."""
        lanes = [[*lane, sorted(months)] for lane, months in sorted(self.lanes.items())]
        return json.dumps({"lanes": lanes, "commits": sorted(self.commits), "everything": self.everything})

    def load(self, text: str) -> None:
        """Add the subjects of a text from `dumps`."""
        saved = json.loads(text)
        for component, track, months in saved["lanes"]:
            self.lanes.setdefault((component, track), set()).update(months)
        self.commits |= {(component, commit) for component, commit in saved["commits"]}
        self.everything |= saved["everything"]


def pages(state: SiteState, changed: Changed, site: Identity) -> Iterator[tuple[str, Iterator[Page]]]:
    """Yield the pages that new builds can change, in independent groups, each with the name of its subject."""
    newest = state.newest
    changed.add_lanes(lane for lane in state.lanes() if any(has_become_quiet(one, newest) for one in lane.phases))
    for (component, track), months in sorted(changed.lanes.items()):
        yield f"{component} on {track}", _with_new_lane(state, site, (component, track), sorted(months))
    for component in sorted({component for component, _ in changed.lanes}):
        yield component, _of_component(state.lanes(component))
    for component, commit in sorted(changed.commits):
        yield f"{component} {commit}", _of_commit(state, component, commit)
    yield "the lab", _of_all(state, site, state.lanes())
    if changed.everything:
        yield "the site", _of_the_site(site)


def _with_new_lane(state: SiteState, site: Identity, place: tuple[str, str], months: Sequence[str]) -> Iterator[Page]:
    with _no_collection():
        history = replace(state.history(*place), newest=state.newest, site=site)
        summary = lane(history)
        state.put_lane(summary)
        yield from _of_lane(history, summary, months)
        state.rosters.clear()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the search for reference cycles: of a long lane, it takes a third of the time, and finds none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _of_commit(state: SiteState, component: str, commit: str) -> Iterator[Page]:
    path = addresses.commit_path(component, commit)
    yield Page(path, "commit.html", lambda: lane_pages.commit_page(state.commit_builds(component, commit)))


def _of_the_site(site: Identity) -> Iterator[Page]:
    yield Page("about/", "about.html", partial(overview.about, site))
    for kind, model in KINDS.items():
        yield Page(f"api/v1/schemas/{kind}.json", "", partial(_schema, model))


@cache
def _schema(model: type[FrozenModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model; it takes ten milliseconds, and never changes."""
    return model.model_json_schema()


def _of_lane(history: History, summary: Lane, months: Sequence[str]) -> Iterator[Page]:
    yield Page(summary.path, "track.html", partial(lane_pages.track_page, history))
    for month in months:
        path = addresses.month_path(history.component, history.track, month)
        yield Page(path, "month.html", partial(lane_pages.month_page, history, month))
    for test in history.marks:
        path = addresses.test_path(history.component, history.track, test)
        yield Page(path, "test.html", partial(lane_pages.test_page, history, test), history.key(test))
    for builds in history.phases.values():
        for pair in comparisons.pairs(history, builds):
            # A build changes its own comparison, and those of later builds.
            if months and lane_pages.month_of(builds[pair.place]) >= months[0]:
                path = addresses.comparison_path(builds[pair.place].id)
                make = partial(comparisons.comparison_page, history, builds, pair)
                yield Page(path, "comparison.html", make, pair.key)
    yield Page(f"{summary.path}search.js", "search.js", partial(search_index.search_shard, history))
    yield from _feed_and_badge(f"{summary.component} on {summary.track}", summary.path, [summary])


def _of_component(lanes: Sequence[Lane]) -> Iterator[Page]:
    if not lanes:  # all of them failed
        return
    path = addresses.component_path(lanes[0].component)
    yield Page(path, "component.html", partial(lane_pages.component_page, lanes))
    yield from _feed_and_badge(lanes[0].component, path, lanes)


def _feed_and_badge(title: str, path: str, lanes: Sequence[Lane]) -> Iterator[Page]:
    feed = f"{path}feed.atom"
    yield Page(feed, "feed.atom", partial(overview.feed, title, feed, path, lanes))
    yield Page(f"{path}badge.svg", "badge.svg", partial(overview.badge, title, [lane.state for lane in lanes]))


def _listed(state: SiteState, name: str, template: str, pages: Sequence[FrozenModel], first: int = 1) -> Iterator[Page]:
    """Yield the pages of a list: ``NAME/``, ``NAME/2.html`` and so on; remove those that an earlier list had."""
    for number, data in enumerate(pages, first):
        yield Page(f"{name}/" if number == 1 else f"{name}/{number}.html", template, lambda data=data: data)  # type: ignore[misc]
    number = first + len(pages)
    while state.page_digest(path := f"{name}/{number}.html"):
        yield Page(path, template, dict, is_gone=True)
        number += 1


def _of_all(state: SiteState, site: Identity, lanes: Sequence[Lane]) -> Iterator[Page]:
    yield Page("newest.js", "newest.js", partial(overview.newest_build, lanes))
    yield Page("", "home.html", partial(overview.home, site, lanes))
    yield from _listed(state, "broken", "broken.html", overview.broken(lanes), first=2)
    yield Page("changes/", "changes.html", partial(overview.changes, lanes, site))
    yield from _listed(state, "flaky", "flaky.html", overview.flaky(lanes))
    yield Page("slow/", "slow.html", partial(overview.slow, lanes))
    yield Page("stale/", "stale.html", partial(overview.stale, lanes))
    yield Page("compare/", "compare.html", partial(overview.compare, lanes))
    yield Page("search/", "search.html", partial(overview.search, lanes))
    yield Page("feed.atom", "feed.atom", partial(overview.feed, site.lab, "feed.atom", "", lanes))
