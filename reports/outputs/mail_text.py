"""The content of mails about one transition, or about many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from email.utils import format_datetime, formataddr, parseaddr
from typing import Final

from lab.base.text import plural, shortened
from lab.config.publication import Mail
from lab.config.types import is_among
from lab.results import addresses
from lab.results.breakages import Subject
from lab.results.build_environment import SHOWN
from lab.results.cases import Case
from lab.results.commit_ranges import reasons_heading
from lab.results.history import of_case
from reports.bisections import PublicBisection
from reports.model import Build
from reports.outcomes import decisive, failing
from reports.outputs import wording
from reports.outputs.delivery import OutputContext, PendingDelivery, Tombstone
from reports.outputs.mail_groups import MailGroup, people, person
from reports.outputs.mail_headers import addresses_in
from reports.outputs.mail_layout import MailSection, as_html, as_text
from reports.transitions import DAY_SECONDS, Kind, Transition

MOST_TESTS: Final = 10
MOST_EVIDENCE: Final = 40  # lines
MOST_COMMITS: Final = 30
REPLIES: Final[frozenset[Kind]] = frozenset({"still broken", "fixed"})


def mail_text(context: OutputContext, mail: Mail, group: MailGroup, told: Sequence[Message] = ()) -> EmailMessage:
    """Return a mail about one transition, to the lab's people and, if lab.yaml says so, to the authors of the commits.

    ``told`` are the headers of the mails that told of the breakage before.
    """
    (news,) = group.news
    build, transition = news.item.read().build, news.transition
    accused = _accused(context, mail, build, transition) if mail.upstream_authors and not group.is_split else []
    copies = [one for one in people((*accused, *news.copies)) if person(one) not in set(map(person, group.to))]
    message = _message(context, mail, wording.subject(build, transition), group.name, (group.to, copies))
    if told:
        message["In-Reply-To"] = message["References"] = " ".join(str(one["Message-ID"]) for one in told)
    elif transition.kind in REPLIES:  # no mail has this name, but it keeps the mails about a breakage together
        message["References"] = _message_id(context, mail, transition.told.name)
    parts = [MailSection("", (headline(build, transition),)), *_details(context, build, transition)]
    return _filled(message, parts, wording.links(context, build, transition))


def recipients(context: OutputContext, mail: Mail, item: PendingDelivery, transition: Transition) -> tuple[str, ...]:
    """Return the recipients of the mails about a component and a track; of an ill lab, and without any, the maintainer."""
    component, track, _ = item.lane
    routes = [route for route in mail.routes if is_among(component, route.components) and is_among(track, route.tracks)]
    to = people(address for route in routes for address in route.to) or people(mail.to)
    return (to if transition.kind != "ill" else ()) or (formataddr(parseaddr(context.lab.lab.maintainer)),)


def digest(context: OutputContext, mail: Mail, group: MailGroup, lines: Sequence[str]) -> EmailMessage:
    """Return one mail about many transitions, a line for each."""
    title = plural(len(lines), "change")
    message = _message(context, mail, f"[{context.lab.lab.name}] {title}", group.name, (group.to, []))
    site = context.address("")
    return _filled(message, [MailSection(title, tuple(lines))], [("The lab", site)] if site else [])


def digest_line(context: OutputContext, item: PendingDelivery, transition: Transition) -> str:
    build = item.read().build
    link = context.link(build)
    return f"{headline(build, transition)}{f' {link}' if link else ''}"


def withdrawal(context: OutputContext, mail: Mail, gone: Tombstone, told: Message, name: str) -> EmailMessage:
    """Return the answer to a mail about a build that was retracted since: it repeats nothing of that mail."""
    title = f"[{context.lab.lab.name}] {gone.component} on {gone.track}: a result was withdrawn"
    message = _message(context, mail, title, name, (addresses_in(told, "To"), addresses_in(told, "Cc")))
    message["In-Reply-To"] = message["References"] = str(told["Message-ID"])
    which = f"the phase {gone.phase} of {gone.component} on {gone.track}"
    text = f"The lab withdrew a result of {which}. What an earlier mail said about it no longer counts."
    page = context.address(addresses.lane_path(gone.component, gone.track))
    return _filled(message, [MailSection("", (text,))], [("Component", page)] if page else [])


def culprit(context: OutputContext, mail: Mail, one: PublicBisection, name: str, address: str) -> EmailMessage:
    """Return the mail about a proved culprit, to its author."""
    title = f"[{context.lab.lab.name}] {one.component} on {one.track}: your commit broke {one.name or one.phase}"
    message = _message(context, mail, title, name, ([address], []))
    evidence = tuple(
        f"{point.change.id[:12] if point.change else 'older end'}: passed {point.passed}, failed {point.failed}"
        for point in one.points
    )
    wrong = (f"Nothing was reverted. If this is wrong, tell {context.lab.lab.maintainer}.",)
    page = context.address(addresses.bisection_path(one.number))
    parts = [MailSection("", (one.message,)), MailSection("Tested", evidence), MailSection("", wrong)]
    return _filled(message, parts, [("The evidence", page)] if page else [])


def headline(build: Build, transition: Transition) -> str:
    commit = f" at commit {build.commit[:12]}" if build.commit else ""
    version = f", version {build.version}" if build.version else ""
    return (
        f"{build.component} on {build.track}: {wording.change(build, transition)}: "
        f"{build.phase} {build.number}{commit}{version}, {build.started[:16]}Z."
    )


def _details(context: OutputContext, build: Build, transition: Transition) -> list[MailSection]:
    parts = []
    tests = [case for case in decisive(build.tests) if of_case(case) != "neither"]
    bad = sorted(failing(tests), key=lambda case: Subject("test", case.id) not in transition.subjects)
    if build.message and not bad and (transition.kind != "fixed" or build.verdict != "passed"):
        parts.append(MailSection(build.step or build.phase, (shortened(build.message, wording.WIDTH),)))
        parts += [evidence for case in failing(build.findings)[:1] if (evidence := _evidence(case))]
    if bad:
        lines = [f"{case.id}: {shortened(case.message or case.outcome, wording.WIDTH)}" for case in bad[:MOST_TESTS]]
        more = len(bad) - len(lines)
        heading = f"Failing tests: {len(bad)} of {len(tests)}"
        parts.append(MailSection(heading, (*lines, *([f"and {more} more"] if more else []))))
        parts += [evidence for case in bad[:1] if (evidence := _evidence(case))]
    without = [one for one in (*transition.subjects, *transition.fixed) if one in transition.without]
    fixed = [one for one in transition.fixed if one not in transition.without]
    for heading, subjects in (
        ("Fixed", fixed),
        ("Broken before, and without a result (not run, skipped, known to fail, or given up)", without),
    ):
        if subjects:
            parts.append(MailSection(heading, tuple(wording.subject_name(build, one) for one in subjects[:MOST_TESTS])))
    if transition.kind in {"broken", "still broken"} and transition.good:
        parts += _causes(context, build, transition)
    return parts


def _causes(context: OutputContext, build: Build, transition: Transition) -> list[MailSection]:
    """Return what can have broken a build: its commits alone, or suspects with everything else that changed."""
    found = wording.causes(context, build, transition)
    commits, others = found.commits, found.others
    lines = [wording.commit_line(commit, named=not others) for commit in commits[:MOST_COMMITS]]
    omitted = len(commits) - len(lines) + found.unlisted
    lines += [f"and {omitted} more"] if omitted and lines else []
    parts = [MailSection(wording.accusation(transition, commits, others), tuple(lines))]
    if others:
        changed = [shortened(str(change), wording.WIDTH) for change in others[:SHOWN]]
        more = len(others) - len(changed)
        parts.append(MailSection(reasons_heading(len(commits)), (*changed, *([f"and {more} more"] if more else []))))
    return parts


def _evidence(case: Case) -> MailSection | None:
    lines = (case.evidence or case.errors or case.output).splitlines()[-MOST_EVIDENCE:]
    return MailSection(f"Output of {case.name}", tuple(lines), is_code=True) if lines else None


def _accused(context: OutputContext, mail: Mail, build: Build, transition: Transition) -> list[str]:
    """Return the authors of the commits that broke something.

    None, if something else than their commits changed since the last good build, or if that is history.
    """
    is_old = transition.since.delay > mail.history_days * DAY_SECONDS
    if transition.kind != "broken" or is_old or wording.causes(context, build, transition).others:
        return []
    return [*dict.fromkeys(_addresses(context, transition))]


def _addresses(context: OutputContext, transition: Transition) -> Iterator[str]:
    """Yield the addresses of the authors of the suspects.

    The list of a build can begin before the last good one, see `lab.results.commit_ranges`: whose commits that one has
    are left out, because no address says of which commit it is.
    """
    names = [point.name for point in (transition.good, *transition.suspects) if point]
    good, *bad = [item.read().build if (item := context.find(name)) else None for name in names]
    before = {commit.id for commit in good.commits} if good else set[str]()
    known = set(context.authors(names[0]))
    for name, build in zip(names[1:], bad, strict=True):
        is_new = build is not None and not before & {commit.id for commit in build.commits}
        yield from (address for address in context.authors(name) if is_new or address not in known)


def _sender(context: OutputContext, mail: Mail) -> str:
    return mail.sender or context.lab.lab.maintainer


def _domain(context: OutputContext, mail: Mail) -> str:
    return parseaddr(_sender(context, mail))[1].rpartition("@")[2]


def _message_id(context: OutputContext, mail: Mail, name: str) -> str:
    """Return the Message-ID of the mail about a build: there is one at most."""
    return f"<{name}@{_domain(context, mail)}>"


def _message(
    context: OutputContext, mail: Mail, title: str, name: str, addressees: tuple[Sequence[str], Sequence[str]]
) -> EmailMessage:
    message = EmailMessage()
    lab, (to, copies) = context.lab.lab, addressees
    message["Subject"] = " ".join(title.split())
    message["From"] = formataddr(parseaddr(_sender(context, mail)))
    message["To"] = ", ".join(to)
    if copies:
        message["Cc"] = ", ".join(copies)
    message["Date"] = format_datetime(datetime.fromtimestamp(int(context.clock.now()), UTC))
    message["Message-ID"] = _message_id(context, mail, name)
    message["Auto-Submitted"] = "auto-generated"
    _, maintainer = parseaddr(lab.maintainer)
    message["List-Unsubscribe"] = f"<mailto:{maintainer}?subject=unsubscribe%20{lab.name}>"  # RFC 2369
    message["List-Id"] = f"{lab.name} <{lab.name}.{_domain(context, mail)}>"
    return message


def _filled(message: EmailMessage, parts: Sequence[MailSection], links: Sequence[tuple[str, str]]) -> EmailMessage:
    message.set_content(as_text(parts, links))
    message.add_alternative(as_html(parts, links), subtype="html")
    return message
