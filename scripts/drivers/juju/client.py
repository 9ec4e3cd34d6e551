"""The client of Juju: one model of one controller, through Juju's documented commands.

Credentials are the client's own, in ~/.local/share/juju or in JUJU_DATA.  The client never prompts: a command that
would need an answer is an error.  It reads only machine-readable output, and of errors only the text after ``ERROR``.

The client is qalab's own code: jubilant 1.14 has no time limit for a call, ends a wait at the first status call that
fails, does not name the unit at fault, and refuses the status documents of Juju 2.9 to 3.2, whose relations are plain
texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.run import LONGEST, TimedOut, Word
from lab.base.text import without_middle
from scripts.drivers.commands import attempted
from scripts.drivers.juju import answers
from scripts.drivers.juju.status import Status

T = TypeVar("T")
PROGRAM = "juju"
PATIENCE_SECONDS = 120.0
ACTION_MINUTES = 2
# A bundle's charms are downloaded and uploaded by the controller before the client comes back.
DEPLOY_SECONDS = 1200.0
GENTLE_SECONDS = 300.0
FORCED_SECONDS = 600.0
STATUS = "juju status"
OLDEST = 3  # the major version with this interface
VERSION = re.compile(r"^(?P<major>\d+)\.\d\S*", re.MULTILINE)
COMPLAINT = re.compile(r"^(?:ERROR |(?=panic: ))(?P<why>.*)$")
# An election among controllers, or an upgrade or a migration of one.
BUSY = (
    r"no reachable servers|slaveOk=false|upgrade in progress|is being migrated|lease operation timed out"
    r"|watcher (?:has been closed|was stopped)|connection is (?:shut down|already closed)|lost connection"
)
AWAY = re.compile(
    rf"{BUSY}|unable to connect|connection (?:refused|reset)|no route to host|i/o timeout|timed out|no such host|TLS handshake"
    r"|temporary failure|please (?:try again|log in|enter (?:a )?password)|not logged in|invalid entity name or password"
    r"|permission denied|unauthorized|macaroon|discharge|model .* not found|deadline exceeded|unexpected EOF"
    r"|\b50[0234] (?:Internal|Bad Gateway|Service Unavailable|Gateway)",
    re.IGNORECASE,
)
TASK_FAILED = re.compile(r"^the following tasks? failed")
PASSING = re.compile(rf"{BUSY}|please try again", re.IGNORECASE)


class JujuRefused(InfrastructureError):
    """Juju refused a command; ``why``: its error message, ``output``: what it printed nevertheless."""

    def __init__(self, where: str, why: str, output: str = "") -> None:
        super().__init__(f"{where}: {without_middle(why, LONGEST)}")
        self.why = why
        self.output = output


class ActionFailed(JujuRefused):
    """An action of a charm ran, and failed."""


class Patient(Protocol):
    """Calls, and calls again for a controller that is busy."""

    def __call__(self, call: Callable[[], T], /) -> T: ...


def once(call: Callable[[], T], /) -> T:
    """Return what a call returns, without patience."""
    return call()


def missing_prerequisite() -> str:
    """Return why this machine cannot have such models; "" when it can."""
    return "" if environment.find_program(PROGRAM) else f"the program {PROGRAM} is not on this machine"


def whoami(controller: str | None, log: IO[str] | None) -> tuple[str, str]:
    """Return the controller (by default the client's current one) and the user logged in there.

    Raises InfrastructureError when nobody is logged in.
    """
    text = _juju(["whoami", "--format", "json"], log, where="juju whoami", controller=controller or "")
    if not text.strip():  # reported on standard error only, with exit status 0
        at = (
            f"controller {controller}: not logged in" if controller else "juju: no current controller, or not logged in"
        )
        raise InfrastructureError(at, hint="juju login")
    found = answers.parse(answers.JujuLogin, text, "juju whoami")
    return found.controller, found.user


def major_version(log: IO[str] | None) -> int:
    """Return the major version of the client.  Raises ConfigurationError for one before Juju 3."""
    match = VERSION.search(_juju(["version"], log, where="juju version"))
    major = int(match["major"]) if match else 0
    if major < OLDEST:
        version = match[0] if match else "(no version)"
        raise ConfigurationError(f"juju {version}: Juju 3 is needed", hint="snap refresh juju")
    return major


def access(controller: str | None) -> str:
    """Return who is logged in where, and with which rights, as the controller says.

    Raises ConfigurationError and InfrastructureError for a client, a login or a controller that cannot be used.
    """
    major_version(None)
    name, user = whoami(controller, None)
    text = _juju(["show-user", "--controller", name, "--format", "json"], None, where=f"controller {name}")
    rights = answers.parse(answers.JujuUser, text, "juju show-user").access
    return f"{user} at {name}, with the access {rights or 'of no kind'}"


@dataclass(frozen=True)
class JujuModel:
    """A model of ``user``, whether it is there or not."""

    controller: str
    user: str
    name: str
    log: IO[str] | None = None
    patiently: Patient = once

    def __str__(self) -> str:
        return f"{self.controller}:{self.name}"

    def call(self, command: str, *words: Word, timeout: float = PATIENCE_SECONDS) -> str:
        """Return the output of a command on the model.  Raises InfrastructureError when it fails."""
        argv = [command, "--model", str(self), *words]
        return self.patiently(partial(_juju, argv, self.log, where=f"juju {command}", timeout=timeout))

    def add(self, mark: str, cloud: str | None, further: Mapping[str, str], credential: str | None = None) -> None:
        """Create the model with its mark and further configuration; failed hooks are not retried, but reported."""
        config = {
            **further,
            "extra-info": mark,
            "automatically-retry-hooks": "false",
            "logging-config": "<root>=INFO;unit=DEBUG",  # the standard output of hooks, where apt names unmet dependencies
        }
        words: list[Word] = ["add-model", "--controller", self.controller, "--no-switch"]
        words += ["--credential", credential] if credential else []
        words += [word for key, value in config.items() for word in ("--config", f"{key}={value}")]
        _juju([*words, self.name, *([cloud] if cloud else [])], self.log, where="juju add-model")

    def add_ssh_keys(self) -> None:
        """Let this machine enter the model's machines: new models of Juju 4, and of JAAS, have no key.

        Machines that are added afterwards have the keys from their start (github.com/juju/juju/issues/21425).
        Raises ConfigurationError for a client before Juju 3, InfrastructureError where this user has no key.
        """
        major_version(self.log)
        if self.call("ssh-keys").strip():  # that there is none is said on standard error
            return
        data = Path(environment.variable("JUJU_DATA") or Path.home() / ".local/share/juju")
        keys = [*sorted(data.glob("ssh/juju_id_*.pub")), *sorted(Path.home().glob(".ssh/id_*.pub"))]
        if not keys:
            hint = "ssh-keygen -t ed25519"
            raise InfrastructureError(
                f"no SSH key in {data}/ssh or {Path.home()}/.ssh to enter machines with", hint=hint
            )
        self.call("add-ssh-key", *(key.read_text().strip() for key in keys))

    def mark(self) -> str:
        """Return the model's mark; "" for none."""
        try:
            return self.call("model-config", "extra-info").strip().rpartition("\n")[2]  # after warnings
        except JujuRefused as error:
            if "is not a key" in error.why:
                return ""
            raise

    def life(self) -> str:
        """Return ``alive``, ``dying`` or ``dead``, with the reason; "" when the lab has no such model."""
        where = f"controller {self.controller}"
        words = ["models", "--controller", self.controller, "--format", "json"]
        for each in answers.parse(answers.ModelList, _juju(words, self.log, where=where), where).models:
            if each.name == self.name and each.of in {"", self.user}:
                return ": ".join(filter(None, [each.life, each.status.message]))
        return ""

    def status(self) -> Status:
        """Return the status.  Raises JujuRefused also for an answer that is none: the next one can be whole."""
        try:
            return answers.parse(Status, self.status_text(), STATUS)
        except JujuRefused:
            raise
        except InfrastructureError as error:
            raise JujuRefused(STATUS, str(error).removeprefix(f"{STATUS}: ")) from None

    def status_text(self) -> str:
        # The status is polled every few seconds: the callers log the changes.
        return replace(self, log=None).call("status", "--format", "json")

    def log_of(self, unit: str) -> list[str]:
        """Return the log of a unit: its actions, and the output of its hooks.

        It is the whole log: with ``--limit``, clients up to 3.6 return ten lines.
        """
        return self.call("debug-log", "--include", unit, "--replay", "--no-tail").splitlines()

    def retry_hook(self, unit: str) -> None:
        """Let a unit run its failed hook again."""
        self.call("resolved", unit)

    def options(self, application: str) -> dict[str, str]:
        """Return the options of an application that have a value, as text; none of them is logged."""
        text = replace(self, log=None).call("config", "--format", "json", application)
        found = answers.parse(answers.CharmOptions, text, "juju config").settings
        return {name: str(each.value) for name, each in found.items() if each.value is not None}

    def run_action(self, unit: str, action: str, parameters: Path | None = None) -> dict[str, Any]:
        """Return the results of a charm's action; ``parameters``: a YAML file.

        Raises ActionFailed when it fails, and JujuRefused when Juju does not run it to its end.
        """
        given: list[Word] = ["--params", parameters] if parameters else []
        where = f"juju run {unit} {action}"
        wait = ["--wait", f"{ACTION_MINUTES}m"]
        seconds = 60 * ACTION_MINUTES + PATIENCE_SECONDS  # the client tells itself what does not end
        try:
            text = self.call("run", "--format", "json", *wait, *given, unit, action, timeout=seconds)
        except JujuRefused as error:
            if not answers.BEGINNING.search(error.output):
                kind = ActionFailed if TASK_FAILED.search(error.why) else JujuRefused
                raise kind(where, error.why) from None
            text = error.output  # which has the reason, while the error names a number
        results = answers.parse(Mapping[str, answers.ActionResult], text, where)  # type: ignore[type-abstract]
        for done in results.values():
            if done.status != "completed":
                kind = ActionFailed if done.status in {"failed", "error"} else JujuRefused
                raise kind(where, f"{done.status}: {done.reason}")
            return dict(done.results)
        raise JujuRefused(where, "it has no result")

    def destroy(self) -> None:
        """Destroy it, by force if it does not go otherwise.  Raises InfrastructureError when it stays."""
        ways = [([], GENTLE_SECONDS), (["--force", "--no-wait"], FORCED_SECONDS)]
        with suppress(LabError):
            # A unit in error blocks the destruction until it is forced.
            ways = ways[any(unit.workload.current == "error" for unit in self.status().units().values()) :]
        for force, seconds in ways:
            with suppress(JujuRefused):  # whether it is gone is asked
                argv = ["destroy-model", "--no-prompt", "--destroy-storage", *force, str(self)]
                _juju(argv, self.log, where="juju destroy-model", timeout=seconds)
            if not (life := self.life()):
                return
        hint = f"the next destroy goes on; see juju status --model {self}"
        raise InfrastructureError(f"the model {self} does not die ({life})", hint=hint)


def _juju(
    words: Sequence[Word], log: IO[str] | None, *, where: str, timeout: float = PATIENCE_SECONDS, controller: str = ""
) -> str:
    """Run juju and return its output.  Raises Refused when it fails or exceeds its time limit."""
    if why := missing_prerequisite():
        raise ConfigurationError(why, hint="snap install juju")
    env = {"JUJU_CONTROLLER": controller} if controller else {}
    try:
        result, lines = attempted([PROGRAM, *words], log, timeout=timeout, capture=True, env=env)
    except TimedOut:
        raise JujuRefused(where, f"no answer within {timeout:g} seconds") from None
    if not result:
        raise JujuRefused(where, complaint(lines), result.stdout)
    return result.stdout


def complaint(lines: Sequence[str]) -> str:
    """Return Juju's error message, with the following lines where one ends in a colon."""
    for number, line in enumerate(lines):
        if match := COMPLAINT.match(line):
            message = [match["why"], *map(str.strip, lines[number + 1 :])]
            return " ".join(message if any(each.endswith(":") for each in message) else message[:1])
    return lines[-1] if lines else "it ended without a word"
