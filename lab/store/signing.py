"""The lab's signing key: the one that lab.yaml names, else one made for the lab on first use."""

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
from lab.base.run import output, run
from lab.config.description import Lab
from lab.store.runs import Store

# A socket's path has at most 107 bytes (unix(7)), of which the agent's own names need some.
LONGEST_HOME = 80


@dataclass(frozen=True)
class SigningKey:
    """A secret key in a GnuPG home."""

    fingerprint: str
    home: Path

    @property
    def env(self) -> dict[str, str]:
        return {"GNUPGHOME": str(self.home)}

    def export(self, path: Path) -> None:
        """Write the public key, armoured, as apt's ``Signed-By`` takes it."""
        files.write_atomic(
            path, output(["gpg", "--batch", "--armor", "--export", self.fingerprint], env=self.env) + "\n"
        )


@contextmanager
def lab_key(lab: Lab, store: Store, log: IO[str] | None = None) -> Iterator[SigningKey]:
    """The lab's key, for as long as it is needed; the agent of the lab's own GnuPG home ends with it.

    An agent of a home that lab.yaml names stays: it may know a passphrase.
    Raises ConfigurationError when lab.yaml names a key that is not there.
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
    """A path of the GnuPG home that leaves room for its agent's sockets."""
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
    keys = run(["gpg", "--batch", "--with-colons", "--list-secret-keys", *([wanted] if wanted else [])],
               env=env, capture=True, check=False)  # fmt: skip
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
