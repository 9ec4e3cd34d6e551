"""The roles of a lab's own: those of the example, on nodes that note what they get, and every fault with its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from cli.check import deployment_faults
from lab.base import resources
from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.run import Result, run
from lab.config import loading
from scripts.deployment import planner
from scripts.drivers.topology import Topology
from scripts.roles import own
from scripts.roles.own import OwnRole
from scripts.roles.registry import role_of, roles_of
from scripts.services import systemd, units
from scripts.services.site import Site
from scripts.services.units import Units
from tests.clocks import Moved

BUILT = {"notes": ["notes"]}


@pytest.fixture
def services(tmp_path: Path) -> Path:
    """A copy of the example lab."""
    path = tmp_path / "services"
    shutil.copytree(resources.path("examples/services"), path, ignore=shutil.ignore_patterns("sources"))
    return path


def change(directory: Path, name: str, old: str, new: str) -> None:
    path = directory / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@dataclass
class Node:
    """Notes programs and files; programs that contain ``fails`` end with an error."""

    name: str
    address: str
    fails: str = ""
    asked: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def run(self, argv: Any, **options: Any) -> Result:
        self.asked.append(" ".join(map(str, argv)))
        script = self.files.get(str(argv[-1]), "") if own.RUN_SCRIPT in argv else ""
        failed = bool(script and self.fails and self.fails in script)
        return Result(tuple(argv), 3 if failed else 0, f"+ {script}\nERROR: no such thing\n" if failed else script)

    def attempt(self, argv: Any, **options: Any) -> tuple[Result, list[str]]:
        return self.run(argv), []

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        self.files[path] = text


@dataclass
class Deployment:
    """The example on two such nodes; ``lines``: its log."""

    site: Site
    plan: Topology
    lines: list[str]

    def start(self) -> None:
        for application in self.plan.applications:
            role = role_of(application)
            if isinstance(role, OwnRole):
                self.site.services[application.name] = role.describe(self.site, application)
                role.configure(self.site, application)
                role.start(self.site, application)

    @property
    def node(self) -> Node:
        return self.site.nodes["node0"]  # type: ignore[return-value]


@pytest.fixture
def deployment(services: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Deployment]:
    monkeypatch.setattr(units, "enabled", lambda *_, **__: Units())

    def make(fails: str = "") -> Deployment:
        lab = loading.load(services / "lab.yaml")
        plan = planner.topology(lab, "trunk", "notes", BUILT)
        nodes: Any = {f"node{number}": Node(f"node{number}", f"10.20.0.1{number}", fails) for number in (0, 1)}
        lines: list[str] = []
        site = Site(
            nodes, lambda *_, **__: Result((), 0), lambda *_: None, plan.applications, plan.relations, say=lines.append
        )
        found = {(node, each.name): Units() for node in nodes for each in plan.applications}
        return Deployment(replace(site, found=found), plan, lines)

    return make


def test_role_takes_what_another_gives(deployment: Callable[..., Deployment]) -> None:
    made = deployment()
    made.start()
    password = made.site.services["notes"].settings["database.password"]
    assert f"password = {password}\n" in made.node.files["/etc/notes.ini"]
    assert "proxy_pass http://10.20.0.10:8000;" in made.node.files["/etc/nginx/sites-enabled/default"]
    assert made.site.services["client"].settings["database.user"] == "client"
    assert made.site.services["client"].settings["database.password"] != password
    assert any("create role notes login password '[password]'" in line for line in made.lines)


def test_secrets_are_on_no_command_line_and_in_no_log(deployment: Callable[..., Deployment]) -> None:
    made = deployment()
    made.start()
    asked = "\n".join([*made.node.asked, *made.lines])
    assert [use for use, password in made.site.passwords.made.items() if password in asked] == []
    assert [path for path in made.node.files if path.startswith("/run/")] == [
        "/run/qalab-database.sh",
        "/run/qalab-notes.sh",
    ]
    assert made.node.asked.count("rm -f /run/qalab-database.sh /run/qalab-database.sh.output") == 3


@pytest.mark.parametrize(
    ("script", "fault", "message"),
    [
        ("create role", InfrastructureError, "database: gives.database.setup ended with status 3 on node0: ERROR: no such thing"),
        ("notes init", Failed, "notes: setup ended with status 3 on node0: ERROR: no such thing"),
    ],
)  # fmt: skip
def test_failing_script_is_reported_without_secrets(
    deployment: Callable[..., Deployment], script: str, fault: type[LabError], message: str
) -> None:
    made = deployment(script)
    with pytest.raises(fault) as caught:
        made.start()
    assert str(caught.value) == message


def test_units_that_a_setup_enables_are_started(
    deployment: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = deployment()
    asked = made.node.asked

    def enabled(node: Any, names: Any, *_: Any, **__: Any) -> Units:
        assert any(own.RUN_SCRIPT in each and each.endswith("/run/qalab-notes.sh") for each in asked) == (
            "notes" in names
        )
        return Units(("notes@blue.service",)) if "notes" in names else Units()

    monkeypatch.setattr(units, "enabled", enabled)
    monkeypatch.setattr(systemd, "start", lambda *_, **__: {})
    made.start()
    assert made.site.services["notes"].units == ("notes@blue.service",)


RUNS: dict[str, tuple[float, str, int, str]] = {
    "a script that leaves a program": (60, "sleep 600 & echo done; exit 3", 3, "done\n"),
    "a script that hangs": (0.2, "echo waiting; sleep 600", 124, "waiting\n"),
    "a script that ignores its end": (0.2, "trap '' TERM; echo waiting; while :; do sleep 0.1; done", 137, "waiting\nKilled\n"),
    "a program without input": (60, "read line || echo none >&2", 0, "none\n"),
}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("what", RUNS)
def test_script_ends_in_time(tmp_path: Path, what: str) -> None:
    """What it leaves in the background holds nothing up."""
    limit, script, status, output = RUNS[what]
    (tmp_path / "x.sh").write_text(script)
    quicker = own.RUN_SCRIPT.replace("kill-after=10", "kill-after=0.1")
    result = run(["sh", "-c", quicker, "sh", str(limit), tmp_path / "x.sh"], capture=True, check=False, timeout=30)
    assert (result.returncode, result.stdout) == (status, output)


@pytest.mark.parametrize("status", [124, 137])
@pytest.mark.parametrize("took", [0, 60])
def test_script_without_end_is_reported(
    deployment: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch, status: int, took: int
) -> None:
    made, time = deployment("notes init"), Moved()
    notes = next(each for each in made.plan.applications if each.name == "notes")
    runs = made.node.run

    def hangs(argv: Any, **options: Any) -> Result:
        result = runs(argv, **options)
        time.sleep(took if result.returncode else 0)
        return replace(result, returncode=result.returncode and status)

    monkeypatch.setattr(made.node, "run", hangs)
    with pytest.raises(Failed) as caught:
        role_of(notes).start(replace(made.site, clock=time.clock), replace(notes, minutes=1))
    ended = "has not ended within 1 min" if took else f"ended with status {status}"
    assert str(caught.value) == f"notes: setup {ended} on node0: ERROR: no such thing"


def test_application_options_override_those_of_the_role(services: Path) -> None:
    lab = loading.load(services / "lab.yaml")
    applications = {each.name: each for each in planner.topology(lab, "trunk", "notes", BUILT).applications}
    assert applications["notes"].options == {"port": 8000, "title": "Notes of the lab"}
    assert applications["database"].supporting
    assert applications["cache"].supporting
    assert not applications["web"].supporting


def test_debconf_answers_reach_the_pristine_layer(services: Path) -> None:
    answer = "postfix postfix/main_mailer_type select Local only"
    change(services, "roles/nginx/role.yaml", "takes:", f"debconf: ['{answer}']\ntakes:")
    lab = loading.load(services / "lab.yaml")
    plan = planner.topology(lab, "trunk", "notes", BUILT)
    assert planner.pristine(lab, "trunk", plan, None).answers == (answer,)


NOTES, WEB, DATABASE = (f"roles/{name}/role.yaml" for name in ("notes", "nginx", "postgresql"))
FAULTS = {
    "an unknown role": (("lab.yaml", "role: nginx", "role: ngin"), "lab.yaml:21: deployment.applications.web.role: no ngin; did you mean nginx? "),
    "an unknown option": (("lab.yaml", "{title:", "{titel:"), "lab.yaml:20: deployment.applications.notes.options.titel: no titel; did you mean title? "),
    "an option of another kind": (("lab.yaml", "{title: Notes of the lab}", "{port: http}"), "lab.yaml:20: deployment.applications.notes.options.port: must be of the kind of its default, 8000"),
    "a relation that is missing": (("lab.yaml", "    - [notes, database]\n", ""), "lab.yaml:20: deployment.applications.notes: takes database: no application that it relates to gives it"),
    "an unknown key of a role": ((DATABASE, "health:", "helth:"), "roles/postgresql/role.yaml:8: helth: unknown key; did you mean health? "),
    "a role that is not YAML": ((NOTES, "takes: [database]", "takes: [database"), "roles/notes/role.yaml:2:"),
    "an unknown value in a template": (("roles/notes/notes.ini.j2", "database.host", "database.hots"), "lab.yaml:20: deployment.applications.notes: roles/notes/notes.ini.j2:7: no hots; did you mean host? known: host, name, password, user"),
    "a syntax error in a template": (("roles/nginx/site.conf.j2", "{{ web.url }}", "{{ web.url }"), "lab.yaml:21: deployment.applications.web: roles/nginx/site.conf.j2:4: unexpected '}'"),
    "a template that is missing": ((WEB, "site.conf.j2", "page.conf.j2"), "lab.yaml:21: deployment.applications.web: roles/nginx/page.conf.j2: no such template"),
    "an unknown value in a script": ((DATABASE, "owner {{ client.user }}", "owner {{ clint.user }}"), "lab.yaml:18: deployment.applications.database: role postgresql: gives.database.setup: no clint; did you mean client? known: application, client, node"),
    "a script that no shell reads": ((NOTES, "setup: notes init", "setup: 'notes init \"now'"), "lab.yaml:20: deployment.applications.notes: role notes: setup: 1: Syntax error: Unterminated quoted string"),
    "a script of a relation that no shell reads": ((DATABASE, "      runuser", "      if true; runuser"), "lab.yaml:18: deployment.applications.database: role postgresql: gives.database.setup: "),
    "a mode that is none": ((NOTES, '"0640"', '"rw"'), "roles/notes/role.yaml:4: files./etc/notes.ini.mode: not a mode: "),
    "a pipe in a health check": ((DATABASE, "health: pg_isready", "health: pg_isready | grep accepting"), "roles/postgresql/role.yaml:8: health: no shell reads it, and | would be an argument of pg_isready: write sh -c '...'"),
    "a template in a health check": ((NOTES, "notes check", "notes check {{ node.address }}"), "roles/notes/role.yaml:6: health: not a template: "),
    "a command of a shell": (("lab.yaml", "{title: Notes of the lab}", "{command: 'notes list && true'}"), "lab.yaml:20: deployment.applications.notes.options.command: no shell reads it, and && would be an argument of notes: "),
    "a unit without its kind": ((NOTES, "takes:", "units: [notes-worker]\ntakes:"), "roles/notes/role.yaml:1: units.0: not a unit: a name with its kind, such as greet.service"),
    "an unknown value for the second node": (("lab.yaml", "role: psql, to: [1]", "role: psql, to: [0, 1]"), "lab.yaml:22: deployment.applications.client: roles/psql/pgpass.j2:1: no nowhere; "),
    "a file of two applications": (("lab.yaml", "web: {role: nginx}", "web: {role: nginx}\n    other: {role: nginx}"), "lab.yaml:22: deployment.applications.other: writes /etc/nginx/sites-enabled/default on node0, and so does web"),
    "two answers to a question": ((NOTES, "takes:", "debconf: ['nginx nginx/mode select other']\ntakes:"), "lab.yaml:21: deployment.applications.web: answers nginx/mode of nginx with one, and notes with other: all nodes start from the same packages"),
    "an exercise in a place that does not exist": (("lab.yaml", "where: client", "where: clint"), "lab.yaml:29: deployment.exercises.0.where: no clint; did you mean client? "),
    "an exercise that is missing": (("lab.yaml", "notes.py", "note.py"), "lab.yaml:30: deployment.exercises.1.run: exercises/note.py: no such file in "),
}  # fmt: skip


@pytest.mark.parametrize("what", FAULTS)
def test_check_finds_fault_with_its_line(services: Path, what: str) -> None:
    edit, message = FAULTS[what]
    change(services, *edit)
    if "second node" in what:
        change(services, "roles/psql/pgpass.j2", "*:*:*", "{{ node.name if node.name == 'node0' else nowhere }}")
    if "two applications" in what:
        change(services, "lab.yaml", "- [web, notes]", "- [web, notes]\n    - [other, notes]")
    if "two answers" in what:
        change(services, "roles/nginx/role.yaml", "takes:", "debconf: ['nginx nginx/mode select one']\ntakes:")
    (found,) = [line.replace(f"{services}/", "") for line in deployment_faults(loading.load(services / "lab.yaml"))]
    assert found.startswith(message), found


def test_check_accepts_the_example(services: Path) -> None:
    lab = loading.load(services / "lab.yaml")
    assert deployment_faults(lab) == ()
    assert {"postgresql", "notes", "nginx", "psql", "package"} <= {*roles_of(lab.deployment_of("trunk"))}
