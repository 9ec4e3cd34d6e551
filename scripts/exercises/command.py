"""command: run the command in an application's options, and compare its output.

Options: ``command``; ``prints``, a regular expression that matches the whole output without the final newline.
"""

from __future__ import annotations

import re
import shlex

from lab.base.errors import Failed
from scripts.exercises.cases import Cases
from scripts.exercises.scene import Scene

NAME = "command"
LONGEST_SECONDS = 60


def exercise(scene: Scene, cases: Cases) -> None:
    for name, service, node in scene.places():
        if command := service.options.get("command"):
            with cases.case(f"{name}: $ {command}") as case:
                result = node.run(shlex.split(str(command)), capture=True, check=False, timeout=LONGEST_SECONDS)
                case.output = result.stdout.rstrip("\n")
                if not result:
                    raise Failed(f"it ended with status {result.returncode}")
                if not re.fullmatch(prints := str(service.options.get("prints", ".*")), case.output, re.DOTALL):
                    raise Failed(f"it should have printed: {prints}")
