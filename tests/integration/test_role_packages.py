"""What roles name is in Debian's packages: units, files, programs and users of each row of tests/data/roles.

Only packages of the projects are downloaded, and none is installed.  A file is there when a package has it or a
maintainer script writes it; the lab's own files need the directory only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from debian.deb822 import PkgRelation
from debian.debfile import DebFile

from lab.base.run import output, run
from lab.config import apt
from lab.config.description import Series
from scripts.archives.private_apt import own_apt
from tests.scripts.roles.test_golden_roles import TABLES

pytestmark = pytest.mark.integration
SERIES: Final = {"bookworm": ("debian-12",), "trixie": ("debian-13", "debian-13-ovn")}
PROJECTS: Final = re.compile(
    r"(?:python3-)?(?:keystone|glance|placement|nova|neutron|cinder|pymemcache)(?:$|-(?!lib|store|client|auth|middleware))"
    r"|(?:openvswitch|ovn|mariadb|rabbitmq|memcached|libvirt-daemon|genisoimage|dbus|iproute2|systemd$)"
)
MERGED: Final = re.compile(r"^/(?:usr/)?(s?bin|lib)/")
OWN: Final = {  # with what has to be there for them
    "/etc/mysql/mariadb.conf.d/99-lab.cnf": "/etc/mysql/mariadb.conf.d",
    "/etc/rabbitmq/definitions.json": "", "/etc/rabbitmq/rabbitmq.conf": "",  # its maintainer script makes the directory
    "/etc/modprobe.d/openvswitch.conf": "", "/etc/cinder/nfs_shares": "/etc/cinder", "/sbin/mount.nfs": "",
}  # fmt: skip
ESSENTIAL: Final = frozenset({"bash", "chown", "install", "runuser", "sh"})
USER: Final = re.compile(r"runuser -u (\w+)|--owner=(\w+)|--keystone-user (\w+)|chown --recursive (\w+)")
# These have no unit of their own: systemd makes one of an init script.
INIT_SCRIPTS: Final = {"neutron-periodic-workers.service"}


def merged(path: str) -> str:
    return MERGED.sub(r"/usr/\1/", path)


@dataclass
class Packages:
    """Packages of a series, by name: the paths, the maintainer scripts and the dependencies of each."""

    paths: dict[str, set[str]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    needs: dict[str, set[str]] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        with path.open("rb") as stream, closing(DebFile(fileobj=stream)) as deb:
            control, scripts = deb.debcontrol(), deb.control.scripts()
            name = control["Package"]
            self.paths[name] = {merged(each.removeprefix(".")) for each in deb.data.tgz().getnames()}
        self.files[name] = path
        self.scripts[name] = "".join(scripts[each].decode() for each in ("preinst", "postinst") if each in scripts)
        fields = [control[each] for each in ("Depends", "Pre-Depends") if control.get(each)]
        groups = [group for each in fields for group in PkgRelation.parse_relations(each)]
        self.needs[name] = {str(each["name"]) for group in groups for each in group}

    def content(self, name: str, path: str) -> str:
        with self.files[name].open("rb") as stream, closing(DebFile(fileobj=stream)) as deb:
            return deb.data.get_content(path).decode()

    def needed_by(self, names: set[str]) -> set[str]:
        """Return packages with those that they depend on, of the projects."""
        found, left = set[str](), [*names]
        while left:
            name = left.pop()
            if name in self.needs and name not in found:
                found.add(name)
                left += self.needs[name]
        return found

    def have(self, path: str, names: set[str]) -> bool:
        return any(merged(path) in self.paths[name] for name in names)

    def write(self, path: str, names: set[str]) -> bool:
        """Return whether a maintainer script writes a file: by its path, or by openstack-pkg-tools' function."""
        directory, _, name = path.rpartition("/")
        written = f"pkgos_write_new_conf {directory.removeprefix('/etc/')} {name}\n"
        return any(
            written in self.scripts[each] or re.search(rf"^\s*(?:\w+=|.*[ >]){re.escape(path)}\s*$", self.scripts[each], re.MULTILINE)
            for each in names
        )  # fmt: skip

    def add_user(self, user: str, names: set[str]) -> bool:
        return any(
            re.search(rf"pkgos_var_user_group {user}\b|adduser .*\b{user}\b", self.scripts[each]) for each in names
        )


