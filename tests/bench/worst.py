"""The lines that cost the rules of redaction most work, made of the rules' own texts.

Of each rule, texts that its pattern and its first look can begin with are made, cut at any place, and repeated; the
slowest of these lines tell whether a rule takes quadratic time.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

from reports.redact.redactor import Redactor
from reports.redact.rule import Rule

SHORT = 1500
TEXTS_OF_RULE = 10
MOST_REPEATS = 3
SIGNS = "aZ_7-=:.| \t\"'/@+"


def texts(rules: Sequence[Rule], dice: random.Random) -> Iterator[str]:
    """Yield texts to repeat: a whole match of a rule, its beginning, and its words with what follows them."""
    for rule in rules:
        patterns = [pattern for pattern in (rule.after, rule.pattern, rule.follows, rule.probe) if pattern]
        words = [*rule.words, *rule.own_words, *rule.needs, ""]
        for _ in range(TEXTS_OF_RULE):
            parts = [text_of(pattern.pattern, dice) for pattern in patterns]
            whole = dice.choice(words) + "".join(part for part in parts if dice.random() < 0.7)
            cut = whole[: dice.randrange(1, len(whole) + 1)] if whole else ""
            yield from {text for text in (whole, cut, cut + " ") if text.strip() and "\n" not in text}


def text_of(pattern: str | bytes, dice: random.Random) -> str:
    """Return a text that a pattern matches but for its conditions on what is before and after it."""
    plain = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    parsed = re._parser.parse(plain)  # type: ignore[attr-defined] # the standard library has no public one
    return "".join(_texts(parsed, dice, {})).encode("latin-1", "ignore").decode("utf-8", "ignore")


def _texts(parsed: Any, dice: random.Random, groups: dict[int, str]) -> Iterator[str]:  # noqa: C901 - each operation of the parser
    for operation, argument in parsed:
        name = str(operation)
        if name == "LITERAL":
            yield chr(argument)
        elif name in {"ANY", "NOT_LITERAL"}:
            yield dice.choice(SIGNS)
        elif name == "IN":
            yield _one_of(argument, dice)
        elif name == "BRANCH":
            yield from _texts(dice.choice(argument[1]), dice, groups)
        elif name == "SUBPATTERN":
            groups[argument[0]] = text = "".join(_texts(argument[-1], dice, groups))
            yield text
        elif name == "ATOMIC_GROUP":
            yield from _texts(argument, dice, groups)
        elif name == "GROUPREF":
            yield groups.get(argument, "")
        elif name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            least, most, repeated = argument
            for _ in range(dice.randint(int(least), min(int(most), int(least) + MOST_REPEATS))):
                yield from _texts(repeated, dice, groups)


def _one_of(members: Any, dice: random.Random) -> str:
    """Return a character of a set."""
    pattern = re.compile(_set(members))
    return dice.choice([sign for sign in map(chr, (9, *range(32, 127))) if pattern.match(sign)] or ["a"])


CATEGORIES = {"CATEGORY_SPACE": r"\s", "CATEGORY_NOT_SPACE": r"\S", "CATEGORY_WORD": r"\w", "CATEGORY_NOT_WORD": r"\W",
              "CATEGORY_DIGIT": r"\d", "CATEGORY_NOT_DIGIT": r"\D"}  # fmt: skip


def _set(members: Any) -> str:
    """Return a set of the parser as a pattern."""
    parts = []
    for operation, argument in members:
        match str(operation):
            case "NEGATE":
                parts.append("^")
            case "LITERAL":
                parts.append(re.escape(chr(argument)))
            case "RANGE":
                parts.append(f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}")
            case _:
                parts.append(CATEGORIES[str(argument)])
    return f"[{''.join(parts)}]"


def seconds(ours: Redactor, text: str, size: int, rounds: int = 1) -> float:
    """Return the processor's seconds for a line of a repeated text, the least of some rounds."""
    line = (text * (size // len(text) + 1))[:size]
    found = []
    for number in range(rounds):
        begin = time.process_time()
        ours.text(f"{number} {line}")
        found.append(time.process_time() - begin)
    return min(found)


def worst(ours: Redactor, count: int, seed: int = 1) -> list[str]:
    """Return the texts whose lines cost most work, the worst first."""
    ours.text("password: x")  # compiles the rules
    every = dict.fromkeys(texts(ours.screen.rules, random.Random(seed)))
    return sorted(every, key=lambda text: -seconds(ours, text, SHORT))[:count]
