"""A step: what an action's end makes of its record, its log and its exit code."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from lab.base.errors import Aborted, ConfigurationError, Failed, InfrastructureError, LabError, Unstable
from lab.base.run import TimedOut, output
from lab.config.description import Lab
from lab.store import step
from lab.store.records import Record
from lab.store.step import StepContext, StepOutcome
from tests.conftest import Bench
from tests.processes import HOUSE, alive, pid_in, python, wait_for

WORKER = """
import signal, sys
from pathlib import Path
from lab.store import step
from lab.base.errors import Aborted
from lab.config.loading import load
from lab.store.runs import Run
def ended(number, frame):
    raise Aborted("ended by " + signal.Signals(number).name)
signal.signal(signal.SIGTERM, ended)
def action(context):
    context.sh(["sh", "-c", "echo $$ >%s; exec sleep 300" % (context.run.path / "pid")])
run = Run(Path(sys.argv[2]))
try:
    with run.held():
        step.execute("snapshot", action, load(Path(sys.argv[1])), run)
except Aborted as error:
    print(error)
"""


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory()


@pytest.fixture
def at(lab: Lab, bench: Callable[..., Bench]) -> Bench:
    return bench(lab)


def execute(at: Bench, action: step.Action, name: str = "snapshot") -> Record:
    """The record as it was left on the disk."""
    with at.run.held():
        returned = step.execute(name, action, at.lab, at.run)
    record = Record.read(at.run.record_path(name))
    assert record == returned
    return record


def raising(error: BaseException) -> step.Action:
    def action(context: StepContext) -> StepOutcome:
        raise error

    return action


def nowhere(context: StepContext) -> StepOutcome:
    context.sh(["frobnicate"])
    return StepOutcome()


def exits_with_3(context: StepContext) -> StepOutcome:
    context.sh(["sh", "-c", "exit 3"])
    return StepOutcome()


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/srv/lab/out/x.deb")


@pytest.mark.parametrize(
    "action, verdict, code, message",
    [
        (lambda _: StepOutcome("done"), "passed", 0, "done"),
        (lambda _: StepOutcome("off", verdict="skipped"), "skipped", 0, "off"),
        (lambda _: StepOutcome("2 of 9", verdict="unstable"), "unstable", 4, "2 of 9"),
        (raising(Failed("a.patch: hunk 2")), "failed", 1, "a.patch: hunk 2"),
        (raising(ConfigurationError("no branch x", hint="y")), "error", 2, "no branch x (y)"),
        (raising(InfrastructureError("mirror\n is\tgone")), "error", 3, "mirror is gone"),
        (raising(TimedOut("too long")), "error", 3, "too long"),
        (raising(Unstable("1 of 9 failed")), "unstable", 4, "1 of 9 failed"),
        (nowhere, "error", 2, "the program frobnicate is not on this machine"),
        (exits_with_3, "error", 3, "sh -c 'exit 3' ended with status 3"),
        (raising(FULL), "error", 3, "No space left on device: /srv/lab/out/x.deb"),
        (raising(OSError("odd")), "error", 3, "odd: this machine"),
        (raising(KeyError("x")), "error", 70, "a bug in qalab: KeyError: 'x'; see results/snapshot.log"),
        (raising(Failed("caf\udce9\x1b[31m: no")), "failed", 1, "café [31m: no"),  # bytes that git or dpkg printed
        (raising(Failed("a\u202ebc")), "failed", 1, "a bc"),
        (lambda context: StepOutcome(artifacts=[(context.run.out / "gone", "orig")]), "error", 3,
         "No such file or directory: {run}/out/gone"),
        (lambda _: StepOutcome(facts={"odd": object()}), "error", 70, "a bug in qalab: PydanticSerializationError: "),
    ],
)  # fmt: skip
def test_what_an_action_does_is_in_the_record(
    at: Bench, *, action: step.Action, verdict: str, code: int, message: str
) -> None:
    record = execute(at, action)
    assert (record.verdict, record.exit_code) == (verdict, code)
    expected = message.format(run=at.run.path)
    assert record.message.startswith(expected) if expected.endswith(": ") else record.message == expected
    assert len(record.message.splitlines()) == 1
    assert record.seconds >= 0
    assert record.finished >= record.started


@pytest.mark.parametrize(
    "error, last",
    [
        (Failed("a.patch: hunk 2"), "failed: a.patch: hunk 2"),
        (KeyError("x"), "KeyError: 'x'"),
        (FULL, "OSError: [Errno 28] No space left on device: '/srv/lab/out/x.deb'"),
    ],
)
def test_the_log_ends_with_the_reason(at: Bench, error: Exception, last: str) -> None:
    execute(at, raising(error))
    assert at.log("snapshot").rstrip().splitlines()[-1] == last
    assert ("Traceback" in at.log("snapshot")) == (not isinstance(error, LabError))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Aborted("ended by SIGTERM")])
def test_an_interruption_is_recorded_and_goes_on(at: Bench, error: BaseException) -> None:
    said = str(error) or "interrupted"
    with pytest.raises(Aborted, match=said):
        execute(at, raising(error))
    record = at.run.record("snapshot")
    assert record is not None
    assert (record.verdict, record.exit_code, record.message) == ("aborted", 130, said)
    assert at.log("snapshot") == "aborted\n"


@pytest.mark.parametrize("number, stands", [(signal.SIGTERM, "ended by SIGTERM"), (signal.SIGKILL, "ended before it")])
def test_a_step_ended_by_a_signal_is_aborted(at: Bench, tmp_path: Path, number: signal.Signals, stands: str) -> None:
    with python(WORKER, tmp_path / "lab.yaml", at.run.path) as worker:
        child = pid_in(at.run.path / "pid")
        record = at.run.record("snapshot")
        assert record is not None
        assert record.verdict == "running"
        worker.send_signal(number)
        worker.wait(15)
    assert wait_for(lambda: not alive(child))
    record = at.run.record("snapshot")
    assert record is not None
    assert record.verdict == "aborted"
    assert record.message.startswith(stands)


def test_while_it_works_a_step_is_running(at: Bench) -> None:
    seen: list[dict[str, Any]] = []

    def action(context: StepContext) -> StepOutcome:
        seen.append(json.loads(context.run.record_path("snapshot").read_bytes()))
        context.say("at work")
        seen.append({"log": context.run.log_path("snapshot").read_text()})
        return StepOutcome()

    record = execute(at, action)
    assert seen[0]["verdict"] == "running"
    assert (seen[0]["exit_code"], seen[0]["finished"], seen[0]["started"]) == (None, "", record.started)
    assert seen[1]["log"] == "at work\n"


def test_an_outcome_is_told_whole(at: Bench) -> None:
    at.pretend("snapshot", commit="b" * 40)

    def action(context: StepContext) -> StepOutcome:
        (context.run.out / "greet.tar.xz").write_bytes(b"tar")
        (context.run.results / "native/lintian.txt").write_text("W: x\n")
        return StepOutcome(
            "made",
            version="1.0-1",
            artifacts=[(context.run.out / "greet.tar.xz", "orig")],
            native=[(context.run.results / "native/lintian.txt", "lintian")],
            facts={"count": 3, "patches": ["a", "b"]},
        )

    record = execute(at, action, "packaging")
    told = json.loads(at.run.record_path("packaging").read_bytes())
    digest = hashlib.sha256(b"tar").hexdigest()
    assert told["artifacts"] == [{"path": "out/greet.tar.xz", "sha256": digest, "size": 3, "kind": "orig"}]
    assert told["native"] == [{"path": "results/native/lintian.txt", "format": "lintian"}]
    assert told["facts"] == {"count": 3, "patches": ["a", "b"]}
    assert (record.version, record.commit, record.log) == ("1.0-1", "b" * 40, "results/packaging.log")
    assert (record.track, record.component, record.series) == ("trunk", "greet", "bookworm")
    assert record.architecture == output(["dpkg", "--print-architecture"])


def test_done_again_a_step_leaves_nothing_of_before(at: Bench) -> None:
    execute(at, lambda context: (context.say("first"), StepOutcome("one", version="1", facts={"old": 1}))[1])
    record = execute(at, raising(Failed("now")))
    assert (record.version, record.facts, record.message) == ("", {}, "now")
    assert at.log("snapshot") == "failed: now\n"


@pytest.mark.parametrize("says", [True, False])
def test_a_full_disk_is_the_labs_fault(at: Bench, *, says: bool) -> None:
    at.run.log_path("snapshot").symlink_to("/dev/full")

    def action(context: StepContext) -> StepOutcome:
        if says:
            context.say("x")
        raise FULL

    record = execute(at, action)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert record.message.startswith("No space left on device: ")


def test_a_full_disk_does_not_hide_the_packages_fault(at: Bench) -> None:
    at.run.log_path("snapshot").symlink_to("/dev/full")
    assert execute(at, raising(Failed("broken"))).message == "broken"


@pytest.mark.parametrize(
    "change, said",
    [
        ({"track": "old"}, "no track old; known: trunk"),
        ({"component": "gone"}, "no component gone in trunk; known: greet"),
        (
            {"lab": "other"},
            "this is a run of the lab other, not of testlab (name its description with --lab or QALAB_LAB)",
        ),
    ],
)
def test_a_run_that_the_lab_no_longer_has_is_refused(at: Bench, change: dict[str, str], said: str) -> None:
    at.run.write_info(at.run.info.model_copy(update=change))
    record = execute(at, lambda _: StepOutcome())
    assert (record.verdict, record.exit_code, record.message) == ("error", 2, said)


def test_an_action_sees_its_place(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> None:
    at = bench(lab_factory(upstream="/srv/up", component={"build": {"options": ["nocheck"]}}))

    def action(context: StepContext) -> StepOutcome:
        assert (context.track_name, context.component_name, context.series_name) == ("trunk", "greet", "bookworm")
        assert context.codename == "bookworm"
        assert context.track == context.lab.tracks["trunk"]
        assert context.series == context.lab.series["bookworm"]
        assert (context.component.upstream.git, context.component.upstream.branch) == ("/srv/up", "main")
        assert context.component.build.options == ("nocheck",)
        assert context.store.runs() == [context.run]
        return StepOutcome("seen")

    assert execute(at, action).message == "seen"


def test_programs_speak_into_the_log(at: Bench) -> None:
    def action(context: StepContext) -> StepOutcome:
        context.say("before")
        result, said = context.try_sh(["sh", "-c", "echo out\necho err >&2; exit 5"])
        assert (result.returncode, said) == (5, ["out", "err"])  # the echoed command has two lines
        assert context.sh(["echo", "kept"], capture=True).stdout == "kept\n"
        return StepOutcome()

    assert execute(at, action).verdict == "passed"
    assert at.log("snapshot") == "before\n+ sh -c 'echo out\necho err >&2; exit 5'\nout\nerr\n+ echo kept\n"


@pytest.mark.parametrize(
    "verdict, stands",
    [("passed", None), ("skipped", None), ("failed", "failed"), ("running", "running"), ("", "not run")],
)
def test_a_step_relies_on_those_before_it(at: Bench, verdict: str, stands: str | None) -> None:
    if verdict:
        at.pretend("snapshot", facts={"count": 3})
        path = at.run.record_path("snapshot")
        path.write_text(path.read_text().replace('"passed"', f'"{verdict}"'))
    record = execute(at, lambda context: StepOutcome(str(context.earlier("snapshot").facts["count"])), "packaging")
    if stands:
        hint = f"qalab step snapshot --run {at.run.path}"
        assert record.message == f"{at.run.path}: the step snapshot comes first and is {stands} ({hint})"
        assert record.exit_code == 2
    else:
        assert record.message == "3"


ALONE = """
import sys
from lab.store import step
from lab.base.errors import Failed, LabError
def action(context):
    if context.run.info.revision == "bad":
        raise Failed("a bad one")
    return step.StepOutcome(f"{context.run.info.number} {context.run.info.origin}")