@pytest.fixture(scope="module", params=SERIES)
def series(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Packages]:
    home = tmp_path_factory.mktemp(request.param)
    described = Series(pockets=("updates", "security"))
    options = own_apt(home, apt.sources(request.param, described))
    run(["apt-get", *options, "update", "--error-on=any"])
    everything = {
        row.split()[1] for name in SERIES[request.param] for _, row in rows(name) if row.startswith("package ")
    }
    argv = ["apt-get", *options, "--no-install-recommends", "--simulate", "install", *sorted(everything)]
    wanted = [name for name in re.findall(r"^Inst (\S+) ", output(argv), re.MULTILINE) if PROJECTS.match(name)]
    debs = home / "debs"
    debs.mkdir()
    run(["apt-get", *options, "download", *wanted], cwd=debs)
    made = Packages()
    for deb in debs.glob("*.deb"):
        made.read(deb)
    return request.param, made


def rows(table: str) -> Iterator[tuple[str, str]]:
    """Yield the rows of a table, each with its role."""
    role = ""
    for line in (TABLES / f"{table}.txt").read_text().splitlines():
        if line.startswith(" "):
            yield role, line.strip()
        else:
            role = line


def wrong(row: str, packages: Packages, names: set[str]) -> str:
    """Return what a row of a role names and its packages do not have; "" for nothing."""
    words = row.split()
    if words[0] == "unit":
        unit = f"/usr/lib/systemd/system/{words[1]}"
        script = f"/etc/init.d/{words[1].removesuffix('.service')}"
        return "" if packages.have(script if words[1] in INIT_SCRIPTS else unit, names) else unit
    if words[1] == "file":
        path = OWN.get(words[2], words[2])
        return "" if not path or packages.have(path, names) or packages.write(path, names) else path
    if words[0] == "package":
        return ""
    for user in filter(None, USER.findall(row)[0] if USER.search(row) else ()):
        if not packages.add_user(user, names):
            return f"the user {user}"
    programs = {words[2], *re.findall(r"(?<= )(?:[a-z-]+-manage|ov[sn]-[a-z]+ctl)(?= )", row)} - ESSENTIAL
    absent = [
        each for each in programs if not any(packages.have(f"/usr/{place}/{each}", names) for place in ("bin", "sbin"))
    ]
    return ", ".join(absent)


ROWS: Final = {
    "unit nova-apo.service": "/usr/lib/systemd/system/nova-apo.service",
    "node0 file /etc/nova/none.conf": "/etc/nova/none.conf",
    "node0 configure runuser -u nobody -- nova-manage db sync": "the user nobody",
    "node0 configure runuser -u nova -- nava-manage db sync": "nava-manage",
    "node0 start no-such-program": "no-such-program",
    "node0 file /etc/nova/nova.conf": "",
    "node0 configure runuser -u nova -- nova-manage db sync": "",
}


@pytest.mark.parametrize("row", ROWS)
def test_row_of_no_package_is_found(series: tuple[str, Packages], row: str) -> None:
    _, packages = series
    assert wrong(row, packages, packages.needed_by({"nova-api"})) == ROWS[row]


def test_rows_are_in_packages(series: tuple[str, Packages]) -> None:
    codename, packages = series
    found = {}
    for table in SERIES[codename]:
        by_role: dict[str, list[str]] = {}
        for role, row in rows(table):
            by_role.setdefault(role, []).append(row)
        for role, its in by_role.items():
            named = {row.split()[1] for row in its if row.startswith("package ")}
            names = packages.needed_by(named | {"systemd", "dbus", "iproute2"})
            found |= {(table, role, row): absent for row in its if (absent := wrong(row, packages, names))}
    assert not found


def test_releases_of_glance_that_know_an_option(series: tuple[str, Packages]) -> None:
    """The first release with the option is 2025.1, that of Debian 13; an older one passes over what it does not know."""
    codename, packages = series
    known = packages.content("python3-glance", "/usr/lib/python3/dist-packages/glance/common/config.py")
    assert ("require_image_format_match" in known) == (codename == "trixie")
