"""Votes and comments, over REST with a server on loopback, and over SSH with a fake ssh."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from reports.outputs import gerrit
from reports.outputs.delivery import MOST_IN_A_ROW, Output
from tests.reports.outputs.conftest import Bench
from tests.reports.outputs.servers import Answer, Change, Gerrit, Request, Service

REVIEWED = {"trunk": {"series": "bookworm", "trigger": "gerrit", "branch": "main"}}


@pytest.fixture
def there() -> Gerrit:
    return Gerrit([Change(7, f"{1:040x}"), Change(8, f"{2:040x}")])


@pytest.fixture
def service(there: Gerrit) -> Iterator[Service]:
    with Service(there) as one:
        yield one


@pytest.fixture
def made(bench: Callable[..., Bench], service: Service, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("QALAB_GERRIT_USER", "bot")
    monkeypatch.setenv("QALAB_GERRIT_PASSWORD", "s3cret")
    return bench(tracks=REVIEWED, notifications={"gerrit": service.url})


def opened(made: Bench) -> Output:
    output = gerrit.open_output(made.context)
    assert output is not None
    return output


def test_no_output_without_gerrit(bench: Callable[..., Bench]) -> None:
    assert gerrit.open_output(bench().context) is None


def test_deliver_votes_and_comments(made: Bench, there: Gerrit) -> None:
    good, bad = made.publish(1), made.publish(2, "failed", message="it broke")
    assert made.deliver(opened(made)) == [(1, "delivered", ""), (2, "delivered", "")]
    assert [change.votes for change in there.changes] == [[{"Verified": 1}], [{"Verified": -1}]]
    assert there.changes[0].messages == [
        f"Patch Set 1:\n\ngreet build on trunk: passed\nhttps://qa.lab.example/b/{good.name[:2]}/{good.name}/\n\nqalab: {good.name}"
    ]
    (text,) = there.changes[1].messages
    assert "greet build on trunk: failed at sbuild\nit broke\n* s/c/boot: it <b>fell</b>\n" in text
    assert text.endswith(f"qalab: {bad.name}")


@pytest.mark.parametrize("verdict", ["error", "aborted"])
def test_infrastructure_error_has_no_vote(made: Bench, there: Gerrit, verdict: str) -> None:
    made.publish(1, verdict)
    made.deliver(opened(made))
    assert there.changes[0].votes == [{}]
    assert "infrastructure error" in there.changes[0].messages[0]


def test_deliver_comments_once(made: Bench, there: Gerrit) -> None:
    made.publish(1)
    there.lose = 1
    ((_, how, note),) = made.deliver(opened(made))
    assert (how, "cannot be reached" in note) == ("later", True)
    for _ in range(2):
        assert made.deliver(opened(made)) == [(1, "delivered", "")]
    assert len(there.changes[0].messages) == 1


def test_second_run_of_patch_set_is_commented(made: Bench, there: Gerrit) -> None:
    made.publish(1, "failed")
    made.publish(3, commit=f"{1:040x}")
    made.deliver(opened(made))
    assert there.changes[0].votes == [{"Verified": -1}, {"Verified": 1}]


def test_build_of_other_track_is_not_sent(bench: Callable[..., Bench], service: Service) -> None:
    made = bench(notifications={"gerrit": service.url})
    made.publish(1)
    assert made.deliver(opened(made)) == [(1, "nothing", "not of a change under review")]
    assert service.requests == []


def test_unknown_change_is_parked(made: Bench) -> None:
    made.publish(5)
    made.publish(1)
    told = made.deliver(opened(made))
    assert told == [(5, "parked", f"no change with the commit {5:040x}"), (1, "delivered", "")]
    made.publish(6, "error", commit="")
    assert made.deliver(opened(made))[-1] == (6, "nothing", "it ended before its commit was known")


def test_refused_vote_is_parked(bench: Callable[..., Bench], service: Service, there: Gerrit, made: Bench) -> None:
    other = bench(tracks=REVIEWED, notifications={"gerrit": {"url": service.url, "label": "Unheard-Of"}})
    other.publish(1)
    ((_, how, note),) = other.deliver(opened(other))
    assert how == "parked"
    assert note.endswith(
        "POST changes/7/revisions/" + f"{1:040x}" + '/review: label "Unheard-Of" is not a configured label'
    )
    assert there.changes[0].messages == []


@pytest.mark.parametrize(
    "trouble, kind, said",
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
    made: Bench, there: Gerrit, trouble: tuple[int, str], kind: type[LabError], said: str
) -> None:
    made.publish(1)
    there.trouble = trouble
    with pytest.raises(kind) as raised:
        made.deliver(opened(made))
    assert said in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


CLOSED = "change is closed\n"
RESTRICTED = 'Applying label "Verified": 1 is restricted\n'


@pytest.mark.parametrize(
    "answer, how, note",
    [
        ((403, RESTRICTED), "parked", f"answers 403 to POST changes/7/revisions/{1:040x}/review: {RESTRICTED.strip()}"),
        ((409, CLOSED), "parked", "review: change is closed"),
        ((404, "Not found: 7\n"), "parked", "review: Not found: 7"),
        ((400, "no\n"), "parked", "answers 400"),
        ((500, "oops\n"), "later", "answers 500"),
        ((503, "busy\n"), "later", "answers 503"),
        ((408, "slow\n"), "later", "answers 408"),
        (None, "later", "cannot be reached"),
    ],
)
def test_refusal_of_one_change_does_not_delay_others(
    made: Bench, there: Gerrit, answer: Answer | None, how: str, note: str
) -> None:
    made.publish(1)
    made.publish(2)
    there.refusals = {7: answer}  # type: ignore[dict-item]
    (first, second) = made.deliver(opened(made))
    assert (first[:2], second) == ((1, how), (2, "delivered", ""))
    assert note in first[2]
    assert "\n" not in first[2]
    assert there.changes[1].votes == [{"Verified": 1}]


def test_three_failures_in_a_row_raise(made: Bench, there: Gerrit, service: Service) -> None:
    for number in (1, 2, 3, 4, 5):
        made.publish(number)
    there.trouble = (503, "busy\nreally")
    with pytest.raises(InfrastructureError, match="answers 503 to GET changes/: busy"):
        made.deliver(opened(made))
    assert len(service.requests) == MOST_IN_A_ROW


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_redirect_raises(made: Bench, there: Gerrit, service: Service, status: int, method: str) -> None:
    made.publish(1)

    def elsewhere(request: Request) -> Answer | None:
        if request.method == method:
            return status, "", {"Location": f"https://review.example/new{request.path}"}
        return there(request)

    service.answer = elsewhere
    with pytest.raises(ConfigurationError) as raised:
        made.deliver(opened(made))
    (asked,) = [request for request in service.requests if request.method == method]
    assert str(raised.value) == (
        f"{service.url}: redirects {method} to https://review.example/new{asked.path}, which is not followed: "
        "is notifications.gerrit.url now https://review.example/new?"
    )
    assert there.changes[0].votes == []


def test_ignored_vote_is_parked(bench: Callable[..., Bench], service: Service, there: Gerrit, made: Bench) -> None:
    there.is_strict = False
    other = bench(tracks=REVIEWED, notifications={"gerrit": {"url": service.url, "label": "Unheard-Of"}})
    other.publish(1)
    note = f"{service.url}: accepted the comment, but not the vote Unheard-Of: does the project have this label?"
    assert other.deliver(opened(other)) == [(1, "parked", note)]


def test_older_build_than_commented_one_is_not_sent(made: Bench, there: Gerrit) -> None:
    old, new = made.publish(1, "failed"), made.publish(3, commit=f"{1:040x}")
    assert made.deliver(opened(made), [new]) == [(3, "delivered", "")]
    assert made.deliver(opened(made), [old]) == [(1, "nothing", "a newer build of this change has a comment already")]
    assert there.changes[0].votes == [{"Verified": 1}]


def test_damaged_bundle_is_parked_alone(made: Bench, there: Gerrit) -> None:
    torn = made.publish(1)
    made.publish(2)
    torn.path.write_bytes(b"torn")
    (first, second) = made.deliver(opened(made))
    assert (first[:2], second) == ((1, "parked"), (2, "delivered", ""))


@pytest.mark.parametrize(
    "verb, said, status, how",
    [
        ("review", "fatal: change is closed", 1, "parked"),
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
    said: str,
    status: int,
    how: str,
) -> None:
    """Only the first change is refused."""
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    found = json.dumps({"number": 7, "comments": []})
    ssh.write_text(
        f"""#!/bin/sh
