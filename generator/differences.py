"""The differences between two config.xml files, in the words of the XML, without Jenkins' own rewriting.

A place is a path of fields, such as ``scm/branches/hudson.plugins.git.BranchSpec/name``.  Where a list has several
members, and their order has a meaning, a member's position precedes its name: ``builders/2 hudson.tasks.Shell``.
Texts are without secrets.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lxml import etree

from generator import secrets
from generator.canonical import canonical, parts, tag_of, unordered, written

LONGEST = 120
CONTEXT_LINES = 2
MOST_PAIRS = 400
"""How many pairs are looked at to find out which member became which; where more changed at once, none is paired."""
MOST_CELLS = 1_000_000
"""How many pairs of members are looked at to find those that stay, between the equal ends of two lists."""


@dataclass(frozen=True)
class Difference:
    """One place that differs: its text on each side, None where it is absent.

    An element with children that is present on one side only is one line: ``FIELD=TEXT; FIELD=TEXT``.
    """

    path: str
    before: str | None
    after: str | None


def differences(before: str | bytes, after: str | bytes) -> list[Difference]:
    """Return the differences, none exactly if the digests are equal.  Raises InfrastructureError."""
    old, new = canonical(before), canonical(after)
    if old.tag != new.tag:
        return [Difference("/", tag_of(old), tag_of(new))]
    return list(_changes(old, new, ""))


@dataclass(frozen=True)
class _Member:
    """A member of a list: its path and its normal form as text."""

    path: str
    element: etree._Element
    text: str


def _changes(old: etree._Element, new: etree._Element, path: str) -> Iterator[Difference]:
    """Yield the differences between two elements of the same name."""
    before, after = _attributes(old), _attributes(new)
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            shown = (_attribute_to_show(name, texts.get(name)) for texts in (before, after))
            yield Difference(f"{path}@{name}", *shown)
    if old.text != new.text:
        yield Difference(path or "/", *_texts_to_show(old, new))
    old_fields, new_fields = parts(old)[0], parts(new)[0]
    for name in sorted({*old_fields, *new_fields}):
        place = _join(path, name)
        if name not in new_fields:
            yield from _lone_field_changes(old_fields[name], place, there=False)
        elif name not in old_fields:
            yield from _lone_field_changes(new_fields[name], place, there=True)
        else:
            yield from _changes(old_fields[name], new_fields[name], place)
    yield from _member_changes(_members(old, path), _members(new, path))


def _texts_to_show(old: etree._Element, new: etree._Element) -> tuple[str, str]:
    """Return two texts without their secrets; what Jenkins has encrypted on one side is a secret on the other."""
    if any(secrets.ENCRYPTED.fullmatch(one.text or "") for one in (old, new)):
        return secrets.HIDDEN if old.text else "", secrets.HIDDEN if new.text else ""
    return secrets.shown(old), secrets.shown(new)


def _attribute_to_show(name: str, text: str | None) -> str | None:
    return text if text is None else secrets.shown_attribute(name, text)


def _lone_field_changes(field: etree._Element, path: str, *, there: bool) -> Iterator[Difference]:
    """Yield the differences for a field that is present on one side only."""
    if len(field) and not field.keys():  # absent equals an empty list, or an object with empty fields
        nothing = etree.Element(field.tag)
        yield from _changes(nothing, field, path) if there else _changes(field, nothing, path)
        return
    said = _said(field)
    otherwise = "false" if said == "true" else None
    yield Difference(path, otherwise, said) if there else Difference(path, said, otherwise)


def _member_changes(old: list[_Member], new: list[_Member]) -> Iterator[Difference]:
    """Yield the differences between two lists; the reverse comparison yields as many."""
    for before, after, became in _gaps(old, new):
        for at, member in enumerate(before):
            if at not in became.values():
                yield Difference(member.path, _said(member.element), None)
        for at, member in enumerate(after):
            if at in became:
                yield from _changes(before[became[at]].element, member.element, member.path)
            else:
                yield Difference(member.path, None, _said(member.element))


def _gaps(old: list[_Member], new: list[_Member]) -> Iterator[tuple[list[_Member], list[_Member], dict[int, int]]]:
    """Yield the gaps between the members that stay, with the pairs of changed members (new: old).

    Among equally good results, the choice does not depend on the order of the lists.
    """
    if [one.text for one in old] > [one.text for one in new]:
        for after, before, became in _gaps(new, old):
            yield before, after, {i: j for j, i in became.items()}
        return
    i = j = 0
    kept = longest_common_subsequence([one.text for one in old], [one.text for one in new])
    for i_end, j_end in [*kept, (len(old), len(new))]:
        before, after = old[i:i_end], new[j:j_end]
        yield before, after, _pairs(before, after)
        i, j = i_end + 1, j_end + 1


def longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Return the positions of a longest common subsequence in both lists, in order; that of the ends for long lists.

    ``difflib`` looks for long blocks instead, and so finds fewer common members in one direction than in the other.
    """
    shorter, end = min(len(one), len(other)), 0
    while end < shorter and one[-1 - end] == other[-1 - end]:
        end += 1
    begin = 0
    while begin < shorter - end and one[begin] == other[begin]:
        begin += 1
    rows, columns = len(one) - end, len(other) - end
    middle = _common(one[begin:rows], other[begin:columns])
    return [
        *((at, at) for at in range(begin)),
        *((begin + i, begin + j) for i, j in middle),
        *zip(range(rows, len(one)), range(columns, len(other)), strict=True),
    ]


