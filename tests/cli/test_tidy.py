"""``qalab tidy``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.archives import kept_packages


def test_tidy_frees_old_runs_but_not_in_dry_run(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab = lab_factory(lab={"runs": {"keep": 1, "keep_days": 1}})
    runs = [Store.of(lab).new_run(lab, "trunk", "greet") for _ in range(3)]
    for run in runs:
        run.write_info(run.info.model_copy(update={"started": "2026-01-01T00:00:00Z"}))
    large = [run.work / "large" for run in runs]
    for path in large:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 5000)

    def tidy(*argv: str) -> str:
        result = CliRunner().invoke(cli, ["tidy", "--lab", str(tmp_path / "lab.yaml"), *argv], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    printed = json.loads(tidy("--dry-run", "--json"))
    assert (printed["dry_run"], sorted(printed["runs"])) == (True, [runs[0].id, runs[1].id])
    assert all(path.exists() for path in large)
    assert "10.0 kB freed" in tidy()
    assert [path.exists() for path in large] == [False, False, True]
    assert all((run.path / "run.json").exists() for run in runs)
    assert tidy() == "0 bytes freed\n"


def test_tidy_bounds_what_is_kept_for_apt(
    lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lab_factory(lab={"runs": {"keep_packages_gb": 0}})
    package = kept_packages.home() / "mirror/pool/greet.deb"
    package.parent.mkdir(parents=True)
    package.write_bytes(b"x" * 5000)
    for words, stays in ((["--dry-run"], True), ([], False)):
        argv = ["tidy", "--lab", str(tmp_path / "lab.yaml"), *words]
        result = CliRunner().invoke(cli, argv, catch_exceptions=False)
        assert "packages for apt: 5.0 kB\n" in result.stdout
        assert package.exists() == stays
