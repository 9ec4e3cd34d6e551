"""The pattern of a secret, and the texts in the place of a secret that hide nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

NO_MATCHES: Iterator[re.Match[str]] = iter(())
A, I = re.ASCII, re.ASCII | re.IGNORECASE  # noqa: E741 - as in re


@dataclass(frozen=True)
class Anchor:
    """Where matches begin: at ``starts``, if ``before`` matches all of the ``reach`` characters before it.

    Many patterns share the ``starts`` of a line, which are searched once.
    """

    starts: Callable[[str], tuple[int, ...]]
    before: re.Pattern[str] | None = None
    reach: int = 0

    def allows(self, text: str, at: int) -> bool:
        """Return whether what is before ``at`` lets a match begin there."""
        return not self.before or self.before.fullmatch(text, max(0, at - self.reach), at) is not None

    def matches(self, pattern: re.Pattern[str], text: str, starts: Iterable[int]) -> Iterator[re.Match[str]]:
        """Yield the matches of a pattern that begin at some of the ``starts``, without overlaps."""
        end = 0
        for at in starts:
            if at >= end and self.allows(text, at) and (match := pattern.match(text, at)):
                end = match.end()
                yield match


@dataclass(frozen=True, kw_only=True)
class Hints:
    """Where a pattern matches, and what tells quickly that a text has no match, in any case of letters.

    ``words``: anywhere in the text, with ``follows`` after one of them.  ``prefixes``: how a token begins.  ``programs``:
    words of their own.  ``probe``: a part of each match.  A line has one of the texts ``needs``.  ``after``: the first
    match of it in the line is before all matches, as a command is before its options.  ``anchor``: where matches begin.
    """

    words: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    follows: re.Pattern[bytes] | None = None
    probe: re.Pattern[bytes] | None = None
    after: re.Pattern[str] | None = None
    anchor: Anchor | None = None

    def can_match(self, text: str) -> bool:
        """Return whether a text has one of the texts that each match needs."""
        for need in self.needs:  # faster than any()
            if need in text:
                return True
        return not self.needs

    def matches(
        self, pattern: re.Pattern[str], text: str, starts: Iterable[int] | None = None
    ) -> Iterator[re.Match[str]]:
        """Return the matches of a pattern with these hints.  ``starts``: those of its anchor's that need a look."""
        if not self.can_match(text):
            return NO_MATCHES
        if self.after:
            return pattern.finditer(text, begins.end()) if (begins := self.after.search(text)) else NO_MATCHES
        if not self.anchor:
            return pattern.finditer(text)
        return self.anchor.matches(pattern, text, self.anchor.starts(text) if starts is None else starts)

    def hints(self) -> dict[str, Any]:
        """Return the hints by name."""
        return {field.name: getattr(self, field.name) for field in fields(Hints)}


@dataclass(frozen=True)
class SecretPattern(Hints):
    """The form of a secret in a line; ``what``: the secret, in words."""

    name: str
    what: str
    regex: re.Pattern[str]
    sure: bool = False
    guess: bool = False

    def in_line(self, line: str) -> Iterator[re.Match[str]]:
        """Return its matches in a line."""
        return self.matches(self.regex, line)


def values(regex: re.Pattern[str]) -> tuple[int | str, ...]:
    """Return the groups of a pattern that are the secret."""
    return tuple(name for name in regex.groupindex if name.startswith("value")) or (0,)


def labelled(name: str, what: str, pattern: str, *words: str, guess: bool = False, **quick: Any) -> SecretPattern:
    """Return the pattern of a secret that a name or a program announces; ``quick``: ``programs``, ``follows``, ``probe``."""
    compiled: dict[str, Any] = {
        key: re.compile(value) if isinstance(value, bytes) else value for key, value in quick.items()
    }
    return SecretPattern(name, what, re.compile(pattern, I), words=words, guess=guess, **compiled)


