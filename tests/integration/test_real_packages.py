"""Source packages of Debian, of many shapes, through the whole build phase: one lab.yaml, two commits of each.

Upstream is what git-buildpackage imports of the orig tarballs.  The first commit is the release, so that what is built
has the files of the distribution's packages, with their owners and modes.  The second one adds a file that no package
installs, and changes none.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest
import yaml

from lab.base.git import NO_CONFIG, git, identity
from lab.base.run import output, run
from lab.config.description import PHASES
from lab.config.loading import load
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.demo import demo
from tests.command import HOUSE
from tests.conftest import EPOCH
from tests.samples import sampled

pytestmark = pytest.mark.integration

PACKAGES: Final = {
    "aa3d": "1.0 with a diff",
    "authbind": "1.0, native, without debhelper",
    "dash": "3.0 (quilt), a diversion of /bin/sh in maintainer scripts",
    "dhcp-helper": "without debhelper",
    "docbook-mathml": "letters in the version, XML catalogs",
    "haskell-only": "cdbs, Haskell: Provides with hashes of the interface",
    "haskell-timeit": "the same",
    "lbfgsb": "+dfsg.4, Fortran, multiarch",
    "leave": "1.0 with a diff, without debhelper",
    "libarray-refelem-perl": "+ds, Perl with C",
    "libcanary-stability-perl": "a year for a version, cdbs",
    "libuecc": "a library with symbols, CMake",
    "libyaml-tiny-perl": "Perl",
    "memstat": "1.0, native",
    "ocaml-result": "OCaml: Provides with hashes of the interface",
    "pasco": "a date for a version",
    "php-psr-container": "PHP with composer",
    "pv": "autotools",
    "tree": "plain make",
    "ucf": "3.0 (native), debconf",
}
IMPORT = ("gbp", "import-dsc", "--no-pristine-tar", "--debian-branch=master")


def is_native(name: str) -> bool:
    return "native" in PACKAGES.get(name, "")


def import_package(name: str, home: Path) -> None:
    """Make the repositories of a package, whose branches are main (upstream) and master (debian/)."""
    who = NO_CONFIG | identity(demo.MAINTAINER, EPOCH)
    with (home / "import.log").open("a") as log:
        dsc = demo.download_source(name, home / "sources", log)
        run([*IMPORT, dsc, name], cwd=home, env=who, log=log)
        git(["branch", "main", "master" if is_native(name) else "upstream"], cwd=home / name)


def note(repository: Path) -> None:
    """Commit a file that no package installs."""
    git(["checkout", "--quiet", "main"], cwd=repository)
    (repository / "LAB-NOTE").write_text("A change.\n")
    git(["add", "LAB-NOTE"], cwd=repository)
    git(["commit", "--quiet", "--message", "Note a change"], cwd=repository, env=identity(demo.MAINTAINER, EPOCH + 1))


def contents(packages: Iterable[Path]) -> dict[str, set[str]]:
    """Return the lines of tar on the files of each package: modes, owners, names, targets of links.

    Not those that a rebuild by the distribution alone has: the changelog of a binNMU.
    """
    found: dict[str, set[str]] = {}
    for path in packages:
        name = path.name.partition("_")[0]
        rows = [line.split() for line in output(["dpkg-deb", "--contents", path]).splitlines()]
        lines = {" ".join((*row[:2], *row[5:])) for row in rows}
        found[name] = {
            line for line in lines if not line.endswith(("/changelog.Debian.amd64.gz", "/changelog.amd64.gz"))
        }
    return {name: lines for name, lines in found.items() if not name.endswith("-dbgsym")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of one lab with all packages."""
    place = tmp_path_factory.mktemp("real")
    components = {
        name: {
            "upstream": {"git": str(place / name)},
            "packaging": {"git": str(place / name), "branch": "main" if is_native(name) else "master"},
        }
        for name in PACKAGES
    }
    description = {
        "lab": {"name": "real", "maintainer": demo.MAINTAINER},
        "series": {demo.SERIES: {}},
        "tracks": {demo.TRACK: {"series": demo.SERIES, "branch": "main"}},
        "components": components,
    }
    (place / "lab.yaml").write_text(yaml.safe_dump(description, sort_keys=False))
    return place


def built(name: str, home: Path) -> Run:
    """Build the tip of a package; its run, which passed."""
    command = [sys.executable, HOUSE / "qalab.py", "run", demo.TRACK, name, "--lab", home / "lab.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = Store.of(load(home / "lab.yaml")).runs(demo.TRACK, name)[-1]
    assert [made.record(step).verdict for step in PHASES["build"]] == ["passed"] * 8 + ["skipped"] * 2
    return made


@pytest.mark.parametrize("name", sampled([*PACKAGES], "leave"))
def test_package_is_that_of_the_distribution(
    name: str, home: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shared_cache.is_dir()
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    import_package(name, home)
    first = built(name, home)
    reference = contents(first.work.glob("distribution/*/*.deb"))
    assert contents(first.out.glob("*.deb")) == reference
    note(home / name)
    second = built(name, home)
    assert contents(second.out.glob("*.deb")) == reference
    assert f"compared with {first.version} of trunk" in second.record("content").message
