"""Known failures applied to results: what is expected to fail does not count, and what passes again is reported.

The rules: an error of the lab is never expected.  An entry whose end has come excuses nothing, and the failure
mentions it.  An entry has passed again if at least one test that it names passed, and none failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from lab.base.debian import compare
from lab.base.text import first_of
from lab.config.known_failures import KnownFailure
from lab.results.cases import Case

Failure = tuple[str, str]  # the identity of a test, which several cases can have, and the message


@dataclass(frozen=True)
class ResultPlace:
    """What a result is about; ``day``: the day of the run, as in RFC 3339."""

    component: str
    track: str
    version: str
    day: str


def _names(known: KnownFailure, place: ResultPlace, test: str) -> bool:
    def matches(name: str, patterns: Sequence[str]) -> bool:
        # Names of tests have brackets, which are a set of characters in a pattern.
        return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)

    return (
        matches(test, (known.test,))
        and matches(place.component, known.components)
        and matches(place.track, known.tracks)
    )


def has_ended(known: KnownFailure, place: ResultPlace) -> bool:
    """Return whether the day or the version of an entry has come."""
    is_late = known.until is not None and place.day > known.until.isoformat()
    return is_late or bool(known.fixed_in and place.version and compare(place.version, "ge", known.fixed_in))


def explains(known: KnownFailure, place: ResultPlace, test: str, message: str) -> bool:
    """Return whether an entry is about a failure, ended or not."""
    return _names(known, place, test) and (known.message is None or re.search(known.message, message) is not None)


def bug_of(known: Iterable[KnownFailure], place: ResultPlace, test: str, message: str) -> str:
    """Return the bug of the first entry that still explains a failure, "" if there is none."""
    found = (each.bug for each in known if explains(each, place, test, message) and not has_ended(each, place))
    return next(found, "")


@dataclass(frozen=True)
class Excused:
    """Cases after known failures; ``known``, ``ended``, ``mended``: the entry of each such test, by its identity."""

    cases: Sequence[Case] = ()
    known: Mapping[str, KnownFailure] = field(default_factory=dict)
    ended: Mapping[str, KnownFailure] = field(default_factory=dict)
    mended: Mapping[str, KnownFailure] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Return parts of the message of a step."""
        known = first_of([f"{test} ({each.bug})" for test, each in self.known.items()])
        mended = first_of(list(dict.fromkeys(f"{each.test} ({each.bug})" for each in self.mended.values())))
        return ([f"known failures: {known}"] if known else []) + ([f"passes again: {mended}"] if mended else [])

    @property
    def facts(self) -> dict[str, dict[str, str]]:
        """Return facts of a step's record; none without known failures."""
        found = {"known_failures": self.known, "known_ended": self.ended, "known_mended": self.mended}
        return {key: {test: each.why for test, each in items.items()} for key, items in found.items() if items}


def excused(cases: Iterable[Case], known: Sequence[KnownFailure], place: ResultPlace) -> Excused:
    """Return cases with their known failures as ``expected-failure``."""
    cases = list(cases)
    last = [case for case in cases if case.nuance != "rerun"]
    current: dict[Failure, KnownFailure] = {}
    ended: dict[Failure, KnownFailure] = {}
    for case in (case for case in last if case.outcome == "failed"):
        for each in (each for each in known if explains(each, place, case.id, case.message)):
            (ended if has_ended(each, place) else current).setdefault((case.id, case.message), each)
    bad = {case.id for case in last if case.outcome in {"failed", "error"}}
    passed = [case.id for case in last if case.outcome == "passed" and case.nuance != "flaky"]
    again = [each for each in known if not any(_names(each, place, test) for test in bad)]
    found = ((test, next((each for each in again if _names(each, place, test)), None)) for test in passed)
    mended = {test: each for test, each in found if each}
    ended = {failure: each for failure, each in ended.items() if failure not in current}
    marked = [_marked(case, current, ended, mended) for case in cases]
    return Excused(marked, _of_tests(current), _of_tests(ended), mended)


def _of_tests(found: Mapping[Failure, KnownFailure]) -> dict[str, KnownFailure]:
    return {test: each for (test, _), each in found.items()}


def _marked(
    case: Case,
    current: Mapping[Failure, KnownFailure],
    ended: Mapping[Failure, KnownFailure],
    mended: Mapping[str, KnownFailure],
) -> Case:
    failure = case.id, case.message
    if case.outcome == "failed" and (known := current.get(failure)):
        message = "; ".join(filter(None, [f"known failure: {known.why}", case.message]))
        return case.model_copy(update={"outcome": "skipped", "nuance": "expected-failure", "message": message})
    if case.outcome == "failed" and (past := ended.get(failure)):
        message = "; ".join(filter(None, [case.message, f"was known {past.end}: {past.why}"]))
        return case.model_copy(update={"message": message})
    if case.outcome == "passed" and not case.nuance and (known := mended.get(case.id)):
        return case.model_copy(update={"nuance": "unexpected-success", "message": f"known to fail: {known.why}"})
    return case
