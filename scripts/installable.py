"""installable: find uninstallable and unbuildable packages.

dose-debcheck reads the packages of the lab's state, and those of the series that depend on a package which the lab
replaces; dose-builddebcheck reads the lab's source packages.  Both know the series with its pockets.  A source package
of the lab replaces that of the series with all its binaries.  Only the difference from the baseline counts: the state
of the first label of the track, or the series alone until this label exists.

A package of the lab that is newly broken gives the verdict ``failed``.  Broken packages of the series alone, which need
a rebuild, give ``unstable``.  The step asks dose for no package in an indirect dependency of the series, except where
the lab has it.  ``results/native/installable.jsonl`` has a case for each package.

Facts: ``state``, ``baseline`` (a state, "" for the series alone), ``checked`` (the number of packages by kind),
``new``, ``theirs``, ``already`` (lines: newly broken packages of the lab, those of the series, and those that the
baseline has too).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from lab.base import files
from lab.base.errors import InfrastructureError
from lab.base.text import plural
from lab.results.cases import Case
from lab.store import step_command
from lab.store.archive import State
from lab.store.step import StepContext, StepOutcome, architecture
from scripts.archives import series_index
from scripts.migration import indexes
from scripts.migration.indexes import Binary
from scripts.testing.candidate import Candidate
from scripts.testing.conclusion import Findings, carry_out
from scripts.testing.installability import Broken, Installability, Kind, PackageSet, compare, unbuildable, uninstallable

NAME = "installable"
KINDS: Mapping[str, Kind] = {"packages": "binary", "sources": "source"}
AREA = "main"


def read_series(context: StepContext) -> list[Binary]:
    """Return the newest packages of a series and its pockets.  Raises InfrastructureError if no index can be had."""
    directory = context.run.work / "series"
    with series_index.opened(context.series_name, context.series, context.log) as index:
        if doubt := series_index.refreshed(index):
            raise InfrastructureError(f"{context.series_name}: the indices of the mirror cannot be read: {doubt}")
        for number, text in enumerate(index.texts()):
            files.write_atomic(directory / str(number) / f"binary-{architecture()}" / "Packages", text)
    return read_binaries(directory) or no_packages(f"the indices of {context.series_name}")


def read_binaries(directory: Path) -> list[Binary]:
    """Return the newest packages of this machine's architecture in a directory of indices."""
    return [*indexes.read([directory]).binaries.get(architecture(), {}).values()]


def lab_packages(context: StepContext, found: Candidate, state: State | None) -> tuple[list[Binary], Path]:
    """Return the binary packages of a state, and the path of a copy of its Sources; neither has anything for None."""
    directory = context.run.work / (state.name if state else "nothing")
    packages, sources = f"binary-{architecture()}/Packages", "source/Sources"
    for name in (packages, sources):
        files.write_atomic(directory / name, found.reader.index(state.name, f"{AREA}/{name}") if state else "")
    binaries = read_binaries(directory)
    return binaries if binaries or not state else no_packages(state.name), directory / sources


def no_packages(place: str) -> NoReturn:
    """Raise InfrastructureError: nothing was checked, and that is no success."""
    raise InfrastructureError(f"{place}: no package of {architecture()}")


def only(sources: Path, names: set[str]) -> Path:
    """Write those paragraphs of a Sources file that are about some packages to a file next to it; return its path."""
    paragraphs = sources.read_text(encoding="utf-8").split("\n\n")
    chosen = (text for text in paragraphs if first_line_value(text) in names)
    path = sources.with_name("Sources.chosen")
    files.write_atomic(path, "\n\n".join(chosen))
    return path


def first_line_value(paragraph: str) -> str:
    """Return the name of the package that a paragraph of Sources is about."""
    lines = (line.partition(": ") for line in paragraph.strip().splitlines())
    return next((value.strip() for key, _, value in lines if key == "Package"), "")


def check(context: StepContext, found: Candidate) -> Installability:
    """Ask dose about the state, and about the baseline for the packages that are broken in the state."""
    series = read_series(context)
    lab, sources = lab_packages(context, found, found.state)
    now = PackageSet(series, lab, architecture())
    asked = now.asked()
    broken = [*uninstallable(now, asked), *unbuildable(now, sources)]
    before: list[Broken] = []
    if broken:
        old, old_sources = lab_packages(context, found, found.baseline)
        baseline = PackageSet(series, old, architecture())
        names = sorted({each.name for each in broken if each.kind == "binary"} & baseline.packages.keys())
        unbuilt = {each.name for each in broken if each.kind == "source"}
        before = [*uninstallable(baseline, names), *unbuildable(baseline, only(old_sources, unbuilt))]
    ours = frozenset(each.name for each in lab)
    built = [first_line_value(text) for text in sources.read_text(encoding="utf-8").split("\n\n") if text.strip()]
    checked: list[tuple[Kind, str]] = [("binary", name) for name in asked]
    checked += [("source", name) for name in built]
    return compare(broken, before, ours, checked)


def native(compared: Installability, ours: frozenset[str], baseline: str) -> Iterator[Case]:
    """Yield a case for each package of the lab, and for each broken one of the series."""
    failing = {(each.kind, each.name): each for each in (*compared.new, *compared.theirs)}
    already = {(each.kind, each.name): each for each in compared.already}
    for key in sorted(
        {*((kind, name) for kind, name in compared.checked if kind == "source" or name in ours), *failing, *already}
    ):
        broken = failing.get(key) or already.get(key)
        outcome = "failed" if key in failing else "skipped" if broken else "passed"
        message = f"broken in {baseline} too: {broken.reason}" if broken and key in already else str(broken or "")
        yield Case(
            suite=NAME, classname="sources" if key[0] == "source" else "packages", name=key[1],
            outcome=outcome, message=message, evidence=str(broken) if outcome == "failed" else "",
            nuance="expected-failure" if outcome == "skipped" else "",
        )  # fmt: skip


def summary(compared: Installability, baseline: str) -> str:
    """Return the message of a step that has found nothing new."""
    counts = {kind: sum(each == kind for each, _ in compared.checked) for kind in ("binary", "source")}
    also = f"; {len(compared.already)} broken in {baseline} too" if compared.already else ""
    checked = " and ".join(plural(count, what) for what, count in (
        ("package", counts["binary"]), ("source package", counts["source"]),
    ))  # fmt: skip
    return f"{checked} checked against {baseline}{also}"


def test(context: StepContext, found: Candidate) -> Findings:
    """Compare the state with the baseline."""
    compared = check(context, found)
    ours = frozenset(name for name, _ in found.reader.lock(found.state.name))
    listed: Mapping[str, Sequence[Broken]] = {
        "newly broken": compared.new, "needs a rebuild": compared.theirs, "broken before": compared.already,
    }  # fmt: skip
    for word, items in listed.items():
        for each in items:
            context.say(f"{word}: {each}")
    cases = list(native(compared, ours, found.baseline_name))
    theirs = {(each.kind, each.name) for each in compared.theirs}
    return Findings(
        cases,
        summary(compared, found.baseline_name),
        lenient=frozenset(case.id for case in cases if (KINDS[case.classname], case.name) in theirs),
        prefix={"unstable": "needs a rebuild: "},
        line=lambda case: case.message,
        facts={
            "checked": {kind: sum(each == kind for each, _ in compared.checked) for kind in ("binary", "source")},
            "new": list(map(str, compared.new)),
            "theirs": list(map(str, compared.theirs)),
            "already": list(map(str, compared.already)),
        },
    )


def action(context: StepContext) -> StepOutcome:
    return carry_out(context, NAME, test)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
