"""Known secrets, and the forms in which a text can contain them."""

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
# The credentials of qalab in the environment; see docs/reference/lab-yaml.md.
OWN = (
    KnownSecret(name="jenkins-token", env="QALAB_JENKINS_TOKEN"),
    KnownSecret(name="public-jenkins-token", env="QALAB_PUBLIC_JENKINS_TOKEN"),
    KnownSecret(name="smtp-password", env="QALAB_SMTP_PASSWORD"),
    KnownSecret(name="gerrit-password", env="QALAB_GERRIT_PASSWORD"),
)


@dataclass(frozen=True)
class Secret:
    """A secret, and the name that replaces it."""

    name: str
    value: str = field(repr=False)


def gather(secrets: tuple[KnownSecret, ...], credentials: tuple[KnownSecret, ...] = ()) -> tuple[Secret, ...]:
    """Read the values of known secrets, and of the credentials of outputs that this machine has.

    Raises ConfigurationError for a secret that cannot be read: the redactor would not find it.
    """
    own = tuple(one for one in (*OWN, *credentials) if environment.variable(one.env or "") or _is_there(one.file))
    return tuple(Secret(secret.name, value) for secret in (*secrets, *own) for value in _values(secret))


def _is_there(file: str | None) -> bool:
    return file is not None and Path(file).exists()


def _values(secret: KnownSecret) -> list[str]:
    where = f"the secret {secret.name}: {secret.env or secret.file}"
    if secret.env:
        text = environment.variable(secret.env)
        if text is None:
            raise ConfigurationError(f"{where}: is not set, so it cannot be redacted")
    else:
        try:
            text = Path(secret.file or "").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{where}: cannot be read: {error.__class__.__name__}") from None
    lines = [line.strip() for line in text.splitlines()]
    values = [line for line in lines if len(line) >= SHORTEST and not line.startswith("-----")]
    if not values:
        raise ConfigurationError(f"{where}: is too short: at least {SHORTEST} characters are required")
    return values


def forms(value: str) -> list[str]:
    """Return the forms of a secret: unchanged, quoted, escaped, in capitals, in base64 and in hexadecimal; the longest first.

    A text can quote a secret twice: JSON in JSON, a URL in a URL.
    """
    raw = value.encode("utf-8", "surrogateescape")
    variants = _quoted(value)
    variants |= {json.dumps(form, ensure_ascii=ascii_only)[1:-1] for form in variants for ascii_only in (True, False)}
    variants |= {quote(form.encode("utf-8", "surrogateescape"), safe="") for form in tuple(variants) if "%" in form}
    variants |= {_in_json(_in_json(value)), _in_json(_in_json(_in_json(value)))}
    variants |= {re.sub("%..", lambda match: match[0].lower(), form) for form in tuple(variants) if "%" in form}
    variants |= {value.upper(), value.lower(), *_escaped(value, raw), *_base64(raw)}
    return sorted(variants, key=lambda form: (-len(form), form))


def _quoted(value: str) -> set[str]:
    """Return a secret as URLs, shells, Python, XML and YAML quote it."""
    raw = value.encode("utf-8", "surrogateescape")
    return {
        value, quote(raw), quote(raw, safe=""), quote_plus(raw), shlex.quote(value), repr(value)[1:-1],
        re.sub(r"([^\w@%+=:,./-])", r"\\\1", value, flags=re.ASCII), value.replace("'", "'\\''"), value.replace("'", "''"),
        escape(value), escape(value, quote=False), escape(escape(value)),
        value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"), value.replace("/", "\\/"),
    }  # fmt: skip


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _escaped(value: str, raw: bytes) -> Iterator[str]:
    """Yield the forms with each character escaped: JSON, C, URL, XML, and hexadecimal."""
    for digits in ("%02x", "%02X"):
        for before in ("", "\\x", "%"):
            yield "".join(before + digits % byte for byte in raw)
    for digits in ("%04x", "%04X"):
        yield "".join("\\u" + digits % ord(character) for character in value)
    yield "".join(f"&#{ord(character)};" for character in value)
    yield "".join(f"&#x{ord(character):x};" for character in value)


def _base64(raw: bytes) -> Iterator[str]:
    """Yield the base64 of these bytes within a longer text, for each of the three offsets in a group."""
    for before in range(3):
        data = b"\0" * before + raw
        first, last = -(-before * 8 // 6), len(data) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(data)[first:last].decode()
    yield from (line.decode() for line in encodebytes(raw).splitlines() if len(line) > SHORTEST)


def core(form: str) -> str:
    """Return the longest run of letters and digits, in lower case, which every quoting keeps."""
    return max(re.findall(r"[A-Za-z0-9]+", form), key=len, default="").lower()
