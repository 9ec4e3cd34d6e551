"""The public site of many builds: what one more costs, how fast all are made anew, and what pages and the site weigh.

The builds are made up, with flaky tests and long-broken components, and come from memory: no bundle is unpacked.  The
size of a site is that of real bundles.  Times are CPU seconds of this process, so that other work on the machine hardly
changes them.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table

from lab.results.cases import Case
from lab.store.records import rfc3339
from reports import bundle
from reports.model import Build, Commit, StepSummary
from reports.site import Identity, build
from tests.reports.publications import a_build
from tests.reports.site.worlds import InMemory, World, grown

BUILDS = 100_000
COMPONENTS = 40
TRACKS = 3
OUTAGE = 1000
SITE = Identity("bench", "A lab that was never run")
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    what: str
    value: float
    unit: str
    aim: float | None = None
    least: bool = False

    @property
    def met(self) -> str:
        if self.aim is None:
            return ""
        return "yes" if (self.value >= self.aim if self.least else self.value <= self.aim) else "NO"


def timed(action: Callable[[], T]) -> tuple[float, T]:
    """Return the CPU seconds of an action, and its result."""
    begin = time.process_time()
    result = action()
    return time.process_time() - begin, result


def heaviest(out: Path, pattern: str) -> float:
    return max(path.stat().st_size for path in out.glob(pattern)) / 1000


def measure(out: Path, count: int, more: int) -> list[Row]:
    world = World(count, components=COMPONENTS, tracks=TRACKS, tests=60, lines=40)
    generating, _ = timed(lambda: [world.read(path) for path in list(world)[:500]])
    click.echo(f"making the site of {count} builds", err=True)
    seconds, made = timed(lambda: build(world, out, SITE, rebuild=True, read=world.read))
    assert (made.added, made.left_out, made.stale) == (count, {}, {})
    costs, written, linked = [], [], []
    for number in range(1, more + 1):
        bigger = grown(world, count + number)
        paths = list(bigger)
        took, report = timed(lambda bigger=bigger, paths=paths: build(paths, out, SITE, read=bigger.read))
        assert (report.added, report.left_out, report.stale) == (1, {}, {})
        costs.append(took)
        written.append(len(report.written))
        linked.append(report.linked)
    return [
        Row("made anew, whole", round(seconds, 1), "CPU s"),
        Row("of that, inventing the builds", round(generating * count / 500, 1), "CPU s"),
        Row("made anew", round(count / (seconds - generating * count / 500)), "builds/s"),
        Row("one build more", round(median(costs), 3), "CPU s", 1.0),
        Row("one build more, the worst", round(max(costs), 3), "CPU s", 1.0),
        Row("files written for it", median(written), "files", 25),
        Row("files written for it, the most", max(written), "files", 25),
        Row("files linked for it", median(linked), "files"),
        Row("home page", heaviest(out, "current/index.html"), "kB", 100),
        Row("heaviest page of a build", heaviest(out, "editions/*/builds/0[0-9a-f]/*/index.html"), "kB", 50),
        Row("heaviest page of a track", heaviest(out, "current/p/*/*/index.html"), "kB"),
        Row("styles", heaviest(out, "current/static/site.css"), "kB", 12),
        Row("scripts", heaviest(out, "current/static/site.js"), "kB", 10),
    ]


@dataclass(frozen=True)
class LongLane:
    """The builds of one component on one track with many tests, of which ``unsound`` ever fail, and one outage."""

    count: int
    tests: int
    unsound: int

    def read(self, path: Path) -> InMemory:
        return InMemory(self.build(int(path.name[:64], 16)), {})

    def paths(self) -> list[Path]:
        return [Path("/nowhere", f"{number:064x}.tar.gz") for number in range(self.count)]

    @cached_property
    def passed(self) -> list[Case]:
        return [
            Case(suite="unit", classname=f"m{number % 40}", name=f"test_{number:04}", outcome="passed", seconds=0.1)
            for number in range(self.tests)
        ]

    @cached_property
    def failed(self) -> list[Case]:
        changed = {
            "outcome": "failed",
            "message": "AssertionError: 200 != 500",
            "evidence": "Traceback\n  x\nAssertionError",
        }
        return [case.model_copy(update=changed) for case in self.passed]

    def build(self, number: int) -> Build:
        """Return a build: an unsound test fails for ten builds in three hundred, and all tests fail in the outage."""
        is_outage = number == OUTAGE
        is_bad = [is_outage or (test < self.unsound and (number + test * 7) % 300 < 10) for test in range(self.tests)]
        cases = tuple(self.failed[test] if bad else self.passed[test] for test, bad in enumerate(is_bad))
        started = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=8 * number)
        commit = Commit(id=f"{number:040x}", subject=f"Change {number}", author="Ada <ada@up.example>")
        return a_build(
            number=number + 1, verdict="unstable", step="sbuild", message="some tests failed",
            started=rfc3339(started), finished=rfc3339(started + timedelta(minutes=9)), seconds=540.0,
            commit=commit.id, commits=(commit,), cases=cases, steps=(StepSummary(step="sbuild", verdict="unstable"),),
        )  # fmt: skip


def long_lane(out: Path, lane: LongLane) -> list[Row]:
    what = f"a lane of {lane.count} x {lane.tests}, {lane.unsound} ever failing"
    click.echo(f"making the site of {what}", err=True)
    build(lane.paths(), out, SITE, rebuild=True, read=lane.read)
    costs = []
    for number in range(1, 4):
        bigger = replace(lane, count=lane.count + number)
        took, report = timed(lambda bigger=bigger: build(bigger.paths(), out, SITE, read=bigger.read))
        assert report.added == 1
        costs.append(took)
    return [Row(f"one build more in {what}", round(median(costs), 3), "CPU s", 1.0)]


def sizes(home: Path, count: int) -> list[Row]:
    """Compare the site of real bundles, and its share that is no bundle, with the bundles."""
    world = World(count, components=COMPONENTS, tracks=TRACKS, tests=60, lines=2000)
    made = [world.read(path) for path in world]
    text = sum(len(data) for one in made for data in one.logs.values())
    bundles = [bundle.write(one.build, one.logs, home / "bundles") for one in made]
    build(bundles, home / "site", SITE)
    size = sum(path.stat().st_size for path in bundles)
    files = {
        path.stat().st_ino: path for path in (home / "site").rglob("*") if path.is_file() and not path.is_symlink()
    }
    for path in bundles:
        files.pop(path.stat().st_ino, None)  # the site has links to them
    pages = sum(path.stat().st_size for path in files.values())
    apart = {
        name: sum(path.stat().st_size for path in files.values() if path.match(name))
        for name in ("log-*.html", "*.txt.gz", "*.json")
    }
    return [
        Row(f"{count} bundles", round(size / 1e6, 1), "MB"),
        Row("the site without the bundles", round(pages / size, 2), "x", 6),
        Row("the text of the logs alone", round(text / size, 2), "x"),
        Row("of the site, pages of logs", round(apart["log-*.html"] / size, 2), "x"),
        Row("of the site, compressed text of logs", round(apart["*.txt.gz"] / size, 2), "x"),
        Row("of the site, JSON", round(apart["*.json"] / size, 2), "x"),
    ]


@click.command(help=__doc__)
@click.option("--builds", default=BUILDS, show_default=True, type=click.IntRange(500))
@click.option("--more", default=20, show_default=True, type=click.IntRange(1), help="Builds that are added one by one.")
@click.option("--lane", default=3000, show_default=True, type=click.IntRange(1), help="Builds of the long lane.")
@click.option("--tests", default=1500, show_default=True, type=click.IntRange(1), help="Tests of the long lane.")
@click.option("--unsound", default=60, show_default=True, type=click.IntRange(0), help="Those of them that ever fail.")
@click.option(
    "--bundles", default=600, show_default=True, type=click.IntRange(1), help="Bundles to compare sizes with."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(*, builds: int, more: int, lane: int, tests: int, unsound: int, bundles: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="qalab-bench-", dir="/var/tmp") as directory:
        rows = measure(Path(directory, "many"), builds, more)
        rows += long_lane(Path(directory, "lane"), LongLane(lane, tests, unsound))
        rows += long_lane(Path(directory, "worst"), LongLane(lane, tests, tests))
        rows += sizes(Path(directory), bundles)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    title = f"a site of {builds:,} builds: {COMPONENTS} components, {TRACKS} tracks"
    table = Table(title=title, title_justify="left")
    for name in ("", "value", "unit", "aim", "met"):
        table.add_column(name, justify="right" if name in {"value", "aim"} else "left", no_wrap=True)
    for row in rows:
        table.add_row(row.what, f"{row.value:g}", row.unit, f"{row.aim:g}" if row.aim else "", row.met)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
