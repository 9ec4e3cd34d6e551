"""``qalab jenkins trigger``: a build for each commit, with the Jenkins double, which also has the tested commits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.config.jenkins import Connection
from lab.store.records import RunInputs
from scripts.pockets import proposed
from tests.archives import served
from tests.cli.conftest import LAB
from tests.conftest import GitRepository, packaging_files
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER, Kind
from tests.scripts.pockets.test_selection import pocket

PARAMETERS = ("COMMIT", "CAUSE", "PACKAGING", "TESTING", "REASON", "INPUTS")
STRING = (
    "<hudson.model.StringParameterDefinition><name>{}</name><defaultValue/></hudson.model.StringParameterDefinition>"
)
JOB = (
    "<project><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions>"
    f"{''.join(map(STRING.format, PARAMETERS))}"
    "</parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties></project>"
)
BUILD = "trunk-greet-build"
IMPORT = "trunk-greet-archive"


def record(verdict: str) -> dict[str, Any]:
    """Return the artifacts of a build whose last step has a verdict."""
    first, last = ({"verdict": one} for one in ("passed", verdict))
    return {"results/02-packaging.json": json.dumps(last).encode(), "results/01-snapshot.json": json.dumps(first).encode(),
            "results/native/99-x.json": b"", "run.json": b"{}"}  # fmt: skip


class Place:
    """A lab with a Jenkins, an upstream and a packaging, and the command."""

    def __init__(
        self, call: Callable[..., tuple[int, str]], jenkins: Double, upstream: GitRepository, packaging: GitRepository
    ) -> None:
        self.call, self.jenkins, self.upstream, self.packaging = call, jenkins, upstream, packaging

    def trigger(self, *options: str, code: int = 0) -> str:
        status, said = self.call("trigger", "trunk", *options)
        assert status == code, said
        return said

    def queued(self) -> list[dict[str, Any]]:
        """Return the parameters of the builds that wait."""
        waiting = [each for each in self.jenkins._state.queue.values() if each.waiting]
        return [{one.name: one.value for one in each.parameters} for each in waiting]

    def run_all(
        self, result: str | None = "SUCCESS", artifacts: dict[str, bytes] | None = None
    ) -> list[tuple[str, str]]:
        """Run what waits; return the commit and the cause of each.  Without ``artifacts``, its failure is upstream's."""
        state = self.jenkins._state
        started = [self.jenkins.start(each.id, result=result) for each in [*state.queue.values()] if each.waiting]
        for build in started:
            build.artifacts = record("failed") if artifacts is None else artifacts
        values: list[Mapping[str, Any]] = [{one.name: one.value for one in build.parameters} for build in started]
        return [(each["COMMIT"], each["CAUSE"]) for each in values]


@pytest.fixture
def place(
    call: Callable[..., tuple[int, str]],
    jenkins: Double,
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
) -> Place:
    upstream, packaging = git_repository("greet"), git_repository("packaging")
    for number in range(3):
        upstream.commit(f"Commit {number}", {"greet.txt": f"{number}\n"})
    packaging.commit("Package it", packaging_files())
    component = {"upstream": {"git": str(upstream.path)}, "packaging": {"git": str(packaging.path)}}
    lab = {**LAB, "components": {"greet": component}, "jenkins": {"url": jenkins.url}}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    jenkins.create(BUILD, JOB)
    return Place(call, jenkins, upstream, packaging)


@pytest.mark.integration
def test_trigger_builds_each_commit_of_a_push_once(place: Place) -> None:
    heads, packaged = place.upstream.heads, place.packaging.heads[0]
    assert place.trigger() == f"greet: upstream commit, commit {heads[2][:7]}\n"  # the first time, the tip
    [queued] = place.queued()
    assert RunInputs.model_validate_json(queued.pop("INPUTS")).settings.keys() == {"packaging", "series", "upstream"}
    assert queued == {
        "COMMIT": heads[2],
        "CAUSE": "upstream commit",
        "PACKAGING": packaged,
        "TESTING": "",
        "REASON": "",
    }
    assert place.trigger() == "trunk: nothing new\n"  # it waits
    place.run_all(None)
    assert place.trigger() == "trunk: nothing new\n"  # it runs
    new = [place.upstream.commit(f"Commit {number}") for number in range(3, 6)]
    assert place.trigger("--dry-run").count("(not started)\n") == 3
    assert place.queued() == []
    place.trigger()
    assert place.run_all() == [(commit, "upstream commit") for commit in new]
    assert place.trigger() == "trunk: nothing new\n"


