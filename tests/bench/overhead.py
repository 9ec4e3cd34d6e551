"""The overhead of the build phase over dpkg-buildpackage in a ready chroot, and the cost of each further commit.

The peers are a plain sbuild and jenkins-debian-glue.  All build the same packages of the distribution with a new commit
in each round, from the second commit on: chroots and layers exist.  In a round all build in turn; the best of the rounds
counts.  CPU seconds are measured as well, because a loaded machine changes them less than the clock.
Then `qalab watch` builds many commits of a small package, one after the other.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import IO, Any

import click
import yaml
from debian.deb822 import Dsc
from rich.console import Console
from rich.table import Table

from lab.base import environment, git
from lab.base.errors import LabError
from lab.base.run import run
from lab.config import apt, loading
from lab.config.description import Lab, Series
from lab.store.runs import Store
from scripts.chroots.bootstrap import dependencies
from scripts.chroots.chroots import Chroots
from scripts.demo import demo
from tests.bench.__main__ import HELLO, say, scratch
from tests.bench.bare import Bare
from tests.bench.glue import Glue
from tests.bench.ours import HOUSE, Ours
from tests.conftest import packaging_files

# Compiles assembly, a C++ library and a large test suite: minutes on two cores, with few build dependencies.
LONG = "gmp"
PLAIN = """\
mkdir /build && tar --extract --directory /build && cd /build
dpkg-source --extract *.dsc tree >&2 && cd tree
begin=$(date +%s.%N)
(dpkg-buildpackage -us -uc -b >&2; times > /build/times)
echo "$begin $(date +%s.%N) $(sed -n 2p /build/times)"
"""


@dataclass(frozen=True)
class Spent:
    """The cost of one build: seconds of a clock, and CPU seconds of all its processes."""

    seconds: float
    cpu: float


@dataclass(frozen=True)
class Overhead:
    """The costs of a package's builds, one a round."""

    package: str
    plain: Sequence[Spent]
    sbuild: Sequence[Spent]
    glue: Sequence[Spent]
    ours: Sequence[Spent]
    lintian: Sequence[float]
    """Seconds of the step lintian in the rounds of ours; the others do not run it."""

    @property
    def seconds(self) -> float:
        """What the best round of ours takes longer than the best of dpkg-buildpackage."""
        return best(self.ours).seconds - best(self.plain).seconds

    @property
    def cpu(self) -> float:
        """The same in CPU seconds."""
        return best(self.ours).cpu - best(self.plain).cpu

    @property
    def percent(self) -> float:
        return 100 * self.seconds / best(self.plain).seconds


def best(rounds: Sequence[Spent]) -> Spent:
    return Spent(min(each.seconds for each in rounds), min(each.cpu for each in rounds))


