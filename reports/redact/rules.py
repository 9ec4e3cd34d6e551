"""The rules of a lab, by rank: where two match the same text, the first one's replacement stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from lab.config.description import Lab
from lab.config.publication import HiddenPattern
from lab.results import secret_patterns
from lab.results.secrets.tokens import TOKENS
from reports.redact import places, rule_packs
from reports.redact.known_secrets import Secret, core, forms
from reports.redact.pseudonyms import Pseudonyms
from reports.redact.rule import PRIVATE_KEY, Rule, of_pattern

SHORTEST_CORE = 4
# Forms with each character escaped; one word finds those of all secrets.
ESCAPED = {
    "\\u00": re.compile(r"(?:\\u00..)+"),
    "\\x": re.compile(r"(?:\\x..)+"),
    "&#": re.compile(r"(?:&#\w+;)+"),
}
HEXADECIMAL = re.compile(r"[0-9a-f]{20,}|[0-9A-F]{20,}")
PERCENT = re.compile(r"(?:%..)+")
PERCENTS = re.compile(rb"%[0-9a-f]{2}%[0-9a-f]{2}%[0-9a-f]")


def for_lab(lab: Lab, secrets: Iterable[Secret], pseudonyms: Pseudonyms, hosts: Iterable[str] = ()) -> tuple[Rule, ...]:
    """Return the rules of a lab, by rank.  ``hosts``: private machines in addition to those of lab.yaml.

    Raises ConfigurationError for a rule pack that cannot be used.
    """
    publish = lab.publish
    public = {_host(url) for url in (lab.public.site_url if lab.public else None,
                                     lab.public.jenkins.url if lab.public and lab.public.jenkins else None)}  # fmt: skip
    private = {*publish.hosts, *(name.lower() for name in hosts), _host(lab.jenkins.url if lab.jenkins else None)}
    return (
        *of_secrets(secrets),
        PRIVATE_KEY,
        *map(of_pattern, TOKENS),
        *map(_of_pattern, publish.patterns),
        *rule_packs.load(publish.rules),
        *map(of_pattern, secret_patterns.LABELLED),
        *places.of_places(pseudonyms, sorted(private - public - {""}), publish.domains, frozenset(public)),
        *(places.emails() if publish.emails == "hide" else ()),
    )


def of_secrets(secrets: Iterable[Secret]) -> tuple[Rule, ...]:
    """Return one rule for each secret, which matches all its forms."""
    return tuple(_of_secret(secret.name, every) for secret in secrets if (every := forms(secret.value)))


def _of_secret(name: str, every: list[str]) -> Rule:
    """Return the rule of a secret.  Of its words, each form contains at least one; `PERCENTS` finds the other forms."""
    words: list[str] = []
    hexadecimal = tuple(form for form in every if HEXADECIMAL.fullmatch(form))
    for form in sorted(every, key=len):
        known = any(word in form.lower() for word in words)
        if not (known or PERCENT.fullmatch(form) or form in hexadecimal):
            words.append(_word(form))
    pattern = re.compile("|".join(map(re.escape, every)))
    return Rule(name, pattern, words=tuple(words), prefixes=hexadecimal, probe=PERCENTS, sure=True)


def _word(form: str) -> str:
    for word, escaped in ESCAPED.items():
        if escaped.fullmatch(form):
            return word
    return word if len(word := core(form)) >= SHORTEST_CORE else form


def _of_pattern(hidden: HiddenPattern) -> Rule:
    return Rule(hidden.name, re.compile(hidden.pattern), words=hidden.words)


def _host(url: str | None) -> str:
    return (urlsplit(url or "").hostname or "").lower()
