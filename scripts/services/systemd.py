"""Services of applications as systemd units: start them, and see that they stay.

A service that starts and dies is found by its state while it is watched, and reported with the line of its journal
that explains most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lab.base.run import TimedOut, last_words
from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.services import journals
from scripts.services.site import Site

# How long a service that cannot be asked is watched before it is believed.
WATCH_SECONDS = 1.5
LOOK_SECONDS = 0.25
# What systemctl(1) prints of a unit that it cannot start.
JOB = re.compile(r"Job for (?P<unit>\S+) failed\b")
TAIL = ("journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=60")  # before `journals.of_unit`
DEPENDENCY = "Dependency failed for "  # what systemd says of a unit when one that it requires does not start
UNMET = "its condition is not met"
SHOWN = (
    "ActiveState,ActiveEnterTimestamp,LoadState,ConditionResult,ConditionTimestamp,ExecMainStartTimestamp,ExecStart,"
    "NRestarts,Result,SourcePath,SubState,TimeoutStartUSec,TriggeredBy,Type"
)
AWAITED = "Awaited"  # in a state, "yes" where `states` finds that an active socket, path or timer starts the unit again
# What an init script exits with that starts nothing, and systemd-sysv-generator(8) takes for success: the LSB's status.
REFUSAL = re.compile(r"; status=(?P<status>[56]) \}$")
REFUSALS = {"5": "its program is not installed", "6": "its program is not configured"}


def restart(node: Node, application: Application, unit: str, verb: str = "restart") -> None:
    """Start or restart a unit that has its own health check.  Raises the application's fault.

    systemd sets no limit to the start of a unit of Type=oneshot: see systemd.service(5), TimeoutStartSec.
    """
    why = ""
    try:
        result = node.run(["systemctl", verb, unit], check=False, timeout=application.minutes * 60)
    except TimedOut:
        why = f"timeout: not started within {application.minutes:g} min"
    else:
        why = "" if result else result_of(_state(node, unit))
    if why:
        raise application.fault(f"{unit} does not start on {node.name} ({why}): {journal(node, unit)}")


def start(site: Site, node: Node, application: Application, *names: str, needed: Sequence[str] = ()) -> dict[str, str]:
    """Start units without a health check, and check that they keep running.

    Returns the units that are idle by design, with the reason.  Units of ``needed`` packages can already be running for
    other applications.  Raises the application's fault.
    """
    for unit in needed:
        restart(node, application, unit, verb="start")
    for unit in names:
        restart(node, application, unit)
    every = (*needed, *names)
    last = site.clock.monotonic() + WATCH_SECONDS
    before = {unit: _state(node, unit) for unit in every}
    idle = {unit: why for unit, state in before.items() if (why := _idle(node, unit, state))}
    while watched := [unit for unit in every if unit not in idle]:
        site.cancellation.check()
        for unit in watched:
            must_run(node, application, unit, before[unit].get("NRestarts"))
        if site.clock.monotonic() > last:
            break
        site.clock.sleep(LOOK_SECONDS)
    return idle


def must_run(node: Node, application: Application, unit: str, before: str | None) -> None:
    """See that a unit runs and was not restarted since.  Raises the application's fault.

    ``before``: how often it had been restarted then; None for a unit that systemd does not restart.
    """
    check(node, application, unit, _state(node, unit), before)


def check(node: Node, application: Application, unit: str, state: Mapping[str, str], before: str | None) -> None:
    """Check a unit's state; see `must_run`."""
    if not is_well(state) or state.get("NRestarts") != before:
        began = state.get("ExecMainStartTimestamp") or _left_nothing(state)
        ended = "starts and dies" if began else "does not start"
        why = "restarted by systemd" if is_well(state) else result_of(state)
        raise application.fault(f"{unit} {ended} on {node.name} ({why}): {journal(node, unit)}")


def restarts(node: Node, unit: str) -> str | None:
    """Return how often systemd has restarted a unit."""
    return _state(node, unit).get("NRestarts")


def journal(node: Node, unit: str, log: str = "") -> str:
    """Return the line of a unit's journal, or of a log, that explains most why it is not well.

    ``log``: the name of the log's file; by default, that of the unit.  A socket, path or timer with nothing to say has the
    line of its service, a unit that was not started for another one that it requires has the line of that one.
    """
    stem, _, kind = unit.rpartition(".")
    name = log or f"{unit.removesuffix('.service')}.log"
    words = ["sh", "-c", journals.SHOW, "sh", name, *journals.of_unit(unit)]
    line = journals.failure_line(node.run(words, capture=True, check=False).stdout, unit)
    if line.startswith(DEPENDENCY):
        shown = node.run(["systemctl", "show", "--property=Requires,BindsTo", "--value", unit], capture=True)
        required = states(node, shown.stdout.split())
        failed = next((each for each, state in required.items() if state["ActiveState"] == "failed"), "")
        return f"{failed}: {journal(node, failed)}" if failed else line
    if line == journals.NOTHING and kind in {"path", "socket", "timer"}:
        return f"{stem}.service: {journal(node, f'{stem}.service')}"
    return line


