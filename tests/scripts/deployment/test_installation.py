"""What apt and dpkg say, as errors that name who is at fault; where a package comes from."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.run import Result
from lab.store.archive import ArchiveReader
from lab.store.step import architecture
from scripts.chroots.bootstrap import Repository
from scripts.deployment.installation import (
    GOES_DOWN,
    WATCHED,
    NoSuchPackage,
    built,
    from_archive,
    gone_down,
    install,
    offered,
    removed_by_upgrade,
    unmet,
    unprocessed,
    upgrade,
)

LAB = Repository("http://127.0.0.1:4711", "trunk", "KEY", "testlab")
SUBPROCESS = "installed greet package post-installation script subprocess returned error exit status 7"
OVERWRITE = "trying to overwrite '/usr/bin/a', which is also in package a 1"
NAME_IT = "(name the packages in deployment.applications)"
UNMET = """\
The following packages have unmet dependencies:
 nova-api : Depends: nova-common (= 3:26.2) but 3:26.1 is to be installed
E: Unable to correct problems, you have held broken packages.
"""
CONFIGURED = f"""\
Setting up libgreet (1.0) ...
Setting up greet (1.0-1) ...
the schema is wrong
dpkg: error processing package greet (--configure):
 {SUBPROCESS}
Errors were encountered while processing:
 greet
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
UNPACKED = f"""\
dpkg: error processing archive /var/cache/apt/archives/b_1_all.deb (--unpack):
 {OVERWRITE}
"""


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (unmet(UNMET.splitlines()), Failed,
         "cannot be installed: nova-api: Depends: nova-common (= 3:26.2) but 3:26.1 is to be installed"),
        (unmet(["E: Unable to locate package nosuch"]), NoSuchPackage, f"no archive has the package nosuch {NAME_IT}"),
        (unmet(["Reading...", "E: Package 'virtual' has no installation candidate"]), NoSuchPackage,
         f"no archive has the package virtual {NAME_IT}"),
        (unprocessed(CONFIGURED.splitlines()), Failed,
         f"the package greet cannot be installed: {SUBPROCESS} (the schema is wrong)"),
        (unprocessed(UNPACKED.splitlines()), Failed,
         f"the package b cannot be installed: {OVERWRITE}"),
        (unprocessed(UNPACKED.replace("archives/b_", "../../../tmp/apt-dpkg-install-93YGVV/027-0ad-data_").splitlines()), Failed,
         f"the package 0ad-data cannot be installed: {OVERWRITE}"),
        (unprocessed([*CONFIGURED.replace("package greet", "package libgreet:amd64", 1).splitlines()]), Failed,
         f"the package libgreet:amd64 cannot be installed: {SUBPROCESS} (the schema is wrong)"),
        (unprocessed(CONFIGURED.replace("wrong\n", "wrong\ndmesg(1) may have more information after failed mount system call.\n").splitlines()),
         Failed, f"the package greet cannot be installed: {SUBPROCESS} (the schema is wrong)"),
        (unprocessed(CONFIGURED.replace("wrong\n", 'wrong\nSee "systemctl status a.service" and "journalctl -xe" for details.\n\n').splitlines()),
         Failed, f"the package greet cannot be installed: {SUBPROCESS} (the schema is wrong)"),
        (unprocessed(["(Reading database ... 9 files)", "Preparing to unpack .../b_1_all.deb ...", "Unpacking b (1) ...", *UNPACKED.splitlines()]),
         Failed, f"the package b cannot be installed: {OVERWRITE}"),
        (unprocessed(["0 upgraded, 1 newly installed.", "After this operation, 10.2 kB of additional disk space will be used.", *UNPACKED.splitlines()]),
         Failed, f"the package b cannot be installed: {OVERWRITE}"),
        (unprocessed(["cannot migrate", "Selecting previously unselected package b.", *UNPACKED.splitlines()]), Failed,
         f"the package b cannot be installed: {OVERWRITE} (cannot migrate)"),
        (unprocessed(["E: Could not get lock"]), InfrastructureError, "apt-get: Could not get lock"),
        (gone_down("node0", ["Setting up a (1) ...", "Setting up b:amd64 (1) ...", GOES_DOWN]), Failed,
         "node0 shuts down or reboots while b is installed: a maintainer script, its own or an earlier one, asks for it"),
        (gone_down("node0", ["Preparing to unpack .../0-b_1_all.deb ..."]), Failed,
         "node0 shuts down or reboots while b is installed: a maintainer script, its own or an earlier one, asks for it"),
    ],
)  # fmt: skip
def test_apt_failure_becomes_error(error: LabError, kind: type[LabError], message: str) -> None:
    assert (type(error), str(error)) == (kind, message)


