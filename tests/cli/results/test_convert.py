"""``qalab results convert``."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from cli.results import convert
from lab.base.errors import ConfigurationError
from tests.reports.formats import fixtures

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


def test_convert_by_content_to_a_file(tmp_path: Path) -> None:
    out = tmp_path / "deep/junit.xml"
    done = CliRunner().invoke(convert.command, ["auto", str(TAP), "-o", str(out)], catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (0, "")
    fixtures.STRICT.assertValid(etree.parse(out))


def test_what_cannot_be_read_is_converted_too(tmp_path: Path) -> None:
    page = tmp_path / "page.tap"
    page.write_text("<html></html>")
    done = CliRunner().invoke(convert.command, ["tap", str(page)], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, f"{page}: 1 case: 1 error\n")
    assert b"page.tap is an HTML page, not tap" in done.stdout_bytes


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        CliRunner().invoke(convert.command, ["tap", str(tmp_path / "x")], catch_exceptions=False)
    assert "'trx' is not one of" in CliRunner().invoke(convert.command, ["trx", str(TAP)]).stderr