@pytest.mark.integration
@pytest.mark.parametrize("gap", [1, 2, 3, 4, 5])
def test_trigger_starts_no_build_twice(place: Place, gap: int) -> None:
    """A build that starts is neither in the queue nor among the builds; so is one that another call starts meanwhile."""
    place.trigger()
    place.jenkins.run = lambda build: setattr(build, "result", None)
    [queued] = place.jenkins._state.queue.values()
    queued.starting = gap
    tip = place.upstream.heads[-1][:7]
    said = "trunk: nothing new" if gap < 3 else f"greet: upstream commit, commit {tip} (started meanwhile)"
    assert place.trigger() == f"{said}\n"
    assert (len(place.jenkins._state.item(BUILD).builds), place.queued()) == (1, [])


@pytest.mark.integration
def test_trigger_builds_commits_before_manual_build(place: Place) -> None:
    place.trigger()
    place.run_all()
    between, tip = place.upstream.commit("Commit 3"), place.upstream.commit("Commit 4")
    place.jenkins.add_build(BUILD, parameters={**dict.fromkeys(PARAMETERS, ""), "COMMIT": tip})
    place.trigger()
    assert place.run_all() == [(between, "upstream commit")]
    assert place.trigger() == "trunk: nothing new\n"


@pytest.mark.integration
@pytest.mark.parametrize(
    "result, artifacts, builds",
    [
        ("SUCCESS", {}, 1),
        ("UNSTABLE", {}, 1),
        ("ABORTED", {}, 3),
        ("NOT_BUILT", {}, 3),
        ("FAILURE", record("failed"), 1),  # upstream's fault
        ("FAILURE", {}, 3),  # lost with its agent, or in a restart of Jenkins
        ("FAILURE", record("error"), 3),
        ("FAILURE", record("aborted"), 3),
        ("FAILURE", record("running"), 3),
        ("FAILURE", record("passed"), 3),  # something after the last step
        ("FAILURE", {"results/01-snapshot.json": b"["}, 3),
        ("FAILURE", {"results/01-snapshot.json": b"[]"}, 3),
    ],
)
def test_trigger_repeats_what_is_no_verdict_with_limit(
    place: Place, result: str, artifacts: dict[str, bytes], builds: int
) -> None:
    started = 0
    for _ in range(5):
        place.trigger()
        started += len(place.run_all(result, artifacts))
    assert started == builds


@pytest.mark.integration
def test_trigger_builds_what_a_person_asks_for(place: Place) -> None:
    heads = place.upstream.heads
    place.trigger()
    place.run_all()
    for options, commit in (
        (("greet",), heads[2]),
        (("--all",), heads[2]),
        (("greet", "--commit", heads[0][:8]), heads[0]),
        (("greet", "--commit", "main"), heads[2]),
    ):
        assert place.trigger(*options, "--dry-run") == f"greet: by hand, commit {commit[:7]} (not started)\n"
        place.trigger(*options)
        assert place.run_all() == [(commit, "by hand")]
    assert place.trigger() == "trunk: nothing new\n"


@pytest.mark.parametrize(
    "options, message",
    [
        (("gret",), "no component gret in trunk; known: greet"),
        (("greet", "--commit", "abcdef1"), "no commit abcdef1"),
        (("--commit", "abcdef1"), "--commit is of one COMPONENT"),
        (("greet", "--all"), "--all of no COMPONENT"),
    ],
)
def test_trigger_refuses_what_it_cannot_build(place: Place, options: tuple[str, ...], message: str) -> None:
    assert message in place.trigger(*options, code=2)
    assert place.queued() == []


@pytest.mark.integration
@pytest.mark.parametrize("hours, again", [(1, 1), (30, 0)])
def test_trigger_believes_in_no_loss_of_what_jenkins_has_discarded(place: Place, hours: int, again: int) -> None:
    """Jenkins deletes the records of a failed build some days later."""
    place.trigger()
    place.run_all("FAILURE", {})
    for build in place.jenkins._state.item(BUILD).builds.values():
        build.timestamp -= hours * 3_600_000
    place.trigger()
    assert len(place.queued()) == again


