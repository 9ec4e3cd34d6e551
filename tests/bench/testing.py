"""What the phase test costs: autopkgtest with qalab's own testbeds beside those of schroot and unshare, and installability.

One package with a test that does nothing, so that the figures are those of the testbeds; all start from the same base.
Then dose reads a whole release with 500 source packages of a lab.  As root, with the network; the first round of each
does not count.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from lab.base import environment, resources
from lab.base.run import Word, run
from lab.config.description import Series
from lab.store.step import architecture
from scripts.archives import series_index
from scripts.drivers import layers
from scripts.migration import indexes
from scripts.testing.installability import PackageSet, uninstallable
from tests.toylab import Toy

SERIES = "bookworm"
SOURCES = 500
TOY = Toy("greet", "1.0", tests={"control": "Test-Command: true\n"})


@dataclass(frozen=True)
class Cost:
    """The seconds of a clock and of all processors."""

    what: str
    seconds: float
    cpu: float
    aim: str = ""


def used() -> tuple[float, float]:
    """Return the time now, and the CPU seconds of this process and its children so far."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.monotonic(), sum(each.ru_utime + each.ru_stime for each in spent)


@contextmanager
def servers(home: Path) -> Iterator[Mapping[str, Sequence[Word]]]:
    """Yield the command lines of virtualisation servers with the same base."""
    chroots = layers.local_layers(environment.cache_home() / "targets", None)
    with ExitStack() as held:
        base = held.enter_context(chroots.base(SERIES, Series(), layers.target_argv))
        session = held.enter_context(chroots.session("bench", base))
        tarball = home / "base.tar"
        run(["tar", "-C", base.path, "--one-file-system", "--exclude=./dev/*", "-cf", tarball, "."])
        yield {
            "qalab-virt-nspawn": [sys.executable, "-m", "scripts.testing.virt_nspawn", SERIES],
            "schroot": ["schroot", session.for_sbuild()],
            "unshare": ["unshare", "--release", SERIES, "--tarball", tarball],
        }


def testbeds(home: Path, rounds: int) -> list[Cost]:
    """Measure the servers in turn."""
    dsc, _ = TOY.build(home)
    found: dict[str, list[tuple[float, float]]] = {}
    with servers(home) as known:
        for number in range(rounds + 1):
            for name, server in known.items():
                output = home / f"{name}-{number}"
                began = used()
                argv: list[Word] = ["autopkgtest", "--no-built-binaries", f"--output-dir={output}", dsc, "--", *server]
                done = run(argv, cwd=resources.ROOT, capture=True, check=False)
                ended = used()
                if done.returncode:
                    click.echo(f"{name}: status {done.returncode}: {done.stdout[-200:]}", err=True)
                elif number:
                    found.setdefault(name, []).append((ended[0] - began[0], ended[1] - began[1]))
    aims = {"qalab-virt-nspawn": "no slower than the fastest"}
    return [
        Cost(f"autopkgtest, {name}", *(median(each) for each in zip(*spent, strict=True)), aims.get(name, ""))
        for name, spent in found.items()
    ]


def installable(home: Path) -> Cost:
    """Measure dose on a release with newer versions of many of its source packages."""
    directory = home / f"binary-{architecture()}"
    directory.mkdir()
    with (home / "log").open("w") as log:
        texts = series_index.packages_files(SERIES, Series(), log)
    for number, text in enumerate(texts):
        (directory / f"{number}").mkdir()
        (directory / f"{number}" / "Packages").write_text(text)
    began = used()
    series = [*indexes.read([directory]).binaries[architecture()].values()]
    chosen = {*sorted({each.source for each in series})[:: len({each.source for each in series}) // SOURCES][:SOURCES]}
    lab = [replace(each, version=f"{each.version}+lab") for each in series if each.source in chosen]
    packages = PackageSet(series, lab, architecture())
    asked = packages.asked()
    broken = uninstallable(packages, asked)
    ended = used()
    what = f"installable: {len(chosen)} sources, {len(asked)} of {len(series)} packages asked, {len(broken)} broken"
    return Cost(what, ended[0] - began[0], ended[1] - began[1], "15")


@click.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(rounds: int, *, as_json: bool) -> None:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="qalab-bench-") as directory:
        costs = [installable(Path(directory)), *testbeds(Path(directory), rounds)]
    if as_json:
        click.echo(json.dumps([asdict(cost) for cost in costs], indent=2))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what", "seconds", "CPU seconds", "aim"):
        table.add_column(name)
    for cost in costs:
        table.add_row(cost.what, f"{cost.seconds:.2f}", f"{cost.cpu:.2f}", cost.aim)
    Console().print(table)


if __name__ == "__main__":
    main()
