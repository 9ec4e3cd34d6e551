"""Installation of packages on a node with apt; each kind of failure has its own message.

Maintainer scripts do not start services (policy-rc.d(8)): roles start them after configuration.  An upgrade is that of a
machine in use: maintainer scripts restart services, and changed configuration files stay.
apt downloads packages where the mirrors are reachable, and installs them where they are not.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from debian.deb822 import Packages
from debian.debian_support import Version

from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError
from lab.base.run import last_words
from lab.store.archive import ArchiveReader
from lab.store.step import architecture
from scripts.chroots.bootstrap import APT_GET, RECOMMENDED, Repository, preseed
from scripts.deployment import hanging
from scripts.drivers.interfaces import Node
from scripts.services.deployed_state import Installed
from scripts.services.units import NOTE_PRISTINE

DEFAULT_MINUTES = 30.0
FULL = "No space left on device"
UNMET = re.compile(r"^ +(?P<package>\S+) : (?P<why>(?:Pre)?Depends: .*|Conflicts: .*|Breaks: .*)$")
# Of a file, the name of its package: apt numbers those that it hands to dpkg in a directory.
UNPROCESSED = re.compile(
    r"^dpkg: error processing (?:package|archive) (?:\S*/apt-dpkg-install-\w+/\d+-|\S*/)?(?P<package>[^\s_]+)\S* \(--\w+\):$"
)
# What dpkg and apt tell of packages that they handle well.
PROGRESS = re.compile(
    r"(?:Setting up|Processing triggers for|Preparing to unpack|Unpacking|Selecting previously unselected package|Removing) "
    r"|\(Reading database "
)
# The last line of what apt tells of its plan, before dpkg begins.
PLANNED = "After this operation, "
MISSING = re.compile(
    r"^E: (?:Unable to locate package (?P<one>\S+)|Package '(?P<other>\S+)' has no installation candidate)$"
)
REMOVED = re.compile(r"^(?:Remv|Purg) (?P<package>\S+) \[(?P<version>[^\]]+)\]")
ENDED = "it ended without a word"
KEEP_SETTINGS = "--option Dpkg::Options::=--force-confdef --option Dpkg::Options::=--force-confold"
POLICY_LAYER = "/usr/sbin/policy-rc.d"
# Lines of sh: let maintainer scripts start and restart services until the shell ends.
WITH_SERVICES = f"""\
if [ -e {POLICY_LAYER} ]; then
    mv {POLICY_LAYER} {POLICY_LAYER}.kept
    trap 'mv {POLICY_LAYER}.kept {POLICY_LAYER}' EXIT
fi
"""
# What the shell of an installation prints last when its node goes down: systemd ends all programs with SIGTERM then.
GOES_DOWN = "qalab: the node goes down"
# $1: a command of apt.  The node can still be about to go down when apt has ended.
WATCHED = f"""\
trap 'echo "{GOES_DOWN}"' TERM
code=0
sh -euc "$1" || code=$?
[ "$(systemctl is-system-running 2> /dev/null)" != stopping ] || {{ echo "{GOES_DOWN}"; exit 1; }}
exit "$code"
"""
HANDLED = re.compile(r"(?:Setting up|Preparing to unpack|Unpacking|Removing) (?:\S*/(?:\d+-)?)?(?P<package>[^\s_:]+)")
ABOUT_APT = re.compile(r"^E: (?P<why>.*)$")
QUERY = "${Package}\t${Version}\t${source:Package}\t${source:Version}\t${db:Status-Status}\n"
# The line of apt-cache policy for an installed version that is pinned above all others.
POLICY = re.compile(r"^ \*\*\* \S+ 1001$")
# A place that has it, such as " 500 http://deb.example/debian bookworm/main amd64 Packages".
PLACE = re.compile(r"^ +-?\d+ (?P<place>\S+ \S+) \S+ Packages$")


class NoSuchPackage(ConfigurationError):
    """No archive has a package that is to be installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no archive has the package {name}", hint="name the packages in deployment.applications")
        self.name = name


def offered(archive: ArchiveReader, suite: str) -> dict[str, tuple[str, str]]:
    """Return version and source package by binary package, for this machine's architecture."""
    return {item["Package"]: (item["Version"], str(item.source)) for item in _index(archive, suite)}


