"""The step content asks a distribution, by apt and over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import content
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
