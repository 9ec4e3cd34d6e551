"""The proof of packages by their files: real packages and the real script, with the answers of apt and of dpkg's database."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import InfrastructureError
from lab.base.run import Result
from scripts.deployment import package_proof
from scripts.services.deployed_state import Installed

CONTROL = "Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@lab.example>\nDescription: x\n"
LIST = "0123456789abcdef0123456789abcdef  usr/bin/greet\n"
OTHER = LIST.replace("0123", "9876")


def deb(home: Path, name: str, md5sums: str | None) -> None:
    (home / name / "DEBIAN").mkdir(parents=True)
    (home / name / "DEBIAN/control").write_text(CONTROL.format(name=name))
    if md5sums is not None:
        (home / name / "DEBIAN/md5sums").write_text(md5sums)
    subprocess.run(["dpkg-deb", "--build", home / name, home / f"{name}_1.0_all.deb"], check=True, capture_output=True)


class LocalNode:
    """This machine as a node, with an apt-get and a dpkg-query that answer from a directory."""

    name = "node0"

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "bin").mkdir()
        for name, script in {
            "apt-get": f'for word; do case "$word" in [a-z]*=*) cp {home}/"${{word%=*}}"_1.0_all.deb . || exit 100 ;; esac; done',
            "dpkg-query": f'cat {home}/installed/"${{2%:*}}"',
        }.items():
            (home / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
            (home / "bin" / name).chmod(0o755)

    def run(self, argv: Any, **_: Any) -> Result:
        env = {"PATH": f"{self.home}/bin:{os.environ['PATH']}", "TMPDIR": str(self.home)}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
        return Result(tuple(argv), done.returncode, done.stdout)


def package(name: str, node: str = "node0", *, ours: bool = True) -> Installed:
    return Installed(node=node, name=name, version="1.0", source=name, source_version="1.0", ours=ours)


@pytest.mark.parametrize(
    "archive, installed, wrong",
    [
        ({"greet": LIST}, {"greet": LIST}, ""),
        ({"greet": LIST}, {"greet": OTHER}, "greet 1.0"),
        ({"greet": LIST, "hail": LIST}, {"greet": LIST, "hail": ""}, "hail 1.0"),
        ({"greet": LIST, "hail": LIST}, {"greet": OTHER, "hail": OTHER}, "greet 1.0, hail 1.0"),
        ({"greet": LIST}, {}, "greet 1.0"),
        ({"greet": None}, {"greet": LIST}, ""),
    ],
    ids=["same", "other files", "one of two", "both", "no list on the node", "no list in the package"],
)
def test_files_of_package_are_those_of_the_archive(
    tmp_path: Path, archive: dict[str, str | None], installed: dict[str, str], wrong: str
) -> None:
    """The list is compared; without one in the package, nothing is."""
    node: Any = LocalNode(tmp_path)
    for name, md5sums in archive.items():
        deb(tmp_path, name, md5sums)
    (tmp_path / "installed").mkdir()
    for name, md5sums in installed.items():
        (tmp_path / "installed" / name).write_text(md5sums)
    packages = [*map(package, archive), package("other", ours=False), package("elsewhere", "node1")]
    if not wrong:
        package_proof.check(node, packages)
        return
    message = f"^node0: not the package of the lab's archive, but another of its version: {wrong}$"
    with pytest.raises(InfrastructureError, match=message):
        package_proof.check(node, packages)


def test_package_that_is_not_compared_is_none_of_the_archive(tmp_path: Path) -> None:
    """A package that apt does not download, without an error, has no proof."""
    node: Any = LocalNode(tmp_path)
    deb(tmp_path, "greet", LIST)
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed/greet").write_text(LIST)
    (tmp_path / "bin/apt-get").write_text(f"#!/bin/sh\ncp {tmp_path}/greet_1.0_all.deb .\n")
    with pytest.raises(InfrastructureError, match=r"another of its version: hail 1\.0$"):
        package_proof.check(node, [package("greet"), package("hail")])


def test_node_without_packages_of_the_lab_is_not_asked() -> None:
    package_proof.check(object(), [package("greet", ours=False)])  # type: ignore[arg-type]
