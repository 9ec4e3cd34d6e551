"""``qalab archive withdraw`` on a real archive."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.archive import command as archive_command
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.archive import ArchiveReader
from lab.store.runs import Store
from scripts import archive
from scripts.archives import withdrawal
from scripts.archives.lab_archive import LabArchive
from scripts.archives.withdrawal import SourceVersion, Withdrawals
from tests.archives import assert_whole, listed, pool
from tests.scripts.test_archive import own_tmp, publish  # noqa: F401 - fixtures of that room

Publish = Callable[..., tuple[Any, Any]]


def withdraw(tmp_path: Path, *argv: str) -> str:
    argv = ("withdraw", "trunk", *argv, "--lab", str(tmp_path / "lab.yaml"))
    result = CliRunner().invoke(archive_command, [*argv], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture
def two(publish: Publish, lab_factory: Callable[..., Lab]) -> Lab:  # noqa: F811
    """An archive with two versions."""
    publish("1.0-1", binaries=("greet.deb", "greet-udeb.udeb"))
    publish("1.0-2", binaries=("greet.deb", "greet-dbgsym.ddeb"))
    return lab_factory()


@pytest.mark.integration
def test_withdraw_restores_previous_version(two: Lab, tmp_path: Path) -> None:
    root = Store.of(two).archive
    before = (root / "dists/trunk/InRelease").read_bytes()
    told = withdraw(tmp_path, "greet", "1.0-2", "--dry-run")
    assert told == "greet 1.0-2: would be withdrawn from trunk; 1.0-1 takes its place"
    assert (root / "dists/trunk/InRelease").read_bytes() == before
    assert Withdrawals.of(two).withdrawals == ()
    told = withdraw(tmp_path, "greet", "1.0-2", "--yes")
    assert told == "greet 1.0-2: withdrawn from trunk; 1.0-1 takes its place"
    assert listed(root) == ["greet 1.0-1"]
    assert "greet-udeb" in ArchiveReader.at(root).index("trunk", "main/debian-installer/binary-amd64/Packages")
    assert "greet_1.0-2_all.deb" in pool(root)  # an older state has it
    assert_whole(root)
    (noted,) = json.loads((Store.of(two).root / "withdrawn.json").read_text())["withdrawals"]
    assert (noted["track"], noted["component"], noted["version"], noted["restored"]) == (
        "trunk", "greet", "1.0-2", "1.0-1")  # fmt: skip


@pytest.mark.integration
def test_withdraw_of_last_version_empties_archive(two: Lab, tmp_path: Path) -> None:
    withdraw(tmp_path, "greet", "1.0-2", "--yes")
    assert withdraw(tmp_path, "greet", "1.0-1", "--yes").endswith("no other version takes its place")
    root = Store.of(two).archive
    assert listed(root) == []
    assert_whole(root)
    assert len(Withdrawals.of(two).withdrawals) == 2


@pytest.mark.integration
def test_withdraw_of_superseded_version(two: Lab, tmp_path: Path) -> None:
    withdraw(tmp_path, "greet", "1.0-1", "--yes")
    root = Store.of(two).archive
    assert "greet 1.0-2" in listed(root)
    with pytest.raises(ConfigurationError, match=r"greet 1\.0-1 is not in the archive; known: 1\.0-2"):
        withdraw(tmp_path, "greet", "1.0-1", "--yes")
    assert_whole(root)


@pytest.mark.integration
@pytest.mark.parametrize("place, call", [(Withdrawals, "write"), (LabArchive, "commit"), (LabArchive, "record")])
@pytest.mark.parametrize("before", [True, False])
def test_withdraw_that_is_interrupted_is_completed_by_the_next(
    two: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: type, call: str, *, before: bool
) -> None:
    original = getattr(place, call)

    def interrupted(*args: Any, **kwargs: Any) -> None:
        if not before:
            original(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, (tmp_path / "log").open("w") as log:
        patched.setattr(place, call, interrupted)
        with pytest.raises(KeyboardInterrupt):
            withdrawal.withdraw(two, "trunk", SourceVersion("greet", "1.0-2"), log)
    root, complete = Store.of(two).archive, (call, before) == ("record", False)
    assert_whole(root)
    if not complete:
        assert withdraw(tmp_path, "greet", "1.0-2", "--yes").startswith("greet 1.0-2: withdrawn from trunk")
    assert listed(root) == ["greet 1.0-1"]
    assert_whole(root)
    [noted] = Withdrawals.of(two).withdrawals
    assert (noted.version, noted.restored) == ("1.0-2", "1.0-1")


@pytest.mark.integration
def test_what_was_withdrawn_can_be_added_again(publish: Publish, tmp_path: Path) -> None:  # noqa: F811
    _, work = publish("1.0-1")
    root = Store.of(work.lab).archive
    withdraw(tmp_path, "greet", "1.0-1", "--yes")
    record = work.execute(archive)
    assert (record.verdict, record.message, record.facts["added"]) == ("passed", "added", True)
    assert listed(root) == ["greet 1.0-1"]
    assert work.execute(archive).message == "trunk has it already"
    assert_whole(root)


@pytest.mark.integration
def test_withdraw_of_a_component_that_was_renamed(two: Lab, tmp_path: Path) -> None:
    text = two.file.read_text()
    two.file.write_text(text.replace('"greet"', '"hail"').replace("greet:", "hail:"))
    assert two.file.read_text() != text
    withdraw(tmp_path, "greet", "1.0-2", "--yes")
    assert listed(Store.of(two).archive) == ["greet 1.0-1"]


@pytest.mark.integration
@pytest.mark.parametrize(
    "argv, message",
    [
        (["greet", "3.0-1"], "greet 3.0-1 is not in the archive; known: 1.0-1, 1.0-2"),
        (["hail", "1.0-1"], "no component hail in trunk; known: greet"),
        (["greet", "1.0-2"], "withdraw greet 1.0-2 from trunk .*: not done, because nobody can confirm it"),
    ],
)
def test_withdraw_refuses_bad_call(two: Lab, tmp_path: Path, argv: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        withdraw(tmp_path, *argv)
    assert "greet 1.0-2" in listed(Store.of(two).archive)


def test_withdraw_from_empty_archive(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab_factory()
    with pytest.raises(ConfigurationError, match="greet 1 is not in the archive; known: none"):
        withdraw(tmp_path, "greet", "1", "--yes")
