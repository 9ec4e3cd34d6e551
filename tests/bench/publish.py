"""What publishing costs: builds a second against Jenkins doubles, memory with a log of 2 GB, requests when all is quiet."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import click

from lab.config.loading import load
from tests.jenkins.double import Double
from tests.reports.publishing import HOUSE, OWNED, Press, a_jenkins_build, a_lab, make_receivers, quick

BUILDS = 300
COMPONENTS = tuple(f"component-{number:02}" for number in range(12))
JOBS = 500
GIGABYTES = 2
LINE = b"a line of a log with 10.1.2.3 and a word of sense, as long as they usually are, or a little longer\r\n"
BLOCK = LINE * 10_000


def builds_a_second(home: Path) -> str:
    with Double() as private, Double(run=quick) as public:
        lab = a_lab(home, COMPONENTS, jenkins={"url": private.url}, public={"jenkins": {"url": public.url}})
        make_receivers(public, lab, home)
        for number in range(1, BUILDS // len(COMPONENTS) + 1):
            for component in COMPONENTS:
                a_jenkins_build(private, lab, component, number, "failed" if number % 3 == 0 else "passed")
        begin = time.monotonic()
        report = Press(lab, home, private).run()
        seconds = time.monotonic() - begin
        assert not report.lines, report.lines
        asked = len(private.requests), len(public.requests)
        again = time.monotonic()
        Press(lab, home, private).run()
        quiet = time.monotonic() - again
    per = f"{asked[0] / BUILDS:.1f} requests to the private and {asked[1] / BUILDS:.1f} to the public Jenkins each"
    return f"{report.bundled} builds to site and public Jenkins: {seconds:.1f} s, {BUILDS / seconds:.1f} a second, {per}; then nothing new: {quiet:.2f} s"


def nothing_new(home: Path) -> str:
    names = tuple(f"c{number:03}" for number in range(JOBS))
    with Double() as private:
        lab = a_lab(home, names, jenkins={"url": private.url}, publish={"jobs": []})
        owned = OWNED.replace("<", "&lt;").replace(">", "&gt;")
        for name in names:
            private.create(f"trunk-{name}-build", f"<project><description>{owned}</description></project>")
            private.add_build(f"trunk-{name}-build")
        Press(lab, home, private).run()
        before, begin = len(private.requests), time.monotonic()
        Press(lab, home, private).run()
        seconds = time.monotonic() - begin
    return f"{JOBS} jobs with nothing new: {len(private.requests) - before} requests, {seconds:.2f} s"


class Endless(BaseHTTPRequestHandler):
    """A Jenkins with one build, whose log is long and is made as it is read."""

    def do_GET(self) -> None:
        build = {"number": 1, "timestamp": 1_767_225_600_000, "building": False, "result": "FAILURE", "duration": 1000}
        job = {"name": "trunk-greet-build", "description": OWNED, "lastCompletedBuild": build}
        path = self.path.partition("?")[0]
        answers = {
            "/api/json": {"jobs": [job]},
            "/queue/api/json": {"items": []},
            "/job/trunk-greet-build/api/json": {"allBuilds": [build]},
            "/job/trunk-greet-build/1/api/json": {**build, "artifacts": [], "actions": []},
        }
        if path.endswith("progressiveText"):
            self.log_of(int(GIGABYTES * 10**9) // len(BLOCK))
        elif path in answers:
            self.say(200, json.dumps(answers[path]).encode())
        else:
            self.say(404, b"")

    def log_of(self, blocks: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(blocks * len(BLOCK)))
        self.send_header("X-Text-Size", str(blocks * len(BLOCK)))
        self.end_headers()
        for _ in range(blocks):
            self.wfile.write(BLOCK)

    def say(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def endless() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def a_long_log(home: Path) -> str:
    with endless() as url:
        a_lab(home, jenkins={"url": url})
        begin = time.monotonic()
        argv = [sys.executable, "-m", "tests.bench.publish", "--one", home, "--url", url]
        done = subprocess.run(argv, cwd=HOUSE, check=True, capture_output=True, text=True)
        seconds = time.monotonic() - begin
    memory, size = json.loads(done.stdout)
    return f"a log of {GIGABYTES} GB: {memory / 1000:.0f} MB of memory (aim: under 150), {seconds:.0f} s, bundle of {size} bytes"


def one_pass(home: Path, url: str) -> None:
    """A pass in this process: its memory in kilobytes, and the size of the bundle it made."""
    press = Press(load(home / "lab.yaml"), home, SimpleNamespace(url=url, credentials=("", "")), timeout=60.0)
    report = press.run()
    assert not report.lines, report.lines
    (path,) = press.place.bundles.glob("*/*.tar.gz")
    click.echo(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, path.stat().st_size]))


@click.command()
@click.option("--one", type=click.Path(path_type=Path), hidden=True)
@click.option("--url", default="", hidden=True)
def main(one: Path | None, url: str) -> None:
    """Measure it all; a line each."""
    if one:
        one_pass(one, url)
        return
    os.environ |= {f"QALAB_PUBLIC_JENKINS_{name}": value for name, value in (("USER", "admin"), ("TOKEN", "secret"))}
    for measure in (builds_a_second, nothing_new, a_long_log):
        with tempfile.TemporaryDirectory() as directory:
            os.environ["XDG_STATE_HOME"] = f"{directory}/state"
            click.echo(measure(Path(directory)))


if __name__ == "__main__":
    main()
