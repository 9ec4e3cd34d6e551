"""The indices of the archive, replaced so that a reader always finds one consistent state.

A reader takes ``InRelease`` first, and then the indices that it names.  It finds these by their digest
(``Acquire-By-Hash``, see apt-transport-http(1) and the repository format of Debian's wiki), beside the new ones for
as long as a slow reader may ask for them.  The directory of a codename is replaced in one step, so that ``Packages``
and ``Release`` agree at any moment, also after a kill.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

from debian.deb822 import Release

from lab.base import environment, files
from lab.base.run import Word, run
from lab.store.signing import SigningKey

BY_HASH = Path("by-hash/SHA256")
# How long a reader may take between InRelease and the last index.
PATIENCE = timedelta(hours=1)
SIGNATURES = {"Release.gpg": ("--armor", "--detach-sign"), "InRelease": ("--clearsign",)}


def publish_indices(staged: Path, target: Path, key: SigningKey, log: IO[str], keep: Sequence[int] = ()) -> None:
    """Sign freshly written indices and move them to their place; ``keep``: descriptors of locks.

    Raises InfrastructureError when they cannot be signed.
    """
    release = staged / "Release"
    files.write_atomic(release, f"Acquire-By-Hash: yes\n{release.read_text()}")
    for name, how in SIGNATURES.items():
        argv: list[Word] = [
            "gpg",
            "--batch",
            "--yes",
            "--local-user",
            key.fingerprint,
            "--output",
            staged / name,
            *how,
            release,
        ]
        run(argv, env=key.env, log=log, keep=keep)
    put_in_place(staged, target)


def put_in_place(staged: Path, target: Path) -> None:
    """Exchange the indices of a codename for signed new ones, in one step; remove the old ones.

    A process that is killed before leaves the old state, one that is killed after it the new one.  Where the file
    system cannot exchange directories, the old one is away for an instant.
    """
    for name, digest in digests(staged).items():
        _link(staged / name, staged / by_hash(name, digest))
    _carry_over(staged, target)
    files.sync(path for path in staged.rglob("*") if path.is_file())
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        staged.rename(target)
        return
    files.exchange(staged, target)
    shutil.rmtree(staged)


def _carry_over(staged: Path, target: Path) -> None:
    """Keep the indices that a slow reader may still ask for by their digest."""
    current = digests(staged)
    for name, digest in digests(target).items():
        if current.get(name) != digest and (old := target / by_hash(name, digest)).exists():
            os.utime(old)  # from now on it is on its way out
    oldest = (environment.now() - PATIENCE).timestamp()
    for path in target.rglob(f"{BY_HASH}/*"):
        kept = staged / path.relative_to(target)
        if not kept.exists() and path.stat().st_mtime >= oldest:
            _link(path, kept)


def digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each index that a Release file names and that is there; none without the file."""
    path = directory / "Release"
    if not path.exists():
        return {}
    listed = {item["name"]: item["sha256"] for item in Release(path.read_text()).get("SHA256", [])}
    return {name: digest for name, digest in listed.items() if (directory / name).is_file()}


def by_hash(name: str, digest: str) -> Path:
    """Return where a reader finds an index by its digest."""
    return Path(name).parent / BY_HASH / digest


def _link(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}")
    temporary.unlink(missing_ok=True)
    temporary.hardlink_to(path)
    temporary.replace(target)
