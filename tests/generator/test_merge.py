"""What an item holds on the server that no description speaks of: it is no difference, and it outlives an update."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from generator import backup, plan
from generator.adopt import adopt
from generator.backup import Backup
from generator.canonical import parse
from generator.mark import write as marked
from generator.merge import STOCK_ICON, described_part, digest, merged
from generator.server import Server
from generator.steps import Plan, PlanStep
from lab.results.ownership_mark import Mark
from tests.generator.conftest import described
from tests.generator.test_plan import do, told
from tests.jenkins.double import Double

KIND = "com.cloudbees.hudson.plugins.folder"
CREDENTIALS = (
    f"<{KIND}.properties.FolderCredentialsProvider_-FolderCredentialsProperty><domainCredentialsMap><entry>"
    "<password>{AQAAABAAAAAQc2VjcmV0}</password></entry></domainCredentialsMap>"
    f"</{KIND}.properties.FolderCredentialsProvider_-FolderCredentialsProperty>"
)
RIGHTS = f"<{KIND}.properties.AuthorizationMatrixProperty><permission>{{}}</permission></{KIND}.properties.AuthorizationMatrixProperty>"
JOB_RIGHTS = "<hudson.security.AuthorizationMatrixProperty><permission>USER:x:al</permission></hudson.security.AuthorizationMatrixProperty>"
GHPRB = "org.jenkinsci.plugins.ghprb.GhprbTrigger"
FOLDER = f'<{KIND}.Folder><icon class="{STOCK_ICON}"/><healthMetrics/><views/>{{}}</{KIND}.Folder>'
TEXT = "- job: {{name: f, project-type: folder, description: {0}}}\n- job: {{name: f/j, description: {0}}}\n"
PASSWORD = "- job: {name: j, description: %s, parameters: [password: {name: TOKEN, default: %s}]}"


def computed(there: Server, tmp_path: Path, text: str) -> Plan:
    return plan.compute(there, "lab", described(tmp_path, text))


def one(made: Plan) -> PlanStep:
    (step,) = made.steps
    return step


def there_and_described(old: str, new: str) -> bytes:
    """What is there: ``old``, last applied as ``new``."""
    return marked(old, Mark("lab", digest(new))).encode()


# What is there besides what is described, and the path of what must still be there after an update.
KEPT = {
    "credentials of a folder": (
        FOLDER.format(f"<properties>{CREDENTIALS}</properties>"),
        FOLDER.format("<properties/>"),
        "properties//password",
    ),
    "permissions of a folder, beside a property that is described": (
        FOLDER.format(f"<properties><a.Described/>{RIGHTS.format('USER:x:al')}</properties>"),
        FOLDER.format("<properties><a.Described/></properties>"),
        "properties//permission",
    ),
    "properties of a folder whose description has none": (
        FOLDER.format(f"<properties>{CREDENTIALS}</properties>"),
        FOLDER.format(""),
        "properties//password",
    ),
    "health metrics of a folder": (
        FOLDER.replace("<healthMetrics/>", f"<healthMetrics><{KIND}.health.WorstChildHealthMetric/></healthMetrics>"),
        FOLDER,
        f"healthMetrics/{KIND}.health.WorstChildHealthMetric",
    ),
    "icon of a folder": (
        f'<{KIND}.Folder><icon class="a.Icon"><x>y</x></icon></{KIND}.Folder>',
        FOLDER.format(""),
        "icon[@class='a.Icon']/x",
    ),
    "properties of a multi-branch project": (
        f"<a.WorkflowMultiBranchProject><properties>{CREDENTIALS}</properties></a.WorkflowMultiBranchProject>",
        "<a.WorkflowMultiBranchProject><properties/></a.WorkflowMultiBranchProject>",
        "properties//password",
    ),
    "a job that an operator disabled": (
        "<project><disabled>true</disabled></project>",
        "<project/>",
        "disabled",
    ),
    "permissions of a job": (
        f"<project><properties>{JOB_RIGHTS}</properties></project>",
        "<project><properties/></project>",
        "properties//permission",
    ),
    "what a trigger remembers": (
        f"<project><triggers><{GHPRB}><spec>x</spec><pullRequests><entry>1</entry></pullRequests></{GHPRB}></triggers></project>",
        f"<project><triggers><{GHPRB}><spec>x</spec></{GHPRB}></triggers></project>",
        f"triggers/{GHPRB}/pullRequests/entry",
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_undescribed_parts_are_kept(name: str) -> None:
    old, new, path = KEPT[name]
    there = there_and_described(old, new)
    assert digest(there) != digest(new)
    assert digest(merged(there, new)) == digest(there)
    assert digest(described_part(there, new)) == digest(new)
    changed = parse(new)
    changed.insert(0, etree.fromstring("<displayName>new</displayName>"))
    sent = parse(merged(there, etree.tostring(changed, encoding="unicode")))
    assert sent.findtext("displayName") == "new"
    assert sent.find(path) is not None


@pytest.mark.parametrize(
    "old, new",
    [
        ("<project><disabled>true</disabled></project>", "<project><disabled>false</disabled></project>"),
        ("<project><properties><a.Throttle/></properties></project>", "<project><properties/></project>"),
        (
            FOLDER.format(f"<properties>{RIGHTS.format('USER:x:al')}</properties>"),
            FOLDER.format(f"<properties>{RIGHTS.format('USER:x:bo')}</properties>"),
        ),
        (
            f'<{KIND}.Folder><icon class="a.Icon"/></{KIND}.Folder>',
            f'<{KIND}.Folder><icon class="b.Icon"/></{KIND}.Folder>',
        ),
    ],
)
def test_described_parts_are_sent(old: str, new: str) -> None:
    there = there_and_described(old, new)
    assert digest(merged(there, new)) == digest(new)


def test_applied_part_that_is_no_longer_described_is_removed() -> None:
    """Nothing of an item that is exactly what was applied is anybody else's."""
    old = "<project><disabled>true</disabled></project>"
    assert digest(merged(there_and_described(old, old), "<project/>")) == digest("<project/>")


