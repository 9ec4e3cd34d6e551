"""The command line as its users meet it: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.main import cli
from lab.base import files
from lab.config.description import Lab
from scripts.registry import STEPS
from tests.command import HOUSE, qalab
from tests.conftest import GitRepository, packaging_files


@pytest.fixture
def small_lab(
    lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository], tmp_path: Path
) -> Callable[..., Path]:
    """``small_lab(component={...})``: a lab with a real upstream and packaging repository; its file."""
    upstream, packaging = git_repository("upstream"), git_repository("packaging")
    upstream.commit("Start", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    upstream.commit("Greet the world", {"greet.txt": "hello world\n"})
    packaging.commit("Package it", packaging_files())

    def make(**parts: object) -> Path:
        lab_factory(upstream=upstream.path, packaging=packaging.path, **parts)
        return tmp_path / "lab.yaml"

    return make


def unread(*argv: str | Path) -> tuple[int, str]:
    """The exit code of a verb of which nobody reads what it prints, and what it complains of."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, HOUSE / "qalab.py", *argv]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    os.close(writer)
    return done.returncode, done.stderr


def test_a_run_of_which_nobody_reads_goes_on(small_lab: Callable[..., Path]) -> None:
    lab = small_lab()
    assert unread("run", "trunk", "greet", "--lab", lab, "--until", "changelog") == (0, "")
    shown = json.loads(qalab("show", "trunk/greet/1", "--json").stdout)
    assert [step["step"] for step in shown["steps"]] == ["snapshot", "packaging", "changelog"]


def test_a_run_stops_resumes_and_is_told(small_lab: Callable[..., Path]) -> None:
    lab = small_lab()
    first = qalab("run", "trunk", "greet", "--lab", lab, "--until", "changelog")
    assert first.returncode == 0, first.stderr
    assert "stopped after changelog, as requested; continue with: qalab run --run trunk/greet/1" in first.stdout

    again = qalab("run", "--resume", "--lab", lab, "--until", "source")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("(kept)") == 3

    told = json.loads(qalab("status", "--json").stdout)
    assert [(run["id"], run["verdict"], run["step"]) for run in told] == [("trunk/greet/1", "aborted", "source")]
    assert told[0]["version"].startswith("1.0+git20260103.1.")
    assert told[0]["version"].endswith("-0qalab+deb12+1")

    shown = json.loads(qalab("show", "trunk/greet/1", "--json").stdout)
    assert [step["step"] for step in shown["steps"]] == ["snapshot", "packaging", "changelog", "source"]
    assert all(step["schema"] == 1 for step in shown["steps"])
    assert "trunk/greet/1" in qalab("show", "trunk/greet/1").stdout
    assert "dpkg-source" in qalab("log", "trunk/greet/1", "source").stdout
    assert (Path(told[0]["path"]) / "results/junit.xml").read_bytes().count(b"<testcase") == 4


def test_a_step_alone_in_a_plain_directory(small_lab: Callable[..., Path], tmp_path: Path) -> None:
    lab, workspace = small_lab(), tmp_path / "workspace"
    workspace.mkdir()
    done = qalab("step", "snapshot", "--lab", lab, "--track", "trunk", "--component", "greet", cwd=workspace)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("snapshot: passed")
    assert list((workspace / "out").glob("greet_1.0+git20260103.1.*.orig.tar.xz"))
    assert (workspace / "results/junit.xml").read_bytes().count(b"<testcase") == 1


