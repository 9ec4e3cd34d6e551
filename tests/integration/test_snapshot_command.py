"""An orig tarball that a command makes in a real clean chroot."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from lab.store.records import Record
from scripts import snapshot
from tests.conftest import Bench, GitRepository, packaging_files

pytestmark = pytest.mark.integration


@pytest.fixture
def snap(
    shared_cache: Path, lab_factory: Callable[..., Lab], bench: Callable[..., Bench], git_repository: Any
) -> Callable[..., tuple[Record, Path]]:
    """Snapshot an upstream by a command."""
    upstream: GitRepository = git_repository("upstream")
    upstream.commit("Begin", {"greet.txt": "hello\n", "old.tar.gz": "no tarball\n"})
    upstream.tag("v1.0")
    packaging: GitRepository = git_repository("packaging")
    packaging.commit("Package it", packaging_files())

    def take(command: str, packages: tuple[str, ...] = ()) -> tuple[Record, Path]:
        how = {"method": "command", "command": command, "packages": list(packages)}
        lab = lab_factory(upstream=upstream.path, packaging=packaging.path, component={"orig": how})
        made = bench(lab)
        record = made.execute(snapshot)
        return record, made.run.path / (record.artifacts[0].path if record.artifacts else "")

    assert shared_cache.is_dir()
    return take


def test_a_tarball_of_a_command(snap: Callable[..., tuple[Record, Path]], tmp_path: Path) -> None:
    """By an ordinary user, with the tags at hand, and nothing of the host."""
    outside = tmp_path / "outside"
    script = (
        "id -u > who; git describe --tags > version; echo $SOURCE_DATE_EPOCH > date; mkdir -p dist/x-1; cp greet.txt who "
        f"version date dist/x-1; touch {outside} 2>/dev/null || :; tar -czf dist/x-1.tar.gz -C dist x-1; bc --version"
    )
    record, tarball = snap(script, ("bc",))
    assert record.verdict == "passed", record.message
    with tarfile.open(tarball) as tar:
        found = {
            member.name.partition("/")[2]: tar.extractfile(member).read().decode() for member in tar if member.isfile()
        }
    assert found == {
        "greet.txt": "hello\n", "who": "1234\n", "version": "v1.0\n", "date": f"{record.facts['committed']}\n"
    }  # fmt: skip
    assert not outside.exists()
    assert os.getuid() != 1234
    again, other = snap(script, ("bc",))
    assert other.read_bytes() == tarball.read_bytes()
    assert again.version == record.version


@pytest.mark.parametrize(
    "command, packages, code, message",
    [
        ("echo no >&2; false", (), 1, "failed: no"),
        ("true", (), 1, "true: makes 0 tarballs, not one"),
        ("echo x > x.tar.gz", (), 1, "what it made is no tarball"),
        ("true", ("no-such-package",), 3, "the packages for true cannot be installed: "),
    ],
)
def test_commands_that_make_none(
    snap: Callable[..., tuple[Record, Path]], command: str, packages: tuple[str, ...], code: int, message: str
) -> None:
    record, _ = snap(command, packages)
    assert record.exit_code == code
    assert message in record.message
