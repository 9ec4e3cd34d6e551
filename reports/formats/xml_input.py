"""XML of test results, read as it comes: without entities, network and DTD, in elements that are dropped after use.

A control character that XML 1.0 forbids, raw or as a reference, becomes visible text (``#x1B``), and an invalid byte
becomes a hexadecimal escape: one such character must not hide all other tests of a file.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from io import BytesIO
from typing import Any

from lxml import etree

from reports.formats.excerpts import Unreadable

ENCODINGS = re.compile(r"UTF-?(?:8|16(?:LE|BE)?)|(?:US-)?ASCII|ISO-8859-\d+|WINDOWS-125\d", re.IGNORECASE)
DECLARED = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)")
WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
# Everything outside the Char production of XML 1.0, and the surrogates of undecodable bytes.
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
CONTROL_BYTES = bytes(byte for byte in range(32) if byte not in b"\t\n\r")
REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,6})|(\d{1,7}));")
BEGIN = rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*>\s*|<!--(?:(?!-->)[\x00-\xff])*-->\s*)*"
REFUSED = "has a DOCTYPE, which test results do not need: refused"


def events(data: bytes, names: Iterable[str] = ()) -> Iterator[tuple[str, etree._Element]]:
    """Yield ``start`` and ``end`` of the elements of a document: of these names, or of all.

    Raises Unreadable for what is no XML, or no XML to accept, if need be after some elements.
    """
    declared = DECLARED.match(data)
    if declared and not ENCODINGS.fullmatch(encoding := declared[1].decode()):
        raise Unreadable(f"has the encoding {encoding}: refused; use UTF-8")
    reader = etree.iterparse(
        BytesIO(_legal(data)), events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False,
        huge_tree=False, remove_comments=True, remove_pis=True, tag=[f"{{*}}{each}" for each in names] or None,
    )  # fmt: skip
    try:
        checked = False
        for event, element in reader:
            if not checked:
                _check(element)
                checked = True
            yield event, element
    except etree.XMLSyntaxError as error:
        if b"<!DOCTYPE" in data[:1024]:
            raise Unreadable(REFUSED) from None
        raise Unreadable(f"is not well-formed XML: {' '.join((error.msg or 'not even XML').split())}") from None


def records(data: bytes, is_record: Callable[[str], bool]) -> Iterator[tuple[list[etree._Element], etree._Element]]:
    """Yield the elements of some names with their ancestors, the outermost first; each is freed after use.

    The children of an ancestor that are no records are there when it ends.  Raises Unreadable as `events` does.
    """
    ancestors: list[etree._Element] = []
    for event, element in events(data):
        if event == "start":
            ancestors.append(element)
            continue
        ancestors.pop()
        if is_record(name(element)):
            yield ancestors, element
            element.clear()


def name(element: etree._Element) -> str:
    """Return the name of an element without its namespace."""
    return _local(element.tag)


@lru_cache(1 << 8)
def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def children(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """Yield the children of these names, whatever their namespace."""
    return (each for each in element if name(each) in names)


def child(element: etree._Element, *path: str) -> etree._Element | None:
    """Return the first descendant on a path of names; None if there is none."""
    found: etree._Element | None = element
    for each in path:
        found = next(children(found, each), None) if found is not None else None
    return found


def text(element: etree._Element | None) -> str:
    """Return the whole text of an element, "" for none."""
    return "" if element is None else element.text or "" if not len(element) else "".join(map(str, element.itertext()))


def _check(element: etree._Element) -> None:
    info: Any = element.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise Unreadable(REFUSED)


def _legal(data: bytes) -> bytes:
    """Return a document whose characters are legal in XML."""
    if data.startswith(WIDE):
        return data
    if len(data.translate(None, CONTROL_BYTES)) < len(data):  # faster than a search
        data = CONTROLS.sub(lambda match: b"#x%02X" % match[0][0], data)
    if b"&#" in data:
        data = REFERENCE.sub(_visible, data)
    declared = DECLARED.match(data)
    if not declared or declared[1].upper() in {b"UTF-8", b"UTF8"}:
        try:
            data.decode()
        except UnicodeDecodeError:
            data = data.decode("utf-8", "backslashreplace").encode()
    return data


def _visible(match: re.Match[bytes]) -> bytes:
    code = int(match[1], 16) if match[1] else int(match[2])
    return b"#x%02X" % code if code > sys.maxunicode or ILLEGAL.match(chr(code)) else match[0]
