"""Detection of plain-text secrets in a config.xml, which everybody can read who can read the job.

One predicate decides for the linter and for the differences that plans show; the patterns are those of the redactor.
As in a log, a difference also hides what only looks like a secret.
No message contains a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from lxml import etree

from generator.canonical import tag_of
from lab.results.secret_patterns import EXACT, PATTERNS
from lab.results.secrets.names import is_secret
from lab.results.secrets.pattern import SecretPattern, values

HIDDEN = "(hidden)"
SHOWN = (*EXACT, *(pattern for pattern in PATTERNS if pattern.guess))
COMMENT = "in a comment:"
DEFAULT = "which is the name of its user"
MOST_CONTINUED = 20  # lines of one command
USER = r"""(?:(?<![\w.@:/-])NAME@(?=[\w$\[])|(?:-u|-l|--user(?:name)?|--login)(?:[ =]|",\s*")["']?NAME(?![\w.:@-])|(?<![\w.:@-])NAME:NAME(?![\w.-]))"""
"""The user NAME, before a host, as an option, or with the same password."""
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
ENCRYPTED = re.compile(r"\s*(?:\{AQAA[A-Za-z0-9+/]+=*\}|\*{8})\s*")
"""A secret as Jenkins writes it, or shows it to an account without Job/Configure."""
MASKED = b">********<"
"""A secret in the config.xml that an account without Job/Configure gets."""


def of_element(element: etree._Element) -> Iterator[tuple[str, str]]:
    """Yield the problems of an element's own text, each with its correction."""
    text = (element.text or "").strip()
    if not text:
        return
    if _names_a_secret(element) and len(element) == 0 and not NO_SECRET.fullmatch(text):
        yield "a secret in plain text", HINT
        return
    lines = (element.text or "").splitlines()
    for number, line in enumerate(lines, 1):
        comment = f"{COMMENT} " if line.lstrip().startswith("#") else ""
        for what, values_there in _problems(line):
            command = _command(lines, number - 1)
            default = f", {DEFAULT}" if all(_is_user(value, command) for value in values_there) else ""
            yield f"{comment}line {number}: {what} in plain text{default}", HINT


@lru_cache(maxsize=1 << 16)  # the jobs of a template share most of their lines
def _problems(line: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the secrets of a line: what each kind is, and the texts of it."""
    line = TEST_LOGIN.sub(r"://\g<host>", line)
    found: dict[str, tuple[str, ...]] = {}
    for pattern in EXACT:
        for begin, end in _found(pattern, line):
            found[pattern.what] = (*found.get(pattern.what, ()), line[begin:end])
    return tuple(found.items())


def _command(lines: Sequence[str], at: int) -> str:
    """Return a line with those that continue it."""
    end = at
    while lines[end].rstrip().endswith("\\") and end < min(len(lines) - 1, at + MOST_CONTINUED):
        end += 1
    return "\n".join(lines[at : end + 1])


def _is_user(secret: str, command: str) -> bool:
    """Return whether a password is also the name of its user in a command: the login that a new program comes with."""
    value = re.escape(secret.strip("\"'"))
    return bool(re.search(USER.replace("NAME", value), command))


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
