"""Jobs as code against Jenkins Job Builder's own command, side by side, in one run, on a Jenkins double.

The lab has a thousand components on one track, unless --components says otherwise.  Both make the same jobs from the same YAML; each works on a server
of its own, as whole processes with as many workers.  The servers are in this process, which does nothing else.
A round takes about two minutes on two idle processors.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import click
import yaml
from rich.console import Console
from rich.table import Table

from generator import jjb, render
from lab.config import loading
from tests.jenkins.double import Double

HOUSE = Path(__file__).parent.parent.parent
WORKERS = 8
# Where a job does not say whether it is disabled, JJB asks for each and takes each for changed the next time.
DISABLED = "disabled: false\n"
Cost = tuple[float, int, int]  # seconds, requests, and those of them that changed something


@dataclass(frozen=True)
class Row:
    """One thing that both do: medians of seconds and of each round's ratio; requests."""

    what: str
    ours: str
    seconds: float
    requests: int
    writes: int
    theirs: str
    their_seconds: float
    their_requests: int
    their_writes: int
    ratio: float
    aim: str


PAIRS = (
    ("create the jobs", "apply", "update, empty server", "at most 0.50"),
    ("nothing changed", "plan, the first", "update, cold cache", "at most 0.10, and of the requests"),
    ("nothing changed", "plan", "update, cold cache", "at most 0.10, and of the requests"),
    ("nothing changed", "plan --quick", "update, cold cache", "at most 0.10, and of the requests"),
    ("nothing changed", "plan", "update, warm cache", "at most 1.00"),
    ("nothing changed", "plan --quick", "update, warm cache", "at most 1.00"),
    ("one job changed", "apply, one changed", "update, one changed", "at most 1.00"),
    ("one job changed", "plan --quick, applied", "update, one changed", "at most 1.00"),
    ("make the YAML", "generate", "its expansion", "at most 0.10"),
)


def make_lab(home: Path, components: int) -> Path:
    """A lab of so many components, its jobs/ beside it."""
    description = {
        "lab": {"name": "bench", "maintainer": "Bench <bench@lab.example>"},
        "jenkins": {"url": "http://127.0.0.1:1/"},
        "series": {"bookworm": {}},
        "tracks": {"trunk": {"series": "bookworm", "branch": "main", "phases": ["build", "deploy", "exercise"]}},
        "defaults": {"upstream": {"git": "https://git.example/{component}.git"},
                     "packaging": {"git": "https://git.example/{component}-packaging.git"}},
        "components": {f"component-{number}": {} for number in range(components)},
    }  # fmt: skip
    path = home / "lab.yaml"
    path.write_text(yaml.safe_dump(description, sort_keys=False))
    shutil.copytree(HOUSE / "jobs", home / "jobs", ignore=shutil.ignore_patterns("generated", "public"))
    render.write(loading.load(path), home / "jobs")
    with (home / "jobs/generated/defaults.yaml.inc").open("a") as stream:
        stream.write(DISABLED)
    return path


