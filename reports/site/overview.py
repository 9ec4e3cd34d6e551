"""The pages of the whole lab (home, changes, flaky, slow, stale, search, about), the feeds and the badges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeVar

from lab.results import addresses
from lab.results.history import State
from reports.lab_view import NOTHING_KNOWN, LabView
from reports.site import lab_pages
from reports.site.api import (
    KINDS,
    AboutPage,
    Badge,
    ComparePage,
    ComponentLinks,
    Feed,
    FlakyPage,
    NewestBuild,
    SearchPage,
    SlowPage,
    StaleLane,
    StalePage,
)
from reports.site.identity import NO_LAB, Identity
from reports.site.lab_models import (
    BreakageRow,
    BrokenPage,
    Cell,
    ChangesPage,
    DayChanges,
    HealthPage,
    Home,
    Row,
    TrackLink,
)
from reports.site.lane_models import BreakagePart, Lane, StandingPart, TransitionPart
from reports.site.lanes import slowest
from reports.site.search_index import BUILDS
from reports.site.standings import BAD_STATES, newest_first, worst

T = TypeVar("T")
Place = tuple[StandingPart, BreakagePart]
BROKEN: Final = 100
LATELY: Final = 10
SLOW: Final = 30
FLAKY: Final = 200
ENTRIES: Final = 30
STALE_DAYS: Final = 7
CHANGES_DAYS: Final = 14


def home(site: Identity, known: Sequence[Lane]) -> Home:
    lanes = [lane for lane in known if lane.state != "dropped"]
    broken = _rows(known, newest(known))
    pages = _in_pages(broken, BROKEN)
    tracks = sorted({lane.track for lane in lanes})
    by_place = {(lane.component, lane.track): lane for lane in lanes}
    return Home(
        lab=site.lab,
        description=site.description,
        newest=newest(known),
        lanes=len(lanes),
        dropped=len(known) - len(lanes),
        builds=sum(lane.builds for lane in known),
        broken=pages[0],
        pages=len(pages),
        breakage_count=len(broken),
        broken_count=len(_broken(lanes)),
        never_passed_count=sum(phase.state == "never passed" for phase in _broken(lanes)),
        unknown=tuple(phase for lane in lanes for phase in lane.phases if phase.state == "unknown"),
        cut=tuple(phase for phase in _broken(lanes) if phase.breakage_count > len(phase.breakages)),
        tracks=tuple(tracks),
        rows=tuple(
            Row(
                component=component,
                path=addresses.component_path(component),
                cells=tuple(_cell(by_place.get((component, track))) for track in tracks),
            )
            for component in components(lanes)
        ),
        lately=newest_first([change for lane in known for change in lane.transitions])[:LATELY],
    )


def broken(known: Sequence[Lane]) -> tuple[BrokenPage, ...]:
    """Return the pages of the breakages for which the home page has no room."""
    rows = _rows(known, newest(known))
    pages = _in_pages(rows, BROKEN)
    return tuple(
        BrokenPage(number=number, pages=len(pages), count=len(rows), broken=page)
        for number, page in enumerate(pages, 1)
        if number > 1
    )


def health(lanes: Sequence[Lane], view: LabView = NOTHING_KNOWN) -> HealthPage:
    return lab_pages.health(lanes, newest(lanes), view)


def _broken(lanes: Iterable[Lane]) -> list[StandingPart]:
    return [phase for lane in lanes for phase in lane.phases if phase.state in BAD_STATES]


def _rows(lanes: Iterable[Lane], newest: str) -> tuple[BreakageRow, ...]:
    """Return what is broken, the newest first.

    A test or step of a component that is in the same state on several tracks, with the same known bug, is one row,
    unless no commit can have broken it on all of them.
    """
    groups: dict[tuple[str, ...], list[Place]] = {}
    for phase in _broken(lanes):
        for part in phase.breakages:
            key = (phase.component, phase.phase, part.kind, part.name, _state(part), part.bug)
            groups.setdefault(key, []).append((phase, part))
    of_row = (row for group in groups.values() for row in _with_one_cause(group))
    ordered = (sorted(group, key=lambda one: (one[1].flaky, one[1].since.started)) for group in of_row)
    rows = [_row(group, newest) for group in ordered]
    rows.sort(key=lambda row: (row.component, row.phase, row.part.kind, row.part.name))
    rows.sort(key=lambda row: (not row.part.flaky, row.part.since.started), reverse=True)
    return tuple(rows)


def _with_one_cause(group: Sequence[Place]) -> list[list[Place]]:
    """Return the tracks of a breakage, apart where their suspects have no commit in common."""
    rows: list[tuple[set[str], list[Place]]] = []
    for place in group:
        ids = {commit.id for commit in place[1].suspects}
        common, row = next(((known, row) for known, row in rows if known & ids or known == ids), (ids, []))
        if row:
            common &= ids
        else:
            rows.append((common, row))
        row.append(place)
    return [row for _, row in rows]


def _row(group: Sequence[Place], newest: str) -> BreakageRow:
    phase, part = group[0]
    last = max(its.last.finished for _, its in group)
    tracks = sorted((TrackLink(track=one.track, path=one.path, since=its.since) for one, its in group), key=_track)
    return BreakageRow(
        component=phase.component,
        path=addresses.component_path(phase.component),
        phase=phase.phase,
        state=_state(part),
        part=part.model_copy(update={"suspects": part.suspects[:1]}),
        tracks=tuple(tracks),
        last_failed=last if lab_pages.is_quiet(last, newest) else "",
        authors=tuple(sorted({commit.author for _, its in group for commit in its.suspects if commit.author})),
    )


def _state(part: BreakagePart) -> Literal["broken", "never passed"]:
    return "never passed" if part.good is None and not part.flaky else "broken"


def _track(link: TrackLink) -> str:
    return link.track


def changes(lanes: Sequence[Lane], site: Identity = NO_LAB) -> ChangesPage:
    """Return the changes of the newest days."""
    latest = newest(lanes)
    first = (datetime.fromisoformat(latest) - timedelta(days=CHANGES_DAYS)).isoformat()[:10] if latest else ""
    by_day: dict[str, list[TransitionPart]] = {}
    for change in newest_first([change for lane in lanes for change in lane.transitions]):
        if change.build.finished[:10] > first:
            by_day.setdefault(change.build.finished[:10], []).append(change)
    days = tuple(DayChanges(day=day, changes=tuple(found)) for day, found in by_day.items())
    return ChangesPage(days=CHANGES_DAYS, by_day=days, bisections=len(site.bisections))


def _cell(lane: Lane | None) -> Cell | None:
    if lane is None:
        return None
    phase = next(phase for phase in lane.phases if phase.state == lane.state)
    since = phase.since.started if phase.since else ""
    return Cell(track=lane.track, path=lane.path, state=lane.state, since=since)


def _in_pages(rows: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """Return the rows in pages, one at least."""
    return [tuple(rows[start : start + size]) for start in range(0, len(rows), size)] or [()]


def components(lanes: Iterable[Lane]) -> list[str]:
    return sorted({lane.component for lane in lanes})


def newest(lanes: Iterable[Lane]) -> str:
    """Return the end of the newest build, "" without builds."""
    return max((lane.latest.finished for lane in lanes), default="")


def flaky(lanes: Iterable[Lane]) -> tuple[FlakyPage, ...]:
    """Return the pages of the flaky tests; one without any."""
    tests = sorted((test for lane in lanes for test in lane.flaky), key=lambda test: (-test.flips, test.test.path))
    pages = _in_pages(tests, FLAKY)
    return tuple(
        FlakyPage(tests=page, count=len(tests), number=number, pages=len(pages)) for number, page in enumerate(pages, 1)
    )


def slow(lanes: Sequence[Lane]) -> SlowPage:
    return SlowPage(
        builds=slowest([slow for lane in lanes for slow in lane.slow_builds])[:SLOW],
        steps=slowest([slow for lane in lanes for slow in lane.slow_steps])[:SLOW],
        tests=slowest([slow for lane in lanes for slow in lane.slow_tests])[:SLOW],
    )


def stale(lanes: Sequence[Lane]) -> StalePage:
    """Return the lanes without a recent build, and those that lab.yaml has no more.

    The time is measured from the newest build: a static page does not know the time.
    """
    latest = newest(lanes)
    limit = datetime.fromisoformat(latest) - timedelta(days=STALE_DAYS) if latest else None
    old = [
        lane
        for lane in lanes
        if lane.state == "dropped" or (limit and datetime.fromisoformat(lane.latest.finished) < limit)
    ]
    old.sort(key=lambda lane: (lane.latest.finished, lane.path))
    return StalePage(
        days=STALE_DAYS,
        lanes=tuple(
            StaleLane(
                component=lane.component,
                track=lane.track,
                path=lane.path,
                last=lane.latest.finished,
                is_dropped=lane.state == "dropped",
            )
            for lane in old
        ),
    )


def search(lanes: Sequence[Lane]) -> SearchPage:
    tests = tuple(test for lane in lanes for test in lane.failed)
    return SearchPage(indexed_builds=BUILDS, components=_components(lanes), tests=tests)


def compare(lanes: Sequence[Lane]) -> ComparePage:
    return ComparePage(components=_components(lanes))


def _components(lanes: Sequence[Lane]) -> tuple[ComponentLinks, ...]:
    tracks: dict[str, list[tuple[str, str]]] = {}
    for lane in lanes:
        tracks.setdefault(lane.component, []).append((lane.track, lane.path))
    return tuple(
        ComponentLinks(component=component, path=addresses.component_path(component), tracks=tuple(tracks[component]))
        for component in sorted(tracks)
    )


def about(site: Identity) -> AboutPage:
    return AboutPage(lab=site.lab, description=site.description, kinds=tuple(KINDS))


def feed(title: str, path: str, page: str, lanes: Sequence[Lane]) -> Feed:
    """Return the feed of some lanes; its date is that of its newest entry, so that it changes only with its entries."""
    entries = newest_first([change for lane in lanes for change in lane.transitions])[:ENTRIES]
    first_build = min((lane.first for lane in lanes), default="1970-01-01T00:00:00Z")
    updated = entries[0].build.finished if entries else first_build
    return Feed(title=title, path=path, home=page, updated=updated, entries=entries)


def newest_build(lanes: Sequence[Lane]) -> NewestBuild:
    """Return what tells every page its age."""
    return NewestBuild(finished=newest(lanes))


def badge(label: str, states: Sequence[State]) -> Badge:
    return Badge(label=label, state=worst(states))
