"""The unit of systemd that runs the lab server of bare machines, from each boot of this machine on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final

from lab.base import environment
from lab.base.errors import Aborted, ConfigurationError, InfrastructureError
from lab.base.run import ProgramFailed, Word, run
from lab.config.description import Lab

UNITS: Final = Path("/etc/systemd/system")
VARIABLES: Final = ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")


def name(lab: Lab) -> str:
    return f"qalab-lab-server-{lab.lab.name}.service"


def unit(lab: Lab) -> str:
    """Return the unit: this qalab, with this lab file and this user's state."""
    command: list[Word] = [sys.executable, Path(sys.argv[0]).resolve(), "machine", "serve", "--lab", lab.file.resolve()]
    kept = [f"{name}={value}" for name in VARIABLES if (value := environment.variable(name))]
    return f"""\
# Written by `qalab setup --lab-server`.
[Unit]
Description=Network boot of the bare machines of the lab {lab.lab.name}
Wants=network-online.target
After=network-online.target

[Service]
Environment={" ".join(map(_quoted, kept))}
ExecStart={" ".join(map(_quoted, command))}
Restart=on-failure
RestartSec=10
SuccessExitStatus={Aborted.exit_code}

[Install]
WantedBy=multi-user.target
"""


def set_up(lab: Lab | None, say: Callable[[str], None], log: IO[str]) -> None:
    """Install the unit and start it anew.  Raises ConfigurationError, InfrastructureError."""
    if lab is None or lab.lab_server is None:
        raise ConfigurationError("lab_server: missing", hint="the network of the bare machines, in lab.yaml")
    if not environment.is_root():
        raise ConfigurationError("the lab server needs root", hint="run as root: qalab setup --lab-server")
    say(f"the lab server runs as {name(lab)}: journalctl --unit {name(lab)}")
    commands: tuple[tuple[Sequence[Word], str], ...] = (
        (["tee", UNITS / name(lab)], unit(lab)),
        (["systemctl", "daemon-reload"], ""),
        (["systemctl", "enable", name(lab)], ""),
        (["systemctl", "restart", name(lab)], ""),
    )
    try:
        for command, text in commands:
            run(command, log=log, stdin=text.encode())
    except ProgramFailed as error:
        raise InfrastructureError(f"the lab server could not be set up: {error}", hint=f"see {log.name}") from error


def _quoted(word: Word) -> str:
    """Quote as systemd.syntax(7) and its specifiers ask for."""
    text = str(word).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if text != str(word) or " " in text else text