try:
    sys.exit(step.main("snapshot", action, sys.argv[1:]))
except LabError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def alone(*argv: str | Path, cwd: Path, **variables: str) -> tuple[int, str]:
    """The step run by itself: its exit code and what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *argv],
        cwd=cwd,
        env=os.environ | variables | {"PYTHONPATH": str(HOUSE)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_alone_in_a_plain_directory(lab: Lab, tmp_path: Path) -> None:
    plain, where = tmp_path / "plain", ("--lab", tmp_path / "lab.yaml")
    plain.mkdir()
    code, said = alone(*where, cwd=plain)
    assert code == 2
    assert said == f"{plain}: no run directory yet (name --track and --component to make it one)\n"
    code, said = alone(*where, "--track", "trunk", "--component", "nope", cwd=plain)
    assert (code, said) == (2, "no component nope in trunk; known: greet\n")
    assert list(plain.iterdir()) == []

    asked = ("--track", "trunk", "--component", "greet", "--commit", "v1")
    assert alone(*where, *asked, cwd=plain) == (0, "snapshot: passed: 1 local\n")
    assert json.loads((plain / "results/01-snapshot.json").read_bytes())["verdict"] == "passed"
    assert json.loads((plain / "run.json").read_bytes())["revision"] == "v1"
    # From now on it is a run directory, and the lab's description may be named by the environment.
    assert alone(cwd=plain, QALAB_LAB=str(tmp_path / "lab.yaml")) == (0, "snapshot: passed: 1 local\n")


def test_alone_in_jenkins(lab: Lab, tmp_path: Path) -> None:
    url = "https://ci.example/job/trunk-greet/57/"
    argv = ("--lab", tmp_path / "lab.yaml", "--run", tmp_path / "ws", "--track", "trunk", "--component", "greet")
    said = alone(*argv, "--commit", "bad", cwd=tmp_path, BUILD_URL=url, BUILD_NUMBER="57")
    assert said == (1, "snapshot: failed: a bad one\n")
    info = json.loads((tmp_path / "ws/run.json").read_bytes())
    assert (info["origin"], info["url"], info["number"]) == ("jenkins", url, 57)

    # The next build in the same workspace is another run: nothing of the last one's is believed.
    (tmp_path / "ws/out/old.deb").touch()
    again = {"BUILD_URL": url.replace("57", "58"), "BUILD_NUMBER": "58"}
    assert alone(*argv, "--commit", "v1", cwd=tmp_path, **again) == (0, "snapshot: passed: 58 jenkins\n")
    info = json.loads((tmp_path / "ws/run.json").read_bytes())
    assert (info["revision"], info["number"]) == ("v1", 58)
    assert list((tmp_path / "ws/out").iterdir()) == []


def test_alone_where_another_works(at: Bench, tmp_path: Path) -> None:
    with at.run.held():
        code, said = alone("--lab", tmp_path / "lab.yaml", "--run", at.run.path, cwd=tmp_path)
    assert (code, said) == (3, f"{at.run.path}: another process works on this run\n")
    assert at.run.record("snapshot") is None


@pytest.mark.parametrize(
    "faults, asked, tries, code",
    [
        ([3, 3, 0], "3", 3, 0),
        ([3, 0], "1", 1, 3),
        ([3, 3, 3, 3, 3, 3], "6", 6, 3),  # more than there are pauses
        ([3, 1], "5", 2, 1),
        ([2, 0], "5", 1, 2),
        ([0], "5", 1, 0),
    ],
)
def test_while_the_lab_is_at_fault_it_is_tried_again(
    at: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *,
    faults: list[int], asked: str, tries: int, code: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(step, "PAUSES_SECONDS", (0.01, 0.02))
    errors = {1: Failed("broken"), 2: ConfigurationError("wrong"), 3: InfrastructureError("mirror is gone")}
    left = iter(faults)

    def action(context: StepContext) -> StepOutcome:
        if fault := next(left):
            raise errors[fault]
        return StepOutcome("done", facts={"count": 3})

    argv = ["--lab", str(tmp_path / "lab.yaml"), "--run", str(at.run.path), "--tries", asked]
    assert step.main("snapshot", action, argv) == code
    record = Record.read(at.run.record_path("snapshot"))
    printed = capsys.readouterr().out.splitlines()
    assert printed[:-1] == [
        f"snapshot: the lab's fault: mirror is gone; trying again in {0.01 if number == 1 else 0.02:g} seconds"
        for number in range(1, tries)
    ]
    assert printed[-1].endswith(f" (tried {tries} times)") == (tries > 1)
    assert printed[-1] == f"snapshot: {record.verdict}: {record.message}"
    assert record.facts == ({"count": 3} if code == 0 else {}) | ({"attempts": tries} if tries > 1 else {})


def test_a_step_that_tries_by_itself_is_not_tried_again(at: Bench, tmp_path: Path) -> None:
    argv = ["--lab", str(tmp_path / "lab.yaml"), "--run", str(at.run.path), "--tries", "9"]
    tried = StepOutcome("mirror is gone (tried 3 times)", verdict="error", facts={"attempts": 3})
    assert step.main("snapshot", lambda _: tried, argv) == 3
    assert Record.read(at.run.record_path("snapshot")).message == tried.message


def test_a_bug_is_told_in_one_line_and_not_tried_again(
    at: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[StepContext] = []

    def action(context: StepContext) -> StepOutcome:
        calls.append(context)
        return "a" + 1  # type: ignore[operator]

    argv = ["--lab", str(tmp_path / "lab.yaml"), "--run", str(at.run.path), "--tries", "9"]
    assert step.main("snapshot", action, argv) == 70
    assert len(calls) == 1
    record = Record.read(at.run.record_path("snapshot"))
    said = 'a bug in qalab: TypeError: can only concatenate str (not "int") to str; see results/snapshot.log'
    assert (record.verdict, record.exit_code, record.message, record.facts) == ("error", 70, said, {})
    assert capsys.readouterr().out == f"snapshot: error: {said}\n"
    (log,) = (tmp_path / "state/qalab/bugs").iterdir()
    for text in (at.log("snapshot"), log.read_text()):
        assert "\npython: " in text
        assert text.count("Traceback (most recent call last):") == 1
        assert text.rstrip().endswith('TypeError: can only concatenate str (not "int") to str')
    assert at.log("snapshot").startswith(f"see {log}\n")


@pytest.mark.parametrize("error", [FULL, Failed("broken"), InfrastructureError("mirror is gone")])
def test_only_a_bug_has_a_log_of_its_own(at: Bench, tmp_path: Path, error: Exception) -> None:
    execute(at, raising(error))
    assert not (tmp_path / "state/qalab/bugs").exists()


@pytest.mark.parametrize("tries", ["0", "-1", "many", "1.5"])
def test_an_odd_number_of_tries_is_refused(tries: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        step.main("snapshot", lambda _: StepOutcome(), [f"--tries={tries}"])
    assert caught.value.exit_code == 2
    assert caught.value.format_message().startswith("Invalid value for '--tries': ")


def test_main_is_its_own_caller(at: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--lab", str(tmp_path / "lab.yaml"), "--run", str(at.run.path)]
    assert step.main("snapshot", lambda _: StepOutcome(verdict="unstable"), argv) == 4
    assert capsys.readouterr().out == "snapshot: unstable\n"
    with pytest.raises(ConfigurationError, match="no run directory yet"):
        step.main("snapshot", lambda _: StepOutcome(), [*argv[:2], "--run", str(tmp_path)])
    argv[-1] = str(tmp_path / "fresh")
    assert step.main("snapshot", lambda _: StepOutcome(), [*argv, "--track", "trunk", "--component", "greet"]) == 0
