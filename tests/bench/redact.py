"""What it costs to make a build public: MB/s of redaction in one process, beside the same rules asked naively.

The logs are made up in the manner of real ones; naively means every rule asked of every line, one after another.
Seconds are of the processor, so that what else the machine does at the time counts little.
"""

from __future__ import annotations

import io
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from lab.config.description import Lab
from lab.config.publication import LogLimits
from lab.results.cases import Case
from reports import bundle
from reports.model import Build, Log
from reports.redact import hits as hits_of_rules
from reports.redact import logs, plain_text, rules
from reports.redact.known_secrets import Secret
from reports.redact.pseudonyms import Pseudonyms
from reports.redact.publication import Publication
from reports.redact.redactor import Redactor
from reports.redact.scan import Scanner
from tests.bench import worst

SECRETS = tuple(Secret(f"secret-{number}", f"S3cret/{number}-of-five&more") for number in range(5))
LAB = Lab.model_validate({
    "lab": {"name": "bench", "maintainer": "Bench <bench@lab.example>"}, "series": {"bookworm": {}},
    "tracks": {"trunk": {"series": "bookworm"}}, "components": {"greet": {}},
    "publish": {"jobs": ("*",), "hosts": ("builder7", "bastion"), "domains": ("corp.example",)},
})  # fmt: skip
AIM = 20.0


@dataclass(frozen=True)
class Row:
    """One thing that is measured; ``rate`` is in MB/s; ``ratio``: how many times as fast as the naive way."""

    what: str
    megabytes: float
    seconds: float
    rate: float
    ratio: float | None = None
    aim: str = ""


def publication() -> Publication:
    every = rules.for_lab(LAB, SECRETS, Pseudonyms(b"bench"))
    sure = tuple(rule for rule in every if rule.sure)
    return Publication(LAB.publish, Redactor(every), Redactor(sure), Scanner(SECRETS, every))


def lines_of_gcc(dice: random.Random) -> Iterable[str]:
    while True:
        name = f"src/{dice.choice(['core', 'net', 'util', 'token'])}/{dice.getrandbits(24):06x}.c"
        yield (
            f"gcc -DHAVE_CONFIG_H -I. -I../include -Wdate-time -D_FORTIFY_SOURCE=2 -g -O2 "
            f"-ffile-prefix-map=/build/greet-1.0=. -fstack-protector-strong -Wformat -c -o {name}.o {name}"
        )
        if dice.random() < 0.1:
            yield f"{name}:{dice.randrange(900)}:13: warning: unused variable ‘key_{dice.randrange(9)}’ [-Wunused-variable]"
            yield "   42 |         int result = compute(value, sizeof buffer);"
            yield "      |             ^~~~~~"
        if dice.random() < 0.005:
            yield f"downloading http://10.0.{dice.randrange(9)}.2/cache/{name} as /home/builder/cache"


def lines_of_python(dice: random.Random) -> Iterable[str]:
    while True:
        case = f"keystone.tests.unit.test_v3_auth.TestTokenAPIs.test_{dice.getrandbits(40):x}"
        yield f"2026-01-01 12:{dice.randrange(60):02}:{dice.randrange(60):02}.{dice.randrange(999):03} {case} [{dice.random():.6f}s] ... ok"
        yield f"tests/unit/test_token_{dice.randrange(99)}.py::TestIt::test_{dice.getrandbits(20):x} PASSED [ {dice.randrange(99)}%]"
        if dice.random() < 0.02:
            yield "Traceback (most recent call last):"
            yield f'  File "/usr/lib/python3/dist-packages/oslo_db/api.py", line {dice.randrange(999)}, in wrapper'
            yield "    return f(*args, **kwargs)"
        if dice.random() < 0.005:
            yield f"DEBUG connecting to mysql+pymysql://root:{dice.getrandbits(40):x}@db/keystone; X-Auth-Token: {dice.getrandbits(64):x}"


