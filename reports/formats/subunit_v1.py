"""subunit of version 1: lines, with details in brackets, or in chunks with their length (``[ multipart``).

The grammar is that of python-subunit's README:

- ``test|testing|test:|testing: LABEL``, ``success|success:|successful|successful: LABEL [DETAILS]``, and so on for
  failure, error, skip, xfail, uxsuccess: the colon is optional.  Without it an outcome needs a running test of that
  label, and a test begins only outside another one, as in ``TestProtocolServer``; any other such line is output.
- ``tags: [-]TAG ...``: for the running test, else for all tests that follow.  ``time:`` is the clock; ``progress:`` is
  ignored.
- Details on the line of a running test, ``error: LABEL [ TEXT ]``, are no part of its label (cmocka).
- Anything else is output of the running test.  An outcome with a colon of a test that did not begin is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lab.results.cases import MOST_CASES
from lab.results.subunit import Damage, Files, Test
from reports.formats import excerpts

LINE = re.compile(rb"(test|testing|success|successful|failure|error|skip|xfail|uxsuccess|time|tags|progress)(:?) (.*)")
BEGIN = {b"test", b"testing"}
IGNORED = {b"progress"}
COLON_ONLY = {b"time", b"tags", b"progress"}
PLAIN = {"successful": "success"}
DETAILS = "details"
BRACKET, MULTIPART = b" [", b" [ multipart"


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


@dataclass
class _Tests:
    """The running tests of a stream, its clock and its tags."""

    clock: datetime | None = None
    tags: dict[str, None] = field(default_factory=dict)
    running: dict[str, Test] = field(default_factory=dict)
    latest: Test | None = None

    def match(self, line: bytes) -> re.Match[bytes] | None:
        """Return the directive of a line; None for output."""
        match = LINE.fullmatch(line)
        if match and not match[2] and not self._is_directive(match):
            return None
        return match

    def _is_directive(self, match: re.Match[bytes]) -> bool:
        """Return whether a line without a colon is a directive."""
        if match[1] in BEGIN:
            return self.latest is None
        return match[1] not in COLON_ONLY and excerpts.decoded(_label(match[3])[0]) in self.running

    def change_tags(self, text: bytes) -> None:
        tags = self.latest.tags if self.latest else self.tags
        for tag in excerpts.decoded(text).split():
            if tag.startswith("-"):
                tags.pop(tag[1:], None)
            else:
                tags[tag] = None

    def begin(self, name: str) -> None:
        self.latest = self.running[name] = Test(name, tags=dict(self.tags), began=self.clock)

    def end(self, name: str, word: str) -> Test:
        test, self.latest = self.running.pop(name, None) or Test(name, tags=dict(self.tags)), None
        test.status, test.ended = PLAIN.get(word, word), self.clock
        return test


def tests(data: bytes) -> Iterator[Test | Damage]:
    """Yield the tests of a stream in the order of their ends; unfinished tests come last."""
    reader, stream = _Reader(data), _Tests()
    while reader.at < len(data):
        line = reader.line()
        match = stream.match(line)
        if not match:
            if stream.latest and line.strip():
                stream.latest.noise += line + b"\n"
        elif reader.at > len(data):  # a line without an end can be incomplete
            yield Damage(f"the stream ends within a line: {excerpts.decoded(line)}")
        elif match[1] == b"time":
            stream.clock = _moment(match[3])
        elif match[1] == b"tags":
            stream.change_tags(match[3])
        elif match[1] in BEGIN:
            stream.begin(excerpts.decoded(match[3]))
            if len(stream.running) > MOST_CASES:
                yield Damage(f"more than {MOST_CASES:,} tests: the rest is not read")
                return
        elif match[1] not in IGNORED:
            yield from _ended(reader, stream, match)
    yield from stream.running.values()


def _label(text: bytes) -> tuple[bytes, bytes]:
    """Return the label of an outcome, and the bracket that opens its details, b"" without one."""
    if not text.endswith((BRACKET, MULTIPART)):
        return text, b""
    kind = BRACKET if text.endswith(BRACKET) else MULTIPART
    return text.removesuffix(kind), kind


def _ended(reader: _Reader, stream: _Tests, match: re.Match[bytes]) -> Iterator[Test | Damage]:
    """Yield a test with its details."""
    written, kind = _label(match[3])
    name, details = excerpts.decoded(written), b""
    label, bracket, rest = written.partition(b" [ ")
    if bracket and name not in stream.running and rest.endswith(b" ]") and excerpts.decoded(label) in stream.running:
        name, details = excerpts.decoded(label), rest.removesuffix(b" ]")
    test = stream.end(name, match[1].decode())
    if details:
        test.files[DETAILS] = "", bytearray(details)
    try:
        _read_details(reader, kind, test.files)
    except _Torn:
        yield test
        yield Damage(f"the stream ends within the details of {test.id}")
    else:
        yield test


def _read_details(reader: _Reader, kind: bytes, files: Files) -> None:
    """Read the details in brackets.  Raises _Torn at the end of the stream."""
    if not kind:
        return
    if kind == BRACKET:
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