@pytest.mark.integration
@pytest.mark.parametrize(
    "path, kind, code, builds",
    [
        ("artifact/results", 502, 3, 0),
        ("artifact/results", "page", 2, 0),
        ("tree=artifacts", "page", 2, 0),
        ("tree=artifacts", 404, 0, 0),  # deleted meanwhile
        ("artifact/results", 403, 0, 0),
        ("artifact/results", "empty", 0, 1),  # damaged: the lab's fault, with a limit
    ],
)
def test_trigger_does_not_guess_whose_fault_it_was(
    place: Place, path: str, kind: int | Kind, code: int, builds: int
) -> None:
    place.trigger()
    place.run_all("FAILURE")
    place.jenkins.fault(kind, path=path, times=FOREVER)
    place.trigger(code=code)
    assert len(place.queued()) == builds


@pytest.mark.integration
def test_trigger_builds_tip_for_packaging_commit(place: Place) -> None:
    place.trigger()
    place.run_all()
    place.packaging.commit("The lab pushes", {"debian/changelog": "more"})
    assert place.trigger() == "trunk: nothing new\n"
    place.packaging.commit("Fix it", {"debian/rules": "#!/usr/bin/make -f\n# fixed\n%:\n\tdh $@\n"})
    place.trigger()
    assert place.run_all("FAILURE") == [(place.upstream.heads[-1], "packaging commit")]
    assert place.trigger() == "trunk: nothing new\n"


@pytest.mark.integration
def test_trigger_builds_new_commits_after_force_push(place: Place) -> None:
    place.trigger()
    place.run_all()
    place.upstream.git("reset", "--quiet", "--hard", place.upstream.heads[0])
    new = [place.upstream.commit(f"Other {number}", {"greet.txt": f"other {number}\n"}) for number in range(2)]
    place.trigger()
    assert place.run_all() == [(commit, "upstream commit") for commit in new]


@pytest.mark.integration
@pytest.mark.parametrize(
    "result, then", [("SUCCESS", "user: upstream commit"), ("FAILURE", "user: not started: lib failed or waits\n")]
)
def test_trigger_follows_build_dependencies(
    place: Place, git_repository: Callable[..., GitRepository], tmp_path: Path, result: str, then: str
) -> None:
    lab = yaml.safe_load((tmp_path / "lab.yaml").read_text())
    for name, needed in (("user", ", lib"), ("lib", "")):
        files = packaging_files(name)
        files["debian/control"] = files["debian/control"].replace("compat (= 13)", f"compat (= 13){needed}")
        packaging = git_repository(f"packaging-{name}")
        packaging.commit("Package it", files)
        lab["components"][name] = {
            "upstream": {"git": str(place.upstream.path)}, "packaging": {"git": str(packaging.path)}
        }  # fmt: skip
        place.jenkins.create(f"trunk-{name}-build", JOB)
    del lab["components"]["greet"]
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab, sort_keys=False))
    waits = "user: waits for lib\n"
    assert place.trigger() == f"lib: upstream commit, commit {place.upstream.heads[-1][:7]}\n{waits}"
    assert place.trigger() == waits  # it is in the queue
    place.run_all(None)
    assert place.trigger() == waits  # it runs
    place.jenkins.build("trunk-lib-build", 1).result = result
    assert place.trigger().startswith(then)


@pytest.fixture
def apart(place: Place, tmp_path: Path) -> Iterator[Place]:
    """A lab whose archive is on a machine of its own; one commit was built."""
    lab = yaml.safe_load((tmp_path / "lab.yaml").read_text())
    lab["jenkins"] |= {"build_agent": "build", "archive_agent": "vault", "lab_agent": "vault", "deploy_agent": "deploy"}
    place.jenkins.create(IMPORT, JOB.replace("CAUSE", "RUN").replace("REASON", "RUN_URL"))
    (tmp_path / "archive").mkdir()
    with served(tmp_path / "archive") as url:
        lab["archive"] = {"url": url}
        (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab, sort_keys=False))
        place.trigger()
        place.run_all()
        yield place


def handed_over(run: int, commit: str = "c") -> dict[str, str]:
    return {"RUN": str(run), "RUN_URL": f"https://jenkins.lab.example/job/{BUILD}/{run}/", "COMMIT": commit}


