"""``qalab archive migrate`` on directories of indexes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.archive import command as archive_command
from lab.base.errors import ConfigurationError


def package(name: str, version: str, depends: str = "") -> str:
    return f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n{f'Depends: {depends}' if depends else ''}\n\n"


@pytest.fixture
def suites(tmp_path: Path) -> list[str]:
    """A target, a candidate and hints: greet can migrate, app waits for a library, tool is blocked."""
    for name, text in {
        "target/Packages": package("greet", "1") + package("app", "1") + package("tool", "1"),
        "candidate/Packages": package("greet", "2") + package("app", "2", "libx") + package("tool", "2"),
        "hints": "block tool\nunblock tool/3\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return [f"--{name}={tmp_path / name}" for name in ("target", "candidate", "hints")]


def migrate(*argv: str) -> Result:
    result = CliRunner().invoke(archive_command, ["migrate", *argv], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_it_prints_the_new_target(suites: list[str]) -> None:
    result = migrate(*suites)
    assert result.stdout.splitlines() == [
        "app 1 amd64",
        "greet 2 amd64",
        "tool 1 amd64",
        "app 1 source",
        "greet 2 source",
        "tool 1 source",
    ]
    assert result.stderr.splitlines() == [
        "qalab: hints, line 2: unblock tool/3: tool/3 is no item of this migration",
        "qalab: app/2 is held back: app 2 needs libx, which is not there",
        "qalab: tool/2 is held back: hint: block tool",
    ]


def test_it_prints_json(suites: list[str]) -> None:
    data = json.loads(migrate(*suites, "--json").stdout)
    assert [entry["item"] for entry in data["migrated"]] == ["greet/2"]
    assert [(entry["item"], entry["waits_for"]) for entry in data["held"]] == [("app/2", "libx"), ("tool/2", "")]
    assert data["packages"][1] == {"name": "greet", "version": "2", "architecture": "amd64"}


def test_a_base_and_an_age(suites: list[str], tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/Packages").write_text(package("libx", "1"))
    (tmp_path / "dates").write_text("greet 2 2999-01-01\napp 2 2001-01-01\n")
    data = json.loads(
        migrate(*suites, f"--base={tmp_path / 'base'}", f"--dates={tmp_path / 'dates'}", "--min-age=3", "--json").stdout
    )
    assert [entry["item"] for entry in data["migrated"]] == ["app/2"]
    assert "libx" not in {entry["name"] for entry in data["packages"]}


def test_hints_that_are_not_utf_8_are_an_error(suites: list[str], tmp_path: Path) -> None:
    (tmp_path / "hints").write_bytes(b"block tool\n# caf\xe9\n")
    with pytest.raises(ConfigurationError, match=r"hints:2: is not UTF-8"):
        CliRunner().invoke(archive_command, ["migrate", *suites], catch_exceptions=False)
