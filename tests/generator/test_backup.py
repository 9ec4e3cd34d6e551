"""Backups: byte for byte, a commit when something changed, and back again."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator import backup, plan
from generator.backup import Backup
from generator.items import ItemKey
from generator.server import Server
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.git import git
from tests.generator.conftest import described
from tests.generator.test_plan import do
from tests.jenkins.double import Double


@pytest.fixture
def place(tmp_path: Path) -> Backup:
    return Backup(tmp_path / "backup", "Test Lab <lab@lab.example>")


@pytest.fixture
def full(there: Server, jenkins: Double, tmp_path: Path) -> dict[ItemKey, bytes]:
    """A server with jobs of ours and of others, some re-saved; what it holds."""
    do(there, plan.compute(there, "lab", described(tmp_path)))
    there.create(ItemKey("job", "by-hand"), b"<project><description>mine</description></project>")
    there.create(ItemKey("view", "folder/inner"), b"<hudson.model.ListView><name>inner</name></hudson.model.ListView>")
    jenkins.resave("plain")
    return plan.fetch(there, there.listing())


def test_restore_recreates_a_wiped_server(
    there: Server, jenkins: Double, place: Backup, full: dict[ItemKey, bytes]
) -> None:
    saved = backup.save(there, place)
    assert (saved.items, saved.changed, saved.removed) == (len(full), len(full), 0)
    assert {key: place.read(key) for key in place.contents()} == full
    jenkins.wipe()
    assert there.listing() == {}
    results = backup.restore(there, place)
    # A view in a folder comes with it.
    fates = {ItemKey("view", "folder/inner"): "there already"}
    assert [(result.fate, result.error) for result in results] == [
        (fates.get(result.key, "created"), None) for result in results
    ]
    now = plan.fetch(there, there.listing())
    assert set(now) == set(full)
    # Jenkins does not store as it is what it once saved by itself; when it saves that again, it is the same.
    inexact = {result.key for result in results if not result.exact}
    assert inexact <= {ItemKey("job", "plain"), ItemKey("job", "folder")}
    assert all(now[key] == full[key] for key in full if key not in inexact)
    for key in inexact:
        jenkins.resave(key.name)
        assert there.config(key) == full[key]


@pytest.mark.integration
@pytest.mark.usefixtures("full")
def test_backup_commits_only_changes(there: Server, jenkins: Double, place: Backup) -> None:
    first = backup.save(there, place)
    assert backup.save(there, place).commit == ""
    jenkins.edit("plain", "H 3 * * *", "H 4 * * *")
    there.delete(ItemKey("job", "by-hand"))
    third = backup.save(there, place)
    assert (third.changed, third.removed) == (1, 1)
    shown = git(["show", "--stat", "--format=%an %s", third.commit], cwd=place.directory)
    assert shown.startswith(f"Test Lab {there.url}: ")
    assert "jobs/by-hand/config.xml" in shown
    assert "jobs/plain/config.xml" in shown
    assert git(["rev-list", "--count", "HEAD"], cwd=place.directory) == "2"
    assert git(["status", "--porcelain"], cwd=place.directory) == ""
    assert first.commit != third.commit


def test_backup_paths(there: Server, place: Backup, full: dict[ItemKey, bytes]) -> None:
    backup.save(there, place)
    for name in ("jobs/folder/jobs/build/config.xml", "jobs/folder/views/inner.xml", "views/lab.xml",
                 "jobs/with a blank/config.xml", "jobs/grün/config.xml"):  # fmt: skip
        assert (place.directory / name).is_file(), name
    assert "git:" in (place.directory / "plugins.txt").read_text()


def test_restore_of_one_item(there: Server, jenkins: Double, place: Backup, full: dict[ItemKey, bytes]) -> None:
    backup.save(there, place)
    before = len(jenkins.writes())
    jenkins.edit("plain", "H 3 * * *", "H 4 * * *")
    there.delete(ItemKey("job", "by-hand"))
    (result,) = backup.restore(there, place, ["plain"])
    assert (result.fate, result.error) == ("put back", None)
    assert there.config(ItemKey("job", "plain")) != b""
    assert ItemKey("job", "by-hand") not in there.listing()
    assert len(jenkins.writes()) == before + 2  # the deletion above, and one
    with pytest.raises(ConfigurationError, match="has no nothing"):
        backup.restore(there, place, ["nothing"])


def test_backup_in_an_existing_repository(there: Server, place: Backup, full: dict[ItemKey, bytes]) -> None:
    place.directory.mkdir()
    git(["init", "--quiet", "--initial-branch=main", place.directory])
    (place.directory / "README").write_text("mine\n")
    (place.directory / "jobs").mkdir()
    backup.save(there, place)
    assert git(["status", "--porcelain"], cwd=place.directory) == "?? README"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "", "a//b", "a/."])
def test_backup_refuses_invalid_names(place: Backup, name: str) -> None:
    with pytest.raises(InfrastructureError, match="not a name of a Jenkins item"):
        place.path(ItemKey("job", name))


def test_restore_refuses_a_directory_without_backup(there: Server, place: Backup) -> None:
    place.directory.mkdir()
    with pytest.raises(ConfigurationError, match="is no backup"):
        backup.restore(there, place)


@pytest.mark.integration
@pytest.mark.usefixtures("full")
def test_failed_restore_is_reported(there: Server, jenkins: Double, place: Backup) -> None:
    backup.save(there, place)
    place.path(ItemKey("job", "by-hand")).write_bytes(b"<nonsense/>")
    results = backup.restore(there, place)
    assert [str(result.key) for result in results if result.error] == ["job by-hand"]
