"""The health of a node, from outputs that nodes of Debian 12 printed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scripts.services import node_health
from scripts.services.deployed_state import NodeBaseline
from scripts.services.node_health import LoggedEntry

BEFORE = """\
=== cursor
-- cursor: s=a783908b8fae40c5866ef8b9dbbe5875;i=60;b=0f1656b7b2544deb8c828660fd5f3e2e
=== failed
abort.service loaded failed failed abort.service
=== restarts
NRestarts=0
Id=systemd-sysctl.service

NRestarts=1
Id=flaky.service
=== sizes
146 /var/log/nginx/error.log
0 /var/log/postgresql/postgresql 15.log
"""
SINCE = """\
=== cursor
-- cursor: s=a783908b8fae40c5866ef8b9dbbe5875;i=81;b=0f1656b7b2544deb8c828660fd5f3e2e
=== failed
abort.service loaded failed failed abort.service
flaky.service loaded failed failed flaky.service
=== restarts
NRestarts=3
Id=flaky.service

Id=dbus.service

NRestarts=0
Id=nginx.service
=== sizes
294 /var/log/nginx/error.log
=== entries
{"__CURSOR":"s=a783908b8fae40c5866ef8b9dbbe5875;i=60;b=0f1656b7b2544deb8c828660fd5f3e2e","SYSLOG_IDENTIFIER":"y","MESSAGE":"told before","PRIORITY":"3"}
{"__CURSOR":"s=a;i=71","SYSLOG_IDENTIFIER":"(python3)","MESSAGE":"web.service: Failed at step EXEC spawning python3: No such file or directory","UNIT":"web.service","_SYSTEMD_UNIT":"web.service","PRIORITY":"3"}
{"__CURSOR":"s=a;i=72","UNIT":"greet.service","_SYSTEMD_UNIT":"init.scope","MESSAGE":"greet.service: Main process exited, code=killed, status=9/KILL","PRIORITY":"5"}
{"__CURSOR":"s=a;i=73","SYSLOG_IDENTIFIER":"y","MESSAGE":[99,97,102,233,32,98,114,111,107,101,110],"PRIORITY":"3"}
{"__CURSOR":"s=a;i=74","_SYSTEMD_UNIT":"web.service","MESSAGE":"Traceback (most recent call last):","PRIORITY":"6"}
{"__CURSOR":"s=a;i=75","SYSLOG_IDENTIFIER":"systemd","UNIT":"flaky.service","_SYSTEMD_UNIT":"init.scope","PRIORITY":"3","MESSAGE":"Failed to start flaky.service."}
=== lines
/var/log/nginx/error.log: 2026/11/28 18:10:57 [alert] 94#94: worker process 143 exited on signal 11
"""


def test_baseline_of_node() -> None:
    assert node_health.parse_baseline(BEFORE) == NodeBaseline(
        cursor="s=a783908b8fae40c5866ef8b9dbbe5875;i=60;b=0f1656b7b2544deb8c828660fd5f3e2e",
        failed=("abort.service",),
        restarts={"flaky.service": 1},
        sizes={"/var/log/nginx/error.log": 146, "/var/log/postgresql/postgresql 15.log": 0},
    )


def test_health_since_baseline() -> None:
    health = node_health.parse_health(SINCE, node_health.parse_baseline(BEFORE))
    assert (health.failed, health.restarted) == (("flaky.service",), {"flaky.service": 2})
    assert health.crashes == [
        ("greet.service", "greet.service: Main process exited, code=killed, status=9/KILL"),
        ("", "/var/log/nginx/error.log: 2026/11/28 18:10:57 [alert] 94#94: worker process 143 exited on signal 11"),
    ]
    assert health.errors("flaky.service") == ["Failed to start flaky.service."]
    assert health.errors("greet.service") == []
    assert health.errors("y") == ["caf\N{REPLACEMENT CHARACTER} broken"]
    assert [line[:9] for line in health.errors("web.service")] == ["web.servi", "Traceback"]


@pytest.mark.parametrize("fields", ['"SYSLOG_IDENTIFIER":"(sd-executor)"', '"_SYSTEMD_UNIT":"init.scope"'])
def test_crash_in_systemd_itself_is_of_no_unit(fields: str) -> None:
    line = "/usr/lib/systemd/system-generators/x failed with exit status 7."
    said = f'{{"__CURSOR":"s=a;i=76",{fields},"MESSAGE":"{line}","PRIORITY":"3"}}'
    output = f"{SINCE.partition('=== entries')[0]}=== entries\n{said}\n=== lines\n"
    assert node_health.parse_health(output, node_health.parse_baseline(BEFORE)).crashes == [("", line)]


SAYS = '{"__CURSOR":"s=a;i=%d","SYSLOG_IDENTIFIER":"%s","UNIT":"%s","PRIORITY":"4","MESSAGE":"%s"}\n'
ENDED = "%s.service: Failed with result 'exit-code'."
AGAIN = "tidy.service: Scheduled restart job, restart counter is at 1."
NOTICES: dict[str, tuple[list[tuple[str, str]], dict[str, str], dict[str, int]]] = {
    "a unit of a timer that failed once": (
        [("tidy.service", "tidy.service: Failed with result 'exit-code'.")], {"tidy.service": "exit-code"}, {},
    ),
    "restarts that a start by hand hides": ([("tidy.service", AGAIN), ("tidy.service", AGAIN)], {}, {"tidy.service": 2}),
    "restarts that systemd counts too": ([("flaky.service", AGAIN.replace("tidy", "flaky"))], {}, {"flaky.service": 2}),
    "a daemon that exits with an error when it is stopped": (
        [("greet.service", "Stopping greet.service - Greeter..."), ("greet.service", ENDED % "greet"),
         ("greet.service", "Started greet.service - Greeter.")], {}, {},
    ),
    "a daemon that fails after a restart": (
        [("greet.service", "Stopping greet.service..."), ("greet.service", "Started greet.service."), ("greet.service", ENDED % "greet")],
        {"greet.service": "exit-code"}, {},
    ),
    "a daemon that says that it stops something": (
        [("greet.service", "Stopping tidy.service..."), ("greet.service", "Stopping workers..."), ("greet.service", ENDED % "greet")],
        {"greet.service": "exit-code"}, {},
    ),
    "a program that quotes systemd": (
        [("", AGAIN), ("web.service", AGAIN), ("web.service", "it says tidy.service: Failed with result 'exit-code'.")], {}, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", NOTICES)
def test_failure_that_the_state_does_not_show_any_more(what: str) -> None:
    said, ended, restarted = NOTICES[what]
    entries = "".join(SAYS % (number, "systemd", unit, text) for number, (unit, text) in enumerate(said))
    shown = BEFORE.replace("NRestarts=1", "NRestarts=3") if "counts too" in what else BEFORE
    health = node_health.parse_health(
        f"{shown}=== entries\n{entries * 2}=== lines\n", node_health.parse_baseline(BEFORE)
    )
    assert (health.ended, health.restarted, health.crashes) == (ended, restarted, [])


POPULATED = {
    "its daemon runs": ("exited", "./system.slice/greet.service/cgroup.procs", ()),
    "a daemon in a group of its own below it": ("exited", "./system.slice/greet.service/worker/cgroup.procs", ()),
    "its daemon has died": ("exited", "./system.slice/greet.service.d/cgroup.procs", ("greet.service",)),
    "it has failed, which its state shows": ("failed", "", ()),
}


@pytest.mark.parametrize("what", POPULATED)
def test_unit_that_is_active_without_a_program(what: str) -> None:
    state, populated, emptied = POPULATED[what]
    before = node_health.parse_baseline(BEFORE).model_copy(update={"left": ("greet.service",)})
    shown = BEFORE.replace(
        "=== sizes",
        f"\nId=greet.service\nSubState={state}\nControlGroup=/system.slice/greet.service\n\n"
        f"Id=tidy.service\nSubState=exited\nControlGroup=\n=== populated\n./cgroup.procs\n{populated}\n=== sizes",
    )
    health = node_health.parse_health(f"{shown}=== entries\n=== lines\n", before)
    assert (health.emptied, health.left) == (emptied, () if emptied or state == "failed" else ("greet.service",))


def test_reboot_is_told_by_the_journal() -> None:
    before = node_health.parse_baseline(BEFORE)
    for old, new, rebooted in (("", "", False), ("b=0f16", "b=77ff", True), ("-- cursor: ", "", False)):
        health = node_health.parse_health(BEFORE.replace(old, new) + "=== entries\n=== lines\n", before)
        assert health.rebooted is rebooted


def test_health_of_quiet_node() -> None:
    before = node_health.parse_baseline(BEFORE)
    health = node_health.parse_health(f"{BEFORE}=== entries\n=== lines\n", before)
    assert (health.crashes, health.failed, health.restarted) == ([], (), {})


KILLS = {
    "version 1, for the first time": (0, "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "1 program"),
    "version 1, again": (1, "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "2 programs"),
    "version 2": (0, "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n", "1 program"),
    "none since": (2, "oom_kill 2\n", ""),
    "no group of its own": (0, "", ""),
}


@pytest.mark.parametrize("what", KILLS)
def test_kill_for_memory_is_a_crash(what: str) -> None:
    killed, shown, expected = KILLS[what]
    before = node_health.parse_baseline(BEFORE).model_copy(update={"killed": killed})
    health = node_health.parse_health(f"{BEFORE}=== killed\n{shown}=== entries\n=== lines\n", before)
    assert health.crashes == ([("", f"killed for lack of memory ({expected})")] if expected else [])


CRASHES: dict[str, bool] = {
    "x.service: Main process exited, code=dumped, status=6/ABRT": True,
    "x.service: Main process exited, code=killed, status=11/SEGV": True,
    "x.service: Failed with result 'oom-kill'.": True,
    "x.service: Failed with result 'core-dump'.": True,
    "x.service: A process of this unit has been killed by the OOM killer.": True,
    "Out of memory: Killed process 311 (mysqld) total-vm:1803276kB": True,
    "server process (PID 410) was terminated by signal 11: Segmentation fault": True,
    "child pid 17 exit signal Segmentation fault (11), possible coredump in /etc/apache2": True,
    "!!! uWSGI process 23 got Segmentation Fault !!!": True,
    "Process 2208 (python3) of user 112 dumped core.": True,
    "free(): double free or corruption (out)": True,
    "panic: runtime error: invalid memory address or nil pointer dereference": True,
    "thread 'main' panicked at 'index out of bounds', src/main.rs:4:5": True,
    "/usr/lib/systemd/system-generators/x-generator failed with exit status 1.": True,
    "/lib/systemd/system-generators/x-generator terminated by signal SEGV.": True,
    "/usr/lib/systemd/system-generators/systemd-gpt-auto-generator failed with exit status 1.": False,
    "x.service: Main process exited, code=killed, status=15/TERM": False,
    "x.service: Main process exited, code=exited, status=1/FAILURE": False,
    "received fast shutdown request": False,
    "worker process 143 exited with code 0": False,
    "server process exited on signal 15": False,
    "don't panic: all is well": False,
}


@pytest.mark.parametrize("line", CRASHES)
def test_crash_is_told_from_a_stop(line: str) -> None:
    assert LoggedEntry("x.service", line, is_error=False).is_crash is CRASHES[line]


def test_program_compares_with_baseline_of_node() -> None:
    asked: list[Any] = []

    class Node:
        def run(self, argv: list[str], **_: Any) -> Any:
            asked.append(argv)
            return type("Result", (), {"stdout": SINCE})

    node_health.since(Node(), node_health.parse_baseline(BEFORE))  # type: ignore[arg-type]
    (argv,) = asked
    assert argv[4].startswith("s=a783908b")
    assert argv[6] == "146 /var/log/nginx/error.log\n0 /var/log/postgresql/postgresql 15.log\n"
    assert re.compile(argv[5])
