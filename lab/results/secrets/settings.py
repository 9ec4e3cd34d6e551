"""Settings with a secret as their value, in the notations that programs print.

A name is from `lab.results.secrets.names`; what separates it from its value is ``=``, ``:=``, ``=>``, ``->``, ``:``, the
bar of a table, a TAB, blanks, or markup.
"""

from __future__ import annotations

import re
from typing import Final

from lab.results.secrets.names import NAME, NAME_BEFORE_COLON, RARE_WORDS, WORD, WORDS, starts
from lab.results.secrets.pattern import VALUE, Anchor, I, SecretPattern, labelled

# What follows a word of a name in a line that can set a value; in lower case.  One pattern for all settings: the search
# for a word costs more than the rules.  A key of another word ("keystone") and a test that passed ("PASS: a") are no names.
_NAME_ENDS: Final = (
    rb"(?>(?<!key)|(?<=[a-z0-9_ -]key)s?(?:id|value)?(?![a-z]))"
    rb"(?>(?<!pass)|w|phrase|code|(?![a-z])(?:(?<=[a-z0-9_.-]pass)|(?=[ \t]{0,60}(?:=|\||\xe2\x94\x82))))[\w.-]{0,60}+"
    rb"(?:\[[^\]\n]{0,40}\])?[\"'\\\]]{0,6}"
)
# One alternative without a blank, and one with blanks, so that little is tried twice.
_SETS: Final = rb"(?:=|\+=|->(?![ \t]*[^ \t\n]*/)|:(?!:)|::[ \t]|\||\xe2\x94\x82"
_ELEMENT_ENDS: Final = rb"[\w:.-]{1,40}+[ \t]?=[^<>\n]{0,80}+(?<!-)>"
SET: Final = _NAME_ENDS + (
    rb"(?:(?![ \t])(?:" + _SETS + rb"|>|\n|\Z|</)|,[ \t,]{0,7}(?:<<|u)?[\"'v]|[\"',]{1,3}(?:\n|\Z|</))"
    rb"|\t|[ \t](?:[ \t]++[^ \t\n]|[ \t]{0,59}+"
    + _SETS
    + rb")|[ \t,]{0,7}(?:<<|u)?[\"'v]|[ \t]*+(?:"
    + _ELEMENT_ENDS
    + rb"|[/?]?>)|[ \t]{0,3}\\(?:\n|\Z)))"
)
# The same of a line that announces a value on the lines after it: its end, or a bar, follows.
ANNOUNCED: Final = _NAME_ENDS + (
    rb"(?:[ \t]{0,60}+(?:\||\xe2\x94\x82)|[,}]?[\"']?[ \t]*+(?:[:=][ \t]*+)?(?:![^ \t\n]{1,30}[ \t]++)?(?:(?:[|>][+-]?[0-9]?|[\[({])[ \t]*+)?(?:\n|\Z)"
    rb"|</name>|(?:[ \t]++[\w:.-]{1,40}+(?:[ \t]?=[^<>/\n]{0,80}+)?)?[ \t]*+>[ \t]*+(?:\n|\Z)|[ =][ \t]?[\"']?\\(?:\n|\Z))"
)

# "password X" alone, quoted, as an answer to debconf, or in parentheses; in lower case.
SPACED: Final = rb"(?:[ \t]?\(|[ \t]+(?:[\"']|[^ \t\n]+[ \t]*(?:\n|\Z)|(?<=[ \t]password[ \t])[^ \t\n]))"
PASSWORDS: Final = ("password", "passwd", "passphrase")
AFTER: Final = r"""(?:\[[^\]\n]{0,40}\])?(?:\\{0,8}["']\]?)?"""
BAR: Final = "[|\u2502]"
RANDOM: Final = r"(?=[A-Za-z+/_.=-]{0,80}\d)(?=[0-9+/_.=-]{0,80}[A-Za-z])[A-Za-z0-9+/_=-]{20,}"
# Keys of tables, caches and pairs of keys: no secrets, however random they look.
_PUBLIC: Final = (
    "public|pub|primary|foreign|sort|cache|hash|partition|group|registry|unique|host|known|object|dict|row|column|lookup|"
    "parent|message|msg|idempotency|routing|search|map|index"
)
KEY_VALUE: Final = rf"(?![\"']?(?:~|\.{{1,2}})?/[\w.+-]+/){VALUE}"  # the path of a key file is no secret

_CAMEL: Final = "".join(f"(?<!{word.capitalize()})" for word in _PUBLIC.split("|"))
_ENDS_IN_KEY: Final = r"(?:[_-]key|(?-i:(?<=[a-z0-9])Key))"
# With its value, which costs less than what is before a key.
KEY: Final = re.compile(rf"{_ENDS_IN_KEY}(?={AFTER}\s{{0,60}}:?[:=]\s{{0,4}}[\"']?{RANDOM})", I)

