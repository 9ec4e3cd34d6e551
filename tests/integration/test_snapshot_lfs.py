"""Files in Git LFS: committed by a real git-lfs, and fetched by it into the orig tarball."""

from __future__ import annotations

import shutil
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
BIG = bytes(range(256)) * 64


@pytest.fixture
def upstream(git_repository: Any) -> GitRepository:
    """Two big files, one of them executable, and a text."""
    repository: GitRepository = git_repository("upstream")
    repository.git("lfs", "install", "--local")
    (repository.path / "data").mkdir()
    (repository.path / "data/run.bin").write_bytes(b"#!/bin/true\n" + BIG)
    (repository.path / "data/run.bin").chmod(0o755)
    attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    repository.commit("Begin", {".gitattributes": attributes, "data/big.bin": BIG, "greet.txt": "hello\n"})
    repository.tag("v1.0")
    assert "oid sha256:" in repository.git("show", "HEAD:data/big.bin")
    return repository


@pytest.fixture
def snap(
    shared_cache: Path, lab_factory: Callable[..., Lab], bench: Callable[..., Bench], git_repository: Any,
    upstream: GitRepository,
) -> Callable[..., tuple[Record, Path]]:  # fmt: skip
    packaging: GitRepository = git_repository("packaging")
    packaging.commit("Package it", packaging_files())
    assert shared_cache.is_dir()

    def take(**orig: Any) -> tuple[Record, Path]:
        made = bench(lab_factory(upstream=upstream.path, packaging=packaging.path, component={"orig": orig}))
        record = made.execute(snapshot)
        return record, made.run.path / (record.artifacts[0].path if record.artifacts else "")

    return take


def contents(tarball: Path) -> dict[str, tuple[bytes, int]]:
    with tarfile.open(tarball) as tar:
        found = {member.name.partition("/")[2]: member for member in tar if member.isfile()}
        return {name: (tar.extractfile(member).read(), member.mode) for name, member in found.items()}


def test_lfs_files_are_fetched_once(snap: Callable[..., tuple[Record, Path]], upstream: GitRepository) -> None:
    record, tarball = snap(lfs="fetch")
    assert record.verdict == "passed", record.message
    found = contents(tarball)
    assert found["data/big.bin"] == (BIG, 0o644)
    assert found["data/run.bin"] == (b"#!/bin/true\n" + BIG, 0o755)
    shutil.rmtree(upstream.path / ".git/lfs/objects")  # the mirror has them
    again, other = snap(lfs="fetch")
    assert again.verdict == "passed", again.message
    assert other.read_bytes() == tarball.read_bytes()


def test_lfs_file_missing_on_server_fails(snap: Callable[..., tuple[Record, Path]], upstream: GitRepository) -> None:
    shutil.rmtree(upstream.path / ".git/lfs/objects")
    record, _ = snap(lfs="fetch")
    assert (record.verdict, record.exit_code) == ("failed", 1)
    assert "the LFS server does not have " in record.message
    assert "data/big.bin" in record.message


@pytest.mark.parametrize("policy, exit_code", [("fetch", 0), ("refuse", 2)])
def test_lfs_files_for_orig_command(snap: Callable[..., tuple[Record, Path]], policy: str, exit_code: int) -> None:
    command = "mkdir x && wc --bytes < data/big.bin > x/size && tar -cf x.tar x"
    record, tarball = snap(lfs=policy, method="command", command=command)
    assert record.exit_code == exit_code, record.message
    if not exit_code:
        assert contents(tarball)["size"][0] == f"{len(BIG)}\n".encode()
