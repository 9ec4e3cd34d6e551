"""Why builds failed, from the ends of real logs."""

from __future__ import annotations

import pytest

from lab.results.build_failures import failure_line
from lab.results.sbuild_log import ended, read
from tests.sbuildlogs import log


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([], ""),
        (["dh build", "dpkg-buildpackage: error: it died"], "dpkg-buildpackage: error: it died"),
        (["make: *** [Makefile:3: all] Error 1"], "make: *** [Makefile:3: all] Error 1"),
        (["FAIL: tests/one", "make: *** [check] Error 1"], "FAIL: tests/one (make: *** [check] Error 1)"),
        (["dh_missing: error: missing files, aborting", "make: *** [binary] Error 25"],
         "dh_missing: error: missing files, aborting (make: *** [binary] Error 25)"),
        (["dh_auto_test: error: make check returned exit code 2", "make: *** [build] Error 25"],
         "make: *** [build] Error 25"),
        (["E   AssertionError: Error", "dpkg-buildpackage: error: x"],
         "E   AssertionError: Error (dpkg-buildpackage: error: x)"),
        (["make: frobnicate: No such file or directory", "make: *** [debian/rules:3: clean] Error 127"],
         "make: frobnicate: No such file or directory (make: *** [debian/rules:3: clean] Error 127)"),
        (["make[1]: Entering directory '/build/error'", "make: *** [all] Error 1"], "make: *** [all] Error 1"),
        (["debian/rules:2: *** missing separator.  Stop.", "dpkg-buildpackage: error: x"],
         "debian/rules:2: *** missing separator.  Stop. (dpkg-buildpackage: error: x)"),
        (["/usr/bin/fakeroot: 175: debian/rules: not found", "dpkg-buildpackage: error: x"],
         "/usr/bin/fakeroot: 175: debian/rules: not found (dpkg-buildpackage: error: x)"),
        (["an old error: not in the end", *["..."] * 300, "make: *** [all] Error 1"], "make: *** [all] Error 1"),
        (["x" * 300 + " error: long"], ("x" * 300)[:200]),
    ],
)  # fmt: skip
def test_failure_line(lines: list[str], expected: str) -> None:
    assert failure_line(lines) == expected


DH = "dh_auto_test: error: make -j2 check returned exit code 2\nmake: *** [debian/rules:6: binary] Error 25\n"
END = f"{DH}dpkg-buildpackage: error: debian/rules binary subprocess returned exit status 2\n"
# mosh 1.4, cut: automake prints the logs of all tests, those that passed as well.
AUTOMAKE = f"""\
PASS: window-resize.test
ERROR: server-network-timeout.test
ERROR: server-signal-timeout.test
============================================================================
Testsuite summary for mosh 1.4.0
============================================================================
# TOTAL: 40
# FAIL:  0
# ERROR: 2
See src/tests/test-suite.log
============================================================================
ERROR: server-network-timeout
{"x" * 20}
%output %0 chdir: No such file or directory
{"a line of a log" + chr(10) + "..." * 3 + chr(10)}
make[6]: *** [Makefile:1007: test-suite.log] Error 1
{END}"""
CTEST = f"""\
2/3 Test #2: bad_one ..........................***Failed    0.00 sec
cat: /x: No such file or directory
33% tests passed, 2 tests failed out of 3

The following tests FAILED:
\t  2 - bad_one (Failed)
\t  3 - dead (SEGFAULT)
Errors while running CTest
make[1]: *** [Makefile:71: test] Error 8
{END}"""
PYTEST = f"""\
E       FileNotFoundError: [Errno 2] No such file or directory: '/tmp/x/nope'
test_x.py:8: AssertionError
=========================== short test summary info ============================
FAILED test_x.py::test_a - assert 1 == 2
FAILED test_x.py::test_b - FileNotFoundError: [Errno 2] No such file or direc...
FAILED test_x.py::T::test_u - AssertionError: no
ERROR test_x.py::test_c - OSError: x
3 failed, 1 error in 2.44s
E: pybuild pybuild:388: test: plugin distutils failed with: exit code=1: python3.11 -m pytest
{END}"""
UNITTEST = f"""\
ERROR: Unable to find the display, but that is fine
FAIL: test_u (test_x.T.test_u)
----------------------------------------------------------------------
AssertionError: no
FAILED (failures=1)
{END}"""
GO = f"""\
=== RUN   TestParse
    flag_test.go:12: open x: No such file or directory
--- FAIL: TestParse (0.00s)
FAIL
FAIL\tgithub.com/spf13/pflag\t0.012s
{END}"""
CARGO = f"""\
test parse::short ... ok
test parse::long ... FAILED
error: test failed, to rerun pass `--lib`
{END}"""
PROVE = f"""\
t/none.t (Wstat: 0 Tests: 3 Failed: 0)
t/try.t (Wstat: 256 (exited 1) Tests: 2 Failed: 1)
  Failed test:  2
Result: FAIL
{END}"""
MESON = f"""\
 1/3 cairo:unit / good        OK              0.01s
 2/3 cairo:unit / bad         FAIL            0.02s   exit status 1
 3/3 cairo:unit / slow        TIMEOUT        30.01s   killed by signal 15 SIGTERM
{END}"""
CLASS = """\
dh_auto_clean: error: unable to load build system class 'nodejs': Can't locate Try/Tiny.pm in @INC
make: *** [debian/rules:6: clean] Error 25
dpkg-buildpackage: error: debian/rules clean subprocess returned exit status 2
"""
INSTALL = """\
dh_install: warning: Cannot find (any matches for) "usr/lib/*.so" (tried in ., debian/tmp)
dh_install: warning: libgreet1 missing files: usr/lib/*.so
dh_install: error: missing files, aborting
make: *** [debian/rules:6: binary] Error 25
dpkg-buildpackage: error: x
"""
STDERR_FIRST = """\
collect2: error: ld returned 1 exit status
make[1]: *** [Makefile:3: greet] Error 1
cc -o greet main.o
/usr/bin/ld: cannot find -lgreet: No such file or directory
dpkg-buildpackage: error: debian/rules binary subprocess returned exit status 2
"""


