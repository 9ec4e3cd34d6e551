"""Stock Jenkins Job Builder and qalab apply the same generated jobs, in any order, and report nothing of each other."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from jenkins_jobs.cli.entry import JenkinsJobs

from generator import jjb, plan, presentation, render
from generator.items import Item
from generator.server import Server
from generator.steps import Plan
from lab.base.errors import ConfigurationError
from lab.config.access import Access
from lab.config.description import Lab
from lab.config.jenkins import Connection
from reports.sources.jenkins import JenkinsSource
from reports.sources.source import Trouble
from tests.generator.test_plan import do, told
from tests.jenkins.double import Double

HOUSE = Path(__file__).parent.parent.parent
BUILD = "f/trunk-greet-build"


@pytest.fixture
def a_lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory(lab={"jenkins": {"url": "https://jenkins.lab.example/", "folder": "f"}})


@pytest.fixture
def jobs(a_lab: Lab, tmp_path: Path) -> Path:
    """The generated jobs of a small lab."""
    path = tmp_path / "jobs"
    shutil.copytree(HOUSE / "jobs", path, ignore=shutil.ignore_patterns("generated", "public"))
    render.write(a_lab, path)
    return path


@pytest.fixture
def update(jenkins: Double, jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """``jenkins-jobs update jobs/``, without the state of an earlier one."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    ini = tmp_path / "j.ini"
    ini.write_text(f"[jenkins]\nurl={jenkins.url}\nuser=admin\npassword=secret\nquery_plugins_info=False\n")

    def run() -> None:
        shutil.rmtree(tmp_path / "home", ignore_errors=True)
        with warnings.catch_warnings(action="ignore"):  # Jenkins Job Builder's own
            JenkinsJobs(["--conf", str(ini), "--ignore-cache", "update", str(jobs)]).execute()

    return run


def items_of(jobs: Path) -> list[Item]:
    return jjb.expand(jobs, jjb.configuration(None))


def planned(there: Server, a_lab: Lab, jobs: Path) -> Plan:
    return plan.compute(there, a_lab.lab.name, items_of(jobs))


def seen(jenkins: Double, a_lab: Lab) -> list[object]:
    access = Access(jenkins.url, *jenkins.credentials, timeout=60.0)
    return list(JenkinsSource(a_lab, Connection(access)).look({}))


@pytest.mark.integration
def test_stock_update_and_apply_are_interchangeable(
    there: Server, jenkins: Double, a_lab: Lab, jobs: Path, update: Callable[[], None]
) -> None:
    update()
    assert planned(there, a_lab, jobs).steps == ()
    jenkins.resave_all()
    assert planned(there, a_lab, jobs).steps == ()
    writes = len(jenkins.writes())
    do(there, planned(there, a_lab, jobs))
    assert len(jenkins.writes()) == writes
    (jobs / "templates.yaml").write_text((jobs / "templates.yaml").read_text().replace("Builds {comp", "Makes {comp"))
    changed = planned(there, a_lab, jobs)
    assert told(changed) == [("change", BUILD)]
    do(there, changed)
    assert planned(there, a_lab, jobs).steps == ()
    update()  # the other way round
    assert planned(there, a_lab, jobs).steps == ()
    jenkins.resave_all()
    assert planned(there, a_lab, jobs).steps == ()
    assert {item.key.name for item in items_of(jobs) if item.key.kind == "job"} == set(jenkins.jobs())


@pytest.mark.integration
def test_edit_by_hand_after_a_stock_update_is_reported(
    there: Server, jenkins: Double, a_lab: Lab, jobs: Path, update: Callable[[], None]
) -> None:
    """Nobody knows whether it is an edit or a newer description; it is not silent."""
    update()
    jenkins.edit(BUILD, "qalab step sbuild", "true")
    made = planned(there, a_lab, jobs)
    assert [(step.action, step.name, step.edited) for step in made.steps] == [("change", BUILD, True)]
    said = "\n".join([*presentation.plan(made), *presentation.drift(made.steps)])
    assert f"~ job {BUILD} (edited by hand, or changed here since jenkins-jobs applied it)" in said
    assert f"! job {BUILD}: edited by hand, or its description has changed since jenkins-jobs applied it" in said
    do(there, made)
    jenkins.edit(BUILD, "qalab step sbuild", "true")
    assert told(planned(there, a_lab, jobs)) == [("revert", BUILD)]


@pytest.mark.integration
def test_prune_after_a_stock_update(
    there: Server, jenkins: Double, a_lab: Lab, jobs: Path, update: Callable[[], None]
) -> None:
    update()
    project = jobs / "generated/project.yaml.inc"
    project.write_text(project.read_text().replace("- lab-backup: {}\n", ""))
    made = planned(there, a_lab, jobs)
    assert [(step.action, step.name, step.edited) for step in made.steps] == [("delete", "f/lab-backup", False)]


@pytest.mark.integration
def test_publish_finds_builds_after_both(
    there: Server, jenkins: Double, a_lab: Lab, jobs: Path, update: Callable[[], None]
) -> None:
    for bring in (update, lambda: do(there, planned(there, a_lab, jobs))):
        jenkins.wipe()
        bring()
        jenkins.add_build(BUILD, result="SUCCESS")
        ((builds, _),) = seen(jenkins, a_lab)  # type: ignore[misc]
        assert [one.number for one in builds] == [1]


@pytest.mark.parametrize("description", ["", "<!-- Managed by qalab: lab=other -->"])
def test_publish_names_a_job_that_is_not_the_labs(jenkins: Double, a_lab: Lab, description: str) -> None:
    jenkins.create("f", "<com.cloudbees.hudson.plugins.folder.Folder/>")
    jenkins.create(BUILD, f"<project><description>{description.replace('<', '&lt;')}</description></project>")
    assert seen(jenkins, a_lab) == []  # without builds, there is nothing to publish
    jenkins.add_build(BUILD, result="SUCCESS")
    (trouble,) = seen(jenkins, a_lab)
    assert isinstance(trouble, Trouble)
    assert isinstance(trouble.error, ConfigurationError)
    assert f"{BUILD}: has builds, and is not this lab's (qalab jenkins adopt {BUILD}" in str(trouble.error)


def test_folder_of_an_administrator_is_not_described(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    described = {"url": "https://jenkins.lab.example/", "folder": "f", "create_folder": False}
    jobs = tmp_path / "jobs"
    render.write(lab_factory(lab={"jenkins": described, "public": {"jenkins": described}}), jobs)
    for path in (jobs, jobs / "public"):
        names = {str(item.key) for item in items_of(path)}
        assert "job f" not in names
        assert f"job {BUILD}" in names