def sources(archive: ArchiveReader, suite: str) -> dict[str, str]:
    """Return the newest version of each source package that has binary packages in an archive.

    The version of a binary package can differ from its source's: see deb-src-control(5), and `dpkg-gencontrol -v`.
    """
    found: dict[str, Version] = {}
    for item in _index(archive, suite):
        name, version = str(item.source), Version(str(item.source_version))
        found[name] = max(found.get(name, version), version)
    return {name: str(version) for name, version in found.items()}


def _index(archive: ArchiveReader, suite: str) -> Iterator[Packages]:
    text = archive.index(suite, f"main/binary-{architecture()}/Packages")
    yield from Packages.iter_paragraphs(text, use_apt_pkg=False)


def built(archive: Mapping[str, tuple[str, str]]) -> dict[str, list[str]]:
    """Return the binary packages by source package, without packages of debugging symbols."""
    found: dict[str, list[str]] = {}
    for name, (_, source) in sorted(archive.items()):
        if not name.endswith("-dbgsym"):
            found.setdefault(source, []).append(name)
    return found


def install(  # noqa: PLR0913 - what an installation depends on
    node: Node,
    names: Sequence[str],
    repository: Repository | None,
    answers: Sequence[str] = (),
    minutes: float = DEFAULT_MINUTES,
    *,
    recommends: bool = False,
) -> None:
    """Install packages; ``answers``: for debconf, see debconf-set-selections(1); ``recommends``: with what they recommend.

    Raises Failed when they cannot be installed or a maintainer script does not end within ``minutes``,
    InfrastructureError when they cannot be downloaded.
    """
    node.run(["sh", "-euc", NOTE_PRISTINE])
    if repository:
        node.run(["sh", "-euc", repository.setup])
    if answers:
        node.run(["sh", "-euc", preseed(answers)])
    with hanging.limited(node, minutes):
        more = f" {RECOMMENDED}" if recommends else ""
        _carry_out(node, f"{APT_GET}{more} {{}} install {shlex.join(names)}")


def upgrade(
    node: Node,
    names: Sequence[str],
    repository: Repository | None,
    minutes: float = DEFAULT_MINUTES,
    *,
    keeps_all: bool = True,
) -> None:
    """Upgrade installed packages as on a machine in use; without ``names``, all that have a newer version.

    Raises Failed when apt removes a package for it, where ``keeps_all``, and as `install` does.
    """
    if repository:
        node.run(["sh", "-euc", repository.setup])
    what = f"install {shlex.join(names)}" if names else "full-upgrade"
    with hanging.limited(node, minutes):
        _carry_out(node, f"{APT_GET} {KEEP_SETTINGS} {{}} {what}", before=WITH_SERVICES, keeps_all=keeps_all)


def removed_by_upgrade(node: Node) -> set[str]:
    """Return the packages that a full upgrade to what apt knows now would remove."""
    _, lines = node.attempt(["sh", "-euc", f"{APT_GET} --simulate full-upgrade"])
    return {match["package"].partition(":")[0] for match in _removals(lines)}


def _carry_out(node: Node, command: str, *, before: str = "", keeps_all: bool = False) -> None:
    """Carry out a command of apt, which has a place for one more option; ``before``: lines of sh for the installation."""
    if lines := failed(node, "apt-get --quiet update", online=True):
        _refuse_full(node, lines)
        raise InfrastructureError(f"{node.name}: apt-get update: {_first(lines, ABOUT_APT)}")
    simulated, lines = node.attempt(["sh", "-euc", command.format("--simulate")])
    if not simulated:
        raise unmet(lines)
    if keeps_all and (removed := [match.group(1, 2) for match in _removals(lines)]):
        raise Failed(f"the upgrade removes {', '.join(' '.join(each) for each in removed)} from {node.name}")
    if not any(line.startswith("Inst ") for line in lines):
        return  # all is in the pristine state
    if lines := failed(node, command.format("--download-only"), online=True):
        _refuse_full(node, lines)
        raise InfrastructureError(f"{node.name}: packages cannot be fetched: {_first(lines, ABOUT_APT)}")
    result, lines = node.attempt(["sh", "-uc", WATCHED, "sh", before + command.format("--no-download")])
    if not result:
        _refuse_full(node, lines)
        if GOES_DOWN in lines:
            raise gone_down(node.name, lines)
        raise unprocessed(lines or [ENDED])


def _removals(lines: Sequence[str]) -> Iterator[re.Match[str]]:
    return (match for line in lines if (match := REMOVED.match(line)))


