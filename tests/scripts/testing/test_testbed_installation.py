"""What outputs of autopkgtest 5.28 and 5.49 say of installations."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from scripts.testing.autopkgtest_run import finished
from scripts.testing.testbed_installation import hanging, refused

CALL = "Reading package lists...\nBuilding dependency tree...\n"
TIME = (
    "autopkgtest [19:04:02]: ERROR: testbed failure: timed out on command "
    '"env DEBIAN_FRONTEND=noninteractive /bin/sh -ec  apt-get install --fix-broken 3>&2 2>&1" (kind: install)\n'
)
SET_UP = "Setting up greet (1.1) ..."
UNPACKS = "Preparing to unpack .../apt/archives/greet_1.1_all.deb ..."
NUMBERED = "Preparing to unpack .../3-libgreet1_1.1_amd64.deb ..."
TRIGGERS = "Processing triggers for libgreet1:amd64 (1.1) ..."


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (f"{CALL}{UNPACKS}\nUnpacking greet (1.1) ...\n{SET_UP}\na question?\n{TIME}", SET_UP),
        (f"{CALL}{UNPACKS}\n{TIME}", UNPACKS),
        (f"{CALL}{NUMBERED}\n{TIME}", NUMBERED),
        (f"{CALL}{SET_UP}\n{TRIGGERS}\n{TIME}", TRIGGERS),
        (f"{CALL}Removing greet (1.1) ...\n{TIME}", "Removing greet (1.1) ..."),
        (f"{CALL}{SET_UP}\n", ""),
        (f"{CALL}{SET_UP}\nSetting up mariadb-server (10.11) ...\n{TIME}", ""),
        (f"{CALL}{UNPACKS}\nUnpacking greet (1.1) ...\n{TIME}", ""),
        (f"{CALL}{SET_UP}\n{CALL}Get:1 http://deb.example bookworm/main amd64 hello\n{TIME}", ""),
        (f"{CALL}{SET_UP}\n{TIME.replace('install)', 'short)')}", ""),
        (TIME, ""),
    ],
    ids=["postinst", "preinst", "numbered", "trigger", "prerm", "ends", "another's", "unpack", "mirror", "other", "none"],
)  # fmt: skip
def test_testbed_installation_that_hangs(said: str, what: str) -> None:
    assert hanging(said, {"greet", "libgreet1"}) == what


DPKG = """\
Setting up greet (1.1) ...
no such user: greet
dpkg: error processing package greet (--configure):
 installed greet package post-installation script subprocess returned error exit status 3
dpkg: error processing package autopkgtest-satdep (--configure):
 dependency problems - leaving unconfigured
"""
UNMET = """\
The following packages have unmet dependencies:
 autopkgtest-satdep : Depends: greet but it is not going to be installed
 greet : Depends: nosuch but it is not installable
"""
OWN = " autopkgtest-satdep : Depends: nosuch but it is not installable\n"
SCRIPT = (
    "the package greet cannot be installed: "
    "installed greet package post-installation script subprocess returned error exit status 3 (no such user: greet)"
)
DEPENDS = "cannot be installed: greet: Depends: nosuch but it is not installable"


@pytest.mark.parametrize(
    ("text", "test", "why"),
    [
        (f"{{a}}{DPKG}a      FAIL badpkg\n", "a", SCRIPT),
        (f"{{a}}{UNMET}a      FAIL badpkg\n{{b}}{DPKG}b FAIL badpkg\n", "a", DEPENDS),
        (f"{{a}}{UNMET}a      FAIL badpkg\n{{b}}{DPKG}b FAIL badpkg\n", "b", SCRIPT),
        (f"{{a}}a      FAIL badpkg\n{{b}}{DPKG}", "a", ""),
        (UNMET, "", DEPENDS),
        (f"{{a}}{OWN}a FAIL badpkg\n", "a", "cannot be installed: the test: Depends: nosuch but it is not installable"),
        (UNMET, "a", ""),
    ],
)
def test_testbed_installation_that_fails(text: str, test: str, why: str) -> None:
    said = text.format(**{name: f"autopkgtest [19:00:11]: test {name}: preparing testbed\n" for name in "ab"})
    assert refused(said, test) == why


@pytest.mark.integration  # the summary is converted by a command of qalab
def test_autopkgtest_fails_the_test_whose_installation_hangs(tmp_path: Path) -> None:
    said = f"autopkgtest [19:00:11]: test smoke: preparing testbed\n{CALL}{SET_UP}\n{TIME}"
    (tmp_path / "summary").write_text(f"alone                PASS\n{TIME.partition('ERROR: ')[2]}")
    (tmp_path / "log").write_text(said)
    found = {case.name: case for case in finished(16, tmp_path, said, SET_UP).cases}
    assert (found["alone"].outcome, found["smoke"].outcome, found["smoke"].nuance) == ("passed", "failed", "timeout")
    assert found["smoke"].message == f"the installation does not end: {SET_UP}"
    (tmp_path / "summary").write_text("alone                PASS\n")
    with pytest.raises(InfrastructureError):
        finished(16, tmp_path, said, SET_UP)