@pytest.mark.integration
@pytest.mark.parametrize(
    "result, tries", [("SUCCESS", 1), ("UNSTABLE", 1), ("FAILURE", 3), ("ABORTED", 3), ("NOT_BUILT", 3)]
)
def test_trigger_repeats_failed_import_with_limit(apart: Place, result: str, tries: int) -> None:
    """A build that passed and is not in the archive is imported again, with the same parameters."""
    for name, ended in (("6", "SUCCESS"), ("7", result), ("8", "SUCCESS")):
        apart.jenkins.add_build(IMPORT, parameters=handed_over(int(name)), result=ended)
    told = []
    for _ in range(4):
        told.append(apart.trigger())
        for waiting in apart.queued():
            assert {name: waiting[name] for name in handed_over(7)} == handed_over(7)
            assert "nothing new" in apart.trigger()  # it waits
        for each in [*apart.jenkins._state.queue.values()]:
            if each.waiting:
                apart.jenkins.start(each.id, result=result)
    assert told == ["greet: build 7 is imported again\n"] * (tries - 1) + ["trunk: nothing new\n"] * (5 - tries)


@pytest.mark.integration
@pytest.mark.parametrize(
    "result, minutes, known, imports",
    [
        ("SUCCESS", 30, 0, 1),
        ("UNSTABLE", 30, 0, 1),
        ("FAILURE", 30, 0, 0),
        ("SUCCESS", 30, 1, 0),
        ("SUCCESS", 1, 0, 0),  # Jenkins is about to start it
        ("SUCCESS", 30 * 60, 0, 0),
    ],
)
def test_trigger_imports_what_jenkins_lost_from_its_queue(
    apart: Place, result: str, minutes: int, known: int, imports: int
) -> None:
    [build] = apart.jenkins._state.item(BUILD).builds.values()
    build.result, build.timestamp = result, build.timestamp - minutes * 60_000
    build.artifacts = record("failed")
    for number in range(known):
        apart.jenkins.add_build(IMPORT, parameters=handed_over(number + 1))
    assert ("greet: build 1 is imported again\n" in apart.trigger()) == bool(imports)
    url, commit = f"{apart.jenkins.url}job/{BUILD}/1/", apart.upstream.heads[-1]
    found = [{name: one.get(name) for name in handed_over(1)} for one in apart.queued()]
    assert found == [{"RUN": "1", "RUN_URL": url, "COMMIT": commit}] * imports
    assert apart.trigger() == "trunk: nothing new\n"


@pytest.mark.integration
def test_trigger_waits_for_import_of_build_dependency(
    apart: Place, git_repository: Callable[..., GitRepository], tmp_path: Path
) -> None:
    """A component is built once what it build-depends on is in the archive, and not already once it is built."""
    lab = yaml.safe_load((tmp_path / "lab.yaml").read_text())
    files = packaging_files("user")
    files["debian/control"] = files["debian/control"].replace("compat (= 13)", "compat (= 13), greet")
    packaging = git_repository("packaging-user")
    packaging.commit("Package it", files)
    lab["components"]["user"] = {
        "upstream": {"git": str(apart.upstream.path)}, "packaging": {"git": str(packaging.path)}
    }  # fmt: skip
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    for suffix in ("build", "archive"):
        apart.jenkins.create(f"trunk-user-{suffix}", JOB)
    running = apart.jenkins.add_build(IMPORT, parameters=handed_over(1), result=None)
    assert apart.trigger() == "user: waits for greet\n"
    running.result = "FAILURE"
    assert apart.trigger() == "greet: build 1 is imported again\nuser: waits for greet\n"
    apart.jenkins.start(max(apart.jenkins._state.queue), result="SUCCESS")
    assert apart.trigger().startswith("user: upstream commit")


def test_trigger_ignores_manual_builds_without_commit(place: Place) -> None:
    place.jenkins.add_build(BUILD, parameters=dict.fromkeys(PARAMETERS, ""))
    place.jenkins.add_build(BUILD)
    assert "upstream commit" in place.trigger()


def test_trigger_starts_one_build_after_lost_answer(place: Place) -> None:
    place.jenkins.fault("lost", method="POST", path="buildWithParameters")
    place.trigger()
    assert len(place.queued()) == 1


@pytest.mark.integration
@pytest.mark.parametrize("fault", ["reset", "lost", 502])
def test_trigger_repeats_aborted_build_whose_request_failed(place: Place, fault: int | Kind) -> None:
    """The aborted build has the same parameters, and is no proof that the new one was started."""
    place.trigger()
    place.run_all("ABORTED")
    place.jenkins.fault(fault, method="POST", path="buildWithParameters")
    assert "upstream commit" in place.trigger()
    assert len(place.queued()) == 1


