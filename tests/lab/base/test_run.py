"""The only way to run programs: their environment and output, and their end with a timeout or their parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from lab.base import files
from lab.base import run as door
from lab.base.errors import ConfigurationError
from lab.base.run import PACKAGES, ProgramFailed, TimedOut, attempt, complaint, echo, last_words, output, run
from tests.processes import HOUSE, alive, pid_in, python, wait_for

PARENT = """
import signal, sys
from pathlib import Path
from lab.base import files
from lab.base.errors import Aborted
from lab.base.run import run
def ended(number, frame):
    raise Aborted("ended by a signal")
signal.signal(signal.SIGTERM, ended)
with files.locked(Path(sys.argv[2])) as lock:
    try:
        run(["sh", "-c", sys.argv[1]], keep=[lock] if "keep" in sys.argv else [])
    except BaseException as error:
        print(type(error).__name__, flush=True)
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[IO[str]]:
    with (tmp_path / "log").open("w", encoding="utf-8", errors="surrogateescape") as stream:
        yield stream


def logged(tmp_path: Path) -> bytes:
    return (tmp_path / "log").read_bytes()


@pytest.mark.parametrize("status", [0, 1, 4, 127, 255])
def test_run_returns_exit_status(status: int) -> None:
    result = run(["sh", "-c", f"exit {status}"], check=False)
    assert (result.returncode, bool(result), result.argv[0]) == (status, status == 0, "sh")


@pytest.mark.parametrize(
    "script, message",
    [
        ("exit 3", "sh -c 'exit 3' ended with status 3"),
        ("kill -SEGV $$", "sh -c 'kill -SEGV $$' was killed by SIGSEGV"),
        ("kill -KILL $$", "sh -c 'kill -KILL $$' was killed by SIGKILL"),
        ("kill -40 $$", "sh -c 'kill -40 $$' was killed by signal 40"),  # a real-time signal without a name
    ],
)
def test_run_failure_message_names_status_or_signal(script: str, message: str) -> None:
    with pytest.raises(ProgramFailed) as caught:
        run(["sh", "-c", script])
    assert str(caught.value) == message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "program, message",
    [
        ("dput", "the program dput is not on this machine (apt-get install dput, or ./qalab setup"),
        ("debsign", "the program debsign is not on this machine (apt-get install devscripts, or ./qalab setup"),
        ("frobnicate", "the program frobnicate is not on this machine"),
        ("./frobnicate", "the program ./frobnicate is not on this machine"),
        ("/etc/passwd", "the program /etc/passwd is not on this machine"),
    ],
)
def test_run_of_missing_program_names_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, message: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError) as caught:
        run([program], check=False)
    assert str(caught.value).startswith(message)


def test_packages_of_programs_are_in_bindep() -> None:
    listed = {line.split()[0] for line in (HOUSE / "bindep.txt").read_text().splitlines() if line.strip()}
    assert set(PACKAGES.values()) - {"apt"} <= listed


