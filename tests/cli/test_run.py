"""``qalab run``: its output, exit codes and files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import cli
from lab.base import files
from lab.config.description import PHASES, Lab
from lab.config.loading import load
from lab.store.archive import STATE_FILE, State
from lab.store.runs import Store
from lab.store.step import EXIT_CODES
from reports import status
from tests.command import HOUSE, qalab
from tests.conftest import Bench

BUILT = ("snapshot", "packaging", "changelog", "source", "sbuild")


@pytest.mark.parametrize(
    "verdicts, until, code",
    [
        ({}, "lintian", 0),
        ({"lintian": "unstable"}, "lintian", 4),
        ({"lintian": "unstable"}, "content", 4),
        ({"content": "unstable"}, "content", 4),
        ({"content": "unstable"}, "lintian", 0),
    ],
)
def test_run_until_step_exits_with_unstable(
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    tmp_path: Path,
    *,
    verdicts: dict[str, Any],
    until: str,
    code: int,
) -> None:
    """Only the steps up to ``--until`` count."""
    done = bench(lab_factory())
    for step in (*BUILT, "lintian", "content"):
        record = done.pretend(step)
        verdict = verdicts.get(step, "passed")
        record.model_copy(update={"verdict": verdict, "exit_code": EXIT_CODES[verdict]}).write(
            done.run.record_path(step)
        )
    argv = ["run", "--run", done.run.id, "--until", until, "--lab", str(tmp_path / "lab.yaml")]
    result = CliRunner().invoke(cli, argv)
    assert (result.exit_code, f"stopped after {until}, as requested" in result.output) == (code, True), result.output


@pytest.fixture
def with_state(lab_factory: Callable[..., Lab]) -> str:
    """A lab that deploys, whose archive has a state; its name."""
    lab = lab_factory(track={"phases": ["build", "deploy"]}, lab={"tracks": {"other": {"series": "bookworm"}}})
    name = "trunk-20260101T000000Z-01234567"
    for suite in (name, "trunk"):
        place = Store.of(lab).archive / "dists" / suite
        place.mkdir(parents=True)
        State(name=name, track="trunk", number=1, created="2026-01-01T00:00:00.000Z", why="").write(place / STATE_FILE)
    return name


@pytest.mark.parametrize("given", ["", "trunk"])
def test_a_state_is_deployed_again(with_state: str, tmp_path: Path, given: str) -> None:
    """The run is of the phase deploy, and names the state; here, the archive has nothing to deploy."""
    argv = ["run", "trunk", "greet", "--state", given or with_state, "--lab", str(tmp_path / "lab.yaml"), "--json"]
    result = CliRunner().invoke(cli, argv)
    (begun,) = Store.of(load(tmp_path / "lab.yaml")).runs()
    assert (begun.info.phase, begun.info.archive) == ("deploy", with_state)
    assert "the lab's archive has no packages of it" in result.output


@pytest.mark.parametrize(
    "argv, message",
    [
        (
            ["trunk", "--state", "trunk-1"],
            "trunk-1 names no state: nothing has been built for it or promoted to it yet, or it is no label",
        ),
        (["other", "greet", "--state", "trunk"], "other deploys no states of the archive"),
        (["trunk", "--resume", "--state", "trunk"], "--state starts a new run"),
        (["trunk", "greet", "--state", ""], "is empty"),
    ],
)
def test_a_state_that_cannot_be_deployed(with_state: str, tmp_path: Path, argv: list[str], message: str) -> None:
    assert with_state
    result = CliRunner().invoke(cli, ["run", *argv, "--lab", str(tmp_path / "lab.yaml")])
    assert result.exit_code != 0
    assert message in f"{result.output} {result.exception}"
    assert Store.of(load(tmp_path / "lab.yaml")).runs() == []


def unread(*argv: str | Path) -> tuple[int, str]:
    """Run a command with a closed standard output; return its exit code and its errors."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, HOUSE / "qalab.py", *argv]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.integration
def test_run_continues_after_closed_output(small_lab: Callable[..., Path]) -> None:
    lab = small_lab()
    assert unread("run", "trunk", "greet", "--lab", lab, "--until", "changelog") == (0, "")
    shown = json.loads(qalab("show", "trunk/greet/1", "--json").stdout)
    assert [step["step"] for step in shown["steps"]] == ["snapshot", "packaging", "changelog"]


@pytest.mark.integration
def test_run_stops_resumes_and_reports(small_lab: Callable[..., Path]) -> None:
    lab = small_lab()
    first = qalab("run", "trunk", "greet", "--lab", lab, "--until", "changelog")
    assert first.returncode == 0, first.stderr
    assert "stopped after changelog, as requested; continue with: qalab run --run trunk/greet/1" in first.stdout

    again = qalab("run", "--resume", "--lab", lab, "--until", "source")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("(kept)") == 3

    printed = json.loads(qalab("status", "--json").stdout)
    assert [(run["id"], run["verdict"], run["step"]) for run in printed] == [("trunk/greet/1", "aborted", "source")]
    assert printed[0]["version"].startswith("1.0+git20260103.1.")
    assert printed[0]["version"].endswith("-0qalab+deb12+1")

    shown = json.loads(qalab("show", "trunk/greet/1", "--json").stdout)
    assert [step["step"] for step in shown["steps"]] == ["snapshot", "packaging", "changelog", "source"]
    assert all(step["schema"] == 1 for step in shown["steps"])
    assert "trunk/greet/1" in qalab("show", "trunk/greet/1").stdout
    assert "dpkg-source" in qalab("log", "trunk/greet/1", "source").stdout
    assert (Path(printed[0]["path"]) / "results/junit.xml").read_bytes().count(b"<testcase") == 4


