"""The operations of roles, on a scripted node."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.run import Result, TimedOut
from scripts.drivers.topology import Application
from scripts.roles import keystone, mariadb, package
from scripts.services import systemd, waiting
from scripts.services.concurrency import side_by_side
from scripts.services.deployed_state import Service
from scripts.services.site import Site
from scripts.services.units import Units
from tests.clocks import Moved

RUNS = "ActiveState=active\nExecMainStartTimestamp=now\nNRestarts=0\nResult=success\nType=simple\n"
FAILED = RUNS.replace("=active", "=failed").replace("success", "exit-code")
SHOWN = f"--property={systemd.SHOWN}"
JOURNAL = """\
greet.service: Main process exited, code=exited, status=3
Started greet.service - Greeter.
reading /etc/greet.conf
error: cannot open /etc/greet.conf
giving up
greet.service: Failed with result 'exit-code'.
"""


@dataclass
class Node:
    """Answers by the first matching word: statuses and texts in turn, then the last one."""

    answers: dict[str, list[tuple[int, str]]]
    name: str = "node0"
    address: str = "10.20.0.11"
    asked: list[str] = field(default_factory=list)

    def run(self, argv: Any, *, check: bool = True, **options: Any) -> Result:
        words = " ".join(map(str, argv))
        self.asked.append(words)
        key = next((key for key in self.answers if key in words), "")
        queue = self.answers.get(key, [(0, "")])
        status, text = queue.pop(0) if len(queue) > 1 else queue[0]
        return Result(tuple(argv), status, text)

    def attempt(self, argv: Any, **options: Any) -> tuple[Result, list[str]]:
        result = self.run(argv)
        return result, result.stdout.splitlines()


def place(role: Any = package, asked: int = 0, **answers: Any) -> tuple[Site, Node, Application]:
    node = Node({key.replace("_", " "): value for key, value in answers.items()})
    application = Application("greet", role, ("greet",), ("node0",), {})
    nodes: dict[str, Any] = {"node0": node}
    time = Moved()

    def beside(*_: Any, **__: Any) -> Result:
        time.sleep(5)  # as long as it asks
        return Result((), asked, "ConnectionError\n")

    return Site(nodes, beside, lambda *_: None, clock=time.clock), node, application


def test_service_start_of_running_unit() -> None:
    site, node, application = place(systemctl_show=[(0, RUNS)])
    systemd.start(site, node, application, "greet.service")  # type: ignore[arg-type]
    assert node.asked[0] == "systemctl restart greet.service"


@pytest.mark.parametrize(("role", "fault"), [(package, Failed), (mariadb, InfrastructureError)])
def test_start_that_does_not_end_is_limited(role: Any, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site, node, application = place(role, systemctl_show=[(0, RUNS)], journalctl=[(0, "waiting for the licence\n")])
    limits: list[float] = []

    def hangs(argv: Any, **options: Any) -> Any:
        if "restart" in argv or argv[0] == "fill":
            limits.append(options["timeout"])
            raise TimedOut("systemctl did not end")
        return asked(argv, **options)

    asked, node.run = node.run, hangs  # type: ignore[method-assign]
    monkeypatch.setattr(node, "attempt", hangs)
    application = replace(application, minutes=2)
    with pytest.raises(fault) as caught:
        systemd.start(site, node, application, "greet.service")  # type: ignore[arg-type]
    why = "greet: greet.service does not start on node0 (timeout: not started within 2 min): waiting for the licence"
    assert str(caught.value) == why
    with pytest.raises(fault, match=r"^greet: fill db has not ended within 2 min on node0$"):
        site.must(node, application, ["fill", "db"])  # type: ignore[arg-type]
    assert limits == [120, 120]


def test_units_of_each_node_are_noted_apart() -> None:
    """One that does nothing on a node is watched on the others."""
    done = RUNS.replace("=active", "=inactive").replace("simple", "oneshot")
    site, _, application = place()
    nodes: dict[str, Any] = {name: Node({f"systemctl show {SHOWN} -- b": [(0, shown)], "systemctl show": [(0, RUNS)]}, name)
                             for name, shown in {"node0": RUNS, "node1": done}.items()}  # fmt: skip
    application = replace(application, nodes=("node0", "node1"))
    units = {("node0", "greet"): Units(("a.service", "b.service"), idle={"d.service": "it is disabled"}),
             ("node1", "greet"): Units(("b.service", "c.service"), idle={"d.service": "it is disabled"})}  # fmt: skip
    site = replace(site, nodes=nodes, applications=(application,), found=units)
    site.services["greet"] = package.describe(site, application)
    package.start(site, application)
    made = site.services["greet"]
    assert made.units == ("a.service", "b.service", "c.service")
    assert made.idle == {"d.service": "it is disabled"}
    assert (made.units_on("node0"), made.units_on("node1")) == (("a.service", "b.service"), ("c.service",))
    assert made.absent["node1"] == {"a.service": package.NOT_ENABLED, "b.service": "it has done its work"}


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        (
            [(0, RUNS), (0, FAILED)],
            "greet.service starts and dies on node0 (exit-code): error: cannot open /etc/greet.conf",
        ),
        (
            [(0, RUNS), (0, RUNS.replace("NRestarts=0", "NRestarts=1"))],
            "greet.service starts and dies on node0 (restarted by systemd): ",
        ),
        (
            [(0, RUNS.replace("=active", "=inactive"))],
            "greet.service starts and dies on node0 (its program ended without an error): ",
        ),
        ([(0, FAILED.replace("=now", "="))], "greet.service does not start on node0 (exit-code)"),
    ],
)
@pytest.mark.parametrize(("role", "fault"), [(package, Failed), (mariadb, InfrastructureError)])
def test_service_start_reports_dying_unit_with_journal(shown: Any, message: str, role: Any, fault: Any) -> None:
    site, node, application = place(role, systemctl_show=shown.copy(), journalctl=[(0, JOURNAL)])
    with pytest.raises(fault) as caught:
        systemd.start(site, node, application, "greet.service")  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"greet: {message}")


def test_service_start_accepts_finished_oneshot() -> None:
    site, node, application = place(
        systemctl_show=[(0, RUNS.replace("simple", "oneshot").replace("=active", "=inactive"))]
    )
    systemd.start(site, node, application, "greet.service")  # type: ignore[arg-type]


def test_service_without_answer_is_reported() -> None:
    site, node, application = place(asked=1, systemctl_show=[(0, RUNS)])
    with pytest.raises(Failed, match=r"^greet: is not well on node0 after 180 s: http://x: ConnectionError$"):
        waiting.until_answers(site, node, application, "greet.service", "http://x")  # type: ignore[arg-type]
    site, node, application = place(asked=1, systemctl_show=[(0, RUNS), (0, FAILED)], journalctl=[(0, "fatal: no\n")])
    with pytest.raises(Failed, match=r"^greet: greet.service starts and dies on node0 \(exit-code\): fatal: no$"):
        waiting.until_answers(site, node, application, "greet.service", "http://x")  # type: ignore[arg-type]


BY_SCRIPT = RUNS.replace("Type=simple", "Type=forking") + "SourcePath=/etc/init.d/greet\nSubState=exited\n"
IDLE = {
    "a native unit that is active": (RUNS + "SubState=exited\nSourcePath=\n", {}),
    "a daemon of an init script": (BY_SCRIPT.replace("exited", "running"), {}),
    "an init script for a program that is not there": (
        f"{BY_SCRIPT}ExecStart={{ path=/etc/init.d/greet ; code=exited ; status=5 }}\n",
        {"greet.service": "its program is not installed: error: cannot open /etc/greet.conf"},
    ),
    "an init script that is not configured": (
        f"{BY_SCRIPT}ExecStart={{ path=/etc/init.d/greet ; code=exited ; status=6 }}\n",
        {"greet.service": "its program is not configured: error: cannot open /etc/greet.conf"},
    ),
    "an init script that starts nothing": (
        f"{BY_SCRIPT}ExecStart={{ path=/etc/init.d/greet ; code=exited ; status=0 }}\n",
        {"greet.service": "its init script left no program running: error: cannot open /etc/greet.conf"},
    ),
}


@pytest.mark.parametrize("what", IDLE)
def test_service_that_starts_nothing_is_told(what: str) -> None:
    shown, idle = IDLE[what]
    site, node, application = place(systemctl_show=[(0, shown)], journalctl=[(0, JOURNAL)])
    assert systemd.start(site, node, application, "greet.service") == idle  # type: ignore[arg-type]


def test_failure_of_a_required_unit_explains_the_unit() -> None:
    mounts = "mount: /srv: special device /dev/sdz1 does not exist."
    node = Node({
        "show --property=Requires,BindsTo": [(0, "system.slice\nsrv.mount\n")],
        "systemctl show": [(0, "ActiveState=active\n\nActiveState=failed\n")],
        "_SYSTEMD_UNIT=srv.mount": [(0, f"{mounts}\nFailed to mount srv.mount - Data.\n")],
        "journalctl": [(0, "Dependency failed for greet.service - Greeter.\n")],
    })  # fmt: skip
    assert systemd.journal(node, "greet.service") == f"srv.mount: {mounts}"  # type: ignore[arg-type]


ENDED = RUNS.replace("=active", "=inactive")


@pytest.mark.parametrize(
    ("shown", "listens", "well"),
    [
        (RUNS, 3, True),
        (ENDED, 0, False),
        (f"{ENDED}TriggeredBy=greet.path greet.socket\n", 0, True),
        (f"{ENDED}TriggeredBy=greet.socket\n", 3, False),
        (f"{FAILED}TriggeredBy=greet.socket\n", 0, False),
    ],
    ids=["runs", "ended", "is idle", "is idle without its socket", "failed"],
)
def test_service_that_ends_when_idle_is_well(shown: str, listens: int, *, well: bool) -> None:
    """Such as cupsd and libvirtd, which their sockets start again."""
    node = Node({"systemctl show": [(0, shown)], "is-active": [(listens, "")]})
    state = systemd.states(node, ["greet.service"])["greet.service"]  # type: ignore[arg-type]
    assert systemd.is_well(state) is well


RESULTS = {
    "Type=notify that does not notify": (
        "ActiveState=failed\nActiveEnterTimestamp=\nResult=timeout\nTimeoutStartUSec=4s\nType=notify\n",
        "timeout: not started within 4s and no READY=1 from a service of Type=notify",
    ),
    "a process id file that is missing": (
        "ActiveState=failed\nActiveEnterTimestamp=\nResult=timeout\nTimeoutStartUSec=1min 30s\nType=forking\n",
        "timeout: not started within 1min 30s",
    ),
    "RuntimeMaxSec": (
        "ActiveState=failed\nActiveEnterTimestamp=Sat 2026-11-28 18:50:24 UTC\nResult=timeout\nTimeoutStartUSec=1min 30s\n",
        "timeout",
    ),
    "a bad unit file": ("ActiveState=inactive\nLoadState=bad-setting\nResult=success\n", "bad-setting"),
    "an end without an error": (
        "ActiveState=inactive\nLoadState=loaded\nResult=success\n",
        "its program ended without an error",
    ),
    "a unit that it requires did not start": (
        "ActiveState=inactive\nActiveEnterTimestamp=\nLoadState=loaded\nResult=success\n",
        "it was not started",
    ),
    "a restart between two failures": (
        "ActiveState=activating\nLoadState=loaded\nResult=success\n",
        "systemd is starting it again",
    ),
    "a watchdog": ("ActiveState=failed\nLoadState=loaded\nResult=watchdog\n", "watchdog"),
}


@pytest.mark.parametrize("what", RESULTS)
def test_result_of_unit(what: str) -> None:
    shown, expected = RESULTS[what]
    assert systemd.result_of(dict(line.split("=", 1) for line in shown.splitlines())) == expected


def test_health_command_that_hangs_at_the_end_keeps_its_earlier_answer() -> None:
    site, node, application = place()
    answers: list[Any] = [(Result((), 1), ["not yet"]), TimedOut("it did not end")]

    def attempt(*_: Any, **__: Any) -> Any:
        answer = answers.pop(0)
        site.clock.sleep(40)
        if isinstance(answer, Exception):
            raise answer
        return answer

    node.attempt = attempt  # type: ignore[method-assign]
    with pytest.raises(Failed, match=r"^greet: is not well on node0 after 60 s: ask: not yet$"):
        waiting.until_succeeds(site, node, application, ["ask"])  # type: ignore[arg-type]


def test_required_command_failure_is_reported() -> None:
    site, node, application = place(greet_sync=[(1, "Traceback\nOperationalError: access denied\nsee the manual\n")])
    with pytest.raises(Failed, match=r"^greet: greet sync ended with status 1: OperationalError: access denied$"):
        site.must(node, application, ["greet", "sync"])  # type: ignore[arg-type]


def test_site_refuses_missing_provider() -> None:
    site, *_ = place()
    with pytest.raises(ConfigurationError, match=r"deployment.applications: no mariadb, which others need \(such"):
        site.provider("mariadb")
    several = Application("id", keystone, (), ("node0", "node1"), {})
    with pytest.raises(ConfigurationError, match=r"deployment.applications.id.to: keystone runs on one node"):
        site.node_of(several)
    site.services["db"] = Service(role="mariadb", nodes=("node0",), packages=())
    assert site.provider("mariadb").nodes == ("node0",)
    assert site.passwords.of("x") == site.passwords.of("x") != site.passwords.of("y")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("", "its journal says nothing"),
        ("Started greet.service - Greeter.\nreading\n", "reading"),
        (
            (
                "Started greet.service - Greeter.\n"
                "greet.service: Failed to determine user credentials: No such process\n"
                "greet.service: Failed at step USER spawning /usr/bin/greetd: No such process\n"
                "greet.service: Main process exited, code=exited, status=217/USER\n"
                "greet.service: Failed with result 'exit-code'.\n"
            ),
            "Failed to determine user credentials: No such process",
        ),
        (
            'nginx: [emerg] unknown directive "x" in /etc/nginx/a.conf:4\nnginx: configuration file a test failed\n',
            'nginx: [emerg] unknown directive "x" in /etc/nginx/a.conf:4',
        ),
        (
            "greet.service: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.\n",
            "Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.",
        ),
        (
            "greet.service: start operation timed out. Terminating.\ngreet.service: Failed with result 'timeout'.\n",
            "start operation timed out. Terminating.",
        ),
        (
            (
                "starting\n2026-01-01 00:00:00.904 155 ERROR oslo_service.service [None req-1 - - -] Failed: no such host\n"
                "2026-01-01 00:00:00.905 155 ERROR oslo_service.service \n2026-01-01 00:00:00.906 155 INFO greet bye\n"
            ),
            "Failed: no such host",
        ),
    ],
)
def test_journal_line_of_unit(shown: str, expected: str) -> None:
    _, node, _ = place(journalctl=[(0, shown)])
    assert systemd.journal(node, "greet.service") == expected  # type: ignore[arg-type]
    assert node.asked[0].endswith(
        " greet.log _SYSTEMD_UNIT=greet.service + UNIT=greet.service + COREDUMP_UNIT=greet.service"
    )


@pytest.mark.parametrize("kind", ["path", "socket", "timer"])
def test_silent_unit_has_the_line_of_its_service(kind: str) -> None:
    service = "greet.service: Main process exited, code=exited, status=4/NOPERMISSION\n"
    own = {f"UNIT=greet.{kind}": [(0, f"greet.{kind}: Failed with result 'unit-start-limit-hit'.\n")]}
    node = Node({**own, "UNIT=greet.service": [(0, service)]})
    expected = "greet.service: Main process exited, code=exited, status=4/NOPERMISSION"
    assert systemd.journal(node, f"greet.{kind}") == expected  # type: ignore[arg-type]
    node = Node({f"UNIT=greet.{kind}": [(0, f"greet.{kind}: Refusing to run.\n")]})
    assert systemd.journal(node, f"greet.{kind}") == "Refusing to run."  # type: ignore[arg-type]


@dataclass
class Files(Node):
    """One file, which is empty for a while whenever it is written."""

    text: str = "[DEFAULT]\nstate_path = /var/lib/nova\n"

    def read(self, path: str) -> str:
        return self.text

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        self.text = ""
        time.sleep(0.05)
        self.text = text


def test_set_options_of_two_roles_are_serialized() -> None:
    node: Any = Files({})
    site = Site({"node0": node}, lambda *_, **__: Result((), 0), lambda *_: None)
    parts = [
        partial(site.files.set_options, node, "/etc/nova/nova.conf", f"[{name}]\na = 1\n") for name in ("one", "two")
    ]
    side_by_side(*parts)
    assert {"state_path = /var/lib/nova", "[one]", "[two]"} <= {*node.text.splitlines()}


JOB = """\
stopping others
Job for apache2.service failed because the control process exited with error code.
See "systemctl status apache2.service" and "journalctl -xeu apache2.service" for details.
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (JOB, "apache2.service: error: cannot open /etc/greet.conf"),
        ('psql: connection refused\nSee "systemctl status x".\n', "psql: connection refused"),
        ("", ""),
    ],
    ids=["a unit does not start", "a hint", "nothing"],
)
def test_output_is_explained_by_the_journal(output: str, expected: str) -> None:
    _, node, _ = place(journalctl=[(0, JOURNAL)])
    assert systemd.explained(node, output.splitlines()) == expected  # type: ignore[arg-type]
