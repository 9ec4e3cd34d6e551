"""Status documents of several versions of Juju: each is parsed, and judged as a person would."""

from __future__ import annotations

import pytest

from scripts.drivers.juju.status import Status
from scripts.drivers.topology import Topology
from tests import jujustatus
from tests.jujufake import DATA

CASES = [*jujustatus.cases(DATA / "statuses.txt")]


def judgement(status: Status, topology: Topology) -> str:
    """Return what a watch would end with at last."""
    for name in ("broken", "lost", "blocked"):
        if blame := getattr(status, name)(topology):
            return f"{name} {blame.entity}: {blame.message}"
    return "well" if status.well(topology) else "waits"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title.replace(" ", "-"))
def test_judgement_of_a_document(case: jujustatus.StatusCase) -> None:
    status = Status.model_validate(case.document)
    assert len(status.all_machines()) == sum(line.startswith("machine") for line in case.lines)
    assert len(status.units()) == sum(line.lstrip().startswith("unit ") for line in case.lines)
    assert judgement(status, case.topology) == case.judgement


def test_documents_have_shapes_of_all_versions() -> None:
    assert len(CASES) == len({case.title for case in CASES}) == 53
    assert {case.version.rpartition(".")[0] for case in CASES} == {"2.9", "3.0", "3.1", "3.2", "3.4", "3.6"}


LINE = ("machine 0 started running", "app mysql active", "unit mysql/0 active idle @0")


@pytest.mark.parametrize(
    "lines, judged",
    [
        (("machine 0 started !(cannot reach the cloud)", *LINE[1:]),
         "broken machine 0: its status is not known: cannot reach the cloud"),
        (("machine 0 !(a) running", *LINE[1:]), "broken machine 0: its status is not known: a"),
        ((LINE[0], "app mysql !(no such application)"), "broken mysql: its status is not known: no such application"),
        ((*LINE[:2], "unit mysql/0 active !(no agent) @0"), "broken mysql/0: its status is not known: no agent"),
        ((*LINE[:2], "unit mysql/0 !(no status) idle @0"), "broken mysql/0: its status is not known: no status"),
        (("machine 0 pending allocating(failed to start instance (no hosts), retrying in 10s (10 more attempts))",
          "app mysql waiting", "unit mysql/0 waiting(waiting for machine) allocating @0"), "waits"),
        (LINE, "well"),
    ],
)  # fmt: skip
def test_status_that_the_controller_does_not_know(lines: tuple[str, ...], judged: str) -> None:
    document = jujustatus.document(lines)
    assert judgement(Status.model_validate(document), jujustatus.topology(lines)) == judged


def test_status_of_a_large_model_is_judged_fast() -> None:
    """There is a real model of 1469 units."""
    lines = ["app ubuntu active", "app nrpe blocked resting=blocked to=ubuntu"]
    for number in range(750):
        lines += [f"machine {number} started running", f"unit ubuntu/{number} active idle @{number}",
                  f"  unit nrpe/{number} blocked idle"]  # fmt: skip
    status = Status.model_validate(jujustatus.document(tuple(lines)))
    assert len(status.units()) == 1500
    assert judgement(status, jujustatus.topology(tuple(lines))) == "well"
