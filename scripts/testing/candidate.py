"""What the phase test tests: one state of the lab's archive, compared with a baseline.

The state is the one that run.json names, by default the newest.  The baseline is the state of the first label of the
track that moves by promotion; until this label exists, it is the series alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Packages, Sources

from lab.base.errors import InfrastructureError
from lab.store.archive import SOURCE_LOCK, ArchiveReader, State
from lab.store.archive_place import reader_of
from lab.store.step import StepContext, architecture
from scripts.archives import usage
from scripts.archives.package_source import state_of_track


@dataclass(frozen=True)
class Candidate:
    """A state of the archive and its baseline; ``baseline`` is None where the series alone is the baseline."""

    reader: ArchiveReader
    state: State
    baseline: State | None
    label: str
    series: str

    @property
    def baseline_name(self) -> str:
        """The baseline, for people."""
        return f"{self.label} ({self.baseline.name})" if self.baseline else self.series

    def version(self, source: str) -> str:
        """Return the version of a source package in the state, "" for a missing one."""
        return dict(self.reader.lock(self.state.name, SOURCE_LOCK)).get(source, "")

    def baseline_version(self, source: str) -> str:
        """Return the version of a source package in the lab's part of the baseline, "" for a missing one."""
        return dict(self.reader.lock(self.baseline.name, SOURCE_LOCK)).get(source, "") if self.baseline else ""

    def packages(self, source: str) -> list[Mapping[str, str]]:
        """Return the paragraphs of the binary packages of a source package in the state, without debugging symbols."""
        return [each for each in self.all_packages() if each["Source"] == source]

    def all_packages(self) -> list[Mapping[str, str]]:
        """Return the paragraphs of all binary packages of the state, without debugging symbols; each names its source."""
        text = self.reader.index(self.state.name, f"main/binary-{architecture()}/Packages")
        items = Packages.iter_paragraphs(text, use_apt_pkg=False)
        return [{**item, "Source": str(item.source)} for item in items if not item["Package"].endswith("-dbgsym")]

    def dsc(self, suite: str, source: str, directory: Path) -> Path:
        """Return the .dsc of a source package of a suite, with its files next to it; ``directory``: for copies.

        Raises InfrastructureError for a missing one.
        """
        for item in Sources.iter_paragraphs(self.reader.index(suite, "main/source/Sources"), use_apt_pkg=False):
            if item["Package"] == source:
                rows = [(f"{item['Directory']}/{row['name']}", str(row["sha256"])) for row in item["Checksums-Sha256"]]
                paths = [self.reader.file(name, digest, directory) for name, digest in rows]
                return next(path for path in paths if path.suffix == ".dsc")
        raise InfrastructureError(f"{suite} has no source package {source}")


def candidate(context: StepContext) -> Candidate:
    """Return what a run tests, and write the name of the state to run.json.

    Raises ConfigurationError for a missing state, InfrastructureError for one without the version that run.json names.
    """
    reader, info = reader_of(context.lab), context.run.info
    state = state_of_track(reader, context.track_name, info.archive or context.track_name)
    if info.archive != state.name:
        context.run.write_info(info.model_copy(update={"archive": state.name}))
    label = context.track.onto or f"{context.track_name}-{next(iter(context.track.labels), 'tested')}"
    found = Candidate(reader, state, reader.state(label), label, context.series_name)
    version = found.version(context.component_name)
    if not version or (info.version and version != info.version):
        asked = f"{context.component_name} {info.version}".rstrip()
        hint = "test where the archive is that the build went to"
        raise InfrastructureError(f"{state.name} has {version or 'no version'}, and not {asked}", hint=hint)
    return found


@contextmanager
def tested(context: StepContext) -> Iterator[Candidate]:
    """Yield what a run tests; its states are not removed meanwhile."""
    found = candidate(context)
    with usage.held(context.lab, found.state.name):
        if found.baseline is None:
            yield found
        else:
            with usage.held(context.lab, found.baseline.name):
                yield found


def hand_over(context: StepContext, found: Candidate) -> None:
    """Write the parameters of the next job; it starts only if no step of this phase fails."""
    context.run.hand_over(found.version(context.component_name), found.state.name)
