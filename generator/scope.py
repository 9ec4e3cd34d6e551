"""The jobs, the Jenkins and the owner that the options of a command select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from generator import expansion, jjb, plan
from generator.backup import Backup
from generator.items import Item
from generator.plan import Confirmed, Plan
from generator.server import Server
from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config import access, loading
from lab.config.description import Lab


@dataclass(frozen=True)
class Scope:
    """The described jobs, their Jenkins and their owner."""

    owner: str
    author: str
    jobs: Path
    access: access.Access
    section: str
    may_be_empty: bool = False
    """True if a description without jobs is valid."""

    @cached_property
    def server(self) -> Server:
        return Server(self.access)

    @cached_property
    def items(self) -> list[Item]:
        asks = jjb.wants_plugins(jjb.configuration(self.access.ini, self.section))
        found = expansion.expand(self.jobs, self.access.ini, self.section, self.server.plugins() if asks else None)
        return found if found or self.may_be_empty else some(self.jobs, found)

    @property
    def kept(self) -> Backup:
        """The copies of items from before they were changed or deleted."""
        return Backup(environment.state_home() / self.owner / "jenkins", self.author, is_private=True)

    def plan(self, renames: Sequence[str] = (), replaced: Sequence[str] = (), *, quick: bool = False) -> Plan:
        confirmed = Confirmed(dict(_pair(text) for text in renames), replaced)
        return plan.compute(self.server, self.owner, self.items, confirmed, quick=quick)


def some(path: Path, items: list[Item]) -> list[Item]:
    """Return the items of a path.  Raises ConfigurationError if there are none, because the path may be wrong."""
    if not items:
        hint = "name the directory of the YAML; its subdirectories are read only if the ini sets recursive"
        raise ConfigurationError(f"no jobs in {path}: nothing is described there", hint=hint)
    return items


def _pair(text: str) -> tuple[str, str]:
    old, found, new = text.partition("=")
    if not (old and found and new):
        raise ConfigurationError(f"--rename {text}: is not OLD=NEW")
    return old, new


def scope_of(lab_file: Path, path: Path | None, ini: Path | None, section: str, owner: str | None) -> Scope:
    """Return the scope that the options select.  Raises ConfigurationError."""
    lab: Lab | None = None
    if lab_file.exists() or not (ini and owner):
        lab = loading.load(lab_file)
    reached = access.of_ini(ini, section) if ini else access.for_lab(lab.jenkins if lab else None, lab_file.parent)
    author = lab.lab.maintainer if lab else f"{owner} <{owner}@localhost>"
    name = owner or (lab.lab.name if lab else "")
    return Scope(name, author, path or lab_file.parent / "jobs", reached, section)
