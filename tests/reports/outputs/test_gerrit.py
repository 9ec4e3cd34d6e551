"""Votes and comments, over REST with a server on loopback, and over SSH with a fake ssh."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.forges import web
from reports.outputs import gerrit
from reports.outputs.delivery import MOST_IN_A_ROW, Output
from tests.reports.outputs.conftest import FAILING, Bench
from tests.servers import Answer, Change, Gerrit, Request, Service, drip, endless, half, stalled

REVIEWED = {"trunk": {"series": "bookworm", "trigger": "gerrit", "branch": "main"}}


@pytest.fixture
def gerrit_server() -> Gerrit:
    return Gerrit([Change(7, f"{1:040x}"), Change(8, f"{2:040x}")])


@pytest.fixture
def service(gerrit_server: Gerrit) -> Iterator[Service]:
    with Service(gerrit_server) as one:
        yield one


@pytest.fixture
def workbench(bench: Callable[..., Bench], service: Service, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("QALAB_GERRIT_USER", "bot")
    monkeypatch.setenv("QALAB_GERRIT_PASSWORD", "s3cret")
    return bench(tracks=REVIEWED, notifications={"gerrit": service.url})


def opened(workbench: Bench) -> Output:
    output = gerrit.open_output(workbench.context)
    assert output is not None
    return output


def test_no_output_without_gerrit(bench: Callable[..., Bench]) -> None:
    assert gerrit.open_output(bench().context) is None


def test_deliver_votes_and_comments(workbench: Bench, gerrit_server: Gerrit) -> None:
    good, bad = workbench.publish(1), workbench.publish(2, "failed", message="it broke")
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", ""), (2, "delivered", "")]
    assert [change.votes for change in gerrit_server.changes] == [[{"Verified": 1}], [{"Verified": -1}]]
    assert gerrit_server.changes[0].messages == [
        f"Patch Set 1:\n\ngreet build on trunk: passed\nhttps://qa.lab.example/b/{good.name[:2]}/{good.name}/\n\nqalab: {good.name}"
    ]
    (text,) = gerrit_server.changes[1].messages
    assert "greet build on trunk: failed at sbuild\nit broke\n* s/c/boot: it <b>fell</b>\n" in text
    assert text.endswith(f"qalab: {bad.name}")


@pytest.mark.parametrize("verdict", ["error", "aborted"])
def test_infrastructure_error_has_no_vote(workbench: Bench, gerrit_server: Gerrit, verdict: str) -> None:
    workbench.publish(1, verdict)
    workbench.deliver(opened(workbench))
    assert gerrit_server.changes[0].votes == [{}]
    assert "infrastructure error" in gerrit_server.changes[0].messages[0]


def test_deliver_comments_once(workbench: Bench, gerrit_server: Gerrit) -> None:
    workbench.publish(1)
    gerrit_server.lose = 1
    ((_, how, note),) = workbench.deliver(opened(workbench))
    assert (how, "cannot be reached" in note) == ("later", True)
    for _ in range(2):
        assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    assert len(gerrit_server.changes[0].messages) == 1


def test_second_run_of_patch_set_is_commented(workbench: Bench, gerrit_server: Gerrit) -> None:
    workbench.publish(1, "failed")
    workbench.publish(3, commit=f"{1:040x}")
    workbench.deliver(opened(workbench))
    assert gerrit_server.changes[0].votes == [{"Verified": 1}, {"Verified": 1}]  # the newest build decides


def phases_of_two_tracks(bench: Callable[..., Bench], service: Service) -> Bench:
    phases = ["build", "deploy"]
    one = {"series": "bookworm", "trigger": "gerrit", "branch": "main", "phases": phases}
    tracks = {"noble": one, "trixie": one, "trunk": {"series": "bookworm", "branch": "main"}}
    return bench(tracks=tracks, notifications={"gerrit": service.url})


LANES = [("noble", "build"), ("noble", "deploy"), ("trixie", "build"), ("trixie", "deploy")]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
@pytest.mark.parametrize(
    "verdicts, last",
    [
        (("passed", "passed", "passed", "passed"), 1),
        (("passed", "failed", "passed", "passed"), -1),
        (("passed", "passed", "unstable", "passed"), -1),
        (("passed", "error", "passed", "passed"), 0),
        (("passed", "passed", "passed", "aborted"), 0),
    ],
)
def test_vote_is_that_of_all_phases_on_all_tracks(  # noqa: PLR0917 - a table's columns
    workbench: Bench, bench: Callable[..., Bench], service: Service, gerrit_server: Gerrit,
    verdicts: tuple[str, ...], last: int, order: tuple[int, ...],
) -> None:  # fmt: skip
    lab = phases_of_two_tracks(bench, service)
    for day, number in enumerate(order, 1):
        track, phase = LANES[number]
        item = lab.publish(1, verdicts[number], day, track=track, phase=phase, commit=f"{1:040x}")
        assert [how for _, how, _ in lab.deliver(opened(lab), [item])] == ["delivered"]
    given = [vote.get("Verified", 0) for vote in gerrit_server.changes[0].votes]
    assert given[-1] == last
    assert 1 not in given[:3]
    assert -1 not in given or last == -1


def test_vote_follows_newest_build_of_each_phase(
    workbench: Bench, bench: Callable[..., Bench], service: Service, gerrit_server: Gerrit
) -> None:
    lab = phases_of_two_tracks(bench, service)
    days = [*LANES, ("noble", "build"), ("noble", "deploy")]
    for day, (track, phase) in enumerate(days, 1):
        verdict = "failed" if day == 2 else "passed"
        item = lab.publish(day, verdict, day, track=track, phase=phase, commit=f"{1:040x}")
        lab.deliver(opened(lab), [item])
    given = [vote.get("Verified", 0) for vote in gerrit_server.changes[0].votes]
    assert given == [0, -1, -1, -1, -1, 1]  # a new build alone does not take back the deployment's failure


@pytest.mark.parametrize(
    "change",
    [
        Change(7, f"{1:040x}", current=f"{9:040x}"),
        Change(7, f"{1:040x}", status="MERGED"),
        Change(7, f"{1:040x}", status="ABANDONED"),
    ],
)
def test_superseded_or_closed_patch_set_gets_comment_alone(
    workbench: Bench, gerrit_server: Gerrit, change: Change
) -> None:
    gerrit_server.changes[0] = change
    workbench.publish(1)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    assert (change.votes, len(change.messages)) == ([{}], 1)


def test_change_closed_meanwhile_gets_comment_alone(
    workbench: Bench, gerrit_server: Gerrit, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = gerrit_server.change_info
    monkeypatch.setattr(gerrit_server, "change_info", lambda change: {**shown(change), "status": "NEW"})
    gerrit_server.changes[0].status = "MERGED"
    workbench.publish(1)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    assert gerrit_server.changes[0].votes == [{}]


def test_skipped_build_is_not_commented(workbench: Bench, gerrit_server: Gerrit) -> None:
    workbench.publish(1, "skipped")
    assert workbench.deliver(opened(workbench)) == [(1, "nothing", "it was skipped")]
    assert gerrit_server.changes[0].messages == []


def test_comment_stays_within_limit(workbench: Bench, gerrit_server: Gerrit) -> None:
    cases = tuple(
        FAILING.model_copy(update={"name": f"{number} {'x' * 4000}", "message": "y" * 900}) for number in range(40)
    )
    workbench.publish(1, "failed", cases=cases, message="z" * 30_000)
    workbench.deliver(opened(workbench))
    (text,) = gerrit_server.changes[0].messages
    assert len(text.encode()) < 16 * 1024
    assert "https://qa.lab.example/b/" in text


def test_build_of_other_track_is_not_sent(bench: Callable[..., Bench], service: Service) -> None:
    workbench = bench(notifications={"gerrit": service.url})
    workbench.publish(1)
    assert workbench.deliver(opened(workbench)) == [(1, "nothing", "not of a change under review")]
    assert service.requests == []


def test_unknown_change_is_parked(workbench: Bench) -> None:
    workbench.publish(5)
    workbench.publish(1)
    actual = workbench.deliver(opened(workbench))
    assert actual == [(5, "parked", f"no change with the commit {5:040x}"), (1, "delivered", "")]
    workbench.publish(6, "error", commit="")
    assert workbench.deliver(opened(workbench))[-1] == (6, "nothing", "it ended before its commit was known")


def test_refused_vote_is_parked(
    bench: Callable[..., Bench], service: Service, gerrit_server: Gerrit, workbench: Bench
) -> None:
    other = bench(tracks=REVIEWED, notifications={"gerrit": {"url": service.url, "label": "Unheard-Of"}})
    other.publish(1)
    ((_, how, note),) = other.deliver(opened(other))
    assert how == "parked"
    assert note.endswith(
        "POST changes/7/revisions/" + f"{1:040x}" + '/review: label "Unheard-Of" is not a configured label'
    )
    assert gerrit_server.changes[0].messages == []


@pytest.mark.parametrize(
    "trouble, kind, message",
    [
        (
            (401, "Unauthorized"),
            ConfigurationError,
            "bot has no permission (QALAB_GERRIT_USER and QALAB_GERRIT_PASSWORD)",
        ),
        ((403, "Forbidden"), ConfigurationError, "bot has no permission"),
        ((429, "slow\ndown"), InfrastructureError, "answers 429 to GET changes/: slow"),
        ((200, "<html>"), ConfigurationError, "the answer is not JSON"),
    ],
)
def test_unusable_server_raises(
    workbench: Bench, gerrit_server: Gerrit, trouble: tuple[int, str], kind: type[LabError], message: str
) -> None:
    workbench.publish(1)
    gerrit_server.trouble = trouble
    with pytest.raises(kind) as raised:
        workbench.deliver(opened(workbench))
    assert message in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


CLOSED = "change is closed\n"
RESTRICTED = 'Applying label "Verified": 1 is restricted\n'


@pytest.mark.parametrize(
    "answer, how, note",
    [
        ((403, RESTRICTED), "parked", f"answers 403 to POST changes/7/revisions/{1:040x}/review: {RESTRICTED.strip()}"),
        ((409, CLOSED), "nothing", "review: change is closed"),
        ((404, "Not found: 7\n"), "parked", "review: Not found: 7"),
        ((400, "no\n"), "parked", "answers 400"),
        ((500, "oops\n"), "later", "answers 500"),
        ((503, "busy\n"), "later", "answers 503"),
        ((408, "slow\n"), "later", "answers 408"),
        (None, "later", "cannot be reached"),
    ],
)
def test_refusal_of_one_change_does_not_delay_others(
    workbench: Bench, gerrit_server: Gerrit, answer: Answer | None, how: str, note: str
) -> None:
    workbench.publish(1)
    workbench.publish(2)
    gerrit_server.refusals = {7: answer}  # type: ignore[dict-item]
    (first, second) = workbench.deliver(opened(workbench))
    assert (first[:2], second) == ((1, how), (2, "delivered", ""))
    assert note in first[2]
    assert "\n" not in first[2]
    assert gerrit_server.changes[1].votes == [{"Verified": 1}]


@pytest.mark.parametrize(
    "answer, note",
    [
        (half, "the answer is incomplete: IncompleteRead"),
        (stalled, "the answer is incomplete: timed out"),
        (drip, "the answer is incomplete: it takes longer than 0.05 seconds"),
        (endless, "the answer is incomplete: it is larger than 100000 bytes"),
    ],
)
def test_incomplete_answer_postpones_the_build(
    workbench: Bench, gerrit_server: Gerrit, monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], Answer], note: str
) -> None:
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 30.0 if answer is endless else 0.05)
    monkeypatch.setattr(web, "MOST_BYTES", 100_000 if answer is endless else 10**9)
    workbench.publish(1)
    gerrit_server.trouble = answer(200)
    ((_, how, actual),) = workbench.deliver(opened(workbench))
    assert (how, note in actual) == ("later", True), actual
    gerrit_server.trouble = None
    monkeypatch.setattr(web, "TIMEOUT_SECONDS", 60.0)
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]


def test_three_failures_in_a_row_raise(workbench: Bench, gerrit_server: Gerrit, service: Service) -> None:
    for number in (1, 2, 3, 4, 5):
        workbench.publish(number)
    gerrit_server.trouble = (503, "busy\nreally")
    with pytest.raises(InfrastructureError, match="answers 503 to GET changes/: busy"):
        workbench.deliver(opened(workbench))
    assert len(service.requests) == MOST_IN_A_ROW


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_redirect_raises(workbench: Bench, gerrit_server: Gerrit, service: Service, status: int, method: str) -> None:
    workbench.publish(1)

    def elsewhere(request: Request) -> Answer | None:
        if request.method == method:
            return status, "", {"Location": f"https://review.example/new{request.path}"}
        return gerrit_server(request)

    service.answer = elsewhere
    with pytest.raises(ConfigurationError) as raised:
        workbench.deliver(opened(workbench))
    (asked,) = [request for request in service.requests if request.method == method]
    assert str(raised.value) == (
        f"{service.url}: redirects {method} to https://review.example/new{asked.path}, which is not followed: "
        "is notifications.gerrit.url now https://review.example/new?"
    )
    assert gerrit_server.changes[0].votes == []


def test_ignored_vote_is_parked(
    bench: Callable[..., Bench], service: Service, gerrit_server: Gerrit, workbench: Bench
) -> None:
    gerrit_server.is_strict = False
    other = bench(tracks=REVIEWED, notifications={"gerrit": {"url": service.url, "label": "Unheard-Of"}})
    other.publish(1)
    note = f"{service.url}: accepted the comment, but not the vote Unheard-Of: does the project have this label?"
    assert other.deliver(opened(other)) == [(1, "parked", note)]


def test_older_build_than_commented_one_is_not_sent(workbench: Bench, gerrit_server: Gerrit) -> None:
    old, new = workbench.publish(1, "failed"), workbench.publish(3, commit=f"{1:040x}")
    assert workbench.deliver(opened(workbench), [new]) == [(3, "delivered", "")]
    assert workbench.deliver(opened(workbench), [old]) == [
        (1, "nothing", "a newer build of this change has a comment already")
    ]
    assert gerrit_server.changes[0].votes == [{"Verified": 1}]


def test_damaged_bundle_is_parked_alone(workbench: Bench, gerrit_server: Gerrit) -> None:
    torn = workbench.publish(1)
    workbench.publish(2)
    torn.path.write_bytes(b"torn")
    (first, second) = workbench.deliver(opened(workbench))
    assert (first[:2], second) == ((1, "parked"), (2, "delivered", ""))


@pytest.mark.parametrize(
    "verb, message, status, how",
    [
        ("review", "fatal: change is closed", 1, "nothing"),
        ("review", "error: Applying label Verified: 1 is restricted", 1, "parked"),
        ("review", f'error: "{1:040x}" matches multiple patch sets', 1, "parked"),
        ("review", "fatal: internal server error", 1, "later"),
        ("review", "fatal: no more than this", 255, "raises"),
        ("query", "fatal: not permitted", 1, "parked"),
    ],
)
def test_ssh_exit_status_decides_outcome(  # noqa: PLR0917 - a table's columns
    bench: Callable[..., Bench],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    message: str,
    status: int,
    how: str,
) -> None:
    """Only the first change is refused."""
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    found = json.dumps({"number": 7, "comments": []})
    ssh.write_text(
        f"""#!/bin/sh
