"""Archives of older releases, archives behind a URL, and files that are not what they should be."""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from debian.deb822 import Release

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import run
from lab.config.description import Lab
from lab.store import source_history
from lab.store.archive import BINARY_LOCK, SOURCE_LOCK, ArchiveReader
from lab.store.runs import Store
from lab.store.source_history import PackagedVersion, SourceHistory
from scripts.archives import lab_archive, labels, retention, serving, versions
from scripts.archives import suites as suites_module
from scripts.archives.content import SOURCES
from scripts.archives.lab_archive import LabArchive
from scripts.archives.labels import Reasons
from scripts.archives.stanzas import Stanza
from tests.archives import assert_signed, assert_whole, deb, listed, place_behind_link, put, suites


@pytest.fixture
def opened(lab_factory: Callable[..., Lab], tmp_path: Path) -> Iterator[LabArchive]:
    with (tmp_path / "log").open("w") as log, lab_archive.opened(lab_factory(), log) as archive:
        yield archive


def test_two_versions_with_one_file_name(opened: LabArchive, tmp_path: Path) -> None:
    put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1")])
    first = opened.reader.existing("trunk")
    with pytest.raises(InfrastructureError, match=r"the archive has another greet_1_all\.deb already"):
        put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1", data=b"other")])
    with pytest.raises(InfrastructureError, match=r"gone\.deb is missing"):
        versions.add_files(opened.root, {}, {"pool/main/g/gone/gone.deb": "0"}, "gone")
    assert opened.reader.existing("trunk") == first


def test_the_same_content_makes_no_state(opened: LabArchive, tmp_path: Path) -> None:
    first = put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1")])
    assert put(opened, "trunk", [tmp_path / "greet_1_all.deb"]) == first
    second = put(opened, "trunk", [deb(tmp_path / "greet_2_all.deb", "greet", "2")])
    back = opened.commit("trunk", opened.content("trunk").with_version(of(opened, "1")), "back")
    assert (back.number, second.number) == (3, 2)
    assert back.name not in {first.name, second.name}  # the content of the first, at another time
    assert listed(opened.root, back.name) == listed(opened.root, first.name)
    digests = {path.name for path in (opened.root / "by-hash/SHA256").iterdir()}
    assert len(digests) == 5  # the packages and the lock list of both versions, and no sources


def dates(archive: LabArchive, suite: str) -> datetime:
    return parsedate_to_datetime(Release((archive.root / f"dists/{suite}/Release").read_text())["Date"])


def test_a_clock_that_goes_back(opened: LabArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """apt keeps the Release file that it has when a new one has an earlier Date."""
    noon = datetime(2026, 5, 5, 12, tzinfo=UTC)
    for number, moment in enumerate((noon, noon - timedelta(days=40), noon), 1):
        monkeypatch.setattr(environment, "now", lambda moment=moment: moment)
        state = put(opened, "trunk", [deb(tmp_path / f"greet_{number}_all.deb", "greet", str(number))])
        labels.move(opened, "promotion", "trunk-tested", state.name, Reasons("ada"))
        wanted = noon + timedelta(seconds=number - 1)
        assert (dates(opened, "trunk"), dates(opened, "trunk-tested")) == (wanted, wanted)
        assert dates(opened, state.name) == moment
    (opened.root / "dists/trunk/Release").write_text("Date: nonsense\n")
    opened.point("trunk", state)
    assert dates(opened, "trunk") == noon


@pytest.mark.parametrize("linked", ["", "qalab", "qalab/testlab", "qalab/testlab/archive"])
def test_an_archive_behind_a_link_to_another_disk(lab_factory: Callable[..., Lab], tmp_path: Path, linked: str) -> None:
    """Its labels stay, however often it is opened."""
    lab = lab_factory()
    place_behind_link(lab, linked, tmp_path / "disk")
    for number in range(1, 4):
        with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log) as archive:
            assert number == 1 or archive.reader.labels().keys() == {"trunk", "trunk-tested"}
            state = put(archive, "trunk", [deb(tmp_path / f"greet_{number}_all.deb", "greet", str(number))])
            labels.move(archive, "promotion", "trunk-tested", state.name, Reasons("ada"))
    with lab_archive.opened(lab, sys.stdout) as archive:
        assert archive.reader.labels() == {"trunk": state, "trunk-tested": state}
        assert_whole(archive.root)


