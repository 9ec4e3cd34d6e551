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


def init_script(start: str) -> tuple[tuple[str, str], ...]:
    """Return the files of a package with an init script and no unit."""
    fields = "Provides: greet", "Required-Start: $remote_fs", "Required-Stop: $remote_fs", "Default-Start: 2 3 4 5"
    lines = ("## BEGIN INIT INFO", *(f" {field}" for field in (*fields, "Default-Stop: 0 1 6")), "## END INIT INFO")
    header = "".join(f"#{line}\n" for line in lines)
    postinst = "#!/bin/sh\nupdate-rc.d greet defaults\n"
    return (("etc/init.d/greet", f"#!/bin/sh\n{header}{start}\n"), ("DEBIAN/postinst", postinst))


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
    "an init script that is not configured": (
        init_script("echo 'greet: cannot read /etc/greet.key' >&2; exit 6"),
        "greet: none of its services runs: greet.service: its program is not configured: greet: cannot read /etc/greet.key",
    ),
    "an init script that starts nothing": (
        init_script("echo 'greet: disabled in /etc/default/greet'"),
        "greet: none of its services runs: greet.service: its init script left no program running: greet: disabled",
    ),
    "a daemon of an init script that ends after some seconds": (
        init_script("[ $1 != start ] || (sleep 3; echo 'greet: the licence has expired') &"),
        "greet: greet.service starts and dies on node0 (its program ended without an error): greet: the licence has expired",
    ),
}


@pytest.mark.parametrize(
    "what", sampled(UNSTABLE, "a service that dies after some seconds", "an init script that is not configured")
)
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


SERVICES = {
    "again": "ExecStart=/bin/sh -c 'sleep 4001; exit 1'\nRestart=on-failure\nRestartSec=100ms\n",
    "tidy": "Type=oneshot\nExecStart=/bin/sh -c 'test -e /run/once || { touch /run/once; echo fatal: no rights; exit 9; }'\n",
    "stays": "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'setsid sleep 4002 &'\n",
    "java": "ExecStart=/bin/sh -c 'trap \"exit 143\" TERM; sleep 4003 & wait'\n",
}
# Each service is well again, or seems so, when this exercise ends.
HIDE = """\
#!/bin/sh -e
pkill --full '^sleep [4]001'
sleep 1
systemctl start tidy || systemctl start tidy
pkill --full '^sleep [4]002'
systemctl restart again java
"""


@pytest.mark.full
def test_exercise_finds_failures_that_states_do_not_show(place: Place) -> None:
    files = {f"lib/systemd/system/{name}.service": f"[Service]\n{text}" for name, text in SERVICES.items()}
    wanted = [name for name in SERVICES if name != "tidy"]
    enable = "".join(
        f"ln -s /lib/systemd/system/{name}.service /etc/systemd/system/multi-user.target.wants\n" for name in wanted
    )
    path = place.lab.file.parent / "hide.sh"
    path.write_text(HIDE)
    path.chmod(0o755)
    described(place, {"greet": {}}, [{"name": "hide", "run": "hide.sh", "where": "node0"}])
    packaged = (*files.items(), ("DEBIAN/postinst", f"#!/bin/sh\nset -e\n{enable}"))
    assert place.deploy(files=packaged)[1].verdict == "passed"
    at, record = place.exercise()
    bad = {
        case.name: case.message for case in cases.read(at.run.path / record.native[0].path) if case.outcome != "passed"
    }
    assert bad == {
        "greet: again.service kept running on node0": "it was restarted 1 time: Terminated",
        "greet: stays.service kept running on node0": "none of its programs runs any more: its journal says nothing",
        "node0: nothing else failed or crashed": "tidy.service failed (exit-code), and is not failed any more: fatal: no rights",
    }
    assert record.verdict == "unstable"
