"""What switches the power of machines, on ports of the loopback, for the real fence agents.

A double of a Sentry Switched CDU, and two simulators of others' making: OpenIPMI's ipmi_sim, which has one BMC for each
machine, and the emulator of sushy-tools (``pip install sushy-tools``).  They tell a panel in this process what they do.
"""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from lab.config.access import Login
from tests.scripts.machines.outlets import Outlets
from tests.scripts.machines.sentry import sentry

LOGIN: Final = Login("admin", "secret")
# See ipmi_lan(5) and ipmi_sim_cmd(5).
LAN: Final = """\
name "bmc"
set_working_mc 0x20
startlan 1
addr 127.0.0.1 {port}
priv_limit admin
allowed_auths_admin md5 straight
guid a123456789abcdefa123456789abcdef
endlan
chassis_control "{control}"
user 2 true "admin" "secret" admin 10 md5 straight
"""
BMC: Final = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"
# Its arguments: get power, or set power 1.
CONTROL: Final = """\
#!{python}
import json, sys, urllib.request
data = None
if sys.argv[1:3] == ["set", "power"]:
    data = json.dumps({{"name": "{name}", "power_state": "On" if sys.argv[3] == "1" else "Off"}}).encode()
request = urllib.request.Request("{url}{name}", data, method="PUT" if data else "GET")
with urllib.request.urlopen(request) as answer:
    print("power:" + answer.read().decode())
"""


@dataclass
class PowerBoxes:
    """The devices; ``power``: that of each machine, as in lab.yaml."""

    power: Mapping[str, Mapping[str, Any]]
    login: Login = LOGIN
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def needs(*programs: str) -> None:
    if lacking := [name for name in programs if not shutil.which(name)]:
        pytest.skip(f"{', '.join(lacking)}: not here")


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _panel(outlets: Outlets) -> Iterator[str]:
    """Yield a URL: GET tells whether a machine has power, PUT of a system as sushy-tools reports it switches it."""

    class Panel(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(self.path[1:])

        def do_PUT(self) -> None:
            system = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not system.get("pending_power"):  # the change has been made
                (outlets.start if system["power_state"] == "On" else outlets.end)(system["name"])
            self._answer(system["name"])

        def _answer(self, name: str) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"1" if outlets.is_on(name) else b"0")

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
            """Be quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Panel) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def cdu(_home: Path, outlets: Outlets) -> Iterator[PowerBoxes]:
    needs("fence_cdu", "telnet")
    with sentry(outlets) as device:
        options = {"ip": "127.0.0.1", "ipport": device.port}
        power = {name: {"agent": "fence_cdu", "options": {**options, "plug": name}} for name in outlets.names}
        yield PowerBoxes(power, Login("admn", "secret"))


@contextmanager
def ipmi(home: Path, outlets: Outlets) -> Iterator[PowerBoxes]:
    needs("fence_ipmilan", "ipmi_sim", "ipmitool")
    made = PowerBoxes({})
    with _panel(outlets) as url, ExitStack() as stack:
        stack.callback(made.end)
        power: dict[str, Mapping[str, Any]] = {}
        for name in outlets.names:
            bmc, port = home / f"{name}.bmc", _free_port(socket.SOCK_DGRAM)
            (bmc / "state").mkdir(parents=True)
            (bmc / "control").write_text(CONTROL.format(python=sys.executable, url=url, name=name))
            (bmc / "control").chmod(0o755)
            (bmc / "lan.conf").write_text(LAN.format(port=port, control=bmc / "control"))
            (bmc / "bmc.emu").write_text(BMC)
            argv = ["ipmi_sim", "-c", bmc / "lan.conf", "-f", bmc / "bmc.emu", "-s", bmc / "state", "-n"]
            made.processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL))
            options = {"ip": "127.0.0.1", "ipport": port, "lanplus": True, "cipher": 3}
            power[name] = {"agent": "fence_ipmilan", "options": options}
        made.power = power
        yield made


@contextmanager
def redfish(home: Path, outlets: Outlets) -> Iterator[PowerBoxes]:
    needs("fence_redfish", "openssl", "sushy-emulator")
    port = _free_port(socket.SOCK_STREAM)
    ids = {name: f"27946b59-9e44-4fa7-8e91-f3527a1ef{number:03x}" for number, name in enumerate(outlets.names)}
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
         "-keyout", home / "key.pem", "-out", home / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    with _panel(outlets) as url, ExitStack() as stack:
        systems = [
            {"uuid": uuid, "name": name, "power_state": "Off", "external_notifier": True, "nics": []}
            for name, uuid in ids.items()
        ]
        settings = {
            "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1", "SUSHY_EMULATOR_LISTEN_PORT": port,
            "SUSHY_EMULATOR_SSL_CERT": str(home / "cert.pem"), "SUSHY_EMULATOR_SSL_KEY": str(home / "key.pem"),
            "SUSHY_EMULATOR_STATE_DIR": str(home), "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_FAKE_SYSTEMS": systems, "EXTERNAL_NOTIFICATION_URL": url,
        }  # fmt: skip
        (home / "sushy.conf").write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
        options = {"ip": "127.0.0.1", "ipport": port, "ssl_insecure": True}
        power = {
            name: {"agent": "fence_redfish", "options": {**options, "systems_uri": f"/redfish/v1/Systems/{uuid}"}}
            for name, uuid in ids.items()
        }
        with (home / "sushy.log").open("wb") as log:
            argv = ["sushy-emulator", "--fake", "--config", home / "sushy.conf"]
            made = PowerBoxes(power, processes=[subprocess.Popen(argv, stdout=log, stderr=log)])
        stack.callback(made.end)
        yield made


BOXES: Final[dict[str, Callable[[Path, Outlets], AbstractContextManager[PowerBoxes]]]] = {
    "cdu": cdu,
    "ipmi": ipmi,
    "redfish": redfish,
}


@contextmanager
def boxes(kind: str, home: Path, outlets: Outlets) -> Iterator[PowerBoxes]:
    """Provide boxes of a kind; no machine has power in the end."""
    try:
        with BOXES[kind](home, outlets) as made:
            yield made
    finally:
        outlets.end_all()
