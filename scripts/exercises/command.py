"""command: run the command in an application's options, and compare its output.

Options: ``command``; ``prints``, a regular expression that matches the whole output without the final newline.
"""

from __future__ import annotations

import re
import shlex
from contextlib import suppress

from lab.base.errors import Failed
from lab.base.run import TimedOut
from scripts.exercises.cases import Cases, Over
from scripts.exercises.scene import Scene

NAME = "command"
NEEDS: tuple[str, ...] = ()
CASES: tuple[str, ...] = ()
LONGEST_SECONDS = 60.0
# Runs a command; prints its standard error after its output only when it fails.
EXPLAIN = """\
errors=$(mktemp) || exit
"$@" 2> "$errors"
code=$?
[ "$code" = 0 ] || cat "$errors"
rm -f "$errors"
exit "$code"
"""


def exercise(scene: Scene, cases: Cases) -> None:
    for name, service, node in scene.places():
        if command := service.options.get("command"):
            with suppress(Over), cases.case(f"{name}: $ {command}") as case:
                argv = ["sh", "-c", EXPLAIN, "sh", *shlex.split(str(command))]
                try:
                    result = node.run(argv, capture=True, check=False, timeout=LONGEST_SECONDS)
                except TimedOut:
                    raise Failed(f"it did not end within {LONGEST_SECONDS:g} seconds") from None
                case.output = result.stdout.rstrip("\n")
                if not result:
                    last = case.output.rpartition("\n")[2]
                    raise Failed(f"it ended with status {result.returncode}" + (f": {last}" if last else ""))
                if not re.fullmatch(prints := str(service.options.get("prints", ".*")), case.output, re.DOTALL):
                    last = case.output.rpartition("\n")[2]
                    raise Failed(f"it should have printed: {prints}; it printed: {last or 'nothing'}")
