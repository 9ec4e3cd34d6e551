"""A command that makes the orig tarball: the cause of a failure, and the shell syntax of the script."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import cast

import pytest

from lab.config.components import Orig
from lab.store.step import StepContext
from scripts.upstream import dist_command
from scripts.upstream.dist_command import DistCommand


@pytest.mark.parametrize(
    "status, lines, code, message",
    [
        (72, ["cp: error writing 'x': No space left on device"], 3, "make dist: no space left on the device"),
        (
            72,
            ["building", "make: *** No rule to make target 'dist'.  Stop."],
            1,
            "make dist: failed: make: *** No rule",
        ),
        (72, [], 1, "make dist: failed: it says nothing"),
        (
            72,
            [
                "Pod::Weaver::Section::X (for section X) does not appear to be installed",
                "Trace begun at /x.pm line 1",
                "A::b('an Error: x') called at /y.pm line 2",
                "[DZ] guessing",
            ],
            1,
            "make dist: failed: Pod::Weaver::Section::X (for section X) does not appear to be installed",
        ),
        (72, ["all is lost"], 1, "make dist: failed: all is lost"),
        (
            72,
            [
                "Required plugin Dist::Zilla::Plugin::X isn't installed.",
                "",
                "Run 'dzil authordeps'",
                "    dzil | cpanm",
            ],
            1,
            "make dist: failed: Required plugin Dist::Zilla::Plugin::X isn't installed.",
        ),
        (
            72,
            ["Can't locate X.pm in @INC (you may ...)", "BEGIN failed at y"],
            1,
            "make dist: failed: Can't locate X.pm",
        ),
        (73, ["x", "new tarballs:"], 1, "make dist: makes 0 tarballs, not one"),
        (
            73,
            ["new tarballs:", "./a.tar.gz", "./b.tgz"],
            1,
            "make dist: makes 2 tarballs, not one: ./a.tar.gz, ./b.tgz",
        ),
        (137, ["x"], 3, "make dist: the session in the chroot ended with status 137"),
    ],
)
def test_command_failure_becomes_error(status: int, lines: list[str], code: int, message: str) -> None:
    context = SimpleNamespace(component=SimpleNamespace(orig=Orig(method="command", command="make dist")))
    error = dist_command.failure(DistCommand.of(cast("StepContext", context)), status, lines)
    assert error.exit_code == code
    assert str(error).startswith(message)


@pytest.mark.parametrize("command", ["make dist", "echo 'a b' \"$HOME\" && { false; }", "printf '%s\\n' {x}"])
def test_command_script_is_valid_shell(command: str) -> None:
    script = dist_command.script_of(command, 7)
    assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0
    assert "SOURCE_DATE_EPOCH=7" in script
