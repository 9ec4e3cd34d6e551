"""An exercise as a program that runs where it can reach the nodes: EXERCISE DRIVER ENVIRONMENT CASES [SETTINGS].

ENVIRONMENT is a directory, CASES a file.  SETTINGS are those of an exercise of the lab's own: an `OwnRun` as JSON.
The exit code is 0 whatever the outcome of the cases; an error that stops the exercise is a case too.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from lab.base.errors import ConfigurationError, LabError
from scripts.drivers.registry import TARGETS
from scripts.exercises import own
from scripts.exercises.cases import Cases, Over
from scripts.exercises.registry import EXERCISES
from scripts.exercises.scene import Scene
from scripts.openstack.cloud import sdk_errors_as_failures
from scripts.services.cloud_settings import Configured
from scripts.services.deployed_state import Deployed


def exercise(driver: str, home: Path, cases: Cases, settings: str) -> None:
    nodes = TARGETS[driver].target(home).nodes()
    deployed = Deployed.of(home)
    if not nodes or deployed is None:
        raise ConfigurationError(f"{home}: nothing is deployed there")
    scene = Scene(deployed, {node.name: node for node in nodes}, Configured.of(home))
    with sdk_errors_as_failures():
        chosen = own.OwnRun.model_validate_json(settings) if settings else EXERCISES[cases.exercise]
        chosen.exercise(scene, cases)


def main(name: str, driver: str, home: Path, path: Path, settings: str = "") -> int:
    cases = Cases(name, path)
    with suppress(Over):
        try:
            exercise(driver, home, cases, settings)
        except LabError:
            with cases.case("goes to its end"):
                raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), *sys.argv[5:]))
