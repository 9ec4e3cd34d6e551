"""The guest, short of booting it: of packages that real tools made and real apt fetches."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import time
from pathlib import Path

import pytest

from lab.base import environment
from lab.base.errors import InfrastructureError
from lab.base.files import sha256
from lab.base.run import run
from lab.store.step import architecture
from scripts.archives.private_apt import own_apt
from scripts.openstack import guest

KERNEL = f"linux-image-9.1-cloud-{architecture()}"
MODULES = "lib/modules/9.1/kernel/drivers"
PACKAGES = {
    f"linux-image-cloud-{architecture()}": (KERNEL, {}),
    KERNEL: ("", {
        "boot/vmlinuz-9.1": b"kernel",
        f"{MODULES}/virtio/virtio.ko": b"virtio",
        f"{MODULES}/virtio/virtio_ring.ko.xz": lzma.compress(b"ring"),
    }),
    "busybox-static": ("", {"usr/bin/busybox": b"busybox"}),
    # A real program with its real libraries.
    "dropbear-bin": ("libc6", {"usr/sbin/dropbear": Path("/bin/true").read_bytes()}),
    "libc6": ("", {
        "lib/any/libc.so.6": next(Path("/lib").glob("*/libc.so.6")).read_bytes(),
        "lib/any/ld-linux-any.so.2": next(Path("/lib").glob("*/ld-linux-*.so.*")).read_bytes(),
    }),
}  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with small packages that have the names of a guest's packages."""
    home = tmp_path_factory.mktemp("repository")
    paragraphs = []
    for name, (depends, content) in PACKAGES.items():
        for path, data in content.items():
            (home / name / path).parent.mkdir(parents=True, exist_ok=True)
            (home / name / path).write_bytes(data)
            (home / name / path).chmod(0o755)
        fields = f"Package: {name}\nVersion: 1:1.0-1\nArchitecture: {architecture()}\nMaintainer: A <a@b.example>\n"
        fields += f"Description: A part\n{f'Depends: {depends}' if depends else ''}".rstrip("\n") + "\n"
        (home / name / "DEBIAN").mkdir(parents=True)
        (home / name / "DEBIAN/control").write_text(fields)
        run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", home / name, home / f"{name}.deb"])
        shutil.rmtree(home / name)
        path = home / f"{name}.deb"
        size = path.stat().st_size
        paragraphs.append(f"{fields}Filename: ./{name}.deb\nSize: {size}\nSHA256: {sha256(path)}\n")
    (home / "Packages").write_text("\n".join(paragraphs))
    return home


def members(ramdisk: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and content by name, as the kernel reads them: fields of eight digits, padding to four bytes."""
    raw, at, found = gzip.decompress(ramdisk), 0, {}
    while not found or "TRAILER!!!" not in found:
        assert raw[at : at + 6] == b"070701"
        fields = [int(raw[at + 6 + 8 * number : at + 14 + 8 * number], 16) for number in range(13)]
        name = raw[at + 110 : at + 109 + fields[11]].decode()
        data = (at + 110 + fields[11] + 3) // 4 * 4
        found[name] = fields[1], raw[data : data + fields[6]]
        at = (data + fields[6] + 3) // 4 * 4
    assert at == len(raw)
    del found["TRAILER!!!"]
    return found


def make(repository: Path, tmp_path: Path) -> guest.Guest:
    with (tmp_path / "log").open("w") as log:
        return guest.made("some", [f"deb [trusted=yes] file:{repository} ./"], log)


@pytest.mark.integration
def test_guest_image_content(repository: Path, tmp_path: Path) -> None:
    made = make(repository, tmp_path)
    found = members(made.ramdisk.read_bytes())
    assert made.kernel.read_bytes() == b"kernel"
    assert found["bin/busybox"] == (0o100755, b"busybox")
    assert found["init"] == (0o100755, guest.SCRIPTS["init"].read_bytes())
    assert found["root/.ssh"] == (0o40700, b"")
    assert [(name, content) for name, (_, content) in sorted(found.items()) if name.startswith("modules/")] == [
        ("modules/00-virtio_ring.ko", b"ring"),
        ("modules/01-virtio.ko", b"virtio"),
    ]
    loader = next(name for name in found if "/ld-linux" in name)
    assert found[loader][1] == PACKAGES["libc6"][1]["lib/any/ld-linux-any.so.2"]
    assert found["lib/libc.so.6"][1] == PACKAGES["libc6"][1]["lib/any/libc.so.6"]
    names = [*found]
    assert all(names.index(str(Path(name).parent)) < names.index(name) for name in names if "/" in name)


@pytest.mark.integration
def test_guest_image_is_reproducible_and_cached(repository: Path, tmp_path: Path) -> None:
    made = make(repository, tmp_path)
    before = made.ramdisk.read_bytes()
    made.kernel.write_bytes(b"kept")
    assert make(repository, tmp_path).kernel.read_bytes() == b"kept"
    shutil.rmtree(made.path)
    assert make(repository, tmp_path).ramdisk.read_bytes() == before


@pytest.mark.integration
def test_guest_image_of_other_input_is_new(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(repository, tmp_path)
    (tmp_path / "lease").write_text("another script")
    monkeypatch.setitem(guest.SCRIPTS, "lease", tmp_path / "lease")
    old = time.time() - 40 * 86_400
    os.utime(made.path, (old, old))
    (half := made.path.parent / ".new.x").mkdir()
    assert make(repository, tmp_path).key != made.key
    assert not made.path.exists()
    assert not half.exists()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("", f"apt-get install: Unable to locate package linux-image-cloud-{architecture()}"),
        (None, "apt-get update: "),
    ],
)
def test_guest_image_names_package_missing_on_mirror(tmp_path: Path, index: str | None, message: str) -> None:
    if index is not None:
        (tmp_path / "Packages").write_text(index)
    with pytest.raises(InfrastructureError, match=f"^the guest of series some cannot be made: {message}"):
        make(tmp_path, tmp_path)
    assert not list((environment.cache_home() / "guests").glob("some-*"))


@pytest.mark.integration
def test_guest_image_reports_failed_download(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "Packages").write_text((repository / "Packages").read_text())
    with pytest.raises(InfrastructureError, match=r"^the guest of .*: apt-get download: Failed to fetch "):
        make(tmp_path, tmp_path)


def test_guest_apt_ignores_host_sources(tmp_path: Path) -> None:
    listed = run(["apt-get", *own_apt(tmp_path, []), "indextargets"], capture=True).stdout
    assert listed == ""


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        (["http://a/"], ["-q", "-O", "-", "http://a/"]),
        (["-X", "POST", "-d", "a b", "http://a/"], ["-q", "-O", "-", "--post-data", "a b", "http://a/"]),
        (["-s", "http://a/"], ["-q", "-O", "-", "http://a/"]),
    ],
)
def test_guest_curl_calls_wget(tmp_path: Path, argv: list[str], asked: list[str]) -> None:
    (tmp_path / "wget").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "wget").chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    output = run(["sh", guest.SCRIPTS["curl"], *argv], capture=True, env=env).stdout
    assert output.splitlines() == asked
