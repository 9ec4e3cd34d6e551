"""Whose a file is, as a real apt reads it from a mirror that a test makes up."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from lab.config.description import Series
from scripts.archives.file_owners import owners
from tests.source_mirror import SourceMirror

CONTENTS = """\
bin/ls                                                  utils/coreutils
usr/bin/with space and words\t    misc/spaced
usr/bin/vi                                              editors/vim,contrib/editors/nvi
usr/bin/vi.basic                                        editors/other
"""


def ask(tmp_path: Path, *paths: str) -> dict[str, set[str]] | None:
    with (tmp_path / "log").open("w") as log:
        return owners("bookworm", Series(), paths, log)


@pytest.mark.integration
@pytest.mark.parametrize("name", ["main/Contents-amd64", "Contents-amd64"])
def test_owners(source_mirror: SourceMirror, tmp_path: Path, name: str) -> None:
    source_mirror.publish(more={name: CONTENTS})
    wanted = ("usr/bin/ls", "usr/bin/with space and words", "usr/bin/vi", "usr/bin/none")
    assert ask(tmp_path, *wanted) == {
        "usr/bin/ls": {"coreutils"},
        "usr/bin/with space and words": {"spaced"},
        "usr/bin/vi": {"vim", "nvi"},
    }
    assert ask(tmp_path, "usr/bin/none") == {}


def test_a_mirror_without_such_indices(source_mirror: SourceMirror, tmp_path: Path) -> None:
    assert ask(tmp_path, "usr/bin/ls") is None
    source_mirror.root.rename(tmp_path / "away")
    with pytest.raises(InfrastructureError, match="series bookworm: the Contents indices cannot be had: "):
        ask(tmp_path, "usr/bin/ls")
