"""Bare machines on the page of the lab's health: their use and their restorations, and what is not public."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from lab.base import environment
from lab.config.loading import load
from lab.store import leases, restorations
from lab.store.restorations import Restoration
from lab.store.runs import Store
from tests.reports.publishing import Press, a_lab, a_local_run

PASSWORD = "Zx81kq0pLm3w"
MACHINES = {
    f"node{number}": {"power": {"agent": "fence_cdu", "options": {"ip": "pdu.example", "plug": f"n{number}"}}}
    for number in range(4)
}


def press_of(home: Path, jobs: list[str]) -> Press:
    a_lab(home, ("greet",))
    path = home / "lab.yaml"
    data = yaml.safe_load(path.read_text())
    data["publish"]["jobs"] = jobs
    data["machines"] = MACHINES
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    press = Press(load(path), home)
    store, until = Store.of(press.lab), environment.now() + timedelta(days=999)
    for name, owner, reason in (
        ("node1", leases.of_lab("testlab"), "the track trunk"),
        ("node2", "ada", "my own business"),
        ("node3", leases.of_lab("testlab", aside=True), f"no system: password={PASSWORD}"),
    ):
        leases.hold(store, name, owner, until, reason)
    restorations.note(store, "node1", Restoration(finished="2026-01-01T00:00:00.000Z", seconds=31.2, way="kexec"))
    restorations.note(store, "node1", Restoration(finished="2026-01-02T00:00:00.000Z", failed=f"token={PASSWORD}"))
    a_local_run(press.lab, number=1)
    return press


def test_machines_are_on_the_page_of_the_labs_health(tmp_path: Path) -> None:
    press = press_of(tmp_path, ["trunk/*"])
    assert press.run().lines == []
    site = press.place.site / "current"
    text = (site / "health/index.html").read_text()
    found = json.loads((site / "api/v1/health.json").read_text())["machines"]
    assert [(one["name"], one["use"]) for one in found] == [
        ("node0", "free"), ("node1", "in use"), ("node2", "held"), ("node3", "set aside"),
    ]  # fmt: skip
    assert "in 31&nbsp;s by kexec" in text
    assert (found[1]["restorations"], found[1]["failures"]) == (2, 1)
    assert PASSWORD not in text + json.dumps(found)
    assert not {"ada", "my own business"} & {*text.split(), found[2]["reason"]}
    leases.release(Store.of(press.lab), "node3", "", force=True)
    assert press.run().lines == []  # without a new build
    assert "set aside" not in (site / "health/index.html").read_text()


@pytest.mark.parametrize("jobs", [["trunk/greet/build"], ["none"]])
def test_lab_without_public_deployments_shows_no_machines(tmp_path: Path, jobs: list[str]) -> None:
    press = press_of(tmp_path, jobs)
    press.run()
    assert press.place.machines.read() == ()
