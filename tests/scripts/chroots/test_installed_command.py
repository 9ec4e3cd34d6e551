"""A command of a package, in a chroot of programs that only note their calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab
from scripts.chroots.installed_command import run_installed
from tests import fakes


def test_run_installed_output(lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fakes.install(tmp_path, monkeypatch)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    fake.write("chroot", "#!/bin/sh\necho Hello\n")
    lab = lab_factory(lab={"series": {"bookworm": {"mirror": "http://127.0.0.1:9/debian"}}})
    with Path(os.devnull).open("w") as log:
        assert run_installed(lab, "trunk", "greet", ["greet"], log) == "Hello\n"
