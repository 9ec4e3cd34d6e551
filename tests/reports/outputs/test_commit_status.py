"""Commit statuses, with doubles of GitHub and GitLab on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import ConfigurationError
from lab.forges import web
from lab.results.cases import Case
from reports.outputs import commit_status
from reports.outputs.commit_status import describe
from reports.outputs.delivery import MOST_IN_A_ROW, Output, Tombstone
from tests.reports.outputs.conftest import Bench
from tests.reports.outputs.forges import ForgeDouble, GitHubDouble, GitLabDouble
from tests.reports.publications import a_build
from tests.servers import LOGIN_PAGE, Answer, Service, drip, endless, half, silence, stalled

KINDS = {"github": ("/api/v3/", "acme/greet", GitHubDouble), "gitlab": ("/api/v4/", "acme/tools/greet", GitLabDouble)}
COMMITS = [f"{number:040x}" for number in range(1, 10)]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def double(kind: str) -> ForgeDouble:
    _, project, make = KINDS[kind]
    return make({project: {commit: [] for commit in COMMITS}})


@pytest.fixture
def service(double: ForgeDouble) -> Iterator[Service]:
    with Service(double) as one:
        yield one


@pytest.fixture
def workbench(bench: Callable[..., Bench], service: Service, kind: str, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv(f"QALAB_{kind.upper()}_TOKEN", "t0ken")
    return bench(**settings(kind, service.url))


def settings(kind: str, url: str) -> dict[str, Any]:
    """Return the settings of a lab whose component greet has its upstream repository on a forge."""
    return {
        "notifications": {"statuses": [{"forge": kind, "url": f"{url}/"}]},
        "upstreams": {"greet": f"{url}/{KINDS[kind][1]}.git"},
    }


def opened(workbench: Bench) -> Output:
    output = commit_status.open_output(workbench.context)
    assert output is not None
    return output


def statuses(double: ForgeDouble, number: int) -> list[dict[str, Any]]:
    (commits,) = double.projects.values()
    return commits[COMMITS[number - 1]]


def test_no_output_without_forges(bench: Callable[..., Bench]) -> None:
    assert commit_status.open_output(bench().context) is None


@pytest.mark.parametrize(
    "verdict, state, description",
    [
        ("passed", {"github": "success", "gitlab": "success"}, "Passed"),
        ("failed", {"github": "failure", "gitlab": "failed"}, "1 of 1 test failed: boot"),
        ("unstable", {"github": "failure", "gitlab": "failed"}, "1 of 1 test failed: boot"),
        ("error", {"github": "error", "gitlab": "canceled"}, "The lab failed, not the commit: no mirror"),
        ("aborted", {"github": "error", "gitlab": "canceled"}, "The lab failed, not the commit: no mirror"),
    ],
)
def test_verdict_is_state(  # noqa: PLR0917 - a table's columns
    workbench: Bench, double: ForgeDouble, kind: str, verdict: str, state: dict[str, str], description: str
) -> None:
    message = "no mirror" if "lab" in description else ""
    item = workbench.publish(1, verdict, message=message)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    (status,) = statuses(double, 1)
    assert status["state"] == state[kind]
    assert status["description"] == description
    assert status["target_url"] == f"https://qa.lab.example/b/{item.name[:2]}/{item.name}/"
    assert status["context" if kind == "github" else "name"] == "qalab/trunk/build"


def test_builds_without_a_status(workbench: Bench, service: Service) -> None:
    workbench.publish(1, "skipped")
    workbench.publish(2, "error", commit="")
    assert workbench.deliver(opened(workbench)) == [
        (1, "nothing", "skipped: says nothing about the commit"),
        (2, "nothing", "it ended before its commit was known"),
    ]
    old = workbench.publish(3)
    workbench.delays[old.name] = 3 * 86_400.0
    note = "ended more than 1 day before it was published"
    assert workbench.deliver(opened(workbench), [old]) == [(3, "nothing", note)]
    assert service.requests == []


def test_late_build_replaces_the_status_of_its_commit(workbench: Bench, double: ForgeDouble) -> None:
    """Else the commit has failed for ever, although a later build of it passed."""
    workbench.publish(1, "failed")
    late, other = workbench.publish(2, commit=COMMITS[0]), workbench.publish(3)
    workbench.delays |= dict.fromkeys((late.name, other.name), 3 * 86_400.0)
    first, *later = workbench.items.values()
    assert workbench.deliver(opened(workbench), [first]) == [(1, "delivered", "")]
    note = "ended more than 1 day before it was published"
    assert sorted(workbench.deliver(opened(workbench), later)) == [(2, "delivered", ""), (3, "nothing", note)]
    assert len(statuses(double, 1)) == 2


def test_lost_answer_is_not_posted_twice(workbench: Bench, double: ForgeDouble) -> None:
    workbench.publish(1)
    double.lose = 1
    ((_, how, note),) = workbench.deliver(opened(workbench))
    assert (how, "cannot be reached" in note) == ("later", True)
    for _ in range(2):
        assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    assert len(statuses(double, 1)) == 1


def test_newer_build_overwrites_and_older_does_not(workbench: Bench, double: ForgeDouble, kind: str) -> None:
    old, new = workbench.publish(1, "failed"), workbench.publish(3, commit=COMMITS[0])
    assert workbench.deliver(opened(workbench), [new]) == [(3, "delivered", "")]
    assert workbench.deliver(opened(workbench), [old]) == [
        (1, "nothing", "a newer build of this commit has a status already")
    ]
    newest = workbench.publish(4, "failed", commit=COMMITS[0])
    assert workbench.deliver(opened(workbench), [newest]) == [(4, "delivered", "")]
    expected = {"github": ["success", "failure"], "gitlab": ["success", "failed"]}
    assert [one["state"] for one in statuses(double, 1)] == expected[kind]


@pytest.mark.parametrize("verdict", ["passed", "failed", "unstable"])
def test_error_of_the_lab_does_not_replace_a_verdict(workbench: Bench, double: ForgeDouble, verdict: str) -> None:
    workbench.publish(1, verdict)
    workbench.publish(3, "error", commit=COMMITS[0])
    note = "an error of the lab does not replace the verdict on the commit"
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", ""), (3, "nothing", note)]
    assert len(statuses(double, 1)) == 1
    workbench.publish(4, "error", commit=COMMITS[1])
    workbench.publish(5, "aborted", commit=COMMITS[1])
    assert [how for _, how, _ in workbench.deliver(opened(workbench))][2:] == ["delivered", "delivered"]


def test_login_of_netrc_is_not_used(
    workbench: Bench, service: Service, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_home / ".netrc").write_text("machine 127.0.0.1 login other password wrong\n")
    workbench.publish(1)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    assert not any(request.headers.get("authorization", "").startswith("Basic") for request in service.requests)


def test_status_is_found_behind_a_hundred_others(workbench: Bench, double: ForgeDouble, kind: str) -> None:
    workbench.publish(1)
    double.lose = 1
    workbench.deliver(opened(workbench))
    key = "context" if kind == "github" else "name"
    others = [{"id": 100 + number, key: f"other/{number}", "state": "success"} for number in range(150)]
    statuses(double, 1).extend(others)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    assert len(statuses(double, 1)) == 151


def test_components_of_one_project_have_statuses_of_their_own(
    bench: Callable[..., Bench], service: Service, double: ForgeDouble, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"QALAB_{kind.upper()}_TOKEN", "t0ken")
    made = settings(kind, service.url)
    made["upstreams"]["meet"] = made["upstreams"]["greet"]
    workbench = bench(**made)
    workbench.publish(1, component="greet")
    workbench.publish(2, component="meet", commit=COMMITS[0])
    assert [how for _, how, _ in workbench.deliver(opened(workbench))] == ["delivered"] * 2
    names = [one.get("context") or one.get("name") for one in statuses(double, 1)]
    assert names == ["qalab/trunk/greet/build", "qalab/trunk/meet/build"]


@pytest.mark.parametrize(
    "status, headers, how, wait",
    [
        (400, {}, "parked", 0.0),
        (403, {}, "parked", 0.0),
        (404, {}, "parked", 0.0),
        (410, {}, "parked", 0.0),
        (422, {}, "parked", 0.0),
        (500, {}, "later", 0.0),
        (503, {}, "later", 0.0),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_answer_about_one_build(  # noqa: PLR0917 - a table's columns
    workbench: Bench, double: ForgeDouble, method: str, status: int, headers: dict[str, str], how: str, wait: float
) -> None:
    one, other = workbench.publish(1), workbench.publish(2)
    double.trouble = {method: (status, json.dumps({"message": "no\nway"}), headers)}
    output = opened(workbench)
    (refused,) = output.deliver([one])
    assert (refused.how, refused.wait) == (how, wait)
    assert f"answers {status} to {method}" in refused.note
    assert "\n" not in refused.note
    assert "t0ken" not in refused.note
    double.trouble = {}
    assert [outcome.how for outcome in output.deliver([other])] == ["delivered"]


@pytest.mark.parametrize(
    "answer, note, wait",
    [
        ((401, '{"message": "Bad credentials"}'), "answers 401 to GET", 0.0),
        ((429, "slow down", {"Retry-After": "1800"}), "answers 429 to GET", 1800.0),
        ((429, "slow down", {"Retry-After": "Mon, 27 Sep 2060 00:00:00 GMT"}), "answers 429", 86_400.0),
        ((429, "slow down", {"Retry-After": "soon"}), "answers 429", 0.0),
        ((429, "slow down", {"Retry-After": "Mon, 27 Sep 99999999999999999999 00:00:00 GMT"}), "answers 429", 0.0),
        ((403, "secondary rate limit", {"Retry-After": "60"}), "answers 403", 60.0),
        ((403, "rate limit", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1853626500"}), "answers 403", 900.0),
        ((200, LOGIN_PAGE), "the answer is not JSON: is this the API of a Git", 0.0),
        ((200, "[" * 100_000), "the answer is not JSON", 0.0),
        ((200, '{"message": "hello"}'), "the answer is no list of commit statuses", 0.0),
        ((200, '[{"id": "x"}]'), "the answer is no list of commit statuses", 0.0),
        ((200, "[null]"), "the answer is no list of commit statuses", 0.0),
        ((302, "", {"Location": "https://login.example/"}), "redirects GET to https://login.example/", 0.0),
    ],
)
def test_answer_about_the_forge_postpones_all_and_is_reported_once(  # noqa: PLR0917 - a table's columns
    workbench: Bench, double: ForgeDouble, service: Service, answer: Answer, note: str, wait: float
) -> None:
    items = [workbench.publish(number) for number in (1, 2, 3)]
    double.trouble = {"GET": answer}
    outcomes = list(opened(workbench).deliver(items))
    assert [(one.how, one.is_trouble, one.wait) for one in outcomes] == [
        ("later", True, wait), ("later", False, wait), ("later", False, wait),
    ]  # fmt: skip
    assert note in outcomes[0].note
    assert "\n" not in outcomes[0].note
    assert "t0ken" not in outcomes[0].note
    assert [request.method for request in service.requests] == ["GET"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_redirect_within_the_forge_parks_the_build(  # noqa: PLR0917 - a table's columns
    workbench: Bench, double: ForgeDouble, service: Service, kind: str, method: str, status: int
) -> None:
    """A renamed project; the redirect is not followed."""
    item = workbench.publish(1)
    where = f"{service.url}{KINDS[kind][0]}elsewhere"
    double.trouble = {method: (status, "", {"Location": where})}
    (outcome,) = opened(workbench).deliver([item])
    assert outcome.how == "parked"
    assert "was the project renamed? correct its upstream URL" in outcome.note
    assert not any("elsewhere" in request.path for request in service.requests)


HOSTILE: dict[str, tuple[Callable[[int], Answer | None], str]] = {
    "hangs": (lambda _: silence, "timed out"),
    "closes": (lambda _: None, "cannot be reached"),
    "closes early": (half, "the answer is incomplete: IncompleteRead"),
    "stalls": (stalled, "the answer is incomplete: timed out"),
    "drips": (drip, "the answer is incomplete: it takes longer than 0.05 seconds"),
    "has no end": (endless, "the answer is incomplete: it is larger than 1000000 bytes"),
}


@pytest.mark.parametrize("method, status", [("GET", 200), ("POST", 201)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.integration if name == "stalls" else ()) for name in HOSTILE]
)
def test_hostile_forge_delays_no_other(  # noqa: PLR0917 - a table's columns
    workbench: Bench, double: ForgeDouble, monkeypatch: pytest.MonkeyPatch, name: str, method: str, status: int
) -> None:
    # On a busy machine, an answer begins late: only where the wait is the point, it is short.
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", {"hangs": 0.05, "stalls": 1.0}.get(name, 60.0))
    monkeypatch.setattr(web, "ANSWER_SECONDS", 0.05 if name == "drips" else 60.0)
    monkeypatch.setattr(web, "MOST_BYTES", 1_000_000 if name == "has no end" else 10**9)
    make, note = HOSTILE[name]
    double.trouble = {method: make(status)}
    workbench.publish(1)
    ((_, how, found),) = workbench.deliver(opened(workbench))
    assert (how, note in found) == ("later", True), found
    monkeypatch.undo()
    monkeypatch.setenv("QALAB_GITHUB_TOKEN", "t0ken")
    monkeypatch.setenv("QALAB_GITLAB_TOKEN", "t0ken")
    double.trouble = {}
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]


def test_three_failures_in_a_row_postpone_the_rest(workbench: Bench, double: ForgeDouble, service: Service) -> None:
    items = [workbench.publish(number) for number in range(1, 7)]
    double.trouble = {"GET": (503, "busy")}
    outcomes = list(opened(workbench).deliver(items))
    assert [one.how for one in outcomes] == ["later"] * 6
    assert len(service.requests) == MOST_IN_A_ROW


def both(bench: Callable[..., Bench], github: str, gitlab: str) -> Bench:
    """Return a lab with a component on each of two forges."""
    one, other = settings("github", github), settings("gitlab", gitlab)
    one["notifications"]["statuses"] += other["notifications"]["statuses"]
    one["upstreams"]["meet"] = other["upstreams"]["greet"]
    return bench(**one)


@pytest.mark.parametrize("trouble", ["certificate", "token", "down"])
def test_forge_that_cannot_be_used_delays_no_other(
    bench: Callable[..., Bench], certificate: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setenv("QALAB_GITLAB_TOKEN", "t0ken")
    if trouble != "token":
        monkeypatch.setenv("QALAB_GITHUB_TOKEN", "t0ken")
    well = GitLabDouble({"acme/tools/greet": {COMMITS[1]: []}})
    ill = GitHubDouble({"acme/greet": {COMMITS[0]: []}})
    with Service(well) as gitlab, Service(ill, certificate=certificate if trouble == "certificate" else None) as github:
        workbench = both(bench, "http://127.0.0.1:1" if trouble == "down" else github.url, gitlab.url)
        workbench.publish(1, component="greet")
        workbench.publish(2, component="meet")
        (failed, done) = workbench.deliver(opened(workbench))
    notes = {
        "certificate": "TLS: [SSL: CERTIFICATE_VERIFY_FAILED]",
        "token": "lab.yaml: notifications.statuses.0.token: the variable QALAB_GITHUB_TOKEN is not set",
        "down": "cannot be reached",
    }
    assert (failed[:2], notes[trouble] in failed[2]) == ((1, "later"), True), failed
    assert done == (2, "delivered", "")


def withdrawn(workbench: Bench, name: str) -> None:
    gone = Tombstone(name=name, component="greet", track="trunk", phase="build", retracted="2026-01-01T00:00:00Z")
    opened(workbench).withdraw([gone])


def test_retraction_overwrites_the_status(workbench: Bench, double: ForgeDouble, kind: str) -> None:
    item = workbench.publish(1, "failed")
    workbench.deliver(opened(workbench))
    for _ in range(2):
        withdrawn(workbench, item.name)
    _, last = statuses(double, 1)
    assert (last["state"], last["target_url"]) == ("error" if kind == "github" else "canceled", None)
    assert last["description"] == "The lab withdrew this result."


def test_retraction_leaves_newer_status(workbench: Bench, double: ForgeDouble) -> None:
    item = workbench.publish(1, "failed")
    workbench.publish(3, commit=COMMITS[0])
    workbench.deliver(opened(workbench))
    withdrawn(workbench, item.name)
    assert len(statuses(double, 1)) == 2


def test_retraction_is_repeated_until_the_forge_answers(workbench: Bench, double: ForgeDouble) -> None:
    item = workbench.publish(1, "failed")
    workbench.deliver(opened(workbench))
    double.trouble = {"POST": (403, "no")}
    with pytest.raises(ConfigurationError, match="answers 403"):
        withdrawn(workbench, item.name)
    double.trouble = {}
    withdrawn(workbench, item.name)
    assert len(statuses(double, 1)) == 2


def test_retraction_from_a_project_that_is_gone(workbench: Bench, double: ForgeDouble) -> None:
    item = workbench.publish(1, "failed")
    workbench.deliver(opened(workbench))
    double.projects.clear()
    withdrawn(workbench, item.name)


def test_damaged_bundle_is_parked_alone(workbench: Bench) -> None:
    torn = workbench.publish(1)
    workbench.publish(2)
    torn.path.write_bytes(b"torn")
    (first, second) = workbench.deliver(opened(workbench))
    assert (first[:2], second) == ((1, "parked"), (2, "delivered", ""))


CASES = tuple(
    Case(suite="s", classname="c", name=f"t{number}", outcome="failed" if number < 2 else "passed", message="m")
    for number in range(5)
)


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"verdict": "passed", "cases": CASES[2:]}, "Passed: 3 tests"),
        ({"verdict": "unstable", "cases": CASES}, "2 of 5 tests failed: t0"),
        ({"verdict": "failed", "step": "sbuild", "message": "a.c:1: error: x\nmore"}, "Failed at sbuild: a.c:1: error: x"),
        ({"verdict": "failed"}, "Failed at build"),
        ({"verdict": "error", "step": "sbuild", "message": "x" * 500}, f"The lab failed at sbuild, not the commit: {'x' * 97}…"),
    ],
)  # fmt: skip
def test_description_is_one_short_line(fields: dict[str, Any], expected: str) -> None:
    assert describe(a_build(**{"step": "", "message": "", "cases": ()} | fields)) == expected
    assert len(expected) <= 140


def test_token_is_nowhere_in_the_output(workbench: Bench) -> None:
    assert "t0ken" not in repr(opened(workbench))
