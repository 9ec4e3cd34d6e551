"""The rules of a lab, by rank: where two match the same text, the first one's replacement stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from lab.config.description import Lab
from lab.config.publication import HiddenPattern
from lab.results import secret_patterns
from lab.results.secrets.tokens import TOKENS
from reports.redact import places
from reports.redact.known_secrets import Secret, core, forms
from reports.redact.pseudonyms import Pseudonyms
from reports.redact.rule import PRIVATE_KEY, Rule, of_pattern

SHORTEST_CORE = 4
ESCAPED = "\\u00"  # one word for the escaped forms of all secrets


def for_lab(lab: Lab, secrets: Iterable[Secret], pseudonyms: Pseudonyms, hosts: Iterable[str] = ()) -> tuple[Rule, ...]:
    """Return the rules of a lab, by rank.  ``hosts``: private machines in addition to those of lab.yaml."""
    publish = lab.publish
    public = {_host(url) for url in (lab.public.site_url if lab.public else None,
                                     lab.public.jenkins.url if lab.public and lab.public.jenkins else None)}  # fmt: skip
    private = {*publish.hosts, *(name.lower() for name in hosts), _host(lab.jenkins.url if lab.jenkins else None)}
    return (
        *of_secrets(secrets),
        PRIVATE_KEY,
        *map(of_pattern, TOKENS),
        *map(_of_pattern, publish.patterns),
        *map(of_pattern, secret_patterns.LABELLED),
        *places.of_places(pseudonyms, sorted(private - public - {""}), publish.domains, frozenset(public)),
        *(places.emails() if publish.emails == "hide" else ()),
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
    words = {word if len(word := core(form)) >= SHORTEST_CORE else form for form in every if ESCAPED not in form}
    words |= {ESCAPED for form in every if ESCAPED in form}
    return tuple(sorted(word for word in words if not any(other in word for other in words - {word})))


def _of_pattern(hidden: HiddenPattern) -> Rule:
    return Rule(hidden.name, re.compile(hidden.pattern), hidden.words)


def _host(url: str | None) -> str:
    return (urlsplit(url or "").hostname or "").lower()
