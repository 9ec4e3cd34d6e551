"""The mail to the author of a proved culprit: once, to nobody else, and only where lab.yaml allows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lab.store import bisections
from lab.store.bisections import BisectedChange, Bisection, BisectionAxis, BisectionEnd, Rejection, Sought
from lab.store.runs import Store
from reports.bisections import of_lab
from reports.outputs import culprit_mail, mail
from reports.outputs.delivery import OutputContext
from tests.reports.outputs.conftest import Bench
from tests.reports.smtp import MailServer

CULPRIT = BisectedChange(
    kind="upstream commit", name="c" * 40, subject="Break", author="Ada", email="ada@upstream.example"
)


@pytest.fixture
def context(bench: Callable[..., Bench], server: MailServer) -> Callable[..., OutputContext]:
    """Return ``context(outcome="range")``: a lab with a bisection; ``allowed``: whether its author gets a mail."""

    def make(
        *, allowed: bool = True, culprit: BisectedChange = CULPRIT, workbench: Bench | None = None, **changes: Any
    ) -> OutputContext:
        workbench = workbench or bench(notifications={"mail": {"server": server.url, "history_days": 36500}})
        lab = workbench.context.lab
        lab = lab.model_copy(update={"bisection": lab.bisection.model_copy(update={"mail_author": allowed})})
        end = BisectionEnd(commit="a" * 40)
        found = Bisection(
            number=1, track="trunk", component="greet", sought=Sought(phase="build", kind="step", name="sbuild"),
            good=end, bad=end, started="2026-01-01T00:00:00Z", finished="2026-01-02T00:00:00Z", outcome="found",
            axes=(BisectionAxis(kind="upstream", changes=(culprit,)),), suspects=(culprit,), message="proved: it broke",
        ).model_copy(update=changes)  # fmt: skip
        found.write(bisections.path(Store.of(lab), 1))
        return replace(workbench.context, lab=lab, bisections=lambda: of_lab(lab))

    return make


def test_author_alone_gets_one_mail(context: Callable[..., OutputContext], server: MailServer) -> None:
    made = context()
    assert culprit_mail.send(made) == []
    assert culprit_mail.send(made) == []
    (sent,) = (one.message for one in server.taken)
    assert (sent["To"], sent["Cc"]) == ("ada@upstream.example", None)
    assert "your commit broke sbuild" in str(sent["Subject"])
    assert "proved: it broke" in str(sent)


@pytest.mark.parametrize(
    "changes",
    [
        {"allowed": False},
        {"outcome": "range"},
        {"rejected": Rejection(who="Bea", when="2026-01-03T00:00:00Z")},
        {"culprit": BisectedChange(kind="component", name="talk", before="1", after="2")},
    ],
    ids=["not allowed", "range", "rejected", "component"],
)
def test_nobody_gets_a_mail(context: Callable[..., OutputContext], server: MailServer, changes: dict[str, Any]) -> None:
    assert culprit_mail.send(context(**changes)) == []
    assert server.taken == []


@pytest.mark.parametrize("name, copies", [("sbuild", "ada@upstream.example"), ("lintian", "None")])
def test_author_learns_of_the_fix(
    context: Callable[..., OutputContext], bench: Callable[..., Bench], server: MailServer, name: str, copies: str
) -> None:
    workbench = bench(notifications={"mail": {"server": server.url, "history_days": 36500}})
    sought = Sought(phase="build", kind="step", name=name)
    made = context(workbench=workbench, sought=sought, started="2026-01-02T12:00:00Z", finished="2026-01-02T13:00:00Z")
    output = mail.open_output(made)
    assert output is not None
    for number, verdict in enumerate(("passed", "failed"), 1):
        list(output.deliver([workbench.publish(number, verdict, cases=())]))
    assert culprit_mail.send(made) == []
    list(output.deliver([workbench.publish(3, cases=())]))
    subjects = [subject.rpartition("trunk: ")[2] for subject in server.subjects]
    assert subjects == ["broken: step sbuild", f"your commit broke {name}", "fixed after 1 day: step sbuild"]
    assert str(server.taken[-1].message["Cc"]) == copies


def test_refusal_is_an_error_and_final(context: Callable[..., OutputContext], server: MailServer) -> None:
    made = context()
    server.refuse = lambda command: "550 no such user" if command.startswith("RCPT") else None
    ((where, error),) = culprit_mail.send(made)
    assert (where, "550 no such user" in str(error)) == ("mail to authors", True)
    assert culprit_mail.send(made) == []
    assert server.taken == []


def test_mail_waits_for_server(context: Callable[..., OutputContext], server: MailServer) -> None:
    made = context()
    server.refuse = lambda command: "451 later" if command.startswith("DATA") else None
    assert len(culprit_mail.send(made)) == 1
    server.refuse = lambda _: None
    assert culprit_mail.send(made) == []
    assert len(server.taken) == 1
