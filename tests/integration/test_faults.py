"""Things that packagers break, on real containers: each with its verdict and a message that names the cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from scripts.deployment import environments
from tests.conftest import Bench
from tests.integration.test_deploy import SUBPROCESS, Place

pytestmark = pytest.mark.full
SERVICE = "[Service]\nExecStart=/usr/bin/greetd\n"
INSTALL = "\n[Install]\nWantedBy=multi-user.target\n"
UNITS, WANTS = "lib/systemd/system", "/etc/systemd/system/multi-user.target.wants"


def files(
    unit: str = SERVICE, program: str = "exec sleep infinity", name: str = "greet.service", link: str = "", **more: str
) -> tuple[tuple[str, str], ...]:
    """Return the files of a package with an enabled unit; ``more``: further units, with _ for the dot."""
    enable = f"#!/bin/sh\nset -e\nln -sf /{UNITS}/{name} {WANTS}/{link or name}\n"
    units = {f"{UNITS}/{other.replace('_', '.')}": text for other, text in more.items()}
    made = {"usr/bin/greetd": f"#!/bin/sh\n{program}\n", f"{UNITS}/{name}": unit + INSTALL, **units}
    return (*made.items(), ("DEBIAN/postinst", enable))


def oneshot(command: str) -> str:
    return f"[Service]\nType=oneshot\nExecStart=/bin/sh -c '{command}'\n"


TWICE_ON_A_PORT = (
    "exec perl -MSocket -e 'for (1, 2) { socket(my $s, PF_INET, SOCK_STREAM, 0); push @a, $s; "
    'bind($s, sockaddr_in(5353, INADDR_ANY)) or die "bind: $!\\n"; listen($s, 1) }\''
)
TYPED = "/etc/systemd/system/multiuser.target.wants"
DIES = "greet: greet.service starts and dies on node0"
STARTS_NOT = "greet: greet.service does not start on node0"
IDLE = "greet: none of its services runs: greet.service: its condition is not met"
FAULTS: dict[str, tuple[tuple[tuple[str, str], ...], str, str]] = {
    "a service that never notifies": (
        files(f"{SERVICE}Type=notify\nTimeoutStartSec=4\n"), "failed",
        f"{STARTS_NOT} (timeout: not started within 4s and no READY=1 from a service of Type=notify): ",
    ),
    "a process id file that is never written": (
        files(f"{SERVICE}Type=forking\nPIDFile=/run/greet.pid\nTimeoutStartSec=4\n", "sleep 300 &"), "failed",
        f"{STARTS_NOT} (timeout: not started within 4s): ",
    ),
    "a service that ends without an error": (
        files(program="echo nothing to do"), "failed", f"{DIES} (its program ended without an error): nothing to do",
    ),
    "a program that does not exist": (
        files("[Service]\nExecStart=/usr/bin/nothere\n"), "failed",
        f"{DIES} (exit-code): Failed to locate executable /usr/bin/nothere: No such file or directory",
    ),
    "a unit without a program": (
        files("[Service]\nType=simple\n"), "failed", f"{STARTS_NOT} (bad-setting): Service has no ExecStart=",
    ),
    "a required unit that fails": (
        files(f"[Unit]\nRequires=base.service\nAfter=base.service\n{SERVICE}", base_service=oneshot("echo fatal: no licence; exit 5")),
        "failed", "greet: base.service does not start on node0 (exit-code): fatal: no licence",
    ),
    "a check before the start that fails": (
        files(f"{SERVICE}ExecStartPre=/bin/sh -c 'echo fatal: config invalid; exit 4'\n"), "failed",
        f"{STARTS_NOT} (exit-code): fatal: config invalid",
    ),
    "a user that does not exist": (
        files(f"{SERVICE}User=greet\n"), "failed", f"{DIES} (exit-code): Failed to determine user credentials: No such process",
    ),
    "a program without a word": (
        files(program="exit 3"), "failed", f"{DIES} (exit-code): Main process exited, code=exited, status=3/NOTIMPLEMENTED",
    ),
    "an enabled unit without a file": (
        (("usr/bin/greetd", "#!/bin/sh\n"), files()[-1]), "failed", f"{STARTS_NOT} (it is enabled, and has no unit file): ",
    ),
    "a path whose service fails": (
        files("[Path]\nPathExists=/etc/hostname\n", name="greet.path", greet_service=oneshot("echo fatal: no rights; exit 9")),
        "failed", "greet: greet.path does not start on node0 (unit-start-limit-hit): greet.service: fatal: no rights",
    ),
    "a port in use": (
        files(program=TWICE_ON_A_PORT), "failed", f"{DIES} (exit-code): bind: Address already in use",
    ),
    "a file of another package": (
        (*files(), ("bin/mount", "#!/bin/sh\n")), "failed",
        "the package greet cannot be installed: trying to overwrite '/bin/mount', which is also in package mount ",
    ),
    "a postinst with a hint at its end": (
        (("DEBIAN/postinst", "#!/bin/sh\nmount -t ext4 /dev/null /mnt\n"),), "failed",
        f"the package greet cannot be installed: {SUBPROCESS} 32 (mount: /mnt: /dev/null ",
    ),
    "a worker that is killed for memory": (
        files(program="(sleep 1; head --bytes=900M /dev/zero | tail > /dev/null) & exec sleep infinity"), "failed",
        "a program crashed on node0: killed for lack of memory (1 program)",
    ),
    "a user without permission": (
        files(f"{SERVICE}User=nobody\n", "touch /etc/greet.db || exit 1; exec sleep infinity"), "failed",
        f"{DIES} (exit-code): touch: cannot touch '/etc/greet.db': Permission denied",
    ),
    "a watchdog that is not fed": (
        files(f"{SERVICE}WatchdogSec=2\n"), "failed", f"{DIES} (watchdog): Watchdog timeout (limit 2s)!",
    ),
    "an error in a log file only": (
        files(program="echo 'fatal: bad schema version 7' > /var/log/greet.log; exit 1"), "failed",
        f"{DIES} (exit-code): fatal: bad schema version 7",
    ),
    "a condition that is not met": (
        files(f"[Unit]\nConditionPathExists=/etc/greet/on\n{SERVICE}"), "failed", f"{IDLE}: ConditionPathExists=/etc/greet/on",
    ),
    "a unit without [Install]": (
        (*files()[:1], (f"{UNITS}/greet.service", SERVICE)), "failed",
        "greet: none of its services runs: greet.service: it has no [Install], and no other unit starts it",
    ),
    "a timer that is not enabled": (
        (*files()[:1], (f"{UNITS}/greet.timer", f"[Timer]\nOnActiveSec=1s\n{INSTALL}"), (f"{UNITS}/greet.service", SERVICE)), "failed",
        "greet: none of its services runs: greet.timer: it is disabled",
    ),
    "a target that no boot starts": (
        (*files()[:2], ("DEBIAN/postinst", f"#!/bin/sh\nset -e\nmkdir -p {TYPED}\nln -s /{UNITS}/greet.service {TYPED}/\n")), "failed",
        "greet: none of its services runs: greet.service: it is enabled, and for no target that a boot starts",
    ),
    "a postinst that shuts its node down": (
        (("DEBIAN/postinst", "#!/bin/sh\nsystemctl poweroff\n"),), "failed",
        "node0 shuts down or reboots while greet is installed: a maintainer script, its own or an earlier one, asks for it",
    ),
    "a postinst that reboots": (
        (("DEBIAN/postinst", "#!/bin/sh\nsystemctl reboot\nsleep 60\n"),), "failed",
        "node0 shuts down or reboots while greet is installed: a maintainer script, its own or an earlier one, asks for it",
    ),
    "a generator that fails": (
        (*files(), ("lib/systemd/system-generators/greet", "#!/bin/sh\nexit 7\n")), "failed",
        "a program crashed on node0: /usr/lib/systemd/system-generators/greet failed with exit status 7.",
    ),
    "a service that ends when it is idle": (
        files(f"[Unit]\nRequires=greet.socket\n{SERVICE}", "exec sleep 4", greet_socket="[Socket]\nListenStream=7777\n"),
        "passed", "greet 1.0-1",
    ),
    "a service that needs a machine": (
        files(f"[Unit]\nConditionVirtualization=!container\n{SERVICE}"), "skipped",
        f"needs isolation-machine: {IDLE}: ConditionVirtualization=!container",
    ),
    "a service of a timer that fails": (
        files("[Timer]\nOnActiveSec=1s\nAccuracySec=1ms\n", name="greet.timer", greet_service=oneshot("echo fatal: no rights; exit 9")),
        "failed", "greet.service failed on node0: fatal: no rights",
    ),
    "a postinst that asks": (
        (("DEBIAN/postinst", "#!/bin/sh\nread answer || { echo 'a password is needed' >&2; exit 3; }\n"),), "failed",
        f"the package greet cannot be installed: {SUBPROCESS} 3 (a password is needed)",
    ),
    "a postinst that hangs": (
        (("DEBIAN/postinst", "#!/bin/sh\nsleep 100000\n"),), "failed", "the package greet: its postinst has run for ",
    ),
    "a timer, whose service is not started": (
        files("[Timer]\nOnActiveSec=1h\n", name="greet.timer", greet_service=oneshot("false")), "passed", "greet 1.0-1",
    ),
    "a socket": (files("[Socket]\nListenStream=7777\n", name="greet.socket", greet_service=SERVICE), "passed", "greet 1.0-1"),
    "a path": (files("[Path]\nPathExists=/run/go\n", name="greet.path", greet_service=SERVICE), "passed", "greet 1.0-1"),
    "an instance": (
        files("[Service]\nExecStart=/bin/sleep infinity\n", name="greet@.service", link="greet@one.service"), "passed", "greet 1.0-1",
    ),
}  # fmt: skip


@pytest.fixture
def place(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], shared_cache: Path) -> Iterator[Place]:
    track: dict[str, Any] = {"phases": ["build", "deploy", "exercise"], "settle_seconds": 6}
    limits = {"applications": {"greet": {"role": "package"}}, "limits": {"minutes": 1, "memory": 256}}
    made = Place(lab_factory(track=track, lab={"deployment": limits}), bench)
    yield made
    for name in environments.names(made.lab):
        environments.target(made.lab, name).destroy()
    assert made.left == []


@pytest.mark.parametrize("what", FAULTS)
def test_fault_is_reported_with_its_cause(place: Place, what: str) -> None:
    content, verdict, message = FAULTS[what]
    _, record = place.deploy(files=content)
    assert (record.verdict, record.message[: len(message)]) == (verdict, message)
    if what == "an instance":
        assert record.facts["services"] == {"greet": ["greet@one.service"]}
