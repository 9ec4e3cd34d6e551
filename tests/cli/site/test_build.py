"""``qalab site build``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.site import command as site
from lab.config.description import Lab
from lab.store.runs import Store
from reports.site import identity
from tests.reports.site.crawl import crawl
from tests.reports.site.worlds import World, write_bundles


def run(*argv: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(site, list(map(str, argv)), catch_exceptions=False)
    assert done.exit_code == code
    return done.output


@pytest.mark.integration
def test_site_build(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab = lab_factory(lab={"public": {"site_url": "https://qa.lab.example/site"}})
    argv = ["build", "--lab", str(tmp_path / "lab.yaml")]
    store = Store.of(lab).root
    home = store / "site/current"
    assert run(*argv).startswith(f"{home}: rebuilt: builds added: 0, files written: ")
    paths = write_bundles(World(4, components=2, tracks=1, tests=5), store / "bundles")
    (paths[0].parent / f"{'0' * 64}.tar.gz").write_bytes(b"no bundle")
    output = run(*argv, code=2)
    assert "updated: builds added: 4" in output
    assert f"left out: {paths[0].parent / ('0' * 64)}.tar.gz: does not match its name" in output
    assert [problem for problem in crawl(home).problems if "https://qa.lab.example/site/" not in problem] == []
    (paths[0].parent / f"{'0' * 64}.tar.gz").unlink()
    elsewhere = tmp_path / "elsewhere"
    assert "rebuilt: builds added: 4" in run(*argv, "--out", elsewhere)
    assert "rebuilt: builds added: 4" in run(*argv, "--out", elsewhere, "--rebuild")
    assert (elsewhere / "current/index.html").is_file()


@pytest.mark.parametrize(
    "public, url",
    [({}, ""), ({"public": {"site_url": "https://qa.example"}}, "https://qa.example/")],
)
def test_site_identity_of_lab(lab_factory: Callable[..., Lab], public: dict[str, object], url: str) -> None:
    assert identity(lab_factory(lab=public)).url == url
