"""A node whose packages serve APIs as Ubuntu's are said to do: sites of one Apache, and a daemon of its own.

The packages are the test's own, and no more than their units, sites and scripts are Ubuntu's.  They come from an archive
beside the mirror of the series, with another host, another key and another form of suite, as the cloud archive has.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import Failed
from lab.base.run import Result
from lab.config.description import Series
from lab.config.series_archives import SeriesArchive
from scripts.archives import series_index
from scripts.drivers.interfaces import Node, Pristine
from scripts.drivers.nspawn.driver import NspawnTarget
from scripts.drivers.topology import Application
from scripts.roles.registry import ROLES
from scripts.services import waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site
from tests.pockets import Mirror, mirrored

pytestmark = pytest.mark.integration
SUITE = "bookworm-updates/epoxy"
VERSION = "9:99-0ubuntu1~cloud0"  # Debian's have epochs
APACHE = "Depends: apache2, libapache2-mod-wsgi-py3\n"
PORTS = {"keystone": 5000, "placement": 8778}
SITE = """\
Listen {port}
<VirtualHost *:{port}>
    WSGIDaemonProcess {name} processes=2 threads=1 user=www-data group=www-data
    WSGIProcessGroup {name}
    WSGIScriptAlias / {script}
    ErrorLog ${{APACHE_LOG_DIR}}/{name}_error.log
    <Directory /usr/bin>
        Require all granted
    </Directory>
</VirtualHost>
"""
# It answers once it was configured before it was loaded.
SCRIPT = """\
def application(environ, start_response, text=open("/etc/{name}/{name}.conf").read()):
    start_response("200 OK" if "mysql+pymysql://" in text else "503 Not configured", [])
    return [b"{name}"]
"""
POSTINST = """\
#!/bin/sh
set -e
useradd --system {name}
install --directory --owner={name} /var/log/{name}
chmod 0644 /etc/{name}/{name}.conf
[ ! -e /etc/apache2/sites-available/{name}.conf ] || a2ensite --quiet {name}
"""
NOVA_API = """\
#!/usr/bin/python3
import http.server, threading
servers = [http.server.ThreadingHTTPServer(("", port), http.server.SimpleHTTPRequestHandler) for port in (8774, 8775)]
for server in servers:
    threading.Thread(target=server.serve_forever).start()
