"""The public Jenkins: mirrored builds in order, each once, despite lost requests and answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config.jenkins import Connection
from reports.outputs import mirror
from reports.outputs.delivery import Output, Tombstone
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER
from tests.jenkins.state import Build
from tests.jenkins.users import User
from tests.reports.outputs.conftest import Bench
from tests.reports.publishing import make_receivers, quick, receive

JOB = "lab/trunk-greet-build"


@pytest.fixture
def public() -> Iterator[Double]:
    with Double(run=quick) as one:
        yield one


@pytest.fixture
def workbench(bench: Callable[..., Bench], public: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return at(bench, public, tmp_path, monkeypatch)


def at(
    bench: Callable[..., Bench], public: Double, home: Path, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> Bench:
    monkeypatch.setenv("QALAB_PUBLIC_JENKINS_USER", "admin")
    monkeypatch.setenv("QALAB_PUBLIC_JENKINS_TOKEN", "secret")
    jenkins = {"url": public.url, "folder": "lab", **settings}
    workbench = bench(public={"site_url": "https://qa.lab.example/", "jenkins": jenkins})
    make_receivers(public, workbench.lab, home)
    return workbench


def opened(workbench: Bench) -> Output:
    output = mirror.open_output(workbench.context)
    assert output is not None
    return output


def twins(public: Double) -> list[Build]:
    return [build for _, build in sorted(public._state.item(JOB).builds.items())]


def titles(public: Double) -> list[str]:
    return [str(build.display_name).partition(" ")[0] for build in twins(public)]


def test_no_output_without_public_jenkins(bench: Callable[..., Bench]) -> None:
    assert mirror.open_output(bench().context) is None


def test_deliver_keeps_order(workbench: Bench, public: Double) -> None:
    for number in (1, 2, 3):
        workbench.publish(number)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", ""), (2, "delivered", ""), (3, "delivered", "")]
    assert titles(public) == ["#1", "#2", "#3"]
    wrote = len(public.writes())
    assert [how for _, how, _ in workbench.deliver(opened(workbench))] == ["delivered"] * 3
    assert len(public.writes()) == wrote
    assert len(public.requests) <= 4 * 3 + 5


FAULTS = [(kind, path, at) for kind in (500, 503, "reset", "lost", "crumb")
          for path in ("api/json", "crumbIssuer", "buildWithParameters", "configSubmit") for at in (1, 2)]  # fmt: skip
FAULTS += [
    (kind, path, at) for kind in ("empty", "page") for path in ("buildWithParameters", "configSubmit") for at in (1, 2)
]


@pytest.mark.integration
@pytest.mark.parametrize("kind, path, place", FAULTS)
def test_deliver_recovers_from_one_failure(
    workbench: Bench, public: Double, kind: int | str, path: str, place: int
) -> None:
    for number in (1, 2, 3):
        workbench.publish(number)
    public.fault(kind, at=place, path=path)
    for _ in range(3):
        try:
            actual = workbench.deliver(opened(workbench))
        except LabError:
            continue
        assert [how for _, how, _ in actual] == ["delivered"] * 3
        break
    assert titles(public) == ["#1", "#2", "#3"]


@pytest.mark.parametrize("gap", [1, 2, 3, 5, 9])
def test_build_between_queue_and_job_is_not_sent_again(workbench: Bench, public: Double, gap: int) -> None:
    """An item that has left the queue is not yet a build: for some ten seconds on a real server."""
    public.gap = gap
    for number in (1, 2, 3):
        workbench.publish(number)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", ""), (2, "delivered", ""), (3, "delivered", "")]
    assert titles(public) == ["#1", "#2", "#3"]


@pytest.mark.integration
def test_cancelled_item_is_sent_again(workbench: Bench, public: Double) -> None:
    workbench.publish(1)
    output = opened(workbench)
    public.run, run = None, public.run
    waiting = output.deliver(list(workbench.items.values()))
    assert list(waiting) == []  # its patience ends
    (queued,) = public._state.queue.values()
    queued.cancelled, public.run = True, run
    assert [how for _, how, _ in workbench.deliver(opened(workbench))] == ["delivered"]
    assert titles(public) == ["#1"]


def test_second_twin_of_a_build_is_named(workbench: Bench, public: Double) -> None:
    workbench.publish(1)
    workbench.deliver(opened(workbench))
    (first,) = twins(public)
    public.add_build(JOB, parameters={one.name: one.value for one in first.parameters}, result="SUCCESS")
    ((_, how, note),) = workbench.deliver(opened(workbench))
    assert (how, note) == ("delivered", f"{JOB} 2: is the same build as 1; delete it")


def test_failing_server_raises(workbench: Bench, public: Double) -> None:
    workbench.publish(1)
    public.fault(503, times=FOREVER)
    with pytest.raises(InfrastructureError, match="answers 503"):
        workbench.deliver(opened(workbench))
    public.heal()
    public.fault(500, times=FOREVER, path="buildWithParameters")
    ((_, how, note),) = workbench.deliver(opened(workbench))
    assert how == "later"
    assert re.search(r"answers 500 .* to POST job/lab/job/trunk-greet-build/build", note)
    assert twins(public) == []


def test_failing_bundle_delays_its_job_alone(workbench: Bench, public: Double) -> None:
    workbench.publish(1)
    workbench.publish(2)
    workbench.publish(3, component="other")
    public.create("lab/trunk-other-build", etree.tostring(public._state.item(JOB).root).decode())
    public.fault(500, times=FOREVER, path="trunk-greet-build/buildWithParameters")
    assert sorted(actual[:2] for actual in workbench.deliver(opened(workbench))) == [(1, "later"), (3, "delivered")]
    public.heal()
    assert {how for _, how, _ in workbench.deliver(opened(workbench))} == {"delivered"}
    assert titles(public) == ["#1", "#2"]


def test_refused_name_is_noted(workbench: Bench, public: Double) -> None:
    workbench.publish(1)
    workbench.publish(2)
    public.fault(400, path="configSubmit")
    (first, second) = workbench.deliver(opened(workbench))
    assert (first[:2], second) == ((1, "delivered"), (2, "delivered", ""))
    assert "has no name and description" in first[2]


def test_damaged_bundle_is_parked_alone(workbench: Bench, public: Double) -> None:
    torn = workbench.publish(1)
    workbench.publish(2)
    torn.path.write_bytes(b"torn")
    assert [actual[:2] for actual in workbench.deliver(opened(workbench))] == [(1, "parked"), (2, "delivered")]


@pytest.mark.parametrize("answer", [{"allBuilds": [None]}, {"allBuilds": 7}, {}, {"allBuilds": [{"number": 1}]}])
def test_invalid_answer_delays_its_job_alone(
    workbench: Bench, public: Double, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    workbench.publish(1)
    workbench.publish(3, component="other")
    public.create("lab/trunk-other-build", etree.tostring(public._state.item(JOB).root).decode())
    json_of = Connection.json

    def odd(self: Connection, where: str) -> dict[str, Any]:
        return answer if "greet" in where else json_of(self, where)

    monkeypatch.setattr(Connection, "json", odd)
    (first, second) = sorted(opened(workbench).deliver(list(workbench.items.values())), key=lambda one: one.how)
    assert (first.how, second.how, second.is_bug) == ("delivered", "later", False)
    assert re.fullmatch(rf"{JOB}: http\S+/api/json: has no builds: \w+Error: .*", second.note)


@pytest.mark.integration
def test_queued_build_is_not_sent_again(workbench: Bench, public: Double) -> None:
    public.run = None
    for number in (1, 2):
        workbench.publish(number)
    assert workbench.deliver(opened(workbench)) == []
    assert workbench.deliver(opened(workbench)) == []
    (queued,) = public._state.queue
    public.start(queued, result=None)
    assert workbench.deliver(opened(workbench)) == []
    (running,) = twins(public)
    public.run = quick
    quick(running)
    assert [how for _, how, _ in workbench.deliver(opened(workbench))] == ["delivered"] * 2
    assert titles(public) == ["#1", "#2"]


def test_older_build_than_twin_is_skipped(workbench: Bench, public: Double) -> None:
    old, new = workbench.publish(1), workbench.publish(2)
    workbench.deliver(opened(workbench), [new])
    assert workbench.deliver(opened(workbench), [old]) == [(1, "nothing", "its job has newer builds already")]
    assert titles(public) == ["#2"]


@pytest.mark.integration
def test_twin_is_found_in_long_history(workbench: Bench, public: Double) -> None:
    items = [workbench.publish(number, day=1 + number % 28, started=f"2025-01-01T{number // 60:02}:{number % 60:02}:00Z")
             for number in range(230)]  # fmt: skip
    for item in items[:-1]:
        public.add_build(
            JOB, parameters={"SOURCE_ID": item.name}, display_name="#0", artifacts={"received/build.json": b""}
        )
    assert workbench.deliver(opened(workbench), items[-2:])[-1] == (229, "delivered", "")
    before = len(public.requests)
    assert {how for _, how, _ in workbench.deliver(opened(workbench))} == {"delivered"}
    looked = [one for one in public.requests[before:] if "allBuilds" in one.path]
    assert len(looked) == 3
    assert len(twins(public)) == 230


def test_missing_receiver_job_postpones_builds(workbench: Bench, public: Double) -> None:
    workbench.publish(1)
    workbench.publish(2, component="other")
    ((_, how, note), kept) = sorted(workbench.deliver(opened(workbench)), reverse=True)
    assert (how, note) == (
        "later",
        f"no job lab/trunk-other-build at {public.url}: create it with: qalab jenkins apply jobs/public",
    )
    assert kept == (1, "delivered", "")


def test_refused_bundle_is_parked(workbench: Bench, public: Double) -> None:
    def refuse(build: Build) -> None:
        build.result, build.log = "FAILURE", "Started\nrefused: bundle.tar.gz is odd\nFinished: FAILURE\n"

    public.run = refuse
    workbench.publish(1, "failed")
    assert workbench.deliver(opened(workbench)) == [(1, "parked", f"{JOB} 1: refused: bundle.tar.gz is odd")]
    public.run = quick
    workbench.publish(2)
    assert [actual[:2] for actual in workbench.deliver(opened(workbench))] == [(1, "parked"), (2, "delivered")]


def test_account_with_build_permission_only(
    bench: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights = frozenset({"Read", "Build"})
    with Double(run=quick, users=[User("admin", rights=rights)]) as public:
        workbench = at(bench, public, tmp_path, monkeypatch)
        workbench.publish(1)
        ((_, how, note),) = workbench.deliver(opened(workbench))
        assert (how, note) == (
            "delivered",
            f"{JOB} 1: has no name and description: the account lacks the permission Run/Update",
        )


def test_wrong_credentials_raise(workbench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    workbench.publish(1)
    monkeypatch.setenv("QALAB_PUBLIC_JENKINS_TOKEN", "wr0ng")
    with pytest.raises(ConfigurationError, match="refuses the credentials of admin") as raised:
        workbench.deliver(opened(workbench))
    assert "wr0ng" not in str(raised.value)


@pytest.mark.integration
@pytest.mark.parametrize("fault", ["", "lost", "reset", 503])
def test_twin_of_an_aborted_build_is_aborted(workbench: Bench, public: Double, fault: Any) -> None:
    """No exit code of a shell step makes a build ABORTED: the receiver waits, and the publisher stops it."""
    public.run = receive
    for number, verdict in ((1, "passed"), (2, "aborted"), (3, "passed")):
        workbench.publish(number, verdict)
    if fault:
        public.fault(fault, path="/stop")
    for _ in range(2):
        try:
            told = workbench.deliver(opened(workbench))
            break
        except InfrastructureError:
            continue
    assert told == [(1, "delivered", ""), (2, "delivered", ""), (3, "delivered", "")]
    assert [build.result for build in twins(public)] == ["SUCCESS", "ABORTED", "SUCCESS"]
    assert len(twins(public)[1].artifacts) == 2


@pytest.mark.integration
@pytest.mark.parametrize("kind", [403, 404])
def test_aborted_twin_that_cannot_be_stopped_is_a_failure(workbench: Bench, public: Double, kind: int) -> None:
    """It ends by itself."""
    workbench.publish(1, "aborted")
    public.run = receive
    public.fault(kind, path="/stop", times=FOREVER)
    assert list(opened(workbench).deliver(list(workbench.items.values()))) == []  # its patience ends
    (twin,) = twins(public)
    twin.result = "FAILURE"
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", f"{JOB} 1: shows as FAILURE, not ABORTED")]


def test_twin_that_a_person_aborted_is_no_receipt(workbench: Bench, public: Double) -> None:
    workbench.publish(1, "aborted")

    def abort(build: Build) -> None:
        build.result = "ABORTED"

    public.run = abort
    assert workbench.deliver(opened(workbench)) == [(1, "parked", f"{JOB} 1: ended as ABORTED")]


def test_withdraw_deletes_twin(workbench: Bench, public: Double) -> None:
    item, _ = workbench.publish(1), workbench.publish(2)
    workbench.deliver(opened(workbench))
    stone = Tombstone(name=item.name, track="trunk", component="greet", phase="build", retracted="")
    for _ in range(2):
        opened(workbench).withdraw([stone])
        assert titles(public) == ["#2"]
    nowhere = stone.model_copy(update={"component": "nobody"})
    opened(workbench).withdraw([nowhere])


def withdrawn(workbench: Bench, name: str) -> LabError | None:
    """Withdraw a build; return the error."""
    stone = Tombstone(name=name, track="trunk", component="greet", phase="build", retracted="")
    try:
        opened(workbench).withdraw([stone])
    except LabError as error:
        return error
    return None


def test_withdraw_deletes_each_twin(workbench: Bench, public: Double) -> None:
    item = workbench.publish(1)
    workbench.deliver(opened(workbench))
    (first,) = twins(public)
    public.add_build(JOB, parameters={one.name: one.value for one in first.parameters}, result="SUCCESS")
    assert withdrawn(workbench, item.name) is None
    assert twins(public) == []


@pytest.mark.parametrize(
    "fault, path", [(404, "job/lab/job/trunk-greet-build/api"), (404, "doDelete"), ("empty", "doDelete")]
)
def test_withdrawal_that_deleted_nothing_is_an_error(workbench: Bench, public: Double, fault: Any, path: str) -> None:
    """Else what was retracted stays public, and nobody tries again."""
    item = workbench.publish(1)
    workbench.deliver(opened(workbench))
    public.fault(fault, path=path, times=FOREVER)
    assert isinstance(withdrawn(workbench, item.name), InfrastructureError)
    assert len(twins(public)) == 1
    public.heal()
    assert withdrawn(workbench, item.name) is None
    assert twins(public) == []


def test_item_of_the_queue_without_an_answer_is_not_sent_again(workbench: Bench, public: Double) -> None:
    public.gap = 3
    workbench.publish(1)
    public.fault(404, path="queue/item", times=2)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    assert titles(public) == ["#1"]


def test_deliver_to_external_job(
    bench: Callable[..., Bench], public: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = at(bench, public, tmp_path, monkeypatch, receiver="external")
    workbench.publish(1)
    workbench.publish(2, "failed", message="odd </run> & <b>")
    public.fault("lost", path="postBuildResult")
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", ""), (2, "delivered", "")]
    good, bad = twins(public)
    assert (good.result, bad.result, good.duration, good.display_name) == (
        "SUCCESS",
        "FAILURE",
        60_000,
        "#1 10.0.1.2-1",
    )
    assert "==> sbuild.log\nlog\n" in good.log
    assert "https://qa.lab.example/b/" in str(good.description)
    wrote = len(public.writes())
    assert [how for _, how, _ in workbench.deliver(opened(workbench))] == ["delivered"] * 2
    assert len(public.writes()) == wrote
