"""The file of known failures: its meaning, and each possible error in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from scripts.openstack import known_failures

GOOD = r"""
# Of the whole cloud.
tempest.api.volume.test_one.VolumesTest.test_backup  # there is no cinder-backup
  tempest\.scenario\..*\.test_(suspend|resume)\w* # the guest lives in its memory # and nowhere else
"""


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("tempest.api.volume.test_one.VolumesTest.test_backup", "there is no cinder-backup"),
        ("tempest.api.volume.test_one.VolumesTest.test_backup_twice", ""),
        ("a.tempest.api.volume.test_one.VolumesTest.test_backup", ""),
        ("tempest.scenario.test_x.Test.test_suspend_it", "the guest lives in its memory # and nowhere else"),
        ("tempest.scenario.test_x.Test.test_stop", ""),
    ],
)
def test_known_failure_reason_of_test(tmp_path: Path, test: str, reason: str) -> None:
    path = tmp_path / "known"
    path.write_text(GOOD)
    known = known_failures.read(path)
    assert len(known) == 2
    assert known_failures.reason(known, test) == reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a.B.c # why\n\na.B.d\n", "PATH:3: a.B.d: no reason; write TEST # REASON"),
        (b"a.B.c #\n", "PATH:1: a.B.c: no reason; write TEST # REASON"),
        (b"#\na.B.(c # why\n", "PATH:2: a.B.(c: not a regular expression: missing ), unterminated subpattern at position 4"),
        (b"a.B.c # why\nb # why\na.B.c # because\n", "PATH:3: a.B.c: is there already, on line 1"),
        (b"a.B.c # \xff\n", "PATH: the known failures cannot be read: this is no UTF-8"),
        (None, "PATH: the known failures cannot be read: No such file or directory"),
    ],
)  # fmt: skip
def test_known_failures_file_error_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "known"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message.replace('PATH', str(path)))}$"):
        known_failures.read(path)