"""
UNIT = "[Service]\nExecStart={command}\nRestart=on-failure\nWorkingDirectory=/var/lib\n[Install]\nWantedBy=multi-user.target\n"
FAKE = "#!/bin/sh\n"
SITES = {"keystone": "usr/bin/keystone-wsgi-public", "placement": "usr/bin/placement-api"}


def fill(cloud: Mirror) -> None:
    """Put packages into the archive."""
    cloud.empty(SUITE)
    cloud.add(SUITE, "hello", VERSION)
    for name, script in SITES.items():
        place = f"/{script}"
        files = (
            (f"etc/{name}/{name}.conf", "[DEFAULT]\n"),
            (f"etc/apache2/sites-available/{name}.conf", SITE.format(name=name, port=PORTS[name], script=place)),
            (script, SCRIPT.format(name=name)),
            (f"usr/bin/{name}-manage", FAKE),
            ("DEBIAN/postinst", POSTINST.format(name=name)),
        )
        cloud.add(SUITE, "placement-api" if name == "placement" else name, VERSION, control=APACHE, files=files)
    cloud.add(SUITE, "nova-api", VERSION, control="Depends: python3\n", files=(
        ("etc/nova/nova.conf", "[database]\nconnection = sqlite:////var/lib/nova/nova.sqlite\n"),
        ("usr/bin/nova-api", NOVA_API), ("usr/bin/nova-manage", FAKE), ("usr/bin/mariadb", f"{FAKE}cat > /dev/null\n"),
        ("usr/lib/systemd/system/nova-api.service", UNIT.format(command="/usr/bin/nova-api")),
        ("DEBIAN/postinst", POSTINST.format(name="nova")),
    ))  # fmt: skip
    for name in ("nova-conductor", "nova-scheduler"):
        unit = (f"usr/lib/systemd/system/{name}.service", UNIT.format(command="/usr/bin/sleep infinity"))
        cloud.add(SUITE, name, VERSION, files=(unit,))


@dataclass(frozen=True)
class Ubuntu:
    """A node with the packages, configured and started as a site."""

    series: Series
    node: Node
    site: Site

    def start(self, name: str) -> None:
        application = next(each for each in self.site.applications if each.name == name)
        ROLES[name].start(self.site, application)

    def said(self, *argv: str) -> str:
        return self.node.run(argv, capture=True).stdout.strip()


@pytest.fixture(scope="module")
def ubuntu(session_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ubuntu]:
    home = tmp_path_factory.mktemp("ubuntu")
    target = NspawnTarget(home / "environments/a")
    with pytest.MonkeyPatch.context() as monkeypatch, mirrored(home / "cloud") as cloud:
        monkeypatch.setenv("XDG_CACHE_HOME", str(session_cache))
        fill(cloud)
        key = cloud.gnupg.parent / "own.gpg"  # not below /tmp, which nodes have for themselves
        shutil.copy(cloud.root / "own.gpg", key)
        series = Series(archives=(SeriesArchive(url=cloud.url, suite=SUITE, keyring=str(key)),))
        packages = ("apache2", "libapache2-mod-wsgi-py3", "python3-pymemcache", *SITES)
        try:
            with target.prepare(Pristine("bookworm", series, packages, ("keystone", "placement-api"))) as snapshot:
                (node,) = target.create(snapshot, ["one"])
            names = ["hello", "keystone", "placement-api", "nova-api", "nova-conductor", "nova-scheduler"]
            node.run(["apt-get", "--yes", "--no-install-recommends", "install", *names], online=True)
            yield Ubuntu(series, node, deployed(target, node))
        finally:
            target.destroy()


def deployed(target: NspawnTarget, node: Node) -> Site:
    """Carry the roles out; only what asks a whole cloud has no cloud to be asked."""

    def beside(argv: Any, **options: Any) -> Result:
        return target.beside(argv, **options) if "answer" in argv else Result((), 0)

    names = ("keystone", "placement", "nova")
    applications = tuple(Application(name, ROLES[name], (), (node.name,), {}) for name in names)
    site = Site({node.name: node}, beside, lambda *_: None, applications)
    for name, settings in (("mariadb", {}), ("rabbitmq", {"url": "rabbit://"})):
        there = {"node": node.name, "address": node.address, **settings}
        site.services[name] = Service(role=name, nodes=(node.name,), packages=(), settings=there)
    for application in applications:
        site.services[application.name] = ROLES[application.name].describe(site, application)
    for application in applications:
        ROLES[application.name].configure(site, application)
    assert not node.run(["systemctl", "is-active", "apache2.service"], check=False)
    for application in applications:
        ROLES[application.name].start(site, application)
    return site


def test_nodes_and_questions_have_the_archive(
    ubuntu: Ubuntu, session_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(session_cache))
    with (session_cache / "log").open("w") as log:
        for name, version in (("hello", VERSION), ("base-files", "12.")):
            assert series_index.newest_version("bookworm", ubuntu.series, name, log).version.startswith(version)
    assert ubuntu.said("dpkg-query", "--show", "--showformat=${Version}", "hello") == VERSION
    policy = ubuntu.said("apt-cache", "policy", "hello")
    assert f" 500 {ubuntu.series.archives[0].url} {SUITE}/main " in policy
    assert ubuntu.node.run(["test", "-e", ubuntu.series.archives[0].keyring])


def test_sites_and_daemons_are_found_configured_and_started(ubuntu: Ubuntu) -> None:
    found = {name: service.units for name, service in ubuntu.site.services.items() if name in ROLES and service.units}
    assert found == {
        "keystone": ("apache2.service",),
        "placement": ("apache2.service",),
        "nova": ("nova-api.service", "nova-conductor.service", "nova-scheduler.service"),
    }
    for unit in {unit for units in found.values() for unit in units}:
        assert ubuntu.said("systemctl", "is-active", unit) == "active"
    assert "mysql+pymysql://nova:" in ubuntu.node.read("/etc/nova/nova.conf")
    before = ubuntu.said("systemctl", "show", "--property=MainPID", "apache2.service")
    for name in ("placement", "keystone"):  # again, as after a change: the others are not disturbed
        ubuntu.start(name)
    assert ubuntu.said("systemctl", "show", "--property=MainPID", "apache2.service") == before


@contextmanager
def instead(ubuntu: Ubuntu, path: str, text: str) -> Iterator[None]:
    ubuntu.said("cp", "--preserve", path, "/var/tmp/kept")
    try:
        ubuntu.node.write(path, text)
        yield
    finally:
        ubuntu.said("mv", "/var/tmp/kept", path)


BROKEN = {
    "a script that raises": (
        "placement", "/usr/bin/placement-api", "raise RuntimeError('no schema')\n",
        r"is not well on one after \d+ s: http://.*:8778: status 500: .*RuntimeError: no schema",
    ),
    "a site with a syntax error": (
        "keystone", "/etc/apache2/sites-enabled/keystone.conf", "Listen 5000\nWSGIScriptAlias /\n",
        r"apache2ctl configtest on one: .*Syntax error on line 2 of .*keystone\.conf: WSGIScriptAlias requires",
    ),
    "a site whose script its package has not": (
        "keystone", "/etc/apache2/sites-enabled/keystone.conf", "Listen 5000\nWSGIScriptAlias / /usr/bin/none\n",
        "keystone.conf names the script /usr/bin/none, which is not on one",
    ),
    "a daemon that dies": (
        "nova", "/usr/bin/nova-api", "#!/bin/sh\necho fatal: no such option >&2\nexit 3\n",
        r"nova: nova-api\.service (starts and dies|does not start) on one \(exit-code\): fatal: no such option",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_broken_package_is_named(ubuntu: Ubuntu, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, path, text, message = BROKEN[what]
    with instead(ubuntu, path, text), monkeypatch.context() as patch:
        patch.setattr(waiting, "CROWDED_SECONDS", 30)
        ubuntu.site.servers.clear()
        with pytest.raises(Failed, match=message):
            ubuntu.start(name)
    ubuntu.site.servers.clear()
    ubuntu.said("systemctl", "reset-failed")  # else systemd refuses a unit that has died too often
    ubuntu.start(name)
