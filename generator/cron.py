"""What Jenkins takes for a schedule: its cron syntax, rule by rule (hudson.scheduler: CronTabList, its grammar)."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from functools import cache

ALIASES = ("yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly")
# What Java knows besides the names of the time zone database.
JAVA_ZONES = "ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT IET IST JST MIT NET NST PLT PNT PRT PST SST VST"
TERM = re.compile(
    r"""
      (?P<hash>H) (?: \( (?P<low>\d+) - (?P<high>\d+) \) )? (?: / (?P<hash_step>\d+) )?
    | (?P<any>\*) (?: / (?P<any_step>\d+) )?
    | (?P<start>\d+) - (?P<end>\d+) (?: / (?P<step>\d+) )?
    | (?P<number>\d+)
    """,
    re.VERBOSE | re.ASCII,
)
TRIMMED = "".join(map(chr, range(33)))  # what Java's String.trim takes off
INT_MAX = 2**31 - 1  # what Java's Integer.parseInt takes


@dataclass(frozen=True)
class Field:
    """One of the five; ``hashed_to`` is the highest value that a bare H may become."""

    name: str
    low: int
    high: int
    hashed_to: int


FIELDS = (
    Field("minute", 0, 59, 59),
    Field("hour", 0, 23, 23),
    Field("day of the month", 1, 31, 28),
    Field("month", 1, 12, 12),
    Field("day of the week", 0, 7, 6),
)


def complaint(spec: str) -> str | None:
    """Why Jenkins would refuse a schedule, in one line; None when it takes it.

    A schedule has any number of lines; blank ones and those that begin with # are skipped, and the first
    may be ``TZ=ZONE``.  None of them at all is a schedule as well: never.
    """
    for number, raw in enumerate(re.split(r"\r?\n", spec), 1):
        line = raw.strip(TRIMMED)
        if number == 1 and line.startswith("TZ="):
            problem = _zone(line.removeprefix("TZ="))
        elif not line or line.startswith("#"):
            continue
        else:
            problem = _line(line)
        if problem:
            return f"{line!r}: {problem}"
    return None


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _zone(name: str) -> str | None:
    # A machine without the time zone database cannot tell.
    if not _zones() or name in _zones() or name in JAVA_ZONES.split():
        return None
    return f"no time zone {name!r}; for example TZ=Europe/Berlin, or TZ=UTC"


def _line(line: str) -> str | None:
    if line.startswith("@"):
        return None if line[1:] in ALIASES else f"known: {', '.join('@' + alias for alias in ALIASES)}"
    texts = re.split(r"[ \t]+", line)
    if len(texts) != len(FIELDS):
        return f"{len(texts)} fields; five are wanted: {', '.join(field.name for field in FIELDS)}"
    return next((problem for text, field in zip(texts, FIELDS, strict=True) if (problem := _field(text, field))), None)


def _field(text: str, field: Field) -> str | None:
    return next((problem for term in text.split(",") if (problem := _term(term, field))), None)


def _term(text: str, field: Field) -> str | None:
    match = TERM.fullmatch(text)
    if match is None:
        return f"{text!r} is no {field.name}: a number, A-B, *, H or H(A-B), all but the first with or without /STEP"
    part = {name: int(value) for name, value in match.groupdict().items() if value and value.isdigit()}
    low, high = part.get("start", field.low), part.get("end", field.high)
    step = part.get("step", part.get("any_step", 1))
    longest = INT_MAX
    if match["hash"]:
        low, high = part.get("low", field.low), part.get("high", field.hashed_to)
        step, longest = part.get("hash_step", 1), high - low + 1
    for value in (low, high, part.get("number", low)):
        if not field.low <= value <= field.high:
            return f"{value} is no {field.name}: {field.low} to {field.high}"
    if low > high:
        return f"{text!r} ends before it begins"
    if not 1 <= step <= longest:
        return f"{text!r}: no step: 1 {f'to {longest}' if match['hash'] else 'or more'}"
    return None
