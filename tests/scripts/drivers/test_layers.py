"""What apt would install, as the packages of a layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, Result
from lab.config.description import Series
from scripts.drivers.interfaces import Pristine
from scripts.drivers.layers import HARDWARE, HOUSEKEEPING, UPDATED, closure, closure_script, install_script, target_argv
from scripts.services.units import LINKS

PRINTED = """\
NOTE: This is only a simulation!
Inst libc6 [2.36-9] (2.36-9+deb12u1 Debian-Security:12/stable-security [amd64]) []
Inst keystone (2:22.0.2-0 Debian:12.1/stable [all])
Inst python3-keystone (2:22.0.2-0 Debian:12.1/stable [all])
Inst glance-api (2:25.1.0-2 Debian:12.1/stable [all])
Inst mariadb-server (1:10.11 Debian:12.1/stable [amd64])
Conf libc6 (2.36-9+deb12u1 Debian-Security:12/stable-security [amd64])
=== sources
Package: libc6
Source: glibc
Version: 2.36-9+deb12u1

Package: keystone
Version: 2:22.0.2-0

Package: python3-keystone
Source: keystone
Version: 2:22.0.2-0

Package: glance-api
Source: glance
Version: 2:25.1.0-2

Package: mariadb-server
Source: mariadb (1:10.11)
Version: 1:10.11
"""


class Chroots:
    """Chroots with an apt that prints a text of the test, or fails; ``said``: its log."""

    def __init__(self, printed: str, said: str = "", status: int = 0) -> None:
        self.printed, self.log, self.status = printed, said, status

    @contextmanager
    def session(self, *_: object) -> Iterator[Any]:
        yield SimpleNamespace(shell=self.shell, mark=lambda _: 0, said=lambda _: self.log)

    def shell(self, script: str, *, capture: bool) -> Result:
        if self.status:
            raise ProgramFailed(Result(("apt-get",), self.status, self.printed))
        return Result(("sh",), 0, self.printed)


@pytest.mark.parametrize(
    ("pristine", "expected"),
    [
        (
            Pristine("x", Series(), ("keystone", "mariadb-server"), ("keystone", "glance")),
            ["libc6=2.36-9+deb12u1", "mariadb-server=1:10.11"],
        ),
        (
            Pristine("x", Series(), ("glance-api",), ("glance",)),
            ["keystone=2:22.0.2-0", "libc6=2.36-9+deb12u1", "mariadb-server=1:10.11", "python3-keystone=2:22.0.2-0"],
        ),
    ],
)
def test_closure_omits_packages_of_tested_source(pristine: Pristine, expected: list[str]) -> None:
    assert closure(Chroots(PRINTED), None, pristine) == expected  # type: ignore[arg-type]


def test_closure_is_empty_without_apt_solution() -> None:
    chroots = Chroots(f"{UPDATED}\n", status=100)
    assert closure(chroots, None, Pristine("x", Series(), ("x",))) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Ign:1 http://x\nE: Failed to fetch http://x/InRelease  Connection failed\nE: Some index files failed\n",
         "Failed to fetch http://x/InRelease  Connection failed"),
        ("E: The repository 'http://x bookworm Release' is not signed.\n", "The repository 'http://x bookworm Release' is not signed."),
        ("", "it ended without a word"),
    ],
)  # fmt: skip
def test_mirror_that_does_not_answer_is_an_error(said: str, why: str) -> None:
    with pytest.raises(InfrastructureError) as error:
        closure(Chroots("", said, status=100), None, Pristine("x", Series(), ("x",)))  # type: ignore[arg-type]
    assert str(error.value) == f"series x: apt-get update: {why}"


def test_install_script_disables_new_services() -> None:
    assert f"find . {LINKS} -delete" in install_script(["a=1"])


def test_closure_script_quotes_package_names() -> None:
    assert "--simulate install 'a b' c >" in closure_script(Pristine("x", Series(), ("a b", "c")))


@pytest.mark.parametrize("recommends", [True, False])
def test_closure_has_recommended_packages_where_asked(*, recommends: bool) -> None:
    wanted = Pristine("x", Series(), ("a",), recommends=recommends)
    assert (" --install-recommends --simulate install a >" in closure_script(wanted)) == recommends


def test_target_argv_masks_hardware_services() -> None:
    argv = target_argv("bookworm", ["deb http://x bookworm main"], target=Path("/t"), architecture="amd64")
    hooks = [word for word in map(str, argv) if word.startswith("--customize-hook=ln -s /dev/null")]
    assert len(hooks) == len(HOUSEKEEPING) + len(HARDWARE)
    assert "--variant=important" in argv


@pytest.mark.parametrize("unit", ["apt-daily.timer", "e2scrub_all.timer", "e2scrub_reap.service", "man-db.timer"])
def test_boot_waits_for_no_housekeeping(unit: str) -> None:
    argv = target_argv("bookworm", ["deb http://x bookworm main"], target=Path("/t"), architecture="amd64")
    assert f'--customize-hook=ln -s /dev/null "$1"/etc/systemd/system/{unit}' in argv
