"""Messages to chat rooms when something breaks, and when it is fixed; see `reports.transitions`.

A Matrix homeserver recognises a repeated message by its transaction ID: it arrives once.  A webhook cannot: if its answer
is lost, the message arrives twice.  The URL of a webhook is a secret, and in no message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import quote, urlsplit

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config import secret_source
from lab.config.chats import Chat
from lab.config.types import MOST, is_among
from lab.forges import web
from reports.outputs import chat_text
from reports.outputs.delivery import (
    DeliveryOutcome,
    How,
    Output,
    OutputContext,
    PendingDelivery,
    Tombstone,
    one_line,
    to_one_of_many,
)
from reports.transitions import HistoryPoint, Transition, transitions

KINDS: Final = frozenset({"first", "broken", "still broken", "fixed"})
"""Without reminders, "still broken" follows a retraction alone: a message that was withdrawn can have told of it."""
ORDER: Final[tuple[How, ...]] = ("later", "parked", "delivered", "nothing")
OVER: Final = "over"
"""The note of a message of a webhook, once a later one told that all is over of which it told."""
SHORTEST: Final = 6  # a shorter part of a URL is no secret


@dataclass(frozen=True)
class ChatRoom:
    """A room; ``home`` has a file for each build that it knows of, with the ID of the event in a Matrix."""

    context: OutputContext
    chat: Chat
    home: Path

    def wants(self, item: PendingDelivery) -> bool:
        component, track, _ = item.lane
        return is_among(component, self.chat.components) and is_among(track, self.chat.tracks)

    def deliver(self, items: Sequence[PendingDelivery], news: Mapping[str, Transition]) -> Iterator[DeliveryOutcome]:
        """Send at most as many messages as the room takes for each publish; the last one is a digest of the others."""
        waiting = [item for item in items if not (self.home / item.name).exists()]
        yield from (DeliveryOutcome(item.name, "delivered") for item in items if item not in waiting)
        most = self.chat.most_per_publish
        alone = waiting if len(waiting) <= most else waiting[: most - 1]
        together = waiting[len(alone) :]
        for outcome in to_one_of_many(alone, partial(self._deliver, news)):
            yield replace(outcome, note=self._hidden(outcome.note))
        for outcome in to_one_of_many(together[:1], partial(self._deliver_digest, together, news)):
            yield replace(outcome, note=self._hidden(outcome.note))
            for item in together[1:]:
                yield DeliveryOutcome(item.name, outcome.how, self._hidden(outcome.note), is_trouble=False)

    def _deliver(self, news: Mapping[str, Transition], item: PendingDelivery) -> DeliveryOutcome:
        self._send(news, [item], chat_text.message(self.context, item, news[item.name]))
        return DeliveryOutcome(item.name, "delivered")

    def _deliver_digest(
        self, items: Sequence[PendingDelivery], news: Mapping[str, Transition], first: PendingDelivery
    ) -> DeliveryOutcome:
        self._send(news, items, chat_text.digest(self.context, [(item, news[item.name]) for item in items]))
        return DeliveryOutcome(first.name, "delivered")

    def _send(
        self, news: Mapping[str, Transition], items: Sequence[PendingDelivery], message: chat_text.ChatMessage
    ) -> None:
        """Send a message about some builds, and record it for each of them."""
        if self.chat.server:
            thread = self._thread(news[items[0].name]) if len(items) == 1 else ""
            # The same builds make the same transaction, which a homeserver takes once.
            name = "-".join([items[0].name, *[str(len(items))] * (len(items) > 1)])
            event = self._put(f"send/m.room.message/{name}", chat_text.matrix(message, thread))
        else:
            event = self._send_hook(message)
        for item in items:
            files.write_atomic(self.home / item.name, event, 0o600)
        if not self.chat.server:  # the message about a build stays there; a retraction says so, unless it is known
            over = [point.name for item in items for point in news[item.name].over]
            for name in (name for name in over if (self.home / name).exists()):
                files.write_atomic(self.home / name, OVER, 0o600)

    @property
    def _key(self) -> str:
        return f"{self.context.lab.file.name}: notifications.chats: {self.chat.name}"

    def _secret(self) -> str:
        return secret_source.read(self.chat.secret, f"{self._key}: secret")

    def _send_hook(self, message: chat_text.ChatMessage) -> str:
        url = self._secret()
        if urlsplit(url).scheme not in {"https", "http"} or not urlsplit(url).hostname:
            raise ConfigurationError(f"{self._key}: secret: {self.chat.secret.place} contains no URL of a webhook")
        answer = self._call("POST", url, chat_text.HOOKS[self.chat.format](message))
        if answer.is_page:
            what = f"answers {answer.status} with a page in HTML"
            raise ConfigurationError(f"{self.chat.name}: {what}: is the URL in {self.chat.secret.place} right?")
        return ""

    def _thread(self, transition: Transition) -> str:
        """Return the ID of the event about the breakage that a build fixed, "" without one."""
        root = self.home / transition.told.name
        return root.read_text(encoding="utf-8") if transition.kind == "fixed" and root.exists() else ""

    def withdraw(self, gone: Tombstone) -> None:
        """Remove the message about a build, also a digest with others, from a Matrix room.

        One of a webhook stays: a further message says that it no longer counts, unless all is over that it told of.
        """
        note = self.home / gone.name
        if not note.exists():
            return
        event = note.read_text(encoding="utf-8")
        try:
            if event and self.chat.server:
                self._put(f"redact/{quote(event, safe='')}/{gone.name}", {"reason": "The lab withdrew this result."})
            elif not self.chat.server and event != OVER:
                self._send_hook(chat_text.withdrawal(self.context, gone))
        except LabError as error:
            kind = InfrastructureError if isinstance(error, InfrastructureError) else ConfigurationError
            raise kind(self._hidden(one_line(error))) from None
        note.unlink()

    def _put(self, where: str, content: object) -> str:
        """Send a request about an event of the room; return the ID of the new event."""
        room, server = quote(self.chat.room or "", safe=""), (self.chat.server or "").rstrip("/")
        url, headers = f"{server}/_matrix/client/v3/rooms/{room}/{where}", {"Authorization": f"Bearer {self._secret()}"}
        answer = self._call("PUT", url, content, headers).json(server, "a Matrix homeserver")
        event = answer.get("event_id") if isinstance(answer, dict) else None
        if not isinstance(event, str):
            raise ConfigurationError(f"{server}: the answer has no event_id: is this a Matrix homeserver?")
        return event

    def _call(self, method: str, url: str, body: object, headers: Mapping[str, str] | None = None) -> web.Answer:
        name = self.chat.name
        try:
            answer = web.send(method, url, name, self._key, json=body, headers=headers)
        except web.RedirectedElsewhere:
            what = "redirects, which is not followed"
            raise ConfigurationError(
                f"{name}: {what}: is {self.chat.server or self.chat.secret.place} right?"
            ) from None
        complaint = web.complaint(answer, name, method)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise ConfigurationError(f"{complaint} (secret: {self.chat.secret.place})")
        web.check(answer, complaint, self.context.clock.now())
        return answer

    def _hidden(self, note: str) -> str:
        """Return a note without the secret, and without the parts of a webhook's URL: a server can repeat them."""
        try:
            secret = self._secret()
        except ConfigurationError:
            return note
        path = urlsplit(secret).path if "://" in secret else ""
        for part in sorted({secret, path, *path.split("/")}, key=len, reverse=True):
            note = note.replace(part, "[hidden]") if len(part) >= SHORTEST else note
        return note