def parameters(*pairs: tuple[str, str]) -> str:
    tag = "hudson.model.PasswordParameterDefinition"
    inner = "".join(f"<{tag}><name>{name}</name><defaultValue>{value}</defaultValue></{tag}>" for name, value in pairs)
    return f"<project><p><parameterDefinitions>{inner}</parameterDefinitions></p></project>"


ONE, TWO = "{AQAAone=}", "{AQAAtwo=}"


@pytest.mark.parametrize(
    "old, new, sent",
    [
        ([("A", ONE)], [("A", "one")], [("A", ONE)]),
        ([("A", ONE)], [("A", "{AQAAother=}")], [("A", ONE)]),
        ([("A", ONE), ("B", TWO)], [("A", "one"), ("B", "two")], [("A", ONE), ("B", TWO)]),
        ([("B", TWO)], [("A", "one"), ("B", "two")], [("A", "one"), ("B", TWO)]),  # by name, not by place
        ([("A", ONE), ("C", TWO)], [("A", "one"), ("B", "two")], [("A", ONE), ("B", "two")]),
        ([("A", ONE)], [("A", "")], [("A", ONE)]),  # Jenkins encrypts an empty text, too
        ([("A", ONE), ("B", TWO)], [("A", ""), ("B", "two")], [("A", ONE), ("B", TWO)]),
        ([("A", "plain")], [("A", "one")], [("A", "one")]),
    ],
)
def test_encrypted_secrets_are_not_compared(
    old: list[tuple[str, str]], new: list[tuple[str, str]], sent: list[tuple[str, str]]
) -> None:
    xml = parameters(*new)
    assert digest(merged(there_and_described(parameters(*old), xml), xml)) == digest(parameters(*sent))


def test_new_description_is_sent_with_its_secrets() -> None:
    there = there_and_described(parameters(("A", ONE)), parameters(("A", "one")))
    new = parameters(("A", "other"))
    assert digest(merged(there, new)) == digest(new)


# The same on a server.


def test_folder_keeps_its_credentials(there: Server, jenkins: Double, tmp_path: Path) -> None:
    do(there, computed(there, tmp_path, TEXT.format("old")))
    jenkins.edit("f", "<properties/>", f"<properties>{CREDENTIALS}{RIGHTS.format('USER:x:al')}</properties>")
    for quick in (False, True):
        assert plan.compute(there, "lab", described(tmp_path, TEXT.format("old")), quick=quick).steps == ()
    made = computed(there, tmp_path, TEXT.format("new"))
    assert [(step.action, step.name, step.edited, len(step.differences)) for step in made.steps] == [
        ("change", "f", False, 1),
        ("change", "f/j", False, 1),
    ]
    do(there, made)
    for kept in ("FolderCredentialsProperty", "{AQAAABAAAAAQc2VjcmV0}", "USER:x:al"):
        assert kept in jenkins.config("f"), kept
    jenkins.resave_all()
    assert computed(there, tmp_path, TEXT.format("new")).steps == ()


def test_edit_by_hand_is_reported_next_to_undescribed_parts(there: Server, jenkins: Double, tmp_path: Path) -> None:
    do(there, computed(there, tmp_path, TEXT.format("old")))
    jenkins.edit("f", "<properties/>", f"<displayName>x</displayName><properties>{CREDENTIALS}</properties>")
    for text, action in (("old", "revert"), ("new", "change")):
        step = computed(there, tmp_path, TEXT.format(text)).steps[0]
        assert (step.action, step.edited) == (action, True)
        assert "displayName" in [found.path for found in step.differences]
    do(there, computed(there, tmp_path, TEXT.format("old")))
    assert "displayName" not in jenkins.config("f")
    assert "FolderCredentialsProperty" in jenkins.config("f")


def test_backup_keeps_undescribed_parts(there: Server, jenkins: Double, tmp_path: Path) -> None:
    do(there, computed(there, tmp_path, TEXT.format("old")))
    jenkins.edit("f", "<properties/>", f"<properties>{CREDENTIALS}</properties>")
    before, saved = jenkins.config("f"), Backup(tmp_path / "backup", "Test Lab <lab@lab.example>")
    backup.save(there, saved)
    jenkins.wipe()
    assert [result.error for result in backup.restore(there, saved, lambda *_: None)] == [None, None]
    jenkins.resave("f")
    assert jenkins.config("f") == before