case "$*" in *"gerrit {verb}"*{1:040x}*) echo '{said}' >&2; exit {status};; esac
case "$*" in *query*) echo '{found}';; esac
"""
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    made = bench(tracks=REVIEWED, notifications={"gerrit": {"url": "http://g/", "ssh": "bot@g.example:29"}})
    made.publish(1)
    made.publish(2)
    if how == "raises":
        with pytest.raises(InfrastructureError, match=rf"ssh ended with status 255: {said}"):
            made.deliver(opened(made))
        return
    (first, second) = made.deliver(opened(made))
    assert (first[:2], second) == ((1, how), (2, "delivered", ""))
    assert first[2] == f"bot@g.example:29: gerrit {verb} ended with status 1: {said}"


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
    made = bench(tracks=REVIEWED, notifications={"gerrit": {"url": "http://g/", "ssh": "bot@g.example"}})
    made.publish(1)
    ((_, how, told),) = made.deliver(opened(made))
    assert (how, note in told) == ("later", True)


def test_deliver_over_ssh(bench: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >> "$0.argv"\ncase "$*" in *query*) cat "$0.says" ;; esac\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    made = bench(tracks=REVIEWED, notifications={"gerrit": {"url": "http://g/", "ssh": "bot@g.example:29"}})
    item = made.publish(1, "failed", message='it\'s "odd" $(id)')
    says = Path(f"{ssh}.says")
    says.write_text('{"type":"stats","rowCount":0}\n')
    assert made.deliver(opened(made)) == [(1, "parked", f"no change with the commit {1:040x}")]
    says.write_text(json.dumps({"number": 7, "comments": [{"message": "hello"}]}) + '\n{"type":"stats"}\n')
    assert made.deliver(opened(made)) == [(1, "delivered", "")]
    argv = Path(f"{ssh}.argv").read_text()
    assert "-p\n29\nbot@g.example\ngerrit review --tag autogenerated:qalab --label Verified=-1 --message '" in argv
    assert "it’s ”odd” $(id)" in argv
    says.write_text(json.dumps({"number": 7, "comments": [{"message": f"x\n\nqalab: {item.name}"}]}))
    assert made.deliver(opened(made)) == [(1, "delivered", "")]
    assert Path(f"{ssh}.argv").read_text().count("gerrit review") == 1
    ssh.write_text("#!/bin/sh\nexit 255\n")
    with pytest.raises(InfrastructureError, match=r"bot@g\.example:29: ssh .*ended with status 255"):
        made.deliver(opened(made))