def failed(node: Node, script: str, *, online: bool = False) -> list[str]:
    """Return the output of a shell script that failed; an empty list when it succeeded."""
    result, lines = node.attempt(["sh", "-euc", script], online=online)
    return [] if result else lines or [ENDED]


def unmet(lines: Sequence[str]) -> LabError:
    """Return why apt finds no way to install packages; a name that apt does not know is the lab's own."""
    if missing := next((match for line in lines if (match := MISSING.match(line))), None):
        return NoSuchPackage(missing["one"] or missing["other"])
    reasons = [f"{match['package']}: {match['why']}" for line in lines if (match := UNMET.match(line))]
    return Failed(f"cannot be installed: {reasons[0] if reasons else _first(lines, ABOUT_APT)}")


def unprocessed(lines: Sequence[str]) -> LabError:
    """Return why dpkg did not finish: the first package that it names, and that package's error."""
    for number, line in enumerate(lines):
        if match := UNPROCESSED.match(line):
            why = lines[number + 1].strip() if number + 1 < len(lines) else ""
            begun = max((at for at, each in enumerate(lines[:number], 1) if each.startswith(PLANNED)), default=0)
            said = last_words([each for each in lines[begun:number] if not PROGRESS.match(each)])
            evidence = f" ({said})" if said else ""
            return Failed(f"the package {match['package']} cannot be installed: {why}{evidence}")
    return InfrastructureError(f"apt-get: {_first(lines, ABOUT_APT)}")


def gone_down(node: str, lines: Sequence[str]) -> Failed:
    """Return the fault of a maintainer script that ends its node: that of the last package, or of one before it."""
    handled = [match["package"] for line in lines if (match := HANDLED.match(line))]
    last = handled[-1] if handled else "apt"
    return Failed(
        f"{node} shuts down or reboots while {last} is installed: a maintainer script, its own or an earlier one, asks for it"
    )


def _refuse_full(node: Node, lines: Sequence[str]) -> None:
    if any(FULL in line for line in lines):
        raise InfrastructureError(f"the disk of {node.name} is full: {FULL}")


def _first(lines: Sequence[str], pattern: re.Pattern[str]) -> str:
    return next((match["why"] for line in lines if (match := pattern.match(line))), lines[-1])


def installed(node: Node, repository: Repository | None, archive: Mapping[str, tuple[str, str]]) -> list[Installed]:
    """Return the packages on a node; for packages in the lab's archive, with their origin.

    Raises InfrastructureError for a package of the lab's archive that apt took from elsewhere.
    """
    listed = node.run(["dpkg-query", "--show", f"--showformat={QUERY}"], capture=True).stdout.splitlines()
    rows = [line.split("\t") for line in listed]
    packages = {name: of for name, *of, status in rows if status == "installed"}
    names = sorted(packages.keys() & archive.keys()) if repository else []
    proven = (
        from_archive(node.run(["apt-cache", "policy", *names], capture=True).stdout, repository) if names else set()
    )
    for name in names:
        if name not in proven or packages[name][0] != archive[name][0]:
            found = f"{name} {packages[name][0]}"
            if packages[name][0] == archive[name][0]:
                raise InfrastructureError(f"{found} is from {origin(node, name)}, and not from the lab's archive")
            raise InfrastructureError(f"{found} is installed, and not the {archive[name][0]} to be tested")
    return [
        Installed(
            node=node.name,
            name=name,
            version=version,
            source=source,
            source_version=source_version,
            ours=name in proven,
        )
        for name, (version, source, source_version) in sorted(packages.items())
    ]


def from_archive(policy: str, repository: Repository | None) -> set[str]:
    """Return the packages whose installed version comes from an archive pinned above all others.

    ``policy``: the output of ``apt-cache policy``.
    """
    found, name, current = set(), "", False
    places = repository.places if repository else ()
    for line in policy.splitlines():
        if not line.startswith(" "):
            name = line.rstrip(":")
        elif not line.startswith(" " * 6):  # a version; the lines after it are its sources
            current = bool(POLICY.match(line))
        elif current and any(place in line for place in places):
            found.add(name)
    return found


def origin(node: Node, name: str) -> str:
    """Return the origin of a package's installed version: "URL SUITE/AREA", or "no archive"."""
    installed = False
    for line in node.run(["apt-cache", "policy", name], capture=True).stdout.splitlines():
        if line.startswith(" *** "):
            installed = True
        elif installed and not line.startswith(" " * 6):
            break
        elif installed and (match := PLACE.match(line)):
            return match["place"]
    return "no archive"
