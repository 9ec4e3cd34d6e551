"""The double against every exchange that was recorded, in their order, from the state that the recording had."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.jenkins import recordings
from tests.jenkins.double import Double
from tests.jenkins.state import Build

HEADERS = (
    "Content-Type", "Location", "WWW-Authenticate", "X-Content-Type-Options", "X-Error", "X-Jenkins", "X-More-Data",
    "X-Text-Size",
)  # fmt: skip
# Of these only that they are there, and of what type.
VOLATILE = {"timestamp", "inQueueSince", "buildableStartMilliseconds", "crumb"}
BODIES: Mapping[str, Any] = {
    "the job's own XML": {"data": recordings.xml("contract-build", "stored")},
    "the XML of a pipeline job": {"data": recordings.xml("contract-pipeline", "stored")},
    "multipart: SOURCE_ID, file bundle.tar": {
        "data": {"SOURCE_ID": "lab/keystone-build/12@1700000000000"},
        "files": {"bundle.tar": ("bundle.tar", b"\x00\r\n--\xff")},
    },
    'form field json={"displayName":"#12","description":"…"}': {
        "data": {"json": json.dumps({"displayName": "#12", "description": "mirrored from lab/keystone-build/12"})},
    },
}
NOTE = f"\x1b[8mha:{'A' * 274}\x1b[0m"  # as long as those of the recorded log were together
REPORT = """\
<testsuite name="sbuild">
  <testcase classname="keystone.build" name="compile" time="1.5"/>
  <testcase classname="keystone.build" name="lintian" time="0"><failure message="bad">xx</failure></testcase>
</testsuite>"""


@dataclass(frozen=True)
class Replay:
    """Where the double was, and its responses by why the requests were made."""

    url: str
    responses: Mapping[str, requests.Response]


def finish(build: Build) -> None:
    """What the recorded build did."""
    text = recordings.exchange("console text")["response"]["body"]
    build.log = text.replace("admin", f"{NOTE}admin", 1)
    build.result, build.duration, build.test_report = "UNSTABLE", 312, REPORT
    build.artifacts = {"artifacts/keystone.dsc": b"x\n"}


def hold(build: Build) -> None:
    build.result = None


def session(jenkins: Double, request: Mapping[str, Any], why: str) -> requests.Session:
    made = requests.Session()
    if request["auth"]:
        made.auth = ("admin", "secret")
    elif why == "wrong password":
        made.auth = ("admin", "wrong")
    if request["crumb"]:
        crumb = made.get(f"{jenkins.url}crumbIssuer/api/json").json()
        made.headers[crumb["crumbRequestField"]] = crumb["crumb"]
    return made


@pytest.fixture(scope="module")
def replay() -> Replay:
    """The double's responses to all recorded requests."""
    made = {}
    with Double(run=hold) as jenkins:
        for name in recordings.JOBS:
            jenkins.create(recordings.full_name(name), recordings.xml(name, "stored"))
        jenkins.create_view("contract-view", recordings.xml("contract-view", "sent"))
        for exchange in recordings.exchanges():
            why, request = exchange["why"], exchange["request"]
            if why == "queue item, once the build has started":
                finish(jenkins.build("contract-mirror", 1))
            body = BODIES.get(request["body"], {"data": request["body"]})
            with session(jenkins, request, why) as client:
                url = jenkins.url.rstrip("/") + request["path"]
                made[why] = client.request(
                    request["method"], url, headers=request["headers"], allow_redirects=False, **body
                )
        return Replay(jenkins.url, made)


def title(page: str) -> str:
    found = re.search("<title>(.*?)</title>", page)
    return f"(an HTML page, title: {found[1] if found else ''})"


def plain(value: Any) -> Any:
    """JSON without what differs from run to run, and without the nameless actions of plugins."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: type(one).__name__ if key in VOLATILE else plain(one) for key, one in value.items()}
    if made.get("result") == "FAILURE":
        made["duration"] = "int"
    if "actions" in made:
        made["actions"] = [one for one in made["actions"] if one]
    return made


@pytest.mark.parametrize("exchange", recordings.exchanges(), ids=lambda exchange: exchange["why"])
def test_the_double_answers_as_recorded(exchange: Mapping[str, Any], replay: Replay) -> None:
    expected, response, here = exchange["response"], replay.responses[exchange["why"]], replay.url
    headers = {name: response.headers[name].replace(here, "http://jenkins.example/").strip()
               for name in HEADERS if name in response.headers}  # fmt: skip
    assert response.status_code == expected["status"]
    assert headers == {name: value.strip() for name, value in expected["headers"].items() if name in HEADERS}
    text = response.content.decode()
    if expected["truncated"] or "html" in expected["headers"].get("Content-Type", ""):
        assert title(text) == expected["body"]
    elif "json" in expected["headers"].get("Content-Type", ""):
        made = json.loads(text.replace(here, "http://jenkins.example/"))
        assert plain(made) == plain(json.loads(expected["body"]))
    else:
        assert text == expected["body"]


def test_the_order_of_what_is_shown_is_the_recorded_one(replay: Replay) -> None:
    for why in ("job info", "job in a folder", "build info", "root", "queue item, at once", "test report"):
        recorded = json.loads(recordings.exchange(why)["response"]["body"])
        assert list(replay.responses[why].json()) == list(recorded), why
