"""Passwords in sentences and notes that people write: "the password is X", "user admin with password X", "ID/PW: admin/X".

Such a password has a letter and a digit: other words after "password" are prose.
"""

from __future__ import annotations

import re
from typing import Final

from lab.results.secrets.pattern import SecretPattern, labelled

WHAT: Final = "a password in a sentence"
# Words of their own would share their first look with the rules of settings, which would be asked for each sentence.
WORDS: Final = ("pass", "pw")
_ENDS: Final = rb"(?:word|phrase|code|wd|d)?"
_WORD: Final = r"\b(?:pass(?:word|phrase|code|wd)|pwd?)"
# Words of prose with a digit in them.
_PROSE: Final = r"(?!(?:base\d\d|utf-?\d+|md[45]|sha-?\d+|x\.?509|pkcs\d+|oauth\d|ipv\d|[a-z]\d|\d+[a-z]{1,7})\b)"
# Hidden parts are none of it, or each pass would hide a bit more before them.
_REST: Final = r"(?:(?!\[REDACTED:)[^\s\"'<>])"
# With a letter and a digit: of eight characters, or at the end of a sentence.
VALUE: Final = (
    rf"[\"']?(?P<value>{_PROSE}(?=[^\s\"']{{0,80}}\d)(?=[^\s\"']{{0,80}}[a-z])[^\s\"'/<>(\[{{$%]"
    rf"(?:{_REST}{{5,80}}+(?=[\"']?[.,;!)]?\s*$|[\"',;]\s)|{_REST}{{7,80}}+(?=[\"']?[.,]?(?:\s|$))))"
)
_USER: Final = r"\b(?:user(?:[ _-]?(?:name|id))?|login(?:\swith)?|account|as|id)[\"']?[\s:=]{1,3}[\"']?[\w.@-]{1,64}[\"']?,?\s{1,4}"
_HEAD: Final = r"\b(?:id|user(?:name)?|login|account)(?:\s?/\s?|\s?\()(?:pw|pwd|pass(?:wd|word)?)\)?"


# What follows a word in any sentence of the kinds that have the same words: one search finds the lines of all.
_FOLLOWS: Final = rb"(?:[ \t][^\n:=|]{0,60}?(?:is|to|for)[ \t:]|[ \t]+[^ \t\n]{0,80}?[0-9]|(?<!pass):[^: \t\n])"


def _of(pattern: str, *words: str, follows: bytes = _FOLLOWS) -> SecretPattern:
    return labelled("credential", WHAT, pattern, *words, follows=re.compile(_ENDS + follows), guess=True)


SENTENCES: Final[tuple[SecretPattern, ...]] = (
    _of(rf"{_WORD}\s[^\n:=|]{{0,60}}?\b(?:is|to|for\s\S{{1,80}}(?=:)):?(?:\s(?:now|set\sto))?\s+{VALUE}", *WORDS),
    _of(rf"{_USER}(?:and\s|with\s)?(?:the\s|a\s)?{_WORD}\s+{VALUE}", *WORDS),
    _of(rf"{_HEAD}(?:\s{{0,3}}[:=(-]>?\s{{0,3}}|\s)[\w.@-]{{1,64}}\s?[/:(]{{1,2}}\s?{VALUE}", *(f"{sign}{word}" for sign in ("/", "/ ", "(") for word in WORDS), follows=rb"\)?[ \t:=(-]"),
    _of(rf"\bcredentials?(?:\s(?:are|is))?:?\s+[\"']?[\w.@-]{{1,64}}[\"']?\s?[/:,]\s?{VALUE}", "credential", follows=rb"s?(?:[ \t](?:are|is))?:?[ \t][^ \t\n]{1,70}[ \t]?[/:,]"),
    # Without a blank; "pass:1" is a number of tests.
    _of(rf"(?<![\w.$-])(?:[\w-]{{0,30}}_)?{_WORD[2:]}:(?!:){VALUE}", *WORDS),
)  # fmt: skip
