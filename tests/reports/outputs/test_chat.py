"""Messages to chat rooms, with webhooks and a Matrix homeserver on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.chats import Chat
from lab.forges import web
from lab.results.cases import Case
from reports.model import Commit
from reports.outputs import chat
from reports.outputs.delivery import Output, Tombstone
from tests.reports.outputs.conftest import Bench
from tests.servers import LOGIN_PAGE, Answer, Request, Service, drip, endless, half, silence, stalled

PATH = "/services/T00000/s3cr3tPart"
ROOM = "!abc:lab.example"
DAY = 86_400.0


@dataclass
class Hook:
    """A webhook as Slack documents it: ``ok``."""

    trouble: list[Answer | None] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer | None:
        assert (request.method, request.path) == ("POST", PATH)
        if self.trouble:
            return self.trouble.pop(0)
        self.bodies.append(json.loads(request.body))
        return 200, "ok"


@dataclass
class Homeserver:
    """The part of a Matrix homeserver that sends and redacts; see the client-server API."""

    trouble: list[Answer | None] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The contents by transaction ID."""
    redacted: list[str] = field(default_factory=list)
    lose: int = 0

    def __call__(self, request: Request) -> Answer | None:
        if self.trouble:
            return self.trouble.pop(0)
        if request.headers.get("authorization") != "Bearer s3cr3tToken":
            return 401, json.dumps({"errcode": "M_UNKNOWN_TOKEN", "error": "Unrecognised access token"})
        *_, rooms, room, action, kind, transaction = request.path.split("/")
        assert (request.method, rooms, unquote(room)) == ("PUT", "rooms", ROOM)
        if action == "redact":
            self.redacted.append(unquote(kind))
        else:
            assert (action, kind) == ("send", "m.room.message")
            self.events.setdefault(transaction, json.loads(request.body))
            if self.lose:
                self.lose -= 1
                return None
        return 200, json.dumps({"event_id": f"$of-{transaction}"})


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def homeserver() -> Homeserver:
    return Homeserver()


@pytest.fixture
def services(hook: Hook, homeserver: Homeserver) -> Iterator[tuple[Service, Service]]:
    with Service(hook) as one, Service(homeserver) as other:
        yield one, other


