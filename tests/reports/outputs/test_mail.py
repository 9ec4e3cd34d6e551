"""Mail, with an SMTP server on loopback."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config.publication import Mail
from lab.results.build_environment import BuildEnvironment
from reports.model import Commit
from reports.outputs import mail, mail_text
from reports.outputs.delivery import Output, OutputContext, Tombstone
from reports.outputs.mail_groups import MailGroup
from tests.reports.outputs.conftest import FAILING, Bench
from tests.reports.smtp import MailServer

ENVIRONMENT = BuildEnvironment(packages={"libc6": "2.36-9"}, packaging="f" * 40, lab_commit="e" * 40)
CHANGED = ENVIRONMENT.model_copy(update={"packages": {"libc6": "2.37-1"}})
MUCH_CHANGED = ENVIRONMENT.model_copy(update={"packages": {f"lib{number:02}": "1" for number in range(25)}})
COMMITS = (
    Commit(id="c0ffee" + "0" * 34, subject="Fix it", author="Ada"),
    Commit(id="c0ffee" + "1" * 34, subject="Move it", author="Boris"),
)
MANY_COMMITS = (
    COMMITS[0],
    *(Commit(id=f"{number:040x}", subject=f"Change {number}", author="Ada") for number in range(2, 43)),
)


@pytest.fixture
def post(bench: Callable[..., Bench], server: MailServer) -> Callable[..., tuple[Bench, Output]]:
    """Return ``post(most_per_hour=3)``: a lab that sends its mail to the server."""

    def make(**settings: Any) -> tuple[Bench, Output]:
        workbench = bench(notifications={"mail": {"server": server.url, **settings}})
        return workbench, opened(workbench)

    return make


def opened(workbench: Bench) -> Output:
    output = mail.open_output(workbench.context)
    assert output is not None
    return output


def test_no_output_without_mail(bench: Callable[..., Bench]) -> None:
    assert mail.open_output(bench().context) is None


def test_mail_of_broken_build(post: Callable[..., tuple[Bench, Output]], server: MailServer) -> None:
    workbench, output = post(to=["qa@lab.example"], upstream_authors=True)
    workbench.publish(1, environment=ENVIRONMENT)
    workbench.publish(2, "error")
    bad = workbench.publish(3, "failed", message="one test <failed>", environment=ENVIRONMENT)
    workbench.addresses = {
        item.name: [f"ada{number}@up.example"] for number, item in enumerate(workbench.items.values(), 1)
    }
    outcomes = sorted(workbench.deliver(output))
    assert outcomes == [(1, "nothing", "nothing changed"), (2, "nothing", "nothing changed"), (3, "delivered", "")]
    (broken,) = (one.message for one in server.taken)
    assert str(broken["Subject"]) == "[testlab] greet on trunk: broken: boot"
    assert (str(broken["To"]), str(broken["Cc"])) == ("qa@lab.example", "ada2@up.example, ada3@up.example")
    assert server.taken[0].to == ("qa@lab.example", "ada2@up.example", "ada3@up.example")
    assert str(broken["From"]) == "Test Lab <lab@lab.example>"
    assert broken["References"] is None
    assert str(broken["Auto-Submitted"]) == "auto-generated"
    text, page = (part.get_content() for part in broken.iter_parts())
    for part in ("Failing tests: 1 of 1", "s/c/boot: it <b>fell</b>", "    line 2", "Change 2", "Change 3", "Broken by one of these commits:",
                 f"Build: https://qa.lab.example/b/{bad.name[:2]}/{bad.name}/", "Test: https://qa.lab.example/t/greet/",
                 "Last good build: ", "Component: https://qa.lab.example/p/greet/trunk/"):  # fmt: skip
        assert part in text
    assert "one test <failed>" not in text  # the tests say it
    assert "Change 1" not in text
    assert "it &lt;b&gt;fell&lt;/b&gt;" in page
    assert "<b>fell" not in page
    assert f'<a href="https://qa.lab.example/b/{bad.name[:2]}/{bad.name}/">Build</a>' in page


@pytest.mark.parametrize(
    "after, commits, expected",
    [
        (ENVIRONMENT, COMMITS[:1], "Broken by this commit:\n  c0ffee000000 Fix it, Ada\n"),
        (CHANGED, COMMITS, ("Suspects: commits since the last good build:\n  c0ffee000000 Fix it\n  c0ffee111111 Move it\n\n"
                           "Other possible reasons since the last good build:\n  libc6 2.36-9 -> 2.37-1\n")),
        (CHANGED, (), "Broken between the commits 000000000000 and c0ffee000000:\n\nPossible reasons since the last good build:\n  libc6 2.36-9 -> 2.37-1\n"),
        (CHANGED, None, "No new commits since the last good build:\n\nPossible reasons since the last good build:\n  libc6 2.36-9 -> 2.37-1\n"),
        (None, COMMITS[:1], ("Suspects: commits since the last good build:\n  c0ffee000000 Fix it\n\n"
                            "Other possible reasons since the last good build:\n  environment: not recorded\n")),
        (MUCH_CHANGED, COMMITS[:1], "lib19 1 (new)\n  and 6 more\n"),
        (ENVIRONMENT, MANY_COMMITS, "Change 30, Ada\n  and 12 more\n"),
    ],
)  # fmt: skip
def test_an_author_is_named_only_where_nothing_else_changed(
    post: Callable[..., tuple[Bench, Output]],
    server: MailServer,
    after: BuildEnvironment | None,
    commits: tuple[Commit, ...] | None,
    expected: str,
) -> None:
    workbench, output = post(to=["qa@lab.example"], upstream_authors=True)
    workbench.publish(1, environment=ENVIRONMENT)
    commit = COMMITS[0].id if commits is not None else f"{1:040x}"
    bad = workbench.publish(2, "failed", environment=after, commits=commits or (), commit=commit)
    workbench.publish(3, "failed", day=20, environment=ENVIRONMENT)  # still broken: the first bad build counts
    workbench.addresses = {bad.name: ["ada@up.example"]}
    workbench.deliver(output)
    broken, still = (one.message for one in server.taken)
    assert broken["Cc"] == ("ada@up.example" if after is ENVIRONMENT else None)
    for message in (broken, still):
        assert expected in next(message.iter_parts()).get_content().replace("\r\n", "\n")
    assert still["Cc"] is None


def test_any_text_is_sent_as_7bit(post: Callable[..., tuple[Bench, Output]], server: MailServer) -> None:
    workbench, output = post()
    evidence = "grün ✘ " + "x" * 2000
    workbench.publish(
        1,
        "failed",
        message="kaputt: ünï\r\nBcc: evil@example.org",
        cases=(FAILING.model_copy(update={"evidence": evidence}),),
    )
    assert workbench.deliver(output) == [(1, "delivered", "")]
    (taken,) = server.taken
    assert taken.data.isascii()
    assert max(map(len, taken.data.split(b"\r\n"))) < 998
    assert taken.message["Bcc"] is None
    text, page = (part.get_content() for part in taken.message.iter_parts())
    assert evidence in text
    assert evidence in page


def test_deliver_sends_each_mail_once(post: Callable[..., tuple[Bench, Output]], server: MailServer) -> None:
    workbench, output = post()
    workbench.publish(1, "failed")
    workbench.publish(2)
    assert [how for _, how, _ in workbench.deliver(output)] == ["delivered"] * 2
    assert [how for _, how, _ in workbench.deliver(output)] == ["delivered"] * 2
    assert len(server.taken) == 2
    assert server.taken[0].to == ("lab@lab.example",)


def test_lost_answer_repeats_same_mail(post: Callable[..., tuple[Bench, Output]], server: MailServer) -> None:
    workbench, output = post()
    workbench.publish(1, "failed")
    server.lose = 1
    with pytest.raises(InfrastructureError, match="Connection unexpectedly closed"):
        workbench.deliver(output)
    workbench.time.sleep(3600)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    once, again = server.taken
    assert once.data == again.data  # the same mail, and the same Message-ID


@pytest.mark.integration
def test_mails_above_limit_become_digest(post: Callable[..., tuple[Bench, Output]], server: MailServer) -> None:
    workbench, output = post(most_per_hour=3)
    for number in range(1, 11):
        workbench.publish(number, "failed" if number % 2 else "passed", cases=())
    assert [how for _, how, _ in workbench.deliver(output)] == ["delivered"] * 10
    assert server.subjects[2] == "[testlab] 8 changes"
    assert len(server.taken) == 3
    (text, _) = (part.get_content() for part in server.taken[2].message.iter_parts())
    assert text.count("greet on trunk:") == 8
    workbench.publish(11, "failed", cases=())
    late = workbench.publish(12)
    assert workbench.deliver(output, [late]) == [(12, "later", "the limit of mails per hour is reached")]
    workbench.time.sleep(3601)
    assert workbench.deliver(output, [late]) == [(12, "delivered", "")]
    wrote = len(server.taken)
    assert {how for _, how, _ in workbench.deliver(output)} == {"delivered"}
    assert len(server.taken) == wrote + 1  # build 11 broke something


@pytest.mark.parametrize(
    "command, answer, how",
    [
        ("RCPT TO:<gone@", "550 no such user", "parked"),
        ("RCPT TO:<gone@", "450 greylisted", "later"),
        ("(data)", "554 looks like spam", "parked"),
        ("MAIL FROM", "552 too large", "parked"),
        ("(data)", "451 try later", "later"),
    ],
)
def test_refused_mail_is_parked_or_postponed(
    post: Callable[..., tuple[Bench, Output]], server: MailServer, command: str, answer: str, how: str
) -> None:
    workbench, output = post(to=["gone@lab.example"])
    workbench.publish(1, "failed")
    server.refuse = lambda message: answer if message.startswith(command) else None
    ((_, outcome, actual),) = workbench.deliver(output)
    assert outcome == how
    assert actual.endswith(f": {'refused: ' if 'RCPT' in command else ''}{answer}")
    assert "\n" not in actual
    server.refuse = lambda _: None
    assert workbench.deliver(output) == [(1, "delivered", "")]


def test_bug_in_one_mail_parks_it_alone(
    post: Callable[..., tuple[Bench, Output]], server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench, output = post(to=["qa@lab.example"])
    odd = workbench.publish(1, "failed")
    workbench.publish(2)
    letter = mail_text.mail_text

    def fail(context: OutputContext, mail: Mail, group: MailGroup, *args: Any) -> EmailMessage:
        if group.news[0].item == odd:
            raise KeyError("an odd build")
        return letter(context, mail, group, *args)

    monkeypatch.setattr(mail_text, "mail_text", fail)
    (first, second) = output.deliver(list(workbench.items.values()))
    assert (first.how, first.is_bug, second.how) == ("parked", True, "delivered")
    assert len(server.taken) == 1


def test_unsupported_address_is_parked_alone(post: Callable[..., tuple[Bench, Output]], server: MailServer) -> None:
    workbench, output = post(to=["qa@lab.example"])
    (home,) = [workbench.context.home / "mail/waiting"]
    item = workbench.publish(1, "failed")
    home.mkdir(parents=True)
    (home / item.name).write_bytes(
        f"From: a@b.example\nTo: \u00fcx@b.example\nX-QALab-Builds: {item.name}\n\n".encode()
    )
    workbench.publish(2)
    assert [actual[:2] for actual in workbench.deliver(output)] == [(1, "parked"), (2, "delivered")]
    assert len(server.taken) == 1


def test_one_refused_recipient_is_noted(post: Callable[..., tuple[Bench, Output]], server: MailServer) -> None:
    workbench, output = post(to=["gone@lab.example", "qa@lab.example"])
    workbench.publish(1, "failed")
    server.refuse = lambda message: "550 no such user" if "gone" in message and message.startswith("RCPT") else None
    assert workbench.deliver(output) == [(1, "delivered", "gone@lab.example: refused: 550 no such user")]
    assert server.taken[0].to == ("qa@lab.example",)


@pytest.mark.parametrize(
    "command, answer, message",
    [
        ("MAIL", "550 not from you", "refuses mail from lab@lab.example: 550 not from you"),
        ("EHLO", "", "cannot be used: Connection unexpectedly closed"),
        ("MAIL", "421 closing down", "refuses mail from lab@lab.example: 421 closing down"),
    ],
)
def test_unusable_server_raises(
    post: Callable[..., tuple[Bench, Output]], server: MailServer, command: str, answer: str, message: str
) -> None:
    workbench, output = post()
    workbench.publish(1, "failed")
    server.refuse = lambda actual: answer if actual.startswith(command) else None
    with pytest.raises(LabError, match=message) as raised:
        workbench.deliver(output)
    assert "\n" not in str(raised.value)


def test_unreachable_server_raises(bench: Callable[..., Bench]) -> None:
    workbench = bench(notifications={"mail": {"server": "smtp://127.0.0.1:1"}})
    workbench.publish(1, "failed")
    with pytest.raises(InfrastructureError, match=r"smtp://127\.0\.0\.1:1: cannot be used: .*refused"):
        workbench.deliver(opened(workbench))


@pytest.mark.integration
@pytest.mark.parametrize("from_the_start", [True, False])
def test_login_over_tls(
    bench: Callable[..., Bench], certificate: Path, monkeypatch: pytest.MonkeyPatch, *, from_the_start: bool
) -> None:
    monkeypatch.setenv("QALAB_SMTP_USER", "bot")
    monkeypatch.setenv("QALAB_SMTP_PASSWORD", "s3cret")
    with MailServer(certificate, {"bot": "s3cret"}, is_tls_from_the_start=from_the_start) as server:
        workbench = bench(notifications={"mail": {"server": server.url}})
        workbench.publish(1, "failed")
        with pytest.raises(InfrastructureError, match=r"TLS: CERTIFICATE_VERIFY_FAILED"):
            workbench.deliver(opened(workbench))
        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
        assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
        assert (server.taken[0].is_encrypted, server.taken[0].user) == (True, "bot")
        monkeypatch.setenv("QALAB_SMTP_PASSWORD", "wrong")
        workbench.publish(2)
        with pytest.raises(ConfigurationError, match="refuses bot") as raised:
            workbench.deliver(opened(workbench))
        assert "wrong" not in str(raised.value)


def test_password_is_not_sent_without_tls(
    post: Callable[..., tuple[Bench, Output]], server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALAB_SMTP_USER", "bot")
    monkeypatch.setenv("QALAB_SMTP_PASSWORD", "s3cret")
    workbench, output = post()
    workbench.publish(1, "failed")
    with pytest.raises(ConfigurationError, match="offers no TLS, and qalab sends no password without it"):
        workbench.deliver(output)
    assert not [command for command in server.commands if command.startswith("AUTH")]


def test_withdraw_discards_waiting_mail(post: Callable[..., tuple[Bench, Output]], server: MailServer) -> None:
    workbench, output = post()
    item = workbench.publish(1, "failed")
    server.refuse = lambda message: "" if message == "DATA" else None
    with pytest.raises(InfrastructureError):
        workbench.deliver(output)
    output.withdraw([Tombstone(name=item.name, track="", component="", phase="", retracted="")])
    server.refuse = lambda _: None
    workbench.publish(2, "failed")
    workbench.deliver(output, [list(workbench.items.values())[1]])
    assert server.taken == []
