"""Deliveries: each build once in each output, no private text, waiting and parked builds."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.base.errors import InfrastructureError
from lab.config.loading import load
from reports.publish import MOST_TRIES
from tests.jenkins.faults import FOREVER
from tests.reports.publish.everything import HISTORY, TWINS, VERDICTS, Everything
from tests.reports.publishing import SECRET, Press, a_lab, a_local_run
from tests.reports.smtp import MailServer
from tests.servers import Service


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
def test_withheld_build_is_published_once_nothing_withholds_it(press: Press) -> None:
    def passed(why: str) -> int:
        with press.opened() as publisher:
            publisher.withheld = lambda build: why if build.number == 2 else ""
            return publisher.run().bundled

    a_local_run(press.lab, number=1)
    a_local_run(press.lab, number=2, verdict="failed")
    assert [passed("the change is private"), passed("the change is private"), passed(""), passed("")] == [1, 0, 1, 0]
    assert press.deliveries()["site"] == {"delivered": 2}


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
        "fixed after 1 day: step lintian",
        "broken: step sbuild",
        "fixed after 1 day: step sbuild",
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
@pytest.mark.parametrize("place", ["the same", "another"])
def test_state_that_is_restored_from_a_copy_goes_on(
    all_there: Everything, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The copy is of the time before the third build, whose mail is sent again; all else is there once, in order."""
    for number in (1, 2):
        all_there.build(number=number, verdict="failed" if number == 2 else "passed")
    all_there.press.run()
    root, copy = all_there.press.place.store.root, tmp_path / "copy"
    shutil.copytree(root, copy, symlinks=True)
    before = len(all_there.mail.taken)
    all_there.build(number=3)
    all_there.press.run()
    news = len(all_there.mail.taken) - before
    shutil.rmtree(root)
    if place == "another":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        (tmp_path / "elsewhere/qalab").mkdir(parents=True)
        root = tmp_path / "elsewhere/qalab" / root.name
    shutil.copytree(copy, root, symlinks=True)
    assert all_there.press.run().lines == []
    all_there.build(number=4)
    assert all_there.press.run().lines == []
    assert all_there.twins() == ["#1", "#2", "#3", "#4"]
    assert all_there.site_numbers() == [1, 2, 3, 4]
    assert len(all_there.mail.taken) == before + 2 * news


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
        assert mail.subjects[1:] == ["[testlab] greet on trunk: fixed after 1 day: step sbuild"]


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
@pytest.mark.parametrize("output", ["mail", "chat", "statuses"])
def test_new_output_tells_nobody_about_old_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """All settings lead to a port where nobody listens, so a delivery would be trouble."""
    url, git = "http://127.0.0.1:1", "http://127.0.0.1:1/acme/greet"
    monkeypatch.setenv("CHAT", f"{url}/hook")
    settings: dict[str, Any] = {
        "mail": {"server": "smtp://127.0.0.1:1", "history_days": 3000},
        "chat": [{"name": "a", "format": "slack", "secret": {"env": "CHAT"}, "history_days": 3000}],
        "statuses": [{"forge": "github", "url": url, "token": {"env": "CHAT"}, "history_days": 3000}],
    }
    key = {"chat": "chats"}.get(output, output)
    before = Press(a_lab(tmp_path, upstreams={"greet": git}), tmp_path)
    a_local_run(before.lab, number=1)
    a_local_run(before.lab, number=2, verdict="failed")
    assert before.run().lines == []
    lab = a_lab(tmp_path, upstreams={"greet": git}, notifications={key: settings[output]})
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