@pytest.mark.integration
@pytest.mark.parametrize("options", [(), ("greet",), ("--all",)])
@pytest.mark.parametrize(
    "old, new, code, message",
    [
        ("<name>COMMIT<", "<name>REVISION<", 2, f"{BUILD}: has no parameter COMMIT, so the build would be another one"),
        ("<project><properties>.*</properties>", "<project>", 2, f"{BUILD}: has no parameter COMMIT"),
        ("<project>", "<project><disabled>true</disabled>", 2, f"{BUILD}: is disabled"),
        (
            "<project>",
            "<project><description>&lt;!-- Managed by qalab: lab=other --&gt;</description>",
            2,
            f"{BUILD}: is the lab other's",
        ),
        (
            "<project>",
            "<project><description>&lt;!-- Managed by qalab: lab=testlab item=trunk-hail-build --&gt;</description>",
            2,
            f"{BUILD}: is a copy of trunk-hail-build",
        ),
        ("<project>.*</project>", "", 3, "nothing there: GET job/trunk-greet-build/api/json (qalab jenkins apply"),
    ],
)
def test_trigger_refuses_job_that_would_build_something_else(
    place: Place, options: tuple[str, ...], *, old: str, new: str, code: int, message: str
) -> None:
    """Jenkins ignores a parameter that the job does not have, and builds the tip; the watch would start it for ever."""
    place.jenkins.delete(BUILD)
    if job := re.sub(old, new, JOB):
        place.jenkins.create(BUILD, job)
    said = place.trigger(*options, code=code)
    assert (message in said, said.count("\n")) == (True, 1), said
    assert place.queued() == []


@pytest.mark.parametrize("options", [("greet", "--commit", ""), ("--commit", "")])
def test_trigger_refuses_empty_commit(place: Place, options: tuple[str, ...]) -> None:
    """A variable without a value is no wish for the tip."""
    assert "--commit" in place.trigger(*options, code=2)
    assert place.queued() == []


def test_trigger_starts_one_build_of_a_component_that_is_named_twice(place: Place) -> None:
    assert place.trigger("greet", "greet").count("by hand") == 1
    assert len(place.queued()) == 1


@pytest.mark.integration
@pytest.mark.parametrize("running, faults, code", [(True, 1, 0), (True, FOREVER, 3), (False, FOREVER, 0)])
def test_trigger_is_not_started_by_a_running_build(place: Place, *, running: bool, faults: int, code: int) -> None:
    """A build that runs was started before; a waiting one with the same parameters is the one that is asked for."""
    place.trigger("greet")
    if running:
        place.run_all(None)
    place.jenkins.fault(502, method="POST", path="buildWithParameters", times=faults)
    place.trigger("greet", code=code)
    assert len(place.queued()) == (code == 0)


@pytest.mark.integration
@pytest.mark.parametrize("fault", ["empty", "page", 200, 202])
def test_trigger_tells_no_start_that_did_not_happen(place: Place, fault: int | Kind) -> None:
    """Jenkins answers 201; another success is that of something in front of it."""
    place.jenkins.fault(fault, method="POST", path="buildWithParameters")
    said = place.trigger(code=2)
    assert f"answers POST job/{BUILD}/buildWithParameters with " in said
    assert "upstream commit" not in said
    assert place.queued() == []
    assert "upstream commit" in place.trigger()
    assert len(place.queued()) == 1


@pytest.mark.integration
def test_trigger_behind_a_redirect_names_it(place: Place) -> None:
    place.trigger()
    place.run_all("ABORTED")
    place.jenkins.moved(f"/job/{BUILD}/buildWithParameters", 302, f"{place.jenkins.url}elsewhere")
    assert f"redirects POST job/{BUILD}/buildWithParameters to" in place.trigger(code=2)
    assert place.queued() == []


def test_trigger_continues_after_failed_component(place: Place, tmp_path: Path) -> None:
    lab = yaml.safe_load((tmp_path / "lab.yaml").read_text())
    lab["components"] = {"broken": {**LAB["components"]["greet"]}, **lab["components"]}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    place.jenkins.create("trunk-broken-build", JOB)
    said = place.trigger(code=3)
    assert "greet: upstream commit" in said
    assert "/nowhere: cannot be fetched" in said


