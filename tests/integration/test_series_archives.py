"""An archive beside the mirror of a series: another host, another key, another form of suite, as the cloud archive is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.config.description import Series
from lab.config.series_archives import SeriesArchive
from scripts.archives import series_index
from scripts.drivers.interfaces import Pristine
from scripts.drivers.nspawn.driver import NspawnTarget
from tests.pockets import mirrored

pytestmark = pytest.mark.integration
SUITE = "bookworm-updates/epoxy"


@pytest.fixture
def series(tmp_path: Path) -> Iterator[Series]:
    """The release as it is, with an archive that has hello newer than the release, and a package of its own."""
    with mirrored(tmp_path / "cloud") as cloud:
        cloud.empty(SUITE)
        cloud.add(SUITE, "hello", "99-0ubuntu1~cloud0")
        cloud.add(SUITE, "greet", "1.0-0ubuntu1~cloud0")
        own = cloud.root / "own.gpg"
        yield Series(archives=(SeriesArchive(url=cloud.url, suite=SUITE, keyring=str(own)),))


def test_nodes_and_questions_have_the_archive(shared_cache: Path, tmp_path: Path, series: Series) -> None:
    with (tmp_path / "log").open("w") as log:
        for name, version in (("hello", "99-0ubuntu1~cloud0"), ("greet", "1.0-0ubuntu1~cloud0"), ("base-files", "12.")):
            assert series_index.newest_version("bookworm", series, name, log).version.startswith(version)
    target = NspawnTarget(tmp_path / "environments/a")
    try:
        with target.prepare(Pristine("bookworm", series, ("hello", "greet", "cowsay"))) as snapshot:
            (node,) = target.create(snapshot, ["one"])
        node.run(["apt-get", "--yes", "install", "hello", "greet", "cowsay"], online=True)
        shown = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", "hello", "greet"]
        assert node.run(shown, capture=True).stdout.split() == [
            "greet", "1.0-0ubuntu1~cloud0", "hello", "99-0ubuntu1~cloud0",
        ]  # fmt: skip
        assert node.run(["dpkg-query", "--show", "cowsay"])
        policy = node.run(["apt-cache", "policy", "hello"], capture=True).stdout
        assert f" 500 {series.archives[0].url} {SUITE}/main " in policy
        assert node.run(["test", "-e", series.archives[0].keyring])
    finally:
        target.destroy()
