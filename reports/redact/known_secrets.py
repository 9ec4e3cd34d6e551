"""Known secrets, and every form in which one may stand in a text."""

from __future__ import annotations

import json
import re
import shlex
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config.publication import KnownSecret

SHORTEST = 6
# What we ourselves authenticate with, where it is in the environment; see docs/reference/lab-yaml.md.
OUR_OWN = (
    KnownSecret(name="jenkins-token", env="QALAB_JENKINS_TOKEN"),
    KnownSecret(name="public-jenkins-token", env="QALAB_PUBLIC_JENKINS_TOKEN"),
    KnownSecret(name="smtp-password", env="QALAB_SMTP_PASSWORD"),
    KnownSecret(name="gerrit-password", env="QALAB_GERRIT_PASSWORD"),
    KnownSecret(name="webhook-key", env="QALAB_WEBHOOK_SECRET"),
)


@dataclass(frozen=True)
class Secret:
    """A secret by the name that stands in its place."""

    name: str
    value: str = field(repr=False)


def gather(wanted: tuple[KnownSecret, ...]) -> tuple[Secret, ...]:
    """The values of known secrets.  Raises ConfigurationError for one that cannot be had: what is not known is not found."""
    own = tuple(one for one in OUR_OWN if environment.variable(one.env or ""))
    return tuple(Secret(one.name, value) for one in (*wanted, *own) for value in _values(one))


def _values(wanted: KnownSecret) -> list[str]:
    where = f"the secret {wanted.name}: {wanted.env or wanted.file}"
    if wanted.env:
        text = environment.variable(wanted.env)
        if text is None:
            raise ConfigurationError(f"{where}: is not set, so that nobody can look for it")
    else:
        try:
            text = Path(wanted.file or "").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{where}: cannot be read: {error.__class__.__name__}") from None
    lines = [line.strip() for line in text.splitlines()]
    values = [line for line in lines if len(line) >= SHORTEST and not line.startswith("-----")]
    if not values:
        raise ConfigurationError(f"{where}: is too short to be looked for: {SHORTEST} characters at least")
    return values


def forms(value: str) -> list[str]:
    """A secret as it is, quoted (URL, shell, JSON, Python, XML) and in base64; the longest first."""
    raw = value.encode("utf-8", "surrogateescape")
    found = {value, quote(raw), quote(raw, safe=""), quote_plus(raw), shlex.quote(value), repr(value)[1:-1]}
    found |= {re.sub("%..", lambda match: match[0].lower(), form) for form in tuple(found) if "%" in form}
    found |= {re.sub(r"([^\w@%+=:,./-])", r"\\\1", value, flags=re.ASCII), value.replace("'", "'\\''")}
    found |= {escape(form, quote=marks) for form in (value,) for marks in (True, False)}
    found |= {value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")}
    found |= {
        json.dumps(form, ensure_ascii=ascii_only)[1:-1] for form in (value, *found) for ascii_only in (True, False)
    }
    found.add(value.replace("/", "\\/"))
    found |= set(_base64(raw))
    return sorted(found, key=lambda form: (-len(form), form))


def _base64(raw: bytes) -> Iterator[str]:
    """The characters that base64 has for these bytes wherever they stand, for each of the three places in a group."""
    for before in range(3):
        data = b"\0" * before + raw
        first, last = -(-before * 8 // 6), len(data) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(data)[first:last].decode()
    yield from (line.decode() for line in encodebytes(raw).splitlines() if len(line) > SHORTEST)


def core(form: str) -> str:
    """The longest run of letters and digits, in lower case: what a form must have, however it is quoted."""
    return max(re.findall(r"[A-Za-z0-9]+", form), key=len, default="").lower()
