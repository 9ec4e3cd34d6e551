"""A step: what an action's end makes of its record, its log and its exit code."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment, outages
from lab.base.errors import Aborted, ConfigurationError, Failed, InfrastructureError, LabError, Unstable
from lab.base.run import TimedOut, output
from lab.config.description import Lab
from lab.store import step
from lab.store.records import Record
from lab.store.step import StepContext, StepOutcome
from tests.conftest import Bench
from tests.processes import alive, pid_in, python, wait_for

WORKER = """
import signal, sys
from pathlib import Path
from lab.store import step
from lab.base.errors import Aborted
from lab.config.loading import load
from lab.store.run_directory import Run
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
    """Execute a step and return its record from the disk."""
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


def test_message_says_from_when_kept_data_are(at: Bench) -> None:
    """An outage is told once, and by its own step alone."""
    told = "deb.example does not answer: packages as of 2026-01-02 10:00 UTC"

    def behind(context: StepContext) -> StepOutcome:
        outages.note("deb.example", datetime(2026, 1, 2, 10, tzinfo=UTC))
        outages.note("deb.example", datetime(2026, 1, 3, 10, tzinfo=UTC))
        return StepOutcome("built")

    def known(context: StepContext) -> StepOutcome:
        behind(context)
        return StepOutcome(f"its version is an old one: {told}")

    steps = (behind, known, lambda _: StepOutcome("done"))
    expected = [f"built; {told}", f"its version is an old one: {told}", "done"]
    assert [execute(at, action).message for action in steps] == expected


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
def test_record_of_action_outcome(at: Bench, *, action: step.Action, verdict: str, code: int, message: str) -> None:
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
def test_log_ends_with_reason(at: Bench, error: Exception, last: str) -> None:
    execute(at, raising(error))
    assert at.log("snapshot").rstrip().splitlines()[-1] == last
    assert ("Traceback" in at.log("snapshot")) == (not isinstance(error, LabError))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Aborted("ended by SIGTERM")])
def test_interruption_is_recorded_and_raised(at: Bench, error: BaseException) -> None:
    message = str(error) or f"stopped with Ctrl-C by {environment.user()}"
    with pytest.raises(Aborted, match=message):
        execute(at, raising(error))
    record = at.run.record("snapshot")
    assert record is not None
    assert (record.verdict, record.exit_code, record.message) == ("aborted", 130, message)
    assert at.log("snapshot") == f"aborted: {message}\n"


@pytest.mark.integration
@pytest.mark.parametrize("number, stands", [(signal.SIGTERM, "ended by SIGTERM"), (signal.SIGKILL, "ended before it")])
def test_step_ended_by_signal_is_aborted(at: Bench, tmp_path: Path, number: signal.Signals, stands: str) -> None:
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


def test_record_is_running_during_step(at: Bench) -> None:
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


def test_record_has_all_of_outcome(at: Bench) -> None:
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


def test_repeated_step_replaces_record_and_log(at: Bench) -> None:
    execute(at, lambda context: (context.say("first"), StepOutcome("one", version="1", facts={"old": 1}))[1])
    record = execute(at, raising(Failed("now")))
    assert (record.version, record.facts, record.message) == ("", {}, "now")
    assert at.log("snapshot") == "failed: now\n"


@pytest.mark.parametrize("says", [True, False])
def test_full_disk_is_an_error(at: Bench, *, says: bool) -> None:
    at.run.log_path("snapshot").symlink_to("/dev/full")

    def action(context: StepContext) -> StepOutcome:
        if says:
            context.say("x")
        raise FULL

    record = execute(at, action)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert record.message.startswith("No space left on device: ")


def test_full_disk_does_not_hide_failure(at: Bench) -> None:
    at.run.log_path("snapshot").symlink_to("/dev/full")
    assert execute(at, raising(Failed("broken"))).message == "broken"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"track": "old"}, "no track old; known: trunk"),
        ({"component": "gone"}, "no component gone in trunk; known: greet"),
        (
            {"lab": "other"},
            "this is a run of the lab other, not of testlab (name its description with --lab or QALAB_LAB)",
        ),
    ],
)
def test_run_of_removed_track_or_component_is_refused(at: Bench, change: dict[str, str], message: str) -> None:
    at.run.write_info(at.run.info.model_copy(update=change))
    record = execute(at, lambda _: StepOutcome())
    assert (record.verdict, record.exit_code, record.message) == ("error", 2, message)


def test_context_of_action(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> None:
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


def test_log_has_output_of_programs(at: Bench) -> None:
    def action(context: StepContext) -> StepOutcome:
        context.say("before")
        result, lines = context.try_sh(["sh", "-c", "echo out\necho err >&2; exit 5"])
        assert (result.returncode, lines) == (5, ["out", "err"])  # the echoed command has two lines
        assert context.sh(["echo", "kept"], capture=True).stdout == "kept\n"
        return StepOutcome()

    assert execute(at, action).verdict == "passed"
    assert at.log("snapshot") == "before\n+ sh -c 'echo out\necho err >&2; exit 5'\nout\nerr\n+ echo kept\n"


@pytest.mark.parametrize(
    "verdict, stands",
    [("passed", None), ("skipped", None), ("failed", "failed"), ("running", "running"), ("", "not run")],
)
def test_step_needs_earlier_record(at: Bench, verdict: str, stands: str | None) -> None:
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


@pytest.mark.parametrize("error", [FULL, Failed("broken"), InfrastructureError("mirror is gone")])
def test_bug_log_is_for_bugs_only(at: Bench, tmp_path: Path, error: Exception) -> None:
    execute(at, raising(error))
    assert not (tmp_path / "state/qalab/bugs").exists()
