"""subunit, version 2: what Tempest and many others tell of their tests while they run.

Packets, each with a checksum, in the midst of whatever else was written to the same place; see python-subunit's
README.  A packet with a routing code is of another worker: the tests of two workers can have the same id.  Steps count by it, and reports make cases of it (with version 1, see `reports.formats.subunit`).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import dropwhile
from typing import NamedTuple

from lab.results.cases import MOST_CASES

SIGNATURE = 0xB3
VERSION = 0x2000
TEST_ID, ROUTE, TIMESTAMP, TAGS, FILE, MIME, LAST, STATUS = 0x800, 0x400, 0x200, 0x80, 0x40, 0x20, 0x10, 0x7
MORE = ROUTE | TAGS | FILE | MIME
STATUSES = ("", "exists", "inprogress", "success", "uxsuccess", "skip", "failure", "xfail")
RUNNING = {"", "exists", "inprogress"}
SMALLEST = 8  # signature, flags, length, checksum
HEAD = struct.Struct(">HB")  # flags, and the first byte of the length
CUT = "is cut short"
TOO_LONG = "says more than it holds"
SHORT = 64  # a smaller number is one byte
SETUP = "setUpClass"
MOST_DAMAGES = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRACEBACK = "Traceback (most recent call last):"
ARGUMENTS = re.compile(r"[(\[ ]")
OF_FIXTURE = re.compile(r"(?P<name>\w+) \((?P<of>[\w.]+)\)")
# The suffix of Tempest, which does not change the identity of a test: its permanent id, and its kind.
IDEMPOTENT = re.compile(r"\[(?:[\w-]+,)*id-[0-9a-f-]{36}(?:,[\w-]+)*\]")
Files = dict[str, tuple[str, bytearray]]


@dataclass(slots=True)
class Test:
    """A test of a stream; the last ``status`` of a test that did not end is ``exists`` or ``inprogress``."""

    id: str
    status: str = "inprogress"
    files: Files = field(default_factory=dict)
    """Attachments by name: their MIME type and content."""
    noise: bytearray = field(default_factory=bytearray)
    """Other output in the stream during the test."""
    tags: dict[str, None] = field(default_factory=dict)
    began: datetime | None = None
    ended: datetime | None = None


@dataclass
class Stray:
    """Files of a stream that belong to no test, such as the import errors of discovery."""

    files: Files = field(default_factory=dict)


class Damage(str):
    """A description of damage in a stream."""

    __slots__ = ()


class _Bad(Exception):
    """The data is no packet, or not a complete one."""


class Packet(NamedTuple):
    """The content of a packet; "" and None for absent fields."""

    end: int
    test: str = ""
    status: str = ""
    moment: datetime | None = None
    mime: str = ""
    file: str | None = None
    content: bytes = b""
    tags: tuple[str, ...] = ()
    route: str = ""


@dataclass(slots=True)
class _Body:
    """A position in a packet."""

    data: bytes
    at: int

    def take(self, size: int) -> bytes:
        """Return the next bytes; fewer at the end of the data, and the position is then beyond it."""
        begin = self.at
        self.at = begin + size
        return self.data[begin : self.at]

    def number(self) -> int:
        """Return a number of 6, 14, 22 or 30 bits; the first two bits encode the number of further bytes."""
        try:
            first = self.data[self.at]
        except IndexError:
            raise _Bad(TOO_LONG) from None
        self.at += 1
        if first < SHORT:
            return first
        return int.from_bytes(bytes([first & 0x3F]) + self.take(first >> 6), "big")

    def text(self) -> str:
        size = self.number()  # it moves the position
        begin, self.at = self.at, self.at + size
        return self.data[begin : self.at].decode("utf-8", "backslashreplace")


def names(test: str) -> tuple[str, str]:
    """Return the class and the name of a test from its id; the class is "" for a test without one.

    ``a.b.C.test(with a.scenario)``, ``setUpClass (a.b.C)``, ``a.b.C.test[id-4e6f...,smoke]``.
    """
    arguments = ARGUMENTS.search(test)
    if not arguments:
        classname, _, name = test.rpartition(".")
        return classname, name
    if match := OF_FIXTURE.fullmatch(test):
        return match["of"], match["name"]
    end = arguments.start()
    classname, _, name = test[:end].rpartition(".")
    return classname, name + IDEMPOTENT.sub("", test[end:], count=1)


def complaint(traceback: str) -> str:
    """Return the end of a traceback: the exception with its whole message, on one line; else the last line."""
    _, found, last = traceback.rpartition(f"{TRACEBACK}\n")
    lines = last.splitlines()
    if found:
        lines = [*dropwhile(lambda line: not line or line[0].isspace(), lines)]
    output = [line.strip() for line in lines if line.strip()]
    return " ".join(output if found else output[-1:])


def is_it(data: bytes) -> bool:
    """Return whether the data contains a complete packet, or begins with the beginning of one."""
    if data[:1] == bytes([SIGNATURE]):
        return True
    return any(isinstance(item, Packet) for item in _items(data))


Key = tuple[str, str]
"""A test: the routing code of its worker, and its id."""


@dataclass
class _Stream:
    """The tests of a stream while it is read."""

    running: dict[Key, Test] = field(default_factory=dict)
    done: dict[Key, Test] = field(default_factory=dict)
    ended: list[Test] = field(default_factory=list)
    stray: Stray = field(default_factory=Stray)
    latest: Test | None = None

    def add(self, packet: Packet) -> None:
        key, status = (packet.route, packet.test), packet.status
        if not packet.test:
            _attach(self.stray.files, packet)
            return
        test = self.running.get(key)
        if not (status or test) and key in self.done:
            _attach(self.done[key].files, packet)  # a file that came late
            return
        if not test or status == "exists":
            test = self.running[key] = Test(packet.test, "exists" if status == "exists" else "inprogress")
        self.latest = test
        if packet.file is not None:
            _attach(test.files, packet)
        if packet.tags:
            test.tags.update(dict.fromkeys(packet.tags))
        test.ended = packet.moment or test.ended
        if status != "exists":
            test.began = test.began or packet.moment
            test.status = status or "inprogress"
        if status not in RUNNING:
            self.done[key] = self.running.pop(key)
            self.ended.append(test)
            self.latest = None


def tests(data: bytes) -> Iterator[Test | Stray | Damage]:
    """Yield the tests of a stream in the order in which they ended; tests that did not end come last.

    Tests that were listed, but whose class setup failed, replace the setup and have its outcome.
    """
    stream = _Stream()
    damages: list[Damage] = []
    for item in _items(data):
        if isinstance(item, Packet):
            stream.add(item)
            if len(stream.ended) + len(stream.running) > MOST_CASES:
                damages.append(Damage(f"more than {MOST_CASES:,} tests: the rest is not read"))
                break
        elif isinstance(item, Damage):
            damages.append(item)
        elif stream.latest and item.strip():
            stream.latest.noise += item
    yield from _inherited(stream.ended, stream.running)
    yield from stream.running.values()
    if stream.stray.files:
        yield stream.stray
    yield from damages


def _inherited(ended: Iterable[Test], running: dict[Key, Test]) -> Iterator[Test]:
    """Yield the tests that ended; the listed tests of a class replace its failed setup."""
    heirs: dict[str, list[Key]] = {}
    for key, test in running.items():
        if test.status == "exists":
            heirs.setdefault(names(test.id)[0], []).append(key)
    for test in ended:
        keys = []
        if heirs and SETUP in test.id and test.status != "success":
            classname, name = names(test.id)
            keys = heirs.pop(classname, []) if name == SETUP else []
        if keys:
            yield from (replace(test, id=each) for _, each in keys)
        else:
            yield test
        for key in keys:
            del running[key]


def _attach(files: Files, packet: Packet) -> None:
    if packet.file is not None:
        _, content = files.setdefault(packet.file, (packet.mime, bytearray()))
        content += packet.content


def _items(data: bytes) -> Iterator[Packet | Damage | bytes]:
    """Yield packets, damage, and the data between packets."""
    at, begin, damaged, damages = 0, 0, False, 0
    while (at := data.find(SIGNATURE, at)) >= 0:
        try:
            packet = _packet(data, at)
        except _Bad as error:
            if at == begin or data[at + 1 : at + 2].hex().startswith("2"):
                yield Damage(f"the packet at byte {at} {error}")
                damaged, damages = True, damages + 1
                if damages == MOST_DAMAGES:
                    yield Damage("and so on: the rest is not read")
                    return
            at += 1
            continue
        if at > begin and not damaged:
            yield data[begin:at]
        yield packet
        at = begin = packet.end
        damaged = False
    if begin < len(data) and not damaged:
        yield data[begin:]


def _packet(data: bytes, at: int) -> Packet:
    try:
        flags, size = HEAD.unpack_from(data, at + 1)
    except struct.error:
        raise _Bad(CUT) from None
    if flags & 0xF000 != VERSION:
        raise _Bad("is not of version 2")
    body = _Body(data, at + 4)
    if size >= SHORT:
        body.at -= 1
        size = body.number()
    if size > len(data) - at:
        raise _Bad(CUT)
    end = at + size - 4
    if size < SMALLEST or zlib.crc32(data[at:end]) != int.from_bytes(data[end : end + 4], "big"):
        raise _Bad("has a wrong checksum")
    moment = _moment(body) if flags & TIMESTAMP else None
    test = body.text() if flags & TEST_ID else ""
    if not flags & MORE and body.at <= end:  # most packets
        return Packet(end + 4, test, STATUSES[flags & STATUS], moment)
    tags = tuple(body.text() for _ in range(body.number())) if flags & TAGS else ()
    mime = body.text() if flags & MIME else ""
    file = body.text() if flags & FILE else None
    content = body.take(body.number()) if flags & FILE else b""
    route = body.text() if flags & ROUTE else ""
    if body.at > end:
        raise _Bad(TOO_LONG)
    return Packet(end + 4, test, STATUSES[flags & STATUS], moment, mime, file, content, tags, route)


def _moment(body: _Body) -> datetime:
    seconds = int.from_bytes(body.take(4), "big")
    return EPOCH + timedelta(seconds=seconds, microseconds=body.number() // 1000)
