"""The example of ordinary services: a whole lab that is green, and the message for each fault in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import main
from lab.config.description import Lab
from lab.config.loading import load
from lab.store.records import Record
from lab.store.runs import Store
from scripts import deploy, exercise
from scripts.deployment import environments
from scripts.drivers.nspawn import leftovers
from scripts.exercises import cases
from scripts.services.deployed_state import Deployed
from tests.conftest import Bench

pytestmark = pytest.mark.full
TRACK, COMPONENT = "trunk", "notes"


@dataclass(frozen=True)
class Built:
    """The lab, whose component is in the archive; ``state``: the lab's state directory."""

    directory: Path
    state: Path


def qalab(*argv: str) -> int:
    """Run a command; return its exit code."""
    try:
        return main(argv)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.fixture(scope="module")
def built(session_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Start the lab as the tutorial does, and run it: all must pass."""
    made = Built(tmp_path_factory.mktemp("services") / "lab", tmp_path_factory.mktemp("state"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(session_cache))
        monkeypatch.setenv("XDG_STATE_HOME", str(made.state))
        monkeypatch.setenv("HOME", str(made.state))
        lab_file = str(made.directory / "lab.yaml")
        assert qalab("init", str(made.directory), "--from", "services") == 0
        assert qalab("check", "--lab", lab_file) == 0
        assert qalab("run", TRACK, COMPONENT, "--lab", lab_file) == 0
    return made


@dataclass
class Place:
    """A copy of the lab, to break something in it."""

    directory: Path

    @property
    def lab(self) -> Lab:
        return load(self.directory / "lab.yaml")

    def change(self, name: str, old: str, new: str) -> None:
        path = self.directory / name
        text = path.read_text()
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new))

    def execute(self, module: object, phase: str) -> tuple[Bench, Record]:
        run = Store.of(self.lab).new_run(self.lab, TRACK, COMPONENT, phase=phase)  # type: ignore[arg-type]
        bench = Bench(self.lab, run)
        return bench, bench.execute(module)  # type: ignore[arg-type]


@pytest.fixture
def place(built: Built, shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("XDG_STATE_HOME", str(built.state))
    shutil.copytree(built.directory, tmp_path / "lab", symlinks=True)
    made = Place(tmp_path / "lab")
    made.change("lab.yaml", "phases: [build", "settle_seconds: 4, phases: [build")
    lab = made.lab
    yield made
    environments.target(lab, TRACK).destroy()
    assert leftovers.left_by(Store.of(lab).environments) == []


def test_secrets_are_not_in_logs_and_records(place: Place) -> None:
    _, record = place.execute(deploy, "deploy")
    assert record.verdict == "passed", record.message
    (deployed,) = Store.of(place.lab).environments.glob("*/deployment.json")
    settings = Deployed.read(deployed).services["notes"].settings
    secret = settings["database.password"]
    for run in Store.of(place.lab).runs():
        files = [path for path in run.path.rglob("*") if path.is_file()]
        assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_fault_of_template_is_found_by_check(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.change("roles/notes/notes.ini.j2", "database.password", "database.passwort")
    assert qalab("check", "--lab", str(place.directory / "lab.yaml")) == 2
    assert "notes.ini.j2:10: no passwort; did you mean password? " in "".join(capsys.readouterr())


NOTES, WEB, DATABASE = (f"roles/{name}/role.yaml" for name in ("notes", "nginx", "postgresql"))
DEPLOY_FAULTS = {
    "a directive that nginx does not know": (
        ("roles/nginx/site.conf.j2", "proxy_pass", "proxy_pas"), "failed",
        'web: nginx.service does not start on node0 (exit-code): ... unknown directive "proxy_pas" in /etc/nginx/sites-enabled/default:4',
    ),
    "a statement that PostgreSQL does not know": (
        (DATABASE, "create role", "creat role"), "error",
        'database: gives.database.setup ended with status 3 on node0: ERROR: syntax error at or near "creat"',
    ),
    "a wrong password": (
        ("roles/notes/notes.ini.j2", "{{ database.password }}", "wrong"), "failed", "notes: setup ended with status 1 on node0: ",
    ),
    "a health check that fails": (
        (NOTES, "health: notes check", "health: sh -c 'echo not yet; false'\npatience: 3"), "failed",
        "notes: is not well on node0 after 3 s: sh -c 'echo not yet; false': not yet",
    ),
    "a package that does not exist": (
        (WEB, "nginx-light", "nginx-lite"), "error", "no archive has the package nginx-lite",
    ),
    "a service that ends after some seconds": (
        (NOTES, "setup: notes init", (
            "setup: |\n  notes init\n  mkdir /etc/systemd/system/notes.service.d\n"
            "  printf '[Service]\\nRuntimeMaxSec=3\\n' > /etc/systemd/system/notes.service.d/lab.conf\n"
            "  systemctl daemon-reload"
        )), "failed", "notes: notes.service starts and dies on node0 (timeout",
    ),
    "a cache that is not there": (
        ("lab.yaml", "packages: [redis-server]", "packages: [memcached]"), "failed",
        "notes: is not well on node0 after 60 s: notes check: urllib.error.HTTPError: HTTP Error 500: Internal Server Error",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DEPLOY_FAULTS)
def test_fault_of_deployment_is_reported(place: Place, what: str) -> None:
    change, verdict, message = DEPLOY_FAULTS[what]
    place.change(*change)
    _, record = place.execute(deploy, "deploy")
    start, _, later = message.partition("...")
    assert (record.verdict, record.message[: len(start)]) == (verdict, start)
    assert later in record.message


EXERCISE_FAULTS = {
    "a table that is missing": (
        (NOTES, "setup: notes init", "setup: notes init; runuser -u postgres -- psql --dbname=notes --command='drop table notes'"),
        {
            "note_is_stored": "HTTPError: HTTP Error 500: Internal Server Error",
            "text_is_unchanged": "HTTPError: HTTP Error 500: Internal Server Error",
            "notes: notes.service logged no error on node0": 'psycopg2.errors.UndefinedTable: relation "notes" does not exist',
        },
    ),
    "a database that any user may enter": (
        (DATABASE, "samenet scram-sha-256", "samenet trust"), {"the database refuses another user": ""},
    ),
    "a web server for another application": (
        ("roles/nginx/site.conf.j2", "{{ web.url }};", "{{ web.url }}/other;"),
        {"the web server passes requests on": ""},
    ),
    "another title": (
        ("lab.yaml", "title: Notes of the lab", "title: Notes"), {"version_is_the_deployed_one": "AssertionError: "},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", EXERCISE_FAULTS)
def test_fault_of_services_is_found_by_exercises(place: Place, what: str) -> None:
    change, expected = EXERCISE_FAULTS[what]
    place.change(*change)
    assert place.execute(deploy, "deploy")[1].verdict == "passed"
    bench, record = place.execute(exercise, "exercise")
    found = cases.read(bench.run.path / record.native[0].path)
    bad = {case.name: case.message for case in found if case.outcome != "passed"}
    assert record.verdict == "unstable"
    for name, message in expected.items():
        assert bad[name].startswith(message), bad
