"""What apt prints when it fails."""

from __future__ import annotations

import pytest

from lab.results.apt_log import complaint, not_fetched, unmet

APT = """\
Building dependency tree...
The following information may help to resolve the situation:

The following packages have unmet dependencies:
{lines}E: Unable to correct problems, you have held broken packages.
apt-get failed.
E: Package installation failed
"""
DUMMY = " sbuild-build-depends-main-dummy : Depends: "


@pytest.mark.parametrize(
    "lines, expected",
    [
        ("", ""),
        (f"{DUMMY}bash (>= 99) but 5.2 is to be installed\n", "bash (>= 99) but 5.2 is to be installed"),
        (
            f"{DUMMY}a but it is not installable\n{' ' * 35}Depends: b (>= 2) but it is not installable\n",
            "a but it is not installable; b (>= 2) but it is not installable",
        ),
        (" libfoo-dev : Depends: libfoo1 (= 1) but 2 is to be installed\n",
         "libfoo-dev : Depends: libfoo1 (= 1) but 2 is to be installed"),
    ],
)  # fmt: skip
def test_unmet_dependencies(lines: str, expected: str) -> None:
    assert unmet(APT.format(lines=lines)) == expected


ERROR = "E: Unable to correct problems, you have held broken packages.\n"
HEADING = "The following packages have unmet dependencies:\n"
LINE = f"{DUMMY}tlib (>= 2) but it is not installable\n"
CONTINUED = f"{' ' * 35}Depends: b but it is not going to be installed\n"
BOTH = "tlib (>= 2) but it is not installable; b but it is not going to be installed"
SOLVER_3 = """\
E: Unable to satisfy dependencies. Reached two conflicting assignments:
   1. sbuild-build-depends-main-dummy:amd64=0.invalid.0 is selected for install
   2. sbuild-build-depends-main-dummy:amd64 Depends nonexistent (>= 2) but none of the choices are installable:
      [no choices]
"""


@pytest.mark.parametrize(
    "log, expected",
    [
        (HEADING + LINE + CONTINUED + ERROR, BOTH),
        (HEADING + ERROR + LINE + CONTINUED, BOTH),
        (HEADING + LINE + ERROR + CONTINUED, BOTH),
        (f"{HEADING}{LINE}{' ' * 35}{ERROR}{CONTINUED.lstrip()}", BOTH),
        (ERROR + HEADING + LINE + CONTINUED, BOTH),
        (f"{HEADING}apt-get failed.\n{ERROR}W: slow\n{LINE}{CONTINUED}", BOTH),
        (SOLVER_3, "nonexistent (>= 2)"),
        (f"The following NEW packages will be installed:\n  a b\n{HEADING}{ERROR}{LINE}", BOTH.partition(";")[0]),
        (ERROR + LINE, ""),
    ],
)
def test_unmet_dependencies_in_any_stream_order(log: str, expected: str) -> None:
    assert unmet(log) == expected


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([], "it did not say why"),
        (["one", "two"], "two"),
        (["one", "", " "], "one"),
        (["E: first", "E: second", "three"], "first"),
        (["tar: ./usr: No space left on device", "E: tar failed"], "tar: ./usr: No space left on device"),
        (["E: apt-get update failed", "E: Failed to fetch http://m  404"], "Failed to fetch http://m  404"),
    ],
)
def test_apt_error_line(lines: list[str], expected: str) -> None:
    assert complaint(lines) == expected


@pytest.mark.parametrize(
    "log, expected",
    [
        ("Get:1 http://m/a\n", ""),
        ("Err:1 http://m\nW: Failed to fetch http://m/InRelease  Could not connect\nW: Some index files failed\n",
         "Failed to fetch http://m/InRelease  Could not connect"),
        ("E: Failed to fetch http://m/a.deb  404  Not Found\n", "Failed to fetch http://m/a.deb  404  Not Found"),
    ],
)  # fmt: skip
def test_apt_line_of_failed_download(log: str, expected: str) -> None:
    assert not_fetched(log) == expected
