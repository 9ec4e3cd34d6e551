"""Bisections with real builds in clean chroots and real nodes: each kind of culprit, and a kill."""

from __future__ import annotations

import json
import lzma
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian.deb822 import Packages

from lab.config import apt
from lab.config.description import Series
from lab.store import bisections
from scripts.bisection.sectioning import rounds
from scripts.deployment import environments
from tests.bisected import BROKEN, COMMITS, CULPRIT, BisectedLab, packaged, upstream
from tests.conftest import packaging_files

pytestmark = pytest.mark.full
ENDS, PROOF = 2, 4
UNBUILDABLE = range(26, 34)


@pytest.fixture
def bed(own_home: Path, tmp_path: Path, shared_cache: Path) -> Iterator[BisectedLab]:
    made = BisectedLab(tmp_path)
    made.describe()
    yield made
    for name in environments.names(made.lab):
        environments.target(made.lab, name).destroy()


def released(package: str) -> str:
    """Return the version of a package in Debian 12 without its pockets."""
    url = f"{apt.mirror('bookworm', Series())}/dists/bookworm/main/binary-amd64/Packages.xz"
    with urllib.request.urlopen(url, timeout=60) as answer:
        text = lzma.decompress(answer.read()).decode()
    known = Packages.iter_paragraphs(text, use_apt_pkg=False)
    return next(each["Version"] for each in known if each["Package"] == package)


@pytest.mark.parametrize(
    ("phase", "texts", "code", "sought"),
    [
        ("build", upstream(makefile=BROKEN), 1, "step sbuild"),
        ("test", upstream("bye", UNBUILDABLE), 1, "autopkgtest/greet/greets"),
        ("exercise", upstream("bye"), 4, "exercise/smoke/exit code"),
    ],
    ids=["build", "test", "exercise"],
)
def test_upstream_commit_is_found(
    bed: BisectedLab, phase: str, texts: list[dict[str, str]], code: int, sought: str
) -> None:
    """The commit is found among 60, in as many probes as the n-section predicts; once more, nothing is built."""
    commits = bed.grow("greet", texts)
    bed.grow("greet-packaging", [packaged()])
    bed.describe(phase)
    bed.qalab("run", "trunk", "greet", "--commit", commits[0])
    bed.qalab("run", "trunk", "greet", "--commit", commits[-1], code=code)
    done = bed.bisect()
    assert (done.outcome, done.suspects[0].name, str(done.sought)) == ("found", commits[CULPRIT], sought), done.message
    unbuildable = len(UNBUILDABLE) if phase == "test" else 0
    assert len(done.tests) <= ENDS + rounds(COMMITS, 1) + PROOF + unbuildable
    again = bed.bisect()
    assert (again.suspects, [test for test in again.tests if test.built]) == (done.suspects, [])


def test_packaging_commit_is_found(bed: BisectedLab) -> None:
    """Both upstream commits fail with today's packaging: one of its commits is at fault."""
    commits = bed.grow("greet", upstream())
    packagings = [packaged(), *({"debian/note": str(number)} for number in range(1, 12))]
    packagings[7]["debian/rules"] = packaged("false")["debian/rules"]
    bed.grow("greet-packaging", packagings[:1])
    bed.qalab("run", "trunk", "greet", "--commit", commits[20])
    ids = bed.grow("greet-packaging", packagings)
    bed.qalab("run", "trunk", "greet", "--commit", commits[40], code=1)
    done = bed.bisect()
    assert (done.outcome, done.suspects[0].name) == ("found", ids[7]), done.message
    assert (done.suspects[0].kind, done.suspects[0].email) == ("packaging commit", "author7@upstream.example")


def test_other_component_is_found(bed: BisectedLab) -> None:
    """A new version of another component breaks the build of greet."""
    commits = bed.grow("greet", upstream())
    bed.grow("greet-packaging", [packaged("grep fine /usr/share/talk/state", ", talk")])
    talk = [{"state": "fine\n"}, {"state": "other\n"}]
    bed.grow("talk-packaging", [packaging_files("talk") | {"debian/install": "state usr/share/talk\n"}])
    bed.grow("talk", talk[:1])
    bed.qalab("run", "trunk", "talk")
    bed.qalab("run", "trunk", "greet", "--commit", commits[20])
    bed.grow("talk", talk)
    bed.qalab("run", "trunk", "talk")
    bed.qalab("run", "trunk", "greet", "--commit", commits[40], code=1)
    done = bed.bisect()
    assert (done.outcome, done.suspects[0].kind, done.suspects[0].name) == ("found", "component", "talk"), done.message


def test_package_of_distribution_is_found(bed: BisectedLab) -> None:
    """A pocket of the distribution has a newer version of a package, and greet cannot be built with it."""
    old = released("tzdata")
    commits = bed.grow("greet", upstream())
    check = f"test \"$$(dpkg-query -W -f '$${{Version}}' tzdata)\" = {old}"
    bed.grow("greet-packaging", [packaged(check, ", tzdata")])
    bed.describe(pockets=[])
    bed.qalab("run", "trunk", "greet", "--commit", commits[20])
    bed.describe(pockets=["security", "updates"])
    bad = bed.start("run", "trunk", "greet", "--commit", commits[40])
    bad.communicate(timeout=2400)
    if bad.returncode == 0:
        pytest.skip(f"no pocket of Debian 12 has a tzdata newer than {old}")
    done = bed.bisect()
    culprit = done.suspects[0]
    assert (done.outcome, culprit.kind, culprit.before) == ("found", "distribution package", old), done.message
    assert "tzdata" in culprit.name.split()


def test_killed_bisection_goes_on(bed: BisectedLab) -> None:
    """A bisection with two agents that is killed starts no probe again whose result it has."""
    commits = bed.grow("greet", upstream(makefile=BROKEN))
    bed.grow("greet-packaging", [packaged()])
    bed.qalab("run", "trunk", "greet", "--commit", commits[0])
    bed.qalab("run", "trunk", "greet", "--commit", commits[-1], code=1)
    killed = bed.start("bisect", "trunk", "greet", "--jobs", "2")
    while not (found := bisections.all_of(bed.store)) or len(found[0].tests) < 3:
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    printed = bed.qalab("bisect", "trunk", "greet", "--jobs", "2", "--json")
    assert json.loads(printed[printed.index("[{") :])[0]["outcome"] == "found"
    done = bisections.existing(bed.store, 1)
    assert done.suspects[0].name == commits[CULPRIT]
    assert sum(test.built for test in done.tests) <= ENDS + 2 * rounds(COMMITS, 2) + PROOF + 1
