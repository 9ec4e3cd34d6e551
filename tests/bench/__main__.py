"""The build phase against a bare sbuild and against jenkins-debian-glue, side by side, in one run.

Everybody builds the distribution's hello with the same upstream commits.  What they need is made
before, by a build of each that does not count: chroots, package lists, caches.  In each round
everybody builds in turn, so that what slows the machine slows all.  Only root can measure.  Debian
packages that are missing are installed, and stay; nothing else is left behind.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import click
from rich.console import Console

from lab.base import environment
from lab.base.errors import ConfigurationError, LabError
from lab.base.run import run
from lab.config import apt
from lab.config.description import Series
from scripts.chroots import backends
from scripts.demo import demo, examples
from scripts.host import prerequisites
from tests.bench import comparison
from tests.bench.bare import Bare
from tests.bench.glue import PACKAGES, Glue
from tests.bench.ours import Ours

THIRD = examples.DemoCommit("Greet the third time", "Ada Author <ada@upstream.example>", examples.GREETING,
                    "Hello, every commit!", "Hello, third commit!")  # fmt: skip
HELLO = replace(examples.HELLO, commits=(*examples.HELLO.commits, THIRD))


def say(text: str) -> None:
    click.echo(text, err=True)


def set_up(log: IO[str]) -> None:
    """Install what is missing.  Raises ConfigurationError where it cannot be measured."""
    if not environment.is_root():
        raise ConfigurationError("only root can measure: jenkins-debian-glue and schroot's overlays want it")
    prerequisites.setup(say, log)
    if not environment.find_program("jdg-generate-git-snapshot"):
        say(f"installing Debian packages with apt-get, to measure jenkins-debian-glue: {' '.join(PACKAGES)}")
        run(["apt-get", "update", "-qq"], log=log)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], log=log)
    mode, why = backends.mode()
    if mode != "schroot":
        raise ConfigurationError(f"an sbuild of the same kind cannot be measured here: {why}")


def measure(home: Path, rounds: int, log: IO[str]) -> comparison.Seconds:
    """Prepare everybody, and let them build; seconds by contestant."""
    say("making chroots; everybody builds once unmeasured")
    (home / "repositories").mkdir()
    tips = demo.make_repositories(HELLO, home / "repositories", log)
    mirror = apt.mirror(demo.SERIES, Series())
    ours = Ours(demo.write_lab(HELLO, home / "repositories", deployed=False), HELLO.component, log)
    bare = Bare(home / "sbuild", demo.SERIES, mirror, log)
    glue = Glue(home / "glue", home / "repositories", demo.SERIES, mirror, log)
    ours.build(tips[0])
    bare.prepare()
    bare.build(ours.source_package())
    glue.prepare(tips[0])
    builds: list[tuple[str, Callable[[], float]]] = [
        (comparison.OURS[0], lambda: ours.build(tips[0])),
        (comparison.SBUILD[0], lambda: bare.build(ours.source_package())),
        (comparison.GLUE[0], lambda: glue.build(tips[1], update=True)),
        (comparison.OURS[1], lambda: ours.build(tips[1])),
        (comparison.SBUILD[1], lambda: bare.build(ours.source_package(), "--no-run-lintian")),
        (comparison.GLUE[1], lambda: glue.build(tips[2], update=False)),
        (comparison.OURS[2], lambda: ours.build(tips[2])),
    ]
    seconds = defaultdict[str, list[float]](list)
    for number in range(1, rounds + 1):
        ours.forget()
        for name, build in builds:
            seconds[name].append(build())
            say(f"round {number} of {rounds}: {name}: {seconds[name][-1]:.1f} s")
    return seconds


@contextmanager
def scratch() -> Iterator[tuple[Path, IO[str]]]:
    """Set up a state, a cache and a log that go away; end the program where qalab cannot build, with the end of the log."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="qalab-bench-", dir="/var/tmp") as directory:
        home, log_path = Path(directory), Path(directory, "log")
        home.chmod(0o755)  # the users of chroots enter it
        os.environ |= {"XDG_STATE_HOME": f"{home}/state", "XDG_CACHE_HOME": f"{home}/cache"}
        with log_path.open("w", encoding="utf-8") as log:
            try:
                set_up(log)
                yield home, log
            except LabError as error:
                tail = log_path.read_text(errors="replace").splitlines()[-30:]
                say("\n".join([*tail, f"bench: {error}"]))
                sys.exit(error.exit_code)


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="How often everybody builds.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(*, rounds: int, as_json: bool) -> None:
    with scratch() as (home, log):
        seconds = measure(home, rounds, log)
    if as_json:
        click.echo(json.dumps(comparison.as_json(seconds), indent=2))
    else:
        Console(width=140).print(comparison.table(f"the build phase for hello; medians of {rounds} rounds", seconds))


if __name__ == "__main__":
    main()