@pytest.mark.parametrize(
    ("script", "state", "status", "down"),
    [
        ("exit 0", "running", 0, False),
        ("exit 7", "degraded", 7, False),
        ("exit 0", "stopping", 1, True),
        ("kill -TERM $PPID; exit 143", "", 143, True),
    ],
    ids=["installs", "fails", "is about to go down", "goes down"],
)
def test_installation_tells_that_its_node_goes_down(
    tmp_path: Path, script: str, state: str, status: int, *, down: bool
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\necho {state}\n")
    systemctl.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    words = ["sh", "-uc", WATCHED, "sh", script]
    ended = subprocess.run(words, check=False, capture_output=True, text=True, env={"PATH": path})
    assert (ended.returncode, GOES_DOWN in ended.stdout.splitlines()) == (status, down)


POLICY = """\
greet:
  Installed: 1.0-1
  Candidate: 1.0-1
  Version table:
     2.0-1 500
        500 http://deb.example/debian bookworm/main amd64 Packages
 *** 1.0-1 1001
       1001 http://127.0.0.1:4711 trunk/main amd64 Packages
        100 /var/lib/dpkg/status
theirs:
  Installed: 3.0
  Candidate: 3.0
  Version table:
 *** 3.0 500
        500 http://deb.example/debian bookworm/main amd64 Packages
        100 /var/lib/dpkg/status
     2.0 1001
       1001 http://127.0.0.1:4711 trunk/main amd64 Packages
"""
OF_A_POCKET = """\
greet:
  Installed: 1.0-2
  Version table:
 *** 1.0-2 1001
        100 http://m.example noble-proposed/universe amd64 Packages
        100 /var/lib/dpkg/status
     1.0-1 500
        500 http://m.example noble/universe amd64 Packages
around:
  Installed: 2
  Version table:
 *** 2 100
        100 http://m.example noble-proposed/universe amd64 Packages
        100 /var/lib/dpkg/status
"""


def test_installed_version_origin_from_apt_policy() -> None:
    assert from_archive(POLICY, LAB) == {"greet"}
    assert from_archive(POLICY, None) == set()
    pocket = Repository("http://m.example", "noble-proposed", areas=("main", "universe"), only=("greet",))
    assert from_archive(OF_A_POCKET, pocket) == {"greet"}
    assert from_archive(OF_A_POCKET, LAB) == set()


def test_archive_packages_and_sources(tmp_path: Path) -> None:
    index = tmp_path / f"dists/trunk/main/binary-{architecture()}/Packages"
    index.parent.mkdir(parents=True)
    paragraphs = (
        {"Package": "greet"},
        {"Package": "greet-dbgsym", "Source": "greet (0.9)"},
        {"Package": "lib", "Source": "greet"},
    )
    index.write_text("\n".join("".join(f"{k}: {v}\n" for k, v in (p | {"Version": "1.0"}).items()) for p in paragraphs))
    archive = offered(ArchiveReader.at(tmp_path), "trunk")
    assert archive == {"greet": ("1.0", "greet"), "greet-dbgsym": ("1.0", "greet"), "lib": ("1.0", "greet")}
    assert built(archive) == {"greet": ["greet", "lib"]}
    assert offered(ArchiveReader.at(tmp_path), "other") == {}


class Machine:
    """A node on which each command of apt prints what a test says; ``said``: by the option that tells commands apart."""

    name = "node0"

    def __init__(self, simulated: str) -> None:
        self.simulated, self.scripts = simulated, list[str]()

    def run(self, argv: Sequence[str], **_: object) -> Result:
        self.scripts.append(argv[-1])
        return Result(tuple(argv), 0, "", "")

    def attempt(self, argv: Sequence[str], **_: object) -> tuple[Result, list[str]]:
        result = self.run(argv)
        return result, self.simulated.splitlines() if "--simulate" in argv[-1] else []


@pytest.mark.parametrize(
    ("simulated", "why"),
    [
        ("Remv initq [1.0-1]\nInst greet [1.0-1] (1.0-2 x:1 [all])", "the upgrade removes initq 1.0-1 from node0"),
        ("Remv a [1] [b:all ]\nRemv b:i386 [2]\n", "the upgrade removes a 1, b:i386 2 from node0"),
        ("Inst greet [1] (2 x:1 [all])\nRemv cloud-init [0.7.5-0ubuntu1.3]\nConf greet (2 x:1 [all])",
         "the upgrade removes cloud-init 0.7.5-0ubuntu1.3 from node0"),
        ("Remv libc6 [2:2.36-9+deb12u10] [libc6:amd64 on libc6:amd64] [libc6:amd64 ]",
         "the upgrade removes libc6 2:2.36-9+deb12u10 from node0"),
        ("Purg old [1~rc1]\nInst greet [1] (2 x:1 [all])", "the upgrade removes old 1~rc1 from node0"),
    ],
)  # fmt: skip
def test_upgrade_removes_no_package(simulated: str, why: str) -> None:
    node = Machine(simulated)
    with pytest.raises(Failed) as error:
        upgrade(node, ["greet"], LAB)  # type: ignore[arg-type]
    assert str(error.value) == why
    assert not any("--no-download" in script for script in node.scripts)


def test_upgrade_that_may_remove_packages() -> None:
    node = Machine("Remv initq [1.0-1]\nRemv b:i386 [2]\nInst greet [1.0-1] (1.0-2 x:1 [all])")
    assert removed_by_upgrade(node) == {"initq", "b"}  # type: ignore[arg-type]
    upgrade(node, (), LAB, keeps_all=False)  # type: ignore[arg-type]
    assert "--no-download full-upgrade" in node.scripts[-1]


@pytest.mark.parametrize("recommends", [True, False])
def test_installation_has_recommended_packages_where_asked(*, recommends: bool) -> None:
    node = Machine("Inst a (2 x:1 [all])")
    install(node, ["a"], None, recommends=recommends)  # type: ignore[arg-type]
    of_apt = [script for script in node.scripts if script.endswith("install a")]
    assert [" --install-recommends " in script for script in of_apt] == [recommends] * 3


@pytest.mark.parametrize(("names", "what"), [(["a", "b"], "install a b"), ([], "full-upgrade")])
def test_upgrade_keeps_settings_and_lets_services_restart(names: list[str], what: str) -> None:
    node = Machine("Inst a [1] (2 x:1 [all])")
    upgrade(node, names, None)  # type: ignore[arg-type]
    last = node.scripts[-1]
    assert last.endswith(f"--no-download {what}")
    assert "--force-confold" in last
    assert last.startswith("if [ -e /usr/sbin/policy-rc.d ]")
