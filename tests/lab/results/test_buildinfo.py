"""The versions in a .buildinfo file."""

from __future__ import annotations

import pytest

from lab.results.buildinfo import installed_versions

BUILDINFO = """\
Format: 1.0
Source: greet
Installed-Build-Depends:
 make (= 4.3-4.1),
 bash (= 5.2.15-2+b7),
 zlib1g:i386 (= 1:1.2.13.dfsg-1)
Environment:
 DEB_BUILD_OPTIONS="parallel=2"
"""
SIGNED = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{BUILDINFO}\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"


@pytest.mark.parametrize("text", [BUILDINFO, SIGNED])
def test_installed_versions(text: str) -> None:
    assert list(installed_versions(text).items()) == [
        ("bash", "5.2.15-2+b7"), ("make", "4.3-4.1"), ("zlib1g:i386", "1:1.2.13.dfsg-1")]  # fmt: skip


def test_installed_versions_of_other_text() -> None:
    assert installed_versions("") == installed_versions("Format: 1.0\n") == {}