def help_of(*argv: str) -> str:
    result = CliRunner().invoke(cli, [*argv, "--help"], prog_name="qalab", terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_help_of_steps_has_a_line_for_each() -> None:
    lines = help_of("step").partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(STEPS)
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


@pytest.mark.parametrize("name", STEPS)
def test_the_help_of_a_step_has_its_options(name: str) -> None:
    text = help_of("step", name)
    assert text.startswith(f"Usage: qalab step {name} [OPTIONS]")
    for option in ("--lab", "--run", "--track", "--component", "--commit", "--tries"):
        assert f"\n  {option} " in text
    assert "``" not in text
    assert f"{name}: " not in text.splitlines()[2]


def test_a_run_that_cannot_be_read_is_told_and_holds_up_nothing(small_lab: Callable[..., Path]) -> None:
    lab = small_lab()
    for _ in range(2):
        assert qalab("run", "trunk", "greet", "--lab", lab, "--until", "snapshot").returncode == 0
    first, second = (Path(run["path"]) for run in json.loads(qalab("status", "--json").stdout))
    (first / "run.json").write_text('{"schema": 1}')
    (second / "results/01-snapshot.json").write_text('{"schema": 1, "new": "field"}')
    done = qalab("status", "--json")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith(f"qalab: {first}/run.json: ")
    (told,) = json.loads(done.stdout)
    assert (told["id"], told["verdict"], "expected schema 1" in told["message"]) == ("trunk/greet/2", "error", True)
    again = qalab("run", "--run", "trunk/greet/2", "--lab", lab, "--until", "snapshot")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "(kept)" not in again.stdout
    assert qalab("run", "trunk", "greet", "--lab", lab, "--until", "snapshot").returncode == 0


@pytest.mark.parametrize("name, known", [("run.json", 3), ("results/01-snapshot.json", 1)])
def test_what_a_newer_qalab_wrote_is_left_alone(small_lab: Callable[..., Path], name: str, known: int) -> None:
    lab = small_lab()
    assert qalab("run", "trunk", "greet", "--lab", lab, "--until", "snapshot").returncode == 0
    (told,) = json.loads(qalab("status", "--json").stdout)
    path, run = Path(told["path"], name), Path(told["path"])
    path.write_text('{"schema": 9, "new": "field"}')
    before = {each: each.read_bytes() for each in run.rglob("*") if each.is_file()}
    for argv in (
        ["status"],
        ["run", "--lab", lab, "--run", told["id"], "--from", "snapshot"],
        ["step", "packaging", "--lab", lab, "--run", run],
        ["publish", "--lab", lab],
    ):
        done = qalab(*argv)
        said = f"{path} was written by a newer qalab (schema 9; this one knows {known}): upgrade qalab\n"
        assert (done.returncode, done.stderr.count("\n"), done.stderr.endswith(said)) == (2, 1, True), argv
    assert {each: each.read_bytes() for each in run.rglob("*") if each.is_file()} == before


def test_a_mistyped_run_directory_is_not_made(small_lab: Callable[..., Path], tmp_path: Path) -> None:
    lab, path = small_lab(), tmp_path / "mistyped/work"
    of_greet = ("--track", "trunk", "--component", "greet")
    for argv in (["step", "snapshot", *of_greet], ["step", "snapshot"], ["step", "sbuild", *of_greet], ["run"]):
        done = qalab(*argv, "--lab", lab, "--run", path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), argv
        assert str(path) in done.stderr
    assert not path.parent.exists()


def test_a_run_of_the_lab_at_hand_goes_first(small_lab: Callable[..., Path], tmp_path: Path) -> None:
    lab = small_lab()
    other = tmp_path / "other.yaml"
    other.write_text(lab.read_text().replace("name: testlab", "name: otherlab"))
    for file in (lab, other):
        assert qalab("run", "trunk", "greet", "--lab", file, "--until", "snapshot").returncode == 0
    assert "is ambiguous; use one of: testlab" in qalab("show", "trunk/greet/1").stderr
    done = qalab("run", "--run", "trunk/greet/1", "--lab", other, "--until", "snapshot")
    assert (done.returncode, "snapshot" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    "argv, code, said",
    [
        (["run", "trunk", "nothing"], 2, "qalab: no component nothing in trunk; known: greet"),
        (["run", "old", "greet"], 2, "qalab: no track old; known: trunk"),
        (["run"], 2, "name TRACK and COMPONENT, or --resume, or --run RUN"),
        (
            ["run", "trunk", "greet", "--until", "lunch"],
            2,
            "qalab: no step lunch in this phase; known: snapshot, packaging",
        ),
        (["run", "trunk", "greet", "--from", "sbuild"], 2, "no run of greet in trunk to repeat from sbuild"),
        (["run", "trunk", "greet", "--run", "x"], 2, "--run cannot be combined with"),
        (["run", "--resume", "--commit", "x"], 2, "--commit starts a new run"),
        (["status", "--track", "old"], 2, "qalab: no runs of old/*; known: none"),
        (["status", "--lab", "x"], 2, "No such option"),
        (["run", "--run", "trunk/greet/9"], 2, "qalab: no run trunk/greet/9; the last ones: none yet"),
        (["show", "nothing"], 2, "qalab: no run nothing; the last ones: none yet"),
        (["watch", "old"], 2, "qalab: no track old; known: trunk"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["step", "lunch"], 2, "no step lunch; known: snapshot, packaging"),
        (["step", "snapshot", "--frob"], 2, "No such option"),
        (["watch", "trunk", "--interval", "-5"], 2, "Invalid value for '--interval': -5 is not in the range"),
        (["watch", "trunk", "--interval", "nan"], 2, "Invalid value for '--interval': 'nan' is not a valid integer"),
        (["publish", "--watch", "--interval", "0"], 2, "Invalid value for '--interval': 0 is not in the range"),
        (["step", "snapshot", "--tries", "0"], 2, "Invalid value for '--tries': 0 is not in the range"),
        (["step", "snapshot"], 2, "no run directory yet"),
        (["demo", "--component", "glance"], 2, "'glance' is not one of 'hello', 'keystone', 'qalab'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage(small_lab: Callable[..., Path], tmp_path: Path, argv: list[str], code: int, said: str) -> None:
    small_lab()
    done = qalab(*argv, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr
    assert not (tmp_path / "state/qalab/testlab/runs").exists()  # what cannot be leaves nothing


@pytest.mark.parametrize(
    "component, argv, code, said",
    [
        ({"upstream": {"git": "/nowhere/upstream"}}, [], 3, "/nowhere/upstream: cannot be fetched"),
        ({}, ["--commit", "cafecafecafe"], 2, "cafecafecafe"),
        ({"upstream": {"branch": "old"}}, [], 2, "old"),
        ({"packaging": {"branch": "old"}}, [], 2, "old"),
        ({"orig": {"method": "sdist"}}, [], 1, "the project makes no sdist"),
    ],
    ids=["upstream", "commit", "branch", "packaging branch", "no sdist"],
)
def test_bad_input_gets_one_line(
    small_lab: Callable[..., Path], component: dict[str, object], argv: list[str], code: int, said: str
) -> None:
    done = qalab("run", "trunk", "greet", "--lab", small_lab(component=component), "--until", "packaging", *argv)
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (code, False)
    assert [line for line in done.stdout.splitlines() if said in line and ("error" in line or "failed" in line)]


def test_a_missing_program_is_named_with_its_package(
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


def test_a_state_that_cannot_be_written_is_the_labs_fault(
    small_lab: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = small_lab()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file/state"))
    done = qalab("run", "trunk", "greet", "--lab", lab)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith(f"qalab: Not a directory: {tmp_path}/file/state/")
    monkeypatch.setenv("XDG_STATE_HOME", "/sys/qalab")  # nobody, root included, may make a directory there
    done = qalab("run", "trunk", "greet", "--lab", lab)
    assert (done.returncode, done.stderr.count("\n"), "/sys/qalab" in done.stderr) == (3, 1, True)


PLANTED = """
import sys
import yaml
from cli import main, phases
from lab.config.description import Lab
from lab.store import step_command
from reports import status
def bug(*_, **__):
    raise TypeError("planted\\nhere")
WHERE = bug
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "where, argv",
    [
        ("status.survey", ["status"]),
        ("yaml.compose", ["check"]),
        ("Lab.model_validate_json", ["run", "trunk", "greet"]),
        ("phases.runner.run_phase", ["run", "trunk", "greet"]),
        ("step_command.carry_out", ["step", "snapshot"]),
    ],
)
def test_a_bug_is_one_line_and_a_log(
    small_lab: Callable[..., Path], tmp_path: Path, where: str, argv: list[str]
) -> None:
    env = os.environ | {"PYTHONPATH": str(HOUSE), "QALAB_LAB": str(small_lab())}
    command = [sys.executable, "-c", PLANTED.replace("WHERE", where), *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=120)
    (log,) = (tmp_path / "state/qalab/bugs").iterdir()
    assert (done.returncode, done.stderr) == (70, f"qalab: a bug in qalab: TypeError: planted here; see {log}\n")
    assert f"called: -c {' '.join(argv)}\n" in log.read_text()
    assert log.read_text().endswith("TypeError: planted\nhere\n")
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.integration
def test_two_machines_make_the_same_sources(small_lab: Callable[..., Path], tmp_path: Path) -> None:
    """Another home, another time zone, another umask, another name: the same bytes."""
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


def test_check_and_schema(small_lab: Callable[..., Path]) -> None:
    lab = small_lab()
    assert qalab("check", "--lab", lab).stdout.endswith("valid: 1 components, 1 tracks, 1 combinations\n")
    lab.write_text(lab.read_text().replace("series: bookworm", "serie: bookworm"))
    wrong = qalab("check", "--lab", lab)
    assert wrong.returncode == 2
    assert "unknown key; did you mean series?" in wrong.stderr
    assert json.loads(qalab("schema").stdout)["title"] == "lab.yaml"


def test_docs_name_every_command() -> None:
    docs = "".join(path.read_text() for path in (*HOUSE.glob("*.md"), *HOUSE.glob("docs/**/*.md")))
    groups = {"env", "jenkins", "results", "site"}
    paths = [path for path in cli.paths(click.Context(cli)) if path not in groups and not path.startswith("step ")]
    assert len(paths) > 30
    assert [path for path in paths if f"qalab {path}" not in docs] == []
