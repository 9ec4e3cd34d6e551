"""A broken or hostile Jenkins: each answer is one line, the rest is published, within limits of bytes and time."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.base.clock import Clock
from lab.base.errors import LabError
from lab.config.access import Access
from lab.config.description import Lab
from lab.config.jenkins import Connection
from lab.config.jenkins_failures import JenkinsSlow
from reports import home
from reports.outputs.delivery import Output
from reports.publish import Publisher
from reports.publish_report import PublishReport
from reports.redact.publication import Publication
from reports.sources.jenkins import JenkinsSource
from tests.impostor import Impostor, Reply, for_ever
from tests.reports.publishing import OWNED, Time, a_lab

ODD, GOOD = "trunk-greet-build", "trunk-other-build"
STARTED = 1_767_225_600_000
INFO = {"timestamp": STARTED, "duration": 1000, "result": "SUCCESS", "artifacts": [], "actions": []}


def listed(name: str, **changed: Any) -> dict[str, Any]:
    last = {"number": 1, "timestamp": STARTED}
    return {"name": name, "description": OWNED, "lastCompletedBuild": last} | changed


def usual(path: str) -> Reply:
    """Answer as a Jenkins with two jobs of a lab, one good."""
    answers: dict[str, dict[str, Any]] = {
        "/queue/": {"items": []},
        "jobs[": {"jobs": [listed(ODD), listed(GOOD)]},
        "allBuilds": {"allBuilds": [{"number": 1, "timestamp": STARTED, "building": False, "result": "SUCCESS"}]},
        "api/json": INFO,
    }
    if "testReport" in path:
        return Reply(status=404)
    if found := next((body for part, body in answers.items() if part in path), None):
        return Reply(found)
    return Reply("a log\n", {"X-Text-Size": "6"})


@pytest.fixture(scope="module")
def server() -> Iterator[Impostor]:
    with Impostor(usual) as one:
        yield one


@pytest.fixture
def jenkins(server: Impostor, tmp_path: Path) -> Impostor:
    server.odd, server.asked = {}, []
    return server


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.config.jenkins.PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr("lab.config.jenkins.MOST_BYTES", 1_000_000)
    monkeypatch.setattr("reports.sources.jenkins_files.MOST_LOG_BYTES", 1_000_000)
    monkeypatch.setattr("reports.sources.jenkins.MOST_PAGES", 3)
    monkeypatch.setattr("reports.sources.jenkins_files.MOST_PAGES", 3)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return a_lab(tmp_path_factory.mktemp("lab"), ("greet", "other"), jenkins={"url": "http://127.0.0.1:1/"})


def passed(jenkins: Impostor, lab: Lab, tick: float = 0.0) -> tuple[PublishReport, list[str]]:
    """Make one pass; return its report and the jobs of the published builds.  The clock advances by ``tick`` at each look."""
    moment = [0.0]

    def monotonic() -> float:
        moment[0] += tick
        return moment[0]

    connection = Connection(Access(jenkins.url, timeout=30.0), Clock(monotonic))
    outputs: dict[str, Output] = {}
    with home.opened(lab) as (place, journal):
        sources = {"jenkins": JenkinsSource(lab, connection)}
        report = Publisher(place, journal, Publication.of(lab), sources, outputs, Time().now).run()
        return report, [entry.job for entry in journal.builds.published()]


INTERNAL = Reply("INTERNAL: role=admin", {"X-Text-Size": "20"})
ELSEWHERE = {"Location": "http://127.0.0.2:9/latest/meta-data"}
DEEP = "[" * 200_000
BUILDS = rf"{ODD}/api/json.*allBuilds"
BUILD = rf"{ODD}/1/api/json"
LOG = rf"{ODD}/1/logText"
FILES = {**INFO, "artifacts": [{"relativePath": "run.json"}]}
RECORD = {"schema": 2, "step": "sbuild", "component": "greet", "track": "trunk", "series": "bookworm", "architecture": "amd64",
          "verdict": "passed", "started": "2026-01-01T00:00:00Z", "finished": "never", "log": "results/sbuild.log"}  # fmt: skip

# What is odd, the answers, the line, and whether the odd build is published, too.
ANSWERS: list[tuple[str, dict[str, Reply], str, bool]] = [
    ("log redirects elsewhere", {LOG: Reply(status=302, headers=ELSEWHERE)}, "redirects to http://127.0.0.2:9|redirects GET job/.* to http://127.0.0.2:9/latest", False),
    ("info redirects elsewhere", {BUILD: Reply(status=302, headers=ELSEWHERE)}, "redirects", False),
    ("redirects in a circle", {BUILD: Reply(status=302, headers={"Location": "?again"})}, "redirects|Exceeded", False),
    ("info never ends", {BUILD: Reply(for_ever(b" " * 65_536))}, "is larger than 1000000 bytes", False),
    ("log never ends", {LOG: Reply(for_ever(b"x" * 65_536), {"X-Text-Size": "9"})}, "is larger than 1000000 bytes", False),
    ("log always has more", {LOG: Reply("x", {"X-Text-Size": "9" * 9, "X-More-Data": "true"})}, "", True),
    ("info is a list", {BUILD: Reply([1, 2])}, "is no JSON object", False),
    ("info is HTML", {BUILD: Reply("<html>")}, "answers with something else than JSON", False),
    ("info is deep", {BUILD: Reply(DEEP)}, "answers with something else than JSON", False),
    ("info is empty", {BUILD: Reply({})}, "timestamp: Field required", False),
    ("no bytes", {BUILD: Reply(b"")}, "answers with something else than JSON", False),
    ("no duration", {BUILD: Reply({k: v for k, v in INFO.items() if k != "duration"})}, "duration: Field required", False),
    ("endless duration", {BUILD: Reply({**INFO, "duration": 10**30})}, "duration: Input should be", False),
    ("negative duration", {BUILD: Reply({**INFO, "duration": -1})}, "duration: Input should be", False),
    ("result of a running build", {BUILD: Reply({**INFO, "result": None})}, "result: Input should be a valid string", False),
    ("actions of null", {BUILD: Reply({**INFO, "actions": [None, {}, {"parameters": [None]}]})}, "", True),
    ("actions are a text", {BUILD: Reply({**INFO, "actions": "none"})}, "actions: Input should be a valid tuple", False),
    ("number is a path", {BUILDS: Reply({"allBuilds": [{"number": "../1", "timestamp": 1, "building": False, "result": "X"}]})},
     "allBuilds.0.number: Input should be a valid integer", False),
    ("builds are missing", {BUILDS: Reply({})}, "allBuilds: Field required", False),
    ("builds have no end", {BUILDS: Reply({"allBuilds": [
        {"number": 9, "timestamp": STARTED, "building": False, "result": "SUCCESS"}] * 100})}, "has no end", False),
    ("job without a name", {"jobs\\[": Reply({"jobs": [{"x": 1}, listed(GOOD)]})}, "name: Field required", False),
    ("job is a text", {"jobs\\[": Reply({"jobs": ["greet", listed(GOOD)]})}, "a job: .*valid dictionary", False),
    ("start after the year 9999", {"jobs\\[": Reply({"jobs": [
        listed(ODD, lastCompletedBuild={"number": 1, "timestamp": 10**18}), listed(GOOD)]})}, "timestamp: Input should be less", False),
    ("size of the log is a word", {LOG: Reply("x", {"X-Text-Size": "abc"})}, "X-Text-Size: 'abc' is not a number", False),
    ("test report of the wrong shape", {rf"{ODD}/1/testReport": Reply({"suites": {"cases": 1}})}, "suites: Input should be", False),
    ("test report without suites", {rf"{ODD}/1/testReport": Reply({})}, "suites: Field required", False),
    ("a file that is a directory, too", {BUILD: Reply({**INFO, "artifacts": [
        {"relativePath": "results/a"}, {"relativePath": "results/a/b"}]})}, "", True),
    ("record of the wrong shape", {BUILD: Reply(FILES), "run.json": Reply([1])}, "artifact run.json of .*: is no record", False),
    ("log ends in the middle", {rf"{LOG}.*start=1": Reply(), LOG: Reply("x", {"X-Text-Size": "1", "X-More-Data": "true"})},
     "X-Text-Size: '' is not a number", False),
    ("names that no file system takes", {BUILD: Reply({**INFO, "artifacts": [
        {"relativePath": f"results/{name}"} for name in ("n" * 256, "é" * 130, "d/" * 3000 + "n")]})}, "", True),
    ("queue of the wrong shape", {"/queue/": Reply({"items": [{}]})}, "what waits and runs: .*inQueueSince: Field required", True),
    ("queue is a list", {"/queue/": Reply([])}, "what waits and runs: .*is no JSON object", True),
    ("queue is HTML", {"/queue/": Reply("<html>")}, "what waits and runs: .*something else than JSON", True),
    ("queue never ends", {"/queue/": Reply(for_ever(b" " * 65_536))}, "what waits and runs: .*is larger than", True),
    ("queue is on another host", {"/queue/": Reply(status=302, headers={"Location": "http://127.0.0.1:1/"})}, "what waits and runs: .*redirects", True),
    ("no queue", {"/queue/": Reply(status=404)}, "what waits and runs: .*nothing there", True),
    ("running build of the wrong shape", {"jobs\\[": Reply({"jobs": [
        listed(ODD, lastBuild={"number": "x", "building": True}), listed(GOOD, lastBuild=[7])]})}, "", True),
    ("agent is a number", {BUILD: Reply({**INFO, "builtOn": 7})}, "builtOn: Input should be a valid string", False),
    ("connection closed", {BUILD: Reply("{", {"Content-Length": "9"})}, "cannot be reached", False),
    ("name of half a character", {BUILD: Reply({**INFO, "artifacts": [{"relativePath": "results/\ud800"}, {"relativePath": "results/\udc80"}]})}, "", True),
    ("job of half a character", {"jobs\\[": Reply({"jobs": [{"name": "\ud800", "lastCompletedBuild": 7}, listed(GOOD)]})},
     "jenkins: \ufffd+: .*lastCompletedBuild: Input should be", False),
    ("half characters everywhere", {BUILD: Reply({**INFO, "builtOn": "\ud800", "actions": [{"parameters": [{"name": "\udfff", "value": "\ud800"}]}]})}, "", True),
    ("JSON in another encoding", {BUILD: Reply(json.dumps(INFO).encode("utf-16"))}, "answers with something else than JSON", False),
    ("a part of the info", {BUILD: Reply(INFO, status=206)}, "api/json: answers with the status 206", False),
    ("status that is none", {BUILD: Reply(INFO, status=999)}, "api/json: answers with the status 999", False),
    ("no content", {BUILD: Reply(status=204)}, "api/json: answers with the status 204", False),
    ("log that is a page without a type", {LOG: Reply("<!doctype html><title>Login</title>")}, "X-Text-Size: '' is not a number", False),
    ("gzip bomb", {BUILD: Reply(gzip.compress(b" " * 9_000_000), {"Content-Encoding": "gzip"})}, "is larger than 1000000 bytes", False),
    ("gzip stream without its end", {BUILD: Reply(gzip.compress(json.dumps(INFO).encode())[:-8], {"Content-Encoding": "gzip"})},
     "cannot be reached: Compressed file ended", False),
    ("log in half a gzip stream", {LOG: Reply(gzip.compress(bytes(range(256)) * 40)[:99], {"Content-Encoding": "gzip", "X-Text-Size": "10240"})},
     "cannot be reached: Compressed file ended", False),
    ("encodings of encodings", {BUILD: Reply("x", {"Content-Encoding": "gzip, " * 99 + "gzip"})}, "Too many content encodings", False),
]  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case[0])
def test_odd_answer_is_one_line(
    jenkins: Impostor, described: Lab, case: tuple[str, dict[str, Reply], str, bool]
) -> None:
    _, jenkins.odd, line, is_published = case
    report, published = passed(jenkins, described)
    assert published == [ODD, GOOD][not is_published :]
    assert len(report.lines) == bool(line)
    assert all(re.search(line, one) and "\n" not in one and "a bug in qalab" not in one for one in report.lines)


@pytest.mark.parametrize(
    "answers, line",
    [
        ({LOG: Reply(for_ever(b"x"), {"X-Text-Size": "9"})}, "takes longer than 1800 seconds"),
        ({BUILD: Reply(for_ever(b" "))}, "takes longer than 1800 seconds"),
    ],
)
def test_slow_answer_ends(jenkins: Impostor, described: Lab, answers: dict[str, Reply], line: str) -> None:
    jenkins.odd = answers
    report, published = passed(jenkins, described, tick=500.0)
    assert published == [GOOD]
    assert len(report.lines) == 1
    assert line in report.lines[0]


@pytest.mark.parametrize(
    "part, tick, line",
    [(b"x" * 65_536, 0.0, "is larger than 1000000 bytes"), (b"x", 500.0, "takes longer than 1800 seconds")],
)
def test_config_without_an_end(jenkins: Impostor, part: bytes, tick: float, line: str) -> None:
    """It ends a plan within the limits, too."""
    moment = itertools.count(step=tick)
    connection = Connection(Access(jenkins.url, timeout=30.0), Clock(lambda: next(moment)))
    jenkins.odd = {"config.xml": Reply(for_ever(part))}
    with pytest.raises(LabError, match=line):
        connection.content("job/odd/config.xml")


def test_slow_build_ends(jenkins: Impostor, described: Lab) -> None:
    names = [{"relativePath": f"results/{number}.json"} for number in range(20)]
    jenkins.odd = {BUILD: Reply({**INFO, "artifacts": names})}
    report, published = passed(jenkins, described, tick=200.0)
    assert published == [GOOD]
    assert [line.rpartition(": ")[2] for line in report.lines] == ["takes longer than 7200 seconds"]


def slowly(part: bytes) -> bytes:
    time.sleep(0.05)
    return part


@pytest.mark.integration
@pytest.mark.parametrize(
    "body",
    [
        lambda: itertools.chain([b"0\r\n"], itertools.repeat(b"A: b\r\n")),
        lambda: map(slowly, itertools.repeat(b"0")),
    ],
    ids=["trailers", "chunk size"],
)
def test_lines_without_an_end_end(
    jenkins: Impostor, monkeypatch: pytest.MonkeyPatch, body: Callable[[], Iterator[bytes]]
) -> None:
    """Nothing looks at a clock while lines are read: the connection is ended from outside."""
    monkeypatch.setattr("lab.config.jenkins.ANSWER_SECONDS", 0.5)
    jenkins.odd = {"config": Reply(body, {"Transfer-Encoding": "chunked"})}
    connection = Connection(Access(jenkins.url, timeout=30.0))
    with pytest.raises(JenkinsSlow, match=r"config\.xml: takes longer than 0\.5 seconds"):
        connection.content("config.xml")


def test_redirect_does_not_reach_an_internal_service(jenkins: Impostor, described: Lab) -> None:
    with Impostor(usual) as internal:
        internal.odd = {"": INTERNAL}
        jenkins.odd = {LOG: Reply(status=302, headers={"Location": f"{internal.url}latest"})}
        _, published = passed(jenkins, described)
        assert (published, internal.asked) == ([GOOD], [])


def test_jobs_without_an_end_stop_the_source_alone(jenkins: Impostor, described: Lab) -> None:
    jenkins.odd = {"jobs\\[": Reply({"jobs": [{"name": f"x{number}"} for number in range(100)]})}
    report, published = passed(jenkins, described)
    assert published == []
    assert [line.rpartition("api/json")[2] for line in report.lines] == [": has no end"]


def test_odd_build_is_tried_later_and_then_parked(
    jenkins: Impostor, described: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.publish.MOST_TRIES", 1)
    jenkins.odd = {BUILD: Reply({})}
    passed(jenkins, described)
    with home.opened(described) as (_, journal):
        (left,) = journal.builds.unfinished()
        assert left.state == "parked"
        assert re.fullmatch(r"given up after 1 tries: http\S+/1/api/json: timestamp: Field required", left.note)
