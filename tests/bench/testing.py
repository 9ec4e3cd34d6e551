"""What the phase test costs: autopkgtest with qalab's own testbeds beside those of schroot and unshare, and installability.

One package with a test that does nothing, so that the figures are those of the testbeds; all start from the same base.
Then dose reads a whole release with a lab that has 500 of its source packages.  As root, with the network; the first round of each
does not count.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from lab.base import environment, files, resources
from lab.base.run import Word, run
from lab.config.description import Series
from lab.store.step import architecture
from scripts.archives import series_index
from scripts.chroots import backends
from scripts.drivers import layers
from scripts.migration import indexes
from scripts.testing.installability import PackageSet, uninstallable
from tests.toylab import Toy
from tests.virt_server import serving

SERIES = "bookworm"
SOURCES = 500
SCHROOT = Path("/etc/schroot/chroot.d/qalab-bench")
# The users and groups of the chroot are its own: packages of the base have made them.
CONFIGURATION = """\
[{name}]
type=directory
directory={base}
union-type=overlay
root-users=root
setup.nssdatabases=
"""
TOY = Toy("greet", "1.0", tests={"control": "Test-Command: true\nDepends:\n"})
# Processes stay in it when they leave their parent, as containers do.  Version 2 of control groups has none that they keep:
# there, the CPU seconds are those of children alone, without containers.
ACCOUNT = Path("/sys/fs/cgroup/cpuacct/qalab-bench")


@dataclass(frozen=True)
class Cost:
    """The seconds of a clock and of all processors."""

    what: str
    seconds: float
    cpu: float
    aim: str = ""


def used() -> tuple[float, float]:
    """Return the time now, and the CPU seconds of this process and its children so far."""
    if ACCOUNT.exists():
        return time.monotonic(), int((ACCOUNT / "cpuacct.usage").read_text()) / 1e9
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.monotonic(), sum(each.ru_utime + each.ru_stime for each in spent)


@contextmanager
def accounted() -> Iterator[None]:
    """Have one control group count the CPU seconds of this process and all that it starts, where the machine can."""
    if not ACCOUNT.parent.is_dir():
        yield
        return
    ACCOUNT.mkdir(exist_ok=True)
    (ACCOUNT / "cgroup.procs").write_text("0")
    try:
        yield
    finally:
        (ACCOUNT.parent / "cgroup.procs").write_text("0")
        with suppress(OSError):  # something still runs in it
            ACCOUNT.rmdir()


@contextmanager
def servers(home: Path) -> Iterator[Mapping[str, Sequence[Word]]]:
    """Yield the command lines of virtualisation servers with the same base."""
    chroots = layers.local_layers(environment.cache_home() / "targets", None)
    with ExitStack() as held:
        base = held.enter_context(chroots.base(SERIES, Series(), layers.target_argv))
        files.write_atomic(SCHROOT, CONFIGURATION.format(name=SCHROOT.name, base=base.path))
        held.callback(SCHROOT.unlink)
        tarball = home / "base.tar"
        run(["tar", "-C", base.path, "--one-file-system", "--exclude=./dev/*", "-cf", tarball, "."])
        yield {
            "qalab-virt-nspawn": [sys.executable, "-m", "scripts.testing.virt_nspawn", SERIES],
            "schroot": ["schroot", SCHROOT.name],
            "unshare": ["unshare", "--release", SERIES, "--tarball", tarball],
        }


def testbeds(home: Path, rounds: int) -> list[Cost]:
    """Measure the servers in turn."""
    dsc, _ = TOY.build(home)
    found: dict[str, list[tuple[float, float]]] = {}
    with servers(home) as known:
        for number in range(rounds + 1):
            for name, server in known.items():
                # unshare needs a user with subordinate ids.
                user = ["runuser", "-u", backends.build_user(), "--"] if name == "unshare" else []
                argv: list[Word] = [*user, "autopkgtest", "--no-built-binaries", dsc, "--", *server]
                began = used()
                done = run(argv, cwd=resources.ROOT, capture=True, check=False)
                ended = used()
                if done.returncode:
                    click.echo(f"{name}: status {done.returncode}: {done.complaint or done.stdout[-200:]}", err=True)
                elif number:
                    found.setdefault(name, []).append((ended[0] - began[0], ended[1] - began[1]))
    aims = {"qalab-virt-nspawn": "no slower than the fastest"}
    return [
        Cost(f"autopkgtest, {name}", *(median(each) for each in zip(*spent, strict=True)), aims.get(name, ""))
        for name, spent in found.items()
    ]


def reverts(rounds: int) -> Cost:
    """Measure reverts of qalab-virt-nspawn.  The first one, after which all is in the machine's memory, does not count."""
    found: list[tuple[float, float]] = []
    with serving(SERIES, {"XDG_CACHE_HOME": str(environment.cache_home().parent)}) as server:
        server.ask("open")
        for _ in range(rounds + 1):
            began, spent = used()
            server.ask("revert")
            ended, spent_then = used()
            found.append((ended - began, spent_then - spent))
        server.ask("close")
    seconds, cpu = (median(each) for each in zip(*found[1:], strict=True))
    return Cost("revert, qalab-virt-nspawn", seconds, cpu, "1")


def installable(home: Path) -> Cost:
    """Measure dose on a release and a lab that replaces many of its source packages."""
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
    lab = [each for each in series if each.source in chosen]
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
        Path(directory).chmod(0o755)  # another user reads it
        with accounted():
            costs = [installable(Path(directory)), *testbeds(Path(directory), rounds), reverts(10)]
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
