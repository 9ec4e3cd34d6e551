"""The Debian package of qalab: qalab builds it from its own history, and it is complete on a clean machine."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lab.base import resources
from lab.config.description import Lab
from lab.config.loading import load
from lab.store.runs import Store
from scripts.chroots.installed_command import run_installed
from scripts.demo import demo
from scripts.demo.examples import QALAB
from tests.conftest import packaging_files

pytestmark = pytest.mark.full  # downloads 50 MB of wheels, builds and deploys: ten minutes

# Two repositories, then a lab of them; what a new user does, in the clean system that has the package.
MAKE = """\
import json, pathlib, subprocess, sys
for name, files in json.load(sys.stdin).items():
    for path, text in files.items():
        file = pathlib.Path(name, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for argv in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Start"], ["tag", "v1.0"]):
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@upstream.example"]
        subprocess.run(["git", "-C", name, *identity, *argv], check=True)
"""
USE = """\
cd "$(mktemp -d)"
export HOME="$PWD/home" LANG=C.UTF-8
mkdir home empty
printf %s {repositories} | python3 -c {make}
qalab --version
(cd empty && ! qalab check 2> error && cat error)
qalab init lab > /dev/null
cd lab
qalab check
sed -i "s|^  hello:|  greet:|
  s|upstream: {{.*}}|upstream: {{git: $PWD/../upstream, branch: main}}|
  s|packaging: {{.*}}|packaging: {{git: $PWD/../packaging, branch: main}}|" lab.yaml
qalab jenkins generate > /dev/null
qalab check
qalab run trunk greet --until source
zgrep 'SS "qalab jenkins plan"' /usr/share/man/man1/qalab.1.gz
ls /usr/share/bash-completion/completions/qalab /usr/share/zsh/vendor-completions/_qalab \\
  /usr/share/fish/vendor_completions.d/qalab.fish
"""


@pytest.fixture(scope="module")
def demonstrated(session_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the state home of ``qalab demo --component qalab`` and the output of the demo."""
    state = tmp_path_factory.mktemp("qalab")
    env = os.environ | {"XDG_CACHE_HOME": str(session_cache), "XDG_STATE_HOME": str(state)}
    argv = [sys.executable, resources.path("qalab.py"), "demo", "--component", "qalab"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return state, done.stdout


@pytest.fixture
def lab(demonstrated: tuple[Path, str], shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The demo's lab, which has the package in its archive."""
    state, _ = demonstrated
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    return load(state / "qalab/demo-qalab/lab.yaml")


def test_qalab_builds_and_deploys_its_own_package(lab: Lab, demonstrated: tuple[Path, str]) -> None:
    """lintian reports no error, and a pristine container runs ``qalab check`` and ``qalab --version``."""
    _, printed = demonstrated
    build, *others = sorted(Store.of(lab).runs(), key=lambda run: run.info.started)
    assert [run.info.phase for run in (build, *others)] == ["build", "test", "deploy", "exercise"]
    assert {run.verdict for run in (build, *others)} == {"passed"}, printed
    lintian = build.record("lintian")
    assert lintian
    assert "error" not in lintian.message
    shown = printed.partition("qalab --version")[2]
    assert re.search(r"^jobs: valid: [0-9]+ jobs, .*\n" + re.escape(QALAB.prints) + "$", shown, re.MULTILINE), printed


def test_package_is_a_complete_command(lab: Lab, tmp_path: Path) -> None:
    repositories = json.dumps({"upstream": {"greet.txt": "hello\n"}, "packaging": packaging_files()})
    script = USE.format(repositories=shlex.quote(repositories), make=shlex.quote(MAKE))
    with (tmp_path / "log").open("w") as log:
        printed = run_installed(lab, demo.TRACK, "qalab", ["sh", "-euc", script], log)
    assert printed.startswith(QALAB.prints)
    assert "qalab: " in printed  # check in an empty directory is an error
    assert re.search(r"^jobs: valid: [0-9]+ jobs, ", printed, re.MULTILINE)
    assert re.search(r"source +.* passed", printed)
    assert '.SS "qalab jenkins plan"' in printed
    assert printed.splitlines()[-3:] == [
        "/usr/share/bash-completion/completions/qalab",
        "/usr/share/fish/vendor_completions.d/qalab.fish",
        "/usr/share/zsh/vendor-completions/_qalab",
    ]
