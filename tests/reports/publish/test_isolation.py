"""Failures of one build, one answer or one output delay nothing else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from cli import publish as publish_verb
from lab.base import environment
from lab.base.errors import Aborted, InfrastructureError
from lab.config.jenkins import Connection
from reports.journal_entries import SourceBuild
from reports.model import Build
from reports.redact.publication import Publication
from reports.redact.scan import Held
from reports.sources.runs import Runs
from tests.jenkins.double import Double
from tests.reports.publishing import Press, a_jenkins_build, a_lab, a_local_run
from tests.servers import Service


def test_removed_run_is_gone(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_local_run(press.lab)
    with monkeypatch.context() as patched:
        patched.setattr(Publication, "publish", lambda *_: (_ for _ in ()).throw(Held("not now")))
        press.run()
    shutil.rmtree(run.path)
    press.time.sleep(61)
    assert press.run().lines == []
    with press.journal() as actual:
        assert actual.builds.counts() == {"gone": 1}


def test_lost_bundle_is_parked(press: Press) -> None:
    a_local_run(press.lab)
    with press.opened() as publisher:
        publisher.outputs = {}
        publisher.run()
    for path in press.place.bundles.glob("*/*"):
        path.unlink()
    press.run()
    assert press.deliveries()["site"] == {"parked": 1}


def test_invalid_bundle_in_store_is_reported(press: Press) -> None:
    a_local_run(press.lab)
    press.run()
    odd = press.place.bundles / "00" / f"{'0' * 64}.tar.gz"
    odd.parent.mkdir(exist_ok=True)
    odd.write_bytes(b"odd")
    press.forget()
    report = press.run()
    assert report.lines == [
        f"bundles: {odd}: does not match its name: its SHA-256 is {hashlib.sha256(b'odd').hexdigest()}"
    ]
    assert press.deliveries()["site"] == {"delivered": 1}


def test_failing_filter_delays_that_build_alone(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    a_local_run(press.lab, number=1, verdict="failed", text="the odd one")
    a_local_run(press.lab, number=2)
    publish = Publication.publish

    def fail(self: Publication, build: Build, given: dict[str, Path], into: Path) -> Path:
        if build.number == 1:
            raise Held(f"{build.id}: held back: the filter failed")
        return publish(self, build, given, into)

    with monkeypatch.context() as patched:
        patched.setattr(Publication, "publish", fail)
        report = press.run()
    assert (report.bundled, report.exit_code) == (1, 3)
    assert report.lines == ["redact: local/trunk/greet/build/1@1767312535000: held back: the filter failed"]
    assert press.run().bundled == 0
    press.time.sleep(61)
    assert press.run().bundled == 1


def test_bug_in_filter_parks_that_build_alone(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    a_local_run(press.lab, number=1)
    a_local_run(press.lab, number=2)
    publish = Publication.publish

    def fail(self: Publication, build: Build, given: dict[str, Path], into: Path) -> Path:
        if build.number == 1:
            raise ZeroDivisionError("by\nnought")
        return publish(self, build, given, into)

    with monkeypatch.context() as patched:
        patched.setattr(Publication, "publish", fail)
        report = press.run()
        (log,) = (environment.state_home() / "bugs").iterdir()
        note = f"a bug in qalab: ZeroDivisionError: by nought; see {log}"
        assert report.lines == [f"redact: local/trunk/greet/build/1@1767312535000: {note}"]
        assert (report.bundled, report.exit_code) == (1, 70)
        press.time.sleep(1e6)
        assert press.run().lines == []
    assert "in fail\n" in log.read_text()
    with press.journal() as actual:
        assert actual.builds.counts() == {"bundled": 1, "parked": 1}
        (waits,) = publish_verb.summary(actual, press.lab)["waiting"]
        assert (waits["state"], waits["note"]) == ("parked", note)
        actual.retry()
    assert press.run().bundled == 1


@pytest.mark.parametrize("place, wrong", [("fetch", KeyError("duration")), ("fetch", RecursionError("deep"))])
def test_bug_in_fetch_parks_that_build_alone(
    press: Press, monkeypatch: pytest.MonkeyPatch, place: str, wrong: Exception
) -> None:
    a_local_run(press.lab, number=1)
    a_local_run(press.lab, number=2)
    real = getattr(Runs, place)

    def fail(self: Runs, found: SourceBuild, spool: Path) -> object:
        if found.number == 1:
            raise wrong
        return real(self, found, spool)

    monkeypatch.setattr(Runs, place, fail)
    report = press.run()
    assert (report.bundled, report.exit_code) == (1, 70)
    (line,) = report.lines
    assert line.startswith(f"runs: local/trunk/greet/build/1@1767312535000: a bug in qalab: {type(wrong).__name__}: ")
    with press.journal() as actual:
        assert actual.builds.counts() == {"bundled": 1, "parked": 1}


def test_run_with_invalid_time_is_reported(press: Press) -> None:
    odd, _ = a_local_run(press.lab, number=1), a_local_run(press.lab, number=2)
    actual = json.loads((odd.path / "run.json").read_text())
    (odd.path / "run.json").write_text(json.dumps(actual | {"started": "never"}))
    report = press.run()
    assert (report.bundled, report.exit_code) == (1, 2)
    assert report.lines == ["runs: trunk/greet/1: trunk/greet/1: 'never' is not a time with a time zone"]


@pytest.mark.integration
@pytest.mark.parametrize("answer", ['{"allBuilds": null}', '{"allBuilds": [null]}', '{"allBuilds": [{"number": "x"}]}'])
def test_invalid_answer_of_one_job_does_not_delay_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    with Double() as private:
        lab = a_lab(tmp_path, ("greet", "other"), jenkins={"url": private.url})
        press = Press(lab, tmp_path, private)
        a_jenkins_build(private, lab, "greet", 1)
        a_jenkins_build(private, lab, "other", 1)
        json_of = Connection.json

        def odd(self: Connection, where: str) -> dict[str, object]:
            return json.loads(answer) if "greet" in where and "allBuilds" in where else json_of(self, where)

        monkeypatch.setattr(Connection, "json", odd)
        report = press.run()
    assert (report.bundled, report.exit_code) == (1, 2)
    (line,) = report.lines
    assert re.fullmatch(rf"jenkins: trunk-greet-build: {press.private.url}job/\S+/api/json: allBuilds\S*: .*", line)


def test_damaged_site_state_is_made_again(press: Press) -> None:
    a_local_run(press.lab, number=1)
    press.run()
    for path in press.place.site.glob("state.sqlite*"):
        path.write_bytes(b"torn" * 1000)
    a_local_run(press.lab, number=2, verdict="failed")
    report = press.run()
    assert (report.exit_code, report.lines, report.outcomes["site"]) == (0, [], {"delivered": 1})
    assert len(list(press.place.site.glob("current/b/*/*/index.html"))) == 2


def test_damaged_journal_is_one_line_with_a_cure_that_works(press: Press) -> None:
    a_local_run(press.lab, number=1)
    press.run()
    press.place.journal.write_bytes(b"torn" * 1000)
    with pytest.raises(InfrastructureError, match="file is not a database") as raised:
        press.run()
    assert "move it away" in str(raised.value.hint)
    press.forget()
    a_local_run(press.lab, number=2)
    assert press.run().bundled == 1


@pytest.mark.integration
@pytest.mark.parametrize("kind", [Aborted, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["reports.sources.runs.Runs.fetch", "reports.sources.runs._source_build",
                                   "reports.outputs.site.SiteOutput.deliver", "reports.outputs.webhook.WebhookOutput.body",
                                   "reports.redact.publication.Publication.publish"])  # fmt: skip
def test_abort_stops_pass(
    hooked: tuple[Press, Service], monkeypatch: pytest.MonkeyPatch, where: str, kind: type[BaseException]
) -> None:
    press, _ = hooked
    a_local_run(press.lab, number=2)

    def end(*_: object) -> None:
        raise kind("ended by SIGTERM")

    with monkeypatch.context() as patched:
        patched.setattr(where, end)
        with pytest.raises(kind):
            press.run()
    assert press.run().lines == []
    assert press.deliveries()["webhook"] == {"delivered": 1}
