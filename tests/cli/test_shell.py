"""``qalab shell`` without a chroot: calls that it refuses before it creates one, and its commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from debian.deb822 import Deb822

from cli.main import cli
from lab.base.errors import ConfigurationError
from lab.base.run import run_attached
from lab.config.components import BuildSettings
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.chroots import build_shell
from scripts.chroots.build_shell import Wish
from tests import fakes
from tests.conftest import Bench


@pytest.mark.parametrize(
    "phase, run, message",
    [
        ("build", "trunk/greet/1", "has no source package (the step source makes one)"),
        ("deploy", "trunk/greet/1", "is no build (qalab env shell opens a shell on a deployment)"),
        ("build", "trunk/greet/9", "no run trunk/greet/9; the last ones: trunk/greet/1"),
    ],
)
def test_shell_refuses_run_without_build(  # noqa: PLR0917 - a table
    lab_factory: Callable[..., Lab],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    phase: str,
    run: str,
    message: str,
) -> None:
    fakes.install(tmp_path, monkeypatch)
    lab = lab_factory(track={"phases": ["build", "deploy"]})
    Store.of(lab).new_run(lab, "trunk", "greet", phase=phase)  # type: ignore[arg-type] # a table
    result = CliRunner().invoke(cli, ["shell", run, "--lab", str(lab.file)])
    assert isinstance(result.exception, ConfigurationError)
    assert message in str(result.exception)


@pytest.mark.parametrize(
    "wish, expected",
    [
        (Wish(), ("exec setpriv --reuid sbuild --regid sbuild --init-groups -- env HOME=/tmp USER=sbuild LOGNAME=sbuild "
                 "TERM=dumb 'DEB_BUILD_OPTIONS=nocheck parallel=2' bash -i\n")),
        (Wish(("echo", "a b"), as_root=True), ("exec env HOME=/tmp USER=root LOGNAME=root TERM=dumb "
                                              "'DEB_BUILD_OPTIONS=nocheck parallel=2' echo 'a b'\n")),
    ],
)  # fmt: skip
def test_shell_script_of_build_user(monkeypatch: pytest.MonkeyPatch, wish: Wish, expected: str) -> None:
    monkeypatch.delenv("TERM", raising=False)
    assert wish.script(BuildSettings(options=("nocheck", "parallel=2"))).endswith(expected)


@pytest.mark.parametrize(
    "version, tree",
    [
        ("1.0", "greet-1.0"),
        ("1:2.0", "greet-2.0"),
        ("1:2.0-1", "greet-2.0"),
        ("1.0-a-1", "greet-1.0-a"),
    ],
)
def test_shell_unpacks_source_as_sbuild_does(tmp_path: Path, version: str, tree: str) -> None:
    dsc = tmp_path / "greet.dsc"
    dsc.write_text(Deb822({"Source": "greet", "Version": version}).dump() or "")
    assert f"--extract greet.dsc {tree}\n" in build_shell.prepare_script(dsc, "true\n")


def test_run_attached_returns_status_of_program(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_attached(["sh", "-c", "echo out; echo err >&2; exit 7"]).returncode == 7
    assert capfd.readouterr() == ("out\n", "err\n")


def test_run_keep_is_recorded(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> None:
    place = bench(lab_factory())
    for step in place.run.steps:
        place.pretend(step)
    argv = ["run", "--run", place.run.id, "--keep", "--lab", str(place.lab.file)]
    assert CliRunner().invoke(cli, argv).exit_code == 0
    assert Store.of(place.lab).runs()[0].info.keep_chroot
