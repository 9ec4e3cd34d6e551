"""Secrets over several lines: a line announces a secret, and the lines after it have it.

A line that opens a continuation is found like a line that a rule needs.  The continuation then takes the lines after it,
one by one, until a line is none of its own.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from lab.results.secrets.names import NAME, RARE_WORDS, WORDS, starts
from lab.results.secrets.pattern import HARMLESS, I
from lab.results.secrets.settings import ANNOUNCED
from reports.redact import manifests, printed, tables
from reports.redact.continuation import CREDENTIAL, Continuation
from reports.redact.rule import Rule

MOST_BLANK = 3
MOST_LINES = 40
MOST_OF_SETTING = 12


@dataclass(frozen=True)
class Label:
    """A name at the end of a line; its value is alone on the next line, or a list of values follows."""

    column: int
    blank: int = 0
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if not line.strip():
            return None, replace(self, blank=self.blank + 1) if self.blank < MOST_BLANK else None
        item = ITEM.match(line, min(self.column, len(line)))
        if MAPPING.match(line, min(self.column, len(line))):
            return SettingOfJuju(self.column).take(line)
        if not item or HARMLESS.fullmatch(item["value"]):
            return None, None
        if not (item["dash"] or item["space"]):  # not indented: a sentence before it, and a word that no text has
            return (None, None) if not RANDOM.fullmatch(item["value"]) else (_hidden(line, item), None)
        return _hidden(line, item), replace(self, blank=0) if item["dash"] else None


@dataclass(frozen=True)
class SettingOfJuju:
    """The description of a setting, as ``juju config`` and ``terraform output -json`` print it, with its value and its default."""

    column: int
    lines: int = 0
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if self.lines >= MOST_OF_SETTING or not line[self.column : self.column + 1].isspace():
            return None, None
        found = VALUE_OF_SETTING.match(line, self.column)
        is_hidden = found and not HARMLESS.fullmatch(found["value"])
        return (_hidden(line, found) if found and is_hidden else None), replace(self, lines=self.lines + 1)


@dataclass(frozen=True)
class Block:
    """A block scalar of YAML, or a value of several lines in an INI file: the lines with a larger indentation than its name."""

    column: int
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if not line.strip():
            return None, self
        found = INDENTED.match(line, min(self.column, len(line)))
        return (_hidden(line, found), self) if found else (None, None)


@dataclass(frozen=True)
class Items:
    """The values of a list in brackets, one on each line."""

    lines: int = 0
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        found = LISTED.match(line)
        if not found or self.lines >= MOST_LINES:
            return None, None
        return (None if HARMLESS.fullmatch(found["value"]) else _hidden(line, found)), Items(self.lines + 1)


@dataclass(frozen=True)
class Element:
    """The text of an element of XML, to its end tag."""

    lines: int = 0
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        text, tag, rest = line.partition("</")
        more = None if tag or self.lines >= MOST_LINES else Element(self.lines + 1)
        indent = text[: len(text) - len(text.lstrip())]
        return (f"{indent}{CREDENTIAL}{tag}{rest}" if text.strip() else None), more


@dataclass(frozen=True)
class NextWord:
    """A value on the next line of a shell command."""

    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        found = FIRST_WORD.search(line)
        return (_hidden(line, found) if found else None), None


@dataclass(frozen=True)
class Named:
    """The name of a setting on a line, and its value on one of the next lines."""

    lines: int = 0
    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if found := VALUE_OF_NAME.search(line) or VALUE_ELEMENT.search(line):
            return (None if HARMLESS.fullmatch(found["value"]) else _hidden(line, found)), None
        return None, None if self.lines >= MOST_BLANK or NAME_OF_VALUE.search(line) else Named(self.lines + 1)


@dataclass(frozen=True)
class ValueInAnswer:
    """The answer to a question of debconf."""

    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        found = ANSWER.search(line)
        return (_hidden(line, found) if found else None), None


@dataclass(frozen=True)
class Accounts:
    """The accounts of cloud-init's ``chpasswd``, each as USER:PASSWORD."""

    rule: ClassVar[str] = "credential"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        found = ACCOUNT.search(line)
        return (_hidden(line, found) if found else None), (self if line[:1].isspace() or not line.strip() else None)


