"""The webhook, with a server on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator

import pytest

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError, LabError, Throttled
from lab.forges import web
from reports.outputs import webhook
from reports.outputs.delivery import Output, PendingDelivery, Tombstone
from tests.reports.outputs.conftest import Bench
from tests.servers import Answer, Request, Service, drip, endless, half, silence, stalled


class Hook:
    """A receiver with a list of answers, then 204."""

    def __init__(self) -> None:
        self.answers: list[Answer | None] = []

    def __call__(self, _: Request) -> Answer | None:
        return self.answers.pop(0) if self.answers else (204, "")


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def service(hook: Hook) -> Iterator[Service]:
    with Service(hook) as one:
        yield one


@pytest.fixture
def workbench(bench: Callable[..., Bench], service: Service, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "k3y")
    return bench(notifications={"webhook": {"url": f"{service.url}/x"}})


def opened(workbench: Bench) -> Output:
    output = webhook.open_output(workbench.context)
    assert output is not None
    return output


def verified(request: Request, key: bytes) -> list[bool]:
    """Return whether each signature is that of a key, as a receiver of Standard Webhooks verifies it."""
    identity, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    digest = hmac.new(key, f"{identity}.{stamp}.".encode() + request.body, hashlib.sha256).digest()
    given = request.headers["webhook-signature"].split(" ")
    return [hmac.compare_digest(one, f"v1,{base64.b64encode(digest).decode()}") for one in given]


def test_no_output_without_webhook(bench: Callable[..., Bench]) -> None:
    assert webhook.open_output(bench().context) is None


def test_deliver_posts_signed_json(workbench: Bench, service: Service) -> None:
    item = workbench.publish(2, "failed")
    assert workbench.deliver(opened(workbench)) == [(2, "delivered", "")]
    (request,) = service.requests
    assert (request.method, request.path) == ("POST", "/x")
    signature = hmac.new(b"k3y", request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-qalab-signature"] == f"sha256={signature}"
    assert request.headers["x-qalab-delivery"] == item.name
    assert verified(request, b"k3y") == [True]
    actual = json.loads(request.body)
    assert (actual["id"], actual["verdict"], actual["step"], actual["failing"]) == (
        item.name,
        "failed",
        "sbuild",
        ["s/c/boot"],
    )
    assert actual["url"] == f"https://qa.lab.example/b/{item.name[:2]}/{item.name}/"
    assert actual["bundle"] == item.path.name.removesuffix(".tar.gz")


def test_deliver_posts_each_build_once(workbench: Bench, service: Service) -> None:
    workbench.publish(1)
    workbench.publish(2)
    for _ in range(2):
        assert [how for _, how, _ in workbench.deliver(opened(workbench))] == ["delivered"] * 2
    assert len(service.requests) == 2


def test_lost_answer_repeats_same_post(workbench: Bench, service: Service, hook: Hook) -> None:
    workbench.publish(1)
    hook.answers = [None]
    ((_, how, note),) = workbench.deliver(opened(workbench))
    assert (how, "cannot be reached" in note) == ("later", True)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    once, again = service.requests
    assert (once.body, once.headers["x-qalab-delivery"]) == (again.body, again.headers["x-qalab-delivery"])


@pytest.mark.parametrize(
    "status, kind", [(401, ConfigurationError), (410, ConfigurationError), (429, InfrastructureError)]
)
def test_status_that_concerns_receiver_raises(
    workbench: Bench, service: Service, hook: Hook, status: int, kind: type[LabError]
) -> None:
    workbench.publish(1)
    workbench.publish(2)
    hook.answers = [(status, "no")]
    with pytest.raises(kind, match=f"answers {status}"):
        workbench.deliver(opened(workbench))
    assert len(service.requests) == 1


@pytest.mark.parametrize("status, how", [*((one, "parked") for one in (400, 403, 404, 413, 422)),
                                         *((one, "later") for one in (408, 425, 500, 502, 503))])  # fmt: skip
def test_status_that_concerns_one_delivery(
    workbench: Bench, service: Service, hook: Hook, status: int, how: str
) -> None:
    workbench.publish(1)
    workbench.publish(2)
    hook.answers = [(status, "no")]
    (refused, taken) = workbench.deliver(opened(workbench))
    assert refused[:2] == (1, how)
    assert f"answers {status}" in refused[2]
    assert taken == (2, "delivered", "")
    assert len(service.requests) == 2


def test_three_failures_in_a_row_raise(workbench: Bench, service: Service, hook: Hook) -> None:
    for number in range(1, 9):
        workbench.publish(number)
    hook.answers = [(500, "")] * 2 + [(204, "")] + [(500, "")] * 5
    actual = opened(workbench).deliver(list(workbench.items.values()))
    assert [next(actual).how for _ in range(6)] == ["later", "later", "delivered", "later", "later", "later"]
    with pytest.raises(InfrastructureError, match="answers 500"):
        next(actual)
    assert len(service.requests) == 6


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_raises(workbench: Bench, service: Service, hook: Hook, status: int) -> None:
    workbench.publish(1)
    hook.answers = [(status, "", {"Location": "/y"})]
    with pytest.raises(ConfigurationError) as raised:
        workbench.deliver(opened(workbench))
    assert str(raised.value) == (
        f"{service.url}/x: redirects POST to {service.url}/y, which is not followed: "
        f"is notifications.webhook.url now {service.url}/y?"
    )
    assert [request.method for request in service.requests] == ["POST"]
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]


@pytest.mark.parametrize("answer", [half, pytest.param(stalled, marks=pytest.mark.integration), drip, endless])
def test_accepted_delivery_is_not_repeated_whatever_follows_the_status(
    workbench: Bench, service: Service, hook: Hook, monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], Answer]
) -> None:
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 1.0 if answer is stalled else 60.0)
    monkeypatch.setattr(web, "ANSWER_SECONDS", 0.05 if answer is drip else 60.0)
    monkeypatch.setattr(web, "MOST_BYTES", 100_000)
    workbench.publish(1)
    hook.answers = [answer(200)]
    for _ in range(2):
        assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    assert len(service.requests) == 1


def test_receiver_that_hangs_is_postponed(workbench: Bench, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 0.05)
    workbench.publish(1)
    hook.answers = [silence]
    ((_, how, note),) = workbench.deliver(opened(workbench))
    assert (how, "timed out" in note) == ("later", True)


def test_bug_in_one_delivery_parks_it_alone(workbench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = workbench.publish(1)
    workbench.publish(2)
    body = webhook.WebhookOutput.body

    def fail(self: webhook.WebhookOutput, item: PendingDelivery) -> bytes:
        if item == odd:
            raise TypeError("an odd\nbody")
        return body(self, item)

    monkeypatch.setattr(webhook.WebhookOutput, "body", fail)
    (first, second) = opened(workbench).deliver(list(workbench.items.values()))
    assert (first.how, first.is_bug, second.how) == ("parked", True, "delivered")
    (log, *_) = sorted((environment.state_home() / "bugs").iterdir())
    assert first.note == f"a bug in qalab: TypeError: an odd body; see {log}"
    assert "in fail\n" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_missing_key_raises(workbench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QALAB_WEBHOOK_SECRET")
    with pytest.raises(ConfigurationError, match="the variable QALAB_WEBHOOK_SECRET is not set"):
        opened(workbench)
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "k3y")
    assert "k3y" not in repr(opened(workbench))


def test_withdraw_discards_waiting_message(workbench: Bench, service: Service, hook: Hook) -> None:
    item = workbench.publish(1)
    hook.answers = [(500, "")]
    output = opened(workbench)
    assert [how for _, how, _ in workbench.deliver(output)] == ["later"]
    output.withdraw([Tombstone(name=item.name, track="", component="", phase="", retracted="")])
    assert not list((workbench.context.home / "webhook/waiting").iterdir())


def test_withdraw_announces_sent_build_once(workbench: Bench, service: Service, hook: Hook) -> None:
    item = workbench.publish(1)
    output = opened(workbench)
    workbench.deliver(output)
    tombstone = Tombstone(name=item.name, track="", component="", phase="", retracted="")
    hook.answers = [(500, "")]
    with pytest.raises(InfrastructureError):  # the publisher asks again
        output.withdraw([tombstone])
    output.withdraw([tombstone])
    _, once, again = service.requests
    assert once.body == again.body
    assert json.loads(again.body) == {"schema": 1, "retracted": item.name}
    assert once.headers["webhook-id"] == again.headers["webhook-id"] == f"{item.name}-retracted"
    assert verified(again, b"k3y") == [True]


@pytest.mark.parametrize(
    "secret, key",
    [
        ("k3y", b"k3y"),
        (" k3y\n", b"k3y"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
    ],
)
def test_key_of_variable(monkeypatch: pytest.MonkeyPatch, secret: str, key: bytes) -> None:
    monkeypatch.setenv("HOOK", secret)
    assert webhook.key_of("HOOK") == key


@pytest.mark.parametrize(
    "secret, message",
    [
        (" ", "is not set"),
        ("whsec_", ": what follows whsec_ is not Base64"),
        ("whsec_b*d", ": what follows whsec_ is not Base64"),
    ],
)
def test_bad_key_raises(workbench: Bench, monkeypatch: pytest.MonkeyPatch, secret: str, message: str) -> None:
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", secret)
    with pytest.raises(
        ConfigurationError, match=rf"notifications.webhook: the variable QALAB_WEBHOOK_SECRET ?{message}$"
    ):
        opened(workbench)


def test_message_is_signed_with_former_key_too(
    bench: Callable[..., Bench], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "new")
    monkeypatch.setenv("FORMER_KEY", "former")
    workbench = bench(notifications={"webhook": {"url": service.url, "former_secrets": ["FORMER_KEY"]}})
    workbench.publish(1)
    workbench.deliver(opened(workbench))
    (request,) = service.requests
    assert (verified(request, b"new"), verified(request, b"former")) == ([True, False], [False, True])
    known = [(one.name, one.env) for one in workbench.lab.notifications.credentials]
    assert known == [("webhook-key", "QALAB_WEBHOOK_SECRET"), ("webhook-key", "FORMER_KEY")]  # never published


def test_receiver_that_names_a_wait_is_waited_for(workbench: Bench, service: Service, hook: Hook) -> None:
    workbench.publish(1)
    workbench.publish(2)
    hook.answers = [(503, "", {"Retry-After": "120"})]
    with pytest.raises(Throttled) as raised:
        workbench.deliver(opened(workbench))
    assert raised.value.seconds == 120
    assert len(service.requests) == 1