def test_run_of_relative_path_uses_working_directory(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("#!/bin/sh\npwd\n")
    (tmp_path / "rules").chmod(0o755)
    assert output(["./rules"], cwd=tmp_path) == str(tmp_path)


def test_run_closes_standard_input() -> None:
    assert output(["cat"]) == ""
    assert run(["cat"], stdin=b"said\n", capture=True).stdout == "said\n"


def test_run_environment_is_clean(monkeypatch: pytest.MonkeyPatch, own_home: Path) -> None:
    for name in ("GIT_DIR", "GIT_AUTHOR_NAME", "LD_LIBRARY_PATH", "PYTHONPATH", "BASH_ENV", "DEB_BUILD_OPTIONS",
                 "QALAB_JENKINS_TOKEN", "AWS_SECRET_ACCESS_KEY", "MAKEFLAGS", "APT_CONFIG"):  # fmt: skip
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LD_PRELOAD", "/nowhere/secret.so")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    lines = output(["env"], env={"DEB_BUILD_PROFILES": "nocheck"}).splitlines()
    given = dict(line.split("=", 1) for line in lines)
    assert "secret" not in "\n".join(lines)
    assert given["HOME"] == str(own_home)
    assert given["DEB_BUILD_PROFILES"] == "nocheck"
    assert given["http_proxy"] == "http://proxy.example:3128"
    assert (given["LC_ALL"], given["LANG"], given["TZ"]) == ("C.UTF-8", "C.UTF-8", "UTC")
    assert (given["DEBIAN_FRONTEND"], given["GIT_TERMINAL_PROMPT"]) == ("noninteractive", "0")
    assert {"/usr/local/sbin", "/usr/sbin", "/sbin"} <= set(given["PATH"].split(":"))


ODD = [
    "",
    " ",
    "a b",
    "'",
    '"',
    "$HOME",
    "`id`",
    "$(id)",
    "a\nb",
    "\\",
    "*",
    "é",
    "!",
    "~",
    "#x",
    "a;b",
    "-n",
    "\udce9",
]


def test_log_echo_can_be_pasted(tmp_path: Path, log: IO[str]) -> None:
    argv = ["printf", "%s,", *ODD]
    output = run(argv, log=log, capture=True).stdout
    pasted = logged(tmp_path).removeprefix(b"+ ")
    assert output == ",".join([*ODD, ""])
    assert (
        subprocess.run(["sh"], input=pasted, capture_output=True, check=True).stdout.decode(errors="surrogateescape")
        == output
    )
    assert echo(argv).encode("utf-8", "surrogateescape") == logged(tmp_path)


def test_log_has_command_and_output(tmp_path: Path, log: IO[str]) -> None:
    run(["sh", "-c", "echo out; echo err >&2; exit 1"], log=log, check=False)
    log.write("after\n")
    log.flush()
    assert logged(tmp_path) == b"+ sh -c 'echo out; echo err >&2; exit 1'\nout\nerr\nafter\n"


@pytest.mark.parametrize(
    "script, message",
    [
        ("echo working; echo 'tar: xz: Cannot exec'; echo 'tar: exiting now'; exit 2", "tar: xz: Cannot exec"),
        ("echo 'E: no luck' >&2; echo; exit 1", "E: no luck"),
        ("printf 'caf\\351'; exit 1", "caf\ufffd"),
        (f"echo {'x' * 300}; exit 1", f"{'x' * 95} ... {'x' * 100}"),
    ],
)
def test_run_failure_message_has_error_line(log: IO[str], script: str, message: str) -> None:
    run(["echo", "fatal: of another program"], log=log)
    with pytest.raises(ProgramFailed) as caught:
        run(["sh", "-euc", script], log=log)
    assert str(caught.value).partition(" ended with status ")[2][3:] == message


@pytest.mark.parametrize("kind", ["pipe", "journal"])
def test_run_with_log_that_cannot_be_read(kind: str) -> None:
    """Standard error is a pipe in a pipeline, and a socket in a unit of systemd."""
    ours, theirs = socket.socketpair() if kind == "journal" else map(os.fdopen, os.pipe(), ("rb", "wb"))
    with ours, theirs:
        with (
            os.fdopen(os.dup(theirs.fileno()), "w") as log,
            pytest.raises(ProgramFailed, match=r"ended with status 3$"),
        ):
            run(["sh", "-c", "echo said; exit 3"], log=log)
        theirs.close()
        with os.fdopen(os.dup(ours.fileno()), "rb") as reader:
            assert reader.read() == b"+ sh -c 'echo said; exit 3'\nsaid\n"


def test_run_capture_logs_standard_error_only(tmp_path: Path, log: IO[str]) -> None:
    assert run(["sh", "-c", "echo out; echo err >&2"], log=log, capture=True).stdout == "out\n"
    assert logged(tmp_path).splitlines()[1:] == [b"err"]


def test_run_keeps_bytes_that_are_not_utf8(tmp_path: Path, log: IO[str]) -> None:
    script = r"printf 'caf\351 \377\000\n'"
    raw = b"caf\xe9 \xff\x00\n"
    assert run(["sh", "-c", script], capture=True).stdout.encode("utf-8", "surrogateescape") == raw
    run(["sh", "-c", script], log=log)
    assert logged(tmp_path).endswith(b"\n" + raw)


def test_run_with_large_output_does_not_hang(tmp_path: Path, log: IO[str]) -> None:
    script = "head -c 3000000 /dev/zero >&2 & cat; head -c 3000000 /dev/zero; wait"
    result = run(["sh", "-c", script], log=log, capture=True, stdin=b"x" * 1_000_000, timeout=60)
    assert len(result.stdout) == 4_000_000
    assert logged(tmp_path).count(b"\0") == 3_000_000


LIMITS = (0.5, 4, 30)  # the first that is long enough for a program to have begun


def overdue(script: str, begun: Path, **options: Any) -> TimedOut:
    """Run a script that writes a process id to a file and does not end, until its timeout."""
    for limit in LIMITS:
        begun.unlink(missing_ok=True)
        with pytest.raises(TimedOut) as caught:
            run(["sh", "-c", script], timeout=limit, **options)
        if begun.exists() and begun.read_text().endswith("\n"):
            assert str(caught.value) == f"sh did not end within {limit:g} seconds"
            return caught.value
    pytest.fail(f"{begun} was not written")


@pytest.mark.parametrize("stubborn", [False, True])
def test_timeout_ends_process_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stubborn: bool) -> None:
    monkeypatch.setattr(door, "GRACE_SECONDS", 0.3)
    script = f"{'trap : TERM;' * stubborn} sleep 300 & echo $! >{tmp_path}/grandchild; while :; do sleep 300; done"
    error = overdue(script, tmp_path / "grandchild")
    assert (error.exit_code, error.verdict) == (3, "error")
    assert wait_for(lambda: not alive(pid_in(tmp_path / "grandchild")))


