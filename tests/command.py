"""The command in a process of its own, without the time to import it: a server forks it.

`qalab` runs the same code as ``qalab.py``, with its own arguments, environment, directory, output and exit code.
The server has a single thread, so that a fork of it is whole.  One server serves a test session.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import IO, Any

HOUSE = Path(__file__).parent.parent
LIMIT_SECONDS = 1800  # a build beside other work


def qalab(*argv: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command at a terminal width of 100 columns and return what it printed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        words = [str(word) for word in argv]
        env = os.environ | {"COLUMNS": "100"}
        server = _server()
        assert server.stdin
        assert server.stdout
        request = {"argv": words, "cwd": str(cwd or Path.cwd()), "env": env, "out": _path(out), "err": _path(err)}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), err.read())


def _path(file: IO[str]) -> str:
    return f"/proc/{os.getpid()}/fd/{file.fileno()}"


@cache
def _server() -> subprocess.Popen[str]:
    """Start the server; it ends with this process, when its standard input is closed."""
    argv = [sys.executable, "-m", "tests.command"]
    return subprocess.Popen(argv, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def serve() -> None:
    """Fork the command for each line of standard input, and print its exit code."""
    from cli.main import VERBS, main  # noqa: PLC0415 - for the server alone

    for module in VERBS.values():
        __import__(module)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(json.loads(line))
            _end(main)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _end(main: Callable[[], object]) -> None:
    """Run the command and end the process without taking apart what it has from the server, which costs most of its time."""
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _become(request: dict[str, Any]) -> None:
    """Take the arguments, environment, directory and output of a request."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    for number, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), number)
    signal.alarm(LIMIT_SECONDS)  # a command that hangs does not hang the suite
    sys.argv = [str(HOUSE / "qalab.py"), *request["argv"]]


if __name__ == "__main__":
    serve()
