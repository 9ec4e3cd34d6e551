"""A login page with 200 is no success, and a server that asks to wait is waited for."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from generator.items import ItemKey
from generator.server import Server
from lab.base.errors import ConfigurationError
from lab.config.access import Access
from lab.config.jenkins import Connection
from lab.config.jenkins_failures import BadAnswer, JenkinsBusy, JenkinsUnsure
from lab.config.pace import FIRST_SECONDS, MOST_WAIT_SECONDS, SLOW_SECONDS, Pace, retry_after
from tests.clocks import Moved
from tests.generator.test_redirects import EMPTY, JOB, WRITES, at, full
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER

__all__ = ["full"]


@pytest.mark.parametrize("write", WRITES)
def test_login_page_with_200_is_no_success(full: Server, jenkins: Double, write: str) -> None:
    before = len(jenkins.writes())
    jenkins.fault("page", method="POST", times=FOREVER)
    with pytest.raises(BadAnswer, match=r"with a page \(Sign in to continue\) \(is a login in front") as raised:
        WRITES[write](at(jenkins.url))
    assert (raised.value.exit_code, "\n" in str(raised.value)) == (2, False)
    assert len(jenkins.writes()) == before


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda there: there.listing(), "something else than JSON"),
        (lambda there: there.config(JOB), "with a page"),
        (lambda there: there.create(ItemKey("job", "new"), EMPTY), "something else than JSON"),  # of the crumb
    ],
)
def test_login_page_for_everything(jenkins: Double, call: Callable[[Server], object], said: str) -> None:
    jenkins.fault("page", times=FOREVER)
    with pytest.raises(ConfigurationError, match=said):
        call(at(jenkins.url))


def slow_server(jenkins: Double, time: Moved, per_second: float | None = None) -> Server:
    access = Access(jenkins.url, "admin", "secret", 5.0, writes_per_second=per_second)
    there = Server(access)
    there.__dict__["connection"] = Connection(access, time.clock)
    return there


@pytest.mark.parametrize("method, path", [("POST", "createItem"), ("GET", "crumbIssuer"), ("GET", "api/json")])
def test_too_many_requests_are_sent_again_when_allowed(jenkins: Double, method: str, path: str) -> None:
    time = Moved()
    there = slow_server(jenkins, time)
    jenkins.fault(429, method=method, path=path, times=2, retry_after="7")
    there.create(ItemKey("job", "a"), EMPTY)
    assert list(there.listing()) == [ItemKey("job", "a")]
    assert 14 <= time.now < 20
    assert [write.path for write in jenkins.writes()] == ["/createItem?name=a"]


def test_too_many_requests_for_ever(jenkins: Double) -> None:
    there = slow_server(jenkins, Moved())
    jenkins.fault(429, times=FOREVER)
    with pytest.raises(JenkinsBusy, match=r"answers 429 to GET .*writes_per_second") as raised:
        there.listing()
    assert raised.value.exit_code == 3


def test_starting_server_is_waited_for(jenkins: Double) -> None:
    time = Moved()
    jenkins.fault(503, path="createItem", retry_after="20")
    slow_server(jenkins, time).create(ItemKey("job", "a"), EMPTY)
    assert time.now >= 20
    jenkins.fault(503, path="config", times=FOREVER)
    with pytest.raises(JenkinsUnsure):
        slow_server(jenkins, time).config(ItemKey("job", "a"))


def test_writes_keep_the_limit(jenkins: Double) -> None:
    time = Moved()
    there = slow_server(jenkins, time, per_second=4)
    for number in range(9):
        there.create(ItemKey("job", f"j{number}"), EMPTY)
        there.config(ItemKey("job", f"j{number}"))
    assert time.now == pytest.approx(2.0)


def test_pace_adapts_to_the_server() -> None:
    time = Moved()
    pace = Pace(None, time.clock)
    seen = []
    for seconds in (0.1, SLOW_SECONDS + 1, SLOW_SECONDS + 1, 0.1, 0.1, 0.1, 0.1):
        pace.wait(write=True)
        begun = time.now
        time.now += seconds
        pace.answered(begun)
        seen.append(pace.interval)
    assert seen == [0, FIRST_SECONDS, 2 * FIRST_SECONDS, FIRST_SECONDS, FIRST_SECONDS / 2, FIRST_SECONDS / 4, 0]


@pytest.mark.parametrize("workers", [1, 2, 8, 64])
@pytest.mark.parametrize("what", ["slow", "refused", "refused and told to wait"])
def test_one_busy_moment_slows_down_once(workers: int, what: str) -> None:
    """However many requests were under way in it."""
    time = Moved()
    pace = Pace(None, time.clock)
    begun = time.now
    time.now += SLOW_SECONDS + 1
    for _ in range(workers):
        if what == "slow":
            pace.answered(begun)
        else:
            pace.slow_down(begun, 7 if "wait" in what else 0)
    assert pace.interval == FIRST_SECONDS
    pace.slow_down(time.now)
    assert pace.interval == 2 * FIRST_SECONDS


@pytest.mark.parametrize("seconds", [MOST_WAIT_SECONDS + 1, math.inf])
def test_wait_that_a_server_asks_for_has_a_limit(seconds: float) -> None:
    time = Moved()
    pace = Pace(None, time.clock)
    pace.slow_down(time.now, seconds)
    pace.wait(write=False)
    assert time.now == MOST_WAIT_SECONDS


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", 0.0),
        ("9" * 400, math.inf),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    found = retry_after(value)
    assert found == seconds if seconds is not None else found > MOST_WAIT_SECONDS
