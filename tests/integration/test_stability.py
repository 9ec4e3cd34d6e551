"""Services that do not stay, on real containers: found while they settle, or after the exercises passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.config.description import Lab
from scripts.deployment import environments
from scripts.exercises import cases
from tests.conftest import Bench
from tests.integration.test_deploy import Place, service
from tests.integration.test_services import described
from tests.samples import sampled

pytestmark = pytest.mark.integration
RESTARTING = (
    "[Service]\nExecStart=/usr/bin/greetd\nRestart=always\nRestartSec=1\n[Install]\nWantedBy=multi-user.target\n"
)


def unit(text: str, program: str) -> tuple[tuple[str, str], ...]:
    """Return the files of a package with another unit."""
    name = "lib/systemd/system/greet.service"
    return tuple((path, text if path == name else content) for path, content in service(program))


@pytest.fixture
def place(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], shared_cache: Path) -> Iterator[Place]:
    made = Place(lab_factory(track={"phases": ["build", "deploy", "exercise"], "settle_seconds": 6}), bench)
    yield made
    for name in environments.names(made.lab):
        environments.target(made.lab, name).destroy()
    assert made.left == []


UNSTABLE = {
    "a service that dies after some seconds": (
        service("sleep 3; echo fatal: the licence has expired; exit 1"),
        "greet: greet.service starts and dies on node0 (exit-code): fatal: the licence has expired",
    ),
    "a service that systemd restarts": (
        unit(RESTARTING, "sleep 3; echo fatal: lost the lock; exit 1"),
        "greet: greet.service starts and dies on node0",
    ),
    "a worker that crashes": (
        service("sleep 2; sh -c 'kill -SEGV $$'; exec sleep infinity"),
        "greet: greet.service crashed on node0: Segmentation fault",
    ),
}


@pytest.mark.parametrize("what", sampled(UNSTABLE, "a service that dies after some seconds"))
def test_deploy_fails_if_service_does_not_stay(place: Place, what: str) -> None:
    files, message = UNSTABLE[what]
    _, record = place.deploy(files=files)
    assert record.verdict == "failed", record.message
    assert record.message.startswith(message), record.message


# An exercise of the lab's own that passes while it harms the services, and everything that the last exercise finds.
HARM = """\
#!/bin/sh
kill -KILL "$(systemctl show --property=MainPID --value greet.service)"
pkill -SEGV --full 'nginx: [w]orker'
printf '<3>the queue is full\n' | systemd-cat --identifier=other
"""


def test_exercise_finds_crash_though_all_exercises_passed(place: Place) -> None:
    path = place.lab.file.parent / "harm.sh"
    path.write_text(HARM)
    path.chmod(0o755)
    units = {"greet": {}, "web": {"packages": ["nginx-light"]}}
    described(place, units, [{"name": "harm", "run": "harm.sh", "where": "node0"}])
    place.lab = place.lab.model_copy(
        update={"tracks": {"trunk": place.lab.tracks["trunk"].model_copy(update={"settle_seconds": 0})}}
    )
    assert place.deploy(files=service("exec sleep infinity"))[1].verdict == "passed"
    at, record = place.exercise()
    bad = {case.name: case for case in cases.read(at.run.path / record.native[0].path) if case.outcome != "passed"}
    assert [*bad] == ["greet: greet.service kept running on node0", "node0: nothing else failed or crashed"]
    killed, crashed = bad.values()
    assert killed.message == "it crashed: greet.service: Main process exited, code=killed, status=9/KILL"
    assert "Failed with result 'signal'" in killed.evidence
    assert crashed.message.startswith("a program crashed: /var/log/nginx/error.log: ")
    assert record.verdict == "unstable"


LOGS = "echo '<3>cannot reach the queue'; while sleep 1; do echo '<3>the queue is full'; done"


def test_errors_in_journal_of_deployment_are_reported(place: Place) -> None:
    """Those until all is started are a fact; those of the settle time, and later, are a case."""
    _, record = place.deploy(files=service(LOGS))
    first = "greet.service on node0: cannot reach the queue"
    assert (record.verdict, record.message.partition("; 1 service logged errors: ")[2]) == ("passed", first)
    assert record.facts["errors"] == [first]
    at, record = place.exercise()
    bad = {case.name: case for case in cases.read(at.run.path / record.native[0].path) if case.outcome != "passed"}
    assert [*bad] == ["greet: greet.service logged no error on node0"]
    assert [case.message for case in bad.values()] == ["the queue is full"]
    assert record.verdict == "unstable"
