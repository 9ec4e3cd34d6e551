"""The prerequisites of a phase: whether this machine, as this user, can build, deploy, have the archive, or run the lab's jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from lab.base import environment, failures
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.run import missing_program, output
from lab.config import access, apt, deployments
from lab.config.agents import Role
from lab.config.deployment import Deployment
from lab.config.description import Lab
from lab.store.archive_place import is_apart, reader_of
from lab.store.runs import Store
from scripts.archives import archive_identity
from scripts.drivers.juju import client as juju
from scripts.drivers.juju import driver as juju_driver
from scripts.drivers.metal import driver as metal
from scripts.drivers.nspawn import driver as nspawn
from scripts.drivers.qemu import driver as qemu
from scripts.drivers.qemu.virtual_machine import has_kvm
from scripts.host import prerequisites
from scripts.host.prerequisites import Finding

JENKINS = access.VARIABLES["jenkins"]
MOVE_KEY = "remove it: the keys belong to the machine of the archive"


def doctor(lab: Lab, role: Role) -> Iterator[Finding]:
    """Yield the state of each prerequisite of a phase on this machine.

    For the archive, the first call writes its identity, see `scripts.archives.archive_identity`.
    """
    as_root = " as root" if environment.is_root() and environment.user() != "root" else ""
    yield Finding("user", good=True, detail=f"{environment.user()}{as_root}")
    yield prerequisites.disk("state", environment.state_home())
    yield prerequisites.disk("cache", environment.cache_home())
    yield from {"build": _build, "deploy": _deploy, "archive": _archive, "lab": _lab}[role](lab)


def _build(lab: Lab) -> Iterator[Finding]:
    yield prerequisites.packages()
    yield prerequisites.builds()
    for name, series in lab.series.items():
        yield prerequisites.architecture_of(name, series)
        yield prerequisites.found(f"mirror of {name}", partial(apt.mirror, name, series))
        yield prerequisites.found(f"keyring of {name}", partial(apt.keyrings, name, series))
    yield from _reads_archive(lab)
    if is_apart(lab):
        yield from _has_no_secrets(lab)


def _deploy(lab: Lab) -> Iterator[Finding]:
    chosen = [view.deployment or Deployment(applications={}) for _, view in deployments.views(lab) if view.tracks]
    for deployment in {each.target: each for each in reversed(chosen)}.values():
        yield from _target(deployment)
    yield from _reads_archive(lab)
    if is_apart(lab):
        yield from _has_no_secrets(lab)


def _target(deployment: Deployment) -> Iterator[Finding]:
    target = deployment.target
    missing = _missing(target)
    fix = "run the agent of jenkins.deploy_agent as root, or choose another deployment.target"
    if "root" not in missing:
        fix = prerequisites.SETUP
    yield Finding(f"target {target}", not missing, missing or _ready(target), fix)
    if target == juju_driver.NAME and not missing:
        controller = deployment.juju.controller if deployment.juju else None
        yield prerequisites.found("controller of Juju", partial(juju.access, controller))


def _missing(target: str) -> str:
    """Return why this user cannot deploy on a target from this machine; "" when nothing is missing."""
    return {
        "nspawn": nspawn.missing_prerequisite,
        "metal": metal.missing_prerequisite,
        "qemu": qemu.missing_prerequisite,
        "juju": juju.missing_prerequisite,
        "ssh": _missing_ssh,
    }[target]()


def phases(lab: Lab | None) -> Iterator[Finding]:
    """Yield whether this user can run the phases of a lab after ``build`` here.

    Without a lab, they are those of a default target, and an ordinary user lacks nothing.
    """
    wanted = {phase for track in lab.tracks.values() for phase in track.phases} if lab else {"test", "deploy"}
    targets = (deployments.targets(lab) if lab else ()) or (nspawn.NAME,)
    for phase, on in (("test", nspawn.NAME), *(("deploy", target) for target in targets)):
        if phase not in wanted:
            continue
        try:
            missing = _missing(on)
        except (LabError, OSError) as error:  # a directory that cannot be written is told by name above
            missing = failures.failure(error).message
        needs_root = "root" in missing
        detail = f"this user cannot run it here: {missing}" if missing else "this user can run it here"
        fix = "run qalab as root, or leave it to an agent that does" if needs_root else prerequisites.SETUP
        where = f" on {on}" if phase == "deploy" and len(targets) > 1 else ""
        yield Finding(f"phase {phase}{where}", not missing or (needs_root and not lab), detail, fix)


def _missing_ssh() -> str:
    return "" if environment.find_program("ssh") else str(missing_program("ssh"))


def _ready(target: str) -> str:
    """Return what this machine offers to a target whose prerequisites are met."""
    ready = "this user can deploy on it"
    if target != qemu.NAME:
        return ready
    return f"{ready}, {'by KVM' if has_kvm() else 'by emulation: this machine has no KVM'}"


def _archive(lab: Lab) -> Iterator[Finding]:
    root = Store.of(lab).archive
    existing = next(parent for parent in (root, *root.parents) if parent.exists())
    good = os.access(existing, os.W_OK)
    yield Finding("archive", good, f"{root}: {'' if good else 'may not be '}writable", "run this as the agent's user")
    if is_apart(lab):
        yield prerequisites.found("address of the archive", partial(_served_here, lab))
    yield prerequisites.found("signing key", partial(_key, lab))
    uploads = [name for track in lab.tracks for name in lab.components_of(track) if lab.component(name, track).upload]
    if uploads:
        dput = environment.find_program("dput")
        yield Finding("uploads", bool(dput), dput or str(missing_program("dput")), prerequisites.SETUP)


def _served_here(lab: Lab) -> str:
    archive_identity.check(lab)
    return f"{lab.archive.url} serves the archive of this machine"


def _key(lab: Lab) -> str:
    """Return the signing key; a key that qalab creates is none before the first build."""
    wanted, store = lab.archive.signing_key, Store.of(lab)
    if not wanted:
        return f"{store.gnupg}: qalab's own{'' if store.gnupg.exists() else ', created with the first build'}"
    home = Path(lab.archive.gnupg_home).expanduser() if lab.archive.gnupg_home else store.gnupg
    try:
        output(["gpg", "--batch", "--list-secret-keys", wanted], env={"GNUPGHOME": str(home)})
    except LabError:
        raise ConfigurationError(f"no secret key {wanted} in {home}", hint="import it as the agent's user") from None
    return f"{wanted} in {home}"


def _lab(lab: Lab) -> Iterator[Finding]:
    if lab.jenkins:
        jenkins = lab.jenkins
        yield prerequisites.found("login of Jenkins", partial(_login, lambda: access.for_lab(jenkins, lab.file.parent)))
    if lab.public and lab.public.jenkins:
        public = lab.public.jenkins
        named = partial(access.for_lab, public, lab.file.parent, "public.jenkins")
        yield prerequisites.found("login of the public Jenkins", partial(_login, named))
    store = Store.of(lab)
    existing = next(parent for parent in (store.root, *store.root.parents) if parent.exists())
    good = os.access(existing, os.W_OK)
    yield Finding(
        "journal", good, f"{store.root}: {'' if good else 'may not be '}writable", "run this as the agent's user"
    )


def _login(find: Callable[[], access.Access]) -> str:
    found = find()
    if found.user is None:
        raise ConfigurationError(f"{found.url}: none", hint=access.known("jenkins"))
    return f"{found.user} at {found.url}, from {found.source}"


def _reads_archive(lab: Lab) -> Iterator[Finding]:
    if is_apart(lab):
        yield prerequisites.found("archive", partial(_read, lab))


def _read(lab: Lab) -> str:
    reader = reader_of(lab)
    if reader.read(archive_identity.FILE) is None:
        raise InfrastructureError(
            f"{reader.location}: has no archive yet", hint="run: qalab doctor --for archive, on its machine"
        )
    return f"{reader.location}: {len(reader.labels())} labels"


def _has_no_secrets(lab: Lab) -> Iterator[Finding]:
    """Yield what a machine that runs the code of others must not have."""
    gnupg = Store.of(lab).gnupg
    yield Finding("keys", not gnupg.exists(), str(gnupg) if gnupg.exists() else "none", MOVE_KEY)
    tokens = [name for name in JENKINS if environment.variable(name)]
    detail = f"the environment has {' and '.join(tokens)}" if tokens else "none"
    yield Finding("login of Jenkins", not tokens, detail, "set it on the machine of jenkins.lab_agent only")
