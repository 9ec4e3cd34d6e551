"""A bisection over 60 commits with one agent, and with two at once: real builds in clean chroots, the same ones in each."""

from __future__ import annotations

import shutil
import time
from statistics import median

import click

from lab.store import bisections
from scripts.bisection.sectioning import rounds
from tests.bench.__main__ import scratch
from tests.bisected import BROKEN, COMMITS, BisectedLab, packaged, upstream

AIM = 0.7


def measure(bed: BisectedLab, agents: int) -> tuple[float, int]:
    """Bisect without kept builds; return the seconds and the number of probes."""
    shutil.rmtree(bisections.home(bed.store) / "kept", ignore_errors=True)
    began = time.monotonic()
    done = bed.bisect("--jobs", str(agents))
    return time.monotonic() - began, len(done.tests)


@click.command(help=__doc__)
@click.option("--rounds", "count", default=1, show_default=True, type=click.IntRange(1))
def main(count: int) -> None:
    with scratch() as (home, _):
        bed = BisectedLab(home)
        commits = bed.grow("greet", upstream(makefile=BROKEN))
        bed.grow("greet-packaging", [packaged()])
        bed.describe()
        bed.qalab("run", "trunk", "greet", "--commit", commits[0])
        bed.qalab("run", "trunk", "greet", "--commit", commits[-1], code=1)
        found: dict[int, list[tuple[float, int]]] = {1: [], 2: []}
        for _ in range(count):
            for agents, results in found.items():
                results.append(measure(bed, agents))
    seconds = {agents: median(each for each, _ in results) for agents, results in found.items()}
    for agents, results in found.items():
        predicted = rounds(COMMITS, agents)
        click.echo(
            f"agents {agents}: {seconds[agents]:.1f} s, {results[0][1]} probes ({predicted} rounds between the ends)"
        )
    click.echo(f"two agents: {seconds[2] / seconds[1]:.2f} of the time of one; aim: at most {AIM}")


if __name__ == "__main__":
    main()
