"""Whether a deployment is what a run is about, short of containers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError
from lab.base.run import Result
from lab.config.description import Lab
from lab.store.run_directory import WHOLE
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts.archives.package_source import PackageSource
from scripts.deployment import expectation
from scripts.deployment.deployer import DeployResult
from scripts.deployment.expectation import Wanted, another
from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application, Topology
from scripts.roles import package
from scripts.services.deployed_state import Deployed, Installed
from tests.conftest import Bench

A, B = "a" * 40, "b" * 40
POLICY = """\
{name}:
  Installed: 2.10-3
  Version table:
     2.10-4 500
        500 http://deb.example/debian sid/main amd64 Packages
 *** 2.10-3 500
        500 http://deb.example/debian bookworm/main amd64 Packages
        100 /var/lib/dpkg/status
     2.10-2 500
        500 http://deb.example/debian bullseye/main amd64 Packages
"""
FROM = "from http://deb.example/debian bookworm/main"


class Asked:
    """A node whose apt reports the origin of packages."""

    name = "node0"

    def run(self, argv: Any, **_: Any) -> Result:
        return Result(tuple(argv), 0, POLICY.format(name=argv[-1]))


NODES = {name: cast("Node", Asked()) for name in ("node0", "node1")}


def there(name: str, version: str, source: str = "greet", **more: Any) -> Installed:
    fields = {"node": "node0", "source_version": version, "ours": False} | more
    return Installed(name=name, version=version, source=source, **fields)


def topology(*packages: str) -> Topology:
    return Topology((Application("greet", package, packages, ("node0",), {}),))


OURS = there("greet", "1.0-1", ours=True)
NONE = "nothing of greet 1.0-1 from the lab's archive is installed; instead: "
HINT = " (name its packages in deployment.applications)"


@pytest.mark.parametrize(
    ("installed", "kind", "message"),
    [
        ([OURS], None, ""),
        ([OURS, there("libgreet", "9:3", source_version="1.0-1", ours=True)], None, ""),
        ([OURS, there("hello", "2.10-3", "hello")], None, ""),
        ([OURS, there("libgreet", "2.10-3", node="node1")], Failed,
         f"libgreet 2.10-3 is installed on node1, {FROM}: it is not of greet 1.0-1, which the run is about"),
        ([there("greet", "2.10-3")], InfrastructureError,
         f"greet 2.10-3 is installed on node0, {FROM}: it is not of greet 1.0-1, which the run is about"),
        ([there("greet", "1.0-1")], ConfigurationError, f"{NONE}greet 1.0-1 {FROM}{HINT}"),
        ([there("hello", "2.10-3", "hello")], ConfigurationError, f"{NONE}hello 2.10-3 {FROM}{HINT}"),
        ([there("hello", "2.10-3", "hello", ours=True)], ConfigurationError, f"{NONE}hello 2.10-3 {FROM}{HINT}"),
        ([], ConfigurationError, f"{NONE}nothing that is named{HINT}"),
    ],
)  # fmt: skip
def test_installed_package_is_the_wanted_version(
    lab_factory: Callable[..., Lab], installed: list[Installed], kind: type[LabError] | None, message: str
) -> None:
    offer = PackageSource(lab_factory(), "trunk", {"greet": ("1.0-1", "greet")}, sources={"greet": "1.0-1"})
    wanted, made = Wanted("greet", "1.0-1", offer), DeployResult({}, installed, {})
    if kind is None:
        wanted.check_installed(made, topology("greet", "hello"), NODES)
        return
    with pytest.raises(kind) as caught:
        wanted.check_installed(made, topology("greet", "hello"), NODES)
    assert str(caught.value) == message


def test_installed_packages_of_whole_track_include_lab_package(lab_factory: Callable[..., Lab]) -> None:
    wanted = Wanted(WHOLE, "", PackageSource(lab_factory(), "trunk", {}, sources={"greet": "1.0-1"}))
    wanted.check_installed(DeployResult({}, [OURS], {}), topology("greet"), NODES)
    with pytest.raises(ConfigurationError) as caught:
        wanted.check_installed(DeployResult({}, [there("greet", "2.10-3")], {}), topology("greet"), NODES)
    assert str(caught.value).startswith(f"nothing from the lab's archive is installed; instead: greet 2.10-3 {FROM}")


def test_component_that_the_archive_does_not_have_is_not_named_with_an_empty_version(
    lab_factory: Callable[..., Lab],
) -> None:
    wanted = Wanted("greet", "", PackageSource(lab_factory(), "trunk", {}, sources={"hello": "1.0-1"}))
    with pytest.raises(
        ConfigurationError, match=r"^nothing of greet from the lab's archive is installed; instead: greet"
    ):
        wanted.check_installed(DeployResult({}, [there("greet", "2.10-3")], {}), topology("greet"), NODES)


def context(lab: Lab, component: str = "greet", commit: str = "", version: str = "") -> StepContext:
    run = Store.of(lab).new_run(lab, "trunk", component, commit, phase="exercise", version=version)
    return StepContext(lab, run, cast("Any", None))


@pytest.mark.parametrize(
    ("commit", "version", "expected"),
    [("", "", "1.2-1"), ("", "1.1-1", "1.1-1"), (A, "", "1.0-1"), (A, "1.1-1", "1.1-1"), (B, "", "1.1-1")],
)
def test_wanted_version_of_run(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], commit: str, version: str, expected: str
) -> None:
    lab = lab_factory(track={"phases": ["build", "deploy", "exercise"]})
    for built, number in ((A, "0.9-1"), (A, "1.0-1"), (B, "1.1-1")):
        at = bench(lab)
        at.pretend("snapshot", commit=built)
        at.pretend("archive", version=number)
    offer = PackageSource(lab, "trunk", {}, sources={"greet": "1.2-1"})
    assert expectation.wanted(context(lab, commit=commit, version=version), offer).version == expected


NOT_THIS = (
    "greet 1.0-1 (commit bbbbbbbbbb) is deployed, and not greet 1.1-1 (commit aaaaaaaaaa), which the run is about"
    " (deploy it first, on this machine: the job trunk-deploy)"
)


@pytest.mark.parametrize(
    ("run", "deployed", "ends"),
    [
        (("greet", A, "1.0-1"), ("greet", A, "1.0-1"), ""),
        (("greet", "", "1.0-1"), ("greet", A, "1.0-1"), ""),
        (("greet", A, "1.0-1"), ("greet", "", "1.0-1"), ""),
        (("greet", "", ""), ("greet", A, "1.0-1"), ""),
        ((WHOLE, "", ""), ("greet", A, "1.0-1"), ""),
        (("greet", "", ""), (WHOLE, "", ""), ""),
        (("greet", A, "0.9-1"), ("greet", B, "1.0-1"), "skipped"),
        (("greet", A, "1.0-1"), ("tool", B, "3.0-1"), "skipped"),
        (("greet", A, "1.1-1"), ("greet", B, "1.0-1"), NOT_THIS),
        (("greet", A, "1.0-1"), ("greet", B, "1.0-1"), "greet 1.0-1 (commit bbbbbbbbbb) is deployed, and not"),
        (("greet", A, ""), ("greet", B, "1.0-1"), "greet 1.0-1 (commit bbbbbbbbbb) is deployed, and not"),
        (("greet", A, ""), ("greet", "", "1.0-1"), "greet 1.0-1 is deployed, and not greet (commit aaaaaaaaaa)"),
        (("greet", "", ""), ("tool", "", "3.0-1"), "tool 3.0-1 is deployed, and not greet, which"),
        (("greet", A, "1.1-1"), ("tool", B, "3.0-1"), "tool 3.0-1 (commit bbbbbbbbbb) is deployed, and not"),
        (("greet", A, "1.1-1"), (WHOLE, "", ""), "the whole track is deployed, and not greet 1.1-1"),
        ((WHOLE, "", "2.0-1"), (WHOLE, "", "1.0-1"), "the whole track 1.0-1 is deployed, and not the whole track 2.0-1"),
    ],
)  # fmt: skip
def test_exercise_skips_deployment_of_another_version(
    lab_factory: Callable[..., Lab], run: tuple[str, str, str], deployed: tuple[str, str, str], ends: str
) -> None:
    lab = lab_factory(track={"phases": ["build", "deploy", "exercise"]})
    component, commit, version = deployed
    record = Deployed(track="trunk", component=component, version=version, commit=commit, finished="", nodes={},
                      services={}, packages=(OURS, there("greet-old", "7")))  # fmt: skip
    about = context(lab, *run)
    if ends in {"", "skipped"}:
        outcome = another(about, record)
        assert (outcome.verdict if outcome else "") == ends
        return
    with pytest.raises(InfrastructureError) as caught:
        another(about, record)
    assert str(caught.value).startswith(ends)