# The value of a setting: none, before another setting (User[password=<null>,name=joe]), quoted, quoted in a quoted text,
# a list, unquoted, or with a quote that the line does not close.
# A run of closing brackets is bounded, so that no line takes quadratic time.
VALUE = (
    r"""(?:(?P<value7><null>|null|none|nil|true|false|\*+)(?=,\s?[\w.-]+=)"""
    r"""|[ubrf]{0,2}"(?P<value>(?:[^"\\]|\\.)+)"|[ubrf]{0,2}'(?P<value2>(?:[^'\\]|\\.|'\\'')+)'"""
    r"""|\\{1,8}["'](?P<value3>[^\n]+?)(?=\\{1,8}["']|$)|\[(?!REDACTED:)(?P<value4>[^\]\[\n]+)\]"""
    r"""|(?P<value5>(?!</|<[a-z]+(?:\s[a-z]+){1,3}>|\\["']|\\$|[\[{(]+(?:\[REDACTED|\s|$)|[|>][+-]?\d?\s*$)[^\s"']\S*?)"""
    r"""(?=["'`]?[,;)\]}]{0,6}["'`]?(?:\s|$|</))|["'](?P<value6>[^"'\s][^"'\n]*)$)"""
)

# Base64 of a login: capitals and small letters, but no words, such as "Interpolation" and "HttpClient".
LOGIN = r"(?-i:(?!(?:[A-Z]?[a-z]{2,}+)++(?![A-Za-z0-9+/=]))(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[a-z])[A-Za-z0-9+/]{12,}={0,2})(?![\w.(-])"

_OBJECTS = "self|cls|args|kwargs|conf|cfg|config|settings|options|opts|request|os|env|environ|this|params|creds|secrets"
# Text in the place of a secret that is harmless: a mark of qalab, a variable, a mask, a placeholder, a common word, code.
HARMLESS = re.compile(
    r"\[REDACTED:.*"
    # A variable has a name of several words, or one of a secret: `$ECRET` can be a password.
    r"|\$[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|\$[a-z][a-z0-9]*(?:_[a-z0-9]+)+|\$\{[^}]*\}|\$\$?\(.*|\$\{\{.*|\$[0-9@*#?]"
    r"|\$(?i:[a-z]*(?:pass|passwd|password|passphrase|secret|token|pwd|pw|key))"
    r"|%[A-Z_]+%|%\(\w+\)s|%[srd]|\{\w*\}|\{\{.*|\*+|[xX]{3,}|\.{3}|\[?-+\]?"
    r"|(?:[A-Z]+[_-])*(?:PASSWORD|PASSWD|PASSPHRASE|PASS|TOKEN|SECRET|KEY|TEXT|STRING|VALUE|NAME|FILE|PATH|URL|ID)"
    r"|<[a-z]+(?:[ _-][a-z]+)*>|<[A-Z]+(?:[ _-][A-Z]+)*>|<\w+ object at .*"
    rf"|(?:{_OBJECTS})(?:\.|\[)[\w.\[\]\"'()]+|@\w+@|[A-Z]\w*\{{.*|(?:[A-Za-z_$][\w$]*\.)+[\w$]+@[0-9a-f]{{4,}}"
    r"|_*[a-z][a-z_.]*\(.*"  # a call in code
    r"|\d{1,2}|\(\d{1,9}(?:\.\d{1,9})?m?s\)?|\(\d{3,5}|preparing|\[[\"']\w+:|(?<=\[)(?i:secure|filtered|protected)"  # Travis' and Rails' masks
    r"|(?i:true|false|yes|no|none|null|nil|str|string|bytes|int|bool|object|optional|any|ok|passed|failed|error|skipped"
    r"|auto|enabled?|disabled?|default|required|on|off|unset|missing|empty|hidden|redacted|masked|omitted|unknown|invalid"
    r"|undefined|prompt|input|stdin|generated|provided|changed|updated|expired|/dev/null|sha\d+)",
    re.DOTALL,
)
