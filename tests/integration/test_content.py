"""The step content asks a distribution, by apt and over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import archive, content
from tests.conftest import Bench
from tests.packages import pretend_built
from tests.pockets import Mirror, mirrored

pytestmark = pytest.mark.integration
MANUAL = ("usr/share/man/man1/greet.1", "x\n")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with mirrored(tmp_path / "mirror") as made:
        made.empty("testing", "testing-updates")
        yield made


@pytest.fixture
def built(mirror: Mirror, lab_factory: Callable[..., Any], bench: Callable[..., Bench]) -> Bench:
    lab = lab_factory(lab={"series": {"bookworm": {**mirror.series, "codename": "testing"}}})
    work = bench(lab)
    pretend_built(work, "3.0-1")
    return work


def test_content_reference_from_distribution(mirror: Mirror, built: Bench) -> None:
    mirror.add("testing", "greet", "1.0-1", files=(MANUAL,))
    mirror.add("testing", "greet-doc", "1.0-1", source="greet")
    record = built.execute(content)
    assert record.verdict == "unstable", built.log("content")
    assert record.message == (
        "package gone: greet-doc (1 file), directory gone: usr/share/man/man1 (1 file); compared with 1.0-1 of bookworm"
    )
    # A newer one in a pocket is the reference, and older ones in the release no longer are.
    mirror.add("testing-updates", "greet", "2.0-1")
    record = built.execute(content)
    assert (record.verdict, record.message) == ("passed", "nothing lost; compared with 2.0-1 of bookworm")


def test_content_without_package_in_distribution(mirror: Mirror, built: Bench) -> None:
    mirror.add("testing", "other", "1.0-1")
    record = built.execute(content)
    assert (record.verdict, record.message) == ("passed", "no earlier build to compare with")
    mirror.add("testing-updates", "theirs", "1.0-1", files=(("usr/share/greet/greet", "x\n"),))
    record = built.execute(content)
    expected = "files of another package: theirs (usr/share/greet/greet); no earlier build to compare with"
    assert (record.verdict, record.message) == ("unstable", expected)


def test_content_with_failed_download_is_an_error(mirror: Mirror, built: Bench) -> None:
    mirror.add("testing", "greet", "1.0-1")
    for path in mirror.root.rglob("greet_1.0-1_all.deb"):
        path.write_text("something else")
    record = built.execute(content)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert "greet cannot be had" in record.message


def test_content_compares_with_distribution_beside_last_build(
    mirror: Mirror, built: Bench, bench: Callable[..., Bench]
) -> None:
    mirror.add("testing", "greet", "1.0-1", files=(("usr/share/greet/words", "w" * 20000),))
    for version, size in (("3.0-2", 16000), ("3.0-3", 13000)):
        work = bench(built.lab)
        pretend_built(work, version, files=(("usr/share/greet/words", "w" * size),))
        assert work.execute(content).verdict == "passed", work.log("content")
        assert work.execute(archive).verdict == "passed"
    work = bench(built.lab)
    pretend_built(work, "3.0-4", files=(("usr/share/greet/words", "w" * 9000),))
    record = work.execute(content)
    assert (record.verdict, record.facts["distribution"]) == ("unstable", "1.0-1 of bookworm")
    assert record.message == (
        "size halved: greet (20006 bytes before, 9010 now, compared with 1.0-1 of bookworm); "
        "compared with 3.0-3 of trunk and 1.0-1 of bookworm"
    )
    # The packages are in the cache; an hour is not over.
    for path in mirror.root.rglob("*.deb"):
        path.unlink()
    assert work.execute(content).message == record.message


def test_content_names_distribution_that_cannot_be_asked(
    mirror: Mirror, built: Bench, bench: Callable[..., Bench]
) -> None:
    mirror.add("testing", "greet", "1.0-1")
    assert built.execute(archive).verdict == "passed"
    for path in mirror.root.rglob("greet_1.0-1_all.deb"):
        path.write_text("something else")
    work = bench(built.lab)
    pretend_built(work, "3.0-2")
    record = work.execute(content)
    assert record.verdict == "passed"
    expected = (
        "nothing lost; compared with 3.0-1 of trunk; not compared with the distribution's packages: series bookworm:"
    )
    assert record.message.startswith(expected)
