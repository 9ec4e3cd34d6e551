"""debian/control: an installed qalab has the programs that a checkout installs."""

from __future__ import annotations

import re
import subprocess

from debian.deb822 import Deb822

from lab.base import resources


def needed() -> set[str]:
    """Return the packages of bindep.txt for any lab, without those for tests alone, and those that every Debian system has."""
    lines = [line.partition("#") for line in resources.path("bindep.txt").read_text().splitlines()]
    names = {
        name.strip()
        for name, _, reason in lines
        if name.strip() and "[" not in name and not re.search(r"\btests?\b", reason)
    }
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Essential}\n"], capture_output=True, text=True, check=True
    )
    return names - {line.split()[0] for line in shown.stdout.splitlines() if line.endswith(" yes")}


def test_package_has_the_programs_that_setup_installs() -> None:
    with resources.path("debian/control").open() as stream:
        _, package = Deb822.iter_paragraphs(stream)
    named = re.split(r",\s*", f"{package['Depends']}, {package['Recommends']}")
    assert needed() - set(named) == set()
    assert len(needed()) > 20