SETTING: Final = "a secret in a setting"
ANYWHERE: Final = Anchor(starts)
INDENTED: Final = 300  # characters before a name that is first in its line


def _keys(line: str) -> tuple[int, ...]:
    """Return the places where a name ends with a key."""
    return tuple(match.start() for match in KEY.finditer(line))


def _after(before: str, reach: int) -> Anchor:
    return Anchor(starts, re.compile(before, I | re.DOTALL), reach)


VARIABLES: Final = (
    labelled("credential", "a secret in a variable", rf"(?<![\w$-])(?:[\w.-]{{0,60}}[_.-])?(?P<name>{WORD})=(?!=|(?P=name)[,)]){KEY_VALUE}", *WORDS, programs=RARE_WORDS, follows=SET),
)  # fmt: skip
SETTINGS: Final[tuple[SecretPattern, ...]] = (
    labelled("credential", SETTING, rf"{NAME}\s{{1,60}}=\s+(?P<value>[^\s\"'\[](?:.*\S)?)\s*$", *WORDS, programs=RARE_WORDS, follows=SET, needs=("=",), guess=True, anchor=_after(r"^\s*[\w.-]*", INDENTED)),
    labelled("credential", SETTING, rf"(?P<name>{NAME}){AFTER}(?::\s?[\w\[\]., |]{{1,40}}?)?\s{{0,60}}(?:=>|[:+]=|=(?!=|(?P=name)[,)])|->(?!\s*\S*/))\s{{0,4}}{KEY_VALUE}", *WORDS, programs=RARE_WORDS, follows=SET, needs=("=", "->"), guess=True, anchor=ANYWHERE),
    labelled("credential", SETTING, rf"{NAME_BEFORE_COLON}{AFTER}(?:(?<=[\"'\]])\s?:\s{{0,4}}|\s{{0,60}}::?\s{{1,4}})(?!(?:files|compat|db|password(?= (?:updated|changed)))\b|[\w-]+:[x*!]:?){KEY_VALUE}", *WORDS, programs=RARE_WORDS, follows=SET, needs=(":",), guess=True, anchor=ANYWHERE),
    labelled("credential", SETTING, rf"{NAME}(?:(?<=password)|(?<=passphrase)|(?<=secret)):(?!:){VALUE}", "pass", "secret", follows=SET, needs=(":",), guess=True, anchor=Anchor(starts, re.compile(r"|\W", I), 1)),
    # Two columns: a row of a client's table, or names and values with blanks or a TAB between them.
    labelled("credential", "a secret in a table", rf"{NAME}\s{{0,60}}{BAR}\s*(?P<value>[^|\u2502\s](?:[^|\u2502]*[^|\u2502\s])?)\s*{BAR}{{1,2}}[\s\])\"'}}]*$", *WORDS, programs=RARE_WORDS, follows=SET, needs=("|", "\u2502"), guess=True, anchor=_after(rf"^[^|\u2502]*{BAR}{{1,2}}[\w\s.:-]*", INDENTED)),
    labelled("credential", "a secret in a table", rf"{NAME}\s{{1,60}}{BAR}\s+(?P<value>[^|\u2502\s]+)\s*$", *WORDS, programs=RARE_WORDS, follows=SET, needs=("|", "\u2502"), guess=True, anchor=_after(r"^\s*[\w.-]*", INDENTED)),
    labelled("credential", "a secret in a table", rf"{NAME}(?:[ ]?\t\s*|\s{{2,60}})(?P<value>[^\s|:=>-][^\s|]*)(?=\s\s|\t|\s*$)", *WORDS, programs=RARE_WORDS, follows=SET, needs=("\t", "  "), guess=True, anchor=_after(r"^\s*[\w.-]*(?<!--)", INDENTED)),
    labelled("credential", "a secret in an element", rf"{NAME}(?![\w-])[^<>]{{0,80}}>(?P<value>[^<\n]*[^<\s][^<\n]*)", *WORDS, programs=RARE_WORDS, follows=SET, needs=("<",), guess=True, anchor=_after(r".*<[\w.:-]*", 50)),
    labelled("credential", "a secret in a pair", rf"{NAME}[\"'][\s,]{{1,8}}(?:[\w-]{{1,20}}=[\"'][^\"']{{0,40}}[\"']\s{{1,4}})?u?[\"']?value[\"']?\s{{0,4}}[:=]\s{{0,4}}{VALUE}", *WORDS, programs=RARE_WORDS, follows=SET, needs=('"', "'"), guess=True, anchor=_after(r".*[\"'][\w .-]*", 60)),
    labelled("credential", "a secret in a pair", rf"{NAME}[\"']\s{{0,3}},\s{{0,3}}[ubr]?[\"'](?P<value>[^\"'\s-][^\"'\n]*)[\"'](?!\s*:)", *WORDS, programs=RARE_WORDS, follows=SET, needs=(",",), guess=True, anchor=_after(r".*[\"'][\w.-]*", 60)),
    labelled("credential", "a secret of a key", rf"{_ENDS_IN_KEY}{AFTER}\s{{0,60}}(?::=|[:=])\s{{0,4}}[\"']?(?P<value>{RANDOM})", "key", follows=SET, needs=("=", ":"), guess=True,
             anchor=Anchor(_keys, re.compile(rf"(?:|.*[^a-z0-9])(?!(?:{_PUBLIC})\Z)[a-z0-9]*(?<=[\w.-])(?-i:{_CAMEL})", I | re.DOTALL), 40)),
    labelled("credential", "a secret in a URL", rf"[?&;](?:key|sig|signature|x-amz-signature)=(?P<value>{RANDOM.replace('[A-Za-z0-9+/_=-]{20,}', '[A-Za-z0-9+/_=%.-]{16,}')})", programs=("key", "sig", "signature"), follows=rb"=[a-z0-9]", guess=True),
    labelled("credential", "the login of a registry", r"[\"']?(?<![a-z0-9])_?auth\\{0,8}[\"']?\s{0,4}(?::\s{0,4}|(?<=_auth)=\s?)\\{0,8}[\"'](?P<value>[A-Za-z0-9+/_-]{8,}={0,2})\\{0,8}[\"']", programs=("auth",), follows=rb"\\{0,8}[\"']?[ \t]{0,4}[:=]", guess=True),
    labelled("credential", "the login of a registry", r"(?<![a-z0-9])_auth\s?=\s?(?P<value>[A-Za-z0-9+/_-]{8,}={0,2})", programs=("auth",), follows=rb"[ \t]?=", guess=True),
    labelled("netrc", "a password of netrc", r"\blogin\s+\S+\s+password\s+(?P<value>\S+)", programs=("login",), follows=rb"[ \t]++[^ \t\n]++[ \t]++password"),
    labelled("credential", SETTING, r"^\s*password\s+(?P<value>(?=\S*\d)\S{4,})\s*$", programs=PASSWORDS, follows=SPACED, guess=True),
    labelled("credential", SETTING, r"\b(?:password|passwd|passphrase)\s+[\"'](?P<value>[^\"'\n]{1,200})[\"']", programs=PASSWORDS, follows=SPACED, guess=True),
    labelled("credential", "a password of pgpass", r"^\s*[\w.*-]+:(?:543\d|6432|15432|\*):[^:\s]+:[^:\s]+:(?P<value>\S+)\s*$", probe=rb":(?:543[0-9]|6432|15432|\*):", guess=True),
    labelled("credential", "an answer to debconf", r"[\w.+-]{1,60}/[\w./+-]{1,80}\s+(?:seen\s+)?password\s+(?P<value>[^\s\"'](?:[^\"'\n]*[^\s\"'])?)(?=\s*[\"']?\s*$|\s*[\"'])", programs=PASSWORDS, follows=SPACED, guess=True),
    labelled("credential", "an answer to debconf", rf"{NAME}\s+string\s+(?P<value>[^\s\"'](?:[^\"'|\n]*[^\s\"'|])?)(?=\s*(?:[\"'|]|$))", programs=("string",), follows=rb"(?<=[ \t]string)[ \t]+[^ \t\n\"']", needs=("/",), guess=True, anchor=_after(r".*[\w.+-]/[\w./+-]*", 80)),
    labelled("credential", "an answer to debconf", rf"{NAME}\s+(?P<value>[^\s\"'](?:[^\"'|\n]*[^\s\"'|])?)(?=\s*(?:[\"'|]|$))", programs=("debconf-communicate",), guess=True, anchor=_after(r".*\bset\s+[\w.+-]{1,60}/[\w./+-]*", 140)),
    labelled("credential", "a password in SQL", r"\bidentified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?\\{0,4}[\"'](?P<value>[^\"'\n\\]+)", programs=("identified",)),
    labelled("credential", "a password in SQL", r"(?-i:\bPASSWORD)\s?\(\s?\\{0,4}[\"'](?P<value>[^\"'\n\\]+)", programs=PASSWORDS, follows=SPACED),
    labelled("credential", "a secret in a variable", rf"{NAME}\s+{VALUE}", programs=("setenv", "setx", "env", "arg", "set"), follows=rb"[ \t]+[^=\n]{0,80}(?:pass|pw|secret|token|key|cred)", guess=True, anchor=_after(r"(?:^|.*[\s;&|\"'(\[])(?:setenv|env|arg|setx|(?<!to )set(?:\s-\w{1,4}){0,3})\s+[\w.-]*", 100)),
)  # fmt: skip
