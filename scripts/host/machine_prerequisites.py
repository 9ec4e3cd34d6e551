"""The prerequisites of bare machines: each machine's settings and power switch, and the lab server on this machine."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.base import environment, files
from lab.base.errors import LabError
from lab.base.run import attempt, missing_program
from lab.config.description import Lab
from lab.config.machines import LabServer
from lab.store.runs import Store
from scripts.drivers.metal import image
from scripts.host.prerequisites import Finding
from scripts.machines import dnsmasq, fence_agent
from scripts.machines.netboot import lab_server_runs
from scripts.machines.power import switch_of

PROGRAMS = ("dnsmasq", "ip", "setpriv")
SERVE = "run as root: qalab setup --lab-server, or qalab machine serve"


def doctor(lab: Lab, names: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield the state of machines, by default of all, and of the lab server.  The power switches are asked at once."""
    chosen = names or [*lab.machines]
    with ThreadPoolExecutor(len(chosen) or 1) as pool:
        for found in pool.map(lambda name: list(machine(lab, name)), chosen):
            yield from found
    if lab.lab_server:
        yield from lab_server(lab, lab.lab_server)


def machine(lab: Lab, name: str) -> Iterator[Finding]:
    """Yield the state of a machine."""
    yield _boot(lab, name)
    if lab.machines[name].disk:
        yield _disk(lab, name)
    what, power = f"{name}: power", lab.machines[name].power
    try:
        faults = list(fence_agent.faults(fence_agent.options(power.agent), power))
        for option, fault in faults:
            key = ".".join(filter(None, ("machines", name, "power.options", option)))
            yield Finding(what, good=False, detail=f"{key}: {fault}", fix=f"see: {power.agent} -o metadata")
        if not faults:
            yield Finding(what, good=True, detail=f"{power.agent}: {switch_of(lab, name).status()}")
    except LabError as error:
        detail = str(error.args[0]).removeprefix(f"{name}: ")
        fix = error.hint or f"compare machines.{name}.power with the device, and the way to it"
        yield Finding(what, good=False, detail=detail, fix=fix)


def _boot(lab: Lab, name: str) -> Finding:
    described = lab.machines[name]
    what = f"{name}: network boot"
    if described.installable:
        store = Store.of(lab)
        if lab_server_runs(store) and (lost := dnsmasq.unknown(described, store.lab_server)):
            return Finding(what, good=False, detail=lost, fix=SERVE)
        return Finding(what, good=True, detail=f"{described.mac} is {described.address}, {described.boot}")
    # Some of them without the others, or twice in the lab, are refused when the lab is read.
    return Finding(what, good=True, detail="none: without mac, address and disk, its power alone is described")


def _disk(lab: Lab, name: str) -> Finding:
    """Return whether a disk is told from others."""
    disk, what = lab.machines[name].disk, f"{name}: disk"
    assert disk  # noqa: S101 - asked by the caller
    serials = Counter(each.disk.serial for each in lab.machines.values() if each.disk and each.disk.serial)
    if disk.serial and serials[disk.serial] > 1:
        same = [other for other, each in lab.machines.items() if each.disk and each.disk.serial == disk.serial]
        others = ", ".join(other for other in same if other != name)
        fix = f"correct machines.{name}.disk.serial, or that of the other"
        return Finding(what, good=False, detail=f"{others} has the same serial number {disk.serial}", fix=fix)
    known = [f"serial number {disk.serial}"] if disk.serial else []
    known += [f"{disk.size} bytes"] if disk.size else []
    detail = ", ".join([disk.path, *known]) if known else f"{disk.path}: whatever disk is there is written to"
    return Finding(what, bool(known), detail, f"name its serial number or its size: machines.{name}.disk.serial")


def lab_server(lab: Lab, server: LabServer) -> Iterator[Finding]:
    """Yield the state of the lab server: its programs, its network, iPXE, and the images of machines."""
    missing = [name for name in PROGRAMS if not environment.find_program(name)]
    for name in missing:
        error = missing_program(name)
        yield Finding("lab server", good=False, detail=str(error.args[0]), fix=error.hint)
    absent = [str(path) for path in dnsmasq.LOADERS.values() if not path.exists()]
    detail = f"{', '.join(absent)}: not on this machine" if absent else "iPXE for BIOS and UEFI"
    yield Finding("boot loaders", not absent, detail, "apt-get install ipxe")
    if "ip" not in missing:
        yield network(server)
    runs = lab_server_runs(Store.of(lab))
    yield Finding("lab server", runs, "runs" if runs else "does not run", SERVE)
    yield from images(environment.cache_home() / "targets")


def network(server: LabServer) -> Finding:
    """Return whether this machine has the lab server's address on its interface."""
    wanted, at = f"{server.address}/{server.network.prefixlen}", server.interface
    inside = ["-netns", server.namespace] if server.namespace else []
    place = f"{at} in the namespace {server.namespace}" if server.namespace else at
    done, lines = attempt(["ip", *inside, "-json", "address", "show", "dev", at], io.StringIO())
    what, add = "network", " ".join(["ip", *inside, "address add", wanted, "dev", at])
    if not done:
        why = (lines[-1:] or ["ip ended with an error"])[0]
        return Finding(what, good=False, detail=f"{place}: {why}", fix="correct lab_server.interface, or create it")
    (found,) = json.loads("".join(lines))[:1] or [{}]
    there = [f"{each['local']}/{each['prefixlen']}" for each in found.get("addr_info", ()) if each["family"] == "inet"]
    if wanted not in there:
        has = ", ".join(there) or "no address"
        return Finding(what, good=False, detail=f"{place} has {has}, not {wanted}", fix=add)
    up = "UP" in found.get("flags", ())
    set_up = " ".join(["ip", *inside, "link set", at, "up"])
    return Finding(what, up, f"{place} has {wanted}" + ("" if up else ", and is down"), set_up)


def images(home: Path) -> Iterator[Finding]:
    """Yield the state of each kept image of a machine."""
    kept = image.kept(home)
    if not kept:
        yield Finding("images", good=True, detail="none yet: the first restoration makes one")
    for path in kept:
        wrong = [
            name
            for name, digest in image.digests(path).items()
            if not (path / name).exists() or files.sha256(path / name) != digest
        ]
        detail = f"{path}: missing or wrong: {', '.join(wrong)}" if wrong else str(path)
        yield Finding("images", not wrong, detail, f"rm -r {path} {path}.json")