def test_timeout_does_not_wait_for_daemon(tmp_path: Path) -> None:
    overdue(f"setsid sh -c 'echo $$ >{tmp_path}/daemon; exec sleep 300' & sleep 300", tmp_path / "daemon", capture=True)
    daemon = pid_in(tmp_path / "daemon")
    assert alive(daemon), "its end was waited for"
    os.kill(daemon, signal.SIGKILL)


def test_timeout_ends_foreground_program(tmp_path: Path) -> None:
    overdue(f"echo $$ >{tmp_path}/pid; exec sleep 300", tmp_path / "pid", foreground=True)
    assert not alive(pid_in(tmp_path / "pid"))


def test_foreground_program_stays_in_session() -> None:
    script = "cut -d ' ' -f 6 /proc/$$/stat"  # proc_pid_stat(5): session
    sessions = [int(run(["sh", "-c", script], capture=True, foreground=ours).stdout) for ours in (True, False)]
    assert sessions[0] == os.getsid(0)
    assert sessions[1] != os.getsid(0)


@pytest.mark.parametrize("number, name", [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Aborted")])
def test_interruption_ends_process_group(tmp_path: Path, number: signal.Signals, name: str) -> None:
    script = f"sleep 300 & echo $! >{tmp_path}/grandchild; echo $$ >{tmp_path}/child; wait"
    with python(PARENT, script, tmp_path / "lock") as parent:
        pids = [pid_in(tmp_path / "child"), pid_in(tmp_path / "grandchild")]
        assert all(map(alive, pids))
        parent.send_signal(number)
        assert parent.communicate(timeout=60)[0] == f"{name}\n"
    assert wait_for(lambda: not any(map(alive, pids)))


def test_killed_parent_ends_child(tmp_path: Path) -> None:
    with python(PARENT, f"echo $$ >{tmp_path}/child; exec sleep 300", tmp_path / "lock") as parent:
        child = pid_in(tmp_path / "child")
        assert alive(child)
        parent.kill()
        parent.wait()
    assert wait_for(lambda: not alive(child))


@pytest.mark.parametrize("keep", [["keep"], []])
def test_orphan_keeps_passed_lock(tmp_path: Path, keep: list[str]) -> None:
    lock = tmp_path / "lock"
    script = f"trap '' TERM; echo $$ >{tmp_path}/child; exec sleep 300"  # it will not hear that its parent died
    with python(PARENT, script, lock, *keep) as parent:
        orphan = pid_in(tmp_path / "child")
        assert files.is_locked(lock)
        parent.kill()
        parent.wait()
    try:
        assert alive(orphan)
        assert files.is_locked(lock) == bool(keep)
    finally:
        os.kill(orphan, signal.SIGKILL)
    assert wait_for(lambda: not files.is_locked(lock))


def test_attempt_logs_arguments_that_are_not_utf8(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8", errors="surrogateescape") as log:
        result, lines = attempt(["printf", "%s", "a\udcff"], log)
    assert result
    assert lines == ["a\ufffd"]


def test_log_keeps_what_a_program_writes_to_its_standard_error_by_name(tmp_path: Path) -> None:
    """As autopkgtest(1) does with tee -a /dev/stderr."""
    script = "echo one; echo two | tee -a /dev/stderr > /dev/null; echo three"
    with (tmp_path / "log").open("w") as log:
        assert attempt(["sh", "-c", script], log)[1] == ["one", "two", "three"]
        run(["sh", "-c", script], log=log)
        log.write("four\n")
    words = ["one", "two", "three"]
    shown = [line for line in (tmp_path / "log").read_text().splitlines() if not line.startswith("+")]
    assert shown == [*words, *words, "four"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["mount: /x: wrong fs type", "       dmesg(1) may have more information after failed mount system call."], "mount: /x: wrong fs type"),
        (["Job for a.service failed because b.", 'See "systemctl status a.service" and "journalctl -xeu a.service" for details.', ""],
         "Job for a.service failed because b."),
        (["Action 'start' failed.", "The Apache error log may have more information."], "Action 'start' failed."),
        (["one", " two "], "two"),
        (["dmesg(1) may have more information after failed mount system call."],
         "dmesg(1) may have more information after failed mount system call."),
        (["x" * 300], f"{'x' * 95} ... {'x' * 100}"),
        (["", "  "], ""),
    ],
    ids=["mount", "systemctl", "apachectl", "plain", "nothing else", "long", "nothing"],
)  # fmt: skip
def test_last_words_are_no_hint(lines: list[str], expected: str) -> None:
    assert last_words(lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["begin", " error: no key", "error: exiting"], "error: no key"),
        (["mount: /x: wrong fs type", "dmesg(1) may have more information after failed mount system call."], "mount: /x: wrong fs type"),
        (["one", "two", ""], "two"),
        ([], ""),
    ],
    ids=["first complaint", "hint", "plain", "nothing"],
)  # fmt: skip
def test_complaint(lines: list[str], expected: str) -> None:
    assert complaint(lines) == expected
