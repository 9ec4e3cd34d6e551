"""The cases of a run: its steps, what their tools wrote, and what of that cannot be read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.records import Native
from lab.store.run_directory import Run
from reports.formats import runs
from tests.conftest import Bench
from tests.reports.formats import fixtures


@pytest.fixture
def ran(bench: Callable[..., Bench], lab_factory: Callable[..., Lab]) -> Bench:
    return bench(lab_factory())


def leave(ran: Bench, step: str, verdict: str, **natives: str) -> None:
    """A record of a step, with fixtures (by format) as its native results."""
    native = []
    for name, fixture in natives.items():
        target = ran.run.results / "native" / Path(fixture).name
        shutil.copyfile(fixtures.FORMATS / name / fixture, target)
        native.append(Native(path=f"results/native/{target.name}", format=name))
    record = ran.pretend(step, message=f"{step} is {verdict}", native=tuple(native), seconds=1.5)
    record.model_copy(update={"verdict": verdict}).write(ran.run.record_path(step))


def told(run: Run) -> list[tuple[str, ...]]:
    return [(case.suite, case.name, case.outcome, case.message) for case in runs.cases_of(run)]


def test_steps_and_their_tools_in_order(ran: Bench) -> None:
    leave(ran, "snapshot", "passed")
    leave(ran, "sbuild", "failed", sbuild="greet-c.log")
    assert told(ran.run) == [
        ("trunk.greet", "snapshot", "passed", "snapshot is passed"),
        ("trunk.greet", "sbuild", "failed", "sbuild is failed"),
        ("sbuild", "install-deps", "passed", ""),
        (
            "sbuild",
            "build",
            "failed",
            (
                "build failed: main.c:2:25: error: implicit declaration of function ‘greet’ "
                "[-Werror=implicit-function-declaration] (make[1]: *** [debian/rules:6: override_dh_auto_build] Error 1)"
            ),
        ),
    ]


@pytest.mark.parametrize("verdict, outcome", [("passed", "skipped"), ("unstable", "failed")])
def test_a_step_that_passed_let_it_be(ran: Bench, verdict: str, outcome: str) -> None:
    leave(ran, "lintian", verdict, lintian="greet-sloppy.txt")
    tags = {case.name: case for case in runs.cases_of(ran.run) if case.suite == "lintian"}
    assert (tags["no-copyright-file"].outcome, tags["no-copyright-file"].message) == (outcome, "error")
    assert tags["no-manual-page"].outcome == "skipped"


@pytest.mark.parametrize(
    "native, suite, message",
    [
        ({"path": "results/native/none", "format": "lintian"}, "lintian", "results/native/none: cannot be read: No such file or directory"),
        ({"path": "results/native/x", "format": "trx"}, "trx", "no format trx; known: record, cases, junit, sbuild, piuparts, autopkgtest, subunit, lintian, exercises, tap, auto"),
        ({"path": "../../../../../../etc/passwd", "format": "tap"}, "tap", "../../../../../../etc/passwd is not in the run's directory"),
        ({"path": "results/native/page", "format": "tap"}, "tap", "page is an HTML page, not tap"),
        ({"path": "results", "format": "tap"}, "tap", "results: is a directory; name a file in it"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_costs_nothing_else(ran: Bench, native: dict[str, Any], suite: str, message: str) -> None:
    (ran.run.results / "native/page").write_text("<html>")
    ran.pretend("snapshot", native=(Native(**native),))
    leave(ran, "lintian", "passed", lintian="greet.txt")
    cases = told(ran.run)
    assert cases[1] == (suite, "[unreadable]", "error", message)
    assert [case[:3] for case in cases[2:]] == [
        ("trunk.greet", "lintian", "passed"),
        ("lintian", "extended-description-is-probably-too-short", "skipped"),
        ("lintian", "package-contains-documentation-outside-usr-share-doc", "skipped"),
    ]


def test_a_link_out_of_the_run_is_not_followed(ran: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("ok 1 - secret\n1..1\n")
    (ran.run.results / "native/link").symlink_to(secret)
    (ran.run.results / "snapshot.log").symlink_to(secret)
    record = ran.pretend("snapshot", native=(Native(path="results/native/link", format="tap"),))
    record.model_copy(update={"verdict": "failed"}).write(ran.run.record_path("snapshot"))
    assert "secret" not in "".join(case.model_dump_json() for case in runs.cases_of(ran.run))


def test_a_damaged_record_is_a_case(ran: Bench) -> None:
    leave(ran, "snapshot", "passed")
    leave(ran, "packaging", "passed")
    path = ran.run.record_path("snapshot")
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 0'))
    assert told(ran.run) == [
        (
            "trunk.greet",
            "snapshot",
            "error",
            "results/01-snapshot.json: schema: must be a whole number from 1 on; found: 0",
        ),
        ("trunk.greet", "packaging", "passed", "packaging is passed"),
    ]


def test_no_run_no_cases(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"run\.json: cannot be read: No such file or directory"):
        runs.cases_of(Run(tmp_path))
