"""The systemd units of an application's packages that a boot would start, as their packaging enables them.

The packages are those of the application and their dependencies.  A layer saves the links that enable units (see
`scripts.drivers.layers`), so that no service starts when a node boots: this module restores them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import chain

from debian.deb822 import PkgRelation

from lab.base.errors import InfrastructureError
from scripts.drivers.interfaces import Node

ETC = "/etc"
KEPT = "/var/lib/qalab/links"
PRISTINE = "/var/lib/qalab/pristine"
# Lines of sh: note the packages that were there before anything was installed.
NOTE_PRISTINE = f"""\
if [ ! -e {PRISTINE} ]; then
    mkdir -p {PRISTINE.rpartition("/")[0]}
    dpkg-query --show --showformat='${{Package}} ${{Version}}\\n' > {PRISTINE}
fi
"""
# Of units, and of init scripts, which systemd-sysv-generator(8) makes units of.
LINKS = r"\( -path './systemd/system/*.wants/*' -o -path './rc[0-9S].d/S*' \) -type l -newer /tmp/before"
# Shell lines: save the links that enable units and are newer than /tmp/before.
KEEP_LINKS = f"""\
mkdir -p {KEPT}
cd {ETC}
find . {LINKS} -exec cp --no-dereference --parents --target-directory={KEPT} {{}} +
find . {LINKS} -delete
cd /
"""
# Lines of sh: put back the links that are named.
PUT_BACK = f'cd {KEPT}; cp --no-dereference --parents --target-directory={ETC} "$@"; rm -- "$@"'
LIST_KEPT = f"[ ! -d {KEPT} ] || find {KEPT} -type l -printf '%P\\n'"
# Lines of sh: print the units that links enable and that have no file, where the files or the postinst of packages name them.
DANGLING = f"""\
cd /var/lib/dpkg/info
find {ETC}/systemd/system -path '*.wants/*' -xtype l -newer {PRISTINE} -printf '%f\\n' | while read -r unit; do
    for name; do
        ! cat "$name".list "$name".postinst "$name":*.list "$name":*.postinst 2> /dev/null | grep -qwF -e "$unit" || echo "$unit"
    done
done
"""
# Lines of sh: print those of some units that nothing else on the node starts: another unit, udev, D-Bus.
UNSTARTED = """\
cd /usr/lib/systemd/system
for unit; do
    of=${unit%.service}
    [ -z "$(ls "$of.path" "$of.socket" "$of.timer" 2> /dev/null)" ] || continue
    grep -rqswF --exclude="$unit" -e "$unit" . /etc/systemd/system /usr/lib/udev/rules.d /usr/share/dbus-1 || echo "$unit"
