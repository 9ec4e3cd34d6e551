"""The only way to run other programs.

Programs get an argument list, a clean environment and closed standard input.  The command is echoed so that it can be pasted
into a shell, the output goes directly to the step's log, a time limit applies, and the whole process group ends with qalab.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol, TypedDict, Unpack

from lab.base import environment, signals
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.text import without_middle

GRACE_SECONDS = 20.0
SETPRIV = "/usr/bin/setpriv"  # of util-linux, which is essential
Word = str | Path
COMPLAINT = re.compile(r"\b(error|fatal|cannot|denied|no such|no space)\b", re.IGNORECASE)
LONGEST = 200
# Where to look, and not what is wrong: mount(8), apachectl(8) and systemctl(1) end with it.
HINT = re.compile(r'\bmay have more information\b|^See "systemctl status |"?journalctl -xe')

# The Debian packages of programs.  Checked by `qalab doctor`, installed by `qalab setup`.
PACKAGES = {
    "apt-get": "apt",
    "debdiff": "devscripts",
    "debsign": "devscripts",
    "autodep8": "autodep8",
    "autopkgtest": "autopkgtest",
    "diffoscope": "diffoscope-minimal",
    "dnsmasq": "dnsmasq-base",
    "dose-builddebcheck": "dose-builddebcheck",
    "dose-debcheck": "dose-distcheck",
    "dpkg-genbuildinfo": "dpkg-dev",
    "dpkg-genchanges": "dpkg-dev",
    "dpkg-source": "dpkg-dev",
    "dput": "dput",
    "gbp": "git-buildpackage",
    "git": "git",
    "git-lfs": "git-lfs",
    "gpg": "gnupg",
    "lintian": "lintian",
    "mk-origtargz": "devscripts",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "newuidmap": "uidmap",
    "nsenter": "util-linux",
    "mke2fs": "e2fsprogs",
    "patch": "patch",
    "ping": "iputils-ping",
    "piuparts": "piuparts",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "sbuild": "sbuild",
    "schroot": "schroot",
    "sfdisk": "fdisk",
    "sftp": "openssh-client",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "xz": "xz-utils",
    "zstd": "zstd",
}


@dataclass(frozen=True)
class Result:
    """The result of a program: its exit status (negative: the signal that ended it) and its output.

    ``complaint``: the most informative line in the log, for an unexpected failure.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str = ""
    complaint: str = ""

    def __bool__(self) -> bool:
        return self.returncode == 0


class ProgramFailed(InfrastructureError):
    """A program ended with an unexpected status."""

    def __init__(self, result: Result) -> None:
        ended = f"ended with status {result.returncode}"
        if result.returncode < 0:
            ended = f"was killed by {signal_name(-result.returncode)}"
        super().__init__(f"{shlex.join(result.argv[:3])} {ended}{': ' * bool(result.complaint)}{result.complaint}")
        self.result = result


class TimedOut(LabError):
    """A program did not end within its time limit."""

    exit_code = 3
    verdict = "error"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals have no name
        return f"signal {number}"


def last_words(lines: Sequence[str]) -> str:
    """Return the last line that says something, and is no hint where to look; "" for none."""
    said = [line.strip() for line in lines if line.strip()]
    last = next((line for line in reversed(said) if not HINT.search(line)), said[-1] if said else "")
    return without_middle(last, LONGEST)


def complaint(lines: Sequence[str]) -> str:
    """Return the first line that complains, else the last words; "" for none."""
    return without_middle(next(filter(COMPLAINT.search, lines), "").strip(), LONGEST) or last_words(lines)


def echo(argv: Sequence[Word]) -> str:
    """Return a command for the log, ready to be pasted into a shell."""
    return f"+ {shlex.join(map(str, argv))}\n"


def missing_program(name: str) -> ConfigurationError:
    package = PACKAGES.get(name)
    hint = f"apt-get install {package}, or ./qalab setup for all that the lab needs" if package else ""
    return ConfigurationError(f"the program {name} is not on this machine", hint=hint)


class AttemptOptions(TypedDict, total=False):
    """The options of `attempt`; see `run`."""

    env: Mapping[str, str] | None
    timeout: float | None
    capture: bool
    stdin: bytes | None
    cwd: Path | None
    keep: Sequence[int]
    foreground: bool
    attached: bool


class CheckedOptions(AttemptOptions, total=False):
    """The options of `run` without the log."""

    check: bool


class RunOptions(CheckedOptions, total=False):
    """All options of `run`."""

    log: IO[str] | None


class Runner(Protocol):
    """A function that runs a program like `run`, possibly in another place."""

    def __call__(self, argv: Sequence[Word], **options: Unpack[RunOptions]) -> Result: ...


