"""deploy without containers: refused and skipped runs, and the parameters for the next job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lab.base.errors import Failed, InfrastructureError
from lab.config.description import Lab
from lab.store.run_directory import WHOLE
from lab.store.runs import Store
from lab.store.step import architecture
from scripts import deploy
from scripts.archives.package_source import PackageSource
from scripts.chroots.bootstrap import Repository
from scripts.deployment import pocket_deployment
from scripts.deployment.expectation import Wanted
from scripts.pockets import proposed
from scripts.pockets.proposed import Waiting
from tests.conftest import Bench

ALL = {"phases": ["build", "deploy", "exercise"]}
OF_B = "2.0+git20260101.3.bbbbbbb-1"
TARGET = {"applications": {"greet": {"role": "package", "packages": ["greet"]}}}


def begin(lab: Lab, version: str = "") -> Bench:
    return Bench(lab, Store.of(lab).new_run(lab, "trunk", "greet", phase="deploy", version=version))


def offer(lab: Lab, version: str) -> Path:
    """Create an archive whose index lists a version of greet."""
    dists = Store.of(lab).archive / "dists/trunk"
    index = dists / f"main/binary-{architecture()}/Packages"
    index.parent.mkdir(parents=True)
    index.write_text(f"Package: greet\nVersion: {version}\n")
    return dists


def test_deploy_skips_and_hands_over_superseded_version(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track=ALL)
    offer(lab, "1.10")
    at = begin(lab, "1.9")
    record = at.execute(deploy)
    assert (record.verdict, record.version) == ("skipped", "1.9")
    assert record.message == "the archive has greet 1.10 by now: the run that built it deploys it"
    assert (at.run.results / "parameters.properties").read_text().splitlines() == [
        "COMPONENT=greet", "COMMIT=", "VERSION=1.9",
        "ARCHIVE=", "CAUSE=by hand",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({}, "greet: the lab's archive has no packages of it (build it first"),
    ],
)  # fmt: skip
def test_deploy_needs_a_package(lab_factory: Callable[..., Lab], described: dict[str, Any], message: str) -> None:
    record = begin(lab_factory(**({"track": ALL} | described))).execute(deploy)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert message in record.message


NAMED = {"track": ALL, "lab": {"deployment": TARGET}}


@pytest.mark.parametrize(
    ("archived", "about", "message"),
    [
        ("", ("greet", "1.9", ""), "the lab's archive on this machine has no package of greet: the run is about 1.9 (deploy"),
        ("1.8", ("greet", "1.9", ""), "the lab's archive on this machine has greet 1.8: the run is about 1.9 (deploy"),
        ("1.9", ("greet", "1:1.9", ""), "the lab's archive on this machine has greet 1.9: the run is about 1:1.9 (deploy"),
        ("", (WHOLE, "", ""), "the lab's archive on this machine has no package of the track trunk"),
        ("1.9", (WHOLE, "1.9", ""), "the version 1.9 is of no component (name the component too)"),
        ("1.9", ("greet", "", "a" * 40), "the version that greet has at the commit aaaaaaaaaa is not known here (name it"),
        (OF_B, ("greet", "", "a" * 40), f"greet {OF_B} is not of the commit aaaaaaaaaa"),
        (OF_B, ("greet", OF_B, "a" * 40), f"greet {OF_B} is not of the commit aaaaaaaaaa"),
    ],
)  # fmt: skip
def test_deploy_refuses_archive_without_wanted_version(
    lab_factory: Callable[..., Lab], archived: str, about: tuple[str, str, str], message: str
) -> None:
    component, version, commit = about
    lab = lab_factory(**NAMED)
    if archived:
        offer(lab, archived)
    run = Store.of(lab).new_run(lab, "trunk", component, commit, phase="deploy", version=version)
    at = Bench(lab, run)
    record = at.execute(deploy)
    assert record.verdict == "error"
    assert record.message.startswith(message)
    assert not (run.results / "parameters.properties").exists()


def test_deploy_compares_source_package_version(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(**NAMED)
    index = offer(lab, "9:2.0") / f"main/binary-{architecture()}/Packages"
    index.write_text("Package: libgreet\nSource: greet (1.10)\nVersion: 9:2.0\n\nPackage: greet\nVersion: 1.9\n")
    record = begin(lab, "1.9").execute(deploy)
    assert record.message == "the archive has greet 1.10 by now: the run that built it deploys it"


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (None, Failed, "it breaks"),  # nothing of it is released
        ("", Failed, "it breaks; the release can be deployed"),
        ("no mirror", InfrastructureError, "it breaks; the release fails too: no mirror"),
    ],
)
def test_failure_of_an_update_is_compared_with_the_release(
    lab_factory: Callable[..., Lab],
    monkeypatch: pytest.MonkeyPatch,
    fault: str | None,
    kind: type[Exception],
    message: str,
) -> None:
    lab = lab_factory(track={"trigger": "proposed", "phases": ["deploy"]})
    found = Waiting((), {}, Repository("http://m.example", "bookworm-proposed-updates"), "content")
    wanted = Wanted("greet", "1.0-2", PackageSource(lab, "trunk", {}, found, state="content", baseline="released-1"))

    def broken(*_: object) -> NoReturn:
        raise Failed("it breaks")

    monkeypatch.setattr(deploy, "create", broken)
    monkeypatch.setattr(pocket_deployment, "release_fault", lambda *_: fault)
    with pytest.raises(kind) as error:
        deploy.install(None, wanted, None, None)  # type: ignore[arg-type]
    assert str(error.value) == message
    assert proposed.is_new(lab, "trunk", "content") is (kind is InfrastructureError)


def test_release_that_cannot_be_deployed_is_no_failure(
    lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PackageSource(lab_factory(), "trunk", {}, state="released-1", baseline="released-1")

    def broken(*_: object) -> NoReturn:
        raise Failed("it breaks")

    monkeypatch.setattr(deploy, "create", broken)
    with pytest.raises(InfrastructureError, match="the release itself cannot be deployed: it breaks"):
        deploy.install(None, Wanted("all", "", source), None, None)  # type: ignore[arg-type]