def of(archive: LabArchive, version: str) -> list[Stanza]:
    return next(each.stanzas for each in versions.of_source(archive.root, "trunk", "greet") if each.version == version)


@pytest.mark.integration
@pytest.mark.parametrize("killed", [False, True])
def test_an_archive_of_reprepro_is_taken_over(lab_factory: Callable[..., Lab], tmp_path: Path, *, killed: bool) -> None:
    """Its suites get a first state with what they list; all of it can be changed then."""
    lab = lab_factory()
    root = Store.of(lab).archive
    (root / "conf").mkdir(parents=True)
    (root / "conf/distributions").write_text(
        "".join(
            f"Codename: {name}\nSuite: {name}\nOrigin: testlab\nLabel: testlab\nArchitectures: amd64 source\n"
            "Components: main\nUDebComponents: main\nTracking: keep\n\n"
            for name in ("trunk", "old")
        )
    )
    packages = [deb(tmp_path / f"{name}_1_all.deb", name, "1", source="greet") for name in ("greet", "greet-doc")]
    for name in ("trunk", "old"):
        run(["reprepro", "--silent", "-b", root, "includedeb", name, *packages])
    shutil.rmtree(root / "dists/old/main/source")
    if killed:  # after the state of one suite was made, before its label replaced the suite
        shutil.copytree(root / "dists/trunk", tmp_path / "trunk")
        with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log):
            pass
        (root / "dists/trunk").unlink()
        (tmp_path / "trunk").rename(root / "dists/trunk")
    with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log) as archive:
        assert listed(root) == listed(root, "old") == ["greet 1", "greet-doc 1"]
        state = archive.reader.existing("trunk")
        assert (state.number, state.why, state.changes) == (1, "the archive of an older release", ())
        assert [each.version for each in versions.of_source(root, "trunk", "greet")] == ["1"]
        assert len(suites(root)) == 4
        put(archive, "trunk", [deb(tmp_path / "greet_2_all.deb", "greet", "2")])
    assert listed(root) == ["greet 2", "greet-doc 1"]
    assert listed(root, "old") == ["greet 1", "greet-doc 1"]
    assert_whole(root)
    assert_signed(root, tmp_path)


def test_source_history(opened: LabArchive, tmp_path: Path) -> None:
    """It names all versions, also those that have left the pool; a killed change is completed."""
    for version in "12":
        put(opened, "trunk", [deb(tmp_path / f"greet_{version}_all.deb", "greet", version)])
    history = source_history.read(opened.reader, "greet")
    assert [each.version for each in history.of_track("trunk")] == ["2", "1"]
    assert history.files.keys() == {f"pool/main/g/greet/greet_{version}_all.deb" for version in "12"}
    assert source_history.read(opened.reader, "other") == SourceHistory()
    present = (opened.root / "sources/greet.json").read_bytes()
    versions.record_path(opened.root, "trunk", "greet", "1").unlink()
    for path in ("states.json", "sources/greet.json"):
        (opened.root / path).unlink()
    assert [each.version for each in source_history.read(opened.reader, "greet").versions] == ["2"]
    opened.repair()
    assert (opened.root / "states.json").exists()
    (opened.root / "sources/greet.json").write_bytes(present)
    source_history.write(opened.root, "greet")
    history = source_history.read(opened.reader, "greet")
    assert [(each.version, len(each.files)) for each in history.of_track("trunk")] == [("2", 1), ("1", 0)]


