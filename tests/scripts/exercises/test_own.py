"""Exercises of the lab's own: real programs on this machine, in the place of a node."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.base import run
from lab.config.deployment import OwnExercise
from lab.config.description import Lab
from lab.results.cases import Case
from scripts.exercises import choice, own
from scripts.exercises.cases import Cases, Over, read
from scripts.services.deployed_state import Deployed, Service

PYTHON = "#!/usr/bin/env python3\n"
SHELL = "#!/bin/sh\n"
LOOK = f"""{PYTHON}import json, os, pathlib
found = json.loads(pathlib.Path(os.environ["QALAB_DEPLOYMENT"]).read_text())
print(os.environ["QALAB_ADDRESS_NODE0"], os.environ["QALAB_ADDRESS_WEB_FRONT"], found["services"]["web-front"]["settings"]["url"])
print(pathlib.Path("data/names").read_text(), end="")
"""
SECRET = "0123456789abcdef" * 2
DEPLOYED = Deployed(
    track="trunk", component="greet", version="1", commit="c", finished="2026-01-01T00:00:00Z",
    nodes={"node0": "10.0.0.10"},
    services={"web-front": Service(role="package", nodes=("node0",), packages=(), settings={"url": "http://web", "database.url": f"pg://u:{SECRET}@h"})},
    packages=(),
)  # fmt: skip


@pytest.fixture
def carry_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Case]]:
    monkeypatch.setattr(own, "ON_NODES", str(tmp_path / "on nodes"))

    def carry_out(tree: Mapping[str, str], **settings: Any) -> list[Case]:
        base = tmp_path / "the lab"
        for name, text in tree.items():
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_text(text)
            (base / name).chmod(0o755)
        chosen = OwnExercise(name="smoke", run="smoke", **settings)
        scene: Any = SimpleNamespace(deployed=DEPLOYED, nodes={"node0": SimpleNamespace(run=run.run)})
        cases = Cases("smoke", tmp_path / "cases.jsonl")
        with contextlib.suppress(Over):
            own.OwnRun(chosen=chosen, base=base, work=tmp_path / "work").exercise(scene, cases)
        assert not (tmp_path / "work/place").exists()
        return read(cases.path)

    return carry_out


@pytest.mark.parametrize(
    "program, outcome, message",
    [
        (f"{SHELL}echo fine; echo noise >&2", "passed", ""),
        (f"{SHELL}echo oops >&2; exit 3", "failed", "it ended with status 3: oops"),
        (f"{SHELL}kill -9 $$", "failed", "it was ended by SIGKILL"),
        ("#!/nowhere/sh\n", "error", "it cannot be started, status 127: "),
        ("#!/usr/bin/env nowhere3\n", "error", "it cannot be started, status 127: /usr/bin/env: "),
        (f"{SHELL}/usr/bin/env nowhere3", "failed", "it ended with status 127: /usr/bin/env: "),
        (f"{SHELL}qalab-nowhere", "failed", "it ended with status 127: "),
        (f"{SHELL}timeout 5 ./nowhere", "failed", "it ended with status 127: timeout: failed to run command"),
        (f"{SHELL}exit 126", "failed", "it ended with status 126"),
        (f"{SHELL}sleep 600 & exec sleep 600", "failed", "it did not end within 5 minutes"),
    ],
    ids=[
        "passes",
        "fails",
        "killed",
        "no-interpreter",
        "no-interpreter-of-env",
        "no-program-of-env",
        "no-program",
        "no-program-with-limit",
        "not-executable",
        "hangs",
    ],
)
def test_exit_code_is_the_result(
    carry_out: Callable[..., list[Case]], monkeypatch: pytest.MonkeyPatch, program: str, outcome: str, message: str
) -> None:
    monkeypatch.setattr(own, "MINUTE_SECONDS", 0.1 if "600" in program else 60)
    (case,) = carry_out({"smoke": program})
    assert (case.suite, case.classname, case.name, case.outcome) == ("exercise", "smoke", "exit code", outcome)
    assert case.message.startswith(message)
    assert case.seconds >= (0.5 if "600" in program else 0)


def test_time_limit_of_a_minute(carry_out: Callable[..., list[Case]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "MINUTE_SECONDS", 0.2)
    (case,) = carry_out({"smoke": f"{SHELL}exec sleep 600"}, timeout_minutes=1)
    assert case.message == "it did not end within 1 minute"


@pytest.mark.integration
@pytest.mark.parametrize("result", ["tap", "subunit", "junit"])
def test_result_that_is_too_long_fails(
    carry_out: Callable[..., list[Case]], monkeypatch: pytest.MonkeyPatch, result: str
) -> None:
    """A part of a subunit stream reads as complete, and its failures can come later."""
    monkeypatch.setattr(own, "MOST_BYTES", 20)
    stream = "test: a\\nsuccess: a\\ntest: b\\nfailure: b\\n"
    long, _ = carry_out({"smoke": f"{SHELL}printf '{stream}'"}, result=result)
    assert (long.classname, long.name, long.outcome, long.message) == (
        "smoke",
        "result",
        "failed",
        "is longer than 20 bytes",
    )


def test_programs_that_an_exercise_leaves_are_ended(carry_out: Callable[..., list[Case]], tmp_path: Path) -> None:
    left = tmp_path / "left"
    (case,) = carry_out({"smoke": f"{SHELL}setsid sh -c 'echo $$ > {left}.new; mv {left}.new {left}; exec sleep 600' > /dev/null 2>&1 &\n"
                                  f"while [ ! -e {left} ]; do sleep 0.01; done\n"})  # fmt: skip
    assert case.outcome == "passed"
    assert not Path(f"/proc/{left.read_text().strip()}/exe").exists()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("result", "program"),
    [
        ("exit", f"echo pg://u:{SECRET}@h; echo {SECRET}: refused >&2; exit 1"),
        ("tap", f"printf '1..1\\nnot ok 1 - u:{SECRET}@h\\n# {SECRET}\\n'; echo {SECRET} >&2; exit 1"),
        (
            "junit",
            f'echo \'<testsuite><testcase name="t"><error message="{SECRET}">{SECRET}</error></testcase></testsuite>\'',
        ),
    ],
    ids=["exit", "tap", "junit"],
)
def test_generated_passwords_are_in_no_case(carry_out: Callable[..., list[Case]], result: str, program: str) -> None:
    cases = carry_out({"smoke": f"{SHELL}{program}"}, result=result)
    shown = "".join(case.model_dump_json() for case in cases)
    assert (SECRET in shown, "[password]" in shown) == (False, True)


@pytest.mark.parametrize("where", ["beside", "node0", "web-front"])
def test_program_sees_the_deployment_and_its_files(carry_out: Callable[..., list[Case]], where: str) -> None:
    (case,) = carry_out({"smoke": LOOK, "data/names": "Ada\n"}, files=("data",), where=where)
    assert case.message == ""
    assert (case.outcome, case.output) == ("passed", "10.0.0.10 10.0.0.10 http://web\nAda")


@pytest.mark.integration
@pytest.mark.parametrize(
    "result, program, expected",
    [
        ("tap", "printf '1..2\\nok 1 - up\\nnot ok 2 - fast\\n'",
         ["smoke/up passed", "smoke/fast failed", "smoke/exit code passed"]),
        ("tap", "printf '1..2\\nok 1 - up\\n'; exit 1",
         ["smoke/up passed", "smoke/[plan] failed", "smoke/exit code passed"]),
        ("tap", "printf '1..1\\nok 1 - up\\n'; echo late >&2; exit 7", ["smoke/up passed", "smoke/exit code failed"]),
        ("tap", "true", ["smoke/[empty] failed", "smoke/exit code passed"]),
        ("junit", "echo chatter; echo '<testsuite name=\"S\"><testcase classname=\"a\" name=\"t\"/></testsuite>' > $QALAB_RESULT",
         ["smoke.S.a/t passed", "smoke/exit code passed"]),
        ("junit", "echo '<testsuite'", ["smoke/[unreadable] error", "smoke/exit code passed"]),
        ("junit", "echo '<testsuite name=\"S\"><testcase name=\"t\"><error message=\"refused\"/></testcase></testsuite>'; exit 1",
         ["smoke.S.S/t failed", "smoke/exit code passed"]),
        ("tap", "printf '1..2\\nok 1 - up\\nBail out! no database\\n'; exit 1",
         ["smoke/up passed", "smoke/[bail out] failed", "smoke/exit code passed"]),
        ("tap", "echo '1..0 # SKIP no database'", ["smoke/all tests skipped", "smoke/exit code skipped"]),
        ("tap", "echo '1..0 # SKIP no database'; exit 3", ["smoke/all tests skipped", "smoke/exit code failed"]),
        ("junit", "echo ImportError; exit 4", ["smoke/[unreadable] failed", "smoke/exit code passed"]),
        ("junit", "echo '<testsuite>'; exec sleep 600", ["smoke/[unreadable] failed", "smoke/exit code failed"]),
        ("subunit", "printf 'test: a.b\\nsuccess: a.b\\n'", ["smoke.a/b passed", "smoke/exit code passed"]),
        ("subunit", "printf 'test: a.b\\nerror: a.b\\n'", ["smoke.a/b failed", "smoke/exit code passed"]),
    ],
    ids=["tap", "tap-cut", "tap-late", "tap-empty", "junit-file", "junit-cut", "junit-error", "tap-bail", "tap-skipped",
         "tap-skipped-late", "junit-crashed", "junit-hangs", "subunit", "subunit-error"],
)  # fmt: skip
def test_cases_of_each_format(
    carry_out: Callable[..., list[Case]],
    monkeypatch: pytest.MonkeyPatch,
    result: str,
    program: str,
    expected: list[str],
) -> None:
    monkeypatch.setattr(own, "MINUTE_SECONDS", 0.1 if "600" in program else 60)
    cases = carry_out({"smoke": f"{SHELL}{program}"}, result=result)
    assert [f"{case.classname}/{case.name} {case.outcome}" for case in cases] == expected


@pytest.mark.parametrize(("into", "told"), [("", True), (' > "$QALAB_RESULT"', False)], ids=["output", "file"])
def test_result_that_cannot_be_read_is_told_where_it_was(
    carry_out: Callable[..., list[Case]], into: str, *, told: bool
) -> None:
    case, _ = carry_out({"smoke": f"{SHELL}echo 5 passed{into}"}, result="junit")
    assert (case.name, own.INSTEAD in case.message) == ("[unreadable]", told)


@pytest.mark.parametrize(
    "settings, fault",
    [
        ({"run": "nowhere"}, "deployment.exercises.0.run: nowhere: no such file in "),
        ({"run": "plain"}, "deployment.exercises.0.run: plain: not an executable file (chmod +x)"),
        ({"run": "."}, "deployment.exercises.0.run: .: not an executable file (chmod +x)"),
        ({"files": ["data"]}, "deployment.exercises.0.files: data: no such file in "),
        ({"where": "web"}, "deployment.exercises.0.where: no web; known: beside, node0, greet"),
        ({"name": "token"}, "deployment.exercises.0: token: is there twice"),
        ("tokn", "deployment.exercises.0: no exercise tokn; did you mean token? known: installed, "),
        ({}, None),
    ],
)
def test_faults(lab_factory: Callable[..., Lab], settings: dict[str, Any] | str, fault: str | None) -> None:
    spec = settings if isinstance(settings, str) else {"name": "smoke", "run": "smoke"} | settings
    applications = {"greet": {"role": "package"}}
    lab = lab_factory(lab={"deployment": {"applications": applications, "exercises": [spec]}})
    for name, mode in {"smoke": 0o755, "plain": 0o644}.items():
        (lab.file.parent / name).write_text(SHELL)
        (lab.file.parent / name).chmod(mode)
    faults = [f"{'.'.join(map(str, key))}: {what}" for key, what in choice.faults(lab, "trunk")]
    assert (len(faults), all(each.startswith(str(fault)) for each in faults)) == (0 if fault is None else 1, True)


def test_programs_are_copied_to_where_nodes_let_them_run() -> None:
    """initramfs-tools mounts /run with noexec; administrators do so with /tmp."""
    assert not own.ON_NODES.startswith(("/run/", "/tmp/", "/var/tmp/", "/dev/"))