done
"""
DPKG_FIELDS = ("Package", "Version", "Provides", "Pre-Depends", "Depends", "Recommends", "db:Status-Status")
UNIT_FILE = re.compile(
    r"^(?:/usr/lib|/lib|/etc)/systemd/system/(?P<unit>[^/]+\.(?:service|socket|path|mount|target|timer))$"
)
INIT_LINK = re.compile(r"^S\d*(?P<name>.+)$")
INIT_SCRIPT = re.compile(r"^/etc/init\.d/(?P<name>[^/]+)$")
# What makes a unit start together with another one: see systemd.unit(5).
STARTS = ("Wants", "Requires", "BindsTo", "Upholds")
SHOWN = ("Id", "Names", "LoadState", "UnitFileState", "After", *STARTS)
# A unit that is enabled and whose file systemd refuses: to start it fails, with the reason.
UNREADABLE = ("bad-setting", "error")
STARTABLE = (".path", ".service", ".socket", ".timer")
# Why a boot does not start a unit that is neither disabled nor masked, by its state: see systemctl(1), is-enabled.
UNWANTED = {
    "enabled": "it is enabled, and for no target that a boot starts",
    "static": "it has no [Install], and no other unit starts it",
}
# A socket does not start once its service has: see systemd.socket(5).
ORDER = ("target", "mount", "socket", "path", "service", "timer")


@dataclass(frozen=True)
class Package:
    """A package that is installed: the names it provides, and per dependency the names of which one will do."""

    version: str
    provides: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    recommends: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Units:
    """The units of an application on a node that are enabled; ``idle``: those that are not, and why.

    ``named`` are of the packages that the application names, ``needed`` of those that these depend on.
    """

    named: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    idle: Mapping[str, str] = field(default_factory=dict)


def enabled(node: Node, names: Sequence[str], others: Iterable[str], *, recommends: bool = False) -> Units:
    """Restore the links that a layer has saved, and return the enabled units of packages on a node.

    ``others``: packages named by other applications on that node; ``recommends``: as with `closure`.
    """
    fields = "".join(f"${{{each}}}\\t" for each in DPKG_FIELDS)
    installed = packages(node.run(["dpkg-query", "--show", f"--showformat={fields}\\n"], capture=True).stdout)
    before = set(node.read(PRISTINE).splitlines())
    added = {name for name, each in installed.items() if f"{name} {each.version}" not in before}
    needed = (closure(names, installed, set(others), recommends=recommends) & added) - set(names)
    of_named, of_needed = _brought(node, names), _brought(node, sorted(needed))
    _put_back(node, of_named | of_needed)
    loaded = _shown(node, "*")
    if not (begun := started(loaded, "default.target")):
        raise InfrastructureError(f"{node.name}: systemd does not say what a boot starts")
    called = {unit: each["Names"].split() for unit, each in loaded.items() if unit in begun and _is_there(each)}
    named = {unit for unit, its in called.items() if is_of(its, of_named)} | _without_file(node, names)
    dependent = {unit for unit, its in called.items() if is_of(its, of_needed)} - named
    after = {unit: each.get("After", "").split() for unit, each in loaded.items()}
    return Units(ordered(named, after), ordered(dependent, after), idle_units(node, of_named, begun))


def packages(output: str) -> dict[str, Package]:
    """Return the installed packages from the output of dpkg-query with `DPKG_FIELDS`."""
    found = {}
    for line in output.splitlines():
        name, version, provides, before, needs, recommends, status, _ = line.split("\t")
        if status == "installed":
            needed = _names(before) + _names(needs)
            found[name] = Package(version, tuple(chain(*_names(provides))), needed, _names(recommends))
    return found


def _names(relations: str) -> tuple[tuple[str, ...], ...]:
    parsed = PkgRelation.parse_relations(relations) if relations else []
    return tuple(tuple(str(each["name"]) for each in group) for group in parsed)


def closure(
    names: Iterable[str], installed: Mapping[str, Package], excluded: set[str], *, recommends: bool = False
) -> set[str]:
    """Return packages with their installed dependencies, without following those of ``excluded``.

    ``recommends``: packages that are recommended count as dependencies.
    """
    providers: dict[str, set[str]] = {name: {name} for name in installed}
    for name, each in installed.items():
        for virtual in each.provides:
            providers.setdefault(virtual, set()).add(name)
    found: set[str] = set()
    left = [name for name in names if name in installed]
    while left:
        name = left.pop()
        found.add(name)
        needs = (*installed[name].needs, *(installed[name].recommends if recommends else ()))
        new = {provider for need in chain(*needs) for provider in providers.get(need, ())}
        left += new - found - excluded - set(left)
    return found


def _brought(node: Node, names: Sequence[str]) -> set[str]:
    """Return the unit files of packages, and the units generated from init scripts."""
    if not names:
        return set()
    listed = node.run(["dpkg-query", "--listfiles", *names], capture=True).stdout.splitlines()
    units = {match["unit"] for path in listed if (match := UNIT_FILE.match(path))}
    return units | {f"{match['name']}.service" for path in listed if (match := INIT_SCRIPT.match(path))}


def _without_file(node: Node, names: Sequence[str]) -> set[str]:
    """Return the units that packages enable and do not bring: starting one fails, as it should."""
    if not names:
        return set()
    shown = node.run(["sh", "-c", DANGLING, "sh", *names], capture=True).stdout.split()
    return {unit for unit in shown if unit.rpartition(".")[2] in ORDER}


def is_of(names: Iterable[str], files: set[str]) -> bool:
    """Return whether a unit, by any of its names, belongs to some unit files, or is an instance of one."""
    return any(name in files or re.sub(r"@.+(?=\.)", "@", name) in files for name in names)


def _put_back(node: Node, files: set[str]) -> None:
    kept = node.run(["sh", "-euc", LIST_KEPT], capture=True).stdout.splitlines()
    links = [path for path in kept if is_of([unit_of(path)], files)]
    if links:
        node.run(["sh", "-euc", PUT_BACK, "sh", *links])
    node.run(["systemctl", "daemon-reload"])


def unit_of(link: str) -> str:
    """Return the unit that a link in /etc enables."""
    directory, _, name = link.rpartition("/")
    match = INIT_LINK.match(name) if directory.startswith("rc") else None
    return f"{match['name']}.service" if match else name


def _shown(node: Node, *units: str) -> dict[str, dict[str, str]]:
    """Return systemd's properties of units, by unit name."""
    argv = ["systemctl", "show", "--all", f"--property={','.join(SHOWN)}", "--", *units]
    output = node.run(argv, capture=True).stdout
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if line) for block in output.split("\n\n")]
    return {block["Id"]: block for block in blocks if "Id" in block}


def started(loaded: Mapping[str, Mapping[str, str]], begin: str) -> set[str]:
    """Return the units that systemd starts with a unit, from the properties (`SHOWN`) of all loaded units."""
    called = {name: unit for unit, each in loaded.items() for name in each["Names"].split()}
    found: set[str] = set()
    left = [begin]
    while left:
        unit = called.get(left.pop())
        if unit and unit not in found:
            found.add(unit)
            left += [name for kind in STARTS for name in loaded[unit].get(kind, "").split()]
    return found


def _is_there(properties: Mapping[str, str]) -> bool:
    return properties["LoadState"] in {"loaded", *UNREADABLE}


def ordered(units: Iterable[str], after: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return units in the order that they are to be started; services as a boot orders them (``after``)."""
    names = sorted(units, key=lambda unit: (ORDER.index(unit.rpartition(".")[2]), unit))
    services = [unit for unit in names if unit.endswith(".service")]
    graph = {unit: [other for other in services if other in {*after.get(unit, ())} - {unit}] for unit in services}
    with suppress(CycleError):  # which a boot breaks somewhere
        services = [*TopologicalSorter(graph).static_order()]
    begin = next((place for place, unit in enumerate(names) if unit.endswith(".service")), 0)
    return (*names[:begin], *services, *names[begin + len(services) :])


def idle_units(node: Node, files: set[str], begun: set[str]) -> dict[str, str]:
    """Units that packages bring, and that a boot does not start though it could; without those that others start."""
    names = sorted(name for name in files if name.endswith(STARTABLE) and "@" not in name)
    properties = _shown(node, *names) if names else {}
    states = {unit: each["UnitFileState"] for unit, each in sorted(properties.items()) if unit not in begun}
    unwanted = [unit for unit, state in states.items() if state in UNWANTED]
    shown = node.run(["sh", "-c", UNSTARTED, "sh", *unwanted], capture=True).stdout.split() if unwanted else []
    told = {unit: f"it is {state}" for unit, state in states.items() if state in {"disabled", "masked"}}
    return told | {unit: UNWANTED[states[unit]] for unit in shown}