@pytest.mark.integration
def test_build_that_cannot_be_started_stops_no_other_component(
    place: Place, git_repository: Callable[..., GitRepository], tmp_path: Path
) -> None:
    lab = yaml.safe_load((tmp_path / "lab.yaml").read_text())
    packaging = git_repository("packaging-also")
    packaging.commit("Package it", packaging_files("also"))
    lab["components"]["also"] = {
        "upstream": {"git": str(place.upstream.path)}, "packaging": {"git": str(packaging.path)}
    }  # fmt: skip
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    place.jenkins.create("trunk-also-build", JOB)
    place.trigger()
    place.run_all()
    new = [place.upstream.commit(f"Commit {number}") for number in range(3, 5)]
    refused = place.jenkins.fault(403, method="POST", path="trunk-also-build/buildWithParameters", times=FOREVER)
    said = place.trigger(code=2)
    assert said.count("admin may not POST job/trunk-also-build/buildWithParameters") == 1
    assert [name for name, _ in place.run_all()] == new  # those of greet
    assert refused.seen == 1  # the builds of a job keep their order
    place.jenkins.heal()
    place.trigger()
    assert [name for name, _ in place.run_all()] == new


@pytest.mark.parametrize(
    "change, message",
    [
        ({"tracks": {"other": {"series": "bookworm"}}}, "no track trunk; known: other"),
        ({"jenkins": None}, "jenkins: missing"),
    ],
)
def test_trigger_refuses_bad_settings(place: Place, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    lab = yaml.safe_load((tmp_path / "lab.yaml").read_text()) | change
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump({key: value for key, value in lab.items() if value}))
    assert message in place.trigger(code=2)


@pytest.mark.integration
def test_trigger_tests_a_pocket_one_content_after_the_other(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lab = yaml.safe_load((tmp_path / "lab.yaml").read_text())
    lab["components"]["other"] = lab["components"]["greet"]
    lab["tracks"]["trunk"] |= {"trigger": "proposed", "phases": ["deploy", "exercise"]}
    lab["series"]["bookworm"] = {"mirror": "http://m.example/debian"}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    job = JOB.replace("COMMIT", "COMPONENT").replace("PACKAGING", "ARCHIVE")
    for phase in ("deploy", "exercise"):
        place.jenkins.create(f"trunk-{phase}", job)
    found = pocket("greet 1\nother 1\nlate 1", "greet 2\nother 2")
    monkeypatch.setattr(proposed, "asked", lambda *_: found)

    def started() -> list[str]:
        return [f"{each['COMPONENT']} {each['ARCHIVE'][:9]}" for each in place.queued()]

    place.trigger()
    assert started() == [" released-"]
    for result in (None, "ABORTED"):
        assert "waits for trunk-deploy" in place.trigger()  # it waits, and then it runs
        if result is None:
            place.jenkins.start(next(iter(place.jenkins._state.queue)), result="SUCCESS")
            break
    contents = []
    for _ in range(3):
        place.trigger()
        [waiting] = place.queued()
        contents.append((waiting["COMPONENT"], waiting["CAUSE"]))
        place.jenkins.start(max(place.jenkins._state.queue), result="FAILURE").artifacts = record("failed")
    assert contents == [(name, "proposed packages") for name in ("greet", "other", "")]
    assert place.trigger() == "trunk: nothing new\n"


HOSTILE = [
    {},
    {"items": None, "allBuilds": None, "jobs": None, "views": None, "plugins": None},
    {"items": "x", "allBuilds": "x", "jobs": "x", "views": "x", "plugins": "x"},
    {"items": [{}], "allBuilds": [{"actions": None}], "jobs": [{}], "views": [{}], "plugins": [{}]},
    {"items": [], "allBuilds": [{"result": {}, "building": "x", "timestamp": "z", "actions": [{"parameters": [{"value": 3}]}]}]},
    {"items": [], "allBuilds": [{"result": None, "building": False, "timestamp": "z", "actions": []}]},
    {"items": [], "allBuilds": [{"number": 1, "result": None, "building": False, "timestamp": 10**18, "actions": []}]},
    {"items": [], "allBuilds": [{"number": 1, "result": None, "building": False, "timestamp": math.nan, "actions": []}]},
]  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("answer", HOSTILE)
@pytest.mark.parametrize("verb", [("trigger", "trunk"), ("plan",), ("apply", "--yes")])
def test_answers_of_another_form_are_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...], answer: dict[str, Any]
) -> None:
    """They are one line, and no bug of qalab."""
    monkeypatch.setattr(Connection, "json", lambda *_: answer)
    code, said = place.call(*verb)
    assert code in {0, 1, 2}, said  # a list that is not there is an empty one in `plan`
    assert "a bug" not in said
    if verb[0] == "trigger":
        assert (code, said.count("\n")) == (2, 1)
        assert "is not what a Jenkins answers: " in said
