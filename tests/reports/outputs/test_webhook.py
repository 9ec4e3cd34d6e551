"""The webhook, against a server on loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator

import pytest

from lab.errors import ConfigurationError, InfrastructureError
from reports.outputs import webhook
from reports.outputs.delivery import Output, Tombstone
from tests.reports.outputs.conftest import Bench
from tests.reports.outputs.servers import Request, Service


class Hook:
    """What answers; an answer for each request, then 204."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str] | None] = []

    def __call__(self, _: Request) -> tuple[int, str] | None:
        return self.answers.pop(0) if self.answers else (204, "")


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def service(hook: Hook) -> Iterator[Service]:
    with Service(hook) as one:
        yield one


@pytest.fixture
def made(bench: Callable[..., Bench], service: Service, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "k3y")
    return bench(notifications={"webhook": {"url": f"{service.url}/x"}})


def opened(made: Bench) -> Output:
    output = webhook.open_output(made.context)
    assert output is not None
    return output


def test_who_wants_none(bench: Callable[..., Bench]) -> None:
    assert webhook.open_output(bench().context) is None


def test_a_signed_post(made: Bench, service: Service) -> None:
    item = made.publish(2, "failed")
    assert made.deliver(opened(made)) == [(2, "delivered", "")]
    (request,) = service.requests
    assert (request.method, request.path) == ("POST", "/x")
    signature = hmac.new(b"k3y", request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-qalab-signature"] == f"sha256={signature}"
    assert request.headers["x-qalab-delivery"] == item.name
    told = json.loads(request.body)
    assert (told["id"], told["verdict"], told["step"], told["failing"]) == (item.name, "failed", "sbuild", ["s/c/boot"])
    assert told["url"] == f"https://qa.lab.example/b/{item.name[:2]}/{item.name}/"
    assert told["bundle"] == item.path.name.removesuffix(".tar.gz")


def test_each_once(made: Bench, service: Service) -> None:
    made.publish(1)
    made.publish(2)
    for _ in range(2):
        assert [how for _, how, _ in made.deliver(opened(made))] == ["delivered"] * 2
    assert len(service.requests) == 2


def test_a_lost_answer_is_followed_by_the_same(made: Bench, service: Service, hook: Hook) -> None:
    made.publish(1)
    hook.answers = [None]
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        made.deliver(opened(made))
    assert made.deliver(opened(made)) == [(1, "delivered", "")]
    once, again = service.requests
    assert (once.body, once.headers["x-qalab-delivery"]) == (again.body, again.headers["x-qalab-delivery"])


@pytest.mark.parametrize("status", [500, 503, 429, 401, 403, 408])
def test_what_may_be_better_later(made: Bench, hook: Hook, status: int) -> None:
    made.publish(1)
    hook.answers = [(status, "no")]
    with pytest.raises(InfrastructureError, match=f"answers {status}"):
        made.deliver(opened(made))


@pytest.mark.parametrize("status", [302, 400, 404, 410])
def test_what_never_will(made: Bench, service: Service, hook: Hook, status: int) -> None:
    made.publish(1)
    made.publish(2)
    hook.answers = [(status, "no")]
    (refused, taken) = made.deliver(opened(made))
    assert refused[:2] == (1, "parked")
    assert f"answers {status}" in refused[2]
    assert taken == (2, "delivered", "")
    assert len(service.requests) == 2


def test_without_a_key(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QALAB_WEBHOOK_SECRET")
    with pytest.raises(ConfigurationError, match="the variable QALAB_WEBHOOK_SECRET is not set"):
        opened(made)
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "k3y")
    assert "k3y" not in repr(opened(made))


def test_what_is_retracted_is_not_told(made: Bench, service: Service, hook: Hook) -> None:
    item = made.publish(1)
    hook.answers = [(500, "")]
    output = opened(made)
    with pytest.raises(InfrastructureError):
        made.deliver(output)
    output.withdraw([Tombstone(name=item.name, track="", component="", phase="", retracted="")])
    assert not list((made.context.home / "webhook/waiting").iterdir())
