"""subunit of version 1: lines, with details in brackets, or in chunks with their length (``[ multipart``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.results.subunit import Damage, Files, Test
from reports.formats import excerpts

LINE = re.compile(
    rb"(test|testing|success|successful|failure|error|skip|xfail|uxsuccess|time|tags|progress): (.*?)( \[(?: multipart)?)?"
)
BEGIN = {b"test", b"testing"}
PLAIN = {"successful": "success"}
DETAILS = "details"


class _Torn(Exception):
    """The stream ends within details."""


@dataclass
class _Reader:
    """A position in a stream."""

    data: bytes
    at: int = 0

    def line(self) -> bytes:
        """Return the next line without its end."""
        end = self.data.find(b"\n", self.at)
        end = len(self.data) if end < 0 else end
        line, self.at = self.data[self.at : end], end + 1
        return line.rstrip(b"\r")

    def chunk(self, size: int) -> bytes:
        chunk, self.at = self.data[self.at : self.at + size], self.at + size
        return chunk

    def __bool__(self) -> bool:
        return self.at < len(self.data)


def tests(data: bytes) -> Iterator[Test | Damage]:
    """Yield the tests of a stream in the order of their ends; unfinished tests come last."""
    reader, clock = _Reader(data), None
    running: dict[str, Test] = {}
    latest: Test | None = None
    while reader:
        line = reader.line()
        match = LINE.fullmatch(line)
        if not match:
            if latest and line.strip():
                latest.noise += line + b"\n"
        elif reader.at > len(data):  # a line without an end can be incomplete
            yield Damage(f"the stream ends within a line: {excerpts.decoded(line)}")
        elif match[1] == b"time":
            clock = _moment(match[2])
        elif match[1] in BEGIN:
            name = excerpts.decoded(match[2] + (match[3] or b""))
            latest = running[name] = Test(name, began=clock)
        elif match[1] not in {b"tags", b"progress"}:
            name = excerpts.decoded(match[2])
            test, latest = running.pop(name, None) or Test(name), None
            word = match[1].decode()
            test.status, test.ended = PLAIN.get(word, word), clock
            try:
                _read_details(reader, match[3] or b"", test.files)
            except _Torn:
                yield test
                yield Damage(f"the stream ends within the details of {name}")
                continue
            yield test
    yield from running.values()


def _read_details(reader: _Reader, kind: bytes, files: Files) -> None:
    """Read the details in brackets.  Raises _Torn at the end of the stream."""
    if not kind:
        return
    if kind == b" [":
        content = bytearray()
        files[DETAILS] = "", content
        while reader:
            if (line := reader.line()) == b"]":
                return
            content += line.removeprefix(b" ") if line.startswith(b" ]") else line
            content += b"\n"
        if content.endswith(b"]\n"):  # of emitters that omit the last line end
            del content[-2:]
            return
        raise _Torn
    while reader:
        if (line := reader.line()) == b"]":
            return
        mime = excerpts.decoded(line).removeprefix("Content-Type: ")
        name = excerpts.decoded(reader.line())
        files[name] = mime, _chunks(reader)
    raise _Torn


def _chunks(reader: _Reader) -> bytearray:
    content = bytearray()
    while reader:
        size = reader.line()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
            raise _Torn
        if not int(size, 16):
            return content
        content += reader.chunk(int(size, 16))
    raise _Torn


def _moment(text: bytes) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.decode("ascii").strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # an emitter that counts months from 0
        return None
