"""The older packages that users can upgrade from: those of the series, and those of the baseline.

They are found by the name of the binary package, as apt finds them: its source package can have another name there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from debian.deb822 import Packages

from lab.base import debian
from lab.base.text import first_of
from lab.store.step import StepContext, architecture
from scripts.archives import series_index
from scripts.testing.candidate import Candidate
from scripts.testing.reverse_dependencies import naming, newest

Paragraphs = Sequence[Mapping[str, str]]


def of_series(context: StepContext, found: Candidate) -> dict[str, Packages]:
    """Return the older packages of the series by name.

    Raises InfrastructureError where no indices were ever read and the mirror does not answer.
    """
    texts = series_index.packages_files(context.series_name, context.series, context.log)
    return older(texts, found.packages(context.component_name))


def none_older(context: StepContext, found: Candidate) -> str:
    """Return why there is nothing to upgrade from: nothing older, or the series is ahead, where apt would not upgrade."""
    texts = series_index.packages_files(context.series_name, context.series, context.log)
    ours = found.packages(context.component_name)
    if ahead := newer(texts, ours):
        return f"{found.series} has {first_of(ahead)}, which is newer"
    return f"{found.baseline_name} has no older version of {first_of([each['Package'] for each in ours]) or 'it'}"


def of_baseline(found: Candidate, source: str) -> dict[str, Packages]:
    """Return the older packages of the lab's part of the baseline by name."""
    if not found.baseline:
        return {}
    text = found.reader.index(found.baseline.name, f"main/binary-{architecture()}/Packages")
    return older([text], found.packages(source))


def older(texts: Iterable[str], ours: Paragraphs) -> dict[str, Packages]:
    """Return the newest packages of some Packages files that are older than ours of the same name."""
    versions = {each["Package"]: each["Version"] for each in ours}
    theirs = sorted(same(texts, versions).items())
    return {name: item for name, item in theirs if debian.compare(item["Version"], "lt", versions[name])}


def newer(texts: Iterable[str], ours: Paragraphs) -> list[str]:
    """Return the names and versions of the packages that some Packages files have in a newer version."""
    versions = {each["Package"]: each["Version"] for each in ours}
    theirs = sorted(same(texts, versions).items())
    return [
        f"{name} {item['Version']}" for name, item in theirs if debian.compare(item["Version"], "gt", versions[name])
    ]


def same(texts: Iterable[str], names: Iterable[str]) -> dict[str, Packages]:
    """Return the newest packages of some names in some Packages files."""
    known = [*names]
    return newest(each for text in texts for each in naming(text, ["Package"], known))
