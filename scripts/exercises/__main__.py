"""An exercise as a program, to be run from where the nodes can be reached: EXERCISE DRIVER ENVIRONMENT CASES.

ENVIRONMENT is a directory, CASES a file.  The exit code says whether it went to its end, not how the cases went.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from lab.errors import ConfigurationError, LabError
from scripts.cloud import told
from scripts.exercises.cases import Cases, Over
from scripts.exercises.registry import EXERCISES
from scripts.exercises.scene import Scene
from scripts.targets.configured import Configured
from scripts.targets.deployed import Deployed
from scripts.targets.registry import TARGETS


def main(name: str, driver: str, home: Path, cases: Path) -> int:
    nodes = TARGETS[driver].Target(home).nodes()
    deployed = Deployed.of(home)
    if not nodes or deployed is None:
        raise ConfigurationError(f"{home}: nothing is deployed there")
    with suppress(Over), told():
        scene = Scene(deployed, {node.name: node for node in nodes}, Configured.of(home))
        EXERCISES[name].exercise(scene, Cases(name, cases))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])))
    except LabError as error:
        print(error)  # noqa: T201 - into the step's log
        sys.exit(error.exit_code)
