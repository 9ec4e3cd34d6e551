"""Whoever is told that something broke is told of its end, once: fixed, no longer tested, or withdrawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.results.breakages import CLOSED
from lab.results.build_environment import BuildEnvironment
from lab.results.cases import Case
from reports.model import StepSummary
from reports.outputs import chat, mail
from reports.outputs.delivery import Output
from tests.reports.outputs.conftest import Bench
from tests.reports.publishing import a_lab
from tests.reports.smtp import MailServer
from tests.servers import Answer, Request, Service

DAY = 86_400.0
SAME = BuildEnvironment(packages={}, packaging="a", packaging_content="b", base="c", lab_commit="d")
WITHDRAWN = "a result was withdrawn"


@dataclass
class Hook:
    """A webhook of a chat; ``titles``: the first lines of its messages."""

    titles: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer | None:
        self.titles.append(json.loads(request.body)["text"].splitlines()[0])
        return 200, "ok"


def step(workbench: Bench, outputs: Sequence[Output], word: str, number: int) -> None:
    """Publish a build by its tests: a capital letter fails, ``~`` is published late, ``E`` an error, ``C`` closes; ``-2`` retracts the second."""
    if word.startswith("-"):
        name = [*workbench.items][int(word[1:]) - 1]
        for output in outputs:
            workbench.retract(output, name)
        return
    tests = word.removeprefix("~")
    verdict = {"E": "error", "C": "skipped"}.get(tests, "passed" if tests.islower() else "failed")
    cases = tuple(
        Case(suite="s", classname="c", name=one.lower(), outcome="failed" if one.isupper() else "passed")
        for one in (tests if verdict in {"passed", "failed"} else "")
    )
    steps = (StepSummary(step="sbuild", verdict="skipped", message=f"{CLOSED}it is released"),) * (tests == "C")
    item = workbench.publish(number, verdict, cases=cases, environment=SAME, steps=steps)
    workbench.addresses[item.name] = [f"author{number}@up.example"]
    workbench.delays |= {item.name: 30 * DAY} if word != tests else {}
    for output in outputs:
        assert {how for _, how, _ in workbench.deliver(output, [item])} <= {"delivered", "nothing"}


def play(workbench: Bench, outputs: Sequence[Output], words: str) -> None:
    number = 0
    for word in words.split():
        number += not word.startswith("-")
        step(workbench, outputs, word, number)


SEQUENCES = [
    ("abcd Abcd abcd", ["broken: a", "fixed after 1 day: a"]),
    ("abcd Abcd -2 abcd", ["broken: a", WITHDRAWN]),
    ("abcd Abcd -2", ["broken: a", WITHDRAWN]),
    ("abcd Abcd -2 Abcd abcd", ["broken: a", WITHDRAWN, "broken: a", "fixed after 1 day: a"]),
    ("abcd Abcd Abcd -2 Abcd abcd", ["broken: a", WITHDRAWN, "still broken after 1 day: a", "fixed after 2 days: a"]),
    ("abcd Abcd abcd -2", ["broken: a", "fixed after 1 day: a"]),  # people know that it is over
    ("abcd ABcd aBcd -2", ["broken: a and 1 more", "fixed after 1 day: a, 1 still broken", WITHDRAWN]),
    ("abcd Abcd abcd -3 abcd", ["broken: a", "fixed after 1 day: a", WITHDRAWN, "fixed after 2 days: a"]),
    ("abcd Abcd abcd -3 Abcd", ["broken: a", "fixed after 1 day: a", WITHDRAWN, "still broken after 2 days: a"]),
    ("abcd Abcd -1 abcd", ["broken: a", "fixed after 1 day: a"]),  # who was told of nothing is told nothing
    ("abcd Abcd ~abcd abcd", ["broken: a", "fixed after 1 day: a"]),
    ("abcd Abcd ~aBcd aBcd abcd", ["broken: a", "fixed after 1 day: a", "broken since 2026-01-03: b", "fixed after 2 days: b"]),
    ("abcd ~Abcd abcd", []),
    ("abcd ~Abcd Abcd abcd", ["broken since 2026-01-02: a", "fixed after 2 days: a"]),
    ("abcd Abcd E -3 abcd", ["broken: a", "fixed after 2 days: a"]),
    ("abcd Abcd bCd bCd bCd bcd",
     ["broken: a", "broken: c, 1 still broken", "no longer tested after 3 days: a, 1 still broken", "fixed after 3 days: c"]),
    ("abcd Abcd bcd", ["broken: a", "passes without what was broken after 1 day: a"]),
    ("abcd Abcd C", ["broken: a", "no longer tested after 1 day: a"]),
    ("abcd Abcd C abcd", ["broken: a", "no longer tested after 1 day: a"]),
]  # fmt: skip


@pytest.mark.parametrize("words, expected", SEQUENCES, ids=[words for words, _ in SEQUENCES])
def test_mail_tells_each_end_once(
    bench: Callable[..., Bench], server: MailServer, words: str, expected: list[str]
) -> None:
    """Also the authors who got a copy of the beginning."""
    workbench = bench(
        notifications={"mail": {"server": server.url, "to": ["qa@lab.example"], "upstream_authors": True}}
    )
    output = mail.open_output(workbench.context)
    assert output is not None
    play(workbench, [output], words)
    assert [subject.partition("trunk: ")[2] for subject in server.subjects] == expected
    told: dict[str, int] = {}
    for message in (one.message for one in server.taken):
        for address in str(message["Cc"]).split(", ") if message["Cc"] else ():
            told[address] = told.get(address, 0) + 1
    assert {*told.values()} <= {2}  # the beginning, and the end
    for name in workbench.retracted:
        workbench.retract(output, name)
    assert len(server.taken) == len(expected)  # once


@pytest.mark.parametrize("words, expected", SEQUENCES, ids=[words for words, _ in SEQUENCES])
def test_chat_tells_each_end_once(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, words: str, expected: list[str]
) -> None:
    hook = Hook()
    with Service(hook) as service:
        monkeypatch.setenv("QALAB_CHAT_URL", f"{service.url}/services/T0/secretPart")
        workbench = bench(
            notifications={"chats": [{"name": "team", "format": "slack", "secret": {"env": "QALAB_CHAT_URL"}}]}
        )
        output = chat.open_output(workbench.context)
        assert output is not None
        play(workbench, [output], words)
    assert [title.partition("trunk: ")[2] for title in hook.titles] == expected


@pytest.mark.integration
@settings(max_examples=150)
@given(st.lists(st.sampled_from(["abcd", "Abcd", "~abcd", "~Abcd", "bcd", "E", "C", "-2", "-3", "-4"]), max_size=9))
def test_reader_of_mails_believes_nothing_that_is_over(
    tmp_path_factory: pytest.TempPathFactory, mail_server: MailServer, words: list[str]
) -> None:
    """After a good build, each breakage that a mail told of has ended; no mail ends what none has told of."""
    home, builds, played = tmp_path_factory.mktemp("lab"), 0, list[str]()
    for word in words:
        is_build = not word.startswith("-")
        builds += is_build
        if is_build or (int(word[1:]) <= builds and word not in played):
            played.append(word)
    mail_server.taken.clear()
    workbench = Bench(
        home, a_lab(home, notifications={"mail": {"server": mail_server.url, "most_per_hour": 100, "alert_errors": 99}})
    )
    output = mail.open_output(workbench.context)
    assert output is not None
    play(workbench, [output], " ".join(["abcd", *played, "abcd"]))
    broken: set[str] = set()  # the mails that say so, and are not withdrawn
    for message in (one.message for one in mail_server.taken):
        subject = str(message["Subject"])
        if WITHDRAWN in subject:
            broken.discard(str(message["In-Reply-To"]))
        elif any(f"trunk: {word}" in subject for word in ("broken", "never passed", "still broken")):
            broken.add(str(message["Message-ID"]))
        else:
            assert broken or "-" in str(played), (played, mail_server.subjects)
            broken.clear()
    assert not broken, (played, mail_server.subjects)
