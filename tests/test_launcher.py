"""The launcher of a checkout: what it says, in one line, where it cannot make its environment."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lab.base import resources

WORKS = "#!/bin/sh\nexit 0\n"
FAILS = "#!/bin/sh\nexit 1\n"
# A python3 that can make environments, in which pip says what $PIP is.
PYTHON = """#!/bin/sh
case "$*" in
    *"-m venv"*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; cp "$0" "$4/bin/pip" ;;
    *"-m pip"*) [ -z "$PIP" ] || { echo "$PIP"; exit 1; } ;;
    *qalab.py*) echo "started $2" ;;
esac
"""
APT_UPDATE_FAILS = """#!/bin/sh
echo "Hit:1 http://mirror.example"
echo "E: Failed to fetch http://mirror.example/InRelease  Temporary failure resolving 'mirror.example'" >&2
echo "W: Some index files failed to download." >&2
exit 100
"""
ADMINISTRATOR = (
    "qalab: this machine lacks Debian packages, and this user may not install them with sudo: ask the administrator to run:"
    " apt-get install --no-install-recommends python3-venv git lintian"
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a directory with a launcher, and programs that do nothing."""
    home = tmp_path / "check out"  # with a blank
    home.mkdir()
    shutil.copy(resources.ROOT / "qalab", home)
    (home / "bindep.txt").write_text("# comment\ngit  # sources\nlintian\nqemu-utils [qemu]\n")
    for name in ("requirements.txt", "requirements-dev.txt"):
        (home / name).write_text("a==1\n")
    programs = {"id": "#!/bin/sh\necho 1000\n", "sudo": FAILS, "apt-get": WORKS, "dpkg-query": FAILS, "uv": FAILS}
    for name, script in {
        **programs,
        **dict.fromkeys(("python3.13", "python3.12", "python3.11", "python3"), FAILS),
    }.items():
        program(tmp_path, name, script)
    (tmp_path / "bin/uv").unlink()
    return home


def program(place: Path, name: str, script: str) -> None:
    path = place / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)


def launch(checkout: Path, *arguments: str, **variables: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines of a launch."""
    path = f"{checkout.parent / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(
        [checkout / "qalab", *arguments], env={"PATH": path, **variables}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd="/",
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines()


def test_an_administrator_is_asked_once_for_all_packages(checkout: Path) -> None:
    assert launch(checkout, "demo") == (2, [ADMINISTRATOR])


def test_a_mirror_that_is_away_is_told_in_one_line(checkout: Path) -> None:
    program(checkout.parent, "sudo", '#!/bin/sh\n[ "$1" = -n ] && shift; exec "$@"\n')
    program(checkout.parent, "apt-get", APT_UPDATE_FAILS)
    code, lines = launch(checkout, "demo")
    assert (code, len(lines)) == (3, 2)
    assert lines[1].startswith("qalab: apt-get update: E: Failed to fetch http://mirror.example/InRelease")


def test_python_packages_that_cannot_be_had_are_told_in_one_line(checkout: Path) -> None:
    program(checkout.parent, "python3", PYTHON)
    code, lines = launch(checkout, "demo", PIP="ERROR: No matching distribution found for a==1")
    assert (code, len(lines)) == (3, 2)
    expected = "qalab: the Python packages of requirements.txt cannot be installed: ERROR: No matching distribution"
    assert lines[1].startswith(expected)
    assert launch(checkout, "demo") == (0, [lines[0], "started demo"])  # a repetition goes on


def test_a_missing_connection_is_told(checkout: Path) -> None:
    program(checkout.parent, "python3", PYTHON)
    said = "WARNING: Retrying after connection broken by 'NameResolutionError(...)': /simple/a/\nERROR: No matching distribution"
    code, lines = launch(checkout, "demo", PIP=said)
    expected = "qalab: the Python packages of requirements.txt cannot be installed: no connection: ERROR: No matching distribution"
    assert (code, lines[1]) == (3, expected)


def test_a_full_disk_is_told(checkout: Path) -> None:
    program(checkout.parent, "python3", PYTHON)
    program(checkout.parent, "df", "#!/bin/sh\nprintf 'Avail\\n0\\n'\n")
    code, lines = launch(checkout, "demo", PIP="ERROR: Command failed")
    expected = "qalab: the Python packages of requirements.txt cannot be installed: no space is left on the disk of"
    assert (code, lines[1]) == (3, f"{expected} {checkout}")


def test_an_environment_is_made_once_and_moves_with_its_checkout(checkout: Path) -> None:
    program(checkout.parent, "python3", PYTHON)
    assert launch(checkout, "demo")[1][-1] == "started demo"
    assert launch(checkout, "doctor") == (0, ["started doctor"])
    moved = checkout.rename(checkout.parent / "Größe")
    assert launch(moved, "doctor") == (0, ["started doctor"])
    assert len(launch(moved, "test")[1]) == 2  # the tests need more packages
    assert launch(moved, "doctor") == (0, ["started doctor"])