def tail(node: Node, unit: str) -> str:
    """Return the last lines of a unit's journal."""
    return node.run([*TAIL, *journals.of_unit(unit)], capture=True, check=False).stdout


def first_error(node: Node, unit: str, errors: Sequence[str]) -> str:
    """Return the first of the errors of a unit; for a traceback, the exception that ends it, from the unit's journal."""
    return journals.exception(tail(node, unit)) or errors[0] if journals.TRACEBACK.search(errors[0]) else errors[0]


def explained(node: Node, lines: Sequence[str]) -> str:
    """Return what a program's output says last; where systemctl could not start a unit, the reason in its journal.

    Returns "" for no output.
    """
    jobs = [match["unit"] for line in lines if (match := JOB.match(line.strip()))]
    return f"{jobs[-1]}: {journal(node, jobs[-1])}" if jobs else last_words(lines)


def states(node: Node, units: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return some properties of units: see systemctl(1), show; and `AWAITED`."""
    if not units:
        return {}
    output = node.run(["systemctl", "show", f"--property={SHOWN}", "--", *units], capture=True).stdout
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if line) for block in output.split("\n\n")]
    found = dict(zip(units, blocks, strict=True))
    for state in found.values():
        triggers = state.get("TriggeredBy", "").split()
        if triggers and (state["ActiveState"], state.get("Result")) == ("inactive", "success"):
            awaited = node.run(["systemctl", "is-active", "--quiet", "--", *triggers], check=False)
            state[AWAITED] = "yes" if awaited else "no"
    return found


def _state(node: Node, unit: str) -> dict[str, str]:
    return states(node, [unit])[unit]


def result_of(state: Mapping[str, str]) -> str:
    """Return systemd's result of a unit, with an explanation of a timeout."""
    if state.get("LoadState") == "not-found":
        return "it is enabled, and has no unit file"
    if state.get("LoadState", "loaded") != "loaded":
        return state["LoadState"]
    result = state.get("Result") or state["ActiveState"]
    if result == "success" and (state["ActiveState"] == "inactive" or _left_nothing(state)):
        never = state["ActiveState"] == "inactive" and state.get("ActiveEnterTimestamp") == ""
        return "it was not started" if never else "its program ended without an error"
    if result == "success" and state["ActiveState"] == "activating":
        return "systemd is starting it again"
    if result != "timeout" or state.get("ActiveEnterTimestamp"):
        return result
    microseconds = state.get("TimeoutStartUSec", "")
    notifies = " and no READY=1 from a service of Type=notify" if state.get("Type", "").startswith("notify") else ""
    return f"timeout: not started within {microseconds or 'its time'}{notifies}"


def _is_done(state: Mapping[str, str]) -> bool:
    """Return whether a unit does something, ends, and did so."""
    return state.get("Type") == "oneshot" and state["ActiveState"] == "inactive" and state["Result"] == "success"


def _left_nothing(state: Mapping[str, str]) -> bool:
    """Return whether none of the programs that an init script started runs: systemd calls it active nevertheless."""
    script = state.get("SourcePath", "").startswith("/etc/init.d/")
    return script and (state["ActiveState"], state["SubState"]) == ("active", "exited")


def is_well(state: Mapping[str, str]) -> bool:
    """Return whether a unit runs, or has done its work, or has ended well and is started again on demand.

    cupsd and libvirtd end when they are idle; their sockets start them again.
    """
    runs = state["ActiveState"] == "active" and not _left_nothing(state)
    return runs or _is_done(state) or state.get(AWAITED) == "yes"


def _idle(node: Node, unit: str, state: Mapping[str, str]) -> str:
    """Return why a unit that was started rightly does not run; an empty string when it is to run."""
    if _left_nothing(state):
        refusal = REFUSAL.search(state.get("ExecStart", ""))
        why = REFUSALS[refusal["status"]] if refusal else "its init script left no program running"
        return f"{why}: {journal(node, unit)}"
    if state["ActiveState"] != "inactive":
        return ""
    if state.get("ConditionTimestamp") and state.get("ConditionResult") == "no":
        argv = ["journalctl", "--quiet", "--output=cat", *journals.of_unit(unit)]
        output = node.run(argv, capture=True, check=False).stdout
        condition = journals.unmet_condition(output)
        return UNMET + (f": {condition}" if condition else "")
    return "it has done its work" if _is_done(state) else ""
