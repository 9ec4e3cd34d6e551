"""The content of mails about one transition, or about many; as text and as HTML."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from html import escape
from typing import Final

from lab.base.text import shortened
from lab.config.publication import Mail
from lab.results import addresses
from lab.results.build_environment import SHOWN, EnvironmentChange, changes
from lab.results.cases import Case
from lab.results.history import of_case
from reports.model import Build, Commit
from reports.outputs.delivery import OutputContext, PendingDelivery
from reports.transitions import Transition

MOST_TESTS: Final = 10
MOST_EVIDENCE: Final = 40  # lines
MOST_COMMITS: Final = 30
WIDTH: Final = 160


@dataclass(frozen=True)
class MailSection:
    """A heading with lines, or (``is_code``) with unchanged output."""

    heading: str
    lines: tuple[str, ...]
    is_code: bool = False


def mail_text(context: OutputContext, mail: Mail, item: PendingDelivery, transition: Transition) -> EmailMessage:
    """Return a mail about one transition, to the lab's people and, if lab.yaml says so, to the authors of the commits.

    The authors get it only where nothing but their commits changed since the last good build.
    """
    build = item.read().build
    told = mail.upstream_authors and transition.kind == "broken" and not _changes(context, build, transition)
    copies = _authors(context, transition) if told else []
    message = _message(context, mail, subject(build, transition), item.name, copies)
    thread = f"<{addresses.part(build.component)}.{addresses.part(build.track)}.lane@{_domain(context, mail)}>"
    message["In-Reply-To"] = message["References"] = thread
    parts = [MailSection("", (headline(build, transition),)), *_details(context, build, transition)]
    return _filled(message, parts, context.link(build))


def digest(context: OutputContext, mail: Mail, news: Sequence[tuple[PendingDelivery, Transition]]) -> EmailMessage:
    """Return one mail about many transitions."""
    lines = []
    for item, transition in news:
        build = item.read().build
        link = context.link(build)
        lines.append(f"{headline(build, transition)}{f' {link}' if link else ''}")
    title = f"[{context.lab.lab.name}] {len(news)} changes"
    message = _message(context, mail, title, news[0][0].name, [])
    site = context.lab.public.site_url if context.lab.public else None
    return _filled(message, [MailSection(f"{len(news)} changes", tuple(lines))], site or "")


def subject(build: Build, transition: Transition) -> str:
    lab, where = build.lab, f"{build.component} on {build.track}"
    return f"[{lab}] {where}: {_change(build, transition)}"


def headline(build: Build, transition: Transition) -> str:
    commit = f" at commit {build.commit[:12]}" if build.commit else ""
    version = f", version {build.version}" if build.version else ""
    return (
        f"{build.component} on {build.track}: {_change(build, transition)}: "
        f"{build.phase} {build.number}{commit}{version}, {build.started[:16]}Z."
    )


def _change(build: Build, transition: Transition) -> str:
    bad = f"{build.verdict} at {build.step}" if build.step else build.verdict
    match transition.kind:
        case "first":
            return f"first result: {bad}"
        case "still broken":
            return f"still broken after {transition.days} days: {bad}"
        case "fixed":
            return f"fixed after {transition.days} days" if transition.days else "fixed"
    return f"broken: {bad}"


def _details(context: OutputContext, build: Build, transition: Transition) -> list[MailSection]:
    parts = []
    failing = [case for case in build.cases if of_case(case) == "bad" and case.nuance != "rerun"]
    if build.message and transition.kind != "fixed":
        parts.append(MailSection("Message", (shortened(build.message, WIDTH),)))
    if failing:
        lines = [f"{case.id}: {shortened(case.message or case.outcome, WIDTH)}" for case in failing[:MOST_TESTS]]
        more = len(failing) - len(lines)
        parts.append(MailSection(f"Failing tests: {len(failing)}", (*lines, *([f"and {more} more"] if more else []))))
        parts += [evidence for case in failing[:1] if (evidence := _evidence(case))]
    if transition.kind in {"broken", "still broken"} and transition.good:
        parts += _causes(_commits(context, build, transition), _changes(context, build, transition))
    return parts


def _causes(commits: Sequence[Commit], others: Sequence[EnvironmentChange]) -> list[MailSection]:
    """Return what can have broken a build: its commits alone, or suspects with everything else that changed."""
    if not commits:
        title = "No new commits since the last good build"
    elif others:
        title = "Suspects: commits since the last good build"
    else:
        title = "Broken by this commit" if len(commits) == 1 else "Broken by one of these commits"
    lines = [_commit_line(commit, named=not others) for commit in commits[:MOST_COMMITS]]
    parts = [MailSection(title, tuple(lines))]
    if others:
        changed = [shortened(str(change), WIDTH) for change in others[:SHOWN]]
        more = len(others) - len(changed)
        title = "Also changed since the last good build" if commits else "Changed since the last good build"
        parts.append(MailSection(title, (*changed, *([f"and {more} more"] if more else []))))
    return parts


def _commit_line(commit: Commit, *, named: bool) -> str:
    author = f", {commit.author}" if named and commit.author else ""
    return f"{commit.id[:12]} {shortened(commit.subject, WIDTH)}{author}"


def _changes(context: OutputContext, build: Build, transition: Transition) -> tuple[EnvironmentChange, ...]:
    """Return what else changed from the last good build to the first bad one."""
    names = (transition.good.name if transition.good else "", transition.since.name)
    found = [build if name == transition.point.name else _found(context, name) for name in names]
    return changes(*(each.environment if each else None for each in found))


def _found(context: OutputContext, name: str) -> Build | None:
    item = context.find(name)
    return item.read().build if item else None


def _evidence(case: Case) -> MailSection | None:
    lines = (case.evidence or case.errors or case.output).splitlines()[-MOST_EVIDENCE:]
    return MailSection(f"Output of {case.name}", tuple(lines), is_code=True) if lines else None


def _commits(context: OutputContext, build: Build, transition: Transition) -> list[Commit]:
    """Return the commits of the first bad range: after the last good build, up to the first bad one."""
    by_id: dict[str, Commit] = {}
    for point in transition.suspects:
        found = build if point.name == transition.point.name else _found(context, point.name)
        by_id |= {commit.id: commit for commit in (found.commits if found else ())}
    return list(by_id.values())


def _authors(context: OutputContext, transition: Transition) -> list[str]:
    return list(dict.fromkeys(address for point in transition.suspects for address in context.authors(point.name)))


def _sender(context: OutputContext, mail: Mail) -> str:
    return mail.sender or context.lab.lab.maintainer


def _domain(context: OutputContext, mail: Mail) -> str:
    return parseaddr(_sender(context, mail))[1].rpartition("@")[2]


def _message(context: OutputContext, mail: Mail, title: str, name: str, copies: Sequence[str]) -> EmailMessage:
    message = EmailMessage()
    lab = context.lab.lab
    message["Subject"] = " ".join(title.split())
    message["From"] = formataddr(parseaddr(_sender(context, mail)))
    message["To"] = ", ".join(mail.to or [formataddr(parseaddr(lab.maintainer))])
    if copies:
        message["Cc"] = ", ".join(copies)
    message["Date"] = format_datetime(datetime.fromtimestamp(int(context.clock.now()), UTC))
    unique = hashlib.sha256(f"{name} {title}".encode()).hexdigest()[:16]
    message["Message-ID"] = f"<{name}.{unique}@{_domain(context, mail)}>"
    message["Auto-Submitted"] = "auto-generated"
    message["List-Id"] = f"{lab.name} <{lab.name}.{_domain(context, mail)}>"
    return message


def _filled(message: EmailMessage, parts: Sequence[MailSection], link: str) -> EmailMessage:
    message.set_content(as_text(parts, link))
    message.add_alternative(as_html(parts, link), subtype="html")
    return message


def as_text(parts: Sequence[MailSection], link: str) -> str:
    blocks = []
    for part in parts:
        indent = "    " if part.is_code else "  " if part.heading else ""
        blocks.append(
            "\n".join([*([f"{part.heading}:"] if part.heading else []), *(indent + line for line in part.lines)])
        )
    return "\n\n".join([*blocks, *([link] if link else [])]) + "\n"


def as_html(parts: Sequence[MailSection], link: str) -> str:
    blocks = []
    for part in parts:
        if part.heading:
            blocks.append(f"<h3>{escape(part.heading)}</h3>")
        if part.is_code:
            blocks.append(f"<pre>{escape(chr(10).join(part.lines))}</pre>")
        elif part.heading:
            blocks.append(f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in part.lines)}</ul>")
        else:
            blocks.append(f"<p>{escape(' '.join(part.lines))}</p>")
    if link:
        blocks.append(f'<p><a href="{escape(link)}">{escape(link)}</a></p>')
    return f"<!DOCTYPE html><html><body>{''.join(blocks)}</body></html>\n"
