"""Which units a boot would start, of what dpkg and systemd say."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.base.run import Result
from scripts.services.units import (
    KEEP_LINKS,
    KEPT,
    LIST_KEPT,
    PUT_BACK,
    UNIT_FILE,
    closure,
    idle_units,
    is_of,
    ordered,
    packages,
    started,
    unit_of,
)

DPKG = """\
web\t1\t\t\tredis-server | valkey, httpd, libc6\t\tinstalled\t
redis-server\t1\t\t\tredis-tools\t\tinstalled\t
redis-tools\t1\t\t\t\tcron | anacron, ntp\tinstalled\t
nginx\t1\thttpd (= 1), httpd-cgi\tnginx-common\t\t\tinstalled\t
nginx-common\t1\t\t\tweb\t\tinstalled\t
cron\t1\t\t\tpam\t\tinstalled\t
pam\t1\t\t\t\t\tinstalled\t
gone\t1\t\t\t\t\tconfig-files\t
"""


@pytest.mark.parametrize(
    ("names", "apart", "expected"),
    [
        (["redis-tools"], set(), {"redis-tools"}),
        (["web"], set(), {"web", "redis-server", "redis-tools", "nginx", "nginx-common"}),
        (["web"], {"redis-server"}, {"web", "nginx", "nginx-common"}),
        (["gone", "unknown"], set(), set()),
    ],
)
def test_closure_of_package_dependencies(names: list[str], apart: set[str], expected: set[str]) -> None:
    assert closure(names, packages(DPKG), apart) == expected


@pytest.mark.parametrize(
    ("names", "apart", "expected"),
    [
        (["redis-tools"], set(), {"redis-tools", "cron", "pam"}),
        (["redis-server"], {"cron"}, {"redis-server", "redis-tools"}),
        (["nginx-common"], {"redis-server"}, {"nginx-common", "web", "nginx"}),
    ],
)
def test_closure_with_recommended_packages(names: list[str], apart: set[str], expected: set[str]) -> None:
    assert closure(names, packages(DPKG), apart, recommends=True) == expected


def test_units_started_at_boot() -> None:
    properties = {
        "graphical.target": {"Names": "graphical.target default.target", "Requires": "multi-user.target"},
        "multi-user.target": {"Names": "multi-user.target", "Wants": "pg.service redis.service away.service"},
        "pg.service": {"Names": "pg.service", "Wants": "pg@15-main.service", "Requires": "multi-user.target"},
        "pg@15-main.service": {"Names": "pg@15-main.service"},
        "redis-server.service": {"Names": "redis-server.service redis.service"},
        "left.service": {"Names": "left.service"},
    }
    assert started(properties, "default.target") == properties.keys() - {"left.service"}
    assert started({}, "default.target") == set()


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["a.service"], True), (["x.service", "a.service"], True), (["t@15-main.service"], True), (["b.service"], False)],
)
def test_unit_instance_belongs_to_template(names: list[str], expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_of(names, {"a.service", "t@.service"}) is expected


def test_unit_order_puts_sockets_first() -> None:
    assert ordered(["b.timer", "b.service", "a.service", "b.socket"], {}) == (
        "b.socket", "a.service", "b.service", "b.timer",
    )  # fmt: skip


STATES = {
    "off.service": "disabled", "away.service": "masked", "lone.service": "static", "late.timer": "static",
    "late.service": "static", "typo.service": "enabled", "helper.service": "static", "device.service": "static",
    "bus.service": "static", "also.socket": "indirect", "runs.service": "enabled",
}  # fmt: skip
MENTIONS = {
    "systemd/system/lone.service": "# lone.service", "systemd/system/late.timer": "[Timer]",
    "systemd/system/x.service": "OnFailure=helper.service", "udev/rules.d/9.rules": 'ENV{SYSTEMD_WANTS}="device.service"',
}  # fmt: skip


def test_units_that_no_boot_starts(tmp_path: Path) -> None:
    """Those that another unit, udev or D-Bus starts are none."""
    bus = "../share/dbus-1/system-services/b.service"
    for name, text in {**MENTIONS, bus: "SystemdService=bus.service\n"}.items():
        path = tmp_path / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    class Node:
        def run(self, argv: Sequence[str], **_: Any) -> Result:
            if argv[0] == "systemctl":
                shown = "\n\n".join(f"Id={unit}\nUnitFileState={state}" for unit, state in STATES.items())
                return Result((), 0, shown)
            words = ["sh", "-c", re.sub("/usr/|/etc/", f"{tmp_path}/", argv[2]), *argv[3:]]
            return Result((), 0, subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    node: Any = Node()
    assert idle_units(node, {*STATES}, {"runs.service"}) == {
        "away.service": "it is masked",
        "late.timer": "it has no [Install], and no other unit starts it",
        "lone.service": "it has no [Install], and no other unit starts it",
        "off.service": "it is disabled",
        "typo.service": "it is enabled, and for no target that a boot starts",
    }


def test_unit_file_pattern() -> None:
    for directory in ("/lib", "/usr/lib", "/etc"):
        assert UNIT_FILE.match(f"{directory}/systemd/system/a@.socket")
    assert not UNIT_FILE.match("/lib/systemd/system/a.service.d/b.conf")
    assert not UNIT_FILE.match("/usr/lib/systemd/user/a.service")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"a.service": ["c.service", "network.target"]}, ["c.service", "b.service", "a.service"]),
        ({"a.service": ["b.service"], "b.service": ["c.service"]}, ["c.service", "b.service", "a.service"]),
        ({"b.service": ["a.service", "x.service"]}, ["a.service", "c.service", "b.service"]),
        ({"a.service": ["a.service", "d.timer"]}, ["a.service", "b.service", "c.service"]),
        ({"a.service": ["b.service"], "b.service": ["a.service"]}, ["a.service", "b.service", "c.service"]),
    ],
    ids=["one", "a chain", "as they are", "of others", "a circle"],
)
def test_services_start_as_a_boot_orders_them(after: dict[str, list[str]], expected: list[str]) -> None:
    units = ["c.service", "d.timer", "a.service", "s.socket", "b.service"]
    assert ordered(units, after) == ("s.socket", *expected, "d.timer")


def test_new_links_are_kept_and_put_back(tmp_path: Path) -> None:
    """Links of units and of init scripts, which systemd makes units of; those from before stay."""
    old, new = (
        {"multi-user.target.wants/ssh.service", "rc3.d/S01ssh"},
        {"multi-user.target.wants/a b.service", "rc3.d/S01worker"},
    )
    places = {
        name: tmp_path / "etc" / ("systemd/system/" * name.startswith("multi")) / name
        for name in old | new | {"rc0.d/K01worker"}
    }
    for name, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to("/lib/x")
        os.utime(place, (2, 2) if name in new else (0, 0), follow_symlinks=False)
    (tmp_path / "before").touch()
    os.utime(tmp_path / "before", (1, 1))

    def shell(script: str, *words: str) -> str:
        at = {"/etc": tmp_path / "etc", KEPT: tmp_path / "kept", "/tmp/before": tmp_path / "before"}
        text = re.sub("|".join(at), lambda match: str(at[match[0]]), script)
        return subprocess.run(["sh", "-euc", text, "sh", *words], check=True, capture_output=True, text=True).stdout

    shell(KEEP_LINKS)
    assert {name for name, place in places.items() if place.is_symlink()} == old | {"rc0.d/K01worker"}
    kept = shell(LIST_KEPT).splitlines()
    assert sorted(kept) == ["rc3.d/S01worker", "systemd/system/multi-user.target.wants/a b.service"]
    assert sorted(map(unit_of, kept)) == ["a b.service", "worker.service"]
    shell(PUT_BACK, *kept)
    assert all(place.is_symlink() for place in places.values())


@pytest.mark.parametrize(
    "link, unit",
    [
        ("systemd/system/multi-user.target.wants/a.service", "a.service"),
        ("systemd/system/x.wants/S3.service", "S3.service"),
        ("rc2.d/S01neutron-periodic-workers", "neutron-periodic-workers.service"),
        ("rcS.d/S20procps", "procps.service"),
    ],
)
def test_unit_of_a_link(link: str, unit: str) -> None:
    assert unit_of(link) == unit
