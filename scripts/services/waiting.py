"""Waiting for services that report their own health."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from lab.base.run import TimedOut
from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.services import queries, systemd
from scripts.services.site import Site

PATIENCE_SECONDS = 60
# For services that start at the same time as all of a cloud, on a machine with other work.
CROWDED_SECONDS = 180
LOOK_SECONDS = 0.25


def until_alive(site: Site, application: Application, kind: str, daemons: Mapping[str, Sequence[Node]]) -> None:
    """Wait until an API (of a ``kind``, see `scripts.roles.__main__.LISTED`) lists daemons as alive on nodes.

    Raises the application's fault when one dies, or is not alive in time.
    """
    units = [(node, f"{daemon}.service") for daemon, nodes in daemons.items() for node in nodes]
    wanted = {daemon: [node.name for node in nodes] for daemon, nodes in daemons.items()}
    _wait(site, application, units, lambda: queries.ask_cloud(site, "alive", kind=kind, wanted=wanted))


def until_answers(  # noqa: PLR0913, PLR0917 - where, what, and how it is explained
    site: Site, node: Node, application: Application, unit: str, url: str, explain: Callable[[], str] = str
) -> None:
    """Wait until a service answers.  Raises the application's fault when it dies, or does not answer in time.

    ``explain`` returns what its logs have of the reason, "" for nothing.
    """
    _wait(site, application, [(node, unit)], lambda: queries.ask_url(site, url), explain)


def until_succeeds(
    site: Site, node: Node, application: Application, command: Sequence[str], patience: float | None = None
) -> None:
    """Run a command until it succeeds, for ``patience`` seconds (`PATIENCE_SECONDS` by default).

    Raises the application's fault when it does not succeed in time.
    """
    seconds = PATIENCE_SECONDS if patience is None else patience
    last = site.clock.monotonic() + seconds
    why = "no answer"
    while True:
        site.cancellation.check()
        try:
            result, lines = node.attempt(command, timeout=max(1.0, last - site.clock.monotonic()))
        except TimedOut:
            pass  # an earlier answer explains more
        else:
            if result:
                return
            why = systemd.explained(node, lines) or f"status {result.returncode}"
        if site.clock.monotonic() > last:
            what = shlex.join(command)
            raise application.fault(f"is not well on {node.name} after {seconds:g} s: {what}: {why}")
        site.clock.sleep(LOOK_SECONDS)


def _wait(
    site: Site,
    application: Application,
    units: Sequence[tuple[Node, str]],
    ask: Callable[[], str],
    explain: Callable[[], str] = str,
) -> None:
    """Ask until nothing is wrong, and see that the units keep running meanwhile."""
    last = site.clock.monotonic() + CROWDED_SECONDS
    before = [systemd.restarts(node, unit) for node, unit in units]
    while why := ask():
        site.cancellation.check()
        for (node, unit), restarts in zip(units, before, strict=True):
            systemd.must_run(node, application, unit, restarts)
        if site.clock.monotonic() > last:
            reason = f"{why}: {more}" if (more := explain()) else why
            raise application.fault(f"is not well on {units[0][0].name} after {CROWDED_SECONDS} s: {reason}")
