"""Roles on nodes whose packages serve APIs as Debian's do, and as Ubuntu's do with several versions of OpenStack."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, Failed
from lab.base.run import Result
from lab.config.description import Lab
from scripts.deployment import planner
from scripts.drivers.topology import Application
from scripts.roles.registry import ROLES
from scripts.services import serving
from scripts.services.api_server import ASK, ApiServer, ask
from scripts.services.site import Site
from tests.scripts.roles.test_roles import Node

APIS = ("keystone", "placement-api", "nova-api", "nova-api-metadata", "neutron-api", "cinder-api")
MASKED = "masked"  # in files: the name of a unit
PROJECTS = {"placement-api": "placement", "keystone": "keystone", "cinder-api": "cinder"} | {
    name: name.partition("-")[0] for name in ("nova-api", "nova-api-metadata", "neutron-api")
}


def units(*names: str) -> dict[str, str]:
    return {f"/usr/lib/systemd/system/{name}.service": "[Service]\n" for name in names}


def site(path: str, port: int, script: str, log: str) -> dict[str, str]:
    """A site as the packages have it; its script is there."""
    text = (
        f"Listen {port}\n\n<VirtualHost *:{port}>\n    WSGIScriptAlias / {script}\n"
        f"    WSGIDaemonProcess x processes=5 threads=1 user=x group=x\n    ErrorLog {log}\n</VirtualHost>\n"
    )
    return {f"/etc/apache2/{path}": text, script: ""}


KEYSTONE = site("sites-enabled/keystone.conf", 5000, "/usr/bin/keystone-wsgi-public", "/var/log/apache2/keystone.log")
SHARED = {
    **KEYSTONE,
    **site(
        "sites-enabled/placement-api.conf", 8778, "/usr/bin/placement-api", "${APACHE_LOG_DIR}/placement_api_error.log"
    ),
    **site("conf-enabled/cinder-wsgi.conf", 8776, "/usr/bin/cinder-wsgi", "/var/log/apache2/cinder_error.log"),
    **units("glance-api"),
}
PACKAGINGS: dict[str, dict[str, str]] = {
    "debian": {
        **units(*APIS, "neutron-rpc-server", "glance-api"),
        **{f"/etc/{PROJECTS[name]}/{name}-uwsgi.ini": "[uwsgi]\n" for name in APIS},
        "/etc/glance/glance-manage.conf": "",
    },
    # Ubuntu 24.04, and the cloud archive of Epoxy.
    "caracal": {**SHARED, **units("nova-api", "neutron-server")},
    # Ubuntu 26.04; nova-api-metadata is a package of its own.
    "gazpacho": {
        **SHARED,
        **units("neutron-rpc-server", "neutron-periodic-workers"),
        **site("sites-enabled/nova-api.conf", 8774, "/usr/bin/nova-api-wsgi", "/var/log/apache2/nova_api_error.log"),
        **site("sites-enabled/nova-api-metadata.conf", 8775, "/usr/bin/nova-metadata-wsgi", "/var/log/apache2/m.log"),
        **site("sites-enabled/neutron-api.conf", 9696, "/usr/share/neutron/neutron-api.wsgi", "/var/log/apache2/n.log"),
    },
}


@dataclass
class PackagedNode(Node):
    """A node with the files of packages below ``root``; programs that look at files see these."""

    root: Path = field(default_factory=Path)

    def run(self, argv: Any, *, check: bool = True, **options: Any) -> Result:
        super().run(argv)
        words = [*map(str, argv)]
        if ASK in words:
            script = ASK.replace("/usr/lib /lib", f"{self.root}/usr/lib {self.root}/lib").replace(
                "/etc", f"{self.root}/etc"
            )
            done = subprocess.run(["sh", "-c", script, *words[3:]], check=True, capture_output=True, text=True)
            return Result(tuple(words), 0, done.stdout.replace(str(self.root), ""))
        if words[:2] == ["test", "-e"]:
            return Result(tuple(words), int(not (self.root / words[2].lstrip("/")).exists()))
        if words[:2] == ["systemctl", "show"]:
            names = words[words.index("--") + 1 :]
            places = ("usr/lib/systemd/system/{}.service", "etc/init.d/{}")  # of both, systemd has a unit
            there = [
                any((self.root / place.format(name.removesuffix(".service"))).exists() for place in places)
                for name in names
            ]
            masked = [(self.root / "etc/systemd/system" / name).is_symlink() for name in names]
            states = [
                "masked" if off else "loaded" if it else "not-found" for it, off in zip(there, masked, strict=True)
            ]
            return Result(tuple(words), 0, "\n\n".join(f"LoadState={state}" for state in states))
        return Result(tuple(words), 0)


@pytest.fixture
def packaged(tmp_path: Path) -> Callable[[dict[str, str]], PackagedNode]:
    def make(files: dict[str, str]) -> PackagedNode:
        for path, text in files.items():
            if path == MASKED:
                (tmp_path / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
                (tmp_path / "etc/systemd/system" / text).symlink_to("/dev/null")
                continue
            place = tmp_path / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        for top in ("etc", "usr/lib", "lib"):
            (tmp_path / top).mkdir(parents=True, exist_ok=True)
        return PackagedNode("node0", "10.20.0.10", root=tmp_path)

    return make


def cloud(node: PackagedNode) -> Site:
    """Return a whole cloud, configured on a node."""
    names = [name for name in ROLES if name not in {"package", "nova-compute"}]
    applications = {name: Application(name, ROLES[name], (), ("node0",), {}) for name in names}
    made = Site({"node0": node}, lambda *_, **__: Result((), 0), lambda *_: None, tuple(applications.values()))
    for name, application in applications.items():
        made.services[name] = ROLES[name].describe(made, application)
    for name, application in applications.items():
        ROLES[name].configure(made, application)
    return made


@pytest.mark.parametrize(
    "packaging, role, expected",
    [
        ("debian", "keystone", "keystone"),
        ("debian", "placement", "placement-api"),
        ("debian", "glance", "glance-api"),
        ("debian", "nova", "nova-api nova-api-metadata nova-conductor nova-scheduler"),
        ("debian", "neutron", "neutron-api neutron-rpc-server"),
        ("debian", "cinder", "cinder-api cinder-scheduler cinder-volume"),
        ("caracal", "keystone", "apache2"),
        ("caracal", "placement", "apache2"),
        ("caracal", "glance", "glance-api"),
        ("caracal", "nova", "nova-api nova-conductor nova-scheduler"),
        ("caracal", "neutron", "neutron-server"),
        ("caracal", "cinder", "apache2 cinder-scheduler cinder-volume"),
        ("gazpacho", "nova", "apache2 nova-conductor nova-scheduler"),
        ("gazpacho", "neutron", "apache2 neutron-rpc-server neutron-periodic-workers"),
        ("gazpacho", "cinder", "apache2 cinder-scheduler cinder-volume"),
    ],
)
def test_units_follow_the_packages(
    packaged: Callable[[dict[str, str]], PackagedNode], packaging: str, role: str, expected: str
) -> None:
    found = cloud(packaged(PACKAGINGS[packaging])).services[role].units
    agents = ("neutron-openvswitch", "neutron-dhcp", "neutron-l3", "neutron-metadata", "ovs-")
    assert " ".join(unit.removesuffix(".service") for unit in found if not unit.startswith(agents)) == expected


@pytest.mark.parametrize("packaging", PACKAGINGS)
def test_only_files_of_the_packaging_are_configured(
    packaged: Callable[[dict[str, str]], PackagedNode], packaging: str
) -> None:
    node = packaged(PACKAGINGS[packaging])
    cloud(node)
    debian = {path for path in PACKAGINGS["debian"] if path.startswith("/etc/")}
    assert {path for path in node.files if path in debian} == (debian if packaging == "debian" else set())
    assert {"/etc/keystone/keystone.conf", "/etc/nova/nova.conf", "/etc/neutron/neutron.conf"} <= node.files.keys()


def keystone() -> Application:
    return Application("keystone", ROLES["keystone"], (), ("node0",), {})


@pytest.mark.parametrize(
    "files, port, names, expected",
    [
        (KEYSTONE, 5000, ["keystone"], ApiServer("apache2.service", site="/etc/apache2/sites-enabled/keystone.conf",
         script="/usr/bin/keystone-wsgi-public", log="/var/log/apache2/keystone.log")),
        (SHARED, 8778, ["placement-api"], ApiServer("apache2.service", site="/etc/apache2/sites-enabled/placement-api.conf",
         script="/usr/bin/placement-api", log="/var/log/apache2/placement_api_error.log")),
        ({"/etc/apache2/sites-enabled/a.conf": "  Listen 127.0.0.1:8774\n"}, 8774, ["nova-api"],
         ApiServer("apache2.service", site="/etc/apache2/sites-enabled/a.conf")),
        # A unit of its own takes precedence over a site that an older version has left.
        (units("nova-api") | site("sites-enabled/nova-api.conf", 8774, "/usr/bin/x", "/y"), 8774, ["nova-api"],
         ApiServer("nova-api.service")),
        ({"/etc/systemd/system/nova-api.service": ""}, 8774, ["nova-api"], ApiServer("nova-api.service")),
        # Of two ways, the one that is not masked.
        (units("neutron-server") | {MASKED: "neutron-server.service"} | site("sites-enabled/n.conf", 9696, "/usr/bin/n", "/n.log"),
         9696, ["neutron-api", "neutron-server"],
         ApiServer("apache2.service", site="/etc/apache2/sites-enabled/n.conf", script="/usr/bin/n", log="/n.log")),
        (units("neutron-server", "neutron-api") | {MASKED: "neutron-api.service"}, 9696, ["neutron-api", "neutron-server"],
         ApiServer("neutron-server.service")),
        # Names of directives are in any case, and lines of any end.
        ({"/etc/apache2/sites-enabled/k.conf": "LISTEN [::]:5000\r\nwsgiscriptalias / /usr/bin/k\r\nerrorlog /k.log\r\n"}, 5000, ["k"],
         ApiServer("apache2.service", site="/etc/apache2/sites-enabled/k.conf", script="/usr/bin/k", log="/k.log")),
    ],
)  # fmt: skip
def test_server_of_a_port(
    packaged: Callable[[dict[str, str]], PackagedNode],
    files: dict[str, str],
    port: int,
    names: list[str],
    expected: ApiServer,
) -> None:
    assert ask(packaged(files), keystone(), port, names) == expected


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"/etc/apache2/sites-enabled/other.conf": "Listen 50001\n"},
        {"/etc/apache2/sites-enabled/off.conf": "# Listen 5000\n"},
        {"/etc/apache2/sites-available/keystone.conf": "Listen 5000\n"},
    ],
)
def test_port_that_nothing_serves_is_a_fault_of_the_package(
    packaged: Callable[[dict[str, str]], PackagedNode], files: dict[str, str]
) -> None:
    with pytest.raises(
        Failed, match=r"nothing serves port 5000 on node0: neither keystone\.service nor a site of Apache"
    ):
        ask(packaged(files), keystone(), 5000, ["keystone"])


def test_worker_that_is_masked_is_not_started(packaged: Callable[[dict[str, str]], PackagedNode]) -> None:
    node = packaged(PACKAGINGS["gazpacho"] | {MASKED: "neutron-periodic-workers.service"})
    assert cloud(node).services["neutron"].units[:2] == ("apache2.service", "neutron-rpc-server.service")
    assert not [words for words in node.asked if "restart neutron-periodic" in words]


def test_apache_is_started_and_never_restarted(packaged: Callable[[dict[str, str]], PackagedNode]) -> None:
    node = packaged(PACKAGINGS["gazpacho"])
    made = cloud(node)
    node.asked.clear()
    for application in made.applications:
        for server in {server for (_, port), server in made.servers.items() if port in {5000, 8774, 8778}}:
            serving.start(made, application, server)
    assert {words for words in node.asked if words.startswith("systemctl")} == {"systemctl start apache2.service"}
    assert "touch /usr/bin/keystone-wsgi-public" in node.asked


def test_site_whose_script_is_missing_is_a_fault_of_the_package(
    packaged: Callable[[dict[str, str]], PackagedNode],
) -> None:
    node = packaged({path: text for path, text in KEYSTONE.items() if path.startswith("/etc/")})
    made = Site({"node0": node}, lambda *_, **__: Result((), 0), lambda *_: None, (keystone(),))
    with pytest.raises(Failed, match=r"keystone\.conf names the script /usr/bin/keystone-wsgi-public, which is not on"):
        serving.start(made, keystone(), made.server(keystone(), 5000, "keystone"))


UCA = {"url": "http://cloud.example/ubuntu", "keyring": "/usr/share/keyrings/cloud.gpg"}
SPLIT = "neutron-api neutron-rpc-server neutron-periodic-workers"
OVS_AGENTS = "neutron-dhcp-agent neutron-l3-agent neutron-metadata-agent neutron-openvswitch-agent"


@pytest.mark.parametrize(
    "series, cloud, options, role, expected, absent",
    [
        (
            "bookworm",
            "",
            {},
            "neutron",
            "neutron-api neutron-rpc-server " + OVS_AGENTS,
            "neutron-periodic-workers ovn-host",
        ),
        ("trixie", "", {}, "neutron", SPLIT, "neutron-server"),
        ("sid", "", {}, "neutron", SPLIT, "neutron-server"),
        ("jammy", "", {}, "neutron", "neutron-server neutron-plugin-ml2", "neutron-api"),
        ("noble", "", {}, "neutron", "neutron-server neutron-plugin-ml2", "neutron-api"),
        ("noble", "noble-updates/epoxy", {}, "neutron", "neutron-server", "neutron-api"),
        ("noble", "noble-updates/flamingo", {}, "neutron", SPLIT, "neutron-server"),
        ("noble", "noble-proposed/gazpacho", {}, "neutron", SPLIT, "neutron-server"),
        ("noble", "stable", {}, "neutron", "neutron-server", "neutron-api"),
        ("resolute", "", {}, "neutron", SPLIT, "neutron-server"),
        ("noble", "", {"mechanism": "ovn"}, "neutron", "ovn-central ovn-host neutron-ovn-metadata-agent", OVS_AGENTS),
        ("trixie", "", {"mechanism": "ovn"}, "neutron", "ovn-central ovn-host neutron-api", OVS_AGENTS),
        ("jammy", "", {"mechanism": "ovn"}, "neutron", "ovn-central ovn-host neutron-server", OVS_AGENTS),
        ("noble", "", {"mechanism": "ovn"}, "nova-compute", "ovn-host nova-compute", "ovn-central " + OVS_AGENTS),
        ("noble", "", {}, "nova-compute", "neutron-openvswitch-agent nova-compute", "ovn-host"),
        ("noble", "", {}, "placement", "placement-api python3-pymysql", ""),
        ("noble", "", {}, "nova", "nova-api nova-conductor nova-scheduler", "nova-api-metadata"),
        ("noble", "noble-updates/flamingo", {}, "nova", "nova-api nova-api-metadata", ""),
        ("resolute", "", {}, "nova", "nova-api nova-api-metadata", ""),
        ("trixie", "", {}, "nova", "nova-api", "nova-api-metadata"),
    ],
)
def test_packages_of_a_role_follow_series_and_mechanism(  # noqa: PLR0917 - the columns of the table
    lab_factory: Callable[..., Lab],
    series: str,
    cloud: str,
    options: dict[str, str],
    role: str,
    expected: str,
    absent: str,
) -> None:
    described = {
        "distribution": "debian" if series in {"bookworm", "trixie", "sid"} else "ubuntu",
        "archives": [{**UCA, "suite": cloud}] if cloud else [],
    }
    applications = {name: {"role": name} for name in {role, "neutron"}}
    applications["neutron"]["options"] = options  # type: ignore[assignment]
    lab = lab_factory(
        name=role,
        track={"series": series},
        lab={"series": {series: described}, "deployment": {"applications": applications}},
    )
    found = next(each for each in planner.topology(lab, "trunk", role, {}).applications if each.name == role)
    assert {*expected.split()} <= {*found.packages}
    assert not {*absent.split()} & {*found.packages}


def test_ovn_is_refused_where_neutron_has_it_not(lab_factory: Callable[..., Lab]) -> None:
    """Seen on Debian 12: the ring of workers stays empty, so no agent is ever alive."""
    applications = {"neutron": {"role": "neutron", "options": {"mechanism": "ovn"}}}
    lab = lab_factory(name="neutron", lab={"deployment": {"applications": applications}})
    with pytest.raises(ConfigurationError, match="the option mechanism of neutron: neutron of zed, which uWSGI serves"):
        planner.topology(lab, "trunk", "neutron", {})
