"""The version that a series has, as a real apt reads it from a mirror that a test makes up."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import InfrastructureError
from lab.config.description import Lab, Series
from scripts import changelog, packaging, snapshot
from scripts.archives import series_index
from scripts.archives.series_index import SeriesVersion
from tests.conftest import Bench, GitRepository, packaging_files
from tests.scripts.histories import dpkg
from tests.source_mirror import SourceMirror


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[str], SeriesVersion]:
    def newest(source: str) -> SeriesVersion:
        with (tmp_path / "log").open("w") as log:
            return series_index.newest_version("bookworm", Series(), source, log)

    return newest


def age(tmp_path: Path, seconds: float) -> None:
    """Make the indices that were read older."""
    [stamp] = (tmp_path / "cache/qalab/reference/bookworm").glob("updated-*")
    if stamp.suffix != ".json":
        then = time.time() - seconds
        os.utime(stamp, (then, then))


@pytest.mark.integration
def test_series_version_is_source_version_and_cached_for_an_hour(
    source_mirror: SourceMirror, ask: Callable[[str], SeriesVersion], tmp_path: Path
) -> None:
    source_mirror.add("greet", "2:1.5-3")
    assert ask("greet") == SeriesVersion("2:1.5-3")  # greet-data, of the version 1:7, is its only binary package
    assert ask("greet-data") == SeriesVersion("")
    source_mirror.add("greet", "2:1.6-1")
    assert ask("greet") == SeriesVersion("2:1.5-3")
    age(tmp_path, series_index.FRESH_SECONDS + 1)
    assert ask("greet") == SeriesVersion("2:1.6-1")


@pytest.mark.integration
def test_series_version_unknown_without_mirror(
    source_mirror: SourceMirror, ask: Callable[[str], SeriesVersion], tmp_path: Path
) -> None:
    source_mirror.add("greet", "1.5-3")
    away = tmp_path / "away"
    source_mirror.root.rename(away)
    unknown = ask("greet")
    assert unknown.version == ""
    assert unknown.doubt.startswith("bookworm's own version is not known: ")
    with pytest.raises(InfrastructureError, match="own version is not known"), (tmp_path / "log").open("w") as log:
        series_index.known_version("bookworm", Series(), "greet", log)
    away.rename(source_mirror.root)
    assert ask("greet") == SeriesVersion("1.5-3")
    shutil.rmtree(source_mirror.root)
    age(tmp_path, series_index.FRESH_SECONDS + 1)
    old = ask("greet")
    assert old.version == "1.5-3"
    assert old.doubt.startswith("bookworm's own version is that of 20")
    with (tmp_path / "log").open("w") as log:
        found = [series_index.known_version("bookworm", Series(), source, log) for source in ("greet", "other")]
    assert found == ["1.5-3", ""]


@pytest.fixture
def build(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], git_repository: Callable[..., GitRepository]
) -> Callable[..., Bench]:
    """Return a function that runs the steps up to changelog; upstream is at one commit after v1.0, packaged as 1.0-1."""
    upstream, packages = git_repository("upstream"), git_repository("packaging")
    upstream.commit("Begin", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    upstream.commit("Go on")
    packages.commit("Package it", packaging_files(version="1.0-1"))

    def run(**version: Any) -> Bench:
        made = bench(lab_factory(upstream=upstream.path, packaging=packages.path, component={"version": version}))
        for module in (snapshot, packaging, changelog):
            made.execute(module)
        return made

    return run


@pytest.mark.integration
@pytest.mark.parametrize(
    "published, cures",
    [
        ("1.1-1", ["next: 1.2", "replace_newer: true"]),
        ("1.0+repack-1", ["next: 1.1", "replace_newer: true"]),
        ("1.0+git20270101.1.abcdef0-1", ["next: 1.1", "replace_newer: true"]),
        ("1:0.5-1", ["replace_newer: true"]),
    ],
)
def test_version_below_series_version_is_refused_with_working_hint(
    source_mirror: SourceMirror, build: Callable[..., Bench], published: str, cures: list[str]
) -> None:
    source_mirror.add("greet", published)
    record = build().run.record("changelog")
    assert (record.verdict, record.exit_code) == ("error", 2), record.message
    assert f"is not above {published}, the version that bookworm has" in record.message
    named = [word.rstrip(")") for word in record.message.partition("set ")[2].split(" or ")]
    assert named == [f"components.greet.version.{cure}" for cure in cures]
    assert ("needs a version with the epoch 1" in record.message) == published.startswith("1:")
    for cure in cures:
        key, _, value = cure.partition(": ")
        cured = build(**{key: value == "true" or value}).run.record("changelog")
        assert cured.verdict == "passed", (cure, cured.message)
        assert dpkg(cured.version, "gt", published) or key == "replace_newer"


@pytest.mark.integration
@pytest.mark.parametrize("published", ["", "1.0-1", "0:1.0-3+deb12u1", "1.0+dfsg-1", "0.9+git20260101-2"])
def test_version_above_series_version_is_built(
    source_mirror: SourceMirror, build: Callable[..., Bench], published: str
) -> None:
    if published:
        source_mirror.add("greet", published)
    record = build().run.record("changelog")
    assert (record.verdict, record.facts["published"]) == ("passed", published), record.message


@pytest.mark.integration
def test_record_reports_unknown_series_version(source_mirror: SourceMirror, build: Callable[..., Bench]) -> None:
    shutil.rmtree(source_mirror.root)
    record = build().run.record("changelog")
    assert record.verdict == "passed"
    assert "; bookworm's own version is not known: " in record.message
