"""The result of a pass of the publisher."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lab.base.errors import LabError
from reports.outputs.delivery import one_line


@dataclass
class PublishReport:
    """The result of a pass: bundled builds, outcomes by output, and ``errors`` with their places."""

    bundled: int = 0
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    errors: list[tuple[str, LabError]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return [f"{where}: {one_line(error)}" for where, error in self.errors]

    @property
    def exit_code(self) -> int:
        return max((error.exit_code for _, error in self.errors), default=0)
