#!/usr/bin/env python3
"""Receive a build of a private lab: check the bundle, unpack it, print its log, and exit with its verdict.

It runs in the workspace of a receiver job, needs only Python's standard library, and trusts no input.
In: ``bundle.tar.gz``, and the variables SOURCE_ID (20 hexadecimal digits), SHA256, JOB_NAME and BUILD_NUMBER.
Out: ``received/``.  ``received.txt`` names the builds that were received here: each is received once.
Exit codes: 0 passed, 1 failed, 3 the lab was at fault, 4 unstable; 2 for a refused bundle, with the reason in one line.
No exit code makes a build ABORTED: for an aborted one, the script waits until the publisher stops this build.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import time
import zlib
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

FILE = Path("bundle.tar.gz")
INTO = Path("received")
RECEIVED = Path("received.txt")
MOST_RECEIVED = 10_000
MOST_PACKED = 100_000_000
MOST_BYTES = 100_000_000
MOST_RATIO, LITTLE = 100, 10_000_000  # of the unpacked to the packed size, above a small size
MOST_MEMBERS = 1000
LONGEST_NAME = 255
NAME = re.compile(r"build\.json|junit\.xml|(?:logs|files)(?:/[^/\x00-\x1f\x7f\\]+)+")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
WAITS = "waits until the publisher stops this build"
MOST_WAIT_SECONDS = 300
CODES = {"passed": 0, "skipped": 0, "failed": 1, "error": 3, "aborted": 3, "unstable": 4}


class ReceiptRefused(Exception):
    """The bundle is refused; the reason in one line."""


def main() -> int:
    shutil.rmtree(INTO, ignore_errors=True)
    try:
        source, digest = variable("SOURCE_ID", r"[0-9a-f]{20}"), variable("SHA256", r"[0-9a-f]{64}")
        check_new(source)
        check_file(digest)
        unpack()
        build = read_build(source)
        check_junit()
    except ReceiptRefused as refusal:
        shutil.rmtree(INTO, ignore_errors=True)
        sys.stdout.write(f"refused: {refusal}\n")
        return 2
    finally:
        remove_file()  # the workspace outlives this build
    show(build)
    remember(source)
    if build["verdict"] == "aborted":
        sys.stdout.write(f"{WAITS}\n")
        sys.stdout.flush()
        time.sleep(MOST_WAIT_SECONDS)
    return CODES[build["verdict"]]


def variable(name: str, pattern: str) -> str:
    value = os.environ.get(name, "")
    if not re.fullmatch(pattern, value):
        raise ReceiptRefused(f"{name} is not what it should be: {value[:80]!a}")
    return value


def check_new(source: str) -> None:
    if number := received().get(source):
        raise ReceiptRefused(f"build {number} of this job is the same build")


def remember(source: str) -> None:
    lines = [f"{one} {number}" for one, number in [*received().items(), (source, build_number())]]
    RECEIVED.write_text("".join(f"{line}\n" for line in lines[-MOST_RECEIVED:]))


def received() -> dict:
    """Return the numbers of the builds of this job by SOURCE_ID; those of an older job of this name do not count."""
    text = RECEIVED.read_text(errors="replace") if RECEIVED.is_file() and not RECEIVED.is_symlink() else ""
    pairs = [line.split() for line in text.splitlines() if re.fullmatch(r"[0-9a-f]{20} [0-9]{1,9}", line)]
    return {source: int(number) for source, number in pairs if int(number) < build_number()}


def build_number() -> int:
    number = os.environ.get("BUILD_NUMBER", "")
    return int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 0


def check_file(digest: str) -> None:
    if FILE.is_symlink() or not FILE.is_file():
        raise ReceiptRefused(f"no file {FILE} was sent")
    size = FILE.stat().st_size
    if size > MOST_PACKED:
        raise ReceiptRefused(f"{FILE} has {size} bytes, more than {MOST_PACKED}")
    with FILE.open("rb") as stream:
        found = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            found.update(chunk)
    if found.hexdigest() != digest:
        raise ReceiptRefused(f"{FILE} has the SHA-256 {found.hexdigest()}, not {digest}")


def remove_file() -> None:
    if FILE.is_symlink() or FILE.is_file():
        FILE.unlink()


class Limited:
    """A gzip stream that is refused if it yields too much."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self.stream, self.left, self.most = stream, most, most

    def read(self, size: int) -> bytes:
        data = self.stream.read(min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise ReceiptRefused(f"{FILE} unpacks to more than {self.most} bytes")
        return data


def unpack() -> None:
    """Unpack regular members, one by one; the archive can contain nothing else."""
    most = min(MOST_BYTES, max(LITTLE, FILE.stat().st_size * MOST_RATIO))
    seen = set()
    try:
        with gzip.open(FILE) as packed, tarfile.open(fileobj=Limited(packed, most), mode="r|") as tar:
            for member in tar:
                check_member(member, seen)
                seen.add(member.name)
                target = INTO / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as stream:
                    shutil.copyfileobj(tar.extractfile(member), stream)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise ReceiptRefused(f"{FILE} cannot be unpacked: {one_line(error)}") from None


def check_member(member: tarfile.TarInfo, seen: set) -> None:
    shown = ascii(member.name)[:120]
    if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or member.issparse():
        raise ReceiptRefused(f"{shown} in {FILE} is not a plain file")
    if not NAME.fullmatch(member.name) or {".", ".."} & set(member.name.split("/")):
        raise ReceiptRefused(f"{shown} in {FILE} is not a name that may be there")
    if len(member.name.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
        raise ReceiptRefused(f"{shown} in {FILE} is too long a name")
    if member.name in seen:
        raise ReceiptRefused(f"{shown} is in {FILE} twice")
    if len(seen) >= MOST_MEMBERS:
        raise ReceiptRefused(f"{FILE} has more than {MOST_MEMBERS} files in it")


def read_build(source: str) -> dict:
    """Return build.json if it describes the build that SOURCE_ID names, and if this is the job for it."""
    try:
        build = json.loads((INTO / "build.json").read_bytes())
        texts = {name: build[name] for name in ("origin", "job", "started", "track", "component", "phase", "verdict")}
        number, schema = build["number"], build["schema"]
        utc = texts["started"].replace("Z", "+00:00")  # an agent may have a Python before 3.11
        started = round(datetime.fromisoformat(utc).timestamp() * 1000)
        logs = [log["path"] for log in build["logs"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReceiptRefused(f"build.json cannot be read: {one_line(error)}") from None
    if schema != 1 or not isinstance(number, int) or not all(isinstance(text, str) for text in texts.values()):
        raise ReceiptRefused("build.json is not of schema 1")
    identity = f"{texts['origin']}/{texts['job']}/{number}@{started}"
    if hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:20] != source:
        raise ReceiptRefused("build.json is not of the build that SOURCE_ID names")
    if texts["verdict"] not in CODES:
        raise ReceiptRefused(f"build.json has no known verdict: {texts['verdict'][:80]!a}")
    track, component, phase = texts["track"], texts["component"], texts["phase"]
    wanted = f"{track}-{component}-build" if phase == "build" else f"{track}-{phase}"
    if os.environ.get("JOB_NAME", "").rpartition("/")[2] != wanted:
        raise ReceiptRefused(f"this is not the job for it, which is {wanted[:200]!a}")
    if any(not isinstance(path, str) or not (INTO / path).is_file() or not NAME.fullmatch(path) for path in logs):
        raise ReceiptRefused("build.json names a log that is not there")
    return build


def check_junit() -> None:
    path = INTO / "junit.xml"
    if not path.exists():
        return
    data = path.read_bytes()
    if b"<!DOCTYPE" in data.upper() or b"<!ENTITY" in data.upper() or b"\x00" in data:
        raise ReceiptRefused("junit.xml declares a document type")
    try:
        root = ET.fromstring(data)  # noqa: S314 - without a document type there is nothing to expand
    except ET.ParseError as error:
        raise ReceiptRefused(f"junit.xml is not well-formed: {one_line(error)}") from None
    if root.tag not in {"testsuites", "testsuite"}:
        raise ReceiptRefused("junit.xml has no test suites in it")


def show(build: dict) -> None:
    """Print the logs, without text that a terminal or Jenkins would interpret."""
    for log in build["logs"]:
        sys.stdout.write(f"==> {CONTROLS.sub('', log['path'])}\n")
        with (INTO / log["path"]).open(encoding="utf-8", errors="replace", newline="\n") as stream:
            for line in stream:
                sys.stdout.write(CONTROLS.sub("", line))
        sys.stdout.write("\n")
    sys.stdout.write(f"verdict: {build['verdict']}\n")


def one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).encode("ascii", "replace").decode()[:200]


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(main())
