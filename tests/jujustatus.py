"""Status documents of Juju, from a notation with a line for each part, as in ``juju status``.

::

    machine 1/lxd/0 AGENT INSTANCE        each with its message in parentheses, _ for a space
    app nrpe STATUS [resting=blocked] [wants=3] [to=keystone,mysql] [with=endpoint:application]
    unit keystone/0 WORKLOAD AGENT @1/lxd/0 [*]
      unit nrpe/0 WORKLOAD AGENT          indented: a subordinate of the unit before it
    model STATUS

A part that is ``!(why)`` is one that the controller does not know.  ``@-``: a unit that has no machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.drivers.topology import Application, Charm, CharmRole, Topology

WORD = re.compile(r"[^\s(]+(?:\([^)]*\))?|\([^)]*\)")
SINCE = "02 May 2024 10:12:31Z"


@dataclass(frozen=True)
class StatusCase:
    """A document, its applications as they are wanted, and its judgement."""

    version: str
    title: str
    lines: tuple[str, ...]
    judgement: str

    @property
    def document(self) -> dict[str, Any]:
        return document(self.lines, self.version)

    @property
    def topology(self) -> Topology:
        return topology(self.lines)


def cases(path: Path) -> Iterator[StatusCase]:
    """Yield the cases of a file: paragraphs of a version and a title, lines of parts, and a judgement."""
    for paragraph in path.read_text().strip().split("\n\n"):
        head, *lines, last = [line for line in paragraph.splitlines() if not line.startswith("#")]
        version, _, title = head.partition(" ")
        yield StatusCase(version, title, tuple(lines), last.removeprefix("= "))


def document(lines: tuple[str, ...], version: str = "3.6.8") -> dict[str, Any]:
    """Return what Juju of a version prints of these parts."""
    made: dict[str, Any] = {
        "model": {"name": "lab", "type": "iaas", "controller": "lab", "cloud": "lxd", "region": "default",
                  "version": version, "model-status": info("available"), "sla": "unsupported"},
        "machines": {}, "applications": {}, "storage": {}, "controller": {"timestamp": "10:12:32Z"},
    }  # fmt: skip
    principal: dict[str, Any] = {}
    for line in lines:
        kind, *words = WORD.findall(line)
        if kind == "model":
            made["model"]["model-status"] = info(words[0])
        elif kind == "machine":
            add_machine(made["machines"], words, version)
        elif kind == "app":
            made["applications"][words[0]] = application(words, version)
        elif line.startswith(" "):
            principal.setdefault("subordinates", {})[words[0]] = unit(words, version)
        else:
            principal = unit(words, version)
            made["applications"][words[0].partition("/")[0]].setdefault("units", {})[words[0]] = principal
    return made


def info(word: str) -> dict[str, str]:
    """Return a status from ``current(message)``."""
    current, _, message = word.partition("(")
    if current == "!":
        return {"status-error": message[:-1]}
    return {"current": current.replace("_", " "), "since": SINCE} | ({"message": message[:-1]} if message else {})


def add_machine(machines: dict[str, Any], words: list[str], version: str) -> None:
    name, *states = words
    *hosts, number = name.split("/lxd/")
    for depth in range(len(hosts)):
        machines = machines["/lxd/".join(hosts[: depth + 1])].setdefault("containers", {})
    if states[0].startswith("!"):
        machines[name] = info(states[0])
        return
    there = "pending" not in {states[0].partition("(")[0], states[-1].partition("(")[0]}
    machines[name] = {
        "juju-status": info(states[0]) | ({"version": version} if there else {}),
        "instance-id": f"juju-{number}" if there else "pending",
        "machine-status": info(states[1]),
        "modification-status": info("idle"),
        **base(version),
    }
    if there:
        address = f"10.0.{len(hosts)}.{number}"
        network = {"eth0": {"ip-addresses": [address], "mac-address": "00:16:3e:00:00:01", "is-up": True}}
        machines[name] |= {"dns-name": address, "ip-addresses": [address], "hostname": f"juju-{number}",
                           "network-interfaces": network, "hardware": "arch=amd64 cores=2 mem=4096M"}  # fmt: skip


def application(words: list[str], version: str) -> dict[str, Any]:
    name, state, *more = words
    if state.startswith("!"):
        return info(state)
    given = settings(more)
    relations: dict[str, list[Any]] = {}
    for each in filter(None, given.get("with", "").split(",")):
        endpoint, _, other = each.partition(":")
        named = {"related-application": other, "interface": "x", "scope": "global"}
        relations.setdefault(endpoint, []).append(other if before(version, "3.4") else named)
    to = given.get("to", "")
    return {
        "charm": name, "charm-origin": "charmhub", "charm-name": name, "charm-rev": 1, "charm-channel": "stable",
        "exposed": False, "application-status": info(state), "relations": relations, **base(version),
        "endpoint-bindings": {"": "alpha"}, **({"subordinate-to": to.split(",")} if to else {}),
    }  # fmt: skip


def unit(words: list[str], version: str) -> dict[str, Any]:
    name, workload, *more = words
    if workload == "!" or (workload.startswith("!") and not more):
        return info(workload)
    made: dict[str, Any] = {"workload-status": info(workload), "juju-status": info(more[0]) | {"version": version}}
    machine = next((word[1:] for word in more if word.startswith("@")), "")
    if machine == "-":
        return made | {"provider-id": f"{name.replace('/', '-')}", "address": "10.1.0.1"}
    return (
        made
        | ({"machine": machine, "public-address": "10.0.0.9"} if machine else {"upgrading-from": name})
        | ({"leader": True} if "*" in more else {})
    )


def base(version: str) -> dict[str, Any]:
    return {"series": "focal"} if before(version, "3.0") else {"base": {"name": "ubuntu", "channel": "24.04"}}


def before(version: str, other: str) -> bool:
    return [int(each) for each in version.split(".")[:2]] < [int(each) for each in other.split(".")]


def settings(words: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words if "=" in word)


def topology(lines: tuple[str, ...], tested: str = "") -> Topology:
    """Return the applications with the numbers of their units, or of those that are wanted."""
    made, relations = [], list[tuple[str, str]]()
    for line in lines:
        kind, *words = WORD.findall(line)
        if kind != "app":
            continue
        name, given = words[0], settings(words)
        there = sum(each.startswith(f"unit {name}/") for each in lines)
        charm = Charm(name, units=int(given.get("wants", there)), resting=given.get("resting", ""))
        made.append(Application(name, CharmRole(name, SUPPORTING=name != tested), (), (), {}, charm))
        relations += [(name, other) for other in filter(None, given.get("to", "").split(","))]
    return Topology(tuple(made), tuple(relations))


def text(lines: Mapping[str, Any]) -> str:
    return json.dumps(lines)
