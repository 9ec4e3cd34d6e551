"""Items of every type that Jenkins Job Builder writes, in a folder: made, saved by Jenkins, edited, backed up, deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator import backup, plan
from generator.backup import Backup
from generator.items import ItemKey
from generator.server import FOLDER, Server
from tests.generator.conftest import described
from tests.generator.test_plan import do, told
from tests.jenkins.double import Double
from tests.jenkins.shapes import ORGANIZATION

GIT = "scm: [git: {url: 'https://git.example/a.git', credentials-id: c}]"
TYPES = {
    "freestyle": "job: {name: f/x, builders: [shell: 'true']}",
    "pipeline": "job: {name: f/x, project-type: pipeline, dsl: 'x'}",
    "matrix": "job: {name: f/x, project-type: matrix, axes: [axis: {type: user-defined, name: a, values: [1]}]}",
    "maven": "job: {name: f/x, project-type: maven, maven: {root-pom: pom.xml, goals: clean}}",
    "external": "job: {name: f/x, project-type: externaljob}",
    "multijob": "job: {name: f/x, project-type: multijob, builders: [multijob: {name: p, projects: [{name: y}]}]}",
    "folder": "job: {name: f/x, project-type: folder}",
    "branches": f"job: {{name: f/x, project-type: multibranch, {GIT}}}",
    "branches with a default Jenkinsfile": f"job: {{name: f/x, project-type: multibranch-defaults, {GIT}}}",
    "organization": "job: {name: f/x, project-type: githuborg, github-org: {repo-owner: o, credentials-id: c}}",
    "view of all": "view: {name: f/x, view-type: all}",
    "view of a list": "view: {name: f/x, view-type: list, job-name: [y]}",
    "view of a pipeline": "view: {name: f/x, view-type: pipeline, first-job: y}",
    "view of a delivery": "view: {name: f/x, view-type: delivery_pipeline, components: [{name: a, first-job: y}]}",
    "view of categories": "view: {name: f/x, view-type: categorized, regex: a.*}",
    "dashboard": "view: {name: f/x, view-type: dashboard, top-portlets: [{type: jobs-grid, name: g}]}",
    "view of sections": "view: {name: f/x, view-type: sectioned, sections: [{view-type: list, name: s, job-name: [y]}]}",
    "view of views": "view: {name: f/x, view-type: nested, views: [{name: y, view-type: list, job-name: [z]}]}",
}
COMPUTED = [name for name in TYPES if name.startswith(("branches", "organization"))]
SECRET = f"<properties><{FOLDER}CredentialsProperty><password>{{AQAAABAAAAAQ}}</password></{FOLDER}CredentialsProperty></properties>"


def yaml(name: str, description: str = "old") -> str:
    return f"- job: {{name: f, project-type: folder}}\n- {TYPES[name][:-1]}, description: {description}}}\n"


@pytest.mark.integration
@pytest.mark.parametrize("name", TYPES)
def test_item_of_each_type(there: Server, jenkins: Double, tmp_path: Path, name: str) -> None:
    items = described(tmp_path, yaml(name))
    do(there, plan.compute(there, "lab", items))
    for _ in range(2):
        made = plan.compute(there, "lab", items)
        assert (told(made), made.unchanged, made.unmanaged) == ([], 2, ())
        jenkins.resave_all()
    saved = Backup(tmp_path / "backup", "A <a@lab.example>")
    assert backup.save(there, saved).items == 2
    changed = described(tmp_path, yaml(name, "new"))
    assert told(plan.compute(there, "lab", changed)) == [("change", "f/x")]
    do(there, plan.compute(there, "lab", changed))
    assert told(plan.compute(there, "lab", items)) == [("change", "f/x")]
    results = backup.restore(there, saved, lambda *_: None)
    assert [one.error for one in results] == [None, None]
    assert told(plan.compute(there, "lab", items)) == []
    do(there, plan.compute(there, "lab", items[:1]), "delete")
    assert jenkins.jobs() + jenkins.views() == ["f"]


@pytest.mark.integration
@pytest.mark.parametrize("name", COMPUTED)
def test_content_that_a_project_makes_itself_is_not_the_labs(
    there: Server, jenkins: Double, tmp_path: Path, name: str
) -> None:
    """The jobs of branches are neither listed, reported nor saved; what people set there stays after an update."""
    do(there, plan.compute(there, "lab", described(tmp_path, yaml(name))))
    jenkins.create("f/x/main", "<flow-definition/>")
    jenkins.edit("f/x", "<properties/>", SECRET)
    assert sorted(there.listing()) == [ItemKey("job", "f"), ItemKey("job", "f/x")]
    items = described(tmp_path, yaml(name, "new"))
    made = plan.compute(there, "lab", items)
    assert (told(made), made.unmanaged) == ([("change", "f/x")], ())
    do(there, made)
    assert "{AQAAABAAAAAQ}" in jenkins.config("f/x")
    assert jenkins.jobs() == ["f", "f/x", "f/x/main"]
    assert backup.save(there, Backup(tmp_path / "backup", "A <a@lab.example>")).items == 2


@pytest.mark.integration
@pytest.mark.parametrize("around", ["team", "team/a", "team/a/b/c/d/e"])
def test_lab_in_nested_folders_of_others(there: Server, jenkins: Double, tmp_path: Path, around: str) -> None:
    """The folders of others, and what lies beside, stay; an organization beside is no folder of the lab's."""
    for depth, _ in enumerate(around.split("/"), 1):
        jenkins.create("/".join(around.split("/")[:depth]), f"<{FOLDER}><description>theirs</description></{FOLDER}>")
    jenkins.create(f"{around}/theirs", "<project/>")
    jenkins.create("team/org", f"<{ORGANIZATION}/>")
    jenkins.create("team/org/repository", f"<{FOLDER}/>")
    before = {name: jenkins.config(name) for name in jenkins.jobs()}
    items = described(
        tmp_path, f"- job: {{name: {around}/lab, project-type: folder}}\n- job: {{name: {around}/lab/x}}\n"
    )
    do(there, plan.compute(there, "lab", items))
    jenkins.resave(f"{around}/lab/x")
    made = plan.compute(there, "lab", items)
    beside = ["job team/org"] if around == "team" else []
    assert (told(made), made.unmanaged) == ([], (*beside, f"job {around}/theirs"))
    do(there, plan.compute(there, "lab", []), "delete")
    assert {name: jenkins.config(name) for name in jenkins.jobs()} == before
