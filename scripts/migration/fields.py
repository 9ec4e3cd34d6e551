"""The fields of a package as apt reads them, in the plain form that dose reads too.

What apt reads and dose does not is written otherwise, so that dose comes to apt's conclusion: a relation that nothing can
satisfy (``${misc:Depends}``, ``(=> 1)``) becomes a name that no package has.  What apt refuses is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

NAME_TEXT: Final = r"[A-Za-z0-9][A-Za-z0-9+._-]*+"
VERSION_TEXT: Final = r"[A-Za-z0-9][A-Za-z0-9.+:~_-]*+"
RANGE: Final = rf"\(\s*(?:<<|<=|=|>=|>>)\s*{VERSION_TEXT}\s*\)"
ONE: Final = rf"{NAME_TEXT}(?::[A-Za-z0-9-]++)?\s*(?:{RANGE}\s*)?"

NAME: Final = re.compile(NAME_TEXT)
VERSION: Final = re.compile(VERSION_TEXT)
ARCHITECTURE: Final = re.compile(r"(?!any$|source$)[a-z0-9]+(?:-(?!any$)[a-z0-9]+)*")
PLAIN: Final = re.compile(rf"{ONE}(?:[,|]\s*{ONE})*,?")
PLAIN_LIST: Final = re.compile(rf"{ONE}(?:,\s*{ONE})*,?")
PLAIN_ONE: Final = re.compile(ONE)
# One relation as apt reads it: a name, and whatever is in parentheses.
READ: Final = re.compile(r"(?P<name>[^\s(),|\[\]<>]+)\s*(?P<range>\(\s*(?P<op>[<>=!~]++)\s*[^\s)][^)]*\))?")
OLD: Final[Mapping[str, str]] = {"<": "<=", ">": ">="}  # policy 7.1
VALUES: Final[Mapping[str, frozenset[str]]] = {
    "Essential": frozenset({"yes", "no"}),
    "Multi-Arch": frozenset({"same", "foreign", "allowed", "no"}),
}
FORM: Final = "right is NAME or NAME (>= VERSION), with | between alternatives and a comma between relations"


def plain(field: str, text: str) -> str:
    """Return the value of a field in its plain form, "" where it says nothing.  Raises ValueError for what apt refuses."""
    if known := VALUES.get(field):
        return text if text in known else ""
    depends = field in {"Depends", "Pre-Depends"}
    if (PLAIN if depends else PLAIN_LIST).fullmatch(text) and not (field == "Provides" and re.search("[<>]", text)):
        return text
    clauses = text.split(",")
    if len(clauses) > 1 and not clauses[-1].strip():
        del clauses[-1]
    found = []
    for clause in clauses:
        words = [word.strip() for word in clause.split("|")]
        if len(words) > 1 and not words[-1]:
            del words[-1]
        relations = [_relation(word) for word in words]
        if depends:
            found.append(
                " | ".join(relation or _nothing(word) for relation, word in zip(relations, words, strict=True))
            )
        elif field != "Provides":
            found += filter(None, relations)
        elif len(words) == 1 and relations[0] and not re.search("[<>]", relations[0]):  # apt ignores all others
            found.append(relations[0])
    return ", ".join(found)


def _relation(word: str) -> str:
    """Return a relation in its plain form, "" for one that nothing satisfies."""
    read = READ.fullmatch(word)
    if not read:
        raise ValueError(word)
    if read["op"] in OLD:
        word = word.replace(read["op"], OLD[read["op"]], 1)
    return word if PLAIN_ONE.fullmatch(word) else ""


def _nothing(word: str) -> str:
    """Return a name that no package has, for a relation that nothing satisfies."""
    return f"unreadable--{re.sub('[^A-Za-z0-9+.]+', '-', word).strip('-')}"