@pytest.mark.parametrize(
    "output, expected",
    [
        pytest.param(AUTOMAKE, "ERROR: server-network-timeout.test, ERROR: server-signal-timeout.test "
                     "(make[6]: *** [Makefile:1007: test-suite.log] Error 1)", id="automake"),
        pytest.param(CTEST, "bad_one (Failed), dead (SEGFAULT) (make[1]: *** [Makefile:71: test] Error 8)", id="ctest"),
        pytest.param(PYTEST, "FAILED test_x.py::test_a - assert 1 == 2, FAILED test_x.py::test_b - FileNotFoundError: [Errno "
                     "2] No such file or direc..., FAILED test_x.py::T::test_u - AssertionError: no and 1 more", id="pytest"),
        pytest.param(UNITTEST, "FAIL: test_u (test_x.T.test_u)", id="unittest"),
        pytest.param(GO, "--- FAIL: TestParse", id="go"),
        pytest.param(CARGO, "test parse::long ... FAILED", id="cargo"),
        pytest.param(PROVE, "t/try.t", id="prove"),
        pytest.param(MESON, "cairo:unit / bad, cairo:unit / slow", id="meson"),
        pytest.param(CLASS, "dh_auto_clean: error: unable to load build system class 'nodejs': Can't locate", id="class"),
        pytest.param(INSTALL, 'dh_install: warning: Cannot find (any matches for) "usr/lib/*.so"', id="install"),
        pytest.param(STDERR_FIRST, "collect2: error: ld returned 1 exit status", id="linker"),
    ],
)  # fmt: skip
def test_failure_line_of_real_logs(output: str, expected: str) -> None:
    reading = read(ended(log(build=output), 2))
    assert (reading.verdict, reading.message[: len(expected) + 14]) == ("failed", f"build failed: {expected}")


@pytest.mark.parametrize(
    "line",
    [
        "FAIL: window.test",
        "FAILED test_x.py::test_a - assert 1 == 2",
        "test parse::long ... FAILED",
        "--- FAIL: TestParse (0.00s)",
    ],
)
def test_failure_line_ignores_test_results_before_other_error(line: str) -> None:
    """The packaging can ignore failed tests, so a test result far from the end is not the reason."""
    lines = [line, *["..."] * 300, "greet.c:1:1: error: no", "make: *** [debian/rules:6: binary] Error 2"]
    assert failure_line(lines).startswith("greet.c:1:1: error: no")


@pytest.mark.parametrize(
    "line, message",
    [
        ("virtual memory exhausted: Cannot allocate memory", "out of memory: "),
        ("cc1plus: out of memory allocating 65536 bytes after a total of 1 bytes", "out of memory: "),
        ("/usr/bin/ld: final link failed: memory exhausted", "out of memory: "),
        ("x86_64-linux-gnu-ld: error: out of memory", "out of memory: "),
        ("/bin/sh: 1: fork: Cannot allocate memory", "out of memory: "),
        ("LLVM ERROR: out of memory", "out of memory: "),
        ("cp: error writing 'x': No space left on device", "No space left on device"),
        ("npm ERR! ENOSPC: no space left on device, write", "No space left on device"),
        ("tar: greet: Cannot write: Disk quota exceeded", "No space left on device"),
    ],
)
def test_failure_for_memory_or_disk_space_is_an_error(line: str, message: str) -> None:
    reading = read(ended(log(build=f"{line}\nmake: *** [x] Error 1\ndpkg-buildpackage: error: x\n"), 2))
    expected = f"{message}{line}" if message.endswith(": ") else message
    assert (reading.verdict, reading.message) == ("error", expected)


@pytest.mark.parametrize(
    "line",
    ["test_oom: Cannot allocate memory", "MemoryError", "checking for out of memory... yes", "greet: out of memory"],
)
def test_failure_for_memory_in_package_output_is_failed(line: str) -> None:
    assert read(log(build=f"{line}\nmake: *** [x] Error 1\ndpkg-buildpackage: error: x\n")).verdict == "failed"