@dataclass(frozen=True)
class Contest:
    """Both, each with a server; ``ini`` files name them."""

    home: Path
    lab: Path
    jenkins: Double
    theirs: Double

    def ini(self, server: Double) -> Path:
        path = self.home / ("ours.ini" if server is self.jenkins else "theirs.ini")
        path.write_text(f"[jenkins]\nurl={server.url}\nuser=admin\npassword=secret\n")
        return path

    def run(self, server: Double, argv: list[str | Path]) -> Cost:
        """Run a program against a server: what it costs."""
        before = len(server.requests), len(server.writes())
        env = os.environ | {"XDG_CACHE_HOME": str(self.home / "cache"), "XDG_STATE_HOME": str(self.home / "state")}
        begin = time.monotonic()
        subprocess.run(argv, cwd=self.home, env=env, check=True, capture_output=True)
        seconds = time.monotonic() - begin
        return seconds, len(server.requests) - before[0], len(server.writes()) - before[1]

    def qalab(self, *argv: str, cold: bool = False) -> Cost:
        """``cold``: nothing is remembered of what JJB makes of the YAML."""
        if cold:
            shutil.rmtree(self.home / "cache/qalab", ignore_errors=True)
        options = ["--lab", self.lab, "--ini", self.ini(self.jenkins)]
        return self.run(self.jenkins, [sys.executable, HOUSE / "qalab.py", *argv, *options])

    def apply_quick(self) -> Cost:
        """Apply a plan that reads only what the description has changed, as `jenkins-jobs update` does."""
        plan = self.home / "plan.json"
        pair = (
            self.qalab("jenkins", "plan", "--quick", "-o", str(plan)),
            self.qalab("jenkins", "apply", "--yes", str(plan)),
        )
        seconds, requests, writes = (sum(values) for values in zip(*pair, strict=True))
        return seconds, int(requests), int(writes)

    def update(self, *, cold: bool) -> Cost:
        if cold:
            shutil.rmtree(self.home / "cache/jenkins_jobs", ignore_errors=True)
        program = Path(sys.executable).with_name("jenkins-jobs")
        argv = ["update", "--workers", str(WORKERS), self.home / "jobs"]
        return self.run(self.theirs, [program, "--conf", self.ini(self.theirs), *argv])

    def generate(self) -> Cost:
        lab, begin = loading.load(self.lab), time.monotonic()
        render.render(lab, self.home / "jobs")
        return time.monotonic() - begin, 0, 0

    def expand(self) -> Cost:
        begin = time.monotonic()
        jjb.expand(self.home / "jobs", jjb.configuration(None))
        return time.monotonic() - begin, 0, 0

    def change_one(self) -> None:
        """Give the build of one component another minute."""
        path = self.home / "jobs/generated/project.yaml.inc"
        before, start, after = path.read_text().partition('component: "component-7"\n    minutes: ')
        minutes, _, rest = after.partition("\n")
        path.write_text(f"{before}{start}{int(minutes) + 1}\n{rest}")

    def round(self) -> Iterator[tuple[str, Callable[[], Cost]]]:
        """All that is measured, in its order; the servers are empty at first."""
        self.jenkins.wipe()
        self.theirs.wipe()
        yield "update, empty server", lambda: self.update(cold=True)
        yield "apply", lambda: self.qalab("jenkins", "apply", "--yes", "--workers", str(WORKERS), cold=True)
        yield "update, cold cache", lambda: self.update(cold=True)
        yield "plan, the first", lambda: self.qalab("jenkins", "plan", "--check", cold=True)
        yield "plan", lambda: self.qalab("jenkins", "plan", "--check")
        yield "update, warm cache", lambda: self.update(cold=False)
        yield "plan --quick", lambda: self.qalab("jenkins", "plan", "--check", "--quick")
        self.change_one()
        yield "update, one changed", lambda: self.update(cold=False)
        yield "apply, one changed", lambda: self.qalab("jenkins", "apply", "--yes", "--workers", str(WORKERS))
        self.change_one()
        yield "plan --quick, applied", self.apply_quick
        yield "its expansion", self.expand
        yield "generate", self.generate


def measure(home: Path, components: int, rounds: int) -> dict[str, list[Cost]]:
    costs = defaultdict[str, list[Cost]](list)
    with ExitStack() as stack:
        jenkins, theirs = (stack.enter_context(Double()) for _ in range(2))
        contest = Contest(home, make_lab(home, components), jenkins, theirs)
        for number in range(1, rounds + 1):
            for name, run in contest.round():
                costs[name].append(run())
                seconds, requests, writes = costs[name][-1]
                told = f"{seconds:.2f} s, {requests} requests, {writes} of them writes"
                click.echo(f"round {number} of {rounds}: {name}: {told}", err=True)
    return costs


def rows(costs: dict[str, list[Cost]]) -> list[Row]:
    """Each pair; ratios are taken round by round."""
    return [
        Row(what, ours, median(cost[0] for cost in costs[ours]), *costs[ours][-1][1:],
            theirs, median(cost[0] for cost in costs[theirs]), *costs[theirs][-1][1:],
            median(a[0] / b[0] for a, b in zip(costs[ours], costs[theirs], strict=True)), aim)
        for what, ours, theirs, aim in PAIRS
    ]  # fmt: skip


@click.command(help=__doc__)
@click.option("--components", default=1000, show_default=True, type=click.IntRange(8))
@click.option("--rounds", default=1, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(*, components: int, rounds: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="qalab-bench-") as directory:
        made = rows(measure(Path(directory), components, rounds))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in made], indent=2))
        return
    table = Table(title=f"jobs of {components} components, {WORKERS} workers; rounds: {rounds}", title_justify="left")
    for name in ("", "qalab", "s", "requests", "writes", "jenkins-jobs", "s", "requests", "writes", "ratio", "aim"):
        table.add_column(
            name, justify="right" if name in {"s", "requests", "writes", "ratio"} else "left", no_wrap=True
        )
    for row in made:
        ours = (row.ours, f"{row.seconds:.2f}", str(row.requests), str(row.writes))
        theirs = (row.theirs, f"{row.their_seconds:.2f}", str(row.their_requests), str(row.their_writes))
        table.add_row(row.what, *ours, *theirs, f"{row.ratio:.2f}", row.aim)
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
