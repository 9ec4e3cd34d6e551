"""The archive, made by the real reprepro; that apt can use it is shown in tests/integration."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from debian.deb822 import Packages, Release

from lab.base import files
from lab.base.run import output, run
from lab.store.runs import Store
from scripts import archive, push, upload
from scripts.archive import DAY_SECONDS
from scripts.archives.reprepro import Tracked
from tests.packages import killer, pretend_built, start, wait_for


@pytest.mark.parametrize(
    "ages, keep, days, gone",
    [
        ({"1": 0}, 1, 1, []),
        ({"1": 400}, 1, 1, []),
        ({"1": 3, "2": 2, "3": 1}, 5, 30, []),
        ({"1": 3, "2": 2, "3": 1}, 2, 30, ["1"]),
        ({"1": 3, "2": 2, "3": 1}, 1, 30, ["2", "1"]),
        ({"1": 40, "2": 31, "3": 1}, 5, 30, ["2", "1"]),
        ({"1": 40, "2": 35, "3": 31}, 5, 30, ["2", "1"]),
        ({"1": 1, "2": 31, "3": 1}, 5, 30, ["2"]),
        ({"1.9": 1, "1.10": 1, "1:0.1": 1}, 2, 30, ["1.9"]),
        ({"1.0": 1, "1.0~rc1": 1, "1.0+git1": 1}, 2, 30, ["1.0~rc1"]),
    ],
)
def test_expired_versions(ages, keep, days, gone):
    seconds = {Tracked("greet", version): age * DAY_SECONDS for version, age in ages.items()}
    seconds |= {Tracked("other", "1"): 100 * DAY_SECONDS}
    assert [item.version for item in archive.expired(seconds, keep, days)] == gone


@pytest.fixture(autouse=True)
def own_tmp(monkeypatch):
    """Remove leftovers of killed steps with the test."""
    with tempfile.TemporaryDirectory(prefix="qalab-test-") as directory:
        monkeypatch.setenv("TMPDIR", directory)
        yield


@pytest.fixture
def publish(lab_factory, bench):
    """``publish("1.0-1", ...)``: build a version in a new run and put it into the archive."""

    def do(version, *, lab=None, track="trunk", verdict="passed", **options):
        work = bench(lab or lab_factory(), track=track)
        pretend_built(work, version, **options)
        record = work.execute(archive)
        assert record.verdict == verdict, work.log("archive")
        return record, work

    return do


def pool(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "pool").rglob("*") if path.is_file())


def listed(root: Path, codename: str = "trunk") -> list[str]:
    text = (root / f"dists/{codename}/main/binary-amd64/Packages").read_text()
    return sorted(f"{each['Package']} {each['Version']}" for each in Packages.iter_paragraphs(text, use_apt_pkg=False))


def assert_whole(root: Path) -> None:
    """Database, pool and indices agree; nothing of a change is left over."""
    assert not (root / "db.before").exists()
    assert not (root / "db.partial").exists()
    assert not (root / "db" / "lockfile").exists()
    for command in (["check"], ["checkpool"], ["dumpunreferenced"], ["tidytracks"]):
        assert output(["reprepro", "--basedir", root, "--silent", *command]) == ""
    for release in (root / "dists").glob("*/Release"):
        for item in Release(release.read_text())["SHA256"]:
            path = release.parent / item["name"]
            assert path.name == "Sources" or files.sha256(path) == item["sha256"]


@pytest.mark.integration
def test_version_is_added_once(publish):
    record, work = publish("1.0-1")
    root = Store.of(work.lab).archive
    state = files.sha256(root / "dists/trunk/InRelease")
    assert record.facts == {"codename": "trunk", "path": str(root), "added": True, "archive": state}
    parameters = work.run.results / "parameters.properties"
    assert (
        parameters.read_text() == f"COMPONENT=greet\nCOMMIT={'0' * 40}\nVERSION=1.0-1\nARCHIVE={state}\nCAUSE=by hand\n"
    )
    assert record.version == "1.0-1"
    release = Release((root / "dists/trunk/Release").read_text())
    assert (release["Origin"], release["Label"], release["Suite"], release["Codename"]) == (
        "testlab", "testlab", "trunk", "trunk")  # fmt: skip
    assert pool(root) == [
        "greet_1.0-1.debian.tar.xz",
        "greet_1.0-1.dsc",
        "greet_1.0-1_all.deb",
        "greet_1.0.orig.tar.gz",
    ]
    assert listed(root) == ["greet 1.0-1"]
    signature = (root / "dists/trunk/InRelease").read_bytes()

    again = work.execute(archive)
    assert (again.verdict, again.message, again.facts["added"]) == ("passed", "trunk has it already", False)
    assert (root / "dists/trunk/InRelease").read_bytes() == signature
    assert_whole(root)


@pytest.mark.integration
def test_by_hash_keeps_earlier_indices(publish):
    _, work = publish("1.0-1")
    index = Store.of(work.lab).archive / "dists/trunk/main/binary-amd64"
    first = index / f"by-hash/SHA256/{files.sha256(index / 'Packages')}"
    publish("1.0-2")
    second = index / f"by-hash/SHA256/{files.sha256(index / 'Packages')}"
    assert (first.read_text() != second.read_text(), second.read_bytes()) == (True, (index / "Packages").read_bytes())
    long_ago = time.time() - 2 * 3600
    os.utime(second, (long_ago, long_ago))  # its time begins when it is replaced
    os.utime(first, (long_ago, long_ago))
    publish("1.0-3")
    assert (first.exists(), second.exists()) == (False, True)
    assert not list(index.glob("by-hash/SHA256/.*"))


def test_public_key_verifies_archive(publish, tmp_path):
    _, work = publish("1.0-1")
    root = Store.of(work.lab).archive
    run(["gpg", "--dearmor", "--output", tmp_path / "key.gpg", root / "archive-key.asc"])
    run(["gpgv", "--keyring", tmp_path / "key.gpg", root / "dists/trunk/InRelease"])
    # GnuPG's agent ends with the step.
    sockets = output(["gpgconf", "--list-dirs", "agent-socket"], env={"GNUPGHOME": str(Store.of(work.lab).gnupg)})
    assert not Path(sockets).exists()


HELD = "held back: {} is unstable: it is not good"


@pytest.mark.parametrize(
    "gate, verdicts, reason",
    [
        (None, {"content": "unstable"}, HELD.format("content")),
        (None, {"lintian": "unstable"}, HELD.format("lintian")),
        (None, {"lintian": "unstable", "content": "unstable"}, HELD.format("lintian")),
        (None, {"content": "skipped"}, ""),
        (["content"], {"lintian": "unstable"}, ""),
        (["lintian"], {"content": "unstable"}, ""),
        ([], {"lintian": "unstable", "content": "unstable"}, ""),
        ([], {"sbuild": "skipped"}, "nothing was built"),
    ],
)
def test_gate_holds_back_unstable_package(lab_factory, bench, gate, verdicts, reason):
    component = {"packaging": {"push": {"git": "/x", "branch": "y"}}, "upload": {"to": "file:///x"}}
    work = bench(lab_factory(component=component | ({} if gate is None else {"build": {"gate": gate}})))
    pretend_built(work)
    handed_over = work.run.results / "parameters.properties"
    handed_over.write_text("VERSION=1.0-0\n")  # by an earlier try
    for name, verdict in verdicts.items():
        before = work.run.record(name)
        before.model_copy(update={"verdict": verdict, "message": "it is not good"}).write(work.run.record_path(name))
    record = work.execute(archive)
    root = Store.of(work.lab).archive
    if not reason:
        assert (record.verdict, record.message, listed(root)) == ("passed", "added", ["greet 1.0-1"])
        return
    assert (record.verdict, record.message, record.facts["added"]) == ("skipped", reason, False)
    assert record.exit_code == (0 if reason == "nothing was built" else 4)
    assert not root.exists()
    assert not handed_over.exists()
    uploaded, pushed = work.execute(upload), work.execute(push)
    assert (uploaded.verdict, uploaded.message) == ("skipped", f"not in the archive: {reason}")
    assert pushed.verdict == "skipped"


@pytest.mark.parametrize("name", ["content", "lintian"])
def test_gate_needs_records_of_checks(lab_factory, bench, name):
    work = bench(lab_factory())
    pretend_built(work)
    work.run.record_path(name).unlink()
    record = work.execute(archive)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert f"the step {name} comes first and is not run" in record.message


@pytest.mark.integration
def test_older_version_is_skipped(publish):
    publish("1.0-2")
    record, work = publish("1.0-1", verdict="skipped")
    assert record.message == "trunk has greet 1.0-2 and keeps it"
    state = files.sha256(Store.of(work.lab).archive / "dists/trunk/InRelease")
    assert record.facts["archive"] == state
    assert f"\nVERSION=1.0-1\nARCHIVE={state}\n" in (work.run.results / "parameters.properties").read_text()
    assert listed(Store.of(work.lab).archive) == ["greet 1.0-2"]


@pytest.mark.integration
def test_same_version_with_other_content_is_refused(publish):
    publish("1.0-1", text="One")
    record, work = publish("1.0-1", text="Other", verdict="error")
    assert (record.exit_code, "has another greet_1.0-1" in record.message) == (3, True)
    root = Store.of(work.lab).archive
    publish("1.0-2")
    assert_whole(root)
    assert listed(root) == ["greet 1.0-2"]


@pytest.mark.integration
def test_debug_packages_udebs_and_epoch_are_added(publish):
    _, work = publish("2:1.0-1", binaries=("greet.deb", "greet-dbgsym.ddeb", "greet-udeb.udeb"))
    root = Store.of(work.lab).archive
    assert listed(root) == ["greet 2:1.0-1", "greet-dbgsym 2:1.0-1"]
    assert "greet-udeb_1.0-1_all.udeb" in pool(root)
    assert work.execute(archive).facts["added"] is False


@pytest.mark.integration
def test_package_without_section_fails(publish):
    record, _ = publish("1.0-1", drop="Section", verdict="failed")
    assert "No section specified for 'greet_1.0-1.dsc'" in record.message
    assert record.exit_code == 1


@pytest.mark.integration
def test_versions_beyond_keep_are_removed(publish, lab_factory):
    lab = lab_factory(lab={"archive": {"keep": 2}})
    publish("1.0-1", lab=lab)
    publish("1.0-2", lab=lab)
    record, _ = publish("1.1-1", lab=lab)
    root = Store.of(lab).archive
    assert record.message == "added; removed greet 1.0-1"
    assert [name for name in pool(root) if name.endswith((".deb", ".orig.tar.gz"))] == [
        "greet_1.0-2_all.deb", "greet_1.0.orig.tar.gz", "greet_1.1-1_all.deb", "greet_1.1.orig.tar.gz"]  # fmt: skip
    assert_whole(root)


def test_versions_ignore_settings_of_runs(publish, lab_factory):
    lab = lab_factory(lab={"runs": {"keep": 1, "keep_days": 1}})
    publish("1.0-1", lab=lab)
    record, _ = publish("1.0-2", lab=lab)
    assert record.message == "added"


@pytest.mark.integration
def test_versions_beyond_keep_days_are_removed_with_binaries(publish, lab_factory):
    lab = lab_factory(lab={"archive": {"keep_days": 10}})
    root = Store.of(lab).archive
    publish("1.0-1", lab=lab, binaries=("greet.deb", "greet-extra.deb"))
    publish("1.0-2", lab=lab)
    assert listed(root) == ["greet 1.0-2", "greet-extra 1.0-1"]
    old = time.time() - 11 * DAY_SECONDS
    for path in root.glob("pool/*/*/*/*"):
        if "1.0-2" not in path.name:
            os.utime(path, (old, old))
    record, _ = publish("1.0-3", lab=lab)
    assert record.message == "added; removed greet 1.0-1"
    assert listed(root) == ["greet 1.0-3"]
    assert [name for name in pool(root) if "1.0-1" in name] == []
    assert_whole(root)


@pytest.mark.integration
def test_removed_track_keeps_its_packages(publish, lab_factory):
    publish("1.0-1~bookworm1")
    two = lab_factory(lab={"series": {"noble": {"distribution": "ubuntu"}}, "tracks": {"next": {"series": "noble"}}})
    publish("1.0-1~noble1", lab=two, track="next", distribution="noble")
    root = Store.of(two).archive
    assert (listed(root), listed(root, "next")) == (["greet 1.0-1~bookworm1"], ["greet 1.0-1~noble1"])
    publish("1.0-2~bookworm1")  # the track next is gone from lab.yaml
    assert (listed(root), listed(root, "next")) == (["greet 1.0-2~bookworm1"], ["greet 1.0-1~noble1"])
    assert_whole(root)


def test_changed_signing_key_signs_archive(publish, lab_factory, tmp_path):
    publish("1.0-1")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    env = {"GNUPGHOME": str(home)}
    run(["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "Team <team@lab.example>", "ed25519"], env=env)
    run(["gpgconf", "--kill", "all"], env=env)
    lab = lab_factory(lab={"archive": {"gnupg_home": str(home), "signing_key": "team@lab.example"}})
    publish("1.0-2", lab=lab)
    root = Store.of(lab).archive
    run(["gpg", "--dearmor", "--output", tmp_path / "key.gpg", root / "archive-key.asc"])
    run(["gpgv", "--keyring", tmp_path / "key.gpg", root / "dists/trunk/InRelease"])
    run(["gpgconf", "--kill", "all"], env=env)


@pytest.mark.full
@pytest.mark.parametrize("call", [3, 6, 8])
def test_kill_in_reprepro_call_is_recovered(publish, lab_factory, bench, tmp_path, monkeypatch, call):  # noqa: PLR0917
    """Kill reprepro and the step, leaving a lockfile and a partial database; then run the step again."""
    lab = lab_factory(lab={"archive": {"keep": 1}})
    publish("1.0-1", lab=lab)
    work = bench(lab)
    pretend_built(work, "1.0-2")
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{killer(tmp_path / 'bin', 'reprepro', call, 0.01)}:{path}")
    assert start(archive, work).wait() == -9
    monkeypatch.setenv("PATH", path)
    record = work.execute(archive)
    assert record.verdict == "passed", work.log("archive")
    root = Store.of(lab).archive
    assert_whole(root)
    assert listed(root) == ["greet 1.0-2"]
    assert [name for name in pool(root) if "1.0-1" in name] == []


def test_leftovers_of_killed_reader_are_removed(publish):
    _, work = publish("1.0-1")
    root = Store.of(work.lab).archive
    (root / "db/lockfile").touch()
    (root / "db.partial").mkdir()
    publish("1.0-2")
    assert_whole(root)


def test_state_directory_with_long_path(publish, tmp_path, monkeypatch):
    """The path exceeds the limit for a socket, such as that of GnuPG's agent."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ("x" * 120)))
    _, work = publish("1.0-1")
    assert_whole(Store.of(work.lab).archive)


@pytest.mark.integration
def test_orphaned_reprepro_keeps_lock(publish, tmp_path, monkeypatch):
    _, work = publish("1.0-1")
    path = os.environ["PATH"]
    fake = tmp_path / "bin" / "reprepro"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\ntrap "" TERM\necho $$ > {tmp_path}/pid\nwhile [ -e {tmp_path}/pid ]; do sleep 0.05; done\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{path}")
    process = start(archive, work)
    lock = Store.of(work.lab).lock_path("archive")
    wait_for((tmp_path / "pid").exists)
    process.kill()
    process.wait()
    assert files.is_locked(lock)
    (tmp_path / "pid").unlink()
    wait_for(lambda: not files.is_locked(lock))
    monkeypatch.setenv("PATH", path)
    assert work.execute(archive).verdict == "passed"


@pytest.mark.integration
def test_step_runs_alone(publish):
    _, work = publish("1.0-1")
    assert start(archive, work).wait() == 0
