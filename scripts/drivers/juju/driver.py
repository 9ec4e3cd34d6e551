"""juju: nodes are machines of a Juju model, and deployments on them are charms.

An environment is a model, named after the lab and the track, and marked as the lab's own from its creation; the
driver never touches a model of that name without the mark.  The driver records the model before it creates it: the
next destroy removes whatever a killed process leaves.

::

    ENVIRONMENT/model.json      the model's controller and name, and its machines, once they are up
    ENVIRONMENT/bundle.yaml     the deployed bundle, and
    ENVIRONMENT/overlay.yaml    the options that point charms to the lab's archive
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Unpack

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.run import Result, RunOptions, Word, run
from lab.config.deployment import Deployment
from lab.config.description import Lab
from lab.config.juju import Juju
from lab.store.archive_place import reader_of
from lab.store.records import Stored, rfc3339
from scripts.chroots.bootstrap import Repository
from scripts.drivers.interfaces import Node, Pristine, PristineSnapshot
from scripts.drivers.juju import bundle, client, model_logs
from scripts.drivers.juju.client import JujuModel
from scripts.drivers.juju.machine import JujuMachine, node_name
from scripts.drivers.juju.patience import JujuPatience
from scripts.drivers.juju.status import MachineStatus
from scripts.drivers.juju.watch import Watch
from scripts.drivers.topology import Topology

NAME = "juju"
SHARED = False


class JujuEnvironment(Stored):
    """The recorded state of an environment: a model, created or about to be; its machines, once they are up."""

    created: str
    controller: str
    user: str
    model: str
    base: str
    machines: Mapping[str, str] = {}
    """Ids by node."""
    addresses: Mapping[str, str] = {}


@dataclass(frozen=True)
class JujuPristine:
    """The base of Juju's machines, which start from images of the cloud, and the archive for those of a bundle file."""

    base: str
    repository: Repository | None = None

    @property
    def facts(self) -> dict[str, Any]:
        return {"base": self.base}


