"""A plan as data: its steps, and what it says about a Jenkins; see `generator.plan`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict

from generator.differences import Difference
from generator.items import ItemKey, Kind
from lab.base import files
from lab.base.errors import LabError
from lab.store.records import Stored

Action = Literal["create", "change", "revert", "rename", "replace", "retype", "delete", "taken", "unreadable"]
SIGNS: Mapping[Action, str] = {
    "create": "+",
    "change": "~",
    "revert": "!",
    "rename": ">",
    "replace": "±",
    "retype": "±",
    "delete": "-",
    "taken": "?",
    "unreadable": "✘",
}
NEW: Final = ".qalab-new"
"""What the name of a job of another type ends with until it takes the place of the old one."""


class PlanStep(BaseModel):
    """One step: ``before`` is the digest of the live item ("" without one), ``xml`` the config.xml to send."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    action: Action
    kind: Kind
    name: str
    old: str = ""
    """rename: the full name that it has now."""
    before: str = ""
    owner: str = ""
    """The lab whose mark the live item has; an item that has another one when its turn comes stays."""
    xml: str = ""
    edited: bool = False
    """Somebody has edited it by hand since the lab applied it."""
    is_from_jjb: bool = False
    """Stock Jenkins Job Builder applied it, so nobody knows whether it was edited by hand."""
    differences: tuple[Difference, ...] = ()
    problem: str = ""
    """unreadable: why."""
    exit_code: int = 0
    """unreadable: the exit code of the problem."""

    @classmethod
    def unreadable(cls, key: ItemKey, error: LabError) -> Self:
        """Return the step of an item that stays as it is, because it or its description cannot be read."""
        return cls(action="unreadable", kind=key.kind, name=key.name, problem=str(error), exit_code=error.exit_code)

    @property
    def key(self) -> ItemKey:
        return ItemKey(self.kind, self.name)

    @property
    def adoption(self) -> str:
        """The command that takes the item under management."""
        previous = f"--from {self.owner} " if self.owner else ""
        return f"qalab jenkins adopt {previous}{'-- ' if self.name.startswith('-') else ''}{shlex.quote(self.name)}"

    @property
    def whose(self) -> str:
        """Why the item is not this lab's."""
        return f"is the lab {self.owner}'s" if self.owner else "exists, and this lab does not manage it"

    @property
    def there(self) -> ItemKey:
        """The present key of the item."""
        return ItemKey(self.kind, self.old or self.name)


class Plan(Stored):
    """The steps on a server for an owner; ``-o`` saves them to a file.

    Differences contain no secrets; the ``xml`` of a step is sent as it is, and can contain them.
    """

    server: str
    owner: str
    steps: tuple[PlanStep, ...]
    unchanged: int
    missing_plugins: tuple[str, ...] | None = ()
    """None: the account may not list the plugins."""
    guesses: tuple[tuple[str, str], ...] = ()
    """Old and new names of jobs that were perhaps renamed."""
    others_folders: tuple[str, ...] = ()
    """Described folders that are not the lab's."""
    unmanaged: tuple[str, ...] = ()
    """Jobs and views that nobody describes: in the lab's folders and of no lab, or copied or renamed by a person."""

    def save(self, path: Path) -> None:
        """Write the plan to a file that only this user can read."""
        files.write_atomic(path, self.model_dump_json(indent=2, by_alias=True) + "\n", mode=0o600)

    def as_json(self) -> str:
        """Return the plan as JSON, without the config.xml to send."""
        return self.model_dump_json(indent=2, by_alias=True, exclude={"steps": {"__all__": {"xml"}}})

    def of(self, *actions: Action) -> list[PlanStep]:
        return [step for step in self.steps if step.action in actions]

    def without_guesses(self) -> Self:
        """Return the plan without the deletion of jobs and folders that were perhaps renamed, and of their content."""
        old = tuple(f"{name}/" for name, _ in self.guesses)
        steps = tuple(step for step in self.steps if step.action != "delete" or not f"{step.name}/".startswith(old))
        return self.model_copy(update={"steps": steps})

    @property
    def exit_code(self) -> int:
        """The highest exit code of the items that could not be read, 0 if all could be."""
        return max((step.exit_code for step in self.steps), default=0)

    @property
    def empty(self) -> bool:
        return not self.steps
