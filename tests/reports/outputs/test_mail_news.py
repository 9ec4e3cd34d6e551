"""Which mails are sent, to whom, and in which thread."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest

from lab.base.errors import InfrastructureError
from lab.results.build_environment import BuildEnvironment
from lab.results.cases import Case
from reports.model import Commit, StepSummary
from reports.outputs import mail
from reports.outputs.delivery import Output
from tests.reports.outputs.conftest import Bench
from tests.reports.publications import a_proposal
from tests.reports.smtp import MailServer

DAY = 86_400.0


def opened(bench: Callable[..., Bench], server: MailServer, **settings: Any) -> tuple[Bench, Output]:
    workbench = bench(notifications={"mail": {"server": server.url, "to": ["qa@lab.example"], **settings}})
    output = mail.open_output(workbench.context)
    assert output is not None
    return workbench, output


def some(letters: str) -> tuple[Case, ...]:
    """Return a test for each letter; a capital letter fails."""
    return tuple(
        Case(suite="s", classname="c", name=letter.lower(), outcome="failed" if letter.isupper() else "passed")
        for letter in letters
    )


def publish(workbench: Bench, words: str) -> None:
    """Publish a build a day for each word of tests; ``E`` alone is an error of the lab."""
    for number, word in enumerate(words.split(), 1):
        verdict = "error" if word == "E" else "passed" if word.islower() else "failed"
        workbench.publish(number, verdict, cases=() if word == "E" else some(word))


def changes(server: MailServer) -> list[str]:
    return [subject.partition("trunk: ")[2] for subject in server.subjects]


def change(message: EmailMessage) -> str:
    """Return the subject without the lab, the component and the track."""
    return str(message["Subject"]).removeprefix("[testlab] ").split(" on trunk: ")[-1]


@pytest.mark.parametrize(
    "words, expected",
    [
        ("ab ab", []),  # nothing broke
        ("ab Ab ab", ["broken: a", "fixed after 1 day: a"]),
        ("ab Ab b", ["broken: a", "passes without what was broken after 1 day: a"]),
        ("ab Ab AB", ["broken: a", "broken: b, 1 still broken"]),
        ("ab Ab AB aB ab", ["broken: a", "broken: b, 1 still broken", "fixed after 2 days: a, 1 still broken",
                            "fixed after 2 days: b"]),
        ("ab Ab aB", ["broken: a", "broken: b"]),
        ("ab AB", ["broken: a and 1 more"]),
        ("Ab", ["never passed: a"]),
        ("ab E E E E", []),
        ("ab E E E E E", ["the lab is ill: errors in a row"]),
        ("ab E E E E E E E E", ["the lab is ill: errors in a row"]),  # once
        ("ab E E E E E ab E E E E E", ["the lab is ill: errors in a row"] * 2),
        ("ab Ab ab Ab ab Ab ab", ["broken: a", "fixed after 1 day: a", "broken: a", "fixed after 1 day: a"]),  # flaky
        ("ab Ab ab Ab ab ab ab ab ab ab ab ab Ab Ab Ab Ab Ab ab",
         ["broken: a", "fixed after 1 day: a"] * 2 + ["broken since 2026-01-13: a", "fixed after 5 days: a"]),
    ],
)  # fmt: skip
def test_news(bench: Callable[..., Bench], server: MailServer, words: str, expected: list[str]) -> None:
    workbench, output = opened(bench, server)
    publish(workbench, words)
    workbench.deliver(output)
    assert changes(server) == expected


def test_a_thread_for_each_breakage(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server)
    publish(workbench, "ab Ab AB aB ab")
    workbench.deliver(output)
    broken_a, broken_b, fixed_a, fixed_b = (one.message for one in server.taken)
    assert (broken_a["References"], broken_b["References"]) == (None, None)
    assert str(fixed_a["In-Reply-To"]) == str(fixed_a["References"]) == str(broken_a["Message-ID"])
    assert str(fixed_b["In-Reply-To"]) == str(broken_b["Message-ID"])
    assert len({str(one.message["Message-ID"]) for one in server.taken}) == 4


def test_test_that_did_not_run_is_not_fixed(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server)
    publish(workbench, "abc AB bC c")
    workbench.deliver(output)
    assert changes(server) == [
        "broken: a and 1 more",
        "broken: c, 1 still broken",
        "fixed after 1 day: c; 1 more without a result",
    ]
    text = plain(server.taken[2].message)
    assert "Fixed\n" not in text
    assert "Broken before, and without a result (not run, skipped, known to fail, or given up)" in text


def test_reminder_is_in_the_thread(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server, remind_days=2)
    publish(workbench, "ab Ab Ab Ab")
    workbench.deliver(output)
    assert changes(server) == ["broken: a", "still broken after 2 days: a"]
    assert str(server.taken[1].message["References"]) == str(server.taken[0].message["Message-ID"])


def test_step_is_no_test(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server)
    workbench.publish(1)
    step = StepSummary(step="sbuild", verdict="failed", message="a syntax error")
    case = Case(suite="trunk.greet", classname="trunk.greet", name="sbuild", outcome="failed", message="a syntax error")
    workbench.publish(2, "failed", cases=(case,), steps=(step,), message="a syntax error")
    workbench.deliver(output)
    assert changes(server) == ["broken: step sbuild"]
    text = plain(server.taken[0].message)
    assert text.count("a syntax error") == 1
    assert "Failing tests" not in text


def plain(message: EmailMessage) -> str:
    (text, _) = (part.get_content() for part in message.iter_parts())
    return text


def test_history_is_not_mailed(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server, upstream_authors=True)
    publish(workbench, "ab Ab ab Ab ab")
    names = list(workbench.items)
    workbench.delays = {name: (len(names) - place - 1) * DAY for place, name in enumerate(names)}
    outcomes = {number: note for number, how, note in workbench.deliver(output) if how == "nothing"}
    assert outcomes == dict.fromkeys((1, 2, 3), "ended more than 1 day before it was published")
    assert len(server.taken) == 2


@pytest.mark.parametrize(
    "routes, expected",
    [
        ([], ["qa@lab.example"]),
        ([{"components": ["other"], "to": ["other@lab.example"]}], ["qa@lab.example"]),
        ([{"components": ["gr*"], "to": ["greet@lab.example"]}], ["greet@lab.example"]),
        ([{"tracks": ["trunk"], "to": ["trunk@lab.example"]}, {"to": ["all@lab.example", "trunk@lab.example"]}],
         ["trunk@lab.example", "all@lab.example"]),
        ([{"components": ["greet"], "tracks": ["stable"], "to": ["no@lab.example"]}], ["qa@lab.example"]),
    ],
)  # fmt: skip
def test_recipients_by_component_and_track(
    bench: Callable[..., Bench], server: MailServer, routes: list[dict[str, Any]], expected: list[str]
) -> None:
    workbench, output = opened(bench, server, routes=routes)
    publish(workbench, "a A")
    workbench.deliver(output)
    assert list(server.taken[0].to) == expected


TEAMS = [{"components": ["greet"], "to": ["greet@lab.example"]}, {"components": ["nova"], "to": ["nova@lab.example"]}]


def publish_teams(workbench: Bench, first: int, words: str) -> None:
    """Publish a build for each word COMPONENT:TESTS, as `publish` does."""
    for number, (component, tests) in enumerate((word.split(":") for word in words.split()), first):
        verdict = "error" if tests == "E" else "passed" if tests.islower() else "failed"
        cases = () if tests == "E" else some(tests)
        workbench.publish(number, verdict, component=component, cases=cases, job=f"trunk/{component}/build")


@pytest.mark.parametrize(
    "most, words, expected",
    [
        (9, "greet:A nova:A", {"greet": ["never passed: a"], "nova": ["never passed: a"]}),
        (3, "greet:A nova:A greet:AB nova:AB greet:ab nova:ab", {"greet": ["never passed: a", "2 changes"],
                                                                 "nova": ["3 changes"]}),
        (2, "greet:A nova:A greet:AB nova:AB", {"greet": ["2 changes"], "nova": ["2 changes"]}),
        (2, "greet:A nova:A nova:AB nova:ab", {"greet": ["never passed: a"], "nova": ["3 changes"]}),
        (2, "greet:A glance:A nova:A nova:ab", {"greet": ["never passed: a"], "qa": ["never passed: a"]}),
        (2, "greet:A greet:ab greet:E greet:E greet:E", {"greet": ["2 changes"],
                                                         "lab": ["the lab is ill: errors in a row"]}),
    ],
)  # fmt: skip
def test_digest_tells_each_recipient_what_is_theirs(
    bench: Callable[..., Bench], server: MailServer, most: int, words: str, expected: dict[str, list[str]]
) -> None:
    workbench, output = opened(bench, server, routes=TEAMS, most_per_hour=most, alert_errors=3)
    publish_teams(workbench, 1, words)
    outcomes = workbench.deliver(output)
    seen: dict[str, list[str]] = {}
    for one in server.taken:
        (address,) = one.to
        seen.setdefault(address.partition("@")[0], []).append(change(one.message))
    assert seen == expected
    late = [number for number, how, _ in outcomes if how == "later"]
    assert late == ([3, 4] if "glance" in words else [])
    workbench.time.sleep(3601)
    assert {how for _, how, _ in workbench.deliver(output)} <= {"delivered", "nothing"}


SHARED = [
    {"components": ["greet"], "to": ["ada@lab.example", "bob@lab.example"]},
    {"components": ["nova"], "to": ["cy@lab.example", "ada@Lab.example"]},
    {"components": ["glance"], "to": ["Ada@lab.example", "ada@lab.example"]},
]
BOTH = ["never passed: a", "broken: b, 1 still broken"]
ONE_EACH = {"ada": ["3 changes"], "bob": ["never passed: a"], "cy": ["never passed: a"]}


def received(server: MailServer) -> dict[str, list[str]]:
    """Return the changes that each person got mails about."""
    seen: dict[str, list[str]] = {}
    for one in server.taken:
        for address in one.to:
            seen.setdefault(address.partition("@")[0].lower(), []).append(change(one.message))
    return seen


@pytest.mark.parametrize(
    "most, first, expected",
    [
        (9, ["delivered"] * 3, {"ada": ["never passed: a"] * 3, "bob": ["never passed: a"], "cy": ["never passed: a"]}),
        (3, ["delivered"] * 3, {"ada": ["never passed: a"] * 3, "bob": ["never passed: a"], "cy": ["never passed: a"]}),
        (2, ["delivered"] * 2 + ["later"], ONE_EACH),
        (1, ["later"] * 2 + ["delivered"], ONE_EACH),
    ],
)
def test_person_on_several_lists_gets_one_digest(
    bench: Callable[..., Bench], server: MailServer, most: int, first: list[str], expected: dict[str, list[str]]
) -> None:
    workbench, output = opened(bench, server, routes=SHARED, most_per_hour=most)
    publish_teams(workbench, 1, "greet:A nova:A glance:A")
    assert sorted(how for _, how, _ in workbench.deliver(output)) == sorted(first)
    for _ in range(3):
        workbench.time.sleep(3601)
        workbench.deliver(output)
    assert received(server) == expected
    ids = [str(one.message["Message-ID"]) for one in server.taken]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "command, answer, outcomes, again",
    [
        ("RCPT TO:<bob@", "450 greylisted", ("later", "delivered"), {"bob": BOTH}),
        ("RCPT TO:<cy@", "450 greylisted", ("delivered", "later"), {"cy": BOTH}),
        ("RCPT TO:<bob@", "550 no such user", ("parked", "delivered"), {"bob": BOTH}),
        ("RCPT TO:<ada@", "450 greylisted", ("later", "later"), {"ada": ["never passed: a", *BOTH[:1], "2 changes"]}),
    ],
)
def test_mail_that_is_not_taken_is_sent_again_to_nobody_else(  # noqa: PLR0917 - a table
    bench: Callable[..., Bench],
    server: MailServer,
    command: str,
    answer: str,
    outcomes: tuple[str, str],
    again: dict[str, list[str]],
) -> None:
    workbench, output = opened(bench, server, routes=SHARED, most_per_hour=3)
    publish_teams(workbench, 1, "greet:A nova:A greet:AB nova:AB")
    server.refuse = lambda message: answer if message.lower().startswith(command.lower()) else None
    assert [how for _, how, _ in sorted(workbench.deliver(output))] == [*outcomes, *outcomes]
    server.refuse = lambda _: None
    for _ in range(2):
        workbench.time.sleep(3601)
        workbench.deliver(output)
    assert received(server) == {"ada": ["4 changes"], "bob": ["2 changes"], "cy": ["2 changes"]} | again


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_lost_connection_sends_no_digest_twice(bench: Callable[..., Bench], server: MailServer, lost: int) -> None:
    workbench, output = opened(bench, server, routes=SHARED, most_per_hour=3)
    publish_teams(workbench, 1, "greet:A nova:A greet:AB nova:AB")
    count = 0

    def refuse(message: str) -> str | None:
        nonlocal count
        count += message == "DATA"
        return "" if message == "DATA" and count == lost + 1 else None

    server.refuse = refuse
    with pytest.raises(InfrastructureError):
        workbench.deliver(output)
    workbench.time.sleep(60)
    assert {how for _, how, _ in workbench.deliver(output)} == {"delivered"}
    assert received(server) == {"ada": ["4 changes"], "bob": ["2 changes"], "cy": ["2 changes"]}


@pytest.mark.parametrize(
    "most, expected",
    [
        (9, {"broken: a": "", "still broken after 2 days: a": "broken: a", "fixed after 3 days: a": "broken: a"}),
        (1, {"2 changes": "", "still broken after 2 days: a": "2 changes", "fixed after 3 days: a": "2 changes"}),
    ],
)
def test_thread_begins_with_the_mail_that_told(
    bench: Callable[..., Bench], server: MailServer, most: int, expected: dict[str, str]
) -> None:
    workbench, output = opened(bench, server, most_per_hour=most, remind_days=2)
    publish(workbench, "ab Ab")
    publish_teams(workbench, 1, "nova:ab nova:Ab")
    workbench.deliver(output)
    for number, word in ((4, "Ab"), (5, "ab")):
        workbench.time.sleep(3601)
        workbench.publish(number, "passed" if word.islower() else "failed", cases=some(word))
        workbench.deliver(output)
    sent = {change(one.message): one.message for one in server.taken if "nova" not in str(one.message["Subject"])}
    ids = {str(message["Message-ID"]): name for name, message in sent.items()}
    assert {name: ids.get(str(message["In-Reply-To"]), "") for name, message in sent.items()} == expected
    assert all(message["References"] == message["In-Reply-To"] for message in sent.values())


def test_breakage_that_is_history_is_told_with_the_next_build(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server, remind_days=2, upstream_authors=True)
    publish(workbench, "ab Ab Ab Ab ab")
    names = list(workbench.items)
    workbench.delays = {names[1]: 30 * DAY}
    workbench.addresses = {name: ["ada@up.example"] for name in names}
    workbench.deliver(output)
    broken, still, fixed = (one.message for one in server.taken)
    assert change(broken) == "broken since 2026-01-02: a"
    assert str(still["References"]) == str(fixed["References"]) == str(broken["Message-ID"])
    # A commit of long ago is no news for its author, who is not told of the end of what they do not know either.
    assert (broken["Cc"], fixed["Cc"]) == (None, None)


def test_digest_leaves_out_a_build_that_cannot_be_read(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server, most_per_hour=1)
    publish(workbench, "ab Ab AB ab")
    (_, bad, _, _) = workbench.items.values()
    bad.path.write_bytes(b"no bundle")
    outcomes = workbench.deliver(output)
    assert [(number, how) for number, how, _ in sorted(outcomes)] == [
        (1, "nothing"), (2, "parked"), (3, "delivered"), (4, "delivered")
    ]  # fmt: skip
    assert [subject[10:] for subject in server.subjects] == ["2 changes"]


def test_mail_about_a_later_phase_has_the_commits_of_the_builds(
    bench: Callable[..., Bench], server: MailServer
) -> None:
    workbench, output = opened(bench, server)
    later = {"phase": "deploy", "job": "trunk/greet/deploy", "commits": ()}
    for number in (1, 2, 3):
        workbench.publish(number, cases=some("a"))
        if number != 2:
            word = "a" if number == 1 else "A"
            verdict = "passed" if word.islower() else "failed"
            workbench.publish(number, verdict, cases=some(word), **later)
    workbench.deliver(output)
    text = plain(server.taken[0].message).replace("\r\n", "\n")
    assert "Suspects: commits since the last good build:\n  000000000000 Change 2\n  000000000000 Change 3\n" in text


def test_alert_goes_to_the_maintainer(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server, alert_errors=3, routes=[{"to": ["team@lab.example"]}])
    publish(workbench, "a E E E")
    workbench.deliver(output)
    assert [one.to for one in server.taken] == [("lab@lab.example",)]


SAME = BuildEnvironment(packages={"libc6": "2.36-9"}, packaging="f" * 40, lab_commit="e" * 40)
OTHER = SAME.model_copy(update={"packages": {"libc6": "2.37-1"}})


def test_component_that_lab_yaml_drops_while_it_errs_hides_no_later_alert(
    bench: Callable[..., Bench], server: MailServer
) -> None:
    workbench, output = opened(bench, server, alert_errors=2)
    for number, (component, verdict) in enumerate(
        [("gone", "error"), ("gone", "error"), ("greet", "passed"), ("greet", "error"), ("greet", "error")], 1
    ):
        workbench.publish(number, verdict, component=component, job=f"trunk/{component}/build", cases=())
    workbench.deliver(output, [item for item in workbench.items.values() if item.lane[0] == "greet"])
    assert changes(server) == ["the lab is ill: errors in a row"]


def test_breakage_by_a_dependency_is_told_although_the_commit_passed_before(
    bench: Callable[..., Bench], server: MailServer
) -> None:
    workbench, output = opened(bench, server)
    for number, environment in enumerate((SAME, SAME, OTHER), 1):
        word = "Ab" if environment is OTHER else "ab"
        verdict = "failed" if environment is OTHER else "passed"
        workbench.publish(number, verdict, cases=some(word), commit="c" * 40, commits=(), environment=environment)
    workbench.deliver(output)
    (broken,) = (one.message for one in server.taken)
    assert change(broken) == "broken: a"
    expected = (
        "No new commits since the last good build:",
        "Possible reasons since the last good build:",
        "libc6 2.36-9 -> 2.37-1",
    )
    assert all(words in plain(broken) for words in expected)


@pytest.mark.parametrize("fields", [{"older": True}, {"proposal": a_proposal()}])
def test_build_of_something_else_is_no_news(
    bench: Callable[..., Bench], server: MailServer, fields: dict[str, Any]
) -> None:
    workbench, output = opened(bench, server)
    for number, (word, aside) in enumerate(
        [("a", False), ("A", False), ("a", True), ("A", False), ("a", False), ("A", True)], 1
    ):
        more = fields if aside else {}
        workbench.publish(number, "passed" if word == "a" else "failed", cases=some(word), **more)
    workbench.deliver(output)
    assert changes(server) == ["broken: a", "fixed after 3 days: a"]


def test_thread_of_a_test_that_was_flaky_begins_with_the_mail_that_told(
    bench: Callable[..., Bench], server: MailServer
) -> None:
    workbench, output = opened(bench, server)
    publish(workbench, "a A a A a a a a a a a a A A A A A a")
    workbench.deliver(output)
    broken, fixed = (one.message for one in server.taken[-2:])
    assert (change(broken), change(fixed)) == ("broken since 2026-01-13: a", "fixed after 5 days: a")
    assert fixed["In-Reply-To"] == broken["Message-ID"]


def test_no_author_is_named_where_a_test_was_flaky_before(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server, upstream_authors=True)
    for number, word in enumerate("aAaAaaaaaaaaAAAA", 1):
        workbench.publish(number, "passed" if word == "a" else "failed", cases=some(word), environment=SAME)
    workbench.addresses = {name: ["ada@up.example"] for name in workbench.items}
    workbench.deliver(output)
    told = [(one.message["Cc"], "the test was flaky before" in plain(one.message)) for one in server.taken]
    assert told == [("ada@up.example", False)] * 4 + [(None, True)]


@pytest.mark.parametrize(
    "rewritten, words, is_told",
    [
        (2, "a A", True),
        (2, "a E A", True),  # the error has commits that are not in the build after it, or the other way around
        (3, "a E A", True),
        (1, "a A", False),  # before the last good build
        (3, "a A A", False),  # after the first bad one
    ],
)
def test_mail_accuses_nobody_after_a_force_push(
    bench: Callable[..., Bench], server: MailServer, rewritten: int, words: str, *, is_told: bool
) -> None:
    workbench, output = opened(bench, server, upstream_authors=True)
    for number, word in enumerate(words.split(), 1):
        verdict = "error" if word == "E" else "passed" if word.islower() else "failed"
        cases = () if word == "E" else some(word)
        workbench.publish(number, verdict, cases=cases, environment=SAME, rewritten=number == rewritten)
    workbench.addresses = {name: ["ada@up.example"] for name in workbench.items}
    workbench.deliver(output)
    (message,) = (one.message for one in server.taken)
    text = plain(message)
    assert (message["Cc"] is None, "upstream history was rewritten" in text, "Broken by" not in text) == (is_told,) * 3


@pytest.mark.parametrize("published, is_told", [((1, 2, 3), False), ((1, 3), True), ((1, 2), False)])
def test_mail_accuses_nobody_for_a_build_that_is_not_published(
    bench: Callable[..., Bench], server: MailServer, published: tuple[int, ...], *, is_told: bool
) -> None:
    workbench, output = opened(bench, server, upstream_authors=True)
    for number in published:
        word = "a" if number == 1 else "A"
        verdict = "passed" if number == 1 else "failed"
        workbench.publish(number, verdict, cases=some(word), environment=SAME, since=f"{number - 1:040x}")
    workbench.addresses = {name: ["ada@up.example"] for name in workbench.items}
    workbench.deliver(output)
    message = server.taken[0].message
    text = plain(message)
    assert (message["Cc"] is None, "list of commits is incomplete" in text, "Broken by" not in text) == (is_told,) * 3


@pytest.mark.parametrize("is_published", [True, False])
def test_mail_accuses_nobody_where_the_first_build_of_a_commit_is_not_published(
    bench: Callable[..., Bench], server: MailServer, *, is_published: bool
) -> None:
    """That commit was built again after it was packaged; this build lists no commits, and is an error."""
    workbench, output = opened(bench, server, upstream_authors=True)
    heads = [f"{number:040x}" for number in range(4)]
    workbench.publish(1, cases=some("a"), environment=SAME, since=heads[0])
    if is_published:
        workbench.publish(2, "error", environment=SAME, since=heads[1])
    workbench.publish(3, "error", environment=SAME, commit=heads[2], since=heads[2], commits=())
    workbench.publish(4, "failed", cases=some("A"), environment=SAME, since=heads[2])
    workbench.addresses = {name: ["ada@up.example"] for name in workbench.items}
    workbench.deliver(output)
    message = server.taken[0].message
    text = plain(message)
    found = (message["Cc"] is None, "list of commits is incomplete" in text, "Broken by" not in text)
    assert found == (not is_published,) * 3


@pytest.mark.parametrize("failing, is_told", [(5, False), (6, True), (10, True)])
def test_mail_accuses_nobody_of_an_outage(
    bench: Callable[..., Bench], server: MailServer, failing: int, *, is_told: bool
) -> None:
    workbench, output = opened(bench, server, upstream_authors=True)
    for number, word in enumerate(("abcdefghijk", "ABCDEFGHIJK"[:failing] + "abcdefghijk"[failing:]), 1):
        workbench.publish(number, "passed" if number == 1 else "failed", cases=some(word), environment=SAME)
    workbench.addresses = {name: ["ada@up.example"] for name in workbench.items}
    workbench.deliver(output)
    message = server.taken[0].message
    text = plain(message)
    assert (message["Cc"] is None, "as in an outage" in text, "Broken by" not in text) == (is_told,) * 3


@pytest.mark.parametrize("unlisted, is_told", [(0, False), (1, True), (60, True)])
def test_mail_accuses_nobody_where_the_list_of_commits_is_cut(
    bench: Callable[..., Bench], server: MailServer, unlisted: int, *, is_told: bool
) -> None:
    """A changelog entry names some commits at most, and none that only amends another."""
    workbench, output = opened(bench, server, upstream_authors=True)
    for number, word in enumerate("aA", 1):
        verdict = "passed" if number == 1 else "failed"
        workbench.publish(number, verdict, cases=some(word), environment=SAME, unlisted=unlisted * (number == 2))
    workbench.addresses = {name: ["ada@up.example"] for name in workbench.items}
    workbench.deliver(output)
    message = server.taken[0].message
    text = plain(message)
    assert (message["Cc"] is None, "that no list names" in text, "Broken by" not in text) == (is_told,) * 3
    assert (f"and {unlisted} more" in text) is is_told


@pytest.mark.parametrize(
    "commits, before, told",
    [
        (1, SAME, ["ada2@up.example"]),
        (2, SAME, ["ada2@up.example"]),
        (1, OTHER, []),
        (1, None, []),
    ],
)
def test_authors_who_were_told_of_a_breakage_learn_of_the_fix(
    bench: Callable[..., Bench], server: MailServer, commits: int, before: BuildEnvironment | None, told: list[str]
) -> None:
    workbench, output = opened(bench, server, upstream_authors=True)
    workbench.publish(1, cases=some("a"), environment=before)
    named = tuple(Commit(id=f"{number:040x}", subject="s") for number in range(2, 2 + commits))
    workbench.publish(2, "failed", cases=some("A"), commits=named, environment=SAME)
    workbench.publish(3, cases=some("a"), environment=SAME)
    workbench.addresses = {name: [f"ada{number}@up.example"] for number, name in enumerate(workbench.items, 1)}
    workbench.deliver(output)
    broken, fixed = server.taken
    assert (list(broken.to[1:]), list(fixed.to[1:])) == (told, told)


@pytest.mark.parametrize("name", ["TestPull/case_1", "a/b/c", "get[/v1/x]", "/", "100%/2"])
def test_name_with_slashes_is_whole(bench: Callable[..., Bench], server: MailServer, name: str) -> None:
    workbench, output = opened(bench, server)
    workbench.publish(1, "failed", cases=(Case(suite="a/b", classname="c%", name=name, outcome="failed"),))
    workbench.deliver(output)
    assert changes(server) == [f"never passed: {name}"]


def test_mail_says_how_to_unsubscribe(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server)
    publish(workbench, "ab Ab")
    workbench.deliver(output)
    assert server.taken[0].message["List-Unsubscribe"] == "<mailto:lab@lab.example?subject=unsubscribe%20testlab>"


def test_long_subject_is_not_folded(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server)
    case = Case(suite="s", classname="c", name="test_" + "x" * 200, outcome="failed")
    workbench.publish(1, "failed", cases=(case,))
    workbench.deliver(output)
    assert server.taken[0].data.startswith(b"Subject: [testlab] greet on trunk: never passed: test_x")


@pytest.mark.parametrize(
    "words, order, expected",
    [
        ("ab Ab ab", [1, 3, 2], []),  # fixed before anybody heard of it
        ("ab Ab Ab ab", [1, 3, 2, 4], ["broken: a", "fixed after 2 days: a"]),
        ("ab Ab ab Ab ab", [1, 2, 4, 3, 5], ["broken: a", "fixed after 1 day: a"]),
        ("ab E E E E ab E", [1, 2, 3, 4, 6, 5, 7], []),  # the lab is well again
        ("ab E E E E E E E", [1, 2, 3, 5, 4, 6, 7, 8], ["the lab is ill: errors in a row"]),
    ],
)
def test_late_build_is_no_news(
    bench: Callable[..., Bench], server: MailServer, words: str, order: list[int], expected: list[str]
) -> None:
    workbench, output = opened(bench, server)
    for number in order:
        word = words.split()[number - 1]
        verdict = "error" if word == "E" else "passed" if word.islower() else "failed"
        item = workbench.publish(number, verdict, cases=() if word == "E" else some(word))
        workbench.deliver(output, [item])
    assert changes(server) == expected
    threads = [str(one.message["In-Reply-To"]) for one in server.taken if one.message["In-Reply-To"]]
    assert set(threads) <= {str(one.message["Message-ID"]) for one in server.taken}


def test_author_of_a_commit_that_the_good_build_has_gets_no_copy(
    bench: Callable[..., Bench], server: MailServer
) -> None:
    """Nothing is packaged while a is broken, so the lists of all builds begin before that."""
    workbench, output = opened(bench, server, upstream_authors=True)
    listed: list[Commit] = []
    for number, word in enumerate(("abcd", "Abcd", "Abcd", "ABcd"), 1):
        commit = Commit(id=f"{number:040x}", subject=f"Change {number}", author=f"Author {number}")
        listed = [commit, *listed] if number > 2 else [commit]
        since = f"{min(number - 1, 1):040x}"
        item = workbench.publish(
            number,
            "failed" if word != "abcd" else "passed",
            cases=some(word),
            environment=SAME,
            commits=tuple(listed),
            since=since,
        )
        workbench.addresses[item.name] = [f"author{int(one.id, 16)}@up.example" for one in listed]
    workbench.deliver(output)
    assert [(change(one.message), str(one.message["Cc"])) for one in server.taken] == [
        ("broken: a", "author2@up.example"),
        ("broken: b, 1 still broken", "author4@up.example"),
    ]
    text = plain(server.taken[1].message).replace("\r\n", "\n")
    assert "Broken by this commit:\n  000000000000 Change 4, Author 4" in text


def test_test_with_an_address_in_its_name_breaks_once(bench: Callable[..., Bench], server: MailServer) -> None:
    workbench, output = opened(bench, server)
    for number, outcome in enumerate(("passed", "failed", "failed", "failed", "passed"), 1):
        case = Case(suite=f"t.T-2026010{number}120000", classname="c", name=f"a[Case@6e576b5{number}]", outcome=outcome)
        workbench.publish(number, "failed" if outcome == "failed" else "passed", cases=(case,))
    workbench.deliver(output)
    assert changes(server) == ["broken: a[Case*]", "fixed after 3 days: a[Case*]"]


def test_tag_of_lintian_is_fixed_where_lintian_ran_without_it(bench: Callable[..., Bench], server: MailServer) -> None:
    """There is a tag only where something is wrong; its range begins with the last run of lintian without it."""
    workbench, output = opened(bench, server)
    tag = Case(suite="lintian", classname="greet", name="no-copyright-file", outcome="failed", message="error")
    for number, (word, tags) in enumerate([("ab", ()), ("Ab", ()), ("Ab", (tag,)), ("Ab", ()), ("ab", ())], 1):
        steps = (
            StepSummary(step="sbuild", verdict="passed"),
            StepSummary(step="lintian", verdict="unstable" if tags else "passed"),
        )
        verdict = "passed" if word.islower() else "unstable"
        workbench.publish(number, verdict, cases=(*some(word), *tags), steps=steps)
    workbench.deliver(output)
    assert changes(server) == [
        "broken: a",
        "broken: no-copyright-file, 1 still broken",
        "fixed after 1 day: no-copyright-file, 1 still broken",
        "fixed after 3 days: a",
    ]
    text = plain(server.taken[1].message)
    assert "Change 3" in text
    assert "Change 2" not in text


@pytest.mark.parametrize(
    "merges, heading",
    [
        ((), "Broken by this commit"),
        (("Merge it",), "Broken by this commit or its merge"),
        (("Merge it", "Merge that"), "Broken by this commit or one of the merges"),
    ],
)
def test_mail_names_the_commit_before_its_merges(
    bench: Callable[..., Bench], server: MailServer, merges: tuple[str, ...], heading: str
) -> None:
    workbench, output = opened(bench, server, upstream_authors=True)
    workbench.publish(1, environment=SAME)
    listed = [Commit(id=f"{number:040x}", subject=words, merge=True) for number, words in enumerate(merges, 3)]
    listed += [Commit(id=f"{2:040x}", subject="Change it")]
    workbench.publish(2, "failed", environment=SAME, commits=tuple(listed))
    workbench.publish(3, environment=SAME, cases=some("x"))
    workbench.addresses = {name: ["ada@up.example"] for name in workbench.items}
    workbench.deliver(output)
    broken, fixed = server.taken
    lines = plain(broken.message).replace("\r\n", "\n").partition(f"{heading}:\n")[2].split("\n\n")[0].split("\n")
    assert [line.strip()[13:] for line in lines] == ["Change it", *merges]
    assert fixed.message["Cc"] == "ada@up.example"
