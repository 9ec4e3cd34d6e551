"""Files of results that are made by chance, from the grammar of each format."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

COUNT = 120


def made(format_name: str, directory: Path) -> list[Path]:
    """Write files of a format; return their paths."""
    paths = []
    for seed in range(COUNT):
        path = directory / f"{format_name}-{seed}"
        path.write_bytes(MAKERS[format_name](Random(f"{format_name} {seed}")))
        paths.append(path)
    return paths


def tap(random: Random) -> bytes:
    count = random.randint(0, 8)
    lines = [line for number in range(1, count + 1) for line in _point(random, number)]
    planned = count + (random.random() < 0.15) * random.choice([-1, 1])
    plan = f"1..{max(0, planned)}"
    if random.random() < 0.9:
        lines.insert(0 if random.random() < 0.5 else len(lines), plan)
    if random.random() < 0.05:
        lines.append("Bail out! no disk")
    head = ["TAP version 13"] * (random.random() < 0.5)
    return "\n".join([*head, *lines, ""]).encode()


def _point(random: Random, number: int) -> Iterator[str]:
    word = "ok" if random.random() < 0.8 else "not ok"
    shown = random.choice([f" {number}", "", f" {number}"])
    description = random.choice(["", " - a test", " - it costs \\# 5 ...", " reads 1..3", " - a\\\\"])
    skip = " # skip no network" if word == "ok" else ""  # peers do not agree on a skipped test that is not ok
    directive = random.choice(["", "", "", " # TODO later", skip])
    yield f"{word}{shown}{description}{directive}"
    if random.random() < 0.3:
        yield random.choice(["# a comment", "some output", "  ---\n  a: b\n  ...", "okay", "nothing is ok"])


def junit(random: Random) -> bytes:
    suites = "".join(_suite(random, 0) for _ in range(random.randint(1, 3)))
    return f"<testsuites>{suites}</testsuites>".encode()


def _suite(random: Random, depth: int) -> str:
    cases = "".join(_case(random, number) for number in range(random.randint(1, 4)))
    inner = _suite(random, depth + 1) if depth < 2 and random.random() < 0.3 else ""
    output = random.choice(
        ["", "<system-out>of the suite</system-out>", "<properties><property name='a' value='b'/></properties>"]
    )
    return f"<testsuite name='s{depth}' tests='1'>{output}{inner}{cases}</testsuite>"


def _case(random: Random, number: int) -> str:
    results = ["", "", "", "<failure message='no'>at a.c</failure>", "<error type='E'/>", "<skipped/>",
               "<failure/><failure/>", "<skipped/><error/>", "<system-out>said</system-out>"]  # fmt: skip
    return f"<testcase classname='a.b' name='t{number}' time='0.1'>{random.choice(results)}</testcase>"


def subunit_1(random: Random) -> bytes:
    lines: list[str] = []
    for number in range(random.randint(1, 6)):
        colon = random.choice([":", ":", ""])
        lines.append(f"{random.choice(['test', 'testing'])}{colon} a.b.{number}")
        lines += random.choice([[], ["some output"], ["error of another one"]])
        word = random.choice(["success", "success", "successful", "failure", "error", "skip", "xfail", "uxsuccess"])
        details = random.choice(
            ["", " [\nhello\n ]\n]", " [ multipart\nContent-Type: text/plain\nlog\n5\r\nhello0\r\n]"]
        )
        lines.append(f"{word}{colon} a.b.{number}{details}")
        lines += random.choice([[], ["tags: a -b"], ["time: 2026-01-02 03:04:05Z"], ["progress: +1"]])
    return "\n".join([*lines, ""]).encode()


def subunit_2(random: Random) -> bytes:
    stream = b""
    for number in range(random.randint(1, 6)):
        name = b"a.b.test_%d" % number
        if random.random() < 0.5:
            stream += packet(0x802, string(name))
        if random.random() < 0.3:
            stream += packet(0x860, string(name) + string(b"application/json") + string(b"data") + string(b"{}"))
        stream += packet(0x880 | random.choice([3, 3, 4, 5, 6, 7]), string(name) + b"\x01" + string(b"tag"))
    return stream


def string(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def packet(flags: int, body: bytes) -> bytes:
    """Return a packet of subunit 2 of up to 16 kB."""
    size = len(body) + 8
    length = bytes([size]) if size < 64 else (0x4000 | size + 1).to_bytes(2, "big")
    data = b"\xb3" + (0x2000 | flags).to_bytes(2, "big") + length + body
    return data + zlib.crc32(data).to_bytes(4, "big")


MAKERS: dict[str, Callable[[Random], bytes]] = {
    "tap": tap,
    "junit": junit,
    "subunit-1": subunit_1,
    "subunit-2": subunit_2,
}
