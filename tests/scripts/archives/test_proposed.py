"""Packages that wait in a pocket, from the output of apt, and the next action."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from debian.deb822 import Packages

from lab.config.description import Lab
from lab.store.run_directory import WHOLE
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts.archives import proposed
from scripts.archives.package_source import PackageSource
from scripts.archives.proposed import Waiting, needed, newer, versions_outside
from scripts.chroots.bootstrap import Repository
from scripts.deploy import skip_reason

POCKET = "bookworm-proposed-updates"
PROPOSED = {"trigger": "proposed", "phases": ["deploy", "exercise"]}
MADISON = f"""\
     greet |      1.0-2 | http://m.example/debian {POCKET}/main amd64 Packages
     greet |      1.0-1 | http://m.example/debian bookworm/main amd64 Packages
     greet | 1.0-1+deb12u1 | http://m.example/debian bookworm-security/main amd64 Packages
     greet |      1.0-3 | http://m.example/debian bookworm/main Sources
"""


def package(name: str, version: str, source: str = "", **fields: str) -> Packages:
    return Packages({"Package": name, "Version": version, **({"Source": source} if source else {}), **fields})


def test_versions_outside_pocket() -> None:
    assert versions_outside(MADISON, POCKET) == {"greet": ["1.0-1", "1.0-1+deb12u1"]}


@pytest.mark.parametrize(
    ("released", "found"),
    [
        ({}, {"greet", "greet-doc"}),
        ({"greet": ["1.9"], "greet-doc": ["1.9"]}, {"greet", "greet-doc"}),  # 1.10 is newer
        ({"greet": ["1.9", "1.10"], "greet-doc": ["1.9"]}, {"greet", "greet-doc"}),  # one of them is
        ({"greet": ["1.10"], "greet-doc": ["1.9", "2.0"]}, set()),
    ],
)
def test_newer_packages_than_released(released: dict[str, list[str]], found: set[str]) -> None:
    index = [package("greet", "1.10"), package("greet-doc", "1.10", "greet"), package("other", "9"),
             package("greet-dbgsym", "1.10", "greet")]  # fmt: skip
    assert {item["Package"] for item in newer(index, released, {"greet"})} == found


@pytest.mark.parametrize(
    ("depends", "found"),
    [
        ("lib, libc6 (>= 2.36)", set()),  # the released version suffices
        ("lib (>= 1.0)", set()),
        ("lib (>= 1.5)", {"lib-src"}),
        ("lib (>= 3.0)", set()),  # no archive has it: apt reports that
        ("lib (= 2.0)", {"lib-src"}),
        ("lib (<< 2)", set()),
        ("brand-new", {"new", "newer"}),  # and what that needs
        ("nobody | brand-new", set()),  # apt would take the first
        ("lib (>= 1.5) | other", {"lib-src"}),
        ("lib (>= 3.0) | other", {"other"}),
    ],
)
def test_needed_dependencies_from_pocket(depends: str, found: set[str]) -> None:
    index = [
        package("greet", "1.1", Depends=depends, **{"Pre-Depends": "lib (>= 0.5)"}),
        package("lib", "2.0", "lib-src"),
        package("brand-new", "1", "new", Depends="brand-newer (>= 1)"),
        package("brand-newer", "1", "newer", Depends="greet"),
        package("other", "1"),
    ]
    assert needed(index, {"lib": ["1.0"], "greet": ["1.0"]}, {"greet"}) == {"greet", *found}


TESTED = "tested already: name COMPONENT and VERSION to have it tested again"


@pytest.mark.parametrize(
    ("component", "version", "origin", "waits", "why"),
    [
        ("greet", "", "local", "", f"nothing of greet waits in {POCKET}"),
        (WHOLE, "", "jenkins", "", f"nothing of the track waits in {POCKET}"),
        ("greet", "1.0-1", "local", "1.0-2", f"greet 1.0-1 does not wait in {POCKET}: 1.0-2 does"),
        ("greet", "", "jenkins", "1.0-2", f"greet 1.0-2 of {POCKET} was {TESTED}"),
        (WHOLE, "", "jenkins", "1.0-2", f"greet 1.0-2 of {POCKET} was {TESTED}"),
        ("greet", "1.0-2", "jenkins", "1.0-2", ""),
        ("greet", "", "local", "1.0-2", ""),
        (WHOLE, "", "jenkins", "1.0-3", ""),
    ],
)
def test_proposed_package_to_deploy(  # noqa: PLR0917 - a table
    lab_factory: Callable[..., Lab], component: str, version: str, origin: str, waits: str, why: str
) -> None:
    lab = lab_factory(track=PROPOSED)
    proposed.remember(lab, "trunk", {"greet": "1.0-1"})
    proposed.remember(lab, "trunk", {"greet": "1.0-2", "other": "1"})
    run = Store.of(lab).new_run(lab, "trunk", component, phase="deploy", version=version)
    run.write_info(run.info.model_copy(update={"origin": origin}))
    archive = {"greet": (waits, "greet")} if waits else {}
    offer = PackageSource(
        lab, "trunk", archive, Waiting(archive, Repository("http://m.example", POCKET, only=("greet",)))
    )
    assert skip_reason(StepContext(lab, run, None), offer) == why  # type: ignore[arg-type]


def test_waiting_source_version_is_newest_of_its_packages() -> None:
    archive = {"a": ("1.9", "greet"), "b": ("1.10", "greet"), "c": ("2", "other")}
    waits = Waiting(archive, Repository("http://m.example", POCKET))
    assert waits.versions == {"greet": "1.10", "other": "2"}
    assert str(waits) == "greet 1.10, other 2"
