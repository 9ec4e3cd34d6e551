"""Binary artifacts: scanned within limits, or omitted with a reason."""

from __future__ import annotations

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

from lab.config.description import Lab
from tests.reports.publications import SECRET, Press, lab_that_publishes, press

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.fixture
def ready(lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Press:
    monkeypatch.setenv("CLOUD_SECRET", SECRET)
    return press(
        lab_that_publishes(lab_factory, artifacts=["*"], secrets=[{"name": "cloud", "env": "CLOUD_SECRET"}]), tmp_path
    )


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
OTHER_ARCHIVE = {"in.bin": gzip.compress(b"x", mtime=0)}


@pytest.mark.parametrize(
    "content",
    [
        a_tar(GOOD),
        a_tar(GOOD, member("d", type=tarfile.DIRTYPE)),
        gzip.compress(a_tar(GOOD), mtime=0),
        bz2.compress(a_tar(GOOD)),
        lzma.compress(a_tar(GOOD)),
        gzip.compress(b"a log\n", mtime=0),
        a_zip(GOOD),
    ],
    ids=["tar", "tar, a directory", "tar.gz", "tar.bz2", "tar.xz", "gz", "zip"],
)
def test_clean_archive_is_published_unchanged(ready: Press, content: bytes) -> None:
    found, shown = ready.artifact("x.bin", content)
    assert shown == content
    assert found.build.notes == ()


HIDES = "contains something that must not be public"


@pytest.mark.parametrize(
    "content, why",
    [
        (a_tar(BAD), HIDES),
        (gzip.compress(a_tar(BAD), mtime=0), HIDES),
        (lzma.compress(a_tar({**GOOD, "late": LATE + SECRET.encode()})), HIDES),
        (bz2.compress(f"\0{SECRET}".encode()), HIDES),
        (a_zip(BAD), HIDES),
        (a_zip({"a": b"x"}) + SECRET.encode(), HIDES),
        (gzip.compress(a_tar(GOOD), mtime=0) + gzip.compress(SECRET.encode(), mtime=0), "has data after its end"),
        (gzip.compress(a_tar(GOOD), mtime=0)[:-9], "is truncated"),
        (lzma.compress(a_tar(GOOD))[:-40], "is truncated"),
        (a_tar(OTHER_ARCHIVE), "contains an archive"),
        (gzip.compress(a_tar({"in.tar": a_tar(GOOD)}), mtime=0), "contains an archive"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "contains an archive"),
        (a_zip({"in.zip": a_zip(GOOD)}), "contains an archive"),
        (a_tar(GOOD, member("l", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "contains links or devices"),
        (a_tar(GOOD, member("l", type=tarfile.LNKTYPE, linkname="a.txt")), "contains links or devices"),
        (a_tar(GOOD, member("d", type=tarfile.CHRTYPE, devmajor=1, devminor=3)), "contains links or devices"),
        (a_zip({"l": b"/etc/passwd"}, link=True), "contains links or devices"),
        (gzip.compress(bytes(2_000_000), mtime=0), "unpacks to too many bytes"),
        (lzma.compress(bytes(50_000_000)), "unpacks to too many bytes"),
        (a_zip({"bomb": bytes(2_000_000)}), "unpacks to too many bytes"),
        (gzip.compress(a_tar({f"{number}": b"" for number in range(1001)}), mtime=0), "has more than 1000 files"),
        (a_zip({f"{number}": b"" for number in range(1001)}), "has more than 1000 files"),
        (b"PK\3\4\0 is no zip", r"cannot be scanned \(BadZipFile\)"),
        (b"\x1f\x8b is no gzip", r"cannot be scanned \(error\)"),
        (PNG, "is neither text nor an archive that can be scanned"),
        (b"!<arch>\n\0", "is neither text nor an archive that can be scanned"),
        (b"\x28\xb5\x2f\xfd\0", "is neither text nor an archive that can be scanned"),
    ],
)
def test_unfit_artifact_is_omitted_with_reason(ready: Press, content: bytes, why: str) -> None:
    found, shown = ready.artifact("x.bin", content)
    assert shown is None
    assert found.build.files[0].path == ""
    (note,) = found.build.notes
    assert re.fullmatch(f"files/x.bin: not published: it {why}", note)
