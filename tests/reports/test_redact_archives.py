"""Binary artifacts: scanned within limits, or omitted with a reason."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import random
import re
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.base import zstd
from reports.redact import redactor
from reports.redact.screen import Screen
from tests.reports.archived import texts_in
from tests.reports.publications import SECRET, Press, a_publication

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def zstd_of(content: bytes) -> bytes:
    out = io.BytesIO()
    with zstd.writer(out) as packed:
        packed.write(content)
    return out.getvalue()


def an_ar(members: Mapping[str, bytes]) -> bytes:
    """Return an ar archive, as deb(5) describes it."""
    packed = b"!<arch>\n"
    for name, content in members.items():
        header = f"{name:16}{'1700000000':12}{'0':6}{'0':6}{'100644':8}{len(content):<10}`\n"
        packed += header.encode() + content + b"\n" * (len(content) % 2)
    return packed


@pytest.fixture
def ready(tmp_path: Path) -> Press:
    return Press(tmp_path, a_publication())


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def a_tar(files: Mapping[str, bytes], *others: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            tar.addfile(member(name, size=len(content)), io.BytesIO(content))
        for other in others:
            tar.addfile(other)
    return out.getvalue()


def a_zip(files: Mapping[str, bytes], *, link: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o120777 if link else 0o100644) << 16
            archive.writestr(info, content)
    return out.getvalue()


GOOD = {"a.txt": b"good\n" * 1000, "sub/b.txt": b"\xff\xfe binary"}
BAD = {"a.txt": b"good\n", "b.txt": f"it is {SECRET}!\n".encode()}
LATE = random.Random(1).randbytes(1_400_000)


def nested(levels: int) -> bytes:
    content = b"good\n"
    for _ in range(levels):
        content = a_zip({"in.zip": content})
    return content


@pytest.mark.parametrize(
    "content",
    [
        a_tar(GOOD),
        a_tar(GOOD, member("d", type=tarfile.DIRTYPE)),
        gzip.compress(a_tar(GOOD), mtime=0),
        bz2.compress(a_tar(GOOD)),
        lzma.compress(a_tar(GOOD), preset=0),
        gzip.compress(b"a log\n", mtime=0),
        a_zip(GOOD),
        a_tar({"in.bin": gzip.compress(b"x", mtime=0)}),
        gzip.compress(a_tar({"in.tar": a_tar(GOOD)}), mtime=0),
        gzip.compress(gzip.compress(b"x", mtime=0), mtime=0),
        a_zip({"in.zip": a_zip(GOOD)}),
        a_tar({"empty": b"", "latin-1": "caf\xe9\n".encode("latin-1"), "utf-16": "good\n".encode("utf-16")}),
        a_tar({"PK.txt": b"PK is a text\n", "minified.js": b"x" * 60_000}),
    ],
    ids=[
        "tar",
        "tar, a directory",
        "tar.gz",
        "tar.bz2",
        "tar.xz",
        "gz",
        "zip",
        "tar, a gz",
        "tar.gz, a tar",
        "gz, a gz",
        "zip, a zip",
        "tar, encodings",
        "tar, odd texts",
    ],
)
def test_clean_archive_is_published_unchanged(ready: Press, content: bytes) -> None:
    found, shown = ready.artifact("x.bin", content)
    assert shown == content
    assert found.build.notes == ()


HIDES = "contains something that must not be public"


@pytest.mark.integration
@pytest.mark.parametrize(
    "content, why",
    [
        (lzma.compress(a_tar({**GOOD, "late": LATE + SECRET.encode()}), preset=0), HIDES),
        (bz2.compress(f"\0\1{SECRET}".encode()), HIDES),
        (a_tar({"utf-16": LATE[:5000] + SECRET.encode("utf-16-le")}), HIDES),
        (a_zip({"a": b"x"}) + SECRET.encode(), "has data after its end"),
        (a_zip({"a": b"x"}) + b"password=hunter2", "has data after its end"),
        (a_tar(GOOD) + b"password=hunter2", "has data after its end"),
        (gzip.compress(a_tar(GOOD), mtime=0) + gzip.compress(SECRET.encode(), mtime=0), "has data after its end"),
        (gzip.compress(a_tar(GOOD), mtime=0)[:-9], "is truncated"),
        (lzma.compress(a_tar(GOOD), preset=0)[:-40], "is truncated"),
        (nested(5), "contains archives in more than 4 levels"),
        (a_tar({"x.deb": b"!<arch>\ndebian-binary \0"}), "contains an archive that cannot be opened"),
        (a_zip({"x.7z": b"7z\xbc\xaf\0"}), "contains an archive that cannot be opened"),
        (b"!<arch>\n" + b"/".ljust(58) + b"`\n\0", "contains an archive that cannot be opened"),
        (an_ar({"a": b"\0\1\2\3"})[:-3], "is truncated"),
        (an_ar({"10.0.1.2": b"\0"}), HIDES),
        (a_tar({"bad.gz": b"\x1f\x8b\xff is no gzip"}), r"cannot be scanned \(error\)"),
        (a_tar(GOOD, member("l", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "contains links or devices"),
        (a_tar(GOOD, member("l", type=tarfile.LNKTYPE, linkname="a.txt")), "contains links or devices"),
        (a_tar(GOOD, member("d", type=tarfile.CHRTYPE, devmajor=1, devminor=3)), "contains links or devices"),
        (a_zip({"l": b"/etc/passwd"}, link=True), "contains links or devices"),
        (gzip.compress(bytes(2_000_000), mtime=0), "unpacks to too many bytes"),
        (lzma.compress(bytes(2_000_000), preset=0), "unpacks to too many bytes"),
        (a_zip({"bomb": bytes(2_000_000)}), "unpacks to too many bytes"),
        (gzip.compress(a_tar({f"{number}": b"" for number in range(1001)}), mtime=0), "has more than 1000 files"),
        (a_zip({f"{number}": b"" for number in range(1001)}), "has more than 1000 files"),
        (b"PK\3\4\0 is no zip", r"cannot be scanned \(BadZipFile\)"),
        (b"\x1f\x8b is no gzip", r"cannot be scanned \(error\)"),
        (PNG, "is neither text nor an archive that can be scanned"),
        (b"!<arch>\n\0", "contains an archive that cannot be opened"),
    ],
)
def test_unfit_artifact_is_omitted_with_reason(ready: Press, content: bytes, why: str) -> None:
    found, shown = ready.artifact("x.bin", content)
    assert shown is None
    assert found.build.files[0].path == ""
    (note,) = found.build.notes
    assert re.fullmatch(f"files/x.bin: not published: it {why}", note)


def test_zstd_is_unfit_when_it_is_damaged_or_too_large(ready: Press) -> None:
    for content, why in (
        (zstd_of(b"good\n" * 1000)[:-3] + b"zzz", r"cannot be scanned \(DamagedFrame\)"),
        (zstd_of(b"good\n")[:-3], "is truncated"),
        (zstd_of(b"good\n") + SECRET.encode(), "has data after its end"),
        (zstd_of(bytes(2_000_000)), "unpacks to too many bytes"),
        (zstd_of(f"\0\1{SECRET}".encode()), HIDES),
    ):
        found, shown = ready.artifact("x.zst", content)
        assert shown is None
        assert re.fullmatch(f"files/x.zst: not published: it {why}", found.build.notes[0])


def test_clean_package_of_ubuntu_is_published_unchanged(ready: Press) -> None:
    content = an_ar({"debian-binary": b"2.0\n", "data.tar.zst": zstd_of(a_tar({"usr/bin/x": b"\x7fELF\0"}))})
    found, shown = ready.artifact("x.deb", content)
    assert (shown, found.build.notes) == (content, ())


PASSWORD = "hunter2hunter2"
TEXTS = {  # what a text in an archive hides
    "password": f"export OS_PASSWORD={PASSWORD}\n".encode(),
    "a table": f"| adminPass | {PASSWORD} |\n".encode(),
    "a URL": f"connection = mysql://k:{PASSWORD}@h/k\n".encode(),
    "an address": b"on 10.0.1.2\n",
    "a home": b"in /home/jsmith/x\n",
    "a mail address": b"by jsmith@firm.example\n",
    "a known secret": SECRET.encode(),
    "a token": b"ghp_" + b"a1" * 18,
    "a token in base64": base64.b64encode(b"ghp_" + b"a1" * 18),
    "a token in UTF-16": ("ghp_" + "a1" * 18).encode("utf-16"),
    "UTF-16 without a mark": f"password={PASSWORD}\n".encode("utf-16-le"),
    "Latin-1": f"caf\xe9 password={PASSWORD}\n".encode("latin-1"),
    "a long line": b"x" * 50_000 + f" password={PASSWORD} ".encode() + b"y" * 100_000,
    "a private key": b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n",
}
PRIVATE = [
    PASSWORD,
    SECRET,
    "10.0.1.2",
    "jsmith",
    "a1" * 18,
    base64.b64encode(b"ghp_" + b"a1" * 18).decode()[8:40],
    "MIIE",
]


@pytest.mark.integration
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    "pack",
    [
        lambda text: gzip.compress(text, mtime=0),
        lambda text: a_tar({"keep.txt": b"kept\n", "etc/x.conf": text}),
        lambda text: lzma.compress(a_tar({"keep.txt": b"kept\n", "x": text})),
        lambda text: a_zip({"keep.txt": b"kept\n", "x": text}),
        lambda text: bz2.compress(a_tar({"keep.txt": b"kept\n", "in.zip": a_zip({"x.gz": gzip.compress(text)})})),
        zstd_of,
        lambda text: zstd_of(a_tar({"keep.txt": b"kept\n", "x": text})),
        lambda text: an_ar({"debian-binary": b"kept\n", "data.tar.zst": zstd_of(a_tar({"usr/share/x": text}))}),
    ],
    ids=["gz", "tar", "tar.xz", "zip", "gz in zip in tar.bz2", "zst", "tar.zst", "deb with zstd"],
)
def test_archive_is_packed_again_without_what_it_hides(
    ready: Press, text: bytes, pack: Callable[[bytes], bytes]
) -> None:
    content = pack(text)
    found, shown = ready.artifact("x.bin", content)
    assert shown is not None
    inside = b"\n".join(texts_in(shown)).replace(b"\0", b"").decode("utf-8", "replace")
    assert [private for private in PRIVATE if private in inside] == []
    assert ("kept" in inside) == (b"kept" in b"".join(texts_in(content)))
    (note,) = found.build.notes
    assert re.fullmatch(r"files/x\.bin: changed: \d+ lines and names in it were redacted", note)
    again, same = ready.artifact("x.bin", shown)
    assert same == shown
    assert again.build.notes == ()


def with_name(name: str) -> bytes:
    """Return a gzip file with a file's name in its header."""
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=out, mtime=0) as packed:
        packed.write(b"good\n")
    return out.getvalue()


