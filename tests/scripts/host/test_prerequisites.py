"""The prerequisites of this machine, and the command that installs missing ones."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base import environment
from lab.base.errors import InfrastructureError, LabError
from lab.base.run import PACKAGES
from lab.config.description import Lab
from scripts.archives import kept_packages, mirror_cache
from scripts.host import prerequisites

FAKE_QUERY = "#!/bin/sh\nfor name; do case $name in -*|'$'*|git) ;; *) echo \"$name installed\" ;; esac; done\n"


def fake(directory: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(script)
    (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")


def test_bindep_lists_every_program_that_run_starts() -> None:
    both = {*prerequisites.needed_packages(["qemu", "metal"])}
    assert set(PACKAGES.values()) - {"apt"} <= both
    assert {*prerequisites.needed_packages()} < {*prerequisites.needed_packages(["qemu"])} < both


def test_host_has_all_packages() -> None:
    assert prerequisites.missing_packages() == []
    assert prerequisites.is_set_up()


def test_doctor_reports_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "bin", "dpkg-query", FAKE_QUERY, monkeypatch)
    assert prerequisites.missing_packages() == ["git"]
    assert not prerequisites.is_set_up()
    lacks = [finding for finding in prerequisites.doctor(None) if not finding.good]
    without = "; without sudo, ask the administrator: apt-get install --no-install-recommends git"
    fix = prerequisites.SETUP + ("" if environment.is_root() else without)
    assert [(finding.what, finding.fix) for finding in lacks] == [("Debian packages", fix)]


@pytest.mark.parametrize("status", [0, 100])
def test_setup_installs_missing_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    called, messages = tmp_path / "called", []
    fake(tmp_path / "bin", "dpkg-query", FAKE_QUERY, monkeypatch)
    fake(
        tmp_path / "bin",
        "apt-get",
        f'#!/bin/sh\necho "$*" >> {called}\n[ "$1" = update ] || exit {status}\n',
        monkeypatch,
    )
    fake(tmp_path / "bin", "dpkg", f'#!/bin/sh\necho "dpkg $*" >> {called}\n', monkeypatch)
    fake(tmp_path / "bin", "sudo", '#!/bin/sh\n[ "$1" != -n ] || shift\nexec "$@"\n', monkeypatch)
    with (tmp_path / "log").open("w") as log:
        if status:
            with pytest.raises(InfrastructureError, match="apt-get could not install git: "):
                prerequisites.setup(messages.append, log)
        else:
            prerequisites.setup(messages.append, log)
            assert called.read_text().splitlines() == [
                "update -qq", "dpkg --configure -a", "install -y -qq --no-install-recommends git",
            ]  # fmt: skip
    assert messages[0].endswith("apt-get, for builds and tests: git")


@pytest.mark.parametrize(
    ("sudo", "message"),
    [
        ("", "ask the administrator to run: apt-get install --no-install-recommends git"),
        ("#!/bin/sh\nexit 1\n", "ask the administrator to run: apt-get install --no-install-recommends git"),
        ('#!/bin/sh\n[ "$1" != -n ] || shift\nexec "$@"\n', "could not read its indices: no route to mirror.example"),
    ],
    ids=["no sudo", "not in sudoers", "mirror away"],
)
def test_setup_says_what_to_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sudo: str, message: str) -> None:
    fake(tmp_path / "bin", "dpkg-query", FAKE_QUERY, monkeypatch)
    fake(tmp_path / "bin", "apt-get", "#!/bin/sh\necho 'E: no route to mirror.example'\nexit 100\n", monkeypatch)
    if sudo:
        fake(tmp_path / "bin", "sudo", sudo, monkeypatch)
    else:
        find = environment.find_program
        monkeypatch.setattr(environment, "find_program", lambda name: None if name == "sudo" else find(name))
    monkeypatch.setattr(environment, "is_root", lambda: False)
    with (tmp_path / "log").open("w") as log, pytest.raises(LabError, match=message):
        prerequisites.setup(lambda _: None, log)


@pytest.mark.integration
def test_doctor_checks_series_of_lab(
    lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = tmp_path / "debian/dists/bookworm/Release"
    release.parent.mkdir(parents=True)
    release.touch()
    monkeypatch.setenv("QALAB_MIRROR_DEBIAN", f"file://{tmp_path}/debian")
    lab = lab_factory(lab={"series": {"noble": {"distribution": "ubuntu", "keyring": "/nowhere.gpg"}}})
    found = {finding.what: finding for finding in prerequisites.doctor(lab)}
    assert (found["mirror of bookworm"].good, found["mirror of bookworm"].detail) == (True, f"file://{tmp_path}/debian")
    assert not found["keyring of noble"].good
    assert "name series.noble.keyring" in found["keyring of noble"].fix
    assert found["disk for state"].good
    assert found["architecture of bookworm"].good


@pytest.mark.integration
def test_doctor_reports_foreign_architecture(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(lab={"series": {"bookworm": {"architectures": ["s390x"]}}})
    (found,) = (finding for finding in prerequisites.doctor(lab) if finding.what == "architecture of bookworm")
    assert (found.good, found.detail.partition(";")[0]) == (False, "s390x")
    assert "in series.bookworm.architectures, or use" in found.fix


def test_doctor_reports_unwritable_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")  # not writable even for root
    monkeypatch.setattr(prerequisites.os, "access", lambda path, _: not str(path).startswith("/proc"))
    found = {finding.what: finding for finding in prerequisites.doctor(None)}
    assert found["disk for state"] == prerequisites.Finding(
        "disk for state", good=False, detail="/proc/nowhere/qalab: may not be written", fix="set XDG_STATE_HOME"
    )
    assert found["disk for cache"].good


@pytest.mark.parametrize(
    ("proxy", "counts", "detail"),
    [
        ("", "", "none yet"),
        ("", "3000000 0\n3000000 2000000\n", "5 MB; of 6 MB that apt has got since 2026-02-03, 2 MB were kept"),
        ("http://proxy.example:3128", "3000000 0\n", "none: apt of this machine has a proxy of its own"),
    ],
    ids=["new", "used", "proxy"],
)
def test_doctor_says_what_kept_packages_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, counts: str, detail: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(mirror_cache, "proxies", lambda: [f'Acquire::http::Proxy "{proxy}";'] if proxy else [])
    if counts:
        place = kept_packages.home() / kept_packages.COUNTS / "2026-02-03"
        place.parent.mkdir(parents=True)
        place.write_text(counts)
        (kept_packages.home() / "greet.deb").write_bytes(b"x" * 5_000_000)
    assert prerequisites.saved() == prerequisites.Finding("kept packages", good=True, detail=detail)


def test_setup_of_complete_host_does_nothing() -> None:
    messages: list[str] = []
    prerequisites.setup(messages.append, io.StringIO())
    assert messages == []
