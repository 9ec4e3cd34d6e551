"""An APT mirror with source packages that a test makes up: one suite, signed, read as files."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY = (
    "%no-protection\nKey-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign\nName-Real: mirror\nExpire-Date: 0\n%commit\n"
)
DSC = """\
Format: 3.0 (quilt)
Source: {name}
Binary: {name}
Architecture: all
Version: {version}
Maintainer: A <a@example.org>
Checksums-Sha256:
{sha256}Files:
{md5}"""
# Without any source package, apt takes an index for none.
OTHER = "Package: other\nVersion: 1-1\nDirectory: pool\n"
PACKAGE = """\
Package: {name}-data
Source: {name} ({version})
Version: 1:7
Architecture: all
Filename: pool/x.deb
Size: 1
SHA256: {digest}
"""


@dataclass(frozen=True)
class Signer:
    """A key in a home of its own, and its public half."""

    home: Path
    keyring: Path


@contextmanager
def signer(home: Path) -> Iterator[Signer]:
    home.mkdir(mode=0o700)
    try:
        gpg(home, "--gen-key", stdin=KEY)
        (home / "public.gpg").write_bytes(gpg(home, "--export"))
        yield Signer(home, home / "public.gpg")
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)


def gpg(home: Path, *argv: str, stdin: str = "") -> bytes:
    command = ["gpg", "--batch", "--quiet", "--homedir", home, *argv]
    return subprocess.run(command, input=stdin.encode(), check=True, capture_output=True).stdout


@dataclass(frozen=True)
class SourceMirror:
    """The mirror of bookworm at ``root``."""

    root: Path
    signer: Signer

    @property
    def url(self) -> str:
        return f"file://{self.root}"

    def add(self, name: str, version: str, components: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Publish a source package with these orig tarballs ("": the main one), and a binary package of it, alone."""
        upstream = version.rpartition(":")[2].rpartition("-")[0]
        pool = self.root / "pool"
        pool.mkdir(exist_ok=True)
        made = [self._tarball(name, upstream, *item) for item in (components or {}).items()]
        stem = f"{name}_{version.rpartition(':')[2]}"
        sums = {kind: "".join(f" {digest(kind, path)} {path.stat().st_size} {path.name}\n" for path in made)
                for kind in ("sha256", "md5")}  # fmt: skip
        dsc = pool / f"{stem}.dsc"
        dsc.write_text(DSC.format(name=name, version=version, **sums))
        entries = [dsc, *made]
        text = dsc.read_text().replace("Source: ", "Package: ", 1).partition("Checksums-Sha256:")[0]
        for field, kind in (("Checksums-Sha256", "sha256"), ("Files", "md5")):
            lines = "".join(f" {digest(kind, path)} {path.stat().st_size} {path.name}\n" for path in entries)
            text += f"{field}:\n{lines}"
        self.publish(f"{text}Directory: pool\n", PACKAGE.format(name=name, version=version, digest="0" * 64))

    def publish(self, sources: str = OTHER, packages: str = "", more: Mapping[str, str] | None = None) -> None:
        """Write the indices of the suite, and sign them; ``more``: other files by name."""
        suite = self.root / "dists/bookworm"
        names = {"main/source/Sources": sources, "main/binary-amd64/Packages": packages, **(more or {})}
        for name, text in names.items():
            (suite / name).parent.mkdir(parents=True, exist_ok=True)
            (suite / name).write_text(text)
        lines = "".join(f" {digest('sha256', suite / name)} {(suite / name).stat().st_size} {name}\n" for name in names)
        head = "Origin: Debian\nSuite: bookworm\nCodename: bookworm\nArchitectures: amd64\nComponents: main\n"
        release = f"{head}Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n{lines}"
        (suite / "InRelease").write_bytes(gpg(self.signer.home, "--clear-sign", stdin=release))

    def _tarball(self, name: str, upstream: str, component: str, files: Mapping[str, str]) -> Path:
        mark = f"-{component}" if component else ""
        path = self.root / f"pool/{name}_{upstream}.orig{mark}.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for file, text in files.items():
                member = tarfile.TarInfo(f"{component or name}/{file}")
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return path


def digest(kind: str, path: Path) -> str:
    return hashlib.new(kind, path.read_bytes()).hexdigest()
