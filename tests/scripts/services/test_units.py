"""Which units a boot would start, of what dpkg and systemd say."""

from __future__ import annotations

import pytest

from scripts.drivers.layers import install_script
from scripts.services.units import KEPT, UNIT_FILE, closure, is_of, ordered, packages, started

DPKG = """\
web\t1\t\t\tredis-server | valkey, httpd, libc6\tinstalled\t
redis-server\t1\t\t\tredis-tools\tinstalled\t
redis-tools\t1\t\t\t\tinstalled\t
nginx\t1\thttpd (= 1), httpd-cgi\tnginx-common\t\tinstalled\t
nginx-common\t1\t\t\tweb\tinstalled\t
gone\t1\t\t\t\tconfig-files\t
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
    assert ordered(["b.timer", "b.service", "a.service", "b.socket"]) == (
        "b.socket", "a.service", "b.service", "b.timer",
    )  # fmt: skip


def test_unit_file_pattern() -> None:
    for directory in ("/lib", "/usr/lib", "/etc"):
        assert UNIT_FILE.match(f"{directory}/systemd/system/a@.socket")
    assert not UNIT_FILE.match("/lib/systemd/system/a.service.d/b.conf")
    assert not UNIT_FILE.match("/usr/lib/systemd/user/a.service")


def test_install_script_keeps_removed_unit_links() -> None:
    script = install_script(["a=1"])
    assert script.index(f"--target-directory={KEPT}") < script.index("-newer /tmp/before -delete")
