"""The rules of redaction: the text that a rule hides in a line, and its replacement.

A rule needs a line only if the line contains one of its ``words`` (in upper or lower case), followed by ``follows`` if
the rule has it; or if its ``probe`` matches.  Most lines of a log have neither.  A rule hides the groups ``value``,
``value2`` ... of its pattern, or the whole match if the pattern has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from lab.config.description import Lab
from lab.config.publication import HiddenPattern
from lab.results import secret_patterns
from lab.results.secret_patterns import A, I, SecretPattern, values
from reports.redact.known_secrets import Secret, core, forms
from reports.redact.pseudonyms import Pseudonyms

SHORTEST_CORE = 4
KEY_BEGINS = "-----BEGIN "


@dataclass(frozen=True)
class Rule:
    """A rule.  ``sure``: a match in a finished bundle prevents its publication.  ``shown``: makes the replacement."""

    name: str
    pattern: re.Pattern[str]
    words: tuple[str, ...] = ()
    follows: re.Pattern[bytes] | None = None
    probe: re.Pattern[bytes] | None = None
    sure: bool = False
    shown: Callable[[str], str] | None = None

    @cached_property
    def groups(self) -> tuple[int | str, ...]:
        """The groups of the pattern that are hidden."""
        return values(self.pattern)

    def wants(self, low: bytes) -> bool:
        """Return whether the rule can match these bytes in lower case."""
        if self.probe:
            return bool(self.probe.search(low))
        return not self.words or any(word.encode().lower() in low for word in self.words)

    def keeps(self, text: str) -> bool:
        """Return whether the replacement of a text is the text itself: a public name in a private domain."""
        return self.shown is not None and self.shown(text) == text

    def replacement(self, hidden: str) -> str:
        return self.shown(hidden) if self.shown else f"[REDACTED:{self.name}]"


# Text in the place of a secret that is harmless: a mark of qalab, a variable, a mask, a common word.
HARMLESS = re.compile(
    r"\[REDACTED:.*|\$\{?[A-Z_][A-Z0-9_]*\}?|\$\(.*|%\w+%|\*+|<[^>]*>|"
    r"(?i:true|false|yes|no|none|null|nil|str|string|bytes|ok|passed|failed|error|skipped)",
    re.DOTALL,
)

OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
PRIVATE = (
    rf"(?:10\.{OCTET}|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])"
    rf"|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.{OCTET}\.{OCTET}"
)  # RFC 1918, 3927, 6598
HEX = "[0-9a-fA-F]"
# Top-level domains of mail addresses: foo@bar.service is a unit of systemd, en@quot.header a file of gettext.
TOP = (
    "(?:[a-z]{2}|com|org|net|edu|gov|mil|int|info|biz|name|pro|dev|app|cloud|tech|email|example|test|invalid|"
    "local|lan|internal|home|corp)"
)


def of_pattern(known: SecretPattern) -> Rule:
    """Return the rule of a pattern that all labs have."""
    return Rule(known.name, known.regex, known.words, known.follows, known.probe, sure=known.sure)


PRIVATE_KEY = of_pattern(secret_patterns.PRIVATE_KEY)


def for_lab(lab: Lab, secrets: Iterable[Secret], pseudonyms: Pseudonyms, hosts: Iterable[str] = ()) -> tuple[Rule, ...]:
    """Return the rules of a lab, by rank.  ``hosts``: private machines in addition to those of lab.yaml."""
    publish = lab.publish
    public = {_host(url) for url in (lab.public.site_url if lab.public else None,
                                     lab.public.jenkins.url if lab.public and lab.public.jenkins else None)}  # fmt: skip
    private = {*publish.hosts, *(name.lower() for name in hosts), _host(lab.jenkins.url if lab.jenkins else None)}
    return (
        *of_secrets(secrets),
        PRIVATE_KEY,
        *map(of_pattern, secret_patterns.TOKENS),
        *map(_of_pattern, publish.patterns),
        *map(of_pattern, secret_patterns.LABELLED),
        *_of_places(pseudonyms, sorted(private - public - {""}), publish.domains, frozenset(public)),
        *([_emails()] if publish.emails == "hide" else []),
    )


def of_secrets(secrets: Iterable[Secret]) -> tuple[Rule, ...]:
    """Return one rule for each secret, which matches all its forms."""
    return tuple(
        Rule(secret.name, re.compile("|".join(map(re.escape, every))), _cores(every), sure=True)
        for secret in secrets
        if (every := forms(secret.value))
    )


def _cores(every: Iterable[str]) -> tuple[str, ...]:
    """Return a few words, of which each form contains at least one."""
    words = {word if len(word := core(form)) >= SHORTEST_CORE else form for form in every}
    return tuple(sorted(word for word in words if not any(other in word for other in words - {word})))


def _of_pattern(hidden: HiddenPattern) -> Rule:
    return Rule(hidden.name, re.compile(hidden.pattern), hidden.words)


def _of_places(
    pseudonyms: Pseudonyms, hosts: Iterable[str], domains: Iterable[str], public: frozenset[str]
) -> Iterable[Rule]:
    """Yield the rules of machines, addresses and users: each is replaced by a pseudonym."""

    def node(text: str) -> str:
        return text if text.lower() in public else pseudonyms.name("node", text)

    for domain in domains:
        pattern = rf"(?<![\w.-])(?:[\w.-]*\.)?{re.escape(domain)}(?!\w)"
        yield Rule("private-host", re.compile(pattern, I), (domain,), shown=node)
    for host in hosts:
        yield Rule("private-host", re.compile(rf"(?<!\w){re.escape(host)}(?!\w)", I), (host,), shown=node)
    # Not in a version (10.0.1.2-1), but in a range of addresses (10.0.1.2-10.0.1.9).
    single = rf"(?<![\w.+~-])(?P<value>{PRIVATE})(?:-(?P<value2>{PRIVATE}))?(?![\w+~-]|\.\d)"
    probe = re.compile(rb"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
    yield Rule("private-address", re.compile(single, A), probe=probe, shown=node)
    sixth = r"(?<![\w:.])(?:f[cd][0-9a-f]{2}|fe[89ab][0-9a-f])(?::[0-9a-f]{0,4}){2,7}(?![\w:])"
    probe = re.compile(rb"f[cde89ab][0-9a-f]{2}:[0-9a-f:]")
    yield Rule("private-address", re.compile(sixth, I), probe=probe, shown=node)
    for mark in (":", "-"):
        pattern = rf"(?<![\w:-]){HEX}{{2}}(?:{mark}{HEX}{{2}}){{5}}(?![\w:-])"
        probe = re.compile((mark + f"{mark}".join(["[0-9a-f]{2}"] * 4) + mark).encode())
        yield Rule("mac", re.compile(pattern, A), probe=probe, shown=lambda text: pseudonyms.name("mac", text))
    home = r"(?:/home/|/Users/|\bC:\\+Users\\+)(?P<value>(?!user-[0-9a-f]{6}\b)[A-Za-z0-9_][\w.-]*)"
    yield Rule("home", re.compile(home, A), ("/home/", "users"), shown=lambda text: pseudonyms.name("user", text))


def _emails() -> Rule:
    pattern = rf"(?<![\w.+-])(?P<value>(?!git@)[\w.+-]+)@(?=(?:[\w-]+\.)+{TOP}(?![\w-]|\.\w))"
    return Rule("email", re.compile(pattern, I), probe=re.compile(rb"@[a-z0-9.-]+\.[a-z]"), shown=lambda _: "***")


def _host(url: str | None) -> str:
    return (urlsplit(url or "").hostname or "").lower()
