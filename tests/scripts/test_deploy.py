"""deploy, short of containers: what is refused, skipped, handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.description import Lab
from lab.step import architecture
from lab.store import Store
from scripts import deploy
from scripts.deploy import version_of
from tests.conftest import Bench

SIGNED = hashlib.sha256(b"signed\n").hexdigest()
ALL = {"phases": ["build", "deploy", "exercise"]}
TARGET = {"applications": {"greet": {"role": "package", "packages": ["greet"]}}}


def begin(lab: Lab, version: str = "") -> Bench:
    return Bench(lab, Store.of(lab).new_run(lab, "trunk", "greet", phase="deploy", version=version))


def offer(lab: Lab, version: str) -> Path:
    """An archive that says it has a version of greet."""
    dists = Store.of(lab).archive / "dists/trunk"
    index = dists / f"main/binary-{architecture()}/Packages"
    index.parent.mkdir(parents=True)
    index.write_text(f"Package: greet\nVersion: {version}\n")
    (dists / "InRelease").write_text("signed\n")
    return dists


def test_what_the_archive_has_a_newer_version_of_is_skipped_and_handed_over(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track=ALL)
    offer(lab, "1.10")
    at = begin(lab, "1.9")
    record = at.execute(deploy)
    assert (record.verdict, record.version) == ("skipped", "1.9")
    assert record.message == "the archive has greet 1.10 by now: the run that built it deploys it"
    assert (at.run.results / "parameters.properties").read_text().splitlines() == [
        "COMPONENT=greet", "COMMIT=", "VERSION=1.9",
        f"ARCHIVE={SIGNED}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({}, "greet: the lab's archive has no packages of it (build it first"),
    ],
)  # fmt: skip
def test_what_is_refused(lab_factory: Callable[..., Lab], described: dict[str, Any], message: str) -> None:
    record = begin(lab_factory(**({"track": ALL} | described))).execute(deploy)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert message in record.message


def test_the_newest_version_counts_as_dpkg_counts() -> None:
    archive = {"a": ("1.9", "greet"), "b": ("1.10", "greet"), "c": ("2.0", "other")}
    assert version_of("greet", archive) == "1.10"
    assert version_of("none", archive) == ""
