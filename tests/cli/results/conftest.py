"""Shared by the tests of ``qalab results``: a lab that publishes, a log with secrets, a call of a command."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from lab.config.description import Lab
from tests.reports.publications import SECRET, lab_that_publishes

LOG = f"""\
nothing here
export OS_PASSWORD=hunter2 on 10.0.1.2
\x1b]0;title\x07plain
{SECRET} and {SECRET}
-----BEGIN RSA PRIVATE KEY-----
MIIE
-----END RSA PRIVATE KEY-----
\x1b[31mred\x1b[0m
"""


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    monkeypatch.setenv("CLOUD_SECRET", SECRET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platform, "node", lambda: "agent-7")
    return lab_that_publishes(lab_factory, secrets=[{"name": "cloud", "env": "CLOUD_SECRET"}])


def call(verb: click.Command, *arguments: str, **options: str) -> Result:
    done = CliRunner().invoke(verb, arguments, catch_exceptions=True, **options)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done
