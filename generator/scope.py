"""The jobs, the Jenkins and the owner that the options of a command select."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from generator import digests, expansion, jjb, plan
from generator.backup import Backup
from generator.items import Item
from generator.plan import PlanOptions
from generator.server import Server
from generator.steps import Plan
from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config import access, loading
from lab.config.description import Lab


@dataclass(frozen=True)
class Scope:
    """The described jobs, their Jenkins and their owner."""

    owner: str
    author: str
    jobs: tuple[Path, ...]
    access: access.Access
    settings: jjb.Settings
    names: tuple[str, ...] = ()
    """Patterns of the names of the items to plan for; none: all."""
    may_be_empty: bool = False
    """True if a description without jobs is valid."""

    @cached_property
    def server(self) -> Server:
        return Server(self.access)

    @cached_property
    def items(self) -> list[Item]:
        asks = jjb.wants_plugins(self.settings.configuration())
        found = expansion.expand(self.jobs, self.settings, self.server.plugins() if asks else None)
        return found if self.may_be_empty else some(self.jobs, found, self.names)

    @property
    def kept(self) -> Backup:
        """The copies of items from before they were changed or deleted."""
        return Backup(environment.state_home() / self.owner / "jenkins", self.author, is_private=True)

    @property
    def kept_by_restore(self) -> Backup:
        """The copies from before a restore, apart from `kept`, which can be what is restored."""
        return Backup(environment.state_home() / self.owner / "jenkins-before-restore", self.author, is_private=True)

    def plan(self, renames: Sequence[str] = (), replaced: Sequence[str] = (), *, quick: bool = False) -> Plan:
        described = [item.key.name for item in self.items]
        named = dict(_pair(text, described) for text in renames)
        with digests.remembered(self.server.url, self.owner) as known:
            options = PlanOptions(named, replaced, self.names, known)
            return plan.compute(self.server, self.owner, self.items, options, quick=quick)


def some(paths: Sequence[Path], items: list[Item], names: Sequence[str] = ()) -> list[Item]:
    """Return the items of paths.  Raises ConfigurationError if there are none, or none with one of the names."""
    where = os.pathsep.join(map(str, paths))
    if not items:
        hint = "name the directory of the YAML; -r reads its subdirectories too"
        raise ConfigurationError(f"no jobs in {where}: nothing is described there", hint=hint)
    if names and not named(items, names):
        hint = "a pattern matches the full name of a job or view"
        raise ConfigurationError(f"no job or view in {where} matches {' or '.join(names)}", hint=hint)
    return items


def named(items: Sequence[Item], names: Sequence[str]) -> list[Item]:
    """Return the items whose name matches one of the patterns; all without patterns."""
    return [item for item in items if plan.is_chosen(item.key, names)]


def _pair(text: str, described: Sequence[str]) -> tuple[str, str]:
    """Return the names of OLD=NEW; the name of a job can contain = too, and NEW is described."""
    places = [at for at, character in enumerate(text) if character == "=" and 0 < at < len(text) - 1]
    if not places:
        raise ConfigurationError(f"--rename {text}: is not OLD=NEW")
    pairs = [(text[:at], text[at + 1 :]) for at in places]
    return next((pair for pair in pairs if any(fnmatch.fnmatchcase(name, pair[1]) for name in described)), pairs[0])


@dataclass(frozen=True)
class JobsOptions:
    """The options that select the jobs, as ``jenkins-jobs`` has them."""

    path: str | None = None
    names: tuple[str, ...] = ()
    recursive: bool = False
    excludes: tuple[str, ...] = ()

    def settings(self, ini: Path | None, section: str) -> jjb.Settings:
        """Return the settings for Jenkins Job Builder; jobs of others have the ini file of their ``jenkins-jobs``."""
        found = ini or (jjb.found_ini() if self.path else None)
        return jjb.Settings(found, section, self.recursive, self.excludes)


def scope_of(
    lab_file: Path, ini: Path | None, section: str, owner: str | None, jobs: JobsOptions = JobsOptions()
) -> Scope:
    """Return the scope that the options select.  Raises ConfigurationError."""
    settings = jobs.settings(ini, section)
    lab: Lab | None = None
    if lab_file.exists() or not (settings.ini and owner):
        lab = loading.load(lab_file)
    named = ini or (settings.ini if lab is None else None)
    reached = access.of_ini(named, section) if named else access.for_lab(lab.jenkins if lab else None, lab_file.parent)
    settings = replace(settings, ini=settings.ini or reached.ini)
    author = lab.lab.maintainer if lab else f"{owner} <{owner}@localhost>"
    name = owner or (lab.lab.name if lab else "")
    paths = jjb.paths_of(jobs.path) if jobs.path else (lab_file.parent / "jobs",)
    return Scope(name, author, paths, reached, settings, jobs.names)
