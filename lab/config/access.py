"""Access to servers: URLs, and logins from the environment, an ini file or a keyring.

A password is never in lab.yaml, in an argument or in a message.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import keyring
import keyring.errors

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config.servers import JenkinsSettings

TIMEOUT_SECONDS: Final = 60.0
# The variables of the user and the password of a server, by its key in lab.yaml.
VARIABLES: Final[Mapping[str, tuple[str, str]]] = {
    "jenkins": ("QALAB_JENKINS_USER", "QALAB_JENKINS_TOKEN"),
    "public.jenkins": ("QALAB_PUBLIC_JENKINS_USER", "QALAB_PUBLIC_JENKINS_TOKEN"),
    "power": ("QALAB_POWER_USER", "QALAB_POWER_PASSWORD"),
    "notifications.mail": ("QALAB_SMTP_USER", "QALAB_SMTP_PASSWORD"),
    "reviews.gerrit": ("QALAB_GERRIT_USER", "QALAB_GERRIT_PASSWORD"),
}
# The defaults of a jenkins_jobs.ini, as in Jenkins Job Builder.
DEFAULTS: Final = {"url": "http://localhost:8080/", "timeout": str(TIMEOUT_SECONDS)}


@dataclass(frozen=True)
class Login:
    """A user and a password for a server; ``source`` names their origin."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    source: str = "anonymous"


@dataclass(frozen=True)
class Access:
    """A Jenkins and the login for it; ``source`` names the login's origin, ``ini`` the file that JJB also reads."""

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = TIMEOUT_SECONDS
    source: str = "anonymous"
    ini: Path | None = None
    writes_per_second: float | None = None

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a URL that cannot be that of a Jenkins."""
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in {"http", "https"} and parts.hostname and " " not in parts.netloc
        except ValueError:
            good = False
        if not good:
            raise ConfigurationError(f"{self.url}: is no URL of a Jenkins", hint="https://HOST[:PORT]/[PATH/]")
        if parts.username or parts.password:
            raise ConfigurationError(f"{parts.hostname}: its URL has credentials in it", hint=known("jenkins"))


def known(key: str) -> str:
    """Return the possible sources of credentials, for people."""
    user, password = VARIABLES[key]
    return f"known: env ({user} and {password}), ini:PATH, keyring:SERVICE"


def for_lab(jenkins: JenkinsSettings | None, base: Path, key: str = "jenkins") -> Access:
    """Return the access that lab.yaml names at ``key``; ``base``: the directory that a relative ini path starts at.

    Raises ConfigurationError for a missing key, and for credentials that are not where it says.
    """
    if jenkins is None:
        hint = "write its URL there, or name a jenkins_jobs.ini with --ini"
        raise ConfigurationError(f"{key}: missing; which Jenkins is meant?", hint=hint)
    kind, _, where = jenkins.credentials.partition(":")
    if kind == "ini" and where:
        found = of_ini(base / where)
        return replace(found, url=jenkins.url, writes_per_second=jenkins.writes_per_second)
    named = login(jenkins.credentials, base, key)
    return Access(
        jenkins.url, named.user, named.password, source=named.source, writes_per_second=jenkins.writes_per_second
    )


def login(credentials: str, base: Path, key: str) -> Login:
    """Return the login of ``KEY.credentials`` in lab.yaml; the section of an ini file is ``jenkins``, or KEY's last part.

    Raises ConfigurationError for credentials that are not where the key says.
    """
    kind, _, where = credentials.partition(":")
    match kind, bool(where):
        case "env", False:
            return _of_environment(*VARIABLES[key])
        case "ini", True:
            found = of_ini(base / where, key.rpartition(".")[2])
            return Login(found.user, found.password, found.source)
        case "keyring", True:
            return _of_keyring(where, key)
    raise ConfigurationError(f"{key}.credentials: {credentials}: no such place", hint=known(key))


def _of_environment(user_variable: str, password_variable: str) -> Login:
    user, password = environment.variable(user_variable), environment.variable(password_variable)
    if bool(user) != bool(password):
        hint = "set both, or none for no login"
        raise ConfigurationError(f"only one of {user_variable} and {password_variable} is set", hint=hint)
    source = f"{user_variable} and {password_variable}" if user else f"anonymous: {user_variable} is not set"
    return Login(user, password, source)


def _of_keyring(service: str, key: str) -> Login:
    try:
        found = keyring.get_credential(service, None)
    except keyring.errors.KeyringError as error:
        raise ConfigurationError(f"the keyring cannot be read: {error}", hint=known(key)) from None
    if found is None:
        raise ConfigurationError(f"the keyring has nothing for {service}", hint=f"keyring set {service} USER")
    return Login(found.username, found.password, f"the keyring's {service}")


def _fault(error: Exception, section: str) -> str:
    """Return what is wrong with an ini file, without what is in it: configparser tells passwords."""
    match error:
        case configparser.ParsingError():
            number = error.lineno if isinstance(error, configparser.MissingSectionHeaderError) else error.errors[0][0]
            return f"line {number}: must be [{section}], and below it lines such as user = NAME"
        case configparser.InterpolationError():
            return f"[{error.section}] {error.option}: write %% for %"
        case UnicodeDecodeError():
            return "must be text in UTF-8"
        case ValueError():
            return f"[{section}] timeout: must be a number"
    return " ".join(str(error).split())


def of_ini(path: Path, section: str = "jenkins") -> Access:
    """Read a jenkins_jobs.ini, or another file of its format.  Raises ConfigurationError."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"), path.name)
        values = {**DEFAULTS, **dict(parser.items(section))}
        timeout = float(values["timeout"])
    except FileNotFoundError:
        hint = "name a jenkins_jobs.ini" if section == "jenkins" else f"a file with [{section}], user and password"
        raise ConfigurationError(f"{path}: there is no such file", hint=hint) from None
    except (configparser.Error, ValueError, OSError) as error:
        raise ConfigurationError(f"{path}: {_fault(error, section)}") from None
    user, password = values.get("user"), values.get("password")
    if bool(user) != bool(password):
        raise ConfigurationError(f"{path}: [{section}] has only one of user and password")
    return Access(values["url"], user, password, timeout, f"{path} [{section}]", path)
