"""Who is configured and started when, with roles that only say so."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from lab.base.errors import Aborted, Failed
from lab.base.run import Result
from scripts.deployment import startup
from scripts.drivers.topology import Application, Topology
from scripts.roles.registry import ROLES
from scripts.services.concurrency import side_by_side
from scripts.services.deployed_state import Service
from scripts.services.site import Site


@dataclass
class Role:
    """A role that records its calls, fails in a given part, and supports other roles or not."""

    NAME: str
    SUPPORTING: bool
    notes: list[str]
    broken: str = ""
    PACKAGES: tuple[str, ...] = ()
    ENDPOINT: None = None

    def describe(self, site: Site, application: Application) -> Service:
        return Service(role=self.NAME, nodes=application.nodes, packages=())

    def configure(self, site: Site, application: Application) -> None:
        self._do("configure", application)

    def start(self, site: Site, application: Application) -> None:
        assert len(site.services) == len(ROLES_OF_A_TEST), "all are described before anything starts"
        self._do("start", application)

    def _do(self, part: str, application: Application) -> None:
        self.notes.append(f"{part} {self.NAME}")
        if self.broken == part:
            raise application.fault(f"does not {part}")


ROLES_OF_A_TEST = ("db", "id", "images", "servers")
RELATIONS = (("images", "id"), ("servers", "id"))


def place(monkeypatch: pytest.MonkeyPatch, **broken: str) -> tuple[Site, Topology, list[str]]:
    notes: list[str] = []
    for name in ROLES_OF_A_TEST:
        monkeypatch.setitem(ROLES, name, Role(name, name == "db", notes, broken.get(name, "")))
    made = [Application(name, ROLES[name], (), ("node0",), {}) for name in reversed(ROLES_OF_A_TEST)]
    return Site({}, lambda *_, **__: Result((), 0), lambda *_: None), Topology(tuple(made), RELATIONS), notes


def test_startup_follows_relations(monkeypatch: pytest.MonkeyPatch) -> None:
    site, topology, notes = place(monkeypatch)
    lines: list[str] = []
    took = startup.set_up(site, topology, lines.append)
    assert (
        sorted(notes) == sorted(lines) == sorted(f"{part} {name}" for part in ("configure", "start") for name in took)
    )
    assert notes[:2] == ["configure db", "start db"], "before anybody else is configured"
    for name in ("images", "servers"):
        assert notes.index("start id") < notes.index(f"start {name}")
    assert set(took) == set(site.services) == set(ROLES_OF_A_TEST)


@pytest.mark.parametrize(
    ("broken", "message", "never"),
    [
        ({"db": "start"}, "db: does not start", ["configure id", "configure servers"]),
        ({"id": "configure"}, "id: does not configure", ["start id", "start images"]),
        ({"id": "start"}, "id: does not start", ["start images", "start servers"]),
        ({"servers": "start"}, "servers: does not start", []),
    ],
)
def test_startup_reports_first_failure(
    monkeypatch: pytest.MonkeyPatch, broken: dict[str, str], message: str, never: list[str]
) -> None:
    site, topology, notes = place(monkeypatch, **broken)
    with pytest.raises(Exception, match=f"^{message}$"):
        startup.set_up(site, topology, lambda _: None)
    assert not set(never) & set(notes)


def test_startup_starts_nothing_after_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    site, topology, notes = place(monkeypatch)
    site.cancellation.cancel()
    with pytest.raises(Aborted):
        startup.set_up(site, topology, lambda _: None)
    assert notes == []


def test_startup_runs_parts_in_parallel() -> None:
    both = threading.Barrier(2, timeout=60)
    side_by_side(both.wait, both.wait)

    def fail() -> None:
        raise Failed("one of them")

    with pytest.raises(Failed, match="one of them"):
        side_by_side(fail, lambda: None)