@dataclass(frozen=True)
class WebToken:
    """The rest of a JSON web token that is wrapped at the end of a line."""

    rule: ClassVar[str] = "web-token"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        found = REST_OF_TOKEN.match(line)
        if not found:
            return None, None
        return _hidden(line, found, "[REDACTED:web-token]"), self if found["more"] else None


@dataclass(frozen=True)
class Netrc:
    """The lines of a machine in a .netrc."""

    rule: ClassVar[str] = "netrc"

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        if found := NETRC_PASSWORD.search(line):
            return _hidden(line, found, "[REDACTED:netrc]"), None
        return None, self if NETRC.match(line) else None


def _hidden(line: str, found: re.Match[str], mark: str = CREDENTIAL) -> str:
    start, end = found.span("value")
    return line[:start] + mark + line[end:]


RANDOM = re.compile(r"(?=\S*\d)\S{8,}")
ITEM = re.compile(
    r"(?P<space>\s*)(?P<dash>-\s+)?[\"']?(?P<value>[^\s\"':{}\[\]#<-][^\s\"']*|\[REDACTED:\w+\])[\"']?,?\s*$"
)
MAPPING = re.compile(r"\s+[\w-]+:(?:\s|$)")
VALUE_OF_SETTING = re.compile(r"\s+[\"']?(?:value|default)[\"']?:\s+[\"']?(?P<value>[^\s\"'{\[].*?)[\"']?,?\s*$", I)
LISTED = re.compile(r"\s*[ubr]?[\"'](?P<value>[^\"'\n]+)[\"'],?\s*$")
INDENTED = re.compile(r"\s+(?P<value>\S.*)$")
FIRST_WORD = re.compile(r"^\s*(?:[>+]\s)?\s*[\"']?(?P<value>[^\s\"']+)")
VALUE_OF_NAME = re.compile(
    r"(?:^|[\s,{])[\"']?value[\"']?\s*[:=]\s*[\"']?(?P<value>[^\s\"'][^\"'\n]*?)[\"']?[,}\]]*\s*$", I
)
VALUE_ELEMENT = re.compile(r"<value>(?P<value>[^<]+)</value>", I)
NAME_OF_VALUE = re.compile(r"(?:^|[\s{])[\"']?name[\"']?\s*[:=]|</?(?:property|entry|item)\b", I)
CHPASSWD = re.compile(r"\s*chpasswd:\s*$", I)
ANSWER = re.compile(r"-->\s+0\s+(?P<value>\S.*?)\s*$")
ACCOUNT = re.compile(r"^\s+(?:-\s+)?[\"']?[\w.-]+:(?P<value>[^\s\"']+)[\"']?\s*$")
REST_OF_TOKEN = re.compile(r"[\s\"']*(?P<value>[A-Za-z0-9_.-]{16,})[\"',]*(?P<more>\\?$)?")
NETRC = re.compile(r"^\s*(?:machine|login|account)\s+\S+(?:\s+login\s+\S+)?\s*$|^\s*default\s*$", I)
NETRC_PASSWORD = re.compile(r"^\s*password\s+(?P<value>\S+)\s*$", I)

_LABEL = re.compile(rf"{NAME}[\"']?\s*:\s*(?:!\S{{1,30}}\s+)?(?P<block>[|>][+-]?\d?|\{{)?\s*$", I)
_INI = re.compile(rf"\s*[\w.-]{{0,60}}?{NAME}\s*=\s*$", I)
_LIST = re.compile(rf"{NAME}[\"']?\s*[:=]\s*[\[(]\s*$", I)
_WORD_BEFORE = re.compile(r"[\"']?[\w.-]{0,60}\Z")
_SENTENCE = re.compile(r"\bpassword\b.*(?:installation|following|is|below)\s?:?\s*$", I)
_ELEMENT = re.compile(rf"<[\w.:-]{{0,40}}?{NAME}(?![\w-])[^<>/]{{0,80}}>\s*$", I)
_ESCAPED_END = re.compile(rf"{NAME}[\"']?[ =]\s?[\"']?\\$|--[\w-]{{0,60}}?{NAME}[ =]\\$", I)
_NAMED = re.compile(
    rf"(?:^|[\s{{-])[\"']?(?:name|key)[\"']?\s*[:=]\s*[\"']?[\w./-]{{0,60}}?{NAME}[\"']?,?\s*$|<name>[\w.-]{{0,60}}?{NAME}</name>\s*$",
    I,
)


