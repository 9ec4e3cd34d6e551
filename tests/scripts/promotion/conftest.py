"""A lab of six components whose label names a first state; each test has a copy, and probes that it describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from lab.config.description import Lab
from lab.config.loading import load
from lab.store.archive import SOURCE_LOCK, ArchiveReader, State
from lab.store.promotions import ProbeFailure
from lab.store.runs import Store
from scripts.archives import lab_archive, labels
from scripts.archives.labels import Reasons
from scripts.migration.indexes import IndexedSuite
from scripts.promotion import opening
from scripts.promotion.probing import ProbeResult
from scripts.promotion.rounds import Promoter
from tests.archives import copy_state, deb, put

LABEL = "trunk-tested"
COMPONENTS = ("libgreet", "libtalk", "hail", "shout", "whisper", "plain")
# Users need their libraries in the version that they were built with, or a newer one.
DEPENDS = {"hail": "libgreet", "shout": "libgreet", "whisper": "libtalk"}


def described(home: Path, promotion: str = "{}") -> Path:
    path = home / "lab.yaml"
    path.write_text(
        "lab: {name: testlab, maintainer: Test Lab <lab@lab.example>}\n"
        "series: {bookworm: {}}\n"
        "defaults: {upstream: {git: /x}, packaging: {git: /x}}\n"
        "tracks:\n"
        f"  trunk: {{series: bookworm, phases: [build, deploy, exercise], promotion: {promotion}}}\n"
        f"components: {{{', '.join(f'{name}: {{}}' for name in COMPONENTS)}}}\n"
    )
    return path


def add(lab: Lab, scratch: Path, *versions: str) -> None:
    """Add versions to the track, ``NAME VERSION [DEPENDS]`` each."""
    with (scratch / "log").open("a") as log, lab_archive.opened(lab, log) as archive:
        for text in versions:
            name, version, *needs = text.split(" ", 2)
            depends = needs[0] if needs else DEPENDS.get(name, "")
            put(archive, "trunk", [deb(scratch / f"{name}_{version}_all.deb", name, version, depends=depends)])


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a lab with the version 1 of each component, to which the label was moved by hand."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        lab = load(described(home))
        add(lab, home, *(f"{name} 1" for name in COMPONENTS))
        with (home / "log").open("a") as log, lab_archive.opened(lab, log) as archive:
            labels.move(archive, "promotion", LABEL, "trunk", Reasons("a person"))
    return home / "state"


@dataclass
class PromotionBed:
    """A lab whose probes fail for the versions in ``broken``; ``probed``: what the states that were probed have."""

    lab: Lab
    home: Path
    log: IO[str]
    broken: dict[str, str] = field(default_factory=dict)
    errors: int = 0
    probed: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def describe(self, promotion: str) -> None:
        self.lab = load(described(self.home, promotion))

    def add(self, *versions: str) -> None:
        add(self.lab, self.home, *versions)

    @property
    def reader(self) -> ArchiveReader:
        return ArchiveReader.at(Store.of(self.lab).archive)

    def content(self, suite: str = LABEL) -> str:
        """What a suite has and the first state has not."""
        return " ".join(f"{name}/{version}" for name, version in self.reader.lock(suite, SOURCE_LOCK) if version != "1")

    def probe(self, state: State) -> ProbeResult:
        if self.errors:
            self.errors -= 1
            return ProbeResult("error", ("trunk/all/0",), message="no machine")
        self.probed.append(self.content(state.name))
        run = f"trunk/all/{len(self.probed)}"
        there = {f"{name}/{version}" for name, version in self.reader.lock(state.name, SOURCE_LOCK)}
        found = [
            ProbeFailure(test=f"exercise: {why}", message=f"{why} is broken")
            for versions, why in self.broken.items()
            if set(versions.split("+")) <= there
        ]
        if found:
            return ProbeResult("failed", (run,), tuple(found), "broken")
        return ProbeResult("passed", (run,))

    def promoter(self) -> Promoter:
        criteria = opening.criteria(self.lab, "trunk")
        return Promoter(criteria, self.probe, lambda _: IndexedSuite(), "tester", self.log, self.said.append)

    def promote(self) -> Mapping[str, str]:
        """Promote; return what waits, the reason by item."""
        outcome = self.promoter().run()
        assert outcome.waiting
        return {one.item: one.reason for one in outcome.waiting.components}


@pytest.fixture
def bed(made: Path, tmp_path: Path) -> Iterator[PromotionBed]:
    copy_state(made, tmp_path / "state")
    with (tmp_path / "promotion.log").open("a") as log:
        yield PromotionBed(load(described(tmp_path)), tmp_path, log)
