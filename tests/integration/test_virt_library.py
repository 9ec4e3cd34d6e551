"""qalab-virt-nspawn with autopkgtest's library of several releases, whose functions differ; the testbed is a stand-in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.base import environment, resources
from lab.base.run import run
from lab.config import apt
from lab.config.description import Series
from scripts.archives.private_apt import own_apt

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=["bookworm", "trixie", "forky", "sid"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the library VirtSubproc of a release."""
    home = tmp_path_factory.mktemp(request.param)
    options = own_apt(home, apt.sources(request.param, Series()))
    run(["apt-get", *options, "update", "--error-on=any"])
    run(["apt-get", *options, "download", "autopkgtest"], cwd=home)
    (deb,) = home.glob("autopkgtest_*.deb")
    run(["dpkg-deb", "--extract", deb, home / "unpacked"])
    return home / "unpacked/usr/share/autopkgtest/lib"


def said(library: Path, home: Path, lines: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run the server with some commands; its temporary files are in ``home``."""
    argv = [sys.executable, Path(__file__).with_name("virt_stand_in.py"), library]
    env = environment.clean() | {"PYTHONPATH": str(resources.ROOT), "TMPDIR": str(home)}
    text = "\n".join(lines)
    return subprocess.run(argv, cwd=home, env=env, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_commands_of_a_testbed(library: Path, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("hello\n")
    commands = [
        "capabilities",
        "open",
        f"copydown {tmp_path}/given {tmp_path}/inside",
        f"copyup {tmp_path}/inside {tmp_path}/back",
        "revert",
        "close",
        "quit",
    ]
    done = said(library, tmp_path, [*commands, ""])
    answers = [line.split() for line in done.stdout.splitlines()]
    assert [answer[0] for answer in answers] == ["ok"] * len(commands), done.stdout + done.stderr
    _, capabilities, opened, _, _, reverted, _ = answers
    assert {"isolation-container", "reboot", "revert"} <= {*capabilities}
    assert opened[1:] == reverted[1:]
    assert oct(Path(opened[1]).stat().st_mode)[-3:] == "777"
    assert (tmp_path / "back").read_text() == "hello\n"


@pytest.mark.parametrize(
    "lines",
    [[], ["capabilities", ""], ["open", ""], ["open", "revert", ""], ["open", "close", ""], ["open", "", "", "capab"]],
    ids=["at once", "before a testbed", "with a testbed", "after a revert", "after the testbed", "in a command"],
)
def test_testbed_ends_when_its_caller_is_gone(library: Path, tmp_path: Path, lines: Sequence[str]) -> None:
    done = said(library, tmp_path, lines)
    assert done.returncode == 12, done.stdout + done.stderr
    assert done.stderr.count("cleaned up") == lines.count("open")
    assert "failure: " in done.stderr
