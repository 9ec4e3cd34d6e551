"""A lab whose archive has three states, made once; each test has a copy of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.archive import command as archive_command
from lab.config.description import Lab
from lab.config.loading import load
from lab.store.archive import ArchiveReader
from scripts.archives import lab_archive
from tests.archives import copy_state, deb, put

TRACK = {"phases": ["build", "deploy", "exercise"]}
# States are old at once: the archive of the copy was made in 2026, as its names say.
SETTINGS = {"archive": {"states": {"keep": 1, "keep_days": 1}}}
Verb = Callable[..., str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a lab with three states; the versions 1 to 3 of greet, and of hail from the second state on."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        lab = load(described(home))
        with (home / "log").open("w") as log, lab_archive.opened(lab, log) as archive:
            for name, version in (("greet", "1"), ("hail", "1"), ("greet", "2")):
                put(archive, "trunk", [deb(home / f"{name}_{version}_all.deb", name, version)])
    return home / "state"


def described(home: Path) -> Path:
    path = home / "lab.yaml"
    path.write_text(
        "lab: {name: testlab, maintainer: Test Lab <lab@lab.example>}\n"
        "archive: {states: {keep: 1, keep_days: 1}}\n"
        "series: {bookworm: {}}\n"
        "tracks:\n"
        "  trunk: {series: bookworm, phases: [build, deploy, exercise], labels: [tested, stable]}\n"
        "  other: {series: bookworm}\n"
        "components: {greet: {upstream: {git: /x}, packaging: {git: /x}}}\n"
    )
    return path


@pytest.fixture
def lab(made: Path, tmp_path: Path) -> Lab:
    copy_state(made, tmp_path / "state")
    return load(described(tmp_path))


@pytest.fixture
def states(lab: Lab, tmp_path: Path) -> list[str]:
    """The names of the states, the oldest first."""
    return [state.name for state in reader(tmp_path).states()]


def reader(home: Path) -> ArchiveReader:
    return ArchiveReader.at(home / "state/qalab/testlab/archive")


@pytest.fixture
def archive(lab: Lab) -> Verb:
    """``archive("promote", "trunk-tested", ...)``: call a verb, return what it prints."""

    def call(*argv: str) -> str:
        result = CliRunner().invoke(archive_command, [*argv, "--lab", str(lab.file)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return call
