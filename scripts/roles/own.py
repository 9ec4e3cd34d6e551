"""The roles of a lab's own: see `lab.config.roles` for their description.

A role starts after the applications that it relates to.  On each node, it writes its files, runs ``setup``, starts the
units and waits for ``health``; then it runs the ``setup`` of each relation.  Scripts and files reach a node by standard
input, so that no secret is on a command line; the output of scripts is logged without the generated passwords.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.base.errors import ConfigurationError
from lab.base.run import COMPLAINT
from lab.config.roles import RoleDescription, RoleFile, RoleRelation
from scripts.drivers.commands import attempted
from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.roles import package, role_values
from scripts.roles.role_values import RoleValues
from scripts.services import systemd, waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site

# $1: the time limit in seconds, $2: the program, which is a file, because a command in it can read standard input.  Its
# output is one too, so that nothing waits for a program that it leaves in the background.
RUN_SCRIPT = """\
code=0
timeout --kill-after=10 "$1" sh -eu "$2" < /dev/null > "$2.output" 2>&1 || code=$?
cat "$2.output"
exit "$code"
"""
TIMED_OUT = frozenset({124, 137})  # by timeout(1): with SIGTERM, and with SIGKILL
# $1: mode, $2: owner, $3: path.  An empty file with its permissions first: nobody else reads a secret meanwhile.
EMPTY_FILE = 'install -D --mode="$1" /dev/null "$3"; chown "$2" "$3"'


@dataclass(frozen=True)
class OwnRole:
    """A role of the lab's own; ``directory`` has its templates."""

    NAME: str
    described: RoleDescription
    directory: Path
    ENDPOINT: None = None

    @property
    def PACKAGES(self) -> tuple[str, ...]:  # noqa: N802 - as the modules of roles have it
        return self.described.packages

    @property
    def SUPPORTING(self) -> bool:  # noqa: N802
        return self.described.supporting

    @property
    def GIVES(self) -> Mapping[str, RoleRelation]:  # noqa: N802
        return self.described.gives

    @property
    def TAKES(self) -> tuple[str, ...]:  # noqa: N802
        return self.described.takes

    def describe(self, site: Site, application: Application) -> Service:
        """Return the application's service; its settings are what it takes from others, such as ``database.url``."""
        made = package.describe(site, application)
        units = tuple(dict.fromkeys((*made.units, *self.described.units)))
        return made.model_copy(update={"units": units, "settings": values_of(site).taken(application)})

    def configure(self, site: Site, application: Application) -> None:
        """Do nothing: what the role takes from others works once they have started."""

    def start(self, site: Site, application: Application) -> None:
        """Write files, set up, start and check an application, then set up its relations."""
        values = values_of(site)
        for node in site.nodes_of(application):
            context = values.of(application, node.name)
            for path, file in self.described.files.items():
                self._write(node, path, file, context)
            node.run(["systemctl", "daemon-reload"])
            if self.described.setup.strip():
                self._run(site, node, application, "setup", self._script("setup", self.described.setup, context))
                site.forget_units(node, application)
        package.start_units(site, application, self.described.units)
        for node in site.nodes_of(application):
            if health := self.described.health:
                waiting.until_succeeds(site, node, application, shlex.split(health), self.described.patience)
        node = site.nodes[application.nodes[0]]
        for name, relation in self.described.gives.items():
            for context in values.clients(application, name):
                part = f"gives.{name}.setup"
                self._run(site, node, application, part, self._script(part, relation.setup, context))

    def faults(self, values: RoleValues, application: Application) -> Iterator[str]:
        """Yield what is wrong with the templates of the role, and with what it takes."""
        if missing := values.missing(application):
            yield from (f"takes {name}: no application that it relates to gives it" for name in missing)
            return
        for node in application.nodes:
            try:
                context = values.of(application, node)
            except ConfigurationError as error:
                yield str(error)
                return
            for path, file in self.described.files.items():
                yield from _fault(partial(self._rendered, path, file, context))
            yield from _fault(partial(self._check_script, "setup", self.described.setup, context))
        for name, relation in self.described.gives.items():
            for client in values.clients(application, name):
                yield from _fault(partial(self._check_script, f"gives.{name}.setup", relation.setup, client))

    def paths(self, context: Mapping[str, Any]) -> list[str]:
        """Return the paths of its files on a node.  Raises ConfigurationError."""
        return [role_values.render(path, context, f"role {self.NAME}: files.{path}") for path in self.described.files]

    def _rendered(self, path: str, file: RoleFile, context: Mapping[str, Any]) -> tuple[str, str]:
        where = role_values.render(path, context, f"role {self.NAME}: files.{path}")
        return where, role_values.render_file(self.directory, file.template, context)

    def _script(self, name: str, text: str, context: Mapping[str, Any]) -> str:
        return role_values.render(text, context, f"role {self.NAME}: {name}")

    def _check_script(self, name: str, text: str, context: Mapping[str, Any]) -> None:
        """Raise ConfigurationError for a script that cannot be rendered, or that a shell cannot read."""
        read, lines = attempted(["sh", "-n"], None, stdin=self._script(name, text, context).encode())
        if not read:
            raise ConfigurationError(f"role {self.NAME}: {name}: {lines[-1].partition(': ')[2]}")

    def _write(self, node: Node, path: str, file: RoleFile, context: Mapping[str, Any]) -> None:
        where, text = self._rendered(path, file, context)
        node.run(["sh", "-euc", EMPTY_FILE, "sh", file.mode, file.owner, where])
        node.write(where, text)

    def _run(self, site: Site, node: Node, application: Application, name: str, script: str) -> None:
        """Run a script on a node.  Raises the application's fault when it fails."""
        if not script.strip():
            return
        site.cancellation.check()
        path, seconds = f"/run/qalab-{application.name}.sh", application.minutes * 60
        for each in (path, f"{path}.output"):
            node.run(["sh", "-euc", EMPTY_FILE, "sh", "0700", "root:root", each])
        node.write(path, script)
        began = site.clock.monotonic()
        result = node.run(["sh", "-c", RUN_SCRIPT, "sh", f"{seconds:g}", path], capture=True, check=False)
        node.run(["rm", "-f", path, f"{path}.output"])
        lines = site.passwords.hidden(result.stdout).splitlines()
        for line in lines:
            site.say(f"{application.name}: {line}")
        if not result:
            errors = [line for line in lines if systemd.JOB.match(line) or COMPLAINT.search(line)] or lines
            ended = f"{name} ended with status {result.returncode} on {node.name}"
            if result.returncode in TIMED_OUT and site.clock.monotonic() - began >= seconds:
                ended = f"{name} has not ended within {application.minutes:g} min on {node.name}"
            raise application.fault(f"{ended}: {systemd.explained(node, errors) or 'no output'}")


def _fault(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except ConfigurationError as error:
        yield str(error)


def values_of(site: Site) -> RoleValues:
    """Return the values of a deployment in progress."""
    addresses = {name: node.address for name, node in site.nodes.items()}
    return RoleValues(site.applications, site.relations, addresses, site.passwords.of)