@pytest.mark.parametrize(
    "withdrawn, of_track, taken_out",
    [((), ["10", "9", "1"], []), (("10",), ["9", "1"], ["10"]), (("9", "10", "1"), [], ["1", "9", "10"])],
)
def test_source_history_of_track(withdrawn: tuple[str, ...], of_track: list[str], taken_out: list[str]) -> None:
    known = [
        PackagedVersion(track="trunk", version=version, added="", commit=f"c{version}", withdrawn=version in withdrawn)
        for version in ("9", "10", "1")
    ]
    history = SourceHistory(versions=(*known, PackagedVersion(track="other", version="99", added="", commit="c99")))
    assert [each.version for each in history.of_track("trunk")] == of_track
    assert history.withdrawn("trunk") == taken_out
    assert history.version_of("trunk", "c99") == ""
    assert history.version_of("trunk", "c10") == ("" if "10" in withdrawn else "10")


def test_a_reader_of_a_url(opened: LabArchive, tmp_path: Path) -> None:
    state = put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1")])
    with serving.served(opened.lab, "trunk") as repository:
        assert repository
        reader, here = ArchiveReader(repository.url), opened.reader
        assert reader.existing("trunk") == reader.existing(state.name) == state
        assert (reader.lock("trunk"), reader.key()) == ([("greet", "1")], here.key())
        assert reader.index("trunk", SOURCES) == here.index("trunk", SOURCES) == ""
        index = "main/binary-amd64/Packages"
        assert reader.index("trunk", index) == here.index("trunk", index)
        assert (reader.has("trunk"), reader.has("other"), reader.state("other")) == (True, False, None)
        labels.pin(opened, "trunk", Reasons("ada"))
        labels.move(opened, "promotion", "trunk-tested", "", Reasons("ada", reason="it works"))
        second = put(opened, "trunk", [deb(tmp_path / "greet_2_all.deb", "greet", "2")])
        assert reader.states() == here.states() == [state, second]
        assert reader.labels() == here.labels() == {"trunk": second, "trunk-tested": state}
        assert (reader.pins(), reader.moves("trunk-tested")) == (here.pins(), here.moves("trunk-tested"))
        assert [*reader.pins()] == [move.after for move in reader.moves("trunk-tested")] == [state.name]
        assert reader.states("other") == []
        assert source_history.read(reader, "greet") == source_history.read(here, "greet")
        with pytest.raises(ConfigurationError, match="works on the machine of the archive only"):
            _ = reader.root
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        reader.has("trunk")


