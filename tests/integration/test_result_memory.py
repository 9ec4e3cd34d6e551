"""100,000 tests of a result take less than 300 MB from the file to JUnit XML, and more tests take no more."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.results.cases import MOST_CASES

pytestmark = pytest.mark.integration
MOST_MEGABYTES = 300
PROGRAM = """
import sys
from pathlib import Path
from reports import junit
from reports.formats import registry
cases = registry.cases("auto", Path(sys.argv[1]))
size = len(junit.render(cases))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(len(cases), cases[-1].outcome, int(status["VmHWM"].split()[0]) // 1024)  # ru_maxrss would hold the parent's peak
"""


def packet(number: int) -> bytes:
    name = b"a.b.test_%d" % number
    data = b"\xb3\x28\x03" + bytes([len(name) + 9, len(name)]) + name
    return data + zlib.crc32(data).to_bytes(4, "big")


FILES: dict[str, Callable[[int], bytes]] = {
    "junit": lambda count: b"<testsuite name='s'>" + b"".join(b"<testcase classname='a.b' name='test %d'/>" % n for n in range(count)) + b"</testsuite>",
    "tap": lambda count: b"1..%d\n" % count + b"".join(b"ok %d - test %d\n" % (n + 1, n) for n in range(count)),
    "subunit": lambda count: b"".join(map(packet, range(count))),
    "subunit-1": lambda count: b"".join(b"test: a.b.%d\nsuccess: a.b.%d\n" % (n, n) for n in range(count)),
    "lintian": lambda count: b"".join(b"W: a%d: tag place\n" % n for n in range(count)),
}  # fmt: skip


@pytest.mark.parametrize("count", [MOST_CASES, 5 * MOST_CASES // 2], ids=["most", "more"])
@pytest.mark.parametrize("name", FILES)
def test_memory_of_result_formats(name: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_bytes(FILES[name](count))
    done = subprocess.run([sys.executable, "-c", PROGRAM, path], check=True, capture_output=True, text=True)
    cases, last, megabytes = done.stdout.split()
    assert int(cases) in {count, MOST_CASES, MOST_CASES + 1}
    assert (last == "error") is (count > MOST_CASES)
    assert int(megabytes) < MOST_MEGABYTES
