"""The log of piuparts, its groups of packages, and its command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.testing.piuparts_run import PURGE, UPGRADE, PiupartsRun, groups, outcome, reason

PASS, KNOWN = (
    "0m1s INFO: PASS: Installation and purging test.\n",
    "0m2s INFO: apt-cache knows about the following packages: greet\n",
)
UNKNOWN = "0m2s INFO: apt-cache does not know about any of the requested packages\n"
BROKEN = "0m3s ERROR: Command failed (status=100): ['schroot', '--', 'apt-get', '-y', 'install', './greet.deb']\n"
UPDATE = "0m3s ERROR: Command failed (status=100): ['schroot', '--', 'apt-get', 'update']\n"

FULL = """\
  cp: error writing '/var/lib/greet/data': No space left on device
  dpkg: error processing package greet (--configure):
   installed greet package post-installation script subprocess returned error exit status 1
"""

SEVERAL_LEFT = """\
0m1s ERROR: FAIL: Package purging left files on system:
  /etc/greet\t not owned
  /etc/x -> /y\t not owned
  /var/z/\t owned by: greet

0m1s ERROR: FAIL: Installation and purging test.
"""


@pytest.mark.parametrize(
    ("log", "purge", "upgrade"),
    [
        (PASS + KNOWN + "0m9s INFO: PASS: Installation, upgrade and purging tests.\n", "passed", "passed"),
        (PASS + UNKNOWN + "0m9s INFO: PASS: All tests.\n", "passed", "none"),
        (PASS + KNOWN + "0m9s ERROR: FAIL: Installation, upgrade and purging tests.\n", "passed", "failed"),
        (PASS + KNOWN + BROKEN, "passed", "failed"),
        ("0m1s ERROR: FAIL: Installation and purging test.\n", "failed", "none"),
        (BROKEN, "failed", "none"),
        (UPDATE, "error", "none"),
        (PASS + KNOWN + UPDATE, "passed", "error"),
        (PASS, "passed", "none"),
        ("0m1s DUMP: \n  PASS: Installation and purging test.\n" + BROKEN, "failed", "none"),
        (f"0m1s DUMP: \n  {PASS}  {KNOWN}" + BROKEN, "failed", "none"),
        ("0m1s ERROR: FAIL: Installation and purging test.\n" + PASS, "failed", "none"),
        (PASS + KNOWN + FULL + BROKEN, "passed", "error"),
        (FULL + BROKEN, "error", "none"),
        ("", "error", "none"),
        ("FAIL: the command took longer than 60 seconds\n", "failed", "none"),
    ],
)
def test_log_decides_on_both_tests(log: str, purge: str, upgrade: str) -> None:
    assert (outcome(log, PURGE), outcome(log, UPGRADE)) == (purge, upgrade)


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("  dpkg: error processing archive\n   trying to overwrite '/usr/bin/x', which is also in package other 1.0\n",
         "/usr/bin/x is also in package other"),
        ("   dpkg: error: (--purge):\n   installed greet package post-removal script subprocess returned error exit status 3\n",
         "the post-removal script of greet fails with status 3"),
        ("   new greet package pre-installation script subprocess returned error exit status 4\n",
         "the pre-installation script of greet fails with status 4"),
        ("  The following packages have unmet dependencies:\n   greet : Depends: nosuch but it is not installable\n",
         "greet : Depends: nosuch but it is not installable"),
        ("0m1s ERROR: FAIL: Package purging left files on system:\n  /etc/greet\t not owned\n",
         "package purging left files on system: /etc/greet"),
        (SEVERAL_LEFT,
         "package purging left files on system: /etc/greet and 2 more"),
        (BROKEN, "Command failed (status=100): ['schroot', '--', 'apt-get', '-y', 'install', './greet.deb']"),
        ("0m1s DEBUG: Starting\nFAIL: it took longer than 60 seconds\n", "it took longer than 60 seconds"),
        (FULL + BROKEN, "the disk of this machine is full: No space left on device"),
        ("", "piuparts gives no reason: see its log"),
    ],
)  # fmt: skip
def test_reason_is_one_line(log: str, line: str) -> None:
    assert reason(log) == line


def test_packages_that_conflict_are_in_several_groups() -> None:
    packages = [
        {"Package": "lib"}, {"Package": "dev-a", "Conflicts": "dev-b, dev-virtual", "Provides": "dev-virtual"},
        {"Package": "dev-b", "Provides": "dev-virtual"}, {"Package": "tool", "Conflicts": "lib (<< 1)"},
    ]  # fmt: skip
    packages = [{"Version": "1", **each} for each in packages]
    assert [[each["Package"] for each in group] for group in groups(packages, "amd64")] == [
        ["lib", "dev-a", "tool"],
        ["dev-b"],
    ]


@pytest.mark.parametrize(
    ("field", "provides", "together"),
    [
        ({}, "", True),
        ({"Conflicts": "b"}, "", False),
        ({"Breaks": "x, b"}, "", False),
        ({"Breaks": "b (<< 3)"}, "", False),
        ({"Conflicts": "b (<< 2)"}, "", True),
        ({"Breaks": "api"}, "api", False),
        ({"Breaks": "api (<< 3)"}, "api", True),
        ({"Conflicts": "api (<< 3)"}, "api (= 2)", False),
        ({"Replaces": "b"}, "", True),
    ],
)
def test_packages_that_exclude_each_other(field: dict[str, str], provides: str, together: bool) -> None:  # noqa: FBT001 - a table
    packages = [
        {"Package": "a", "Version": "2", **field}, {"Package": "b", "Version": "2", "Provides": provides},
    ]  # fmt: skip
    for order in (packages, packages[::-1]):
        assert len(groups(order, "amd64")) == (1 if together else 2)


def test_exceptions_are_options() -> None:
    run = PiupartsRun(
        [Path("a.deb")], "c", "bookworm", "deb u s main", Path("log"), Path("t"), ["--ignore=/x"], upgrade_only=True
    )
    assert run.argv()[-3:] == ["--no-install-purge-test", "--ignore=/x", Path("a.deb")]
