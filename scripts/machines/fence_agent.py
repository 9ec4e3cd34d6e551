"""Fence agents: programs that switch the power of a machine, each for one kind of device; see fence_cdu(8) and others.

An agent reads its options on standard input, where no list of processes shows a password, and describes them in XML.
"""

from __future__ import annotations

import difflib
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lxml import etree

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import LONGEST, TimedOut, attempt, run
from lab.config.access import Login
from lab.config.machines import Power

TIMEOUT_SECONDS: Final = 120.0
METADATA_SECONDS: Final = 60.0
OFF_CODE: Final = 2  # the exit status of the action status for a plug without power: fence agent API
# Options that the lab gives: the action, and the login, which is not for lab.yaml.
GIVEN: Final = {
    "action": "qalab sets it",
    **dict.fromkeys(("username", "login", "password", "passwd"), "use credentials"),
    **dict.fromkeys(("help", "version"), "it would print something, and switch nothing"),
}
SECRET: Final = re.compile(r"community|key|passw|secret|token")
NOISE: Final = ("Traceback", "  ", "DeprecationWarning", "/usr/")
IGNORED: Final = "Parse error: Ignoring unknown option"  # such as the password, which the agent can do without
PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


@dataclass(frozen=True)
class AgentOption:
    """An option of an agent: ``kind`` is ``string``, ``integer``, ``boolean``, ``second`` or ``select``."""

    kind: str
    required: bool
    choices: tuple[str, ...] = ()
    default: str = ""

    def fault(self, value: object) -> str:
        """Return what is wrong with a value; "" for a good one."""
        text = str(value)
        if self.kind in {"integer", "second"} and (isinstance(value, bool) or not text.isdecimal()):
            return f"must be a number; found: {value!r}"
        if self.kind == "boolean" and not (isinstance(value, bool) or text in {"0", "1"}):
            return f"must be true or false; found: {value!r}"
        if self.kind == "string" and isinstance(value, bool):
            return f"must be a text; found: {value!r}: quote on, off, yes and no"
        if self.choices and text not in self.choices:
            return f"must be one of {', '.join(self.choices)}; found: {value!r}"
        return "must be one line" if "\n" in text else ""


def missing(agent: str) -> str:
    """Return why an agent cannot be used on this machine; "" when it can."""
    return "" if environment.find_program(agent) else f"the fence agent {agent} is not on this machine"


def package(agent: str) -> str:
    """Return the Debian packages that can have an agent: before Debian 13, one had them all."""
    return f"fence-agents-{agent.removeprefix('fence_')}, before Debian 13: fence-agents"


def options(agent: str) -> dict[str, AgentOption]:
    """Return the options of an agent, as its metadata has them.  Raises InfrastructureError for anything else."""
    if why := missing(agent):
        raise ConfigurationError(why, hint=f"apt-get install {package(agent)}")
    try:
        printed = run([agent, "-o", "metadata"], capture=True, timeout=METADATA_SECONDS).stdout
        root = etree.fromstring(printed.encode(), PARSER)
    except TimedOut:
        raise InfrastructureError(f"{agent}: no metadata in {METADATA_SECONDS:g} s") from None
    except etree.XMLSyntaxError as error:
        raise InfrastructureError(f"{agent}: its metadata is no XML: {error}") from None
    found = {}
    for parameter in root.iterfind("parameters/parameter"):
        content = parameter.find("content")
        found[str(parameter.get("name"))] = AgentOption(
            kind="string" if content is None else content.get("type", "string"),
            # A deprecated name is another name of an option, which is required by itself.
            required=parameter.get("required") == "1" and parameter.get("deprecated") != "1",
            choices=tuple(str(each.get("value")) for each in parameter.iterfind("content/option")),
            default="" if content is None else content.get("default", ""),
        )
    return found


def faults(known: Mapping[str, AgentOption], power: Power) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the options of a power switch, each with the option; "" for a missing one."""
    for name, value in power.options.items():
        if name in GIVEN:
            yield name, f"not an option for lab.yaml: {GIVEN[name]}"
        elif name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            yield name, f"{power.agent} has no such option" + (f"; did you mean {near[0]}?" if near else "")
        elif fault := known[name].fault(value):
            yield name, fault
    for name, option in known.items():
        if option.required and name not in GIVEN and not {name, *_other_names(name)} & power.options.keys():
            yield "", f"{power.agent} requires {name}"


def _other_names(name: str) -> tuple[str, ...]:
    return {"ip": ("ipaddr",), "plug": ("port",)}.get(name, ())


def call(machine: str, power: Power, login: Login, action: str) -> str:
    """Run an action of an agent; return ``on`` or ``off`` for the action status, "" for others.

    Raises InfrastructureError, which names the machine, the agent and its answer.
    """
    if why := missing(power.agent):
        raise InfrastructureError(f"{machine}: {why}", hint=f"apt-get install {package(power.agent)}")
    given = {**_true(power), "action": action, "username": login.user, "password": login.password}
    if broken := [name for name, value in given.items() if "\n" in str(value)]:
        # Each line is an option: the rest of a password would be another one.
        raise ConfigurationError(f"{machine}: {power.agent}: {broken[0]}: must be one line")
    words = {name: int(value) if isinstance(value, bool) else value for name, value in given.items()}
    text = "".join(f"{name}={_quoted(str(value))}\n" for name, value in words.items() if value is not None)
    try:
        with tempfile.NamedTemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as printed:
            done, lines = attempt([power.agent], printed, stdin=text.encode(), timeout=TIMEOUT_SECONDS, cwd=Path("/"))
    except TimedOut:
        raise InfrastructureError(f"{machine}: {power.agent}: {action}: no answer in {TIMEOUT_SECONDS:g} s") from None
    if action == "status" and done.returncode in {0, OFF_CODE}:
        return "off" if done.returncode else "on"
    if done.returncode:
        secrets = [login.password, *(str(value) for name, value in given.items() if SECRET.search(name))]
        said = answer([_without(line, secrets) for line in lines], done.returncode)
        raise InfrastructureError(f"{machine}: {power.agent}: {action}: {said}")
    return ""


def _true(power: Power) -> dict[str, str | int | bool]:
    """Return the options without what is false anyway: agents take some options for true, whatever their value."""
    false = [name for name, value in power.options.items() if value in {0, "0"}]
    known = options(power.agent) if false else {}
    left_out = {
        name for name in false if name in known and known[name].kind == "boolean" and known[name].default != "1"
    }
    return {name: value for name, value in power.options.items() if name not in left_out}


def _without(line: str, secrets: Sequence[str | None]) -> str:
    """Return a line without secrets: agents print an option that they do not have, and a command that they run."""
    for secret in filter(None, secrets):
        line = line.replace(shlex.quote(secret), "***").replace(secret, "***")
    return line


def _quoted(value: str) -> str:
    """Return a value as fencing.py reads it: white space around it, and one pair of quotes, are not a part of it."""
    return f'"{value}"' if value != value.strip() or (value[:1] == value[-1:] == '"' and len(value) > 1) else value


def answer(printed: Sequence[str], status: int) -> str:
    """Return the line in which an agent says why it failed."""
    lines = [line.rstrip() for line in printed if line.strip() and not line.startswith(NOISE) and IGNORED not in line]
    telling = [line for line in lines if "ERROR" in line or "Failed:" in line] or lines
    if not telling:
        return f"ended with status {status}, without a word"
    return telling[0].rpartition("ERROR: ")[2].removeprefix("Failed: ").strip()[:LONGEST]