def lines_in_colour(dice: random.Random) -> Iterable[str]:
    for line in lines_of_gcc(dice):
        yield f"\x1b[01m\x1b[K{line[:20]}\x1b[m\x1b[K{line[20:60]}\x1b[01;31m\x1b[Kerror: \x1b[m\x1b[K"


def lines_full_of_it(dice: random.Random) -> Iterable[str]:
    while True:
        yield f"node 10.1.{dice.randrange(99)}.{dice.randrange(99)}: OS_PASSWORD={dice.getrandbits(64):x} in /home/ada/x"


def a_log(lines: Callable[[random.Random], Iterable[str]], megabytes: float) -> bytes:
    out, size = [], 0
    for line in lines(random.Random(1)):
        out.append(line.encode() + b"\n")
        size += len(out[-1])
        if size > megabytes * 1e6:
            return b"".join(out)
    raise AssertionError


def naively(ours: Redactor, raw: bytes) -> bytes:
    """The same rules, each asked of each line."""
    out = []
    for line in plain_text.decode(raw).split("\n"):
        plain = plain_text.bare(line)
        found = ours.spans(plain)
        out.append(hits_of_rules.applied(plain, found, ours.rules) if found else line)
    return "\n".join(out).encode()


def timed(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def a_row(what: str, size: int, seconds: list[float], naive: list[float] | None = None, aim: str = "") -> Row:
    middle = median(seconds)
    ratio = median(b / a for a, b in zip(seconds, naive, strict=True)) if naive else None
    return Row(what, size / 1e6, middle, size / 1e6 / middle, ratio, aim)


def of_logs(ours: Publication, megabytes: float, rounds: int) -> Iterable[Row]:
    for what, lines, aim in (
        ("a build with gcc", lines_of_gcc, f"at least {AIM:g} MB/s"),
        ("tests in Python", lines_of_python, f"at least {AIM:g} MB/s"),
        ("compiler errors in colour", lines_in_colour, ""),
        ("something to hide in every line", lines_full_of_it, ""),
    ):
        raw = a_log(lines, megabytes)
        part = raw[: len(raw) // 20]
        fast, slow = [], []
        for _ in range(rounds):
            fast.append(timed(lambda raw=raw: sum(map(len, ours.redactor.stream(io.BytesIO(raw))))))
            slow.append(timed(lambda part=part: naively(ours.redactor, part)) * len(raw) / len(part))
        yield a_row(what, len(raw), fast, slow, aim)


# Lines that are one text again and again: programs, options, names, and what rules begin with.
TEXTS = (
    "curl -u ", "mysql -p ", "docker login ", "openssl ", "--a-", "pass.", "_key=", "://a@", "| ", "<password ", "10.0.1.2-", "~a/", "name=",
    "X_passphrase:P9_@uxwe[-:s", "http -a ", "pass_", "key: ", "cookie: ", "net use ", "nmcli ", "7z a ", "crudini ", "secretX", "eyJ", "@a.", "kek ", "pass\t  ",
)  # fmt: skip
# The same with a secret in each.
SECRET_TEXTS = (
    "password: ", "secret:=x ", "pw\tpw\t", "set password ", "vault login ", "mysqladmin password ", 'curl -u ":',
)  # fmt: skip
FOUND = 40


def of_the_worst(ours: Publication, found: Sequence[str]) -> Iterable[Row]:
    """The slowest of long lines, with and without something to hide, and of those that the rules' own texts make."""
    for what, texts, aim in (
        ("the worst line", TEXTS, "at least 4 MB/s"),
        ("the worst line, secrets in all of it", SECRET_TEXTS, "at least 4 MB/s"),
        ("the worst line of the rules' own texts", found, ""),
    ):
        # Lines that differ, since equal ones are asked once.
        lines = {text: b"".join(f"{at} {(text * 8000)[:7990]}\n".encode() for at in range(8)) for text in texts}
        costs = {
            text: min(timed(lambda raw=raw: sum(map(len, ours.redactor.stream(io.BytesIO(raw))))) for _ in range(3))
            for text, raw in lines.items()
        }
        slowest = max(costs, key=lambda text: costs[text])
        yield a_row(f"{what}: {slowest[:30]!r}", len(lines[slowest]), [costs[slowest]], aim=aim)


def of_growth(ours: Publication, found: Sequence[str]) -> Row:
    """A line of twice the length: no rule takes quadratic time."""
    long = replace(ours.redactor, line=1 << 16)
    ratios = []
    for text in (*TEXTS, *SECRET_TEXTS, *found):
        once, twice = (worst.seconds(long, text, size, rounds=4) for size in (8000, 16000))
        ratios.append((twice / once, twice, text))
    ratio, seconds, text = max(ratios)
    what = f"a line of twice the length: {ratio:.1f} times the work: {text[:30]!r}"
    return a_row(what, 16000, [seconds], aim="under 3 times")


def of_builds(ours: Publication, home: Path, rounds: int) -> Iterable[Row]:
    raw = home / "raw.log"
    raw.write_bytes(a_log(lines_of_gcc, 4))
    cases = tuple(
        Case(suite="tempest", classname=f"tempest.api.test_{n % 300}", name=f"test_{n}", outcome="passed", seconds=1.0)
        for n in range(20_000)
    )
    log = Log(name="sbuild.log", path="logs/sbuild.log", size=0, lines=0)
    build = Build(
        origin="local", job="trunk/greet/build", number=1, started="2026-01-01T00:00:00.000Z", seconds=1.0,
        finished="2026-01-01T00:00:01.000Z", lab="bench", track="trunk", component="greet", series="bookworm",
        architecture="amd64", phase="build", verdict="passed", cases=cases, logs=(log,),
    )  # fmt: skip
    made = [timed(lambda: ours.publish(build, {"logs/sbuild.log": raw}, home / "bundles")) for _ in range(rounds)]
    (path,) = home.glob("bundles/*/*.tar.gz")
    size = sum(bundle.read(path).sizes.values())
    yield a_row("a bundle: 20,000 cases and a log", size, made)
    yield a_row("reading it", size, [timed(lambda: bundle.read(path)) for _ in range(rounds)])


def of_the_huge(ours: Publication, home: Path) -> Row:
    """Five gigabytes, of which the first MB and the last four are shown."""
    raw = home / "huge.log"
    with raw.open("wb") as stream:
        stream.write(a_log(lines_of_gcc, 8))
        stream.truncate(5 * 10**9)  # sparse
        stream.seek(0, 2)
        stream.write(b"\n" + a_log(lines_of_gcc, 8))
    size = raw.stat().st_size
    return a_row("a log of 5 GB", size, [timed(lambda: logs.publish(ours.redactor, LogLimits(), raw, home / "shown"))])


def measure(megabytes: float, rounds: int) -> list[Row]:
    ours = publication()
    found = worst.worst(ours.redactor, FOUND)
    with tempfile.TemporaryDirectory(prefix="qalab-bench-") as directory:
        home = Path(directory)
        return [
            *of_logs(ours, megabytes, rounds),
            *of_the_worst(ours, found),
            of_growth(ours, found),
            *of_builds(ours, home, rounds),
            of_the_huge(ours, home),
        ]


@click.command(help=__doc__)
@click.option("--megabytes", default=20.0, show_default=True, help="The size of each log.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(*, megabytes: float, rounds: int, as_json: bool) -> None:
    rows = measure(megabytes, rounds)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table(title=f"redaction and bundles; medians of {rounds} rounds", title_justify="left")
    for name in ("", "MB", "s", "MB/s", "times the naive way", "aim"):
        table.add_column(name, justify="left" if name in {"", "aim"} else "right", no_wrap=True)
    for row in rows:
        ratio = f"{row.ratio:.1f}" if row.ratio else ""
        table.add_row(row.what, f"{row.megabytes:.1f}", f"{row.seconds:.2f}", f"{row.rate:.1f}", ratio, row.aim)
    Console(width=130).print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    click.echo(f"most memory, with the logs that are measured: {peak:.0f} MB")


if __name__ == "__main__":
    main()
