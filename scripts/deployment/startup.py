"""Parallel setup of applications: each one spends most of its time waiting or keeping a single processor busy.

All applications are described first.  Each is then configured as soon as its supporting applications (such as a
database) have started, and started after the applications that it relates to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from scripts.drivers.topology import Application, Topology
from scripts.roles.registry import ROLES
from scripts.services.site import Site


@dataclass(frozen=True)
class Startup:
    """Progress of the applications of a topology, by name; ``took``: seconds."""

    site: Site
    topology: Topology
    say: Callable[[str], None]
    configured: dict[str, Future[None]] = field(default_factory=dict)
    started: dict[str, Future[None]] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    def configure(self, application: Application) -> None:
        for each in self.topology.before(application):
            if each.supporting:
                self.started[each.name].result()
        self._carry_out("configure", ROLES[application.role.NAME].configure, application)

    def start(self, application: Application) -> None:
        self.configured[application.name].result()
        for each in self.topology.before(application):
            self.started[each.name].result()
        self._carry_out("start", ROLES[application.role.NAME].start, application)

    def _carry_out(self, name: str, part: Callable[[Site, Application], None], application: Application) -> None:
        self.site.cancellation.check()
        self.say(f"{name} {application.name}")
        began = time.monotonic()
        part(self.site, application)
        self.took[application.name] = round(self.took.get(application.name, 0) + time.monotonic() - began, 2)


def set_up(site: Site, topology: Topology, say: Callable[[str], None]) -> dict[str, float]:
    """Describe, configure and start all applications; return the seconds that each one took.

    Stores the services in ``site.services``.  Raises the exception of the first application that fails; the others are
    then canceled, so the wait for them is at most the duration of one command.
    """
    for application in topology.applications:
        site.services[application.name] = ROLES[application.role.NAME].describe(site, application)
    course = Startup(site, topology, say)
    ordered = sorted(topology.applications, key=lambda each: len(topology.before(each)))
    with ThreadPoolExecutor(2 * len(ordered) or 1) as pool:
        for application in ordered:  # dependencies are submitted first
            course.configured[application.name] = pool.submit(course.configure, application)
            course.started[application.name] = pool.submit(course.start, application)
        try:
            done, _ = wait(course.started.values(), return_when=FIRST_EXCEPTION)
        finally:
            site.cancellation.cancel()
    for future in course.started.values():
        if future in done:
            future.result()
    return course.took
