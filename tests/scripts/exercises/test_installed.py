"""The exercise ``installed``: packages as they were deployed, on a node that answers by program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.base.run import ProgramFailed, Result
from scripts.exercises import installed
from scripts.exercises.cases import Cases, read
from scripts.services.deployed_state import Installed

GREET = Installed(node="node0", name="greet", version="1.0-1", source="greet", source_version="1.0-1", ours=True)
AUDIT = """\
The following packages are only half configured, probably due to problems
configuring them the first time.  The configuration should be retried using
dpkg --configure <package> or the configure menu option in dselect:
 greet                Greeter
"""
WELL = {"--audit": (0, ""), "--show": (0, "greet=1.0-1\n"), "--verify": (0, "")}
ROWS: dict[str, tuple[Mapping[str, tuple[int, str]], list[str]]] = {
    "as deployed": (WELL, ["", ""]),
    "half installed": (WELL | {"--audit": (0, AUDIT)}, [f"greet: {AUDIT.splitlines()[0]}", ""]),
    "removed": (WELL | {"--show": (1, "")}, ["", "greet=1.0-1 is not installed any more"]),
    "another version": (WELL | {"--show": (0, "greet=1.0-2\n")}, ["", "greet=1.0-1 is not installed any more"]),
    "a changed program": (WELL | {"--verify": (1, "??5??????   /usr/bin/greet\n")}, ["", "??5??????   /usr/bin/greet"]),
    "a changed setting": (WELL | {"--verify": (1, "??5?????? c /etc/greet.conf\n")}, ["", ""]),
}  # fmt: skip


@pytest.mark.parametrize("what", ROWS)
def test_packages_are_compared_with_the_deployment(tmp_path: Path, what: str) -> None:
    answers, messages = ROWS[what]

    def run(argv: Any, *, check: bool = True, **_: Any) -> Result:
        status, text = answers[argv[1]]
        result = Result(tuple(argv), status, text)
        if check and status:
            raise ProgramFailed(result)
        return result

    deployed = SimpleNamespace(packages=(GREET,))
    scene: Any = SimpleNamespace(nodes={"node0": SimpleNamespace(run=run)}, deployed=deployed, places=lambda: ())
    cases = Cases("installed", tmp_path / "cases.jsonl")
    installed.exercise(scene, cases)
    assert [case.message for case in read(cases.path)] == messages
    assert all(case.name.startswith("node0: ") for case in read(cases.path))
    assert {case.outcome for case in read(cases.path)} <= {"passed", "failed"}
