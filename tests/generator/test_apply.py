"""Carrying plans out while the server fails in every way: nothing is lost, all is told, the next one converges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator import apply, plan
from generator.apply import Done, Moved
from generator.items import Item, ItemKey
from generator.plan import PlanOptions
from generator.server import Server
from generator.steps import Plan
from lab.base.errors import ConfigurationError, LabError
from lab.config.access import Access
from tests.generator.conftest import JOBS, described
from tests.generator.test_plan import do, told
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER, Kind

CHANGED = JOBS.replace("make one", "make 1").replace("plain", "plainer").replace("regex: '.*'", "regex: 'b.*'")


RENAMED = PlanOptions({"plain": "plainer"})


def attempt(there: Server, items: list[Item], kept: dict[ItemKey, bytes]) -> list[Done] | LabError:
    """An apply as a user starts it, by one worker, so that the n-th request is always the same one."""
    try:
        steps = plan.compute(there, "lab", items, RENAMED).of("create", "change", "revert", "rename")
        return apply.carry_out(there, steps, kept.__setitem__, lambda _: None, workers=1)
    except LabError as error:
        return error


def requests_of_an_apply(tmp_path: Path) -> int:
    with Double() as jenkins:
        there = Server(Access(jenkins.url, "admin", "secret", timeout=60.0))
        do(there, plan.compute(there, "lab", described(tmp_path)))
        before = len(jenkins.requests)
        attempt(there, described(tmp_path, CHANGED), {})
        return len(jenkins.requests) - before


FAULTS: dict[str, tuple[int | Kind, int]] = {
    "500 once": (500, 1),
    "503 for ever": (503, FOREVER),
    "403": (403, 1),
    "reset before the work": ("reset", 1),
    "a lost answer after the work": ("lost", 1),
    "lost answers for ever": ("lost", FOREVER),
    "no answer": ("silence", 1),
    "crumb not taken": ("crumb", 1),
    "slow": ("slow", 1),
}


@pytest.mark.integration
@pytest.mark.parametrize("fault", FAULTS)
def test_apply_survives_a_fault_at_each_request(jenkins: Double, tmp_path: Path, fault: str) -> None:
    """Whatever fails where: what is told as done is done, what was there is kept, and the next apply converges."""
    first, second = described(tmp_path), described(tmp_path, CHANGED)
    kind, times = FAULTS[fault]
    for number in range(1, requests_of_an_apply(tmp_path) + 1):
        jenkins.wipe()
        there = Server(Access(jenkins.url, "admin", "secret", timeout=60.0))
        impatient = Server(Access(jenkins.url, "admin", "secret", timeout=0.4 if kind == "silence" else 60.0))
        do(there, plan.compute(there, "lab", first))
        jenkins.add_build("plain", result="SUCCESS")
        jenkins.fault(kind, at=number, times=times, seconds=0.1)
        kept: dict[ItemKey, bytes] = {}
        results = attempt(impatient, second, kept)
        jenkins.heal()
        after = plan.compute(there, "lab", second, RENAMED)
        if isinstance(results, list):
            done = {one.step.name for one in results if not one.error}
            assert not done & {step.name for step in after.steps}, (number, fault)
            assert all(str(one.error) for one in results if one.error)
        do(there, after)
        assert plan.compute(there, "lab", second).steps == (), (number, fault)
        names = sorted(jenkins.jobs())
        assert names == ["folder", "folder/build", "grün", "plainer", "with a blank"], (number, fault)
        assert jenkins.build("plainer", 1).result == "SUCCESS", (number, fault)


def test_lost_answer_does_not_repeat_the_write(jenkins: Double, there: Server, tmp_path: Path) -> None:
    jenkins.fault("lost", path="createItem")
    do(there, plan.compute(there, "lab", described(tmp_path, "- job: {name: a}")))
    assert [request.path for request in jenkins.writes()] == ["/createItem?name=a"]


@pytest.mark.parametrize("path", ["createItem", "createView", "job/plain/config.xml", "doRename", "doDelete"])
def test_success_without_the_work_is_an_error(jenkins: Double, there: Server, tmp_path: Path, path: str) -> None:
    """Something before Jenkins answers a write with 200, as Jenkins does, and Jenkins never sees it."""
    if not path.startswith("create"):
        do(there, plan.compute(there, "lab", described(tmp_path)))
    renamed, changed = JOBS.replace("folder/build", "folder/built"), JOBS.replace("H 3", "H 4")
    text = {"job/plain/config.xml": changed, "doDelete": changed.replace("plain", "other")}.get(path, renamed)
    renames = {"folder/build": "folder/built"} if path == "doRename" else {}
    jenkins.fault("empty", method="POST", path=path, times=FOREVER)
    made = plan.compute(there, "lab", described(tmp_path, text), PlanOptions(renames))
    steps = made.of("delete") if path == "doDelete" else made.of("create", "change", "rename")
    results = apply.carry_out(there, steps, lambda *_: None, lambda _: None)
    errors = [one.error for one in results if one.error]
    assert errors
    assert {error.exit_code for error in errors} == {3}


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("folder/build", "make one", "make 1"),
        ("plain", "H 3 * * *", "H 5 * * *"),
        ("grün", "<disabled>true", "<disabled>false"),
    ],
)
def test_revert_that_changed_nothing_is_an_error(  # noqa: PLR0917 - a table and its fixtures
    jenkins: Double, there: Server, tmp_path: Path, name: str, old: str, new: str
) -> None:
    """The mark of an item that was edited by hand is the wanted one already, and proves nothing."""
    items = described(tmp_path)
    do(there, plan.compute(there, "lab", items))
    jenkins.edit(name, old, new)
    jenkins.fault("empty", method="POST", path="config.xml", times=FOREVER)
    made = plan.compute(there, "lab", items)
    assert told(made) == [("revert", name)]
    (done,) = apply.carry_out(there, made.steps, lambda *_: None, lambda _: None)
    assert done.error
    assert done.error.exit_code == 3
    assert "answered with success, and changed nothing" in str(done.error)


def test_replaced_job_stays_until_the_new_one_is_there(jenkins: Double, there: Server, tmp_path: Path) -> None:
    """A POST that something in front of Jenkins answers with 200 has created nothing, and nothing may be deleted for it."""
    do(there, plan.compute(there, "lab", described(tmp_path, "- job: {name: a}")))
    jenkins.add_build("a", result="SUCCESS")
    made = plan.compute(
        there,
        "lab",
        described(tmp_path, "- job: {name: a, project-type: pipeline, dsl: sleep 1}"),
        PlanOptions(replaced=["a"]),
    )
    jenkins.fault("empty", method="POST", path="createItem", times=FOREVER)
    (done,) = apply.carry_out(there, made.of("replace"), lambda *_: None, lambda _: None)
    assert "the change is not there" in str(done.error)
    assert jenkins.build("a", 1).result == "SUCCESS"
    jenkins.heal()
    (done,) = apply.carry_out(there, made.of("replace"), lambda *_: None, lambda _: None)
    assert not done.error
    assert jenkins.jobs() == ["a"]


@pytest.mark.parametrize("deleted", [True, False])
def test_replaced_job_that_answers_404(jenkins: Double, there: Server, tmp_path: Path, *, deleted: bool) -> None:
    """Somebody has deleted it meanwhile, or a proxy says so."""
    do(there, plan.compute(there, "lab", described(tmp_path, "- job: {name: a}")))
    jenkins.add_build("a", result="SUCCESS")
    items = described(tmp_path, "- job: {name: a, project-type: pipeline, dsl: sleep 1}")
    steps = plan.compute(there, "lab", items, PlanOptions(replaced=["a"])).of("replace")
    if deleted:
        jenkins.fault("meanwhile", path="doDelete", action=lambda: jenkins.delete("a"))
    else:
        jenkins.fault(404, path="doDelete")
    (done,) = apply.carry_out(there, steps, lambda *_: None, lambda _: None)
    assert (done.error is None) is deleted
    assert ("flow-definition" in jenkins.config("a")) is deleted
    assert deleted or jenkins.build("a", 1)


@pytest.mark.parametrize(
    "kind, at", [(403, "doRename"), (404, "doRename"), ("empty", "doRename"), (401, "doDelete"), ("page", "doDelete")]
)
def test_replacement_that_is_cut_short_names_the_new_job(
    jenkins: Double, there: Server, tmp_path: Path, kind: Kind | int, at: str
) -> None:
    do(there, plan.compute(there, "lab", described(tmp_path, "- job: {name: a}")))
    items = described(tmp_path, "- job: {name: a, project-type: pipeline, dsl: sleep 1}")
    chosen = PlanOptions(replaced=["a"])
    jenkins.fault(kind, path=at)
    (done,) = apply.carry_out(
        there, plan.compute(there, "lab", items, chosen).of("replace"), lambda *_: None, lambda _: None
    )
    assert done.error
    assert ("job a.qalab-new" in str(done.error)) is (kind != "empty")
    for action in ("replace", "create", "delete"):
        do(there, plan.compute(there, "lab", items, chosen), action)
    assert jenkins.jobs() == ["a"]
    assert "flow-definition" in jenkins.config("a")


def test_failed_step_does_not_stop_others(jenkins: Double, there: Server, tmp_path: Path) -> None:
    jenkins.fault(500, path="createItem.name=plain", times=FOREVER)
    steps = plan.compute(there, "lab", described(tmp_path)).of("create")
    heard: list[Done] = []
    results = apply.carry_out(there, steps, lambda *_: None, heard.append)
    assert [one.step.name for one in results if one.error] == ["plain"]
    assert {one.step.name for one in heard} == {step.name for step in steps}
    assert "answers 500" in str(next(one.error for one in results if one.error))
    assert told(plan.compute(there, "lab", described(tmp_path))) == [("create", "plain")]


def test_unreadable_item_does_not_stop_others(there: Server, jenkins: Double, tmp_path: Path) -> None:
    """Somebody made an item of the name meanwhile, and its config.xml is no XML."""
    made = plan.compute(there, "lab", described(tmp_path, "- job: {name: a}\n- job: {name: b}"))
    jenkins.create("a", "<project/>")
    jenkins.fault("empty", method="GET", path="job/a/config.xml", times=FOREVER)
    done = apply.carry_out(there, made.steps, lambda *_: None, lambda _: None, workers=1)
    assert [(one.step.name, bool(one.error)) for one in done] == [("a", True), ("b", False)]
    assert "already exists" in str(done[0].error)


def test_missing_folder_is_named(there: Server, tmp_path: Path) -> None:
    steps = plan.compute(there, "lab", described(tmp_path, "- job: {name: gone/a}")).steps
    (done,) = apply.carry_out(there, steps, lambda *_: None, lambda _: None)
    said = "job gone/a: the folder gone does not exist (describe it, or let an administrator create it)"
    assert (str(done.error), done.error and done.error.exit_code) == (said, 2)


def test_unmanaged_item_is_reported(jenkins: Double, there: Server, tmp_path: Path) -> None:
    there.create(ItemKey("job", "plain"), b"<project/>")
    (result,) = [
        one
        for one in apply.carry_out(there, plan.compute(there, "lab", described(tmp_path)).steps,
                                   lambda *_: None, lambda _: None)
        if one.error
    ]  # fmt: skip
    assert "qalab jenkins adopt plain" in str(result.error)
    assert there.config(ItemKey("job", "plain")).endswith(b"<project/>") or b"Managed" not in there.config(
        ItemKey("job", "plain")
    )


@pytest.fixture
def saved(jenkins: Double, there: Server, tmp_path: Path) -> Plan:
    """A plan to change, to rename and to delete."""
    do(there, plan.compute(there, "lab", described(tmp_path)))
    return plan.compute(there, "lab", described(tmp_path, CHANGED + "- job: {name: new}\n"), RENAMED)


def test_saved_plan_is_valid_while_server_is_unchanged(jenkins: Double, there: Server, saved: Plan) -> None:
    jenkins.resave_all()
    apply.verify(there, saved, "lab")
    do(there, saved)


MOVES = {
    "edited": lambda jenkins, _: jenkins.edit("folder/build", "make one", "make 7"),
    "deleted": lambda _, there: there.delete(ItemKey("job", "folder/build")),
    "renamed one edited": lambda jenkins, _: jenkins.edit("plain", "H 3", "H 4"),
    "created": lambda _, there: there.create(ItemKey("job", "new"), b"<project/>"),
    "view edited": lambda _, there: there.update(ItemKey("view", "lab"), b"<hudson.model.ListView><name>lab</name>"
                                                       b"<includeRegex>x</includeRegex></hudson.model.ListView>"),
}  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
def test_stale_plan_is_refused(jenkins: Double, there: Server, saved: Plan, move: str) -> None:
    MOVES[move](jenkins, there)
    before = len(jenkins.writes())
    with pytest.raises(Moved, match=r"since the plan was made|by now"):
        apply.verify(there, saved, "lab")
    assert len(jenkins.writes()) == before


@pytest.mark.parametrize("fault, code", [("empty", 3), (500, 3), (403, 2), (504, 3)])
def test_saved_plan_leaves_out_what_cannot_be_read_now(
    jenkins: Double, there: Server, saved: Plan, fault: Any, code: int
) -> None:
    jenkins.fault(fault, method="GET", path="job/folder/job/build/config.xml", times=FOREVER)
    apply.verify(there, saved, "lab")
    done = apply.carry_out(there, saved.steps, lambda *_: None, lambda _: None)
    assert [(one.step.name, one.error.exit_code) for one in done if one.error] == [("folder/build", code)]
    assert len(done) > 2


def test_plan_of_another_owner_is_refused(there: Server, saved: Plan) -> None:
    with pytest.raises(ConfigurationError, match="the plan is for lab on"):
        apply.verify(there, saved, "other")


def test_item_changed_after_the_plan_is_not_overwritten(jenkins: Double, there: Server, saved: Plan) -> None:
    """Also where nobody saved the plan: there are minutes between a question and a yes."""
    jenkins.edit("folder/build", "make one", "make 7")
    kept: dict[ItemKey, bytes] = {}
    results = apply.carry_out(there, saved.of("change"), kept.__setitem__, lambda _: None)
    failed = [one for one in results if one.error]
    assert [one.step.name for one in failed] == ["folder/build"]
    assert isinstance(failed[0].error, Moved)
    assert b"make 7" in there.config(ItemKey("job", "folder/build"))
    assert set(kept) == {ItemKey("view", "lab")}


def test_overwritten_config_is_kept(jenkins: Double, there: Server, saved: Plan) -> None:
    before = {step.there: there.config(step.there) for step in saved.of("change", "rename")}
    kept: dict[ItemKey, bytes] = {}
    apply.carry_out(there, saved.of("change", "rename"), kept.__setitem__, lambda _: None)
    assert kept == before
