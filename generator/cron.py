"""The cron syntax that Jenkins accepts, rule by rule (hudson.scheduler: CronTabList and its grammar)."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from functools import cache

ALIASES = ("yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly")
# Names that Java accepts in addition to the time zone database.
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
TRIMMED = "".join(map(chr, range(33)))  # the characters that Java's String.trim removes
INT_MAX = 2**31 - 1  # the limit of Java's Integer.parseInt


@dataclass(frozen=True)
class Field:
    """One of the five fields; ``hashed_to`` is the highest value of a bare H."""

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
    """Return the reason why Jenkins would refuse a schedule, in one line; None if Jenkins accepts it.

    A schedule has any number of lines.  Blank lines and lines that begin with # are skipped, and the first line
    can be ``TZ=ZONE``.  A schedule without lines is valid: the job never starts.
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
    # Without the time zone database, this machine cannot decide.
    if not _zones() or name in _zones() or name in JAVA_ZONES.split():
        return None
    return f"no time zone {name!r}; for example TZ=Europe/Berlin, or TZ=UTC"


def _line(line: str) -> str | None:
    if line.startswith("@"):
        return None if line[1:] in ALIASES else f"known: {', '.join('@' + alias for alias in ALIASES)}"
    texts = re.split(r"[ \t]+", line)
    if len(texts) != len(FIELDS):
        return f"{len(texts)} fields instead of five: {', '.join(field.name for field in FIELDS)}"
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
