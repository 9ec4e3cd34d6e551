"""Plans against a Jenkins that rewrites, and that people edit: what is to be done, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator import apply, digests, plan, presentation
from generator.items import Item, ItemKey
from generator.plan import PlanOptions
from generator.server import FOLDER, Server
from generator.steps import Action, Plan
from lab.base.errors import ConfigurationError
from tests.generator.conftest import JOBS, described
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER


def do(there: Server, made: Plan, *actions: Action) -> None:
    """Carry a plan out; all of it must be done."""
    steps = made.of(*(actions or ("create", "change", "revert", "rename")))
    done = apply.carry_out(there, steps, lambda *_: None, lambda _: None)
    assert [one for one in done if one.error] == []


def told(made: Plan) -> list[tuple[str, str]]:
    return [(step.action, step.name) for step in made.steps]


@pytest.fixture
def applied(there: Server, jenkins: Double, tmp_path: Path) -> list[Item]:
    """What is described, and on the server."""
    items = described(tmp_path)
    do(there, plan.compute(there, "lab", items))
    return items


@pytest.mark.parametrize("quick", [False, True])
def test_folder_that_an_administrator_renamed(there: Server, jenkins: Double, tmp_path: Path, *, quick: bool) -> None:
    """Its jobs have the marks of their old names: without new ones, prune takes them for copies by people for ever."""
    do(there, plan.compute(there, "lab", described(tmp_path)))
    there.rename(ItemKey("job", "folder"), "moved")
    items = described(tmp_path, JOBS.replace("folder", "moved", 1).replace("folder/", "moved/"))
    made = plan.compute(there, "lab", items, quick=quick)
    assert told(made) == [("change", "moved"), ("change", "moved/build")]
    assert [step.differences for step in made.steps] == [(), ()]
    do(there, made)
    assert told(plan.compute(there, "lab", items, quick=quick)) == []
    rest = [item for item in items if not item.key.name.startswith("moved")]
    assert told(plan.compute(there, "lab", rest, quick=quick)) == [("delete", "moved"), ("delete", "moved/build")]


def test_second_plan_is_empty(there: Server, jenkins: Double, tmp_path: Path) -> None:
    items = described(tmp_path)
    first = plan.compute(there, "lab", items)
    assert {step.action for step in first.steps} == {"create"}
    assert first.unchanged == 0
    do(there, first)
    before = len(jenkins.writes())
    assert before == len(items)
    for quick in (False, True):
        second = plan.compute(there, "lab", items, quick=quick)
        assert (second.steps, second.unchanged) == ((), len(items))
    jenkins.resave_all()
    third = plan.compute(there, "lab", items)
    assert (third.steps, third.unchanged) == ((), len(items))
    do(there, third)
    assert len(jenkins.writes()) == before


@pytest.mark.integration
@pytest.mark.usefixtures("applied")
def test_edit_by_hand_is_reverted(there: Server, jenkins: Double, tmp_path: Path) -> None:
    jenkins.resave_all()
    jenkins.edit("folder/build", "make two", "make three")
    made = plan.compute(there, "lab", described(tmp_path))
    (step,) = made.steps
    assert (step.action, step.name, step.edited) == ("revert", "folder/build", True)
    (difference,) = step.differences
    assert (difference.before, difference.after) == ("make three", "make two")
    assert plan.compute(there, "lab", described(tmp_path), quick=True).steps == ()
    do(there, made)
    assert plan.compute(there, "lab", described(tmp_path)).steps == ()


@pytest.mark.integration
@pytest.mark.usefixtures("applied")
def test_changed_description_changes_the_item(there: Server, jenkins: Double, tmp_path: Path) -> None:
    items = described(tmp_path, JOBS.replace("make one", "make 1").replace("regex: '.*'", "regex: 'b.*'"))
    for quick in (True, False):
        made = plan.compute(there, "lab", items, quick=quick)
        assert told(made) == [("change", "folder/build"), ("change", "lab")]
        assert [step.edited for step in made.steps] == [False, False]
    jenkins.edit("folder/build", "make two", "make three")
    both = plan.compute(there, "lab", items)
    assert [(step.action, step.edited) for step in both.steps] == [("change", True), ("change", False)]
    do(there, both)
    assert plan.compute(there, "lab", items).steps == ()


def test_changed_folder_keeps_its_views(there: Server, jenkins: Double, tmp_path: Path) -> None:
    text = "- job: {name: f, project-type: folder}\n- view: {name: f/ours, view-type: list, regex: 'a.*'}\n"
    do(there, plan.compute(there, "lab", described(tmp_path, text)))
    there.create(ItemKey("view", "f/theirs"), b"<hudson.model.ListView><name>theirs</name></hudson.model.ListView>")
    items = described(tmp_path, text.replace("folder}", "folder, description: new}"))
    made = plan.compute(there, "lab", items)
    assert told(made) == [("change", "f")]
    do(there, made)
    assert sorted(jenkins.views()) == ["f/ours", "f/theirs"]
    assert plan.compute(there, "lab", items).steps == ()
    jenkins.resave_all()
    assert plan.compute(there, "lab", items).steps == ()


@pytest.mark.usefixtures("applied")
def test_edit_by_hand_that_matches_the_description(there: Server, jenkins: Double, tmp_path: Path) -> None:
    jenkins.edit("folder/build", "make two", "make three")
    items = described(tmp_path, JOBS.replace("make two", "make three"))
    assert plan.compute(there, "lab", items).steps == ()


@pytest.mark.usefixtures("applied")
def test_undescribed_item_is_deleted(there: Server, jenkins: Double, tmp_path: Path) -> None:
    items = described(tmp_path, "- job: {name: plain, triggers: [timed: 'H 3 * * *']}")
    made = plan.compute(there, "lab", items)
    assert told(made) == [("delete", name) for name in ("folder", "folder/build", "grün", "with a blank", "lab")]
    do(there, made, "delete")
    assert plan.compute(there, "lab", items).steps == ()
    assert sorted(jenkins.jobs()) == ["plain"]


@pytest.mark.usefixtures("applied")
def test_folder_with_content_is_not_deleted(there: Server, jenkins: Double, tmp_path: Path) -> None:
    there.create(ItemKey("job", "folder/somebody's"), b"<project/>")
    made = plan.compute(there, "lab", described(tmp_path, "- view: {name: lab, view-type: list, regex: '.*'}"))
    assert "folder" not in [step.name for step in made.of("delete")]
    assert "folder/build" in [step.name for step in made.of("delete")]


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("change", ["job", "view", "edit", "folder"])
def test_folder_that_got_content_after_the_plan_is_not_deleted(
    there: Server, jenkins: Double, tmp_path: Path, change: str
) -> None:
    """Jenkins deletes a folder with all its content: also what somebody has made since, or edited and so keeps."""
    made = plan.compute(there, "lab", described(tmp_path, "- view: {name: lab, view-type: list, regex: '.*'}"))
    match change:
        case "job":
            there.create(ItemKey("job", "folder/theirs"), b"<project/>")
        case "view":
            there.create(
                ItemKey("view", "folder/theirs"), b"<hudson.model.ListView><name>theirs</name></hudson.model.ListView>"
            )
        case "edit":
            jenkins.edit("folder/build", "make one", "make 7")
        case "folder":
            there.create(ItemKey("job", "folder/inner"), f"<{FOLDER}/>".encode())
            there.create(ItemKey("job", "folder/inner/theirs"), b"<project/>")
    results = apply.carry_out(there, made.of("delete"), lambda *_: None, lambda _: None)
    failed = {done.step.name: str(done.error) for done in results if done.error}
    assert "job folder: is a folder with content" in failed["folder"]
    assert set(failed) == ({"folder", "folder/build"} if change == "edit" else {"folder"})
    left = {"edit": "folder/build", "folder": "folder/inner/theirs"}.get(change, "folder/theirs")
    assert left in [*jenkins.jobs(), *jenkins.views()]


@pytest.mark.usefixtures("applied")
def test_items_of_other_owners_are_untouched(there: Server, jenkins: Double, tmp_path: Path) -> None:
    """Two labs, somebody with plain jenkins-jobs, and somebody by hand, on one server."""
    there.create(ItemKey("job", "by-hand"), b"<project/>")
    jjb_only = b"<project><description>x&lt;!-- Managed by Jenkins Job Builder --&gt;</description></project>"
    there.create(ItemKey("job", "jjb"), jjb_only)
    other = described(tmp_path, "- job: {name: theirs}\n- job: {name: theirs-too}")
    do(there, plan.compute(there, "other", other))
    ours = described(tmp_path)
    assert plan.compute(there, "lab", ours).steps == ()
    assert told(plan.compute(there, "other", other[:1])) == [("delete", "theirs-too")]
    nothing = plan.compute(there, "lab", described(tmp_path, "- job: {name: plain, triggers: [timed: 'H 3 * * *']}"))
    assert not {step.name for step in nothing.steps} & {"by-hand", "jjb", "theirs", "theirs-too"}
    wanted = described(tmp_path, "".join(f"- job: {{name: {name}}}\n" for name in ("by-hand", "jjb", "theirs")))
    made = plan.compute(there, "lab", wanted)
    assert told(made)[:3] == [("taken", "by-hand"), ("taken", "jjb"), ("taken", "theirs")]
    assert made.unchanged == 0


@pytest.mark.integration
@pytest.mark.usefixtures("applied")
def test_rename_is_a_guess_until_it_is_confirmed(there: Server, jenkins: Double, tmp_path: Path) -> None:
    jenkins.add_build("folder/build", result="SUCCESS")
    items = described(tmp_path, JOBS.replace("folder/build", "folder/built"))
    made = plan.compute(there, "lab", items)
    assert told(made) == [("create", "folder/built"), ("delete", "folder/build")]
    assert made.guesses == (("folder/build", "folder/built"),)
    assert told(made.without_guesses()) == [("create", "folder/built")]
    assert (
        "perhaps renamed: folder/build -> folder/built; to rename it, with its builds: --rename folder/build=fol"
        in ("\n".join(presentation.plan(made)))
    )
    made = plan.compute(there, "lab", items, PlanOptions(dict(made.guesses)))
    assert [(step.action, step.old, step.name) for step in made.steps] == [("rename", "folder/build", "folder/built")]
    assert made.guesses == ()
    do(there, made)
    assert jenkins.build("folder/built", 1).number == 1
    assert plan.compute(there, "lab", items).steps == ()


def test_second_description_of_one_owner_takes_no_job(there: Server, jenkins: Double, tmp_path: Path) -> None:
    do(there, plan.compute(there, "lab", described(tmp_path, "- job: {name: own-a}")))
    do(there, plan.compute(there, "lab", described(tmp_path, "- job: {name: own-b}")))
    assert sorted(jenkins.jobs()) == ["own-a", "own-b"]


TYPES = {
    "freestyle to pipeline": ("- job: {name: ty}", "- job: {name: ty, project-type: pipeline, dsl: 'node {{}}'}"),
    "freestyle to matrix": ("- job: {name: ty}", "- job: {name: ty, project-type: matrix}"),
    "job to folder": ("- job: {name: ty}", "- job: {name: ty, project-type: folder}"),
    "view": ("- view: {name: ty, view-type: list}", "- view: {name: ty, view-type: all}"),
}


@pytest.mark.parametrize("change", TYPES)
def test_change_of_type_is_announced_and_asked_for(there: Server, jenkins: Double, tmp_path: Path, change: str) -> None:
    before, after = TYPES[change]
    do(there, plan.compute(there, "lab", described(tmp_path, before)))
    items = described(tmp_path, after)
    made = plan.compute(there, "lab", items)
    assert told(made) == [("retype", "ty")]
    assert "qalab jenkins apply --replace ty deletes it, with its builds" in "\n".join(presentation.plan(made))
    writes = len(jenkins.writes())
    (done,) = apply.carry_out(there, made.steps, lambda *_: None, lambda _: None)
    assert (done.error and done.error.exit_code, len(jenkins.writes())) == (2, writes)
    made = plan.compute(there, "lab", items, PlanOptions({}, ["t*"]))
    assert told(made) == [("replace", "ty")]
    do(there, made, "replace")
    assert plan.compute(there, "lab", items).steps == ()


def test_job_is_not_deleted_before_the_new_one_is_accepted(there: Server, jenkins: Double, tmp_path: Path) -> None:
    do(
        there,
        plan.compute(there, "lab", described(tmp_path, "- job: {name: f, project-type: folder}\n- job: {name: f/ty}")),
    )
    jenkins.add_build("f/ty", result="SUCCESS")
    unknown = Item(ItemKey("job", "f/ty"), "<com.cloudbees.plugins.flow.BuildFlow/>")
    made = plan.compute(there, "lab", [unknown], PlanOptions(replaced=["f/ty"]))
    (done,) = apply.carry_out(there, made.of("replace"), lambda *_: None, lambda _: None)
    assert "answers 500" in str(done.error)
    assert jenkins.build("f/ty", 1).result == "SUCCESS"
    assert sorted(jenkins.jobs()) == ["f", "f/ty"]


@pytest.mark.parametrize("requests", range(3))
def test_replacement_that_was_killed_is_completed(
    there: Server, jenkins: Double, tmp_path: Path, requests: int
) -> None:
    """Whichever of its writes was the last one, the next apply and prune leave the new job alone."""
    do(there, plan.compute(there, "lab", described(tmp_path, "- job: {name: ty}")))
    items = described(tmp_path, "- job: {name: ty, project-type: pipeline, dsl: 'echo 1'}")
    made = plan.compute(there, "lab", items, PlanOptions(replaced=["ty"]))
    jenkins.fault(403, method="POST", at=1 + requests, times=FOREVER)
    (done,) = apply.carry_out(there, made.of("replace"), lambda *_: None, lambda _: None)
    assert done.error
    jenkins.heal()
    for actions in (("create", "replace"), ("delete",)):
        do(there, plan.compute(there, "lab", items, PlanOptions(replaced=["ty"])), *actions)
    assert plan.compute(there, "lab", items).steps == ()
    assert jenkins.jobs() == ["ty"]


def test_folder_with_content_is_not_replaced(there: Server, jenkins: Double, tmp_path: Path) -> None:
    do(there, plan.compute(there, "lab", described(tmp_path, "- job: {name: f, project-type: folder}")))
    jenkins.create("f/theirs", "<project/>")
    made = plan.compute(there, "lab", described(tmp_path, "- job: {name: f}"), PlanOptions({}, ["f"]))
    (done,) = apply.carry_out(there, made.steps, lambda *_: None, lambda _: None)
    assert "f: is a folder with content" in str(done.error)
    assert "f/theirs" in jenkins.jobs()


@pytest.mark.parametrize("description", ["", "by an administrator", "<!-- Managed by qalab: lab=other -->"])
def test_lab_works_inside_a_folder_of_others(there: Server, jenkins: Double, tmp_path: Path, description: str) -> None:
    kind = "com.cloudbees.hudson.plugins.folder.Folder"
    description = description.replace("<", "&lt;")
    jenkins.create("f", f"<{kind}><description>{description}</description></{kind}>")
    jenkins.create("f/by-hand", "<project/>")
    before = jenkins.config("f")
    text = "- job: {name: f, project-type: folder, description: ours}\n- job: {name: f/a}\n- job: {name: f/b}\n"
    made = plan.compute(there, "lab", described(tmp_path, text))
    assert told(made) == [("create", "f/a"), ("create", "f/b")]
    do(there, made)
    made = plan.compute(there, "lab", described(tmp_path, text))
    assert (made.steps, made.unchanged, made.others_folders) == ((), 2, ("f",))
    assert made.unmanaged == ("job f/by-hand",)
    assert jenkins.config("f") == before
    said = "\n".join(presentation.plan(made))
    assert "the folder f is not this lab's" in said
    assert "in the lab's folders, or copied or renamed by hand, and nobody describes it: job f/by-hand" in said


@pytest.mark.usefixtures("applied")
def test_requested_rename(there: Server, tmp_path: Path) -> None:
    """What changes besides its name is not found by itself."""
    items = described(tmp_path, JOBS.replace("folder/build", "folder/built").replace("make two", "make 2"))
    assert told(plan.compute(there, "lab", items)) == [("create", "folder/built"), ("delete", "folder/build")]
    renames = {"folder/build": "folder/built"}
    made = plan.compute(there, "lab", items, PlanOptions(renames))
    assert told(made) == [("rename", "folder/built")]
    do(there, made)
    assert plan.compute(there, "lab", items, PlanOptions(renames)).steps == ()  # it is done, and may be asked for again


FOLDER_OF_A_TRACK = """\
- job: {name: %s, project-type: folder}
- job: {name: %s/deep, project-type: folder}
- job: {name: %s/deep/build, builders: [shell: '%s']}
- view: {name: %s/all-of-it, view-type: list, regex: '.*'}
"""


def of_folder(directory: Path, name: str, shell: str = "true") -> list[Item]:
    return described(directory, FOLDER_OF_A_TRACK % (name, name, name, shell, name))


@pytest.mark.integration
@pytest.mark.parametrize("shell", ["true", "false"])
@pytest.mark.parametrize("is_saved", [False, True])
def test_content_of_a_renamed_folder_moves_along(
    there: Server,
    jenkins: Double,
    tmp_path: Path,
    shell: str,
    *,
    is_saved: bool,
) -> None:
    """Neither created at its new name nor deleted at its old one; it gets the mark of its new name."""
    do(there, plan.compute(there, "lab", of_folder(tmp_path, "old")))
    jenkins.add_build("old/deep/build", result="SUCCESS")
    items = of_folder(tmp_path, "new", shell)
    made = plan.compute(there, "lab", items, PlanOptions({"old": "new"}))
    content = ("new/deep", "new/deep/build", "new/all-of-it")
    assert (told(made), made.unchanged) == ([("rename", "new"), *(("change", name) for name in content)], 0)
    assert [len(step.differences) for step in made.steps[1:]] == [0, shell == "false", 0]
    if is_saved:
        made.save(tmp_path / "plan.json")
        made = Plan.read(tmp_path / "plan.json")
        apply.verify(there, made, "lab")
    do(there, made)
    assert plan.compute(there, "lab", items).steps == ()
    deleted = plan.compute(there, "lab", described(tmp_path, "- job: {name: other}\n")).of("delete")
    assert {step.name for step in deleted} == {"new", *content}
    assert jenkins.build("new/deep/build", 1).result == "SUCCESS"
    assert jenkins.jobs() == ["new", "new/deep", "new/deep/build"]


@pytest.mark.parametrize("renames", [{}, {"old": "new"}])
def test_no_content_of_a_perhaps_renamed_folder_is_deleted(
    there: Server, jenkins: Double, tmp_path: Path, renames: dict[str, str]
) -> None:
    """Nor of one whose renaming fails: the builds are in it."""
    do(there, plan.compute(there, "lab", of_folder(tmp_path, "old")))
    jenkins.add_build("old/deep/build", result="SUCCESS")
    made = plan.compute(there, "lab", of_folder(tmp_path, "new"), PlanOptions(renames)).without_guesses()
    jenkins.fault(403, path="doRename", times=FOREVER)
    steps = made.of("rename", "delete")
    assert [
        (one.step.name, bool(one.error)) for one in apply.carry_out(there, steps, lambda *_: None, lambda _: None)
    ] == ([("new", True)] if renames else [])
    assert jenkins.build("old/deep/build", 1).result == "SUCCESS"


def test_rename_by_pattern(there: Server, tmp_path: Path) -> None:
    """A track has another name now, which is in the jobs as well."""
    text = "".join(f"- job: {{name: trunk-{name}-build, builders: [shell: 'on trunk']}}\n" for name in ("a", "b", "c"))
    do(there, plan.compute(there, "lab", described(tmp_path, text)))
    items = described(tmp_path, text.replace("trunk", "sid"))
    made = plan.compute(there, "lab", items, PlanOptions({"trunk-*": "sid-*"}))
    assert [(step.old, step.name) for step in made.of("rename")] == [
        (f"trunk-{name}-build", f"sid-{name}-build") for name in ("a", "b", "c")
    ]
    do(there, made)
    assert plan.compute(there, "lab", items).steps == ()


@pytest.mark.parametrize("old, new", [("gone", "folder/built"), ("folder/build", "other"), ("plain", "folder/built")])
@pytest.mark.usefixtures("applied")
def test_impossible_rename_is_refused(there: Server, tmp_path: Path, old: str, new: str) -> None:
    items = described(tmp_path, JOBS.replace("folder/build", "folder/built"))
    with pytest.raises(ConfigurationError, match="no such pair"):
        plan.compute(there, "lab", items, PlanOptions({old: new}))


@pytest.mark.parametrize(
    "before, after, guesses", [("ab", "c", ()), ("a", "cd", ()), ("ab", "cd", ()), ("a", "c", (("a", "c"),))]
)
def test_ambiguous_rename_is_not_guessed(
    there: Server, tmp_path: Path, before: str, after: str, guesses: tuple[tuple[str, str], ...]
) -> None:
    old, new = (described(tmp_path, "".join(f"- job: {{name: {one}}}\n" for one in names)) for names in (before, after))
    do(there, plan.compute(there, "lab", old))
    made = plan.compute(there, "lab", new)
    assert told(made) == [*(("create", one) for one in after), *(("delete", one) for one in before)]
    assert made.guesses == guesses


@pytest.mark.usefixtures("applied")
def test_part_of_the_jobs(there: Server, tmp_path: Path) -> None:
    text = JOBS.replace("make one", "make 1").replace("H 3", "H 4").replace("'with a blank'", "'with blanks'")
    items = described(tmp_path, text)
    wanted = {
        (): ["folder/build", "plain", "with blanks", "with a blank"],
        ("plain",): ["plain"],
        ("folder/*",): ["folder/build"],
        ("with*", "plain"): ["plain", "with blanks", "with a blank"],
        ("grün",): [],
    }
    for only, names in wanted.items():
        made = plan.compute(there, "lab", items, PlanOptions(only=only))
        assert [step.name for step in made.steps] == names, only
    assert plan.compute(there, "lab", items, PlanOptions(only=("grün",))).unchanged == 1


def test_unreadable_description_stops_no_other_item(there: Server, tmp_path: Path) -> None:
    broken = Item(ItemKey("job", "a"), "<project>\x1b[31m</project>")
    there.create(broken.key, b"<project/>")
    items = [broken, *described(tmp_path, "- job: {name: b}")]
    made = plan.compute(there, "lab", items)
    assert told(made) == [("unreadable", "a"), ("create", "b")]
    assert "job a: stays as it is: as described, Jenkins could not read it" in "\n".join(presentation.plan(made))
    assert made.exit_code == 2
    done = apply.carry_out(there, made.steps, lambda *_: None, lambda _: None)
    assert [(one.step.name, one.error and one.error.exit_code) for one in done] == [("a", 2), ("b", None)]
    assert there.config(broken.key).endswith(b"<project/>")


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("fault, code", [("empty", 3), (500, 3), (403, 2), (404, 3), (504, 3), ("page", 2)])
def test_unreadable_item_stops_no_other_item(
    there: Server, jenkins: Double, tmp_path: Path, fault: Any, code: int
) -> None:
    """Neither apply nor prune touches it."""
    jenkins.fault(fault, method="GET", path="job/plain/config.xml", times=FOREVER)
    items = described(tmp_path, JOBS.replace("make one", "make 1").replace("H 3", "H 4"))
    made = plan.compute(there, "lab", items)
    assert told(made) == [("change", "folder/build"), ("unreadable", "plain")]
    assert made.exit_code == code
    gone = plan.compute(there, "lab", [item for item in items if item.key.name != "plain"])
    assert told(gone) == [("change", "folder/build"), ("unreadable", "plain")]


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("described_too, step", [(True, [("create", "plain")]), (False, [])])
def test_item_deleted_while_a_plan_is_made(
    there: Server,
    jenkins: Double,
    applied: list[Item],
    step: list[tuple[str, str]],
    *,
    described_too: bool,
) -> None:
    """It is made anew, and not counted as described."""
    jenkins.fault("meanwhile", path="job/plain/config.xml", action=lambda: jenkins.delete("plain"))
    items = [item for item in applied if described_too or item.key.name != "plain"]
    made = plan.compute(there, "lab", items)
    assert (told(made), made.unchanged) == (step, 5)


@pytest.mark.parametrize("kind", ["all", "list"])
@pytest.mark.parametrize("name", ["all", "f/All"])
def test_view_that_jenkins_makes_itself_is_named(
    there: Server, jenkins: Double, tmp_path: Path, name: str, kind: str
) -> None:
    """Its creation would be planned, and refused, for ever."""
    text = f"- job: {{name: f, project-type: folder}}\n- view: {{name: {name}, view-type: {kind}}}"
    do(there, plan.compute(there, "lab", described(tmp_path, "- job: {name: f, project-type: folder}")))
    made = plan.compute(there, "lab", described(tmp_path, text))
    assert [(step.action, step.name, step.exit_code) for step in made.steps] == [("unreadable", name, 2)]
    said = f"view {name}: is Jenkins' own view of everything, which the lab does not manage (give the described view another name)"
    assert made.steps[0].problem == said
    assert jenkins.jobs() == ["f"]


@pytest.mark.parametrize("name", ["All", "f/all", "f/ALL"])
def test_view_with_almost_the_name_of_jenkins_own_is_the_labs(
    there: Server, jenkins: Double, tmp_path: Path, name: str
) -> None:
    text = f"- job: {{name: f, project-type: folder}}\n- view: {{name: {name}, view-type: all}}"
    do(there, plan.compute(there, "lab", described(tmp_path, text)))
    for _ in range(2):
        assert plan.compute(there, "lab", described(tmp_path, text)).steps == ()
        jenkins.resave_all()
    do(there, plan.compute(there, "lab", []), "delete")
    assert jenkins.jobs() + jenkins.views() == []


def test_known_digest_does_not_hide_an_edit(
    there: Server, jenkins: Double, tmp_path: Path, applied: list[Item]
) -> None:
    with digests.remembered(there.url, "lab") as known:
        assert plan.compute(there, "lab", applied, PlanOptions(known=known)).steps == ()
    jenkins.edit("folder/build", "make two", "make three")
    with digests.remembered(there.url, "lab") as known:
        assert known.known
        assert told(plan.compute(there, "lab", applied, PlanOptions(known=known))) == [("revert", "folder/build")]


@pytest.mark.parametrize("job, missing", [
    ("wrappers: [timestamps], properties: [promoted-build: {names: [x]}]", ("promoted-builds",)),
    ("project-type: multijob", ("jenkins-multijob-plugin",)),
    ("builders: [multijob: {name: p, projects: [{name: a}]}]", ("jenkins-multijob-plugin",)),
    ("scm: [repo: {manifest-url: /m}]", ("repo",)),
    ("triggers: [github-pull-request: {admin-list: [a]}]", ("ghprb",)),
    ("project-type: multibranch, scm: [github: {repo: r, repo-owner: o}]", ("github-branch-source",)),
    ("builders: [shell: 'true'], parameters: [string: {name: a}]", ()),
])  # fmt: skip
def test_missing_plugins(there: Server, tmp_path: Path, job: str, missing: tuple[str, ...]) -> None:
    made = plan.compute(there, "lab", described(tmp_path, f"- job: {{name: a, {job}}}"))
    assert made.missing_plugins is not None
    assert set(missing) <= set(made.missing_plugins)
    assert bool(missing) is bool(made.missing_plugins)


def test_plan_is_saved_to_a_file(there: Server, tmp_path: Path) -> None:
    made = plan.compute(there, "lab", described(tmp_path))
    made.save(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == made
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("before, after", [
    ("<apiToken>s3cret-one</apiToken>", "<apiToken>s3cret-two</apiToken>"),
    ("<command>curl -u bot:s3cret-one http://x/</command>", "<command>curl -u bot:s3cret-two http://x/ #</command>"),
    ("<a><password>s3cret-one</password></a>", "<b/>"),
    ("<PasswordParameterDefinition><name>X</name><defaultValue>s3cret-one</defaultValue></PasswordParameterDefinition>",
     "<PasswordParameterDefinition><name>X</name><defaultValue>s3cret-two</defaultValue></PasswordParameterDefinition>"),
    ("<note>{AQAAs3cretone=}</note>", "<note>{AQAAs3crettwo=}</note>"),
    ("<x>\nexport A_TOKEN=s3cret-one\n</x>", "<x>\nexport A_TOKEN=s3cret-two\n</x>"),
])  # fmt: skip
def test_plan_shows_no_secret(there: Server, before: str, after: str) -> None:
    key = ItemKey("job", "a")
    do(there, plan.compute(there, "lab", [Item(key, f"<project>{before}</project>")]))
    made = plan.compute(there, "lab", [Item(key, f"<project>{after}</project>")])
    assert len(made.steps) == 1
    told = "\n".join(presentation.plan(made)) + made.as_json() + presentation.steps_json(made.steps)
    assert "s3cret" not in told
    assert "(hidden)" in told
    assert "s3cret" in made.steps[0].xml or "<b/>" in made.steps[0].xml  # it is sent all the same


def test_nested_folders(there: Server, tmp_path: Path) -> None:
    names = ["/".join("abcdefgh"[:depth]) for depth in range(1, 9)]
    text = "".join(f"- job: {{name: {name}, project-type: folder}}\n" for name in names)
    items = described(tmp_path, f"{text}- job: {{name: {names[-1]}/leaf}}\n")
    do(there, plan.compute(there, "lab", items))
    assert plan.compute(there, "lab", items).steps == ()
    made = plan.compute(there, "lab", described(tmp_path, "- job: {name: other}"))
    assert len(made.of("delete")) == 9
    do(there, made, "delete")
    assert [key.name for key in there.listing()] == []