def with_comment(comment: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"good\n")
        archive.comment = comment.encode()
    return out.getvalue()


@pytest.mark.parametrize("private", ["ghp_" + "a1" * 18, "jsmith@firm.example", f"password={PASSWORD}"])
@pytest.mark.parametrize(
    "pack",
    [
        with_name,
        with_comment,
        lambda name: a_tar({name: b"good\n"}),
        lambda name: a_zip({name: b"good\n"}),
        lambda name: a_tar({}, member("d", type=tarfile.DIRTYPE, uname=name[:31])),
        lambda name: a_tar({}, member("d", type=tarfile.DIRTYPE, pax_headers={"comment": name})),
    ],
    ids=["name of gzip", "comment of zip", "name in tar", "name in zip", "owner in tar", "comment in tar"],
)
def test_metadata_of_archive_hides_nothing(ready: Press, private: str, pack: Callable[[str], bytes]) -> None:
    """A token in the header of one file changes this file, and does not hold back the build."""
    found, shown = ready.artifact("x.bin", pack(private))
    assert shown is not None
    inside = b"\n".join(texts_in(shown)).decode("utf-8", "replace")
    assert not any(word in inside for word in ("a1" * 14, "jsmith", PASSWORD))
    assert found.build.files[0].path


def test_members_share_the_search_for_the_rules(ready: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(redactor, "Screen", lambda rules: made.append(rules) or Screen(rules))
    content = a_tar({f"{number}.txt": b"password=hunter2hunter2\n" for number in range(20)})
    _, shown = ready.artifact("x.tar", content)
    assert b"hunter2" not in (shown or b"")
    assert len(made) <= 3  # of any text, of identities, and of long lines