def run(  # noqa: PLR0913 - one function, each option by name
    argv: Sequence[Word],
    *,
    log: IO[str] | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    capture: bool = False,
    check: bool = True,
    stdin: bytes | None = None,
    keep: Sequence[int] = (),
    foreground: bool = False,
    attached: bool = False,
) -> Result:
    """Run a program to its end.

    ``log``: a file that gets the echoed command and the program's output (None: discarded); it has a descriptor.
    ``capture``: standard output is returned instead (decoded as UTF-8, surrogateescape) and only
    standard error is logged.  ``env`` adds to the clean environment; ``timeout`` is in seconds;
    ``keep`` are descriptors the child inherits (locks).  ``foreground``: the child stays in the
    session of the terminal and can ask there (sudo).  ``attached``: likewise, and it has the input and
    output of this process.
    Raises ConfigurationError for a missing program, ProgramFailed for a non-zero status with
    ``check``, TimedOut after the time limit.
    """
    words = [str(word) for word in argv]
    inherited = environment.clean()
    program = words[0] if "/" in words[0] else shutil.which(words[0], path=inherited["PATH"])
    if program is None or not os.access(Path(cwd or "", program), os.X_OK):
        raise missing_program(words[0])
    if log is not None:
        # A program can open its standard error again, as tee(1) does, and then two write at places of their own.
        fcntl.fcntl(log, fcntl.F_SETFL, fcntl.fcntl(log, fcntl.F_GETFL) | os.O_APPEND)
        log.write(echo(words))
        log.flush()
    mark = log.tell() if log is not None and _can_be_read(log) else 0
    sink = log.fileno() if log is not None else subprocess.DEVNULL
    process: subprocess.Popen[bytes] | None = None
    try:
        with signals.held_back():
            process = subprocess.Popen(  # noqa: S603 - a list of words, and no shell
                # The child ends with this process, even after SIGKILL: see prctl(2), PR_SET_PDEATHSIG.
                [SETPRIV, "--pdeathsig", "TERM", "--", program, *words[1:]],
                cwd=cwd,
                env=inherited | dict(env or {}),
                stdin=None if attached else subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=None if attached else subprocess.PIPE if capture else sink,
                stderr=None if attached else sink,
                start_new_session=not (foreground or attached),
                pass_fds=tuple(keep),
            )
        out, _ = process.communicate(stdin, timeout=timeout)
    except BaseException as error:
        if process:
            end_group(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimedOut(f"{words[0]} did not end within {timeout:g} seconds") from error
        raise
    result = Result(tuple(words), process.returncode, (out or b"").decode("utf-8", "surrogateescape"))
    if check and not result:
        raise ProgramFailed(replace(result, complaint=_complaint(log, mark)))
    return result


def run_attached(argv: Sequence[Word], **options: Unpack[RunOptions]) -> Result:
    """Run a program with the input and output of this process; its status is in the result."""
    options["log"], options["attached"], options["check"] = None, True, False
    return run(argv, **options)


def attempt(argv: Sequence[Word], log: IO[str], **options: Unpack[AttemptOptions]) -> tuple[Result, list[str]]:
    """Run a program that can fail, see `run`; return also its lines, which are together in a log that others write to."""
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as own:
        try:
            result = run(argv, log=own, check=False, **options)
        finally:
            text = Path(own.name).read_text(encoding="utf-8", errors="surrogateescape")
            log.write(text)
            log.flush()
    shown = text.removeprefix(echo(argv)).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return result, shown.splitlines()


def _complaint(log: IO[str] | None, mark: int) -> str:
    """Return the reason of a failure from the log since ``mark``: the first complaint, else the last line."""
    if log is None or not _can_be_read(log):
        return ""
    lines = Path(log.name).read_bytes()[mark:].decode("utf-8", "replace").splitlines()
    return complaint(lines) or without_middle(_of_full_disk(log.name), LONGEST)


def _can_be_read(log: IO[str]) -> bool:
    """Return whether a log is a file with a name; standard error can be a pipe, or the journal of systemd."""
    return log.seekable() and isinstance(log.name, str) and Path(log.name).is_file()


def _of_full_disk(path: str) -> str:
    """Return what a program could not say in its log, because there was no room for it; "" where there is."""
    return "" if os.statvfs(path).f_bavail else f"{os.strerror(errno.ENOSPC)}: {path}"


def output(argv: Sequence[Word], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Return a program's standard output without its last line end.  Raises ProgramFailed."""
    return run(argv, cwd=cwd, env=env, capture=True).stdout.rstrip("\n")


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: SIGTERM, some seconds of grace, SIGKILL."""
    _signal_group(process, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal_group(process, signal.SIGKILL)
        for pipe in filter(None, (process.stdin, process.stdout)):
            with suppress(OSError):  # not read to its end: a daemon that left the group can keep it open
                pipe.close()
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:  # it has ended, or is in the foreground and so in this process's group
        with suppress(PermissionError):  # sudo reacts only to its terminal
            process.send_signal(number)
