"""The unit of the lab server: systemd reads it as it is meant, and starts it anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.description import Lab
from scripts.host import lab_server_unit
from tests.lab.config.test_machines import described
from tests.scripts.host.noted_programs import noted


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory(lab=described())


@pytest.mark.skipif(not environment.find_program("systemd-analyze"), reason="systemd is not here")
@pytest.mark.parametrize("directory", ["qalab", "with a blank", "50% $HOME", 'a "quoted" one', "größer"])
def test_systemd_reads_the_unit(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory: str) -> None:
    home = tmp_path / directory
    home.mkdir()
    monkeypatch.setattr(sys, "argv", [str(home / "qalab.py")])
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    unit = tmp_path / lab_server_unit.name(lab)
    unit.write_text(lab_server_unit.unit(lab))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


def test_words_are_quoted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/srv/50% of $HOME/qalab.py"])
    command = next(line for line in lab_server_unit.unit(lab).splitlines() if line.startswith("ExecStart="))
    assert command == f'ExecStart={sys.executable} "/srv/50%% of $$HOME/qalab.py" machine serve --lab {lab.file}'


@pytest.mark.usefixtures("as_root")
def test_unit_is_installed_and_started(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs, said = noted(tmp_path, monkeypatch, "tee", "systemctl"), []
    with (tmp_path / "log").open("w") as log:
        lab_server_unit.set_up(lab, said.append, log)
    name = f"qalab-lab-server-{lab.lab.name}.service"
    assert programs.called() == [
        f"tee /etc/systemd/system/{name}",
        "systemctl daemon-reload",
        f"systemctl enable {name}",
        f"systemctl restart {name}",
    ]
    assert programs.input() == lab_server_unit.unit(lab)
    assert said == [f"the lab server runs as {name}: journalctl --unit {name}"]


@pytest.mark.usefixtures("as_root")
def test_failure_is_one_line(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = noted(tmp_path, monkeypatch, "tee", "systemctl")
    programs.fail("restart")
    with (tmp_path / "log").open("w") as log, pytest.raises(InfrastructureError, match="the lab server could not be"):
        lab_server_unit.set_up(lab, lambda _: None, log)


def test_lab_without_server(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        for lab in (None, lab_factory(lab=described(lab_server=None, machines={}))):
            with pytest.raises(ConfigurationError, match="lab_server: missing"):
                lab_server_unit.set_up(lab, lambda _: None, log)


def test_ordinary_user(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "is_root", lambda: False)
    with (tmp_path / "log").open("w") as log, pytest.raises(ConfigurationError, match="the lab server needs root"):
        lab_server_unit.set_up(lab, lambda _: None, log)
