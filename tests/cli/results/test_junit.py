"""``qalab results junit``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner

from cli.results import junit
from lab.config.description import Lab
from tests.conftest import Bench


@pytest.mark.parametrize("how", ["here", "directory", "name"])
def test_junit_of_a_run(
    how: str, bench: Callable[..., Bench], lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = bench(lab_factory())
    ran.pretend("snapshot")
    monkeypatch.chdir(ran.run.path)
    argv = {"here": [], "directory": [str(ran.run.path)], "name": ["trunk/greet/1"]}[how]
    done = CliRunner().invoke(junit.command, argv, catch_exceptions=False)
    assert done.exit_code == 0
    assert (ran.run.results / "junit.xml").read_bytes().count(b"<testcase") == 1
