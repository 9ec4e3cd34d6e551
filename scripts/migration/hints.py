"""Hints: a release manager's instructions, in britney's format.  Each names a version, and so expires by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Final

from lab.base.errors import ConfigurationError
from scripts.migration.items import MigrationItem
from scripts.migration.relations import order

# The least number of words after the name of a hint.
HINTS: Final[Mapping[str, int]] = {
    "block": 1,
    "block-all": 1,
    "unblock": 1,
    "age-days": 2,
    "urgent": 1,
    "easy": 2,
    "hint": 1,
    "force-hint": 1,
    "remove": 1,
    "allow-uninst": 1,
}


def text_of(path: Path) -> str:
    """Return the text of a file of hints.  Raises ConfigurationError that names the line that is not UTF-8."""
    data = path.read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: is not UTF-8: {error.reason}") from None


@dataclass(frozen=True)
class MigrationHints:
    """The hints that apply.

    ``blocked``: the line of the hint, by item; ``preferred`` items of easy and hint; ``forced`` items of force-hint;
    ``removed`` sources of the target; ``uninstallable``: (name, version, architecture or empty) that may break.
    """

    blocked: Mapping[MigrationItem, str] = field(default_factory=dict)
    days: Mapping[MigrationItem, float] = field(default_factory=dict)
    preferred: frozenset[MigrationItem] = frozenset()
    forced: frozenset[MigrationItem] = frozenset()
    removed: frozenset[MigrationItem] = frozenset()
    uninstallable: frozenset[tuple[str, str, str]] = frozenset()
    warnings: tuple[str, ...] = ()


class _Reading:
    """The hints as they are read, line by line."""

    def __init__(
        self, items: Iterable[MigrationItem], target: Mapping[str, str], binaries: set[tuple[str, str]]
    ) -> None:
        self.items = {str(item): item for item in items}
        self.target, self.binaries = target, binaries
        self.blocked: dict[MigrationItem, str] = {}
        self.unblocked: set[MigrationItem] = set()
        self.age: dict[MigrationItem, float] = {}
        self.urgent: set[MigrationItem] = set()
        self.groups: dict[str, set[MigrationItem]] = {"easy": set(), "hint": set(), "force-hint": set()}
        self.removed: set[MigrationItem] = set()
        self.uninstallable: set[tuple[str, str, str]] = set()
        self.readers: Mapping[str, Callable[[list[str], str], list[str]]] = {
            "block": self._block,
            "block-all": self._block_all,
            "unblock": self._versioned(self.unblocked.add),
            "age-days": self._age_days,
            "urgent": self._versioned(self.urgent.add),
            **{name: self._group(found) for name, found in self.groups.items()},
            "remove": self._remove,
            "allow-uninst": self._allow,
        }

    def line(self, words: list[str]) -> list[str]:
        """Read one hint; return what is wrong with it."""
        name, *rest = words
        if name == "approve":
            name = "unblock"
        if wrong := malformed(words):
            return [wrong]
        return self.readers[name](rest, " ".join(words))

    def _find(self, words: Iterable[str]) -> tuple[list[MigrationItem], list[str]]:
        found, wrong = [], []
        for word in words:
            if item := self.items.get(word):
                found.append(item)
            elif not self._is_past(word, 0):
                wrong.append(f"{word} is no item of this migration")
        return found, wrong

    def _is_past(self, word: str, least: int) -> bool:
        """Return whether the target has a newer version than a hint names (or that version, with ``least`` 0).

        Such a hint has done its work, or has expired.
        """
        source, _, version = word.partition("/")
        there = self.target.get(source)
        return there is not None and bool(version) and order(there, version.partition("/")[0]) >= least

    def _versioned(self, take: Callable[[MigrationItem], None]) -> Callable[[list[str], str], list[str]]:
        def read(words: list[str], _line: str) -> list[str]:
            found, wrong = self._find(words)
            for item in found:
                take(item)
            return wrong

        return read

    def _group(self, into: set[MigrationItem]) -> Callable[[list[str], str], list[str]]:
        def read(words: list[str], _line: str) -> list[str]:
            found, wrong = self._find(words)
            if not wrong:
                into.update(found)
            return wrong

        return read

    def _block(self, words: list[str], line: str) -> list[str]:
        wrong = []
        for word in words:
            # Without a version: each version of the source.
            found = [item for item in self.items.values() if word in {str(item), f"{'-' * item.removal}{item.source}"}]
            if not found and "/" in word and not self._is_past(word, 1):
                wrong.append(f"{word} is no item of this migration")
            self.blocked.update(dict.fromkeys(found, line))
        return wrong

    def _block_all(self, words: list[str], line: str) -> list[str]:
        if words not in (["source"], ["new-source"]):
            return [f"block-all knows source and new-source, not {' '.join(words)}"]
        for item in self.items.values():
            known = item.source in self.target
            if item.architecture == "source" and not item.removal and (words == ["source"] or not known):
                self.blocked.setdefault(item, line)
        return []

    def _age_days(self, words: list[str], _line: str) -> list[str]:
        if not re.fullmatch(r"[0-9]+(\.[0-9]*)?", words[0], re.ASCII):
            return [f"{words[0]} is no number of days"]
        days = float(words[0])
        found, wrong = self._find(words[1:])
        for item in found:
            self.age.setdefault(item, days)
        return wrong

    def _remove(self, words: list[str], line: str) -> list[str]:
        wrong = []
        for word in words:
            source, _, version = word.partition("/")
            if self.target.get(source) == version:
                self.removed.add(MigrationItem(source, version, removal=True))
            elif item := self.items.get(word):
                self.blocked[item] = line
            elif not self._is_past(word, 1):
                wrong.append(f"{word} is neither in the target nor a candidate")
        return wrong

    def _allow(self, words: list[str], _line: str) -> list[str]:
        wrong = []
        for word in words:
            name, version, arch = [*word.split("/", 2), "", ""][:3]
            if (name, version) in self.binaries:
                self.uninstallable.add((name, version, arch))
            elif not any(known == name and order(there, version) > 0 for known, there in self.binaries):
                wrong.append(f"{word} is no binary of target or candidate")
        return wrong

    def result(self, warnings: Iterable[str]) -> MigrationHints:
        blocked = {item: line for item, line in self.blocked.items() if item not in self.unblocked}
        return MigrationHints(
            blocked=blocked,
            days=self.age | dict.fromkeys(self.urgent, 0.0),
            preferred=frozenset(self.groups["easy"] | self.groups["hint"]),
            forced=frozenset(self.groups["force-hint"]),
            removed=frozenset(self.removed),
            uninstallable=frozenset(self.uninstallable),
            warnings=tuple(warnings),
        )


def malformed(words: Sequence[str]) -> str:
    """Return why the words of a line are no hint, whatever the packages are; "" when they are one."""
    name = "unblock" if words[0] == "approve" else words[0]
    if name not in HINTS:
        return "unknown hint"
    return f"{name} needs at least {HINTS[name]} words" if len(words) - 1 < HINTS[name] else ""


def lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the hints of a file: the number of the line, and its words.

    A word that begins with ``#`` begins a comment: no word of that names a package.  A byte order mark is no word.
    """
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        words = list(takewhile(lambda word: not word.startswith("#"), line.split()))
        if words and words[0] == "finished":
            return
        if words and words[0] != "remark":
            yield number, words


def read(
    text: str, items: Iterable[MigrationItem], target: Mapping[str, str], binaries: set[tuple[str, str]]
) -> MigrationHints:
    """Read a file of hints.

    ``target``: the version of each source there; ``binaries``: name and version of all binaries of both suites.  A hint
    that is not known, or that names a version that is not there, has no effect and one line among the warnings; without
    one where the target has the version already, or a newer one.
    """
    reading, warnings = _Reading(items, target, binaries), []
    for number, words in lines(text):
        warnings += [f"hints, line {number}: {' '.join(words)}: {wrong}" for wrong in reading.line(words)]
    return reading.result(warnings)
