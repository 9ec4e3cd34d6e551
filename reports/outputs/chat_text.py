"""The messages about one transition, in the forms of the chats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from lab.base.text import one_line, shortened
from lab.results import addresses
from lab.results.commit_ranges import reasons_heading
from reports.bundle import BadBundle
from reports.model import Build, Commit
from reports.outcomes import failing
from reports.outputs import wording
from reports.outputs.delivery import OutputContext, PendingDelivery, Tombstone
from reports.transitions import Transition

MOST_COMMITS: Final = 3
MOST_CHANGES: Final = 3
MOST_HEADLINES: Final = 10
KINDS: Final[Mapping[str, str]] = {
    "broken": "broken",
    "first": "never passed",
    "still broken": "still broken",
    "fixed": "fixed",
}


@dataclass(frozen=True)
class ChatMessage:
    """A message: a title, some lines, and links (name and URL)."""

    title: str
    lines: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


def message(context: OutputContext, item: PendingDelivery, transition: Transition) -> ChatMessage:
    """Return the message about a transition: what, since when, by which commit, and where to read more."""
    build = item.read().build
    lines = [
        f"Since {transition.since.started_at}"
        + (f", commit {revision}" if (revision := transition.since.commit[:12]) else "")
    ]
    if transition.kind == "fixed":
        commit = f" at commit {build.commit[:12]}" if build.commit else ""
        fixed = "Fixed" if transition.is_proved else "It has no result"
        lines = [f"{fixed}{commit}; it was broken since {transition.since.started_at}"]
    else:
        lines += _failure(build, transition)
    if transition.kind == "broken" and transition.good:
        lines += _causes(context, build, transition)
    links = tuple(wording.links(context, build, transition))
    return ChatMessage(one_line(wording.subject(build, transition)), tuple(map(one_line, lines)), links)


def digest(context: OutputContext, news: Sequence[tuple[PendingDelivery, Transition]]) -> ChatMessage:
    """Return one message about many transitions: their number by kind, the first of them, and where to read the others."""
    counts = Counter[str](transition.kind for _, transition in news)
    kinds = ", ".join(f"{counts[kind]} {words}" for kind, words in KINDS.items() if counts[kind])
    lines = [_headline(context, item, transition) for item, transition in news[:MOST_HEADLINES]]
    if len(news) > MOST_HEADLINES:
        lines.append(f"and {len(news) - MOST_HEADLINES} more")
    site = context.address("changes/")
    title = one_line(f"[{context.lab.lab.name}] {len(news)} changes: {kinds}")
    return ChatMessage(title, tuple(map(one_line, lines)), (("Changes", site),) if site else ())


def withdrawal(context: OutputContext, gone: Tombstone) -> ChatMessage:
    """Return the message about a build that was retracted: nothing of what an earlier one said of it."""
    title = f"[{context.lab.lab.name}] {gone.component} on {gone.track}: a result was withdrawn"
    lines = (
        f"The lab withdrew a result of the phase {gone.phase}. What an earlier message said about it no longer counts.",
    )
    page = context.address(addresses.lane_path(gone.component, gone.track))
    return ChatMessage(one_line(title), tuple(map(one_line, lines)), (("Component", page),) if page else ())


def _headline(context: OutputContext, item: PendingDelivery, transition: Transition) -> str:
    try:
        build = item.read().build
    except BadBundle:  # the others of the digest are news all the same
        component, track, _ = item.lane
        return f"{component} on {track}: {KINDS[transition.kind]}; its bundle cannot be read"
    link = context.link(build)
    text = f"{build.component} on {build.track}: {wording.change(build, transition)}"
    return f"{shortened(text, wording.WIDTH)}{f' {link}' if link else ''}"


def _failure(build: Build, transition: Transition) -> list[str]:
    """Return the message of the first test or step that broke."""
    first = transition.subjects[0]
    of_tests = {case.id: case.message or case.outcome for case in failing(build.tests)}
    text = of_tests.get(first.name, "") if first.kind == "test" else build.message
    return [shortened(text, wording.WIDTH)] if text else []


def _causes(context: OutputContext, build: Build, transition: Transition) -> list[str]:
    found = wording.causes(context, build, transition)
    commits, others = found.commits, found.others
    shown = [_commit(commit, named=not others) for commit in commits[:MOST_COMMITS]]
    omitted = len(commits) - len(shown) + found.unlisted
    more = [f"and {omitted} more"] if omitted and shown else []
    lines = [
        ": ".join([wording.accusation(transition, commits, others), *(["; ".join([*shown, *more])] if shown else [])])
    ]
    if others:
        changed = "; ".join(shortened(str(change), wording.WIDTH) for change in others[:MOST_CHANGES])
        more_changes = f"; and {len(others) - MOST_CHANGES} more" if len(others) > MOST_CHANGES else ""
        lines.append(f"{reasons_heading(len(commits))}: {changed}{more_changes}")
    return lines


def _commit(commit: Commit, *, named: bool) -> str:
    """Return a commit in one line, its author without the address."""
    return wording.commit_line(commit.model_copy(update={"author": commit.author_name}), named=named)


def _plain(one: ChatMessage, links: Sequence[str]) -> str:
    return "\n".join([one.title, *one.lines, *links])


def _as_html(one: ChatMessage) -> str:
    links = [f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in one.links]
    lines = [f"<strong>{escape(one.title)}</strong>", *map(escape, one.lines), *([" · ".join(links)] if links else [])]
    return "<br>".join(lines)


def _named_links(one: ChatMessage) -> list[str]:
    return [f"{name}: {url}" for name, url in one.links]


def slack(one: ChatMessage) -> dict[str, Any]:
    """Return the payload of an incoming webhook; without ``&``, ``<`` and ``>``, no text is markup or a mention."""
    escaped = _plain(one, _named_links(one)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": escaped, "mrkdwn": False, "unfurl_links": False}


def hookshot(one: ChatMessage) -> dict[str, Any]:
    """Return the payload of an inbound webhook of matrix-hookshot."""
    return {"text": _plain(one, _named_links(one)), "html": _as_html(one)}


def matrix(one: ChatMessage, thread: str = "") -> dict[str, Any]:
    """Return the content of an m.room.message: a notice that mentions nobody, in the thread of an event if there is one."""
    content: dict[str, Any] = {
        "msgtype": "m.notice",
        "body": _plain(one, _named_links(one)),
        "format": "org.matrix.custom.html",
        "formatted_body": _as_html(one),
        "m.mentions": {},
    }
    if thread:
        reply = {"m.in_reply_to": {"event_id": thread}, "is_falling_back": True}
        content["m.relates_to"] = {"rel_type": "m.thread", "event_id": thread, **reply}
    return content


HOOKS: Final[Mapping[str, Callable[[ChatMessage], dict[str, Any]]]] = {"slack": slack, "hookshot": hookshot}
