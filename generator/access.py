"""How a Jenkins is reached: its URL, and credentials from the environment, a jenkins_jobs.ini or a keyring.

A password is never in lab.yaml, in an argument or in a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import keyring
import keyring.errors

from generator import jjb
from lab import environment
from lab.description import Jenkins
from lab.errors import ConfigurationError

TIMEOUT_SECONDS = 60.0
USER, TOKEN = "QALAB_JENKINS_USER", "QALAB_JENKINS_TOKEN"
KNOWN = f"known: env ({USER} and {TOKEN}), ini:PATH, keyring:SERVICE"


@dataclass(frozen=True)
class Access:
    """A Jenkins and who we are there; ``source`` says where that is from, ``ini`` is what JJB reads besides."""

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = TIMEOUT_SECONDS
    source: str = "anonymous"
    ini: Path | None = None

    def __post_init__(self) -> None:
        """Raises ConfigurationError for what is no URL of a Jenkins."""
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in {"http", "https"} and parts.hostname and " " not in parts.netloc
        except ValueError:
            good = False
        if not good:
            raise ConfigurationError(f"{self.url}: is no URL of a Jenkins", hint="https://HOST[:PORT]/[PATH/]")
        if parts.username or parts.password:
            raise ConfigurationError(f"{parts.hostname}: its URL has credentials in it", hint=KNOWN)


def of_lab(jenkins: Jenkins | None, base: Path) -> Access:
    """The access that lab.yaml names; ``base``: the directory that a relative ini is in.

    Raises ConfigurationError when it names none, or what it names is not there.
    """
    if jenkins is None:
        hint = "write its URL there, or name a jenkins_jobs.ini with --ini"
        raise ConfigurationError("lab.yaml: jenkins: missing; which Jenkins is meant?", hint=hint)
    kind, _, where = jenkins.credentials.partition(":")
    match kind, bool(where):
        case "env", False:
            return _of_environment(jenkins.url)
        case "ini", True:
            found = of_ini(base / where)
            return Access(jenkins.url, found.user, found.password, found.timeout, found.source, found.ini)
        case "keyring", True:
            return _of_keyring(jenkins.url, where)
    raise ConfigurationError(f"lab.yaml: jenkins.credentials: {jenkins.credentials}: no such place", hint=KNOWN)


def _of_environment(url: str) -> Access:
    user, token = environment.variable(USER), environment.variable(TOKEN)
    if bool(user) != bool(token):
        raise ConfigurationError(f"only one of {USER} and {TOKEN} is set", hint="set both, or none for no login")
    return Access(url, user, token, source=f"{USER} and {TOKEN}" if user else f"anonymous: {USER} is not set")


def _of_keyring(url: str, service: str) -> Access:
    try:
        found = keyring.get_credential(service, None)
    except keyring.errors.KeyringError as error:
        raise ConfigurationError(f"the keyring cannot be read: {error}", hint=KNOWN) from None
    if found is None:
        raise ConfigurationError(f"the keyring has nothing for {service}", hint=f"keyring set {service} USER")
    return Access(url, found.username, found.password, source=f"the keyring's {service}")


def of_ini(path: Path, section: str = "jenkins") -> Access:
    """What a jenkins_jobs.ini says, as Jenkins Job Builder reads it.  Raises ConfigurationError."""
    said = jjb.configuration(path, section).jenkins
    user, password, timeout = said["user"], said["password"], said["timeout"]
    if bool(user) != bool(password):
        raise ConfigurationError(f"{path}: [{section}] has only one of user and password")
    seconds = timeout if isinstance(timeout, float) else TIMEOUT_SECONDS
    return Access(said["url"], user, password, seconds, f"{path} [{section}]", path)
