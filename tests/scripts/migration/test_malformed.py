"""Indexes and hints with mistakes: one line that says where and what, and what apt reads is accepted."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.archive import command as archive_command
from scripts.migration import fields, indexes

GREET = "Package: greet\nVersion: 1\nArchitecture: amd64\n"
BASE = "Package: base\nVersion: 1\nArchitecture: amd64\n"
UNREADABLE = "Packages: greet 1: {}: apt cannot read '{}' (right is NAME or NAME (>= VERSION), with"


def with_field(field: str) -> bytes:
    return f"{BASE}\n{GREET}{field}\n\n".encode()


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("Packages", with_field("Version: 1 beta"), "Packages: paragraph 2, Package: 'greet' Version: '1 beta': the Version"),
        ("Packages", with_field("Version: 1/2"), "right are letters, digits and . + - : ~ _, a letter or a digit first"),
        ("Packages", with_field("Version: :1"), "the Version is malformed"),
        ("Packages", with_field("Version: 1é"), "the Version is malformed"),
        ("Packages", with_field("Version:"), "paragraph 2 has no field Version; it begins with 'Package: greet'"),
        ("Packages", f"{BASE}\nVersion: 1\n".encode(), "paragraph 2 has no field Package; it begins with 'Version: 1'"),
        ("Packages", with_field("Package: gre et"), "the Package is malformed (right are letters, digits and + - . _"),
        ("Packages", with_field("Package: gre\x07et"), r"Package: 'gre\x07et' Version: '1'"),
        ("Packages", with_field("Architecture: am d64"), "greet 1: Architecture: am d64 (right is one architecture, or all)"),
        ("Packages", with_field("Architecture: linux-any"), "greet 1: Architecture: linux-any"),
        ("Packages", with_field("Depends: base (>= 1"), UNREADABLE.format("Depends", "base (>= 1")),
        ("Packages", with_field("Depends: base, base base"), UNREADABLE.format("Depends", "base base")),
        ("Packages", with_field("Depends: base,, base"), UNREADABLE.format("Depends", "")),
        ("Packages", with_field("Pre-Depends: | base"), UNREADABLE.format("Pre-Depends", "")),
        ("Packages", with_field("Depends: base (1)"), UNREADABLE.format("Depends", "base (1)")),
        ("Packages", with_field("Depends: base (>= )"), UNREADABLE.format("Depends", "base (>= )")),
        ("Packages", with_field("Depends: base [amd64]"), UNREADABLE.format("Depends", "base [amd64]")),
        ("Packages", with_field("Provides: x (= 1"), UNREADABLE.format("Provides", "x (= 1")),
        ("Packages", with_field("Conflicts: x (= 1"), UNREADABLE.format("Conflicts", "x (= 1")),
        ("Packages", b"\xef\xbb\xbf" + GREET.encode(), "paragraph 1 has no field Package"),
        ("Packages.xz", lzma.compress(GREET.encode())[:-9], "Packages.xz: cannot be read: "),
        ("Packages.gz", gzip.compress(GREET.encode(), mtime=0)[:14] + b"\xff" * 40, "Packages.gz: cannot be read: "),
        ("Packages.bz2", b"", "there is no Packages file, plain or .xz or .gz"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_status_2(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    for home, content in (("target", GREET.encode()), ("candidate", data)):
        path = tmp_path / home / (name if home == "candidate" else "Packages")
        path.parent.mkdir()
        path.write_bytes(content)
    argv = ["migrate", f"--target={tmp_path / 'target'}", f"--candidate={tmp_path / 'candidate'}"]
    result = CliRunner().invoke(archive_command, argv)
    assert getattr(result.exception, "exit_code", None) == 2, result.exception
    assert message in str(result.exception)
    assert str(result.exception).startswith(str(tmp_path / "candidate"))
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize("version", ["1_beta", "1:2:3", "a:1", "1-", "99999999999:1", "1:"])
def test_a_version_that_apt_reads_is_ordered(tmp_path: Path, version: str) -> None:
    (tmp_path / "Packages").write_text(f"{GREET}\n{GREET.replace('Version: 1', f'Version: {version}')}")
    assert indexes.read([tmp_path]).binaries["amd64"]["greet"].version in {"1", version}


def test_lines_that_end_as_on_windows_and_names_of_fields_in_any_case(tmp_path: Path) -> None:
    text = f"{BASE}\n{GREET.replace('Package:', 'package:').replace('Version:', 'Version :')}depends: base\n"
    (tmp_path / "Packages").write_bytes(text.replace("\n", "\r\n").encode())
    found = indexes.read([tmp_path]).binaries["amd64"]
    assert {name: dict(binary.relations) for name, binary in found.items()} == {
        "base": {},
        "greet": {"Depends": "base"},
    }


@pytest.mark.parametrize(
    "field, text, plain",
    [
        ("Depends", "base (>= 1:2-3~x) | b:any,c(<<2),", "base (>= 1:2-3~x) | b:any,c(<<2),"),
        ("Depends", "${misc:Depends}, base", "unreadable--misc-Depends, base"),
        ("Depends", "base (=> 1) | c", "unreadable--base-1 | c"),
        ("Depends", "base (>= 1 2)", "unreadable--base-1-2"),
        ("Depends", "base (< 3), c (> 1)", "base (<= 3), c (>= 1)"),
        ("Depends", "base | ", "base"),
        ("Conflicts", "base | c, d (!= 3)", "base, c"),
        ("Provides", "x (>= 1), y | z, ${t}, w (= 2)", "w (= 2)"),
        ("Provides", "x (>= 1)", ""),
        ("Multi-Arch", "perhaps", ""),
        ("Essential", "maybe", ""),
        ("Essential", "yes", "yes"),
    ],
)
def test_what_dose_does_not_read_is_written_otherwise(field: str, text: str, plain: str) -> None:
    assert fields.plain(field, text) == plain


def test_hints_with_mistakes_are_warnings(tmp_path: Path) -> None:
    for home, version in (("target", "1"), ("candidate", "2")):
        (tmp_path / home).mkdir()
        (tmp_path / home / "Packages").write_text(GREET.replace("Version: 1", f"Version: {version}"))
    (tmp_path / "hints").write_bytes(
        b"block\nunblock greet\nage-days nan greet/2\nage-days -1 greet/2\nage-days inf greet/2\nbleck greet\n"
        b"remove greet/1_/\nallow-uninst ///\nblock-all\n\0\nhint greet/3 beta\n"
    )
    argv = ["migrate", *(f"--{name}={tmp_path / name}" for name in ("target", "candidate", "hints"))]
    result = CliRunner().invoke(archive_command, argv, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["greet 2 amd64", "greet 2 source"]
    assert len([line for line in result.stderr.splitlines() if "hints, line" in line]) == 12
