"""Bundles: the same bytes for the same build, and refusal of hostile files."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.base.errors import ConfigurationError
from reports import bundle
from reports.bundle import BadBundle
from reports.model import Log
from tests.reports.publications import a_build, final_bytes

LOG = Log(name="sbuild.log", path="logs/sbuild.log", size=3, lines=1)


@pytest.mark.integration
def test_read_returns_written_build(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"abc" * 5_000_000)
    build = a_build(logs=(LOG,), message="é")
    path = bundle.write(build, {"logs/sbuild.log": tmp_path / "raw", "files/x": b"y", "junit.xml": b"<x/>"}, tmp_path / "new")  # fmt: skip
    assert path == tmp_path / "new" / f"{hashlib.sha256(path.read_bytes()).hexdigest()}.tar.gz"
    found = bundle.read(path)
    assert found.build == build
    assert found.digest == path.name[:64]
    assert found.sizes == {"files/x": 1, "junit.xml": 4, "logs/sbuild.log": 15_000_000}
    with found.open("logs/sbuild.log") as stream:
        assert stream.read() == b"abc" * 5_000_000
    with found.open("files/x") as stream:
        assert stream.read() == b"y"
    with pytest.raises(BadBundle, match=r"has no files/z; it has: files/x, junit.xml, logs/sbuild.log"):
        found.open("files/z")
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == [path.name]
    assert bundle.shelf(tmp_path, path.name) == tmp_path / path.name[:2]


def test_same_build_gives_same_bytes(tmp_path: Path) -> None:
    one = bundle.write(a_build(), {"logs/a": b"1", "files/b": b"2"}, tmp_path / "1")
    raw = tmp_path / "with another time"
    raw.write_bytes(b"1")
    two = bundle.write(a_build(), {"files/b": b"2", "logs/a": raw}, tmp_path / "2")
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()
    other = bundle.write(a_build(number=8), {"files/b": b"2", "logs/a": b"1"}, tmp_path / "1")
    assert other.name != one.name
    with tarfile.open(one) as tar:
        members = tar.getmembers()
    assert [one.name for one in members] == ["build.json", "files/b", "logs/a"]
    assert {(one.mtime, one.uid, one.gid, one.uname, one.gname, one.mode) for one in members} == {(0, 0, 0, "", "", 0o644)}  # fmt: skip
    assert one.read_bytes()[3:8] == bytes(5)  # the name and time of gzip; RFC 1952


def test_failing_scan_leaves_no_file(tmp_path: Path) -> None:
    seen = []

    def scan(stream: bundle.Readable) -> None:
        seen.append(stream.read(1 << 20))
        raise ConfigurationError("no")

    with pytest.raises(ConfigurationError, match="no"):
        bundle.write(a_build(), {"logs/a": b"content"}, tmp_path / "new", scan=scan)
    assert b"content" in seen[0]
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/x", "logs/../x", "logs", "x", "logs//x", "logs/\n", "logs/a\\b", "build.json/x", "é"])  # fmt: skip
def test_write_refuses_invalid_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadBundle, match="is not an allowed name"):
        bundle.write(a_build(), {name: b""}, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def member(name: str, size: int = 0, **fields: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size = size
    for key, value in fields.items():
        setattr(made, key, value)
    return made


JSON = a_build().model_dump_json(by_alias=True).encode()


def hostile(*members: tuple[tarfile.TarInfo, bytes], build: bytes | None = JSON) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for one, content in [*([(member("build.json", len(build)), build)] if build else []), *members]:
            tar.addfile(one, io.BytesIO(content))
    return gzip.compress(out.getvalue())


def put(home: Path, raw: bytes) -> Path:
    path = home / f"{hashlib.sha256(raw).hexdigest()}.tar.gz"
    path.write_bytes(raw)
    return path


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "up": (lambda: hostile((member("../x", 1), b"x")), r"'\.\./x': is not an allowed name"),
    "absolute": (lambda: hostile((member("/etc/x", 1), b"x")), "is not an allowed name"),
    "up inside": (lambda: hostile((member("logs/../../x", 1), b"x")), "is not an allowed name"),
    "odd name": (lambda: hostile((member("logs/\x1b[2J", 1), b"x")), r"logs/\\x1b\[2J': is not an allowed name"),
    "symbolic link": (lambda: hostile((member("logs/x", type=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")), "is not a plain file"),
    "hard link": (lambda: hostile((member("logs/x", type=tarfile.LNKTYPE, linkname="build.json"), b"")), "is not a plain file"),
    "device": (lambda: hostile((member("logs/x", type=tarfile.CHRTYPE), b"")), "is not a plain file"),
    "pipe": (lambda: hostile((member("logs/x", type=tarfile.FIFOTYPE), b"")), "is not a plain file"),
    "directory": (lambda: hostile((member("logs/x", type=tarfile.DIRTYPE), b"")), "is not a plain file"),
    "contiguous": (lambda: hostile((member("logs/x", 1, type=tarfile.CONTTYPE), b"x")), "is not a plain file"),
    "twice": (lambda: hostile((member("logs/x", 1), b"x"), (member("logs/x", 1), b"y")), "is a duplicate"),
    "second build": (lambda: hostile((member("build.json", len(JSON)), JSON)), "is a duplicate"),
    "many": (lambda: hostile(*((member(f"logs/{n}"), b"") for n in range(1001))), "beyond the limit of 1000 files"),
    "bomb": (lambda: hostile((member("logs/x", 40_000_000), bytes(40_000_000))), "unpacks to more than 32000000 bytes"),
    "no build": (lambda: hostile(build=None), "is not a bundle: it has no build.json"),
    "bad build": (lambda: hostile(build=b'{"schema": 2}'), r"build.json: schema: Input should be 1"),
    "no JSON": (lambda: hostile(build=b"<x/>"), "build.json: : Invalid JSON"),
    "no tar": (lambda: gzip.compress(b"x" * 2000), "is not a bundle"),
    "no gzip": (lambda: b"hello", "is not a bundle"),
    "cut": (lambda: hostile((member("logs/x", 9), b"123456789"))[:-30], "is not a bundle"),
    "a flipped bit": (lambda: bytearray(hostile())[:-6] + b"\0\0\0\0\0\0", "is not a bundle"),
    "empty": (lambda: b"", "is not a bundle"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_read_refuses_hostile_bundle_with_one_line(tmp_path: Path, kind: str) -> None:
    make, message = HOSTILE[kind]
    with pytest.raises(BadBundle, match=message) as caught:
        bundle.read(put(tmp_path, bytes(make())))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"home", caught.value.args[0].split(":")[0].rpartition("/")[2]}


def test_read_verifies_digest_in_name(tmp_path: Path) -> None:
    good = bundle.write(a_build(), {}, tmp_path)
    other = good.rename(tmp_path / f"{'0' * 64}.tar.gz")
    with pytest.raises(BadBundle, match=f"does not match its name: its SHA-256 is {good.name[:64]}"):
        bundle.read(other)
    with pytest.raises(BadBundle, match="cannot be read: No such file"):
        bundle.read(good)


@pytest.mark.integration
@settings(max_examples=60)
@given(data=st.data())
def test_read_refuses_damage_or_returns_build(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    home = tmp_path_factory.mktemp("damaged")
    raw = bytearray(final_bytes(bundle.write(a_build(), {"logs/a": b"content"}, home)))
    for at in data.draw(st.lists(st.integers(0, 1023), min_size=1, max_size=6)):
        raw[at] = data.draw(st.integers(0, 255))
    try:
        found = bundle.read(put(home, gzip.compress(bytes(raw))))
    except BadBundle:
        return
    assert set(found.sizes) <= {"logs/a"}