def test_a_state_that_vanishes_while_states_are_listed(
    opened: LabArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers take no lock: a removal of old states must not fail them."""
    first, second = (put(opened, "trunk", [deb(tmp_path / f"greet_{n}_all.deb", "greet", n)]) for n in ("1", "2"))
    read = ArchiveReader.read

    def late(self: ArchiveReader, name: str) -> bytes | None:
        if first.name in name:  # it has been found
            shutil.rmtree(opened.root / "dists" / first.name)
        return read(self, name)

    monkeypatch.setattr(ArchiveReader, "read", late)
    assert opened.reader.states("trunk") == [second]


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"states": [{}]}', "\xff"])
def test_a_damaged_states_json_is_written_again(opened: LabArchive, tmp_path: Path, damaged: str) -> None:
    state = put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1")])
    path = opened.root / "states.json"
    whole = path.read_bytes()
    path.write_text(damaged, encoding="latin-1")
    opened.repair()
    assert path.read_bytes() == whole
    assert opened.reader.index_of_states().labels == {"trunk": state.name}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: data[:12] + b"\xff" * 20 + data[32:],
        lambda _: b"\xff\xfe",
        lambda _: b"",
        lambda _: gzip.compress(b"xx"),
        lambda data: gzip.compress(gzip.decompress(data).replace(b"Version: 1", b"Version: 9")),
        None,
    ],
)
def test_a_damaged_index_is_named(opened: LabArchive, tmp_path: Path, damage: Callable[[bytes], bytes] | None) -> None:
    state = put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1")])
    path = opened.root / f"dists/{state.name}/main/binary-amd64/Packages.gz"
    data = path.read_bytes()
    path.unlink()  # it is a link to the index of the label
    if damage:
        path.write_bytes(damage(data))
    with pytest.raises(InfrastructureError, match=rf"dists/{state.name}/main/binary-amd64/Packages\.gz: is damaged: "):
        put(opened, "trunk", [deb(tmp_path / "talk_1_all.deb", "talk", "1")])
    assert opened.reader.states() == [state]
    path.write_bytes(data)
    put(opened, "trunk", [tmp_path / "talk_1_all.deb"])
    assert listed(opened.root) == ["greet 1", "talk 1"]


@pytest.mark.parametrize("damaged", ["", "xx", "Architectures: amd64 source\n", "\xff", None])
def test_a_damaged_release_is_named(opened: LabArchive, tmp_path: Path, damaged: str | None) -> None:
    """Without it, the next state would have no package."""
    state = put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1")])
    for suite in ("trunk", state.name):
        path = opened.root / f"dists/{suite}/Release"
        path.unlink()
        if damaged is not None:
            path.write_text(damaged, encoding="latin-1")
    with pytest.raises(InfrastructureError, match=r"dists/trunk.*/Release: is damaged: .*InRelease"):
        put(opened, "trunk", [deb(tmp_path / "talk_1_all.deb", "talk", "1")])
    assert opened.reader.states() == [state]


@pytest.mark.parametrize("lock", [BINARY_LOCK, SOURCE_LOCK])
def test_a_damaged_lock_list_is_named(opened: LabArchive, tmp_path: Path, lock: str) -> None:
    """The next state would carry it on, and gc would remove what it does not list."""
    state = put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1")])
    path = opened.root / f"dists/{state.name}/{lock}.gz"
    for damaged in (gzip.compress(b"other=1\n"), gzip.compress(b""), None):
        path.unlink()
        if damaged is not None:
            path.write_bytes(damaged)
        with pytest.raises(InfrastructureError, match=rf"dists/{state.name}/{lock}\.gz: is damaged: .*Release"):
            put(opened, "trunk", [deb(tmp_path / "talk_1_all.deb", "talk", "1")])
        path.touch()
    assert opened.reader.states() == [state]


@pytest.mark.parametrize("lock", [BINARY_LOCK, SOURCE_LOCK])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"\x1f\x8bxx")])
def test_a_state_whose_lock_list_is_missing_or_damaged_is_not_empty(
    opened: LabArchive, tmp_path: Path, lock: str, damage: Callable[[Path], object]
) -> None:
    """Else a removal takes the packages away that only this state has."""
    state = put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1")])
    for suite in (state.name, "trunk"):
        damage(opened.root / f"dists/{suite}/{lock}.gz")
        with pytest.raises(InfrastructureError, match=rf"dists/{suite}/{lock}\.gz: is (missing|damaged)"):
            opened.reader.lock(suite, lock)
    if lock == SOURCE_LOCK:
        with pytest.raises(InfrastructureError, match=r"sources\.lock\.gz: is (missing|damaged)"):
            retention.collect(opened)
        assert (opened.root / "pool/main/g/greet/greet_1_all.deb").exists()
    assert opened.reader.lock("trunk-nothing", lock) == opened.reader.lock("", lock) == []


def test_a_state_of_an_older_release_without_lock_lists_in_its_release(opened: LabArchive, tmp_path: Path) -> None:
    first = put(opened, "trunk", [deb(tmp_path / "greet_1_all.deb", "greet", "1")])
    trees = [(opened.root / "dists" / name).resolve() for name in ("trunk", first.name)]
    for tree in trees:
        rows = (tree / "Release").read_text().splitlines(keepends=True)
        suites_module.sign(tree, "".join(row for row in rows if ".lock" not in row), opened.key, opened.log)
    assert put(opened, "trunk", [tmp_path / "greet_1_all.deb"]) == first
    labels.move(opened, "promotion", "trunk-tested", first.name, Reasons("ada"))
    assert opened.reader.lock("trunk-tested") == opened.reader.lock("trunk-tested", SOURCE_LOCK) == [("greet", "1")]
    put(opened, "trunk", [deb(tmp_path / "talk_1_all.deb", "talk", "1")])
    assert opened.reader.lock("trunk") == opened.reader.lock("trunk", SOURCE_LOCK) == [("greet", "1"), ("talk", "1")]
    assert_whole(opened.root)
