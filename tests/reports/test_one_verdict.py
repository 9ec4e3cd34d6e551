"""An sbuild log has the same verdict in the step's record, in JUnit, on the site and in mail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from lab.base.text import one_line
from lab.config.description import Lab
from lab.results.cases import Case
from reports import junit
from reports.formats.runs import cases_of
from reports.outputs import mail
from reports.site import Identity, build
from reports.sources import local
from scripts import sbuild
from tests import fakes
from tests.conftest import Bench
from tests.fakes import Fakes
from tests.reports.outputs import conftest as outputs
from tests.reports.publishing import a_lab
from tests.reports.smtp import MailServer
from tests.sbuildlogs import log

DPKG = "dpkg-buildpackage: error: debian/rules binary subprocess returned exit status 2\n"
UNMET = """\
The following packages have unmet dependencies:
 sbuild-build-depends-main-dummy : Depends: nonexistent (>= 2) but it is not installable
E: Unable to correct problems, you have held broken packages.
"""
LAB = {"record": "error", "junit": {"error"}, "site": ("passing", []), "mail": []}
PACKAGE = {"record": "failed", "junit": {"failure"}, "site": ("broken", ["sbuild"]), "mail": ["broken: step sbuild"]}
GOOD = Case(suite="sbuild", classname="greet", name="build", outcome="passed")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as one:
        yield one


def of_junit(cases: list[Case]) -> set[str]:
    """Return the bad results of the step's own case and of its native result."""
    tree = etree.fromstring(junit.render(cases))
    return {str(child.tag) for case in tree.iter("testcase") for child in case} & {"error", "failure", "skipped"}


def of_site(published: outputs.Bench) -> tuple[str, list[str]]:
    """Return the state of the phase, and the steps that are broken."""
    out = published.home / "site"
    build([item.path for item in published.items.values()], out, Identity("testlab"))
    page = json.loads((out / "current/api/v1/p/greet/trunk.json").read_text())
    (phase,) = page["phases"]
    return phase["state"], [part["name"] for part in phase["breakages"] if part["kind"] == "step"]


@pytest.mark.integration
@pytest.mark.parametrize(
    "text, status, expected",
    [
        (log(build=f"cp: cannot copy: No space left on device\nmake: *** [build] Error 1\n{DPKG}"), 2, LAB),
        (log(build=f"make[1]: *** [debian/rules:5: build] Killed\n{DPKG}"), 2, LAB),
        (log(build=f"Killed\nmake: *** [debian/rules:5: build] Error 137\n{DPKG}"), 2, LAB),
        (log(build="dpkg-buildpackage: error: debian/rules binary subprocess was killed by signal 9\n"), 2, LAB),
        (log(build=f"g++: fatal error: Killed signal terminated program cc1plus\n{DPKG}"), 2, LAB),
        (log(build="dh build\n"), 2, LAB),
        (log(build="dh build\n").partition("dh build\n")[0], -9, LAB),
        (log(build="", status="successful"), 1, LAB),
        (log(before="E: Failed to fetch http://m/InRelease  Could not connect\n", stage="apt-get-update"), 3, LAB),
        (log(before="E: Failed to fetch http://m/a.deb  Hash Sum mismatch\n", stage="install-deps"), 3, LAB),
        (log(before=f"W: Failed to fetch http://m/InRelease  503\n{UNMET}", stage="install-deps"), 3, LAB),
        (log(before=UNMET, stage="install-deps"), 3, PACKAGE),
        (log(build=f"greet.c:12:3: error: expected ';'\nmake: *** [build] Error 1\n{DPKG}"), 2, PACKAGE),
        (log(build="E: Build killed with signal TERM after 120 minutes of inactivity\n"), 2, PACKAGE),
        (log(before="E: dsc: amd64 not in arch list -- skipping\n", status="skipped", stage="arch-check"), 0, PACKAGE),
    ],
    ids=["disk", "make-killed", "shell-killed", "dpkg-killed", "compiler-killed", "no-dpkg", "cut-short", "status",
         "update", "fetch", "stale-index", "unmet", "compiler", "stalled", "architecture"],
)  # fmt: skip
def test_verdict_is_the_same_everywhere(  # noqa: PLR0917 - a table and its fixtures
    text: str,
    status: int,
    expected: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    server: MailServer,
) -> None:
    monkeypatch.setattr(sbuild, "BACK_OFF_SECONDS", (0.0, 0.0))
    fake: Fakes = fakes.install(tmp_path, monkeypatch)
    place = fakes.ready_to_build(lab_factory, bench, {})
    fake.sbuild(text, status)
    record = place.execute(sbuild)
    result, _ = local.build(place.run, place.lab)

    published = outputs.Bench(tmp_path, a_lab(tmp_path, notifications={"mail": {"server": server.url}}))
    published.publish(1, cases=(GOOD,))
    published.publish(
        2, result.verdict, message=result.message, step=result.step, cases=result.cases, steps=result.steps
    )
    output = mail.open_output(published.context)
    assert output is not None
    published.deliver(output)
    subjects = [str(one.message["Subject"]).partition("trunk: ")[2] for one in server.taken]

    assert {
        "record": record.verdict,
        "junit": of_junit(cases_of(place.run)),
        "site": of_site(published),
        "mail": subjects,
    } == expected
    (message,) = [case.message for case in result.cases if case.suite == "sbuild" and case.outcome != "passed"]
    assert record.message.startswith(one_line(message))
