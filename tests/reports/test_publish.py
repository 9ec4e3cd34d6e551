"""Publishing: each build once in each output, despite failures."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from cli import publish as publish_verb
from cli import retract as retract_verb
from lab.base import environment
from lab.base.errors import Aborted, ConfigurationError, InfrastructureError
from lab.config.jenkins import Connection
from lab.config.loading import load
from reports.journal_entries import SourceBuild
from reports.model import Build
from reports.outputs.delivery import Tombstone
from reports.publish import MOST_TRIES
from reports.redact.publication import Publication
from reports.redact.scan import Held
from reports.sources.runs import Runs
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER
from tests.reports.outputs.servers import Service
from tests.reports.publishing import SECRET, Press, a_jenkins_build, a_lab, a_local_run, make_receivers, receive
from tests.reports.smtp import MailServer

TWINS = {"passed": "SUCCESS", "failed": "FAILURE", "unstable": "UNSTABLE", "error": "FAILURE", "aborted": "FAILURE"}
HISTORY = {"history_days": 36_500}  # builds of tests are old
VERDICTS = ("passed", "failed", "unstable", "passed", "error", "aborted", "failed", "passed")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.config.jenkins.PAUSES_SECONDS", (0.0, 0.0))


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """Return the publisher of a lab that publishes local runs to its site."""
    return Press(a_lab(tmp_path), tmp_path)


class Everything:
    """A lab with a private and a public Jenkins, and a mail server."""

    def __init__(
        self, home: Path, private: Double, public: Double, mail: MailServer, components: Sequence[str] = ("greet",)
    ) -> None:
        self.private, self.public, self.mail = private, public, mail
        self.lab = a_lab(
            home,
            tuple(components),
            jenkins={"url": private.url},
            public={"site_url": "https://qa.lab.example/", "jenkins": {"url": public.url}},
            notifications={"mail": {"to": ["qa@lab.example"], "server": mail.url, "most_per_hour": 1000, **HISTORY}},
        )
        make_receivers(public, self.lab, home)
        self.press = Press(self.lab, home, private)

    def build(self, component: str = "greet", number: int = 1, verdict: str = "passed", **more: object) -> None:
        a_jenkins_build(self.private, self.lab, component, number, verdict, **more)

    def twins(self, component: str = "greet") -> list[str]:
        """Return the numbers of the mirrored builds, in their order."""
        builds = [build for number, build in self.numbered(component)]
        return [str(build.display_name).partition(" ")[0] for build in builds]

    def numbered(self, component: str) -> list[tuple[int, object]]:
        item = self.public._state.item(f"trunk-{component}-build")
        return sorted(item.builds.items())

    @property
    def site(self) -> Path:
        return self.press.place.site / "current"

    def site_numbers(self, component: str = "greet") -> list[int]:
        return sorted(
            build["number"]
            for path in (self.site / "api/v1/b").glob("*/*.json")
            if (build := json.loads(path.read_text()))["component"] == component
        )


@pytest.fixture
def all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Everything]:
    for name in ("QALAB_PUBLIC_JENKINS_USER", "QALAB_JENKINS_USER"):
        monkeypatch.setenv(name, "admin")
    for name in ("QALAB_PUBLIC_JENKINS_TOKEN", "QALAB_JENKINS_TOKEN"):
        monkeypatch.setenv(name, "secret")
    with Double() as private, Double(run=receive) as public, MailServer() as mail:
        yield Everything(tmp_path, private, public, mail)


@pytest.mark.integration
def test_publish_local_run(press: Press) -> None:
    a_local_run(press.lab, number=1)
    a_local_run(press.lab, number=2, verdict="failed")
    report = press.run()
    assert (report.bundled, report.lines, report.exit_code) == (2, [], 0)
    assert press.deliveries()["site"] == {"delivered": 2}
    again = press.run()
    assert (again.bundled, again.lines, dict(again.outcomes["site"])) == (0, [], {})


@pytest.mark.integration
def test_every_build_is_delivered_once_to_every_output(all_there: Everything) -> None:
    for number, verdict in enumerate(VERDICTS, 1):
        all_there.build(number=number, verdict=verdict)
    report = all_there.press.run()
    assert report.lines == []
    assert all_there.site_numbers() == list(range(1, 9))
    assert all_there.twins() == [f"#{number}" for number in range(1, 9)]
    for (_, twin), verdict in zip(all_there.numbered("greet"), VERDICTS, strict=True):
        assert twin.result == TWINS[verdict], twin.log
        assert f"verdict: {verdict}" in twin.log
        assert "==> logs/console.log" in twin.log
        assert twin.test_report
        assert re.search(rf"greet on trunk: {verdict}.* https://qa\.lab\.example/b/", twin.description)
    assert [subject.partition("trunk: ")[2] for subject in all_there.mail.subjects] == [
        "broken: step sbuild",
        "broken: step lintian",
        "fixed after 1 days: step lintian",
        "broken: step sbuild",
        "fixed after 1 days: step sbuild",
    ]
    wrote = (len(all_there.public.writes()), len(all_there.mail.taken))
    assert all_there.press.run().bundled == 0
    assert (len(all_there.public.writes()), len(all_there.mail.taken)) == wrote


@pytest.mark.integration
def test_unreachable_public_jenkins_is_retried(all_there: Everything) -> None:
    all_there.public.fault("reset", times=FOREVER)
    all_there.build(number=1)
    all_there.build(number=2, verdict="failed")
    report = all_there.press.run()
    assert [line for line in report.lines if "cannot be reached" in line] == report.lines
    assert len(report.lines) == 1
    assert report.exit_code == 3
    assert (all_there.site_numbers(), len(all_there.mail.taken), all_there.twins()) == ([1, 2], 1, [])
    all_there.build(number=3)
    report = all_there.press.run()
    assert "postponed until" in report.lines[0]
    assert (all_there.site_numbers(), len(all_there.mail.taken)) == ([1, 2, 3], 2)
    all_there.public.heal()
    all_there.press.time.sleep(61)
    assert all_there.press.run().lines == []
    assert all_there.twins() == ["#1", "#2", "#3"]


@pytest.mark.integration
def test_lost_journal_repeats_no_delivery(all_there: Everything) -> None:
    for number, verdict in enumerate(VERDICTS[:4], 1):
        all_there.build(number=number, verdict=verdict)
    all_there.press.run()
    wrote, mails, link = len(all_there.public.writes()), len(all_there.mail.taken), all_there.site.readlink()
    fetched = len([one for one in all_there.private.requests if "/artifact/" in one.path])
    all_there.press.forget()
    report = all_there.press.run()
    assert report.lines == []
    assert report.outcomes["jenkins"] == {"delivered": 4}
    assert (len(all_there.public.writes()), len(all_there.mail.taken), all_there.site.readlink()) == (
        wrote,
        mails,
        link,
    )
    assert len([one for one in all_there.private.requests if "/artifact/" in one.path]) == fetched


@pytest.mark.integration
def test_no_output_gets_private_text(all_there: Everything, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", SECRET)
    host = "builder-7.internal.lab.example"
    secrets = {"secrets": [{"name": "planted", "env": "THE_SECRET"}], "domains": ["internal.lab.example"]}
    actual = yaml.safe_load((tmp_path / "lab.yaml").read_text())
    actual["publish"] |= secrets
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(actual))
    press = Press(load(tmp_path / "lab.yaml"), tmp_path, all_there.private)
    text = f"password {SECRET}\nfrom http://{host}:8080/job/x and 10.20.30.40\n"
    fields = {"parameters": {"TOKEN": SECRET, "NODE": host}}
    all_there.build(number=1, verdict="failed", text=text, fields=fields)
    assert press.run().lines == []
    ((_, twin),) = all_there.numbered("greet")
    sent = b"".join(one.value for one in twin.parameters if isinstance(one.value, bytes))
    everything = gzip.decompress(sent) + twin.log.encode() + twin.description.encode() + bytes(twin.test_report)
    everything += b"".join(one.data for one in all_there.mail.taken)
    everything += b"".join(
        path.read_bytes() for path in press.place.site.rglob("*") if path.suffix in {".html", ".json"}
    )
    assert b"[REDACTED:planted]" in everything
    for private in (SECRET.encode(), host.encode(), b"10.20.30.40"):
        assert private not in everything


@pytest.mark.integration
def test_retract_unpublishes_permanently(all_there: Everything) -> None:
    for number in (1, 2, 3):
        all_there.build(number=number)
    all_there.press.run()
    name = next(
        path.parent.name for path in all_there.site.glob("b/*/*/index.html") if "build 2" in path.read_text().lower()
    )
    assert all_there.press.retract(f"https://qa.lab.example/b/{name[:2]}/{name}/").lines == []
    assert all_there.site_numbers() == [1, 3]
    assert all_there.twins() == ["#1", "#3"]
    assert name not in (all_there.site / "feed.atom").read_text()
    assert not list(all_there.press.place.site.rglob(f"*{name}*"))
    with pytest.raises(ConfigurationError, match=f"{name}: is retracted already"):
        all_there.press.retract(name)
    for _ in range(2):
        all_there.press.run()
        assert (all_there.site_numbers(), all_there.twins()) == ([1, 3], ["#1", "#3"])
        all_there.press.forget()
    with pytest.raises(ConfigurationError, match="nothing: no published build"):
        all_there.press.retract("nothing")


@pytest.mark.integration
def test_interrupted_retraction_is_completed(all_there: Everything) -> None:
    for number in (1, 2):
        all_there.build(number=number)
    all_there.press.run()
    with all_there.press.journal() as actual:
        entry = actual.builds.published()[0]
    stone = Tombstone(name=entry.name, component="greet", track="trunk", phase="build", retracted="")
    stone.write(all_there.press.place.tombstone(entry.name))
    assert all_there.press.run().lines == []
    assert (all_there.site_numbers(), all_there.twins()) == ([2], ["#2"])
    assert not all_there.press.place.bundle(entry.bundle).exists()


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


@pytest.mark.integration
def test_refused_retraction_is_retried(all_there: Everything) -> None:
    all_there.build(number=1)
    all_there.press.run()
    all_there.public.fault(403, path="doDelete")
    (name,) = [path.parent.name for path in all_there.site.glob("b/*/*/index.html")]
    (line,) = all_there.press.retract(name).lines
    assert re.fullmatch(rf"jenkins: .*admin may not POST .*delete the build with SOURCE_ID {name} manually\)", line)
    assert all_there.site_numbers() == []
    assert all_there.press.run().lines == []  # after it was allowed
    assert all_there.twins() == []


@pytest.mark.integration
def test_mail_above_hourly_limit_is_no_error(press: Press, tmp_path: Path) -> None:
    with MailServer() as mail:
        few = {"server": mail.url, "most_per_hour": 1, **HISTORY}
        press = Press(a_lab(tmp_path, notifications={"mail": few}), tmp_path)
        for number, verdict in ((1, "failed"), (2, "passed")):
            a_local_run(press.lab, number=number, verdict=verdict)
            report = press.run()
            assert (report.lines, report.exit_code) == ([], 0)
        assert (report.outcomes["mail"], len(mail.taken)) == ({"later": 1}, 1)
        press.time.sleep(3601)
        press.run()
        assert mail.subjects[1:] == ["[testlab] greet on trunk: fixed after 1 days: step sbuild"]


def test_build_from_the_future_waits(press: Press) -> None:
    a_local_run(press.lab, number=1)
    a_local_run(press.lab, number=2, day=2_000)
    report = press.run()
    assert (report.bundled, report.exit_code) == (1, 3)
    (line,) = report.lines
    assert "build/2@1940026135000: is of 2031-06-24T00:08:55.000Z, which has not come yet (is the clock" in line


def test_private_job_is_not_published(press: Press, tmp_path: Path) -> None:
    a_local_run(press.lab, number=1)
    closed = Press(a_lab(tmp_path, publish={"jobs": []}), tmp_path)
    assert closed.run().bundled == 0
    with closed.journal() as actual:
        assert actual.builds.counts() == {"private": 1}
    assert press.run().bundled == 1


@pytest.mark.integration
def test_interrupted_run_is_published_after_a_later_one(press: Press) -> None:
    a_local_run(press.lab, number=1)
    run = a_local_run(press.lab, number=2, verdict="passed")
    (run.results / "10-push.json").unlink()
    assert run.verdict == "aborted"
    assert press.run().bundled == 1
    a_local_run(press.lab, number=3)
    assert press.run().bundled == 2


def test_second_publisher_is_refused(press: Press) -> None:
    with press.opened(), pytest.raises(InfrastructureError, match="another process is publishing this lab"):
        press.run()


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


# Isolation of failures


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
def test_refused_retraction_does_not_delay_others(all_there: Everything) -> None:
    all_there.build(number=1)
    all_there.press.run()
    all_there.public.fault(403, path="doDelete", times=FOREVER)
    (name,) = [path.parent.name for path in all_there.site.glob("b/*/*/index.html")]
    all_there.press.retract(name)
    all_there.build(number=2)
    report = all_there.press.run()
    assert [line.partition(":")[0] for line in report.lines] == ["jenkins"]
    assert report.exit_code == 2
    assert all_there.twins() == ["#1", "#2"]


@pytest.fixture
def hooked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Press, Service]]:
    """A lab with a webhook that refuses its first build."""
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "k3y-of-tests")
    with Service(lambda request: (500 if b'"number": 1,' in request.body else 204, "")) as service:
        yield Press(a_lab(tmp_path, notifications={"webhook": {"url": service.url}}), tmp_path), service


@pytest.mark.integration
def test_delivery_that_always_fails_is_parked(hooked: tuple[Press, Service]) -> None:
    press, service = hooked
    a_local_run(press.lab, number=1)
    a_local_run(press.lab, number=2)
    report = press.run()
    assert report.outcomes["webhook"] == {"later": 1, "delivered": 1}
    assert report.exit_code == 3
    for _ in range(MOST_TRIES - 1):
        press.time.sleep(6 * 3600)
        report = press.run()
    assert report.outcomes["webhook"] == {"parked": 1}
    assert f"parked: given up after {MOST_TRIES} tries: {service.url}: answers 500" in report.lines[0]
    press.time.sleep(6 * 3600)
    assert press.run().lines == []
    assert len(service.requests) == MOST_TRIES + 1


@pytest.mark.integration
@pytest.mark.parametrize("output", ["mail", "chat", "statuses", "gerrit"])
def test_new_output_tells_nobody_about_old_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """All settings lead to a port where nobody listens, so a delivery would be trouble."""
    url, git = "http://127.0.0.1:1", "http://127.0.0.1:1/acme/greet"
    monkeypatch.setenv("CHAT", f"{url}/hook")
    settings: dict[str, Any] = {
        "mail": {"server": "smtp://127.0.0.1:1", "history_days": 3000},
        "gerrit": url,
        "chat": [{"name": "a", "format": "slack", "secret": {"env": "CHAT"}, "history_days": 3000}],
        "statuses": [{"forge": "github", "url": url, "token": {"env": "CHAT"}, "history_days": 3000}],
    }
    key = {"chat": "chats"}.get(output, output)
    track = {"trunk": {"series": "bookworm", "trigger": "gerrit" if output == "gerrit" else "commit", "branch": "main"}}
    before = Press(a_lab(tmp_path, upstreams={"greet": git}, tracks=track), tmp_path)
    a_local_run(before.lab, number=1)
    a_local_run(before.lab, number=2, verdict="failed")
    assert before.run().lines == []
    lab = a_lab(tmp_path, upstreams={"greet": git}, tracks=track, notifications={key: settings[output]})
    after = Press(lab, tmp_path)
    assert after.run().lines == []
    assert after.deliveries()[output] == {"nothing": 2}
    a_local_run(lab, number=3)
    a_local_run(lab, number=4, verdict="failed")
    assert {line.partition(":")[0] for line in after.run().lines} == {output}


def test_output_waits_as_long_as_it_is_asked(hooked: tuple[Press, Service]) -> None:
    press, service = hooked
    a_local_run(press.lab, number=2)
    service.answer = lambda _: (429, "slow down", {"Retry-After": "7200"})
    assert "answers 429" in press.run().lines[0]
    service.answer = lambda _: (204, "")
    press.time.sleep(7199)
    assert "postponed until" in press.run().lines[0]
    assert len(service.requests) == 1
    press.time.sleep(1)
    assert press.run().lines == []
    assert press.deliveries()["webhook"] == {"delivered": 1}


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


# Commands


@pytest.fixture
def at_home(all_there: Everything, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Everything:
    monkeypatch.chdir(tmp_path)
    return all_there


def call(*argv: str) -> Result:
    """Run a command of the command line."""
    verbs = click.Group(commands=[publish_verb.command, retract_verb.command])
    return CliRunner().invoke(verbs, list(argv))


@pytest.mark.integration
def test_publish_prints_summary(at_home: Everything) -> None:
    at_home.build(number=1)
    actual = call("publish")
    assert actual.exit_code == 0, actual.output
    assert actual.output == "builds: 1 new\nsite: 1 delivered\njenkins: 1 delivered\nmail: 1 nothing\n"
    assert json.loads(call("publish", "--json").output) == {
        "bundled": 0,
        "outputs": {"site": {}, "jenkins": {}, "mail": {}},
        "problems": [],
    }


@pytest.mark.integration
def test_publish_status_lists_waiting_builds(at_home: Everything) -> None:
    assert call("publish", "--status").output.startswith("builds: none yet\nsite: nothing yet\n")
    at_home.build(number=1)
    at_home.public.fault(503, times=FOREVER)
    failed = call("publish")
    assert failed.exit_code == 3
    assert "qalab: jenkins: " in failed.output
    actual = call("publish", "--status").output
    assert re.search(r"^builds: 1 bundled\nsite: 1 delivered\njenkins: 1 waiting\n  postponed until .*Z: http", actual)
    status = json.loads(call("publish", "--status", "--json").output)
    assert list(status["outputs"]) == ["site", "jenkins", "mail"]
    assert status["outputs"]["jenkins"]["builds"] == {"waiting": 1}
    assert "answers 503" in status["outputs"]["jenkins"]["outage"]["note"]
    at_home.public.heal()
    assert "postponed until" in call("publish").output
    assert "jenkins: 1 delivered" in call("publish", "--retry").output


def test_publish_status_names_lost_source(at_home: Everything) -> None:
    at_home.private.fault(503, times=FOREVER)
    assert call("publish").exit_code == 3
    assert re.search(r"^builds: none yet\nsource jenkins: http\S+ answers 503", call("publish", "--status").output)
    at_home.private.heal()
    assert call("publish").exit_code == 0
    assert json.loads(call("publish", "--status", "--json").output)["sources"] == {}


@pytest.mark.integration
def test_misconfigured_output_does_not_stop_others(at_home: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home.build(number=1)
    monkeypatch.delenv("QALAB_PUBLIC_JENKINS_TOKEN")
    actual = call("publish")
    assert actual.exit_code == 2
    assert (
        "qalab: jenkins: only one of QALAB_PUBLIC_JENKINS_USER and QALAB_PUBLIC_JENKINS_TOKEN is set" in actual.output
    )
    assert "site: 1 delivered\nmail: 1 nothing\n" in actual.output


@pytest.mark.integration
def test_publish_watch_repeats(at_home: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    def sleep(seconds: float) -> None:
        if seconds < 7:  # between two queries of a twin
            return
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt
        at_home.build(number=2)

    at_home.build(number=1)
    monkeypatch.setattr("cli.publish.time.sleep", sleep)
    assert call("publish", "--watch", "--interval", "7").exit_code == 1
    assert (pauses, at_home.twins()) == ([7, 7], ["#1", "#2"])


@pytest.mark.integration
def test_publish_watch_continues_while_another_process_publishes(
    press: Press, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a_local_run(press.lab, number=2)
    pauses = []

    def sleep(seconds: float) -> None:
        if seconds != 7:  # a holder that has just been killed
            return
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt
        lock.close()

    monkeypatch.setattr("cli.publish.time.sleep", sleep)
    with ExitStack() as lock:
        lock.enter_context(press.place.locked())
        actual = call("publish", "--watch", "--interval", "7")
    assert actual.stderr.startswith("qalab: another process is publishing this lab")
    assert "builds: 1 new\nsite: 1 delivered\n" in actual.output
    assert (actual.exit_code, pauses) == (1, [7, 7])


def test_failed_output_is_not_called_idle(press: Press, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "k3y-of-tests")
    a_lab(tmp_path, notifications={"webhook": {"url": "http://127.0.0.1:1/"}})
    a_local_run(press.lab, number=2)
    actual = call("publish")
    assert "site: 1 delivered\nwebhook: failed\n" in actual.output
    assert actual.exit_code == 3


@pytest.mark.integration
def test_retract_prints_result(at_home: Everything) -> None:
    at_home.build(number=1)
    call("publish")
    (name,) = [path.parent.name for path in at_home.site.glob("b/*/*/index.html")]
    assert call("retract", name, "--yes").output == f"{name}: retracted; it will not be published again\n"
    assert call("publish", "--status").output.startswith("builds: 1 retracted\n")


# The private Jenkins


@pytest.mark.integration
@pytest.mark.parametrize(
    "kind, path",
    [
        (500, "jobs%5B"),
        ("reset", "allBuilds"),
        (503, "tree=timestamp"),
        ("lost", "artifact"),
        ("lost", "progressiveText"),
    ],
)
def test_failing_private_jenkins_is_retried(all_there: Everything, kind: int | str, path: str) -> None:
    all_there.build(number=1)
    all_there.build(number=2)
    all_there.private.fault(kind, path=path, times=3)
    report = all_there.press.run()
    assert len(report.lines) == 1
    assert report.exit_code == 3
    all_there.press.time.sleep(61)
    assert all_there.press.run().lines == []
    assert (all_there.site_numbers(), all_there.twins()) == ([1, 2], ["#1", "#2"])


@pytest.mark.integration
def test_slow_private_jenkins_is_retried(all_there: Everything) -> None:
    all_there.press.timeout = 1.5
    all_there.build(number=1)
    all_there.private.fault("slow", path="progressiveText", seconds=60.0, times=3)
    (line,) = all_there.press.run().lines
    assert "did not answer within 1.5 seconds" in line
    all_there.press.timeout = 60.0
    all_there.private.heal()
    all_there.press.time.sleep(61)
    assert all_there.press.run().lines == []
    assert all_there.twins() == ["#1"]