@pytest.fixture
def workbench(bench: Callable[..., Bench], services: tuple[Service, Service], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A lab with a webhook and a Matrix room."""
    slack, matrix = services
    monkeypatch.setenv("QALAB_CHAT_URL", f"{slack.url}{PATH}")
    monkeypatch.setenv("QALAB_MATRIX_TOKEN", "s3cr3tToken")
    hooked = {"name": "team", "format": "slack", "secret": {"env": "QALAB_CHAT_URL"}, "most_per_publish": 9}
    joined = {
        "name": "qa",
        "format": "matrix",
        "secret": {"env": "QALAB_MATRIX_TOKEN"},
        "server": matrix.url,
        "room": ROOM,
        "most_per_publish": 9,
    }
    return bench(notifications={"chats": [hooked, joined]})  # fmt: skip


def opened(workbench: Bench) -> Output:
    output = chat.open_output(workbench.context)
    assert output is not None
    return output


def test_no_output_without_chats(bench: Callable[..., Bench]) -> None:
    assert chat.open_output(bench().context) is None


def broken(workbench: Bench) -> list[str]:
    """Publish a good, a bad, another bad and a good build; return the names of the builds."""
    author = Commit(id=f"{2:040x}", subject="Change <2> & *more*", author="Ada <ada@up.example>")
    items = [
        workbench.publish(1),
        workbench.publish(2, "failed", commits=(author,)),
        workbench.publish(3, "failed"),
        workbench.publish(4),
    ]
    return [item.name for item in items]


def test_only_changes_are_sent(workbench: Bench, hook: Hook, homeserver: Homeserver) -> None:
    names = broken(workbench)
    assert workbench.deliver(opened(workbench)) == [
        (1, "nothing", "nothing changed"),
        (2, "delivered", ""),
        (3, "nothing", "nothing changed"),
        (4, "delivered", ""),
    ]
    first, second = (body["text"].splitlines() for body in hook.bodies)
    page = f"https://qa.lab.example/b/{names[1][:2]}/{names[1]}/"
    assert first[:4] == [
        "[testlab] greet on trunk: broken: boot",
        f"Since 2026-01-02 00:00Z, commit {f'{2:040x}'[:12]}",
        "it &lt;b&gt;fell&lt;/b&gt;",
        f"Suspects: commits since the last good build: {f'{2:040x}'[:12]} Change &lt;2&gt; &amp; *more*",
    ]
    assert f"Build: {page}" in first
    assert second[:2] == [
        "[testlab] greet on trunk: passes without what was broken after 2 days: boot",
        f"It has no result at commit {f'{4:040x}'[:12]}; it was broken since 2026-01-02 00:00Z",
    ]
    assert list(homeserver.events) == [names[1], names[3]]


def test_matrix_message_is_a_notice_in_the_thread_of_the_breakage(workbench: Bench, homeserver: Homeserver) -> None:
    names = broken(workbench)
    workbench.deliver(opened(workbench))
    first, second = homeserver.events.values()
    assert (first["msgtype"], first["m.mentions"], "m.relates_to" in first) == ("m.notice", {}, False)
    assert "<strong>[testlab] greet on trunk: broken: boot</strong><br>" in first["formatted_body"]
    assert "it &lt;b&gt;fell&lt;/b&gt;" in first["formatted_body"]
    assert f'<a href="https://qa.lab.example/b/{names[1][:2]}/{names[1]}/">Build</a>' in first["formatted_body"]
    assert second["m.relates_to"]["rel_type"] == "m.thread"
    assert second["m.relates_to"]["event_id"] == f"$of-{names[1]}"


def test_author_is_named_where_nothing_else_changed(
    workbench: Bench, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.outputs.wording.other_changes", lambda *_: ())
    broken(workbench)
    workbench.deliver(opened(workbench))
    assert (
        f"Broken by this commit: {f'{2:040x}'[:12]} Change &lt;2&gt; &amp; *more*, Ada"
        in hook.bodies[0]["text"].splitlines()
    )


@pytest.mark.parametrize(
    "commits, unlisted, more",
    [(1, 0, ""), (3, 0, ""), (4, 0, "; and 1 more"), (3, 2, "; and 2 more"), (5, 7, "; and 9 more"), (0, 3, "")],
)
def test_chat_says_how_many_commits_it_omits(
    workbench: Bench, hook: Hook, commits: int, unlisted: int, more: str
) -> None:
    listed = tuple(Commit(id=f"{number + 10:040x}", subject=f"Change {number}") for number in range(commits))
    workbench.publish(1)
    workbench.publish(2, "failed", commits=listed, unlisted=unlisted)
    workbench.deliver(opened(workbench))
    (line,) = [line for line in hook.bodies[0]["text"].splitlines() if line.startswith(("Suspects", "Broken between"))]
    assert line.partition("Change 2")[2] == more if commits > 2 else "more" not in line


@pytest.mark.parametrize(
    "most, titles",
    [(1, ["13 changes: 7 broken, 6 fixed"]), (2, ["greet on trunk: broken: boot", "12 changes: 6 broken, 6 fixed"])],
)
def test_changes_beyond_the_limit_are_one_message(  # noqa: PLR0917 - a table's columns
    bench: Callable[..., Bench], services: tuple[Service, Service], hook: Hook, homeserver: Homeserver,
    monkeypatch: pytest.MonkeyPatch, most: int, titles: list[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("SECRET", f"{services[0].url}{PATH}")
    monkeypatch.setenv("TOKEN", "s3cr3tToken")
    rooms = [
        {"name": "a", "format": "slack", "secret": {"env": "SECRET"}, "most_per_publish": most},
        {"name": "b", "format": "matrix", "secret": {"env": "TOKEN"}, "server": services[1].url, "room": ROOM},
    ]
    workbench = bench(notifications={"chats": rooms})
    names = [workbench.publish(number, "failed" if number % 2 == 0 else "passed").name for number in range(1, 15)]
    homeserver.lose = 1
    for expected in ("later", "delivered"):  # the homeserver does not take the digest twice
        assert {how for _, how, _ in workbench.deliver(opened(workbench))[1:]} == {expected}
    texts = [body["text"].splitlines() for body in hook.bodies]
    assert [text[0].removeprefix("[testlab] ") for text in texts] == titles
    assert texts[-1][11:] == [f"and {4 - most} more", "Changes: https://qa.lab.example/changes/"]
    assert list(homeserver.events) == [f"{names[1]}-13"]
    gone = Tombstone(name=names[4], component="greet", track="trunk", phase="build", retracted="2026-01-01T00:00:00Z")
    opened(workbench).withdraw([gone])
    assert homeserver.redacted == [f"$of-{names[1]}-13"]


def test_each_message_is_sent_once(workbench: Bench, services: tuple[Service, Service]) -> None:
    broken(workbench)
    for _ in range(3):
        assert [how for _, how, _ in workbench.deliver(opened(workbench))].count("delivered") == 2
    assert [len(service.requests) for service in services] == [2, 2]


def test_lost_answer_of_homeserver_adds_no_message(
    workbench: Bench, homeserver: Homeserver, services: tuple[Service, Service]
) -> None:
    broken(workbench)
    homeserver.lose = 1
    assert workbench.deliver(opened(workbench))[1][1] == "later"
    assert workbench.deliver(opened(workbench))[1][1] == "delivered"
    assert [len(service.requests) for service in services] == [2, 3]
    assert len(homeserver.events) == 2


def test_hookshot_gets_text_and_html(
    bench: Callable[..., Bench], services: tuple[Service, Service], hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", f"{services[0].url}{PATH}")
    workbench = bench(
        notifications={"chats": [{"name": "a", "format": "hookshot", "secret": {"env": "HOOK"}, "most_per_publish": 9}]}
    )
    broken(workbench)
    workbench.deliver(opened(workbench))
    assert set(hook.bodies[0]) == {"text", "html"}
    assert "it <b>fell</b>" in hook.bodies[0]["text"]
    assert "it &lt;b&gt;fell&lt;/b&gt;" in hook.bodies[0]["html"]


@pytest.mark.parametrize(
    "chosen, note",
    [
        ({"components": ["other"]}, "no room wants it"),
        ({"tracks": ["proposed-*"]}, "no room wants it"),
        ({"components": ["gr*"], "tracks": ["trunk"]}, ""),
    ],
)
def test_rooms_choose_components_and_tracks(
    bench: Callable[..., Bench], services: tuple[Service, Service], monkeypatch: pytest.MonkeyPatch,
    chosen: dict[str, Any], note: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("HOOK", f"{services[0].url}{PATH}")
    room = {"name": "a", "format": "slack", "secret": {"env": "HOOK"}, "most_per_publish": 9, **chosen}
    workbench = bench(notifications={"chats": [room]})
    broken(workbench)
    assert workbench.deliver(opened(workbench))[1] == (2, "nothing" if note else "delivered", note)
    assert len(services[0].requests) == (0 if note else 2)


def test_history_is_not_sent(workbench: Bench, services: tuple[Service, Service]) -> None:
    workbench.delays |= dict.fromkeys(broken(workbench), 2 * DAY)
    assert {how for _, how, _ in workbench.deliver(opened(workbench))} == {"nothing"}
    assert [service.requests for service in services] == [[], []]


@pytest.mark.parametrize(
    "answer, how, note",
    [
        ((400, "invalid_payload"), "parked", "team: answers 400 to POST: invalid_payload"),
        ((403, "action_prohibited"), "parked", "team: answers 403 to POST: action_prohibited"),
        ((404, "no_service"), "parked", "team: answers 404 to POST: no_service"),
        ((404, f"no {PATH} here"), "parked", "team: answers 404 to POST: no [hidden] here"),
        ((410, "channel_is_archived"), "parked", "team: answers 410 to POST: channel_is_archived"),
        ((401, "no"), "later", "team: answers 401 to POST: no (secret: QALAB_CHAT_URL)"),
        ((429, "slow", {"Retry-After": "30"}), "later", "team: answers 429 to POST: slow"),
        ((500, "rollup_error"), "later", "team: answers 500 to POST: rollup_error"),
        ((200, LOGIN_PAGE), "later", "team: answers 200 with a page in HTML: is the URL in QALAB_CHAT_URL right?"),
        ((302, "", {"Location": f"https://else.example{PATH}"}), "later", "team: redirects, which is not followed: is QALAB_CHAT_URL right?"),
        ((307, "", {"Location": PATH}), "later", "team: redirects, which is not followed: is QALAB_CHAT_URL right?"),
        (None, "later", "team: cannot be reached: Remote end closed connection without response"),
        pytest.param(silence, "later", "timed out", marks=pytest.mark.integration),
    ],
)  # fmt: skip
def test_trouble_of_one_room_does_not_delay_the_other(  # noqa: PLR0917 - a table's columns
    workbench: Bench, hook: Hook, homeserver: Homeserver, monkeypatch: pytest.MonkeyPatch, answer: Answer, how: str, note: str
) -> None:  # fmt: skip
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 1.0 if answer is silence else 60.0)
    broken(workbench)
    hook.trouble = [answer]
    (_, found, actual) = workbench.deliver(opened(workbench))[1]
    assert (found, note in actual) == (how, True), actual
    assert "s3cr3t" not in actual
    assert "\n" not in actual
    assert len(homeserver.events) == 2
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 60.0)
    assert {how for _, how, _ in workbench.deliver(opened(workbench))} == {"nothing", "delivered"}
    assert len(hook.bodies) == 2


@pytest.mark.parametrize("answer", [half, pytest.param(stalled, marks=pytest.mark.integration), drip, endless])
def test_accepted_message_is_not_repeated_whatever_follows_the_status(
    workbench: Bench, hook: Hook, monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], Answer]
) -> None:
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 1.0 if answer is stalled else 60.0)
    monkeypatch.setattr(web, "ANSWER_SECONDS", 0.05 if answer is drip else 60.0)
    monkeypatch.setattr(web, "MOST_BYTES", 100_000)
    broken(workbench)
    hook.trouble = [answer(200)]
    for _ in range(2):
        assert workbench.deliver(opened(workbench))[1][1] == "delivered"
    assert len(hook.bodies) == 1


@pytest.mark.parametrize(
    "answer, how, note",
    [
        ((403, '{"errcode": "M_FORBIDDEN"}'), "parked", 'qa: answers 403 to PUT: {"errcode": "M_FORBIDDEN"}'),
        ((200, LOGIN_PAGE), "later", "the answer is not JSON: is this a Matrix homeserver?"),
        ((200, "[]"), "later", "the answer has no event_id"),
        ((200, '{"event_id": 7}'), "later", "the answer has no event_id"),
        (half(200), "later", "the answer is incomplete: IncompleteRead"),
        ((401, "no s3cr3tToken"), "later", "qa: answers 401 to PUT: no [hidden] (secret: QALAB_MATRIX_TOKEN)"),
    ],
)
def test_trouble_of_homeserver(  # noqa: PLR0917 - a table's columns
    workbench: Bench, hook: Hook, homeserver: Homeserver, answer: Answer, how: str, note: str
) -> None:
    broken(workbench)
    homeserver.trouble = [answer]
    (_, found, actual) = workbench.deliver(opened(workbench))[1]
    assert (found, note in actual) == (how, True), actual
    assert len(hook.bodies) == 2
    assert {how for _, how, _ in workbench.deliver(opened(workbench))} == {"nothing", "delivered"}


@pytest.mark.parametrize(
    "value, note",
    [
        (None, "lab.yaml: notifications.chats: team: secret: the variable QALAB_CHAT_URL is not set"),
        ("ftp://x/", "QALAB_CHAT_URL contains no URL of a webhook"),
        ("https://", "QALAB_CHAT_URL contains no URL of a webhook"),
        ("two words", "QALAB_CHAT_URL contains something else than one word in ASCII"),
    ],
)
def test_unusable_secret_delays_one_room(
    workbench: Bench, homeserver: Homeserver, monkeypatch: pytest.MonkeyPatch, value: str | None, note: str
) -> None:
    monkeypatch.delenv("QALAB_CHAT_URL")
    if value:
        monkeypatch.setenv("QALAB_CHAT_URL", value)
    broken(workbench)
    (_, how, actual) = workbench.deliver(opened(workbench))[1]
    assert (how, note in actual) == ("later", True), actual
    assert len(homeserver.events) == 2


@pytest.mark.integration
def test_certificate_that_is_not_trusted(
    bench: Callable[..., Bench], certificate: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Service(hook, certificate=certificate) as service:
        monkeypatch.setenv("HOOK", f"{service.url}{PATH}")
        workbench = bench(
            notifications={
                "chats": [{"name": "a", "format": "slack", "secret": {"env": "HOOK"}, "most_per_publish": 9}]
            }
        )
        broken(workbench)
        (_, how, note) = workbench.deliver(opened(workbench))[1]
        assert (how, "a: TLS: [SSL: CERTIFICATE_VERIFY_FAILED]" in note) == ("later", True), note
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", f"{certificate}.crt")
        assert workbench.deliver(opened(workbench))[1][1] == "delivered"


def test_retraction_redacts_the_matrix_message(workbench: Bench, homeserver: Homeserver) -> None:
    name = broken(workbench)[1]
    workbench.deliver(opened(workbench))
    gone = Tombstone(name=name, component="greet", track="trunk", phase="build", retracted="2026-01-01T00:00:00Z")
    homeserver.trouble = [(403, "no s3cr3tToken"), (500, "no")]
    for kind in (ConfigurationError, InfrastructureError):
        with pytest.raises(kind, match="to PUT: no") as raised:
            opened(workbench).withdraw([gone])
        assert "s3cr3t" not in str(raised.value)
    for _ in range(2):
        opened(workbench).withdraw([gone])
    assert homeserver.redacted == [f"$of-{name}"]


def test_hostile_names_are_text(workbench: Bench, hook: Hook, homeserver: Homeserver) -> None:
    evil = Case(suite="s", classname="c", name="<!channel> @room\n<script>", outcome="failed", message="<!here>\nx")
    workbench.publish(1)
    workbench.publish(2, "failed", cases=(evil,))
    workbench.deliver(opened(workbench))
    assert "<" not in hook.bodies[0]["text"]
    (event,) = homeserver.events.values()
    assert "<script>" not in event["formatted_body"]
    assert event["m.mentions"] == {}


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"format": "matrix"}, "format matrix needs server"),
        ({"format": "matrix", "server": "https://m.example/"}, "format matrix needs room"),
        ({"format": "matrix", "server": "https://m.example/", "room": "#alias:m.example"}, "should match pattern"),
        ({"format": "slack", "room": "!a:b"}, "room belongs to format matrix"),
        ({"format": "slack", "server": "https://m.example/"}, "server belongs to format matrix"),
        ({"format": "irc"}, "Input should be"),
    ],
)
def test_settings_that_cannot_work(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Chat.model_validate_json(json.dumps({"name": "a", "secret": {"env": "X"}, **fields}))


def test_names_of_rooms_are_unique(bench: Callable[..., Bench]) -> None:
    room = {"name": "a", "format": "slack", "secret": {"env": "X"}}
    with pytest.raises(ConfigurationError, match="two chats have the name a"):
        bench(notifications={"chats": [room, room]})
