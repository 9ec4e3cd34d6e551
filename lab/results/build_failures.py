"""Why dpkg-buildpackage failed: the lines of its output that explain it best.

Standard output and standard error may come in any order, and tests print the logs of other tests.  So the results
of tests that programs sum up go first, then errors in so many words, then lines that only may be errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lab.base.text import first_of
from lab.results.apt_log import LONGEST

TAIL_LINES = 200
DPKG = "dpkg-buildpackage: error: "
MAKE = re.compile(r"make(\[\d+\])?: \*\*\* ")
TESTING = re.compile(
    r"dh_auto_test: error: |make(\[\d+\])?: \*\*\* \[.*(test|check)|debian/rules:\d+: override_dh_auto_test"
)
# The last group that takes part is what is named.
TESTS = (
    re.compile(r"((?:FAIL|ERROR|XPASS): \S+(?: \(\S+\)| \d+\b.*)?)$"),  # automake, unittest
    re.compile(r"((?:FAILED|ERROR) \S+\.py(?:::\S.*)?)"),  # pytest
    re.compile(r"\t *\d+ - (\S.* \([\w *]+\))(?: +\S+)?$"),  # ctest
    re.compile(r"\s*(--- FAIL: \S+)"),  # go
    re.compile(r"(test \S+ \.\.\. FAILED)$"),  # cargo
    re.compile(r"(\S+\.t)\s+\(Wstat: \d+ .*(?:Failed: [1-9]|Non-zero|exited [1-9]|Signal)"),  # prove
    re.compile(r" *\d+/\d+ (.+?) +(?:FAIL|TIMEOUT|ERROR) +[\d.]+s"),  # meson
)
ERRORS = re.compile(
    r".*(\b(error|Error|ERROR|FAIL|FAILED|fatal)\b|undefined reference|\*\*\* missing separator)"
    r"|dh_\w+: warning: Cannot find "
)
MAYBE = re.compile(
    r".*(No such file|Permission denied|: not found$|Can't locate \S+ in @INC|(isn't|does not appear to be) installed)"
)
# Programs that report the failure of another one.
SECOND_HAND = re.compile(
    r"make(\[\d+\])?: (?!.*: (No such file|Permission denied))|dh_\w+: error: .* returned exit code \d+$"
    r"|dpkg-buildpackage: |E: "
    r"|.* called at \S+ line \d+$"  # a frame of a trace of Perl's
)
KILLED = re.compile(
    r"make(\[\d+\])?: \*\*\* .*\] (Killed|Terminated|Error 137)\b"  # 128 + SIGKILL, as a shell has it
    r"|(.*: line \d+: +\d+ )?Killed\b"
    r"|.*: Killed signal terminated program "
    r"|.*: internal compiler error: Killed"
    r"|.*\bterminated with signal 9\b"
    r"|.*\(signal: 9, SIGKILL"
    r"|dpkg-buildpackage: error: .* killed by signal "
)
TOOLS = r"(\S*/)?(cc1(plus)?|collect2|lto1|ld(\.\w+)?|as|gcc|g\+\+|cc|c\+\+|clang(\+\+)?|\S+-(gcc|g\+\+|ld|as))(-\d+)?"
NO_MEMORY = re.compile(
    r"virtual memory exhausted: "
    rf"|{TOOLS}: (fatal error: |error: |final link failed: )*(out of memory\b|memory exhausted|Cannot allocate memory)"
    r"|(.*: )?v?fork: (retry: )?(Cannot allocate memory|Resource temporarily unavailable)"
    r"|LLVM ERROR: out of memory"
    r"|ninja: fatal: .*: (Cannot allocate memory|Resource temporarily unavailable)"
)


def failure_line(lines: Sequence[str]) -> str:
    """Return why a build failed: failed tests, else the first error near the end, and the line of the innermost make."""
    end = lines[-TAIL_LINES:]
    first = failed_tests(lines) or _first(end, ERRORS) or _first(end, MAYBE)
    make = next((line for line in end if MAKE.match(line)), "")
    dpkg = next((line for line in end if line.startswith(DPKG)), "")
    last = make or dpkg
    return f"{first.strip()[:LONGEST]} ({last[:LONGEST]})" if first and last else (first or last)[:LONGEST]


def failed_tests(lines: Sequence[str]) -> str:
    """Return the first failed tests, where a build failed while it tested; "" where it did not."""
    if not any(TESTING.match(line) for line in lines[-TAIL_LINES:]):
        return ""
    # Automake names a test again, without its suffix, where it prints its log.
    named: dict[str, str] = {}
    for name in _test_results(lines):
        named.setdefault(name.removesuffix(".test").removesuffix(".sh"), name)
    return first_of([*named.values()])


def _test_results(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        found = next((match for pattern in TESTS if (match := pattern.match(line))), None)
        if found:
            yield found[1].strip()


def _first(lines: Sequence[str], pattern: re.Pattern[str]) -> str:
    return next((line for line in lines if pattern.match(line) and not SECOND_HAND.match(line)), "")