def _common(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Return the positions of a longest common subsequence; none where that would take seconds."""
    rows, columns = len(one), len(other)
    if rows * columns > MOST_CELLS:
        return []
    length = [[0] * (columns + 1) for _ in range(rows + 1)]  # of the common subsequence from there to the end
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            same = one[i] == other[j]
            length[i][j] = length[i + 1][j + 1] + 1 if same else max(length[i + 1][j], length[i][j + 1])
    found, i, j = [], 0, 0
    while i < rows and j < columns:
        if one[i] == other[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif length[i + 1][j] >= length[i][j + 1]:
            i += 1
        else:
            j += 1
    return found


def _members(parent: etree._Element, path: str) -> list[_Member]:
    members = parts(parent)[1]
    numbered = len(members) > 1 and not unordered(parent, members)
    names = [f"{number} {tag_of(one)}" if numbered else tag_of(one) for number, one in enumerate(members, start=1)]
    return [_Member(_join(path, name), one, written(one).decode()) for name, one in zip(names, members, strict=True)]


def _pairs(old: list[_Member], new: list[_Member]) -> dict[int, int]:
    """Return pairs of changed members (new: old): the most similar members of a class, without crossing."""
    if len(old) * len(new) > MOST_PAIRS:
        return {}
    alike = []
    for j, after in enumerate(new):
        matcher = difflib.SequenceMatcher(None, "", after.text, autojunk=False)
        for i, before in enumerate(old):
            if before.element.tag == after.element.tag:
                matcher.set_seq1(before.text)
                alike.append((-matcher.quick_ratio(), i, j))
    pairs: dict[int, int] = {}
    for _, i, j in sorted(alike):
        if all(i != p and j != q and (i < p) == (j < q) for q, p in pairs.items()):
            pairs[j] = i
    return pairs


def _said(element: etree._Element) -> str:
    """Return the content of an element, in one line unless it is only a text."""
    if not len(element) and not element.keys():
        return secrets.shown(element)
    return "; ".join(f"{path}={visible(text)}" if text else path for path, text in _texts(element, ""))


def _texts(element: etree._Element, path: str) -> Iterator[tuple[str, str]]:
    """Yield each path in an element with its text."""
    attributes = _attributes(element)
    yield from ((f"{path}@{name}", secrets.shown_attribute(name, text)) for name, text in sorted(attributes.items()))
    if element.text or not (len(element) or attributes):
        yield path, secrets.shown(element)
    for name, field in parts(element)[0].items():
        yield from _texts(field, _join(path, name))
    for member in _members(element, path):
        yield from _texts(member.element, member.path)


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def render(found: Iterable[Difference]) -> list[str]:
    """Return lines for a terminal: ``+`` for an addition, ``-`` for a removal, ``~`` for a change."""
    return [line for difference in found for line in _lines(difference)]


def _lines(difference: Difference) -> list[str]:
    path, before, after = visible(difference.path), difference.before, difference.after
    if before is None or after is None:
        sign, said = ("+", after) if before is None else ("-", before)
        return [f"{sign} {path}: {_cut(visible(said))}" if said else f"{sign} {path}"]
    if "\n" not in before + after:
        return [f"~ {path}: {_quoted(visible(before))} -> {_quoted(visible(after))}"]
    changed = difflib.unified_diff(before.split("\n"), after.split("\n"), n=CONTEXT_LINES, lineterm="")
    return [f"~ {path}:", *(f"    {_dotted(visible(line))}".rstrip() for line in list(changed)[2:])]


def visible(text: str) -> str:
    """Return text in one line, without invisible characters and without control characters of a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _quoted(text: str) -> str:
    return text if text and text == text.strip() else f'"{text}"'


def _dotted(line: str) -> str:
    """Return a line with visible trailing blanks."""
    kept = line[:1] + line[1:].rstrip(" ")
    return kept + "·" * (len(line) - len(kept))
