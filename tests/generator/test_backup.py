"""Backups: byte for byte, a commit when something changed, and back again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator import backup, plan, reading
from generator.backup import Backup
from generator.items import ItemKey
from generator.server import FOLDER, Server
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.git import git
from tests.generator.conftest import described
from tests.generator.test_plan import do
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER


def lost(key: ItemKey, xml: bytes) -> None:
    """Keep nothing of what is overwritten."""


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
    return reading.fetch_readable(there, there.listing())[0]


def test_restore_recreates_a_wiped_server(
    there: Server, jenkins: Double, place: Backup, full: dict[ItemKey, bytes]
) -> None:
    saved = backup.save(there, place)
    assert (saved.items, saved.changed, saved.removed) == (len(full), len(full), 0)
    assert {key: place.read(key) for key in place.contents()} == full
    jenkins.wipe()
    assert there.listing() == {}
    results = backup.restore(there, place, lost)
    # A view in a folder comes with it.
    fates = {ItemKey("view", "folder/inner"): "there already"}
    assert [(result.fate, result.error) for result in results] == [
        (fates.get(result.key, "created"), None) for result in results
    ]
    now = reading.fetch_readable(there, there.listing())[0]
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
    (result,) = backup.restore(there, place, lost, ["plain"])
    assert (result.fate, result.error) == ("put back", None)
    assert there.config(ItemKey("job", "plain")) != b""
    assert ItemKey("job", "by-hand") not in there.listing()
    assert len(jenkins.writes()) == before + 2  # the deletion above, and one
    with pytest.raises(ConfigurationError, match="has no nothing"):
        backup.restore(there, place, lost, ["nothing"])


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
        backup.restore(there, place, lost)


@pytest.mark.integration
@pytest.mark.usefixtures("full")
def test_failed_restore_is_reported(there: Server, jenkins: Double, place: Backup) -> None:
    backup.save(there, place)
    place.path(ItemKey("job", "by-hand")).write_bytes(b"<nonsense/>")
    results = backup.restore(there, place, lost)
    assert [str(result.key) for result in results if result.error] == ["job by-hand"]


@pytest.mark.integration
@pytest.mark.parametrize("fault, code", [("page", 2), (500, 3), (403, 2), (504, 3)])
def test_backup_keeps_the_copy_of_an_item_that_cannot_be_read(
    there: Server, jenkins: Double, place: Backup, fault: Any, code: int
) -> None:
    jenkins.create("plain", "<project/>")
    jenkins.create("with a blank", "<project><description>true</description></project>")
    backup.save(there, place)
    jenkins.edit("with a blank", "true", "false")
    jenkins.fault(fault, method="GET", path="job/plain/config.xml", times=FOREVER)
    saved = backup.save(there, place)
    assert (saved.items, saved.changed, saved.removed) == (1, 1, 0)
    assert {key.name: error.exit_code for key, error in saved.failures.items()} == {"plain": code}
    assert place.read(ItemKey("job", "plain")).endswith(b"<project/>")
    message = git(["show", "--no-patch", "--format=%s"], cwd=place.directory)
    assert message.endswith("1 changed, 0 removed, 1 not saved")


@pytest.mark.integration
@pytest.mark.parametrize(
    "name, is_saved", [("v" * 251, True), ("v" * 252, False), ("ü" * 126, False), ("🐧" * 62, True)]
)
def test_backup_of_views_with_long_names(there: Server, place: Backup, name: str, is_saved: bool) -> None:  # noqa: FBT001
    xml = f"<hudson.model.ListView><name>{name}</name></hudson.model.ListView>"
    there.create(ItemKey("view", name), xml.encode())
    there.create(ItemKey("job", "a"), b"<project/>")
    saved = backup.save(there, place)
    assert saved.items == 1 + is_saved
    assert [str(error) for error in saved.failures.values()] == (
        [] if is_saved else [f"{place.directory}/views/{name}.xml: cannot be written: File name too long"]
    )


@pytest.mark.integration
@pytest.mark.parametrize("name", ["config.xml", "views", "jobs", "x.xml", "plugins.txt"])
def test_backup_of_items_with_names_of_its_own_files(there: Server, jenkins: Double, place: Backup, name: str) -> None:
    inner = f"{name}/{name}"
    jenkins.create(name, f"<{FOLDER}/>")
    jenkins.create(inner, "<project/>")
    jenkins.create_view(inner, "<hudson.model.ListView/>")
    for _ in range(2):
        saved = backup.save(there, place)
        assert (saved.items, saved.removed, saved.failures) == (3, 0, {})
    assert [str(key) for key in place.contents()] == [f"job {name}", f"job {inner}", f"view {inner}"]


@pytest.mark.integration
def test_backup_after_the_last_view_was_deleted(there: Server, jenkins: Double, place: Backup) -> None:
    view = ItemKey("view", "only")
    jenkins.create_view("only", "<hudson.model.ListView/>")
    jenkins.create("a", "<project/>")
    backup.save(there, place)
    there.delete(view)
    assert backup.save(there, place).removed == 1
    jenkins.create("b", "<project/>")
    saved = backup.save(there, place)
    assert (saved.items, saved.changed, bool(saved.commit)) == (2, 1, True)


def test_copies_of_a_command_that_was_killed(tmp_path: Path) -> None:
    """The next command commits them before it writes over them, and a temporary file is no view."""
    place = Backup(tmp_path / "kept", "Test Lab <lab@lab.example>", is_private=True)
    job, view = ItemKey("job", "a"), ItemKey("view", "v")
    with place.held():
        for key in (job, view):
            place.write(key, b"<first/>")
        place.path(view).with_name(".v.xml.k1ll3d_8").write_bytes(b"<fir")
    with place.held():
        place.write(job, b"<second/>")
        place.commit("Next")
    assert git(["show", "HEAD~:jobs/a/config.xml"], cwd=place.directory) == "<first/>"
    assert place.contents() == [job, view]


@pytest.mark.integration
@pytest.mark.parametrize("kind, code", [(403, 2), (502, 3), ("reset", 3)])
def test_backup_without_any_answer_is_refused(
    there: Server, jenkins: Double, place: Backup, kind: Any, code: int
) -> None:
    for number in range(12):
        jenkins.create(f"job-{number}", "<project/>")
    backup.save(there, place)
    jenkins.fault(kind, method="GET", path="config.xml", times=FOREVER)
    with pytest.raises(LabError) as raised:
        backup.save(there, place)
    assert raised.value.exit_code == code
    assert len(place.contents()) == 12


@pytest.mark.integration
@pytest.mark.parametrize("damage", [b"", b"<project>", b"\xff\xfe\x00", b"<!DOCTYPE project><project/>"])
def test_damaged_copy_is_not_sent(there: Server, jenkins: Double, place: Backup, damage: bytes) -> None:
    for name in ("a", "b"):
        jenkins.create(name, "<project/>")
    backup.save(there, place)
    for name in ("a", "b"):
        there.delete(ItemKey("job", name))
    place.path(ItemKey("job", "a")).write_bytes(damage)
    before = len(jenkins.writes())
    results = backup.restore(there, place, lost)
    assert [(one.key.name, bool(one.error)) for one in results] == [("a", True), ("b", False)]
    assert len(jenkins.writes()) == before + 1


@pytest.mark.integration
@pytest.mark.parametrize("times", [1, 2])
def test_missing_answer_is_no_deletion(there: Server, jenkins: Double, place: Backup, times: int) -> None:
    """404 for an item that Jenkins lists: asked again, and then an error; the copy stays."""
    for name in ("a", "b"):
        jenkins.create(name, "<project/>")
    backup.save(there, place)
    jenkins.fault(404, method="GET", path="job/a/config.xml", times=times)
    saved = backup.save(there, place)
    assert (saved.items, saved.removed) == (3 - times, 0)
    said = "lists the job a, but answers 404 for its config.xml (does a proxy in front of Jenkins refuse such names?)"
    assert [str(error) for error in saved.failures.values()] == [f"{jenkins.url}: {said}"][: times - 1]
    assert len(place.contents()) == 2


@pytest.mark.integration
def test_item_deleted_during_a_backup_is_removed(there: Server, jenkins: Double, place: Backup) -> None:
    for name in ("a", "b"):
        jenkins.create(name, "<project/>")
    backup.save(there, place)
    jenkins.fault("meanwhile", path="job/a/config.xml", action=lambda: jenkins.delete("a"))
    saved = backup.save(there, place)
    assert (saved.items, saved.removed, saved.failures) == (1, 1, {})


@pytest.mark.integration
def test_account_that_sees_nothing_removes_no_copy(there: Server, jenkins: Double, place: Backup) -> None:
    jenkins.create("a", "<project/>")
    backup.save(there, place)
    jenkins.wipe()
    with pytest.raises(ConfigurationError, match=r"shows no items, and .* has 1: all copies stay"):
        backup.save(there, place)
    assert len(place.contents()) == 1


@pytest.mark.integration
@pytest.mark.parametrize("link", ["jobs/f/jobs/a/config.xml", "jobs/f/jobs/a", "jobs/f/jobs", "jobs/f", "jobs",
                                  "views/v.xml", "views"])  # fmt: skip
def test_symbolic_link_in_a_backup_is_refused(
    there: Server, jenkins: Double, place: Backup, tmp_path: Path, link: str
) -> None:
    """It leads out of the backup: nothing is read there, and nothing is written."""
    jenkins.create("f", f"<{FOLDER}/>")
    jenkins.create("f/a", "<project/>")
    jenkins.create_view("v", "<hudson.model.ListView/>")
    backup.save(there, place)
    outside = (place.directory / link).rename(tmp_path / "outside")
    (place.directory / link).symlink_to(outside)
    before = {path: path.read_bytes() for path in tmp_path.rglob("outside*/**/*.xml")}
    jenkins.edit("f/a", "<project", "<project x='y'")
    for work in (lambda: backup.save(there, place), lambda: backup.restore(there, place, lost)):
        with pytest.raises(InfrastructureError, match=f"{link}: is a symbolic link"):
            work()
    with pytest.raises(InfrastructureError, match="is a symbolic link"):
        place.write(ItemKey("view", "v") if "view" in link else ItemKey("job", "f/a"), b"<project/>")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.integration
def test_item_of_another_lab_is_not_overwritten(there: Server, jenkins: Double, place: Backup, tmp_path: Path) -> None:
    """A backup restored onto a Jenkins where another lab has a job of the same name; what a person made has no owner."""
    mine = described(tmp_path, "- job: {name: a}\n- job: {name: b}\n- job: {name: c}")
    do(there, plan.compute(there, "lab", mine))
    backup.save(there, place)
    for name in ("a", "b"):
        there.delete(ItemKey("job", name))
    theirs = described(tmp_path, "- job: {name: a, builders: [shell: 'true']}")
    do(there, plan.compute(there, "other", theirs))
    there.create(ItemKey("job", "b"), b"<project><description>by hand</description></project>")
    before, kept = jenkins.config("a"), dict[str, bytes]()
    results = backup.restore(there, place, lambda key, xml: kept.setdefault(key.name, xml))
    assert [(one.key.name, one.fate, bool(one.error)) for one in results] == [
        ("a", None, True), ("b", "put back", False), ("c", "there already", False),
    ]  # fmt: skip
    assert "job a: is the lab other's, and stays" in str(results[0].error)
    assert jenkins.config("a") == before
    assert [b"by hand" in xml for xml in kept.values()] == [True]
