"""One machine of the lab has the archive: others read it by its URL, and never change one of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.description import Lab
from lab.store import source_history
from lab.store.archive_place import reader_of
from lab.store.runs import Store
from scripts import deploy
from scripts.archives import archive_identity, lab_archive, package_source, serving, usage
from tests.archives import deb, put, served
from tests.conftest import Bench

APART = {"url": "https://jenkins.lab.example/", "archive_agent": "vault", "lab_agent": "vault"}


@dataclass
class Machines:
    """The machine of the archive, whose archive is served, and others; a call of one makes this process that machine."""

    lab: Lab
    become: Callable[[str], Path]
    """Return the archive of a machine, by its name."""


@pytest.fixture
def machines(lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    def become(lab: Lab, name: str) -> Path:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))
        return Store.of(lab).archive

    (tmp_path / "vault/qalab/testlab/archive").mkdir(parents=True)
    with served(tmp_path / "vault/qalab/testlab/archive") as url:
        phases = {"phases": ["build", "deploy"]}
        lab = lab_factory(track=phases, lab={"jenkins": APART, "archive": {"url": url}})
        yield Machines(lab, partial(become, lab))


def change(lab: Lab, tmp_path: Path, version: str) -> str:
    """Add a version to the archive of this machine; return the name of the new state."""
    with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log) as archive:
        return put(archive, "trunk", [deb(tmp_path / f"greet_{version}_all.deb", "greet", version)]).name


def test_archive_is_changed_on_its_machine_only(machines: Machines, tmp_path: Path) -> None:
    root = machines.become("vault")
    first = change(machines.lab, tmp_path, "1")
    assert change(machines.lab, tmp_path, "2") != first
    assert reader_of(machines.lab).read("archive-id") == (root / "archive-id").read_bytes()
    other = machines.become("agent")
    with pytest.raises(ConfigurationError, match="is the archive of another machine"):
        change(machines.lab, tmp_path, "3")
    assert not other.exists()
    assert len(reader_of(machines.lab).states()) == 2


def test_archive_that_is_not_served_is_not_begun(machines: Machines, tmp_path: Path) -> None:
    root = machines.become("agent")  # the first import runs on the wrong machine
    with pytest.raises(ConfigurationError, match="is not the archive of this machine"):
        change(machines.lab, tmp_path, "1")
    assert not (root / "archive-id").exists()
    machines.become("vault")
    change(machines.lab, tmp_path, "1")


def test_leftover_archive_of_an_agent_is_not_read(machines: Machines, tmp_path: Path) -> None:
    """An agent that had an archive of its own once deploys what the lab's archive has."""
    alone = machines.lab.model_copy(update={"jenkins": None})
    machines.become("agent")
    change(alone, tmp_path, "9")
    machines.become("vault")
    name = change(machines.lab, tmp_path, "1")
    machines.become("agent")
    with (tmp_path / "log").open("w") as log:
        offer = package_source.for_track(machines.lab, "trunk", "greet", log)
        assert (offer.state, offer.sources) == (name, {"greet": "1"})
        with offer.kept(), serving.served(machines.lab, name) as repository:
            assert repository
            assert repository.url == machines.lab.archive.url
        with pytest.raises(ConfigurationError, match="trunk-gone names no state"):
            package_source.for_track(machines.lab, "trunk", "greet", log, "trunk-gone")
    with pytest.raises(ConfigurationError, match="trunk-gone names no state"), usage.held(machines.lab, "trunk-gone"):
        pass


@pytest.mark.parametrize(
    "version, state, message",
    [
        (
            "9",
            "",
            "the lab's archive at http://127.0.0.1:{port} has greet 1: the run is about 9 (has its build reached",
        ),
        ("1", "trunk-gone", "trunk-gone names no state"),
        ("2", "", "the lab's archive at http://127.0.0.1:{port} has greet 1: the run is about 2"),
    ],
)
def test_deployment_of_what_only_this_machine_has(
    machines: Machines, tmp_path: Path, version: str, state: str, message: str
) -> None:
    """Agent one built what agent two is to deploy, and two has other packages: it never deploys its own."""
    alone = machines.lab.model_copy(update={"jenkins": None})
    machines.become("agent")
    change(alone, tmp_path, "9")
    machines.become("vault")
    change(machines.lab, tmp_path, "1")
    machines.become("agent")
    run = Store.of(machines.lab).new_run(machines.lab, "trunk", "greet", phase="deploy", version=version)
    run.write_info(run.info.model_copy(update={"archive": state}))
    record = Bench(machines.lab, run).execute(deploy)
    assert record.verdict == "error"
    assert message.format(port=str(machines.lab.archive.url).rpartition(":")[2]) in record.message
    assert not (run.results / "parameters.properties").exists()


def test_archive_of_an_older_release_gets_an_identity(machines: Machines, tmp_path: Path) -> None:
    root = machines.become("vault")
    change(machines.lab.model_copy(update={"jenkins": None}), tmp_path, "1")
    assert not (root / "archive-id").exists()
    change(machines.lab, tmp_path, "2")
    assert (root / "archive-id").exists()


def test_archive_that_does_not_answer(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(lab={"jenkins": APART, "archive": {"url": "http://127.0.0.1:9/"}})
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        archive_identity.check(lab)


def test_file_of_the_pool_is_verified(machines: Machines, tmp_path: Path) -> None:
    root = machines.become("vault")
    change(machines.lab, tmp_path, "1")
    machines.become("agent")
    reader, place = reader_of(machines.lab), "pool/main/g/greet/greet_1_all.deb"
    [(found, digest)] = source_history.read(reader, "greet").files.items()
    assert found == place
    copy = reader.file(place, digest, tmp_path / "copies")
    assert copy.read_bytes() == (root / place).read_bytes()
    copy.write_bytes(b"cut")  # a download that was cut short is made again
    assert reader.file(place, digest, tmp_path / "copies").read_bytes() == (root / place).read_bytes()
    (root / place).write_bytes(b"other")
    with pytest.raises(InfrastructureError, match="is not the file that the archive lists"):
        reader.file(place, digest, tmp_path / "more")
    (root / place).unlink()
    with pytest.raises(InfrastructureError, match="the server answers 404"):
        reader.file(place, digest, tmp_path / "none")
