"""Votes and comments, by REST against a server on loopback, and by SSH with a program in ssh's place."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.errors import ConfigurationError, InfrastructureError, LabError
from reports.outputs import gerrit
from reports.outputs.delivery import Output
from tests.reports.outputs.conftest import Bench
from tests.reports.outputs.servers import Change, Gerrit, Service

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


def test_who_has_no_gerrit(bench: Callable[..., Bench]) -> None:
    assert gerrit.open_output(bench().context) is None


def test_a_vote_and_a_comment(made: Bench, there: Gerrit) -> None:
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
def test_the_labs_own_faults_are_no_vote(made: Bench, there: Gerrit, verdict: str) -> None:
    made.publish(1, verdict)
    made.deliver(opened(made))
    assert there.changes[0].votes == [{}]
    assert "the lab was at fault" in there.changes[0].messages[0]


def test_nothing_is_said_twice(made: Bench, there: Gerrit) -> None:
    made.publish(1)
    there.lose = 1
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        made.deliver(opened(made))
    for _ in range(2):
        assert made.deliver(opened(made)) == [(1, "delivered", "")]
    assert len(there.changes[0].messages) == 1


def test_another_run_of_a_patch_set_is_told(made: Bench, there: Gerrit) -> None:
    made.publish(1, "failed")
    made.publish(3, commit=f"{1:040x}")
    made.deliver(opened(made))
    assert there.changes[0].votes == [{"Verified": -1}, {"Verified": 1}]


def test_what_is_not_under_review(bench: Callable[..., Bench], service: Service) -> None:
    made = bench(notifications={"gerrit": service.url})
    made.publish(1)
    assert made.deliver(opened(made)) == [(1, "nothing", "not of a change under review")]
    assert service.requests == []


def test_a_change_that_nobody_knows(made: Bench) -> None:
    made.publish(5)
    made.publish(1)
    told = made.deliver(opened(made))
    assert told == [(5, "parked", f"no change with the commit {5:040x}"), (1, "delivered", "")]
    made.publish(6, "error", commit="")
    assert made.deliver(opened(made))[-1] == (6, "nothing", "ended before it knew its commit")


def test_a_vote_that_is_refused(bench: Callable[..., Bench], service: Service, there: Gerrit, made: Bench) -> None:
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
            "bot may not do that (QALAB_GERRIT_USER and QALAB_GERRIT_PASSWORD)",
        ),
        ((503, "busy\nreally"), InfrastructureError, "answers 503 to GET changes/: busy"),
        ((200, "<html>"), ConfigurationError, "answers with something else than JSON"),
    ],
)
def test_a_gerrit_that_cannot_be_used(
    made: Bench, there: Gerrit, trouble: tuple[int, str], kind: type[LabError], said: str
) -> None:
    made.publish(1)
    there.trouble = trouble
    with pytest.raises(kind) as raised:
        made.deliver(opened(made))
    assert said in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_by_ssh(bench: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
