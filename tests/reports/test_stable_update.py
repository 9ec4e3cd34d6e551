"""The text about a stable update: versions, tests compared with the release, bugs, and how to repeat it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.results import cases
from lab.results.cases import Case
from lab.store.records import Native
from lab.store.run_directory import Run
from lab.store.runs import Store
from reports import stable_update
from tests.conftest import Bench

TRACK = {"trigger": "proposed", "phases": ["deploy", "exercise"]}
FACTS: dict[str, Any] = {
    "pocket": "noble-proposed", "pocket date": "Fri, 27 Nov 2026 02:10:32 UTC", "versions": {"greet": "1.0-2"},
    "taken": ["greet", "lib"], "replaces": {"greet": "1.0-1"}, "companions": {"lib": "greet needs lib (>= 2)"},
    "packages": ["greet=1.0-2"], "upgrade": "", "bugs": {"greet": ["LP: #12", "LP: #345", "CVE-2026-1234", "#6"]},
    "kernel": "6.8.0-60-generic",
    "policy": {"greet": "greet:\n  Installed: 1.0-2\n"}, "not installed": [],
}  # fmt: skip
CASES = (
    Case(suite="exercise", classname="command", name="greets (LP: #12)", outcome="passed"),
    Case(suite="exercise", classname="command", name="bug-345", outcome="failed", message="regression: it says nothing"),
    Case(suite="exercise", classname="volume", name="attach", outcome="skipped", nuance="expected-failure",
         message="fails in the release too: timed out"),
    Case(suite="exercise", classname="token", name="works", outcome="passed", message="fixed; in the release: 401"),
)  # fmt: skip
TEXT = """\
[ Verification ]

greet 1.0-2 from noble-proposed (Release of Fri, 27 Nov 2026 02:10:32 UTC), amd64.
Replaces: 1.0-1.
With it, from the same pocket: lib (greet needs lib (>= 2)).
All else: noble, noble-updates, noble-security, as of the test.
Tested: 2026-01-01 00:00 UTC, on the target nspawn, with the kernel 6.8.0-60-generic of the host.

