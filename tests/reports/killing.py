"""A publisher that is killed at a write to a file, a statement to a database, or a request to a server.

A separate process without threads forks for each requested pass: ``python -m tests.reports.killing``
reads a line of JSON (where; after how many such events SIGKILL comes, 0 for never), and answers with how many came.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from lab.config.loading import load
from tests.reports.publishing import HOUSE, Press, Time

WRITES = frozenset({
    "os.rename", "os.remove", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.truncate", "os.utime",
    "http.client.send", "smtplib.send",
})  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR


@dataclass
class Killer:
    """The process of a publisher; ``publish`` makes a pass in it."""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reports.killing"], cwd=HOUSE, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def publish(self, home: Path, state: Path, private: str, at: int = 0, days: int = 0) -> tuple[int, int]:
        """Return the exit code of the process, and the number of events until then."""
        assert self.process.stdin
        assert self.process.stdout
        order = {"home": str(home), "state": str(state), "private": private, "at": at, "days": days}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        code, count = json.loads(self.process.stdout.readline())
        return code, count


def serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            work(order, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            count = len(stream.read())
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), count]) + "\n")
        sys.stdout.flush()


def work(order: dict[str, Any], events: int) -> None:
    """Make a pass in a separate process; write a byte for each event."""
    os.environ["XDG_STATE_HOME"] = order["state"]
    os.environ |= {f"QALAB_PUBLIC_JENKINS_{name}": value for name, value in (("USER", "admin"), ("TOKEN", "secret"))}
    code = 70
    try:
        home = Path(order["home"])
        time = Time()
        time.sleep(order["days"] * 86_400)
        private = SimpleNamespace(url=order["private"], credentials=("admin", "secret"))
        press = Press(load(home / "lab.yaml"), home, private, time)
        counter = Counter(order["at"], events)
        sqlite3.connect = partial(connect, counter)
        sys.addaudithook(counter)
        report = press.run()
        code = 0 if not report.lines else 1
        os.write(2, "".join(f"{line}\n" for line in report.lines).encode())
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def connect(counter: Counter, *arguments: Any, **options: Any) -> sqlite3.Connection:
    base = sqlite3.Connection(*arguments, **options)
    base.set_trace_callback(lambda _: counter.one())
    return base


class Counter:
    """A counter of events that kills the process at a given event."""

    def __init__(self, at: int, events: int) -> None:
        self.left, self.events = at, events

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in WRITES or (event == "open" and arguments[2] & WRITING):
            self.one()

    def one(self) -> None:
        os.write(self.events, b".")
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve()
