"""The real fence_ipmilan and fence_redfish against simulators of their devices: OpenIPMI's ipmi_sim, and sushy-tools."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from lab.config.access import Login
from lab.config.machines import Power
from scripts.machines import fence_agent
from scripts.machines.power import PowerSwitch
from tests.processes import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.full]
LOGIN = Login("admin", "secret")
FIRST, SECOND = "27946b59-9e44-4fa7-8e91-f3527a1ef094", "27946b59-9e44-4fa7-8e91-f3527a1ef095"
# See ipmi_lan(5) and ipmi_sim_cmd(5).
LAN = """\
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
BMC = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"
CONTROL = """\
#!/bin/sh
case "$*" in
*"get power") echo "power:$(cat {state})" ;;
*"set power "*) for last; do :; done; echo "$last" > {state} ;;
esac
"""


@dataclass
class Box:
    """A device; ``on``: whether the machine behind it has power."""

    power: Power
    on: Callable[[], bool]
    process: subprocess.Popen[bytes]

    def switch(self, login: Login = LOGIN) -> PowerSwitch:
        return PowerSwitch("node0", self.power, login)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def needs(*programs: str) -> None:
    if lacking := [name for name in programs if not shutil.which(name)]:
        pytest.skip(f"{', '.join(lacking)}: not here")


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ipmi(home: Path) -> Iterator[Box]:
    needs("fence_ipmilan", "ipmi_sim", "ipmitool")
    state, control, port = home / "on", home / "control", free_port(socket.SOCK_DGRAM)
    state.write_text("0\n")
    control.write_text(CONTROL.format(state=state))
    control.chmod(0o755)
    (home / "lan.conf").write_text(LAN.format(port=port, control=control))
    (home / "bmc.emu").write_text(BMC)
    (home / "state").mkdir()
    argv = ["ipmi_sim", "-c", home / "lan.conf", "-f", home / "bmc.emu", "-s", home / "state", "-n"]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    options = {"ip": "127.0.0.1", "ipport": port, "lanplus": True, "cipher": 3}
    yield Box(Power(agent="fence_ipmilan", options=options), lambda: state.read_text().strip() == "1", process)
    process.kill()
    process.wait()


@contextmanager
def notified(states: dict[str, str]) -> Iterator[str]:
    """Yield the URL to which the emulator reports each change."""

    class Report(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            system = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not system.get("pending_power"):  # the change has been made
                states[system["uuid"]] = system["power_state"]
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
            """Be quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Report) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def redfish(home: Path) -> Iterator[Box]:
    needs("fence_redfish", "openssl", "sushy-emulator")
    port, states = free_port(socket.SOCK_STREAM), {FIRST: "Off", SECOND: "Off"}
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
         "-keyout", home / "key.pem", "-out", home / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    with notified(states) as url:
        systems = [
            {"uuid": uuid, "name": f"node{number}", "power_state": "Off", "external_notifier": True, "nics": []}
            for number, uuid in enumerate(states)
        ]
        settings = {
            "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1", "SUSHY_EMULATOR_LISTEN_PORT": port,
            "SUSHY_EMULATOR_SSL_CERT": str(home / "cert.pem"), "SUSHY_EMULATOR_SSL_KEY": str(home / "key.pem"),
            "SUSHY_EMULATOR_STATE_DIR": str(home), "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_FAKE_SYSTEMS": systems, "EXTERNAL_NOTIFICATION_URL": url,
        }  # fmt: skip
        (home / "sushy.conf").write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
        process = subprocess.Popen(["sushy-emulator", "--fake", "--config", home / "sushy.conf"])
        options: dict[str, str | int | bool] = {
            "ip": "127.0.0.1", "ipport": port, "ssl_insecure": True, "systems_uri": f"/redfish/v1/Systems/{FIRST}",
        }  # fmt: skip
        yield Box(Power(agent="fence_redfish", options=options), lambda: states[FIRST] == "On", process)
        process.kill()
        process.wait()
        assert states[SECOND] == "Off", "the other system was never touched"


BOXES = {"ipmi": ipmi, "redfish": redfish}


@pytest.fixture(params=BOXES)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    with BOXES[request.param](tmp_path) as made:
        assert wait_for(lambda: answers(made))
        yield made


def answers(made: Box) -> bool:
    try:
        return made.switch().status() == "off"
    except InfrastructureError:
        return False


def test_power_of_machine(box: Box) -> None:
    assert not list(fence_agent.faults(fence_agent.options(box.power.agent), box.power))
    node = box.switch()
    node.switch("on")
    assert (node.status(), box.on()) == ("on", True)
    node.cycle()
    assert (node.status(), box.on()) == ("on", True)
    node.switch("off")
    assert (node.status(), box.on()) == ("off", False)


def test_box_that_is_away(box: Box) -> None:
    box.end()
    with pytest.raises(InfrastructureError, match=rf"^node0: {box.power.agent}: status: \S.*") as caught:
        box.switch().status()
    assert "\n" not in str(caught.value)


def test_refused_login(tmp_path: Path) -> None:
    with ipmi(tmp_path) as box:
        assert wait_for(lambda: answers(box))
        with pytest.raises(InfrastructureError, match=r"^node0: fence_ipmilan: off: \S.*") as caught:
            box.switch(Login("admin", "wrong!")).switch("off")
        assert "\n" not in str(caught.value)
        assert "wrong!" not in str(caught.value)