def spent(build: Callable[[], float]) -> Spent:
    """Build, and return what it has taken; ``build`` returns its own seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = build()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def plain(lab: Lab, dsc: Path, log: IO[str]) -> Spent:
    """Run dpkg-buildpackage in a session on the layer that sbuild takes too."""
    series = lab.series[demo.SERIES]
    names = [dsc.name, *(entry["name"] for entry in Dsc(dsc.read_text())["Files"])]
    with tempfile.NamedTemporaryFile() as packed:
        run(["tar", "--create", "--file", packed.name, *names], cwd=dsc.parent, log=log)
        source = packed.read()
    chroots = Chroots.here(log)
    with (
        chroots.base(demo.SERIES, series) as base,
        chroots.layer(base, dependencies(dsc.read_text()), (), None) as layer,
        chroots.session("bench", base, layer) as session,
    ):
        begin, end, *cpu = session.shell(PLAIN, stdin=source, capture=True).stdout.split()
    return Spent(float(end) - float(begin), sum(map(shell_seconds, cpu)))


def shell_seconds(text: str) -> float:
    """Return the seconds that ``times`` of sh prints as ``1m2.5s``."""
    minutes, _, seconds = text.removesuffix("s").partition("m")
    return 60 * int(minutes) + float(seconds)


def measure(component: str, home: Path, rounds: int, log: IO[str]) -> Overhead:
    """Let everybody build a package of the distribution, with a new commit in each round."""
    home.mkdir()
    upstream, packaging = repositories(component, home, log)
    ours = Ours(description(component, home, upstream, packaging), component, log)
    lab = loading.load(ours.description)
    bare = Bare(home / "sbuild", demo.SERIES, apt.mirror(demo.SERIES, Series()), log)
    bare.prepare()
    first = commit(upstream, "main", 0)
    glue = Glue(home / "glue", home, demo.SERIES, apt.mirror(demo.SERIES, Series()), log, component)
    glue.prepare(first)
    ours.build(first)
    found: dict[str, list[Spent]] = {"plain": [], "sbuild": [], "glue": [], "ours": []}
    lintian = []
    for number in range(1, rounds + 1):
        new = commit(upstream, "main", number)
        found["ours"].append(spent(partial(ours.build, new)))
        lintian.append(ours.run.record("lintian").seconds)
        found["plain"].append(plain(lab, ours.source_package(), log))
        found["sbuild"].append(spent(partial(bare.build, ours.source_package(), "--no-run-lintian")))
        found["glue"].append(spent(partial(glue.build, new, update=False)))
        figures = (f"{name} {all_[-1].seconds:.1f} s ({all_[-1].cpu:.1f} CPU)" for name, all_ in found.items())
        say(f"{component}, round {number}: {', '.join(figures)}")
    return Overhead(component, **found, lintian=lintian)


def repositories(component: str, home: Path, log: IO[str]) -> tuple[Path, Path]:
    """Make an upstream and a packaging repository of a source package of the distribution."""
    dsc = demo.download_source(component, environment.cache_home() / "sources", log)
    env = git.NO_CONFIG | git.identity(demo.MAINTAINER, demo.FIRST_COMMIT)
    run(
        ["gbp", "import-dsc", "--no-pristine-tar", "--debian-branch=master", dsc, "packaging"],
        log=log,
        env=env,
        cwd=home,
    )
    upstream, packaging = home / "upstream", home / "packaging"
    git.git(["clone", "--quiet", "--branch", "upstream", packaging, upstream])
    git.git(["branch", "--move", "main"], cwd=upstream)
    return upstream, packaging


def description(component: str, home: Path, upstream: Path, packaging: Path) -> Path:
    """Write the lab.yaml of a component."""
    repositories = {"upstream": {"git": str(upstream)}, "packaging": {"git": str(packaging)}}
    content = {
        "lab": {"name": f"bench-{component}", "maintainer": demo.MAINTAINER},
        "series": {demo.SERIES: {}},
        "tracks": {demo.TRACK: {"series": demo.SERIES, "branch": "main"}},
        "components": {component: repositories},
    }
    path = home / "lab.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def commit(repository: Path, branch: str, number: int) -> str:
    """Commit a change of a text; return the id."""
    git.git(["checkout", "--quiet", branch], cwd=repository)
    (repository / "BENCH").write_text(f"{number}\n")
    git.git(["add", "BENCH"], cwd=repository)
    who = git.NO_CONFIG | git.identity(demo.MAINTAINER, demo.FIRST_COMMIT + (10 + number) * demo.DAY)
    git.git(["commit", "--quiet", "--message", f"Go on: {number}"], cwd=repository, env=who)
    return git.git(["rev-parse", "HEAD"], cwd=repository)


def watched(home: Path, commits: int, log: IO[str]) -> list[float]:
    """Let `qalab watch` build many commits of a small package; the seconds of each run."""
    home.mkdir()
    upstream, packaging = home / "upstream", home / "packaging"
    for path, contents in ((upstream, {"greet.txt": "hello\n"}), (packaging, packaging_files())):
        git.git(["init", "--quiet", "--initial-branch=main", path])
        for name, text in contents.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text)
            (path / name).chmod(0o755 if name == "debian/rules" else 0o644)
        git.git(["add", "--all"], cwd=path)
        who = git.NO_CONFIG | git.identity(demo.MAINTAINER, demo.FIRST_COMMIT)
        git.git(["commit", "--quiet", "--message", "Begin"], cwd=path, env=who)
    git.git(["tag", "v1.0"], cwd=upstream)
    path = description("greet", home, upstream, packaging)
    watch = [sys.executable, HOUSE / "qalab.py", "watch", demo.TRACK, "--once", "--lab", path]
    run(watch, log=log)  # the first commit makes the layer
    for number in range(commits):
        commit(upstream, "main", number)
    begin = time.monotonic()
    run(watch, log=log)
    say(f"watch: {commits} commits in {time.monotonic() - begin:.1f} s")
    runs = Store.of(loading.load(path)).runs()[1:]
    bad = [each.id for each in runs if each.verdict != "passed"]
    if bad or len(runs) != commits:
        raise LabError(f"{len(runs)} runs, not passed: {bad}")
    return [sum(record.seconds or 0 for record in each.records()) for each in runs]


def growth(seconds: Sequence[float]) -> float:
    """Return the seconds that a commit costs more than the one before it: the median of all slopes (Theil and Sen)."""
    slopes = [(late - early) / (j - i) for i, early in enumerate(seconds) for j, late in enumerate(seconds) if j > i]
    return median(slopes)


def table(found: Sequence[Overhead], runs: Sequence[float]) -> Table:
    title = "seconds (CPU seconds), the best of all rounds; overhead above dpkg-buildpackage"
    result = Table(title=title, title_justify="left")
    for name in (
        "package",
        "dpkg-buildpackage",
        "sbuild",
        "jenkins-debian-glue",
        "qalab run",
        "overhead",
        "lintian",
        "aim",
    ):
        result.add_column(name, justify="left" if name in {"package", "aim"} else "right", no_wrap=True)
    for each in found:
        aim = "under 5 s" if each.package == HELLO.component else "under 3 %"
        columns = map(best, (each.plain, each.sbuild, each.glue, each.ours))
        figures = (f"{column.seconds:.1f} ({column.cpu:.1f})" for column in columns)
        result.add_row(
            each.package,
            *figures,
            f"{each.seconds:.1f} s ({each.cpu:.1f}), {each.percent:.1f} %",
            f"{min(each.lintian):.1f}",
            aim,
        )
    if runs:
        first, last = median(runs[:5]), median(runs[-5:])
        text = f"{first:.1f} s at first, {last:.1f} s at last; {growth(runs):+.3f} s a commit"
        result.add_row(f"watch, {len(runs)} commits", "", "", "", text, "", "", "no growth")
    return result


def as_json(found: Sequence[Overhead], runs: Sequence[float]) -> dict[str, Any]:
    return {
        "packages": [asdict(each) | {"overhead": each.seconds, "cpu": each.cpu} for each in found],
        "watch": list(runs),
    }


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="How often everybody builds.")
@click.option("--commits", default=20, show_default=True, type=click.IntRange(0), help="How many commits are watched.")
@click.option("--package", "packages", multiple=True, default=(HELLO.component, LONG), show_default=True)
@click.option("--json", "as_data", is_flag=True, help="For programs.")
def main(*, rounds: int, commits: int, packages: Sequence[str], as_data: bool) -> None:
    with scratch() as (home, log):
        found = [measure(name, home / name, rounds, log) for name in packages]
        runs = watched(home / "watch", commits, log) if commits else []
    if as_data:
        click.echo(json.dumps(as_json(found, runs), indent=2))
    else:
        Console(width=200).print(table(found, runs))


if __name__ == "__main__":
    main()