@dataclass(frozen=True)
class ChatOutput:
    """The chat rooms of a lab."""

    context: OutputContext
    rooms: tuple[ChatRoom, ...]
    is_ordered: ClassVar[bool] = True
    is_news: ClassVar[bool] = True
    is_live: ClassVar[bool] = False

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]:
        found: defaultdict[str, list[DeliveryOutcome]] = defaultdict(list)
        histories = [self.context.history(*lane) for lane in dict.fromkeys(item.lane for item in items)]
        news_of = {days: _news(histories, days) for days in {room.chat.history_days for room in self.rooms}}
        for room in self.rooms:
            news = news_of[room.chat.history_days]
            for outcome in room.deliver([item for item in items if item.name in news and room.wants(item)], news):
                found[outcome.name].append(outcome)
        for item in items:
            note = "no room wants it" if any(item.name in news for news in news_of.values()) else "nothing changed"
            yield _together(found[item.name] or [DeliveryOutcome(item.name, "nothing", note)])

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        """Remove the messages from Matrix rooms, and tell the others."""
        for room in self.rooms:
            for tombstone in gone:
                room.withdraw(tombstone)


def _news(histories: Iterable[Sequence[HistoryPoint]], history_days: int) -> dict[str, Transition]:
    """Return the changes in some histories, by the names of the builds."""
    changes = (one for history in histories for one in transitions(history, MOST, history_days))
    return {one.point.name: one for one in changes if one.kind in KINDS}


def _together(outcomes: Sequence[DeliveryOutcome]) -> DeliveryOutcome:
    """Return the outcome of a build in all rooms: it waits while one of them lacks it."""
    how = min((one.how for one in outcomes), key=ORDER.index)
    worst = [one for one in outcomes if one.how == how]
    return DeliveryOutcome(
        name=worst[0].name,
        how=how,
        note="; ".join(dict.fromkeys(one.note for one in outcomes if one.note)),
        is_trouble=any(one.is_trouble for one in outcomes if one.how in {"later", "parked"}),
        is_own=all(one.is_own for one in worst),
        is_bug=any(one.is_bug for one in outcomes),
        wait=max(one.wait for one in outcomes),
    )


def open_output(context: OutputContext) -> Output | None:
    chats = context.lab.notifications.chats
    rooms = tuple(ChatRoom(context, chat, context.home / "chat" / chat.name) for chat in chats)
    return ChatOutput(context, rooms) if rooms else None
