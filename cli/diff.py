"""``qalab diff``: compare two runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli import bisecting
from cli.output import out, print_lines
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config import loading
from lab.config.description import Lab
from lab.config.options import json_option, lab_option
from lab.results.build_environment import EnvironmentChange
from lab.store.bisections import BisectedChange
from lab.store.run_directory import Run
from lab.store.runs import Store
from reports import run_diff, status
from reports.site.comparison_models import Comparison
from scripts.archives import binary_difference
from scripts.bisection import axes
from scripts.bisection.opening import build_of


@dataclass(frozen=True)
class RunDifference:
    """What changed from one run to another; ``binary``: the lines of debdiff, ``missing``: why there are none."""

    before: Run
    after: Run
    comparison: Comparison
    commits: Sequence[BisectedChange]
    binary: Sequence[str]
    missing: str

    @property
    def data(self) -> dict[str, Any]:
        return {
            "before": self.before.id,
            "after": self.after.id,
            "comparison": self.comparison.model_dump(mode="json", exclude={"commits", "commit_count"}),
            "commits": [each.model_dump(exclude={"kind"}) for each in self.commits],
            "binary": list(self.binary),
            "binary_missing": self.missing,
        }


@click.command("diff")
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@lab_option
@click.option("--diffoscope", metavar="PACKAGE", help="Print what diffoscope says of a binary package, too.")
@json_option
def command(before: str, after: str, lab_file: Path, diffoscope: str | None, *, as_json: bool) -> None:
    """Compare two runs of a phase.

    It prints the upstream commits, the changes of the packaging, of lab.yaml and of the packages that were installed, the tests
    that fail newly and those that were fixed, the durations of the steps, and the differences of the binary packages.
    """
    lab = loading.load(lab_file)
    runs = [status.find(name, lab.lab.name) for name in (before, after)]
    built = [binary_difference.packages(each, Store.of(lab)) for run in runs if (each := build_of(run, Store.of(lab)))]
    found = difference(lab, runs[0], runs[1], built)
    more = _diffoscope(diffoscope, built) if diffoscope else []
    if as_json:
        click.echo(json.dumps(found.data | ({"diffoscope": more} if diffoscope else {}), indent=2))
        return
    print_lines(lines(found))
    print_lines(more)


def difference(lab: Lab, before: Run, after: Run, built: Sequence[dict[str, Path]]) -> RunDifference:
    """Return what changed; ``built``: the binary packages of the two builds that are there, by name."""
    compared = run_diff.compared(lab, before, after)
    commits: Sequence[BisectedChange] = ()
    # An error: another branch, an older commit, or an unknown one of an upstream that is away.
    with suppress(ConfigurationError, InfrastructureError), bisecting.logged(Store.of(lab)) as log:
        commits = axes.upstream(
            lab, after.info.track, after.info.component, before.info.commit, after.info.commit, log
        ).changes
    there = len(built) == len(("before", "after")) and all(built)
    binary = binary_difference.debdiff(built[0], built[1]) if there else []
    missing = "" if there else "one of the runs has no binary packages any more"
    return RunDifference(before, after, compared, commits, binary, missing)


def lines(found: RunDifference) -> Iterable[str]:
    """Yield the difference for people."""
    one = found.comparison
    yield f"{found.before.id} ({one.other.verdict}) -> {found.after.id} ({found.after.verdict})"
    yield f"commits: {len(found.commits) or 'none, or not in a line'}"
    yield from (f"  {each.name[:12]} {each.subject} ({each.author})" for each in found.commits)
    yield from _changes("environment", one.environment, one.environment_count)
    yield from _changes("packages of the lab", one.versions, one.version_count)
    if one.outage:
        yield "tests: most failed in one of the runs"
    elif one.ran or one.ran_before:
        yield f"tests: {one.failed_before} of {one.ran_before} failed, then {one.failed} of {one.ran}"
    for word, tests, count in (("newly failing", one.broke, one.broke_count), ("fixed", one.fixed, one.fixed_count)):
        if count:
            yield f"{word}: {count}"
            yield from (f"  {test.test.id}{': ' if test.message else ''}{test.message}" for test in tests)
    yield "steps:"
    for step in one.steps:
        yield f"  {step.step:12} {_step(step.before, step.seconds_before)} -> {_step(step.after, step.seconds_after)}"
    yield f"binary packages: {found.missing or ('different' if found.binary else 'the same files and fields')}"
    yield from (f"  {line}" for line in found.binary)


def _changes(title: str, changes: Sequence[EnvironmentChange], count: int) -> Iterable[str]:
    if count:
        yield f"{title}: {count}"
        yield from (f"  {change}" for change in changes)


def _step(verdict: str | None, seconds: float | None) -> str:
    return f"{verdict} {seconds:.1f} s" if verdict and seconds is not None else "none"


def _diffoscope(name: str, built: Sequence[dict[str, Path]]) -> list[str]:
    if len(built) != len(("before", "after")) or not all(name in each for each in built):
        known = ", ".join(sorted(built[-1])) if built else "none"
        raise ConfigurationError(f"{name}: no package of both runs; known: {known}")
    out.print(f"diffoscope {name}:")
    return binary_difference.diffoscope(built[0][name], built[1][name])