case "$*" in *"gerrit {verb}"*{1:040x}*) echo '{message}' >&2; exit {status};; esac
case "$*" in *query*) echo '{found}';; esac
"""
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    workbench = bench(tracks=REVIEWED, notifications={"gerrit": {"url": "http://g/", "ssh": "bot@g.example:29"}})
    workbench.publish(1)
    workbench.publish(2)
    if how == "raises":
        with pytest.raises(InfrastructureError, match=rf"ssh ended with status 255: {message}"):
            workbench.deliver(opened(workbench))
        return
    (first, second) = workbench.deliver(opened(workbench))
    assert (first[:2], second) == ((1, how), (2, "delivered", ""))
    assert first[2] == f"bot@g.example:29: gerrit {verb} ended with status 1: {message}"


@pytest.mark.parametrize("says, note", [('{"type":"error","message":"cannot query database"}', "cannot query database"),
                                        ("<html>", "the answer is not JSON"), ("[1]", "the answer is not JSON")])  # fmt: skip
def test_failed_ssh_query_is_postponed(
    bench: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, note: str
) -> None:
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f"#!/bin/sh\necho '{says}'\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    workbench = bench(tracks=REVIEWED, notifications={"gerrit": {"url": "http://g/", "ssh": "bot@g.example"}})
    workbench.publish(1)
    ((_, how, actual),) = workbench.deliver(opened(workbench))
    assert (how, note in actual) == ("later", True)


def test_deliver_over_ssh(bench: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >> "$0.argv"\ncase "$*" in *query*) cat "$0.says" ;; esac\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    workbench = bench(tracks=REVIEWED, notifications={"gerrit": {"url": "http://g/", "ssh": "bot@g.example:29"}})
    item = workbench.publish(1, "failed", message='it\'s "odd" $(id)')
    says = Path(f"{ssh}.says")
    says.write_text('{"type":"stats","rowCount":0}\n')
    assert workbench.deliver(opened(workbench)) == [(1, "parked", f"no change with the commit {1:040x}")]
    says.write_text(json.dumps({"number": 7, "comments": [{"message": "hello"}]}) + '\n{"type":"stats"}\n')
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    argv = Path(f"{ssh}.argv").read_text()
    assert (
        "-p\n29\nbot@g.example\ngerrit review --tag autogenerated:qalab --notify OWNER --label Verified=-1 --message '"
        in argv
    )
    assert "it’s ”odd” $(id)" in argv
    says.write_text(json.dumps({"number": 7, "comments": [{"message": f"x\n\nqalab: {item.name}"}]}))
    assert workbench.deliver(opened(workbench)) == [(1, "delivered", "")]
    assert Path(f"{ssh}.argv").read_text().count("gerrit review") == 1
    ssh.write_text("#!/bin/sh\nexit 255\n")
    with pytest.raises(InfrastructureError, match=r"bot@g\.example:29: ssh .*ended with status 255"):
        workbench.deliver(opened(workbench))