Deployment: passed: deployed
As an upgrade of the released version: tested, and exercised.
Dependents: no released package becomes uninstallable (dose-debcheck). The track runs no autopkgtests.
Exercises: unstable: 1 fails in the release too, 1 fixed, 1 passed, 1 regression; compared with the release without the pocket (run trunk/all/1).
 * regression: command: bug-345: it says nothing
 * fails in the release too: volume: attach: timed out
 * fixed: token: works: in the release: 401
 * passed: command: greets (LP: #12)

Bugs and CVEs in the changelog since the released version:
 * LP: #12: command: greets (LP: #12): passed
 * LP: #345: command: bug-345: regression
 * no test of the lab names these: CVE-2026-1234, #6

[ Regressions ]

1 regression: see above.

[ Other Info ]

Packages of the pocket as installed:
  greet 1.0-2
apt-cache policy:
  greet:
    Installed: 1.0-2

To repeat it in the lab testlab, with lab.yaml at abc:
  qalab run trunk --state released
  qalab run trunk greet
On a machine with the released packages, with the pocket in apt's sources and pinned at 100:
  apt-get install --target-release noble-proposed greet

Runs: trunk/greet/1, trunk/greet/2

Written by qalab from its records. It has set no tag and no state of any bug.
verification-done is for a person who has followed the test plan of each bug.
"""


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    noble = {"distribution": "ubuntu", "pockets": ["updates", "security"]}
    return lab_factory(track={**TRACK, "series": "noble"}, lab={"series": {"noble": noble}})


def ran(lab: Lab, found: tuple[Case, ...] = CASES, component: str = "greet", **facts: Any) -> tuple[Run, Run]:
    """Leave the runs of a deployment and its exercises."""
    runs = []
    for phase in ("deploy", "exercise"):
        run = Store.of(lab).new_run(lab, "trunk", component, phase=phase)  # type: ignore[arg-type]
        run.write_info(run.info.model_copy(update={"archive": "content", "version": "1.0-2", "lab_commit": "abc"}))
        runs.append(run)
    deployed, exercised = runs
    record = Bench(lab, deployed).pretend("deploy", message="deployed", facts=FACTS | facts)
    record.model_copy(update={"started": "2026-01-01T00:00:00.000Z"}).write(deployed.record_path("deploy"))
    path = exercised.results / "native/cases.jsonl"
    path.write_text("".join(map(cases.line, found)))
    native = (Native(path="results/native/cases.jsonl", format=cases.FORMAT),) if found else ()
    bad = any(each.outcome == "failed" for each in found)
    for step in exercised.steps:
        own = {"native": native, "facts": {"baseline": "trunk/all/1"}} if step == "exercise" else {}
        record = Bench(lab, exercised).pretend(step, **own)
        if bad and step == "exercise":
            record.model_copy(update={"verdict": "unstable", "exit_code": 4}).write(exercised.record_path(step))
    return deployed, exercised


def text(lab: Lab) -> str:
    return stable_update.text(lab, stable_update.evidence(lab, "greet", "1.0-2"))


def test_text_about_an_update(lab: Lab) -> None:
    ran(lab)
    assert text(lab) == TEXT


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ({"replaces": {"greet": ""}}, ["Replaces: nothing, it is new."]),
        ({"bugs": {}}, ["Bugs and CVEs: not known, because no changelog could be read on the nodes."]),
        ({"bugs": {"greet": []}}, ["Bugs and CVEs in the changelog since the released version: none."]),
        ({"upgrade": "nothing of it is released"}, ["As an upgrade of the released version: not tested: nothing of it is released."]),
        ({"versions": {"greet": "1.0-2", "other": "3"}}, ["Tested together with other updates, and not alone: other 3."]),
        ({"not installed": ["greet-doc", "greet-x"]}, ["Not installed, and so not tested: greet-doc, greet-x."]),
    ],
)  # fmt: skip
def test_what_is_not_known_or_not_done_is_said(lab: Lab, facts: dict[str, Any], lines: list[str]) -> None:
    ran(lab, CASES[:1], **facts)
    found = text(lab).splitlines()
    assert [line for line in lines if line not in found] == []
    assert "The lab found no regression in 1 test. Problems could occur in all that these do not use." in found


def test_run_of_the_update_alone_is_preferred_and_an_untested_one_is_refused(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"no run has tested greet 1\.0-2"):
        text(lab)
    alone, _ = ran(lab)
    ran(lab, component="all", versions={"greet": "1.0-2", "other": "3"})
    assert stable_update.evidence(lab, "greet", "1.0-2").deployed.id == alone.id
    assert stable_update.evidence(lab, "other", "3").deployed.info.component == "all"
    failed = Store.of(lab).new_run(lab, "trunk", "greet", phase="deploy", version="1.0-3")
    record = Bench(lab, failed).pretend("deploy", message="it cannot be installed")
    record.model_copy(update={"verdict": "error"}).write(failed.record_path("deploy"))
    with pytest.raises(ConfigurationError, match="no run has tested"):
        stable_update.evidence(lab, "greet", "1.0-3")
    record.model_copy(update={"verdict": "failed"}).write(failed.record_path("deploy"))
    found = stable_update.text(lab, stable_update.evidence(lab, "greet", "1.0-3"))
    assert "Deployment: failed: it cannot be installed\nExercises: none.\n" in found
    assert "The update cannot be deployed: see above." in found


def test_text_for_debian_has_the_headings_of_reportbug(lab_factory: Callable[..., Lab]) -> None:
    bookworm = {"pockets": ["updates", "security"]}
    debian = lab_factory(track={**TRACK, "series": "bookworm"}, lab={"series": {"bookworm": bookworm}})
    ran(debian)
    lines = text(debian).splitlines()
    assert [line for line in lines if line.startswith("[ ")] == ["[ Tests ]", "[ Risks ]", "[ Other info ]"]
    assert lines[-1] == "The reason, the impact, the checklist and the changes are for the uploader to write."


@pytest.mark.parametrize("found", [(), (CASES[2],)], ids=["no case", "skipped"])
def test_update_that_no_test_used_has_no_good_word(lab: Lab, found: tuple[Case, ...]) -> None:
    ran(lab, found)
    lines = text(lab).splitlines()
    assert "No test ran: the lab knows nothing about regressions." in lines
    assert not [line for line in lines if "found no regression" in line]


def test_tests_that_ran_in_the_release_alone_are_named(lab: Lab) -> None:
    _, exercised = ran(lab, CASES[:1])
    record = exercised.record("exercise")
    assert record is not None
    facts = {**record.facts, "missing": ["exercise/command/quota"]}
    record.model_copy(update={"facts": facts}).write(exercised.record_path("exercise"))
    assert "Pass in the release, and did not run with the update: exercise/command/quota." in text(lab).splitlines()


def test_lab_error_is_no_evidence_of_anything(lab: Lab) -> None:
    _, exercised = ran(
        lab, (Case(suite="exercise", classname="command", name="x", outcome="error", message="no network"),)
    )
    Bench(lab, exercised).pretend("exercise").model_copy(update={"verdict": "error", "exit_code": 3}).write(
        exercised.record_path("exercise")
    )
    assert "The tests came to no verdict: the lab knows nothing about regressions." in text(lab).splitlines()


@pytest.mark.parametrize(
    ("outcome", "message", "line"),
    [
        ("failed", "regression: it says nothing", " * regression: suite: it works: it says nothing"),
        ("failed", "it broke\n\n[ Risks ]\n\nnone", " * failed: suite: it works: it broke"),
        ("failed", "fixed; in the release: 401", " * failed: suite: it works: fixed; in the release: 401"),
        ("skipped", "fails in the release too: no", " * skipped: suite: it works: fails in the release too: no"),
        ("passed", "regression tests are well", " * passed: suite: it works"),
        ("passed", "fixed it", " * passed: suite: it works"),
        ("passed", "fixed; in the release: ", " * fixed: suite: it works"),
        (
            "failed",
            "regression (the release has no result): no",
            " * regression: suite: it works: (the release has no result): no",
        ),
        (
            "failed",
            "regression: password=hunter2-and-more",
            " * regression: suite: it works: password=[REDACTED:credential]",
        ),
        ("failed", "regression: " + "x" * 9000, f" * regression: suite: it works: {'x' * 239}…"),
    ],
)
def test_words_of_the_tested_software_are_one_line_and_no_verdict(
    lab: Lab, outcome: Any, message: str, line: str
) -> None:
    ran(lab, (Case(suite="exercise", classname="suite", name="it\nworks", outcome=outcome, message=message),))
    lines = text(lab).splitlines()
    assert [each for each in lines if each.startswith(" * ") and "suite" in each] == [line]
    assert [each for each in lines if each.startswith("[ ")] == [
        "[ Verification ]",
        "[ Regressions ]",
        "[ Other Info ]",
    ]


def test_runs_that_came_to_a_verdict_go_before_newer_ones(lab: Lab) -> None:
    judged, _ = ran(lab, CASES[:1])
    _, exercised = ran(lab, CASES[:1])
    exercised.record_path("exercise").unlink()  # it was cut short
    assert stable_update.evidence(lab, "greet", "1.0-2").deployed.id == judged.id
    newer, _ = ran(lab, CASES[:1])
    assert stable_update.evidence(lab, "greet", "1.0-2").deployed.id == newer.id
    with pytest.raises(ConfigurationError, match=r"no run has tested greet 2:1\.0-2; tested: 1\.0-2"):
        stable_update.evidence(lab, "greet", "2:1.0-2")


@pytest.mark.parametrize(
    ("name", "bug", "named"),
    [
        ("LP: #12", "LP: #12", True), ("lp12", "LP: #12", True), ("test_bug_12_attach", "#12", True), ("bug-12", "#12", True),
        ("LP: #123", "LP: #12", False), ("volume 12", "LP: #12", False), ("#12", "#12", True), ("help12", "LP: #12", False),
        ("refuses CVE-2026-1234", "CVE-2026-1234", True), ("test_cve_2026_1234", "CVE-2026-1234", True),
        ("CVE-2026-12345", "CVE-2026-1234", False), ("bug 1234", "CVE-2026-1234", False),
    ],
)  # fmt: skip
def test_case_names_a_bug(name: str, bug: str, named: bool) -> None:  # noqa: FBT001 - a table
    case = Case(suite="s", classname="c", name=name, outcome="passed")
    assert stable_update.names_bug(case, bug) is named
