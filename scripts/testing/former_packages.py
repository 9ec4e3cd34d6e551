"""Tests that ran with what the component had before: they prove nothing about the candidate.

The series and the baseline still have the binary packages that the candidate does not build any more.  A test that needs
one by name gets it, even where a package of the candidate provides the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from lab.results.cases import Case
from lab.store.step import StepContext, architecture
from scripts.archives import series_index
from scripts.testing.candidate import Candidate
from scripts.testing.reverse_dependencies import naming


def former(context: StepContext, found: Candidate) -> frozenset[str]:
    """Return the names of the binary packages of the component that the state does not have, and the baseline has."""
    source = context.component_name
    texts = series_index.packages_files(context.series_name, context.series, context.log)
    if found.baseline:
        texts.append(found.reader.index(found.baseline.name, f"main/binary-{architecture()}/Packages"))
    items = (item for text in texts for item in naming(text, ["Source", "Package"], [source]))
    names = {item["Package"] for item in items if str(item.source) == source}
    return frozenset(names - {each["Package"] for each in found.packages(source)})


def marked(
    cases: Iterable[Case], output: Path, versions: Mapping[str, str], known: Callable[[], frozenset[str]]
) -> Iterator[Case]:
    """Yield cases, as superficial those that passed with a former package and with none of the candidate.

    ``output``: the directory of autopkgtest's files, which list what tests have installed; ``versions``: the packages
    of the candidate, ``known`` returns the former ones.
    """
    base = _listed(output / "testbed-packages")
    for case in cases:
        installed = _listed(output / f"{case.name}-packages")
        ran = case.outcome == "passed" and installed and versions.keys().isdisjoint({*base, *installed})
        old = sorted(known() & installed.keys()) if ran else []
        said = f"ran with {old[0]} {installed[old[0]]}, and with no package of the candidate" if old else ""
        yield case.model_copy(update={"nuance": "superficial", "message": said}) if old else case


def _listed(path: Path) -> dict[str, str]:
    """Return the packages of a file with their versions; one without a version is not installed."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {name: version for name, _, version in (line.partition("\t") for line in lines) if version}
