"""A node that is a separate machine, reached with OpenSSH; see ssh(1), ssh_config(5).

One connection carries all commands (ControlMaster).  Its socket is in the environment's directory, and it ends by
itself soon after the last command of a killed process.  ssh runs in that directory, because the path of a socket is
limited in length (unix(7)).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Unpack

from lab.base.errors import InfrastructureError
from lab.base.run import AttemptOptions, ProgramFailed, Result, RunOptions, TimedOut, Word, complaint, last_words, run
from scripts.drivers.commands import SETTINGS, attempted, writing
from scripts.drivers.nspawn.keeper import wait_until

LOST = 255  # what ssh itself ends with; a command may as well
OWN = "qalab: it is the command that ended with 255"
# OpenSSH hands its words over as one, which a shell there takes apart.
REMOTE = f'"$@"; status=$?; [ "$status" != {LOST} ] || echo "{OWN}" >&2; exit "$status"'
OPTIONS = (
    "BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=3",
    "LogLevel=ERROR", "RequestTTY=yes",  # where standard input is a terminal, that is
)  # fmt: skip
SHARED = ("ControlMaster=auto", "ControlPersist=30")
HANGS_UP_SECONDS = 2.0
ALONE = ("ControlPath=none", "ExitOnForwardFailure=yes")
# Too many commands at once, or two first ones: some use separate connections, and ssh reports that.
ASIDE = re.compile(r"ControlSocket \S+ already exists|mux_client_request_session: ")
# Messages of ssh as one self-contained line: the first matching pattern applies.
SAID = (
    (re.compile(r"^Offending (?P<kind>\S+) key in (?P<where>.*)$", re.MULTILINE),
     "its host key has changed: {where} has another {kind} key"),
    (re.compile(r"^Host key verification failed", re.MULTILINE), "its host key is not known"),
    (re.compile(r"(?P<why>Permission denied \(.*\))"), "{why}"),
    (re.compile(r"^ssh: (?P<why>(?:connect to|Could not resolve).*)$", re.MULTILINE), "{why}"),
    (re.compile(r"(?P<why>remote port forwarding failed for .*)$", re.MULTILINE), "{why}"),
)  # fmt: skip


@dataclass(frozen=True)
class SshMachine:
    """A node: ``login`` is USER@HOST[:PORT], ``home`` the environment's directory.

    ``forwards``: what commands that are ``online`` reach on their own loopback, as for the option -R of ssh.
    ``options``: further options of ssh_config(5).
    """

    home: Path
    name: str
    login: str
    address: str = ""
    identity: str | None = None
    known_hosts: str | None = None
    log: IO[str] | None = None
    forwards: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} ({self.login})"

    @property
    def user(self) -> str:
        return self.login.partition("@")[0]

    @property
    def host(self) -> str:
        return self.login.partition("@")[2].partition(":")[0]

    def enter(self, argv: Sequence[Word], *, online: bool = False) -> list[Word]:
        root = [] if self.user == "root" else ["sudo", "--non-interactive"]
        remote = shlex.join([*root, "env", "-i", *SETTINGS, "sh", "-c", REMOTE, "sh", *map(str, argv)])
        if online and self.forwards:
            forwards = [word for forward in self.forwards for word in ("-R", forward)]
            return self._ssh(ALONE, *forwards, "--", self.login_url, remote)
        return self._ssh(SHARED, "--", self.login_url, remote)

    def run(self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[RunOptions]) -> Result:
        check, log = options.pop("check", True), options.pop("log", self.log)
        rest: AttemptOptions = options
        result, lines = self._attempt(argv, log, online=online, **rest)
        if check and not result:
            raise ProgramFailed(replace(result, complaint=complaint(lines)))
        return result

    def attempt(
        self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[AttemptOptions]
    ) -> tuple[Result, list[str]]:
        return self._attempt(argv, self.log, online=online, **options)

    def _attempt(
        self, argv: Sequence[Word], log: IO[str] | None, *, online: bool, **options: Unpack[AttemptOptions]
    ) -> tuple[Result, list[str]]:
        try:
            result, lines = attempted(self.enter(_limited(argv, options.get("timeout")), online=online), log, **options)
        except TimedOut:
            raise TimedOut(f"{argv[0]} did not end within {options['timeout']:g} seconds on {self.name}") from None
        if result.returncode == LOST and not any(line.endswith(OWN) for line in lines):
            raise InfrastructureError(f"{self}: {parse_ssh_error(lines)}")
        lines = [line.removesuffix(OWN) for line in lines if line != OWN and not ASIDE.match(line)]
        return replace(result, argv=tuple(map(str, argv))), lines

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        self.run(writing(path, mode), stdin=text.encode("utf-8", "surrogateescape"))

    def read(self, path: str) -> str:
        return self.run(["cat", path], capture=True).stdout

    @property
    def socket(self) -> Path:
        return self.home / f"{self.name}.socket"

    @property
    def real_host(self) -> str:
        """The host that ssh connects to: its settings may know it by another name."""
        options = run(self._ssh(ALONE, "-G", "--", self.login_url), capture=True, cwd=Path("/")).stdout
        return dict(line.split(" ", 1) for line in options.splitlines() if " " in line)["hostname"]

    def hang_up(self) -> None:
        """End the connection that commands share, if it exists."""
        if self.socket.exists():
            run(self._ssh((), "-O", "exit", "--", self.login_url), check=False, cwd=Path("/"))
            if not wait_until(lambda: not self.socket.exists(), HANGS_UP_SECONDS):
                self.socket.unlink(missing_ok=True)  # a killed process left it

    @property
    def login_url(self) -> str:
        """The URL for ssh, with the port."""
        return f"ssh://{self.login}"

    def _ssh(self, more: Sequence[str], *words: Word) -> list[Word]:
        given = [*self.options, *OPTIONS]  # the first one counts: ssh_config(5)
        given += [f"IdentityFile={self.identity}", "IdentitiesOnly=yes"] if self.identity else []
        given += [f"UserKnownHostsFile={self.known_hosts}"] if self.known_hosts else []
        given += [*more, *([] if more is ALONE else [f"ControlPath={self.socket.name}"])]
        options = [word for option in given for word in ("-o", option)]
        return ["env", f"--chdir={self.home}", "ssh", *options, *words]


def parse_ssh_error(lines: Sequence[str]) -> str:
    """Return why ssh failed, from its error output."""
    text = "\n".join(line.strip() for line in lines)
    for pattern, message in SAID:
        if match := pattern.search(text):
            return message.format_map(match.groupdict())
    return last_words(lines) or "ssh ended without a word"


def _limited(argv: Sequence[Word], seconds: float | None) -> list[Word]:
    """Return a command that also ends on the remote machine after a time limit."""
    return ["timeout", "--kill-after=5", f"{seconds + 1:g}", *argv] if seconds else [*argv]
