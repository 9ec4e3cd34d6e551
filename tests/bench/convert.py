"""Conversion: native results to cases, cases to JUnit XML; the writing against junit-xml's and junitparser's own.

Each is made with the same 20,000 cases, of which one in twenty failed and one in ten printed something.  In each
round everybody writes in turn; ratios are taken round by round.  junitparser is no part of the lab: where it is not
installed (pip install junitparser), its line says so.
"""

from __future__ import annotations

import json
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import click
import junit_xml
from rich.console import Console
from rich.table import Table

from lab.results.cases import Case
from reports import junit
from reports.formats import registry

CASES = 20_000
AIM = "under 0.30 s"
TRACE = 'Traceback (most recent call last):\n  File "test.py", line 1, in test\n    assert "hello" == "goodbye"\nAssertionError\n'
OURS, JUNIT_XML, JUNITPARSER = "cases to XML: qalab", "cases to XML: junit-xml", "cases to XML: junitparser"


def made() -> list[Case]:
    return [
        Case(
            suite=f"suite {number // 500}",
            classname=f"tests.test_{number // 50}.Test",
            name=f"test_{number}",
            outcome="failed" if number % 20 == 0 else "passed",
            seconds=number % 7 / 100,
            message="'hello' != 'goodbye'" if number % 20 == 0 else "",
            evidence=TRACE if number % 20 == 0 else "",
            output="about to greet\n" if number % 10 == 0 else "",
        )
        for number in range(CASES)
    ]


def by_suite(cases: Sequence[Case]) -> dict[str, list[Case]]:
    suites = defaultdict[str, list[Case]](list)
    for case in cases:
        suites[case.suite].append(case)
    return suites


def with_junit_xml(cases: Sequence[Case]) -> str:
    suites = []
    for name, told in by_suite(cases).items():
        tests = []
        for case in told:
            test = junit_xml.TestCase(case.name, case.classname, case.seconds, stdout=case.output)
            if case.outcome == "failed":
                test.add_failure_info(case.message, case.evidence, case.outcome)
            tests.append(test)
        suites.append(junit_xml.TestSuite(name, tests))
    return junit_xml.to_xml_report_string(suites)


def with_junitparser(junitparser: Any, cases: Sequence[Case], path: Path) -> None:
    report = junitparser.JUnitXml()
    for name, told in by_suite(cases).items():
        suite = junitparser.TestSuite(name)
        tests = []
        for case in told:
            test = junitparser.TestCase(case.name, case.classname, case.seconds)
            if case.outcome == "failed":
                failure = junitparser.Failure(case.message, case.outcome)
                failure.text = case.evidence
                test.result = [failure]
            if case.output:
                test.system_out = case.output
            tests.append(test)
        suite.add_testcases(tests)
        report.add_testsuite(suite)
    report.write(str(path))


def tap(path: Path) -> Path:
    lines = [
        f"not ok {number} - test_{number}\n# {TRACE.splitlines()[-1]}"
        if number % 20 == 0
        else f"ok {number} - test_{number}"
        for number in range(1, CASES + 1)
    ]
    path.write_text("\n".join([f"1..{CASES}", *lines, ""]))
    return path


def subunit_v1(path: Path) -> Path:
    path.write_text(
        "".join(
            f"test: a.T.test_{number}\n"
            + (f"failure: a.T.test_{number} [\n{TRACE}]\n" if number % 20 == 0 else f"success: a.T.test_{number}\n")
            for number in range(CASES)
        )
    )
    return path


def subunit_v2(path: Path) -> Path:
    """Two packets a test, as `subunit.run` writes them."""

    def packet(name: str, status: int) -> bytes:
        told = name.encode()
        size = 1 + 2 + 1 + 1 + len(told) + 4
        data = bytes([0xB3, 0x29, status, size, len(told)]) + told
        return data + zlib.crc32(data).to_bytes(4, "big")

    names = [f"a.T.test_{number}" for number in range(CASES)]
    path.write_bytes(b"".join(packet(name, 2) + packet(name, 6 if n % 20 == 0 else 3) for n, name in enumerate(names)))
    return path


def converted(name: str, path: Path) -> int:
    cases = registry.cases(name, path)
    path.with_suffix(".xml").write_bytes(junit.render(cases))
    return len(cases)


def contestants(home: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    cases, out = made(), home / "out.xml"
    yield OURS, lambda: out.write_bytes(junit.render(cases))
    yield JUNIT_XML, lambda: out.write_text(with_junit_xml(cases))
    try:
        junitparser = import_module("junitparser")
    except ImportError:
        pass
    else:
        yield JUNITPARSER, lambda: with_junitparser(junitparser, cases, out)
    xml = home / "in.xml"
    xml.write_bytes(junit.render(cases))
    natives = {
        "junit": xml,
        "tap": tap(home / "in.tap"),
        "v1": subunit_v1(home / "in.v1"),
        "v2": subunit_v2(home / "in.v2"),
    }
    for what, path in natives.items():
        name = "subunit" if what in {"v1", "v2"} else what
        title = f"subunit {what} to XML" if name == "subunit" else f"{name} to XML"
        yield title, lambda name=name, path=path: converted(name, path)


def measure(home: Path, rounds: int) -> dict[str, list[float]]:
    costs = defaultdict[str, list[float]](list)
    everybody = list(contestants(home))
    for number in range(1, rounds + 1):
        for name, run in everybody:
            begin = time.process_time()
            run()
            costs[name].append(time.process_time() - begin)
            click.echo(f"round {number} of {rounds}: {name}: {costs[name][-1]:.3f} s", err=True)
    return costs


@dataclass(frozen=True)
class Row:
    """Medians of seconds of processor time, and of each round's ratio of ours to theirs."""

    what: str
    seconds: float
    ratio: float | None
    aim: str


def rows(costs: dict[str, list[float]]) -> list[Row]:
    found = []
    for name, seconds in costs.items():
        rival = name in {JUNIT_XML, JUNITPARSER}
        ratio = median(a / b for a, b in zip(costs[OURS], seconds, strict=True)) if rival else None
        found.append(Row(name, median(seconds), ratio, "ours under 1.00" if rival else AIM))
    return found


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(*, rounds: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="qalab-bench-") as directory:
        found = rows(measure(Path(directory), rounds))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in found], indent=2))
        return
    table = Table(title=f"{CASES:,} cases; medians of {rounds} rounds, processor time", title_justify="left")
    for name in ("", "s", "ours / theirs", "aim"):
        table.add_column(name, justify="left" if name in {"", "aim"} else "right", no_wrap=True)
    for row in found:
        table.add_row(row.what, f"{row.seconds:.3f}", f"{row.ratio:.2f}" if row.ratio else "", row.aim)
    if JUNITPARSER not in {row.what for row in found}:
        table.add_row(JUNITPARSER, "", "", "not installed: pip install junitparser")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
