"""Detection of plain-text secrets in a config.xml, which everybody can read who can read the job.

One predicate decides for the linter and for the differences that plans show; the patterns are those of the redactor.
As in a log, a difference also hides what only looks like a secret.
No message contains a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from lxml import etree

from generator.canonical import tag_of
from lab.results.secret_patterns import EXACT, PATTERNS
from lab.results.secrets.names import is_secret
from lab.results.secrets.pattern import SecretPattern, values

HIDDEN = "(hidden)"
SHOWN = (*EXACT, *(pattern for pattern in PATTERNS if pattern.guess))
COMMENT = "in a comment:"
HINT = "keep it in Jenkins' credentials and name their id"
# Placeholders for a secret: a variable, a value that Jenkins has encrypted, a file that contains it, a mask, a word of
# examples, also as in fake-api-token, a letter as in `--token [t]`, the id of a secret of `docker build`.
NO_SECRET = re.compile(
    r"\$.*|.*\$[A-Za-z_{(].*|%\w+%|\{AQAA[A-Za-z0-9+/]+=*\}|(?:~|\.{1,2})?/.*|[`<;|&()].*|\**"
    r"|(?i:true|false|yes|no|none|null|foo|bar|(?:dummy|fake|placeholder|example)(?:[-_][a-z]+)*)|\w|id=[\w.-]+(?:,[\w=.,/-]*)?",
    re.DOTALL,
)
FIELD_OF_ONE = re.compile(r"(?:.*[._a-z])?(?:password|passphrase|passwd|secret|token|apikey|privatekey)", re.IGNORECASE)
NAME_OF_ONE = r"(?:[A-Za-z0-9_.-]*[_.-])?(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|(?:SECRET_|ACCESS_)KEY)"
NAMED = re.compile(NAME_OF_ONE, re.IGNORECASE)
TEST_LOGIN = re.compile(
    r"://(?P<name>[\w.-]+):(?P=name)@(?P<host>localhost|127(?:\.\d{1,3}){3}|\[::1\])(?![\w.-])", re.IGNORECASE
)
"""The login of a service that a job itself starts for its tests: on the same machine, the password is the name."""
ENCRYPTED = re.compile(r"\s*\{AQAA[A-Za-z0-9+/]+=*\}\s*")
"""A secret as Jenkins writes it."""


def of_element(element: etree._Element) -> Iterator[tuple[str, str]]:
    """Yield the problems of an element's own text, each with its correction."""
    text = (element.text or "").strip()
    if not text:
        return
    if _names_a_secret(element) and len(element) == 0 and not NO_SECRET.fullmatch(text):
        yield "a secret in plain text", HINT
        return
    for number, line in enumerate((element.text or "").splitlines(), 1):
        for what in _problems(line):
            comment = f"{COMMENT} " if line.lstrip().startswith("#") else ""
            yield f"{comment}line {number}: {what} in plain text", HINT


@lru_cache(maxsize=1 << 16)  # the jobs of a template share most of their lines
def _problems(line: str) -> tuple[str, ...]:
    line = TEST_LOGIN.sub(r"://\g<host>", line)
    return tuple(dict.fromkeys(pattern.what for pattern in EXACT if any(_found(pattern, line))))


def shown(element: etree._Element) -> str:
    """Return an element's own text without its secrets, for a job's log that everybody can read."""
    text = element.text or ""
    if ENCRYPTED.fullmatch(text):
        return HIDDEN
    if text.strip() and _names_a_secret(element):
        return text if NO_SECRET.fullmatch(text.strip()) else HIDDEN
    return "\n".join(map(_without, text.split("\n")))


def shown_attribute(name: str, text: str) -> str:
    """Return the text of an attribute without its secrets."""
    if FIELD_OF_ONE.fullmatch(name) and not NO_SECRET.fullmatch(text.strip()):
        return HIDDEN
    return _without(text)


def _without(line: str) -> str:
    spans = [span for pattern in SHOWN for span in _found(pattern, line)]
    for begin, end in sorted(_apart(spans), reverse=True):
        line = line[:begin] + HIDDEN + line[end:]
    return line


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans, with overlapping ones merged."""
    joined: list[tuple[int, int]] = []
    for span in sorted(spans):
        if joined and span[0] < joined[-1][1]:
            begin, end = joined.pop()
            joined.append((begin, max(end, span[1])))
        else:
            joined.append(span)
    return joined


def _found(pattern: SecretPattern, line: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of a pattern in a line, except those of text that is not a secret."""
    for match in pattern.in_line(line):
        for group in values(pattern.regex):
            begin, end = match.span(group)
            if begin < end and (group == 0 or not NO_SECRET.fullmatch(line, begin, end)):
                yield begin, end


def _names_a_secret(element: etree._Element) -> bool:
    """Return True if the name of an element, or the name next to it, is that of a secret."""
    tag = tag_of(element)
    if FIELD_OF_ONE.fullmatch(tag.rpartition(".")[2]):
        return True
    owner = element.getparent() if tag in {"defaultValue", "value"} else None
    return owner is not None and ("Password" in tag_of(owner) or is_name(owner.findtext("name", "").strip()))


def is_name(name: str) -> bool:
    """Return True if a parameter or a variable of this name has a secret as its value."""
    return bool(NAMED.fullmatch(name)) or (is_secret(name) and "credential" not in name.lower())
