"""Real builds of four components over 1, 2 and 3 agents, with the archive on a machine of its own.

The agents, and the machine of the archive, are directories on this machine.  They run the command lines of the jobs as
processes; like Jenkins, an agent runs one build at a time, and the builds of a component follow one another.
Each build runs every step, with sbuild in a clean chroot.  Chroots are made before, by a build that does not count.
A build takes about a minute of processor time: with few cores, more agents than these make nothing faster.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from threading import Condition

import click

from tests.archives import served
from tests.conftest import GitRepository
from tests.controller import Finished
from tests.scripts.handover.test_agents import COMPONENTS, Field, archive_of, make_field
from tests.shells import ShellController

AIM = "near linear up to the number of cores"


def make_lab(root: Path, url: str, builds: int) -> tuple[Field, dict[str, list[str]]]:
    """Return a lab of four components, and the commits to build of each."""
    root.mkdir(parents=True, exist_ok=True)
    made = make_field(root, lambda name: GitRepository(root / name), url, ShellController)
    commits: dict[str, list[str]] = {name: [] for name in COMPONENTS}
    for number, name in zip(range(builds), cycle(COMPONENTS), strict=False):
        commits[name].append(made.upstream[name].commit(f"Change {number}", {"greet.txt": f"{number}\n"}))
    return made, commits


class Queue:
    """The commits that wait for an agent; a component with a running build waits."""

    def __init__(self, commits: Mapping[str, list[str]]) -> None:
        self.waiting = {name: list(these) for name, these in commits.items()}
        self.running: set[str] = set()
        self.changed = Condition()

    def take(self) -> tuple[str, str] | None:
        """Return a component and its next commit when there is one to build, None at the end."""
        with self.changed:
            while any(self.waiting.values()):
                free = [name for name, these in self.waiting.items() if these and name not in self.running]
                if free:
                    name = max(free, key=lambda each: len(self.waiting[each]))
                    self.running.add(name)
                    return name, self.waiting[name].pop(0)
                self.changed.wait()
            return None

    def done(self, name: str) -> None:
        with self.changed:
            self.running.remove(name)
            self.changed.notify_all()


def good(build: Finished, lab: Field) -> Finished:
    assert build.result == "SUCCESS", lab.controller.output[-1]
    return build


def work(lab: Field, queue: Queue, agent: str, hand_over: Callable[[Finished], object]) -> None:
    """Build on an agent until nothing waits."""
    while found := queue.take():
        component, commit = found
        try:
            job = f"trunk-{component}-build"
            hand_over(good(lab.controller.build(job, lab.agent(agent), {"COMMIT": commit}), lab))
        finally:
            queue.done(component)


def measure(root: Path, agents: int, builds: int) -> float:
    """Return the seconds until all builds are in the archive."""
    with served(archive_of(root)) as url:
        lab, commits = make_lab(root, url, builds)
        began, queue, imports = time.monotonic(), Queue(commits), []
        with ThreadPoolExecutor(1) as vault, ThreadPoolExecutor(agents) as pool:

            def hand_over(build: Finished) -> None:
                imports.append(vault.submit(lambda: [good(one, lab) for one in lab.follow(build, lab.vault)]))

            for one in [pool.submit(work, lab, queue, f"a{n}", hand_over) for n in range(agents)]:
                one.result()
            for each in imports:
                each.result()
        assert len(imports) == len(lab.reader.states("trunk")) == builds
        return time.monotonic() - began


@click.command(help=__doc__)
@click.option("--most", default=3, show_default=True, type=click.IntRange(1), help="The largest number of agents.")
@click.option(
    "--builds", default=4, show_default=True, type=click.IntRange(1), help="The number of builds; the aim is about 12."
)
def main(most: int, builds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="qalab-bench-", dir="/var/tmp") as directory:
        home = Path(directory)
        home.chmod(0o755)  # the users of chroots enter it
        os.environ["XDG_CACHE_HOME"] = str(home / "cache")
        with served(archive_of(home / "first")) as url:
            lab, commits = make_lab(home / "first", url, 1)
            job = f"trunk-{COMPONENTS[0]}-build"
            good(lab.controller.build(job, lab.agent("a1"), {"COMMIT": commits[COMPONENTS[0]][0]}), lab)
        seconds: dict[int, float] = {}
        for agents in range(1, most + 1):
            seconds[agents] = measure(home / str(agents), agents, builds)
            speed = f"{seconds[1] / seconds[agents]:.2f} times as fast as one"
            click.echo(f"agents {agents}: {builds} builds in {seconds[agents]:.1f} s, {speed}")
    click.echo(f"{os.cpu_count()} cores; aim: {AIM}")


if __name__ == "__main__":
    main()
