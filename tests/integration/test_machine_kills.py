"""SIGKILL of the process that restores a machine, and of the lab server, at each stage: the next restoration succeeds.

The processes are real; the machine, its power switch and its ssh are doubles on the loopback.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.store.runs import Store
from scripts.drivers.metal.driver import MetalTarget
from scripts.machines import dnsmasq
from scripts.machines.netboot import lab_server_runs
from tests.lab.config.test_machines import machine
from tests.processes import python, wait_for
from tests.scripts.drivers.metal.conftest import made_image
from tests.scripts.machines.doubles import MachineDouble, Network, RackDouble, programs

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not all(path.exists() for path in dnsmasq.LOADERS.values()), reason="ipxe is not here"),
]
HOUSE = Path(__file__).parents[2]
STAGES = ("task", "volumes", "unpacked", "installed", "restored", "switch_root")
# The command, with the image of a test instead of a real one, and without patience.
RESTORE = """\
import sys
from contextlib import contextmanager
from pathlib import Path
from cli.main import main
from scripts.drivers.metal import bring_up, driver, image
from scripts.drivers.metal.image import MetalImage

@contextmanager
def prepared(*_):
    yield MetalImage(Path(sys.argv[1]), "bookworm", "1", {})

image.prepared, driver.missing_prerequisite, bring_up.RESTART_SECONDS = prepared, lambda: "", 0.5
sys.exit(main(["machine", "restore", "node0", "--lab", sys.argv[2]]))
"""


@dataclass
class Served:
    """A lab with one machine, and its lab server."""

    lab: Lab
    image: Path
    rack: RackDouble
    process: subprocess.Popen[bytes] | None = None

    @property
    def machine(self) -> MachineDouble:
        return self.rack.machines["node0"]

    def serve(self) -> None:
        argv = [sys.executable, "-m", "cli", "machine", "serve", "--lab", self.lab.file]
        with (self.image / "server.log").open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=HOUSE, stdout=log, stderr=log, start_new_session=True)
        assert self.lab.lab_server
        address = (str(self.lab.lab_server.address), self.lab.lab_server.port)
        assert wait_for(lambda: _answers(address)), (self.image / "server.log").read_text()

    def end(self) -> None:
        if self.process:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    @contextmanager
    def restoring(self) -> Iterator[subprocess.Popen[str]]:
        with python(RESTORE, self.image, self.lab.file) as process:
            yield process

    def restore(self) -> str:
        """Restore it to the end; return what the command printed."""
        with self.restoring() as process:
            said, _ = process.communicate(timeout=200)
        assert process.returncode == 0, said
        return said

    def whole(self) -> bool:
        noted = MetalTarget(Store.of(self.lab).environments / "node0", None, self.lab).noted()
        return bool(noted and noted.whole)


def _answers(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


@pytest.fixture
def served(lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with socket.create_server(("127.0.77.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = {"interface": "lo", "network": "127.0.77.0/24", "address": "127.0.77.1", "port": port}
    lab = lab_factory(lab={"lab_server": server, "machines": {"node0": machine(0, address="127.0.77.10")}})
    monkeypatch.setenv("QALAB_POWER_USER", "admn")
    monkeypatch.setenv("QALAB_POWER_PASSWORD", "secret")
    programs(tmp_path / "rack", monkeypatch)
    (tmp_path / "rack/bin/dnsmasq").write_text("#!/bin/sh\nexec sleep 1000\n")
    (tmp_path / "rack/bin/dnsmasq").chmod(0o755)
    rack = RackDouble.of(tmp_path / "rack", lab, Network("127.0.77.1", port))
    made_image(tmp_path / "image")
    made = Served(lab, tmp_path / "image", rack)
    made.serve()
    with rack.running():
        yield made
    made.end()


def reached(served: Served, stage: str) -> Callable[[], object]:
    if stage == "off":
        return lambda: served.rack.calls
    if stage == "on":
        return lambda: served.rack.on("node0")
    return lambda: served.machine.told[-1:] == [stage]


def hold_at(served: Served, stage: str) -> None:
    if stage == "off":
        (served.rack.home / "hangs").touch()
    else:
        served.machine.faults = [{"on": "silent", "switch_root": "deaf"}.get(stage, f"at {stage}")]


@pytest.mark.parametrize("stage", ["off", "on", *STAGES])
def test_controlling_process_is_killed(served: Served, stage: str) -> None:
    hold_at(served, stage)
    with served.restoring() as process:
        assert wait_for(reached(served, stage))
        process.send_signal(signal.SIGKILL)
        process.wait()
    (served.rack.home / "hangs").unlink(missing_ok=True)
    assert not served.whole()
    former = served.machine.root
    said = served.restore()
    assert said.rpartition("\n")[0].endswith(" s")
    assert "restored" in said
    assert served.whole()
    assert served.machine.root not in {"", former}, "with a host key of its own"
    assert served.rack.on("node0")


@pytest.mark.parametrize("stage", ["on", *STAGES[:-1]])
def test_lab_server_is_killed(served: Served, stage: str) -> None:
    hold_at(served, stage)
    with served.restoring() as process:
        assert wait_for(reached(served, stage))
        served.end()
        said, _ = process.communicate(timeout=200)
    assert process.returncode == 3
    assert said.rstrip().endswith("node0: the lab server ended")
    assert not lab_server_runs(Store.of(served.lab))
    served.serve()
    assert "restored" in served.restore()
    assert served.whole()


def test_two_restorations_at_once(served: Served) -> None:
    hold_at(served, "volumes")
    with served.restoring() as first:
        assert wait_for(reached(served, "volumes"))
        with served.restoring() as second:
            said, _ = second.communicate(timeout=200)
        assert (second.returncode, said.splitlines()[-1]) == (3, "qalab: node0: a deployment works on the machines now")
        assert served.machine.told[-1] == "volumes", "the first one goes on"
        assert first.poll() is None
