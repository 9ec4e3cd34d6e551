"""The public site of many builds: what one more costs, how fast all are made anew, and what pages weigh.

The builds are made up, with flaky tests and long-broken components, and come from memory: no bundle is unpacked.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from reports.site import Identity, build
from tests.reports.site.worlds import World, grown

BUILDS = 100_000
COMPONENTS = 40
TRACKS = 3
SITE = Identity("bench", "A lab that was never run")


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


def timed(action: Callable[[], object]) -> tuple[float, object]:
    begin = time.monotonic()
    result = action()
    return time.monotonic() - begin, result


def heaviest(out: Path, pattern: str) -> float:
    return max(path.stat().st_size for path in out.glob(pattern)) / 1000


def measure(out: Path, count: int, more: int) -> list[Row]:
    world = World(count, components=COMPONENTS, tracks=TRACKS, tests=60, lines=40)
    generating, _ = timed(lambda: [world.read(path) for path in list(world)[:500]])
    click.echo(f"making the site of {count} builds", err=True)
    seconds, _ = timed(lambda: build(world, out, SITE, rebuild=True, read=world.read))
    costs, written, linked = [], [], []
    for number in range(1, more + 1):
        bigger = grown(world, count + number)
        paths = list(bigger)
        took, report = timed(lambda bigger=bigger, paths=paths: build(paths, out, SITE, read=bigger.read))
        costs.append(took)
        written.append(len(report.written))
        linked.append(report.linked)
    return [
        Row("made anew, whole", round(seconds, 1), "s"),
        Row("of that, inventing the builds", round(generating * count / 500, 1), "s"),
        Row("made anew", round(count / (seconds - generating * count / 500)), "builds/s"),
        Row("one build more", round(median(costs), 3), "s", 1.0),
        Row("one build more, the worst", round(max(costs), 3), "s", 1.0),
        Row("files written for it", median(written), "files", 25),
        Row("files written for it, the most", max(written), "files", 25),
        Row("files linked for it", median(linked), "files"),
        Row("home page", heaviest(out, "current/index.html"), "kB", 100),
        Row("heaviest page of a build", heaviest(out, "editions/*/builds/0[0-9a-f]/*/index.html"), "kB", 50),
        Row("heaviest page of a track", heaviest(out, "current/p/*/*/index.html"), "kB"),
        Row("styles", heaviest(out, "current/static/site.css"), "kB", 10),
        Row("scripts", heaviest(out, "current/static/site.js"), "kB", 10),
    ]


@click.command(help=__doc__)
@click.option("--builds", default=BUILDS, show_default=True, type=click.IntRange(500))
@click.option("--more", default=20, show_default=True, type=click.IntRange(1), help="Builds that are added one by one.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(*, builds: int, more: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="qalab-bench-", dir="/var/tmp") as directory:
        rows = measure(Path(directory), builds, more)
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
