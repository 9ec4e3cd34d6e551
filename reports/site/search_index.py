"""The search index of a component on a track: the commits, authors and messages of its newest builds.

The index is one script for each lane, because a browser reads scripts, but no data, from files without a server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, Literal

from lab.results import addresses
from lab.results.history import of_verdict
from reports.model import FrozenModel
from reports.site.lane_history import History
from reports.site.render import fit
from reports.site.summary import Summary

BUILDS: Final = 200
ENTRIES: Final = 1000


class SearchEntry(FrozenModel):
    """A text to find, the day of the newest build that has it, and its page."""

    kind: Literal["commit", "test", "step"]
    text: str
    author: str
    day: str
    path: str


class SearchShard(FrozenModel):
    """The index of a lane: the newest ``builds`` of all ``of``, the oldest of them from ``since``.

    ``cut``: the index has no room for all texts of these builds.
    """

    kind: Literal["search shard"] = "search shard"
    component: str
    track: str
    builds: int
    of: int
    since: str
    cut: bool
    entries: tuple[SearchEntry, ...]

    @property
    def script(self) -> str:
        """Return the call that adds the index to the search page; ASCII, as JSON is a part of JavaScript."""
        data: dict[str, Any] = self.model_dump(exclude={"kind", "entries"})
        data |= {"component": fit(self.component), "track": fit(self.track)}
        data["entries"] = [[one.kind, fit(one.text), fit(one.author), one.day, one.path] for one in self.entries]
        return f"qalabShard({json.dumps(data)});\n"


def search_shard(history: History) -> SearchShard:
    builds = history.builds[: -BUILDS - 1 : -1]
    found = list(islice(_entries(history, builds), ENTRIES + 1))
    return SearchShard(
        component=history.component,
        track=history.track,
        builds=len(builds),
        of=len(history.builds),
        since=builds[-1].started[:10],
        cut=len(found) > ENTRIES,
        entries=tuple(found[:ENTRIES]),
    )


def _entries(history: History, builds: tuple[Summary, ...]) -> Iterator[SearchEntry]:
    """Yield each text once, of the newest build that has it, the newest first."""
    built = {build.commit for build in builds}
    seen = set[tuple[str, str]]()
    for build in builds:
        for entry in _of_build(history, build, built):
            if (entry.kind, entry.text) not in seen:
                seen.add((entry.kind, entry.text))
                yield entry


def _of_build(history: History, build: Summary, built: set[str]) -> Iterator[SearchEntry]:
    day = build.started[:10]
    if of_verdict(build.verdict) != "good" and (build.step or build.message):
        text = f"{build.phase} {build.verdict}, {build.step}: {build.message}"
        yield SearchEntry(kind="step", text=text, author="", day=day, path=build.path)
    for mark in build.results.marks:
        path = addresses.test_path(history.component, history.track, mark.test)
        yield SearchEntry(kind="test", text=f"{mark.test}: {mark.message}", author="", day=day, path=path)
    for commit in build.commits:
        path = addresses.commit_path(history.component, commit.id) if commit.id in built else build.path
        yield SearchEntry(
            kind="commit", text=f"{commit.id[:12]} {commit.subject}", author=commit.author, day=day, path=path
        )
