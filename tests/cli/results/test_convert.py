"""``qalab results convert``."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from cli.results import convert
from lab.base import zstd
from lab.base.errors import ConfigurationError, Failed
from lab.results import cases
from reports.formats import compressed, registry
from tests.reports.formats import fixtures

TOO_MANY_BYTES = bytes(compressed.MOST_BYTES + 1)
TAP = fixtures.FORMATS / "tap/perl-short.tap"


def test_convert_to_standard_output() -> None:
    done = CliRunner().invoke(convert.command, ["tap", str(TAP)], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stderr == f"{TAP}: 3 cases: 2 passed, 1 failed\n"
    assert [case.get("name") for case in etree.fromstring(done.stdout_bytes).iter("testcase")] == [
        "first",
        "second",
        "[plan]",
    ]


def test_convert_to_cases(tmp_path: Path) -> None:
    (tmp_path / "a.tap").write_text("1..2\nok 1 - up\nnot ok 2 - fast\n")
    done = CliRunner().invoke(convert.command, ["--cases", "tap", str(tmp_path / "a.tap")], catch_exceptions=False)
    assert [(case.name, case.outcome) for case in cases.parse(done.stdout)] == [("up", "passed"), ("fast", "failed")]


def test_convert_by_content_to_a_file(tmp_path: Path) -> None:
    out = tmp_path / "deep/junit.xml"
    done = CliRunner().invoke(convert.command, ["auto", str(TAP), "-o", str(out)], catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (0, "")
    fixtures.STRICT.assertValid(etree.parse(out))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html></html>", "page.tap is an HTML page, not tap"),
        (b"hello", "page.tap has no line of TAP"),
        (b"\x1f\x8bnonsense", "page.tap cannot be decompressed: "),
    ],
)
def test_unreadable_content_is_converted_and_exits_with_1(content: bytes, message: str, tmp_path: Path) -> None:
    page = tmp_path / "page.tap"
    page.write_bytes(content)
    out = tmp_path / "junit.xml"
    done = CliRunner().invoke(convert.command, ["tap", str(page), str(TAP), "-o", str(out)])
    assert isinstance(done.exception, Failed)
    assert (str(done.exception), done.exception.exit_code) == ("1 result could not be read", 1)
    assert f"{page}: 1 case: 1 error\n" in done.stderr
    assert message.encode() in out.read_bytes()
    assert out.read_bytes().count(b"<testcase") == 4


def zstd_of(content: bytes) -> bytes:
    out = io.BytesIO()
    with zstd.writer(out) as packed:
        packed.write(content)
    return out.getvalue()


COMPRESSED = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstd_of,
    "frames.gz": lambda content: gzip.compress(content[:60]) + gzip.compress(content[60:]),
    "frames.xz": lambda content: lzma.compress(content[:60]) + bytes(8) + lzma.compress(content[60:]),
    "frames.zst": lambda content: zstd_of(content[:60]) + zstd_of(content[60:]),
}


@pytest.mark.parametrize("suffix", COMPRESSED)
@pytest.mark.parametrize("name", ["junit/pytest.xml", "tap/perl-short.tap", "subunit/stestr.v2", "sbuild/greet.log"])
def test_convert_reads_compressed_results(name: str, suffix: str, tmp_path: Path) -> None:
    path = fixtures.FORMATS / name
    packed = tmp_path / f"{path.name}.{suffix.rpartition('.')[2]}"
    packed.write_bytes(COMPRESSED[suffix](path.read_bytes()))
    assert registry.cases("auto", packed) == registry.cases("auto", path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: gzip.compress(b"1..1\nok 1\n", mtime=0)[:-9], "cannot be decompressed"),
        (lambda: lzma.compress(b"1..1\nok 1\n")[:-9], "cannot be decompressed"),
        (lambda: gzip.compress(TOO_MANY_BYTES, 1, mtime=0), "has more than 67,108,864 bytes when it is decompressed"),
        (lambda: lzma.compress(TOO_MANY_BYTES, preset=0), "has more than 67,108,864 bytes"),
    ],
)  # fmt: skip
def test_convert_reports_damaged_or_huge_compressed_results(
    content: Callable[[], bytes], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "result.tap.gz"
    path.write_bytes(content())
    (case,) = registry.cases("auto", path)
    assert (case.name, case.outcome, case.message.startswith(f"result.tap.gz {message}")) == (
        "[unreadable]",
        "error",
        True,
    )


def test_convert_reports_damaged_zstd(tmp_path: Path) -> None:
    path = tmp_path / "result.tap.zst"
    for content in (zstd_of(b"1..1\nok 1\n")[:-3], zstd_of(b"1..1\n") + b"ok 1\n"):
        path.write_bytes(content)
        (case,) = registry.cases("auto", path)
        assert (case.name, case.outcome) == ("[unreadable]", "error")
        assert case.message.startswith("result.tap.zst cannot be decompressed")


def test_convert_directory_and_files(tmp_path: Path) -> None:
    deep = tmp_path / "reports/deep"
    deep.mkdir(parents=True)
    shutil.copy(fixtures.FORMATS / "junit/surefire.xml", deep / "TEST-greet.xml")
    shutil.copy(TAP, tmp_path / "reports/a.tap")
    (deep / "notes.txt").write_text("hello")
    argv = [str(tmp_path / "reports"), str(TAP)]
    done = CliRunner().invoke(convert.command, ["auto", *argv], catch_exceptions=False)
    lines = done.stderr.splitlines()
    assert lines[0] == f"{deep}/notes.txt: not read: it is of no known format"
    assert [line.partition(":")[0] for line in lines[1:]] == [
        f"{tmp_path}/reports/a.tap",
        f"{deep}/TEST-greet.xml",
        str(TAP),
    ]
    only = CliRunner().invoke(convert.command, ["tap", argv[0]], catch_exceptions=False)
    assert only.stdout_bytes.count(b"<testcase") == 3
    with pytest.raises(ConfigurationError, match="has no file of this format"):
        CliRunner().invoke(convert.command, ["lintian", argv[0]], catch_exceptions=False)


def test_convert_reads_autopkgtest_directory_once() -> None:
    argv = ["auto", str(fixtures.FORMATS / "autopkgtest/trixie-badpkg")]
    done = CliRunner().invoke(convert.command, argv, catch_exceptions=False)
    assert done.stdout_bytes.count(b"<testcase") == 2


def test_convert_missing_file_error_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        CliRunner().invoke(convert.command, ["tap", str(tmp_path / "x")], catch_exceptions=False)
    assert "'gtester' is not one of" in CliRunner().invoke(convert.command, ["gtester", str(TAP)]).stderr
