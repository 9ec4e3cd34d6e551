"""Parallel set-up of applications: most of each one's time is waiting, or one busy processor.

All applications are described first.  Each is configured once the supporting applications (a database) have started,
and started after those that it relates to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from scripts.drivers.topology import Application, Topology
from scripts.roles.registry import role_of
from scripts.services.site import Site


@dataclass(frozen=True)
class Startup:
    """The progress of a topology's applications, by name; ``took``: seconds."""

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
        self._carry_out("configure", role_of(application).configure, application)

    def start(self, application: Application) -> None:
        self.configured[application.name].result()
        for each in self.topology.before(application):
            self.started[each.name].result()
        self._carry_out("start", role_of(application).start, application)

    def _carry_out(self, name: str, part: Callable[[Site, Application], None], application: Application) -> None:
        self.site.cancellation.check()
        self.say(f"{name} {application.name}")
        began = time.monotonic()
        part(self.site, application)
        self.took[application.name] = round(self.took.get(application.name, 0) + time.monotonic() - began, 2)


def set_up(site: Site, topology: Topology, say: Callable[[str], None]) -> dict[str, float]:
    """Set up the applications; return the seconds that each one took.  ``site`` has the services.

    Raises the error of the first application that fails; it waits for the others no longer than one command takes.
    """
    for application in topology.applications:
        site.services[application.name] = role_of(application).describe(site, application)
    course = Startup(site, topology, say)
    ordered = sorted(topology.applications, key=lambda each: len(topology.before(each)))
    with ThreadPoolExecutor(2 * len(ordered) or 1) as pool:
        for application in ordered:  # who is waited for has begun
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