def test_adopted_folder_keeps_its_credentials(there: Server, jenkins: Double, tmp_path: Path) -> None:
    jenkins.create("f", FOLDER.format(f"<description>by hand</description><properties>{CREDENTIALS}</properties>"))
    items = described(tmp_path, TEXT.format("new"))
    adopt(there, "lab", items, ["f"], None)
    made = plan.compute(there, "lab", items)
    assert told(made) == [("change", "f"), ("create", "f/j")]
    assert [(found.path, found.after) for found in made.steps[0].differences] == [("description", "new")]
    do(there, made)
    assert "FolderCredentialsProperty" in jenkins.config("f")
    assert plan.compute(there, "lab", items).steps == ()


def test_job_disabled_by_an_operator_stays_disabled(there: Server, jenkins: Double, tmp_path: Path) -> None:
    jenkins.create("d", "<project/>")
    text = "- job: {name: j, builders: [shell: 'make %s']}"
    do(there, computed(there, tmp_path, text % "one"))
    jenkins.resave("j")
    jenkins.edit("j", "<disabled>false", "<disabled>true")
    assert computed(there, tmp_path, text % "one").steps == ()
    do(there, computed(there, tmp_path, text % "two"))
    assert "make two" in jenkins.config("j")
    assert "<disabled>true" in jenkins.config("j")
    said = (text % "two").replace("builders", "disabled: false, builders")
    assert [found.path for found in one(computed(there, tmp_path, said)).differences] == ["disabled"]


def test_encrypted_secret_is_not_an_edit_by_hand(there: Server, jenkins: Double, tmp_path: Path) -> None:
    do(there, computed(there, tmp_path, PASSWORD % ("a", "hunter2first")))
    jenkins.resave("j")
    assert "hunter2first" not in jenkins.config("j")
    encrypted = parse(jenkins.config("j")).findtext(".//defaultValue") or "?"
    assert computed(there, tmp_path, PASSWORD % ("a", "hunter2first")).steps == ()
    jenkins.edit("j", "<description>a", "<description>by hand: a")
    step = one(computed(there, tmp_path, PASSWORD % ("a", "hunter2first")))
    assert (step.edited, [found.path for found in step.differences]) == (True, ["description"])
    do(there, computed(there, tmp_path, PASSWORD % ("a", "hunter2first")))
    assert encrypted in jenkins.config("j")
    new = computed(there, tmp_path, PASSWORD % ("a", "hunter3second"))
    assert (one(new).action, one(new).edited) == ("change", False)
    assert "hunter" not in new.as_json()
    do(there, new)
    assert "hunter3second" in jenkins.config("j")
    jenkins.resave("j")
    assert computed(there, tmp_path, PASSWORD % ("a", "hunter3second")).steps == ()


JOBS_AS_SAVED = {
    "a password parameter without a default": "parameters: [password: {name: P}]",
    "the same beside one with a default": "parameters: [password: {name: P}, password: {name: Q, default: hunter2}]",
    "a trigger without a token": "triggers: [gitlab: {trigger-push: true}]",
    "a trigger with a token": "triggers: [gitlab: {trigger-push: true, secret-token: hunter2}]",
    "a filter that the plugin does not have": "builders: [copyartifact: {project: j, exclude: '*.txt'}]",
}


@pytest.mark.parametrize("job", JOBS_AS_SAVED)
def test_plan_is_empty_after_jenkins_has_saved_a_job(there: Server, jenkins: Double, tmp_path: Path, job: str) -> None:
    text = f"- job: {{name: j, {JOBS_AS_SAVED[job]}}}"
    do(there, computed(there, tmp_path, text))
    for _ in range(2):
        jenkins.resave("j")
        assert computed(there, tmp_path, text).steps == ()


@pytest.mark.parametrize("said", ["by hand", "", None])
def test_folder_saved_in_the_web_ui(there: Server, jenkins: Double, tmp_path: Path, said: str | None) -> None:
    """Its form changes the view that it shows first, which stays as people left it; None: saved as it was, with the mark."""
    do(there, computed(there, tmp_path, TEXT.format("a")))
    connection = there.connection
    there_before = connection.json("job/f/api/json?tree=description,views[name,description]")
    text = there_before["description"] if said is None else said
    connection.send("POST", "job/f/submitDescription", data={"description": text, "Submit": ""})
    found = connection.json("job/f/api/json?tree=description,views[name,description]")
    assert found["description"] == there_before["description"]
    assert [view["description"] or "" for view in found["views"]] == [text]
    made = computed(there, tmp_path, TEXT.format("a"))
    assert (made.steps, made.unmanaged) == ((), ())
    assert plan.compute(there, "lab", []).of("delete") != []
    do(there, computed(there, tmp_path, TEXT.format("b")))
    (view,) = connection.json("job/f/api/json?tree=views[name,description]")["views"]
    assert view["description"] == (text or None)
    assert computed(there, tmp_path, TEXT.format("b")).steps == ()