def test_run_id_of_current_lab_takes_precedence(small_lab: Callable[..., Path], tmp_path: Path) -> None:
    lab = small_lab()
    other = tmp_path / "other.yaml"
    other.write_text(lab.read_text().replace("name: testlab", "name: otherlab"))
    for file in (lab, other):
        assert qalab("run", "trunk", "greet", "--lab", file, "--until", "snapshot").returncode == 0
    assert "is ambiguous; use one of: testlab" in qalab("show", "trunk/greet/1").stderr
    done = qalab("run", "--run", "trunk/greet/1", "--lab", other, "--until", "snapshot")
    assert (done.returncode, "snapshot" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    "component, argv, code, message",
    [
        ({"upstream": {"git": "/nowhere/upstream"}}, [], 3, "/nowhere/upstream: cannot be fetched"),
        ({}, ["--commit", "cafecafecafe"], 2, "cafecafecafe"),
        ({"upstream": {"branch": "old"}}, [], 2, "old"),
        ({"packaging": {"branch": "old"}}, [], 2, "old"),
    ],
    ids=["upstream", "commit", "branch", "packaging branch"],
)
def test_run_input_error_is_one_line(
    small_lab: Callable[..., Path], component: dict[str, object], argv: list[str], code: int, message: str
) -> None:
    done = qalab("run", "trunk", "greet", "--lab", small_lab(component=component), "--until", "packaging", *argv)
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (code, False)
    assert [line for line in done.stdout.splitlines() if message in line and ("error" in line or "failed" in line)]


def test_run_names_package_of_missing_program(
    small_lab: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for directory in (Path("/usr/bin"), Path("/usr/sbin")):
        for path in directory.iterdir():
            if path.name != "dpkg-source" and not (programs / path.name).exists():
                (programs / path.name).symlink_to(path)
    (programs / "dpkg-source").write_text("not for execution")
    monkeypatch.setenv("PATH", str(programs))
    done = qalab("run", "trunk", "greet", "--lab", small_lab(), "--until", "source")
    assert done.returncode == 2
    assert "the program dpkg-source is not on this machine (apt-get install dpkg-dev, or ./qalab setup" in done.stdout


def test_run_with_unwritable_state_is_an_error(
    small_lab: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = small_lab()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file/state"))
    done = qalab("run", "trunk", "greet", "--lab", lab)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith(f"qalab: Not a directory: {tmp_path}/file/state/")
    monkeypatch.setenv("XDG_STATE_HOME", "/sys/qalab")  # nobody, including root, can create a directory there
    done = qalab("run", "trunk", "greet", "--lab", lab)
    assert (done.returncode, done.stderr.count("\n"), "/sys/qalab" in done.stderr) == (3, 1, True)


@pytest.mark.integration
def test_run_makes_reproducible_source_package(small_lab: Callable[..., Path], tmp_path: Path) -> None:
    """The bytes do not depend on the home, time zone, umask or user name."""
    lab, made = small_lab(), []
    for name, umask, zone in (("one", 0o022, "UTC"), ("the other", 0o077, "Asia/Tokyo")):
        home = tmp_path / name
        env = os.environ | {"HOME": str(home), "XDG_STATE_HOME": str(home / "s"), "XDG_CACHE_HOME": str(home / "c")}
        env |= {"TZ": zone, "USER": name, "DEBEMAIL": f"{zone}@b.example", "LANG": "C"}
        home.mkdir()
        (home / ".gitconfig").write_text(f"[user]\nname = {name}\n[core]\nautocrlf = {'true' if umask else 'false'}\n")
        command = [sys.executable, HOUSE / "qalab.py", "run", "trunk", "greet", "--lab", lab, "--until", "source"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, umask=umask)
        assert done.returncode == 0, done.stdout
        out = home / "s/qalab/testlab/runs/trunk/greet/1/out"
        made.append({path.name: files.sha256(path) for path in out.iterdir()})
    assert len(made[0]) == 5  # orig, debian.tar, dsc, changes, buildinfo
    same = {name for name in made[0] if made[0][name] == made[1][name]}
    assert {Path(name).suffix for name in set(made[0]) - same} <= {".buildinfo", ".changes"}, made


@pytest.mark.parametrize("value", ["", " "])
def test_run_refuses_empty_commit(lab_factory: Callable[..., Lab], value: str) -> None:
    lab = lab_factory()
    result = CliRunner().invoke(cli, ["run", "trunk", "greet", "--commit", value, "--lab", str(lab.file)])
    assert result.exit_code == 2
    assert "'--commit': is empty; leave the option out for the default" in result.output
    assert Store.of(lab).runs() == []


def test_run_with_until_reports_stop(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> None:
    done = bench(lab_factory())
    for step in BUILT:
        done.pretend(step, message="done")
    argv = ["run", "--run", done.run.id, "--until", "sbuild", "--lab", str(done.lab.file)]
    assert CliRunner().invoke(cli, argv).exit_code == 0
    found = status.find(done.run.id)
    assert status.summary(found)["message"] == "stopped after sbuild, as requested: done"
    done.pretend("lintian", message="clean")  # a later call was cut short after it
    assert status.summary(status.find(done.run.id))["message"] == "clean"


@pytest.mark.integration
def test_run_of_build_phase_loads_nothing_for_deployments_and_servers() -> None:
    """Each of these takes up to a fifth of a CPU second, in each run."""
    steps = ", ".join(f"scripts.{name}" for name in PHASES["build"])
    unneeded = ("requests", "scripts.deployment.planner", "scripts.roles", "lab.forges.registry")
    code = f"import sys, cli.run, {steps}\nprint(*[name for name in {unneeded} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, check=True).stdout
        == "\n"
    )