@dataclass(frozen=True)
class JujuTarget:
    """One environment; ``home`` is its directory, below the lab's."""

    home: Path
    log: IO[str] | None = None
    settings: Deployment | None = None

    @property
    def juju(self) -> Juju:
        return (self.settings.juju if self.settings else None) or Juju()

    @property
    def _note(self) -> Path:
        return self.home / "model.json"

    @contextmanager
    def archive(self, lab: Lab, suite: str) -> Iterator[Repository | None]:
        reader = reader_of(lab)
        if lab.archive.url and reader.has(suite):
            yield Repository(lab.archive.url.rstrip("/"), suite, reader.key(), lab.lab.name)
        else:
            yield None

    @contextmanager
    def prepare(self, pristine: Pristine) -> Iterator[JujuPristine]:
        if why := client.missing_prerequisite():
            raise ConfigurationError(why, hint="snap install juju, or choose another deployment.target")
        if self.juju.bundle:  # which has a base of its own
            yield JujuPristine("", pristine.repository)
        else:
            yield JujuPristine(bundle.base(pristine.series_name, pristine.series, self.juju.base))

    def create(self, snapshot: PristineSnapshot, names: Sequence[str]) -> list[Node]:
        assert isinstance(snapshot, JujuPristine)  # noqa: S101 - it is one of ours
        self.destroy()
        return self._make(snapshot.base, names, bundle.on_machines(snapshot.repository))

    def nodes(self) -> list[Node]:
        noted = self._noted()
        if noted is None or not noted.addresses:
            return []
        model = self.model(noted)
        return self._machines(noted) if model.life().startswith("alive") and self._is_ours(model) else []

    def reaching(self, nodes: Sequence[Node], repository: Repository | None) -> Sequence[Node]:  # noqa: ARG002 - all do
        return nodes

    def collect_logs(self, into: Path) -> None:
        with suppress(LabError):
            if noted := self._noted():
                model_logs.collect(self.model(noted), self.nodes(), into)

    def beside(self, argv: Sequence[Word], **options: Unpack[RunOptions]) -> Result:
        own: RunOptions = {"log": self.log, **options}
        return run(argv, **own)

    def route(self, network: str, via: str) -> None:
        """Do nothing: reaching the cloud's networks is the business of this machine's administrator."""

    def reset(self) -> list[Node]:
        noted = self._noted()
        if noted is None or not noted.machines:
            raise InfrastructureError(f"{self.home.name}: there is no such environment, or it is not whole")
        self.destroy()
        if self.juju.bundle:
            hint = "qalab run deploys it again"
            raise InfrastructureError(
                f"{self.home.name}: the machines of a bundle file come with its charms", hint=hint
            )
        return self._make(noted.base, list(noted.machines), {})

    def destroy(self) -> bool:
        exists = self.home.exists()
        if noted := self._noted():
            model = self.model(noted)
            # One that is going already may have forgotten its mark.
            if (life := model.life()) and (not life.startswith("alive") or self._is_ours(model)):
                model.destroy()
        if exists:
            shutil.rmtree(self.home)
        return exists

    def adopt(self, machines: Mapping[str, MachineStatus]) -> list[Node]:
        """Record the machines that Juju has made for a bundle file as nodes; return them."""
        ids = {node_name(machine): machine for machine in machines}
        addresses = {name: machines[machine].address for name, machine in ids.items()}
        noted = self.recorded().model_copy(update={"machines": ids, "addresses": addresses})
        noted.write(self._note)
        return self._machines(noted)

    def _make(self, base: str, names: Sequence[str], config: Mapping[str, str]) -> list[Node]:
        controller, user = client.whoami(self.juju.controller, self.log)
        now = rfc3339(environment.now())
        noted = JujuEnvironment(created=now, controller=controller, user=user, model=self._name, base=base)
        model = self.model(noted)
        if model.life():
            if not self._is_ours(model):
                hint = f"juju destroy-model {model}, or another lab.name"
                raise ConfigurationError(f"the model {model} is not this lab's", hint=hint)
            model.destroy()  # its record is lost
        self.home.mkdir(parents=True, mode=0o700, exist_ok=True)  # the deployment has passwords
        noted.write(self._note)
        further = dict(config) | bundle.settings(self.juju.config)
        model.add(self._mark(), self.juju.cloud, further, self.juju.credential)
        model.add_ssh_keys()
        if names:
            constraints = ["--constraints", self.juju.constraints] if self.juju.constraints else []
            model.call("add-machine", "-n", str(len(names)), "--base", base, *constraints)
            noted = self._up(noted, model, names)
            noted.write(self._note)
        return self._machines(noted)

    def _up(self, noted: JujuEnvironment, model: JujuModel, names: Sequence[str]) -> JujuEnvironment:
        """Wait until the machines are up; return their names and addresses."""
        watch = Watch(
            replace(model, patiently=client.once).status,
            self._say,
            Topology(()),
            lost_seconds=60 * self.juju.boot_minutes,
        )
        status, blame = watch.until_machines(len(names), self.juju.minutes)
        if blame:
            raise blame.error(Topology(()))
        ids = dict(zip(names, sorted(status.machines, key=int), strict=True))
        addresses = {name: status.machines[machine].address for name, machine in ids.items()}
        return noted.model_copy(update={"machines": ids, "addresses": addresses})

    def _is_ours(self, model: JujuModel) -> bool:
        return model.mark() == self._mark()

    def _mark(self) -> str:
        """Return the mark of the lab's models; it lasts as long as the lab's state directory."""
        path = self._lab / "juju.mark"
        with files.locked(path):
            if not (text := path.read_text()):
                text = f"qalab {self._lab.name} {secrets.token_hex(8)}"
                path.write_text(text)
        return text

    @property
    def _lab(self) -> Path:
        return self.home.parent.parent

    @property
    def _name(self) -> str:
        """Lower-case letters, digits and hyphens: see `juju add-model`."""
        return re.sub(r"[^a-z0-9]+", "-", f"qalab-{self._lab.name}-{self.home.name}")

    def _noted(self) -> JujuEnvironment | None:
        return JujuEnvironment.read(self._note) if self._note.exists() else None

    def recorded(self) -> JujuEnvironment:
        """Return the recorded state of the environment."""
        return JujuEnvironment.read(self._note)

    def model(self, noted: JujuEnvironment) -> JujuModel:
        return JujuModel(noted.controller, noted.user, noted.model, self.log, JujuPatience(self._say))

    def _machines(self, noted: JujuEnvironment) -> list[Node]:
        model = self.model(noted)
        return [JujuMachine(model, noted.machines[name], name, address) for name, address in noted.addresses.items()]

    def _say(self, line: str) -> None:
        if self.log:
            self.log.write(f"{line}\n")
            self.log.flush()


def target(home: Path, log: IO[str] | None = None, lab: Lab | None = None) -> JujuTarget:
    """Return the environment whose directory is ``home``, whether it exists or not."""
    return JujuTarget(home, log, lab.deployment if lab else None)
