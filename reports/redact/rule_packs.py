"""Rules in the form of a configuration of gitleaks: a TOML file with ``[[rules]]``.

Of a rule count ``id``, ``regex``, ``secretGroup``, ``keywords``, ``entropy`` and its allowlists (``regexes``,
``stopwords``), and of the file its own allowlists.  A log has no path and no commit: a rule with a path alone is left out,
and an allowlist that asks for a path too allows nothing.  Lines are matched one by one.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from lab.base.errors import ConfigurationError
from lab.results.secrets import go_regex
from reports.redact.rule import Rule

# Most rules are of one form: a name in a longer one, a separator, and the secret.
PREFIX = r"[\w.-]{0,50}?"  # it is no part of a secret, and takes time
SEPARATOR = r"""(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'"\s=]{0,5}("""
SEPARATED = re.compile(rb"""[ \t\w.-]{0,20}[\s'"]{0,3}(?:[=>:,]|\|\||\?=)[\x60'"\s=:>]{0,8}[^\s'"\x60:,|>]""")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Allowlist(_Model):
    """What is no secret; ``target_rules``: the rules that an allowlist of the file is about."""

    description: str = ""
    condition: Literal["OR", "AND", "||", "&&"] = "OR"
    regexes: tuple[str, ...] = ()
    regex_target: Literal["", "secret", "match", "line"] = "secret"
    stopwords: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    target_rules: tuple[str, ...] = ()


class GitleaksRule(_Model):
    """A rule as it is in the file."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    description: str = ""
    regex: str = ""
    path: str = ""
    secret_group: int = Field(0, ge=0)
    entropy: float = 0.0
    keywords: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    allowlist: Allowlist | None = None
    allowlists: tuple[Allowlist, ...] = ()


class Pack(_Model):
    """A configuration of gitleaks.  ``extend`` names other files, which are not read."""

    title: str = ""
    description: str = ""
    min_version: str = ""
    rules: tuple[dict[str, Any], ...] = Field(min_length=1)
    allowlist: Allowlist | None = None
    allowlists: tuple[Allowlist, ...] = ()


@dataclass(frozen=True)
class Allowed:
    """An allowlist, compiled."""

    every: bool
    never: bool
    target: str
    regexes: tuple[re.Pattern[str], ...]
    stopwords: tuple[str, ...]

    @classmethod
    def of(cls, given: Allowlist) -> Allowed:
        every = given.condition in {"AND", "&&"}
        regexes = tuple(go_regex.compiled(regex, empty=True) for regex in given.regexes)
        never = every and bool(given.paths or given.commits)
        return cls(every, never, given.regex_target or "secret", regexes, tuple(map(str.lower, given.stopwords)))

    def __call__(self, match: re.Match[str], secret: str) -> bool:
        text = {"match": match[0], "line": match.string}.get(self.target, secret)
        conditions = []
        if self.regexes:
            conditions.append(any(regex.search(text) for regex in self.regexes))
        if self.stopwords:
            conditions.append(any(word in secret.lower() for word in self.stopwords))
        return not self.never and bool(conditions) and (all if self.every else any)(conditions)


@dataclass(frozen=True)
class Harmless:
    """What a rule finds and does not hide: text of a low entropy, and what an allowlist allows."""

    entropy: float
    allowed: tuple[Allowed, ...]

    def __call__(self, match: re.Match[str], secret: str) -> bool:
        return entropy(secret) <= self.entropy or any(allows(match, secret) for allows in self.allowed)


def entropy(text: str) -> float:
    """Return the entropy of a text in bits per character, as Shannon defines it."""
    counts = Counter(text).values()
    return -sum(count / len(text) * log2(count / len(text)) for count in counts) if text else 0.0


def load(paths: Iterable[str]) -> tuple[Rule, ...]:
    """Read rule packs.  Raises ConfigurationError with ``FILE: RULE: problem``, a line for each problem."""
    found = [each for path in paths for each in _pack(Path(path))]
    if problems := [each for each in found if isinstance(each, str)]:
        raise ConfigurationError("\n".join(problems))
    return tuple(each for each in found if isinstance(each, Rule))


def _pack(path: Path) -> Iterator[Rule | str]:
    """Yield the rules of a file, and its problems."""
    try:
        pack = Pack.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        everywhere = [(given.target_rules, Allowed.of(given)) for given in _lists(pack)]
    except OSError as error:
        yield f"{path}: cannot be read: {error.strerror}"
        return
    except ValidationError as error:
        yield from (f"{path}: {problem}" for problem in _problems(error))
        return
    except ValueError as error:  # no TOML, or an allowlist
        yield f"{path}: {error}"
        return
    for number, raw in enumerate(pack.rules, 1):
        name = raw.get("id") or f"rule {number}"
        try:
            given = GitleaksRule.model_validate(raw)
            if given.regex:
                allowed = [allows for names, allows in everywhere if not names or given.id in names]
                yield _rule(given, (*map(Allowed.of, _lists(given)), *allowed))
            elif not given.path:
                yield f"{path}: {name}: has neither regex nor path"
        except ValidationError as error:
            yield from (f"{path}: {name}: {problem}" for problem in _problems(error))
        except ValueError as error:
            yield f"{path}: {name}: {error}"


def _lists(given: Pack | GitleaksRule) -> tuple[Allowlist, ...]:
    return (*filter(None, [given.allowlist]), *given.allowlists)


def _rule(given: GitleaksRule, allowed: tuple[Allowed, ...]) -> Rule:
    text = given.regex
    if all(allows.target == "secret" for allows in allowed):
        text = text.replace(PREFIX, "", 1) if re.match(r"(?:\(\?i\))?" + re.escape(PREFIX), text) else text
    pattern = go_regex.compiled(text)
    if given.secret_group > pattern.groups:
        message = f"secretGroup: the regex has {pattern.groups} groups"
        raise ValueError(message)
    groups = (given.secret_group,) if given.secret_group else tuple(range(1, pattern.groups + 1))
    harmless = Harmless(given.entropy or -1.0, allowed)
    names = _names(text)
    words = tuple(names or map(str.lower, given.keywords))
    follows = SEPARATED if names else None
    return Rule(given.id, pattern, words=words, follows=follows, hidden=groups, harmless=harmless)


def _names(regex: str) -> list[str]:
    """Return the names that a rule of the common form asks for, none for another rule."""
    name, separator, _ = regex.partition(SEPARATOR)
    if not separator:
        return []
    try:
        found = go_regex.texts(go_regex.compiled(name.replace(PREFIX, "", 1)))
    except ValueError:  # a part of an expression
        return []
    return sorted(found - {""}) if "" not in found else []


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        where = ".".join(map(str, problem["loc"]))
        yield f"{where}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
