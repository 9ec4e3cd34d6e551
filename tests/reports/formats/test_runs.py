"""The cases of a run: steps, native results, and unreadable files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.results import subunit
from lab.store.records import Native
from lab.store.run_directory import Run
from reports.formats import registry, runs
from reports.sources import local
from tests.conftest import Bench
from tests.reports.formats import fixtures


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory()


@pytest.fixture
def ran(bench: Callable[..., Bench], lab: Lab) -> Bench:
    return bench(lab)


def leave(ran: Bench, step: str, verdict: str, **natives: str) -> None:
    """Write the record of a step with fixtures (by format) as its native results."""
    native = []
    for name, fixture in natives.items():
        target = ran.run.results / "native" / Path(fixture).name
        shutil.copyfile(fixtures.FORMATS / name / fixture, target)
        native.append(Native(path=f"results/native/{target.name}", format=name))
    record = ran.pretend(step, message=f"{step} is {verdict}", native=tuple(native), seconds=1.5)
    record.model_copy(update={"verdict": verdict}).write(ran.run.record_path(step))


def build_verdict(ran: Bench, lab: Lab) -> tuple[str, str]:
    """Finish the other steps of a run; return the verdict and the message of the build."""
    for step in ran.run.steps:
        if not ran.run.record_path(step).exists():
            ran.pretend(step)
    build, _ = local.build(ran.run, lab)
    return build.verdict, build.message


def summaries(run: Run) -> list[tuple[str, ...]]:
    return [(case.suite, case.name, case.outcome, case.message) for case in runs.cases_of(run)]


def test_cases_follow_order_of_steps(ran: Bench) -> None:
    leave(ran, "snapshot", "passed")
    leave(ran, "sbuild", "failed", sbuild="greet-c.log")
    assert summaries(ran.run) == [
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


@pytest.mark.parametrize("verdict", ["passed", "unstable"])
@pytest.mark.parametrize(
    "format_name, fixture, name, outcome",
    [
        ("lintian", "greet-sloppy.txt", "no-copyright-file", "failed"),
        ("sbuild", "greet-c.log", "build", "failed"),
        ("subunit", "tempest.v2", "test_delete_image", "failed"),
        ("subunit", "killed.v2", "test_hangs", "error"),
        ("cases", "unstable.jsonl", "", "failed"),
        ("exercises", "killed.log", "sec_groups", "failed"),
    ],
)
def test_failure_in_result_of_passed_step_stays_failure(  # noqa: PLR0917 - a table and its fixtures
    ran: Bench, lab: Lab, verdict: str, format_name: str, fixture: str, name: str, outcome: str
) -> None:
    leave(ran, "sbuild", verdict, **{format_name: fixture})
    original = registry.cases(format_name, fixtures.FORMATS / format_name / fixture)
    cases = [case for case in runs.cases_of(ran.run) if case.suite != "trunk.greet"]
    assert [case.outcome for case in cases] == [case.outcome for case in original]
    (failed,) = [case for case in cases if case.outcome == outcome and name in case.name]
    prefix = "sbuild passed, but its result did not: " if verdict == "passed" else ""
    (source,) = [case.message for case in original if case.id == failed.id]
    assert failed.message == f"{prefix}{source or outcome}"
    build_result, message = build_verdict(ran, lab)
    assert (build_result, message.startswith(prefix)) == ("unstable", True)


def test_accepted_failure_is_skipped_with_reason(ran: Bench, lab: Lab) -> None:
    leave(ran, "lintian", "passed", lintian="greet.txt")
    leave(ran, "sbuild", "passed", subunit="tempest.v2")
    stream = ran.run.results / "native/tempest.v2"
    failing = next(case for case in runs.cases_of(ran.run) if case.name == "test_delete_image")
    (test,) = [
        test.id
        for test in subunit.tests(stream.read_bytes())
        if isinstance(test, subunit.Test) and failing.name in test.id
    ]
    stream.with_name("tempest.v2.known.json").write_text(json.dumps({test: "it rains"}))
    skipped = {case.name: case.message for case in runs.cases_of(ran.run) if case.outcome == "skipped"}
    assert skipped["test_delete_image"] == "known failure: it rains"
    assert "extended-description-is-probably-too-short" in skipped
    assert build_verdict(ran, lab) == ("passed", "")


def test_earlier_try_in_result_of_passed_step_is_unchanged(ran: Bench, lab: Lab) -> None:
    leave(ran, "sbuild", "passed", junit="pytest-reruns.xml")
    tries = [case for case in runs.cases_of(ran.run) if case.nuance == "rerun"]
    assert {case.outcome for case in tries} <= {"failed", "error"}
    assert not [case for case in tries if "but its result did not" in case.message]


@pytest.mark.parametrize(
    "native, suite, message",
    [
        ({"path": "results/native/none", "format": "lintian"}, "lintian", "results/native/none: cannot be read: No such file or directory"),
        ({"path": "results/native/x", "format": "gtester"}, "gtester", f"no format gtester; known: {', '.join(registry.FORMATS)}, auto"),
        ({"path": "../../../../../../etc/passwd", "format": "tap"}, "tap", "../../../../../../etc/passwd is not in the run's directory"),
        ({"path": "results/native/page", "format": "tap"}, "tap", "page is an HTML page, not tap"),
        ({"path": "results", "format": "tap"}, "tap", "results: is a directory; name a file in it"),
    ],
)  # fmt: skip
def test_unreadable_result_does_not_hide_others(ran: Bench, native: dict[str, Any], suite: str, message: str) -> None:
    (ran.run.results / "native/page").write_text("<html>")
    ran.pretend("snapshot", native=(Native(**native),))
    leave(ran, "lintian", "passed", lintian="greet.txt")
    cases = summaries(ran.run)
    assert cases[1] == (suite, "[unreadable]", "error", f"snapshot passed, but its result did not: {message}")
    assert [case[:3] for case in cases[2:]] == [
        ("trunk.greet", "lintian", "passed"),
        ("lintian", "extended-description-is-probably-too-short", "skipped"),
        ("lintian", "package-contains-documentation-outside-usr-share-doc", "skipped"),
    ]


def test_symlink_out_of_run_is_not_followed(ran: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("ok 1 - secret\n1..1\n")
    (ran.run.results / "native/link").symlink_to(secret)
    (ran.run.results / "snapshot.log").symlink_to(secret)
    record = ran.pretend("snapshot", native=(Native(path="results/native/link", format="tap"),))
    record.model_copy(update={"verdict": "failed"}).write(ran.run.record_path("snapshot"))
    assert "secret" not in "".join(case.model_dump_json() for case in runs.cases_of(ran.run))


def test_damaged_record_is_a_case(ran: Bench) -> None:
    leave(ran, "snapshot", "passed")
    leave(ran, "packaging", "passed")
    path = ran.run.record_path("snapshot")
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 0'))
    assert summaries(ran.run) == [
        (
            "trunk.greet",
            "snapshot",
            "error",
            "results/01-snapshot.json: schema: must be a whole number from 1 on; found: 0",
        ),
        ("trunk.greet", "packaging", "passed", "packaging is passed"),
    ]


def test_missing_run_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"run\.json: cannot be read: No such file or directory"):
        runs.cases_of(Run(tmp_path))