def opened(line: str, before: Sequence[str] = ()) -> Continuation | None:
    """Return what a line opens, after two lines ``before`` it; the patterns take quadratic time, so a longer line than `LONGEST` opens nothing."""
    if len(line) > LONGEST:
        return None
    last = line.rstrip()[-1:]
    if last == ":" and CHPASSWD.match(line):
        return Accounts()
    named = bool(starts(line))
    if last in LAST_OF_LABEL and ":" in line and (label := _label(line)):
        return label
    if last == "=" and named and _INI.match(line):
        return Block(len(line) - len(line.lstrip()))
    for ends, of_name, matches, opens in _OPENINGS:
        if (last in ends or not ends) and (named or not of_name) and matches(line):
            return opens
    others = manifests if last in LAST_OF_MANIFEST else tables if named and last in LAST_OF_ROW else None
    return (others.opened(line, before) if others else None) or printed.opened(line)


def _label(line: str) -> Label | SettingOfJuju | Block | None:
    found = next(filter(None, (_LABEL.match(line, at) for at in starts(line))), None)
    begins = found and _WORD_BEFORE.search(line, max(0, found.start() - 61), found.start())
    if not (found and begins):
        return None
    before = line[: begins.start()]
    if found["block"]:
        return SettingOfJuju(len(before)) if found["block"] == "{" else Block(len(before))
    is_prompt = before[:1].isalpha() or (before.strip(" -") and " " in before.strip())
    return Label(0 if is_prompt else len(before))


# By the last character of a line, since most lines with a name open nothing; "" for any.  Some need the name of a secret.
LAST_OF_LABEL = ":|>+-0123456789{"
LONGEST = 500
LAST_OF_MANIFEST = ':t{,"'  # "data:", "kind: Secret", and the same in JSON
LAST_OF_ROW = "|\u2502"
WORD_ENDS = string.ascii_letters + string.digits + "_.-"
_OPENINGS: tuple[tuple[str, bool, Callable[[str], object], Continuation], ...] = (
    (":", False, _SENTENCE.search, Label(0)),
    ("[(", True, _LIST.search, Items()),
    (WORD_ENDS + "\"',>", True, _NAMED.search, Named()),
    (">", True, _ELEMENT.search, Element()),
    ("\\", True, _ESCAPED_END.search, NextWord()),
    ("", False, NETRC.match, Netrc()),
    (WORD_ENDS, True, re.compile(rf"<--\s+GET\s+[\w.+-]+/[\w./+-]{{0,60}}?{NAME}\s*$", I).search, ValueInAnswer()),
    (
        WORD_ENDS + "\\",
        False,
        re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.(?:eyJ[A-Za-z0-9_-]*)?\.?\\?\s*$").search,
        WebToken(),
    ),
)


# The lines that can open a continuation.
OPENERS = (
    Rule("credential", re.compile("(?!)"), words=WORDS, programs=RARE_WORDS, follows=re.compile(ANNOUNCED)),
    Rule("netrc", re.compile("(?!)"), programs=("machine", "login"),
         follows=re.compile(rb"[ \t]++[^ \t\n]++[ \t]*+(?:login[ \t]++[^ \t\n]++[ \t]*+)?(?:\n|\Z)")),
    Rule("credential", re.compile("(?!)"), programs=("installation:", "password is:", "password below:")),
    Rule("credential", re.compile("(?!)"), programs=("password for", "passphrase for"), follows=re.compile(rb"[ \t][^\n]{1,200}:[ \t]*(?:\n|\Z)")),
    Rule("credential", re.compile("(?!)"), words=("= data =",), programs=("will be hidden):", "chpasswd:")),
    Rule("credential", re.compile("(?!)"), programs=("data", "kind"), follows=re.compile(rb"\"?:[ \t]*(?:\{|\"?secret\"?,?)?[ \t]*(?:\n|\Z)")),
    Rule("web-token", re.compile("(?!)"), probe=re.compile(rb"eyj(?:(?<![a-z0-9_-]eyj)|(?<=\\[nrt]eyj))[a-z0-9_-]{10,}+\.(?:eyj[a-z0-9_-]*+)?\.?\\?(?=\s|\Z)")),
)  # fmt: skip
