"""The lab's signing key: the key that lab.yaml names, else a key that is created for the lab on first use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.base import files
from lab.base.errors import ConfigurationError
from lab.base.run import run
from lab.config.description import Lab
from lab.store.runs import Store

# The path of a socket has at most 107 bytes (unix(7)), and the agent's file names need some of them.
LONGEST_HOME = 80


@dataclass(frozen=True)
class SigningKey:
    """A secret key in a GnuPG home."""

    fingerprint: str
    home: Path

    @property
    def env(self) -> dict[str, str]:
        return {"GNUPGHOME": str(self.home)}

    def export(self, path: Path, log: IO[str] | None = None) -> None:
        """Write the public key, armoured, as apt's ``Signed-By`` takes it."""
        command = ["gpg", "--batch", "--armor", "--export", self.fingerprint]
        files.write_atomic(path, f"{run(command, env=self.env, log=log, capture=True).stdout.rstrip()}\n")


@contextmanager
def lab_key(lab: Lab, store: Store, log: IO[str] | None = None) -> Iterator[SigningKey]:
    """Yield the lab's key; at the end, stop the agent of the lab's own GnuPG home.

    An agent of a home that lab.yaml names keeps running: it can know a passphrase.
    Raises ConfigurationError when lab.yaml names a missing key.
    """
    home = Path(lab.archive.gnupg_home).expanduser() if lab.archive.gnupg_home else store.gnupg
    if not lab.archive.signing_key:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with files.locked(store.lock_path("gnupg")), _short(home) as short:
        try:
            yield _find(lab, short, log)
        finally:
            if home == store.gnupg:
                run(["gpgconf", "--kill", "gpg-agent"], env={"GNUPGHOME": str(short)}, check=False)


@contextmanager
def _short(home: Path) -> Iterator[Path]:
    """Yield a path of the GnuPG home that is short enough for its agent's sockets."""
    if len(os.fsencode(home)) <= LONGEST_HOME:
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="qalab-") as directory:
        link = Path(directory, "gnupg")
        link.symlink_to(home.absolute())
        yield link


def _find(lab: Lab, home: Path, log: IO[str] | None) -> SigningKey:
    wanted = lab.archive.signing_key
    env = {"GNUPGHOME": str(home)}
    # Without a key, gpg lists nothing and succeeds.  A list that fails must not have another key made.
    keys = run(["gpg", "--batch", "--with-colons", "--list-secret-keys", *([wanted] if wanted else [])],
               env=env, log=log, capture=True, check=not wanted)  # fmt: skip
    fingerprints = [line.split(":")[9] for line in keys.stdout.splitlines() if line.startswith("fpr:")]
    if fingerprints:
        return SigningKey(fingerprints[0], home)
    if wanted:
        raise ConfigurationError(f"archive.signing_key: no secret key {wanted} in {home.resolve()}")
    name, _, address = lab.lab.maintainer.rstrip(">").rpartition(" <")
    parameters = (
        "%no-protection\nKey-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign\n"
        f"Name-Real: {name}\nName-Comment: {lab.lab.name} archive\nName-Email: {address}\nExpire-Date: 0\n%commit\n"
    )
    run(["gpg", "--batch", "--gen-key"], env=env, stdin=parameters.encode(), log=log)
    return _find(lab, home, log)
