"""dose, the judge of installability: dose-debcheck(1) and dose-builddebcheck(1) on packages of one architecture.

Most packages need no question, see `scripts.migration.installations`.  One for each of 60,000 packages costs dose forty
seconds of CPU; one for a hundred packages together costs hardly more than for one of them.  So `uninstallable` asks for
groups: all packages of a group that can be installed together can be installed.  Only the others are asked for one by
one, with an explanation.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from lab.base.errors import InfrastructureError
from lab.base.run import run
from scripts.migration.indexes import Binary

# The sizes of the groups, one after the other, and the number of packages that need none.
GROUPS: Final = (60, 8)
FEW: Final = 500
PROBE: Final = "qalab-probe-"
BROKEN: Final = 1  # dose's status when a package is broken
SECONDS: Final = 1800.0
LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Explanation:
    """Why a package is uninstallable: one line, the packages that take part, and the dependencies of each of them.

    ``complete`` is false where dose does not say how a package comes in, because an essential package needs it.
    """

    line: str
    packages: frozenset[str]
    dependencies: Mapping[str, frozenset[str]]
    complete: bool = True


def uninstallable(packages: Sequence[Binary], names: Iterable[str], architecture: str) -> dict[str, Explanation]:
    """Return those of the named packages that cannot be installed from a set of packages, each with the reason."""
    versions = {binary.name: binary.version for binary in packages}
    asked = sorted(set(names))
    with tempfile.TemporaryDirectory(prefix="qalab-dose-") as directory:
        index = Path(directory, "Packages")
        index.write_text("\n".join(binary.paragraph() for binary in packages), encoding="utf-8")
        for size in GROUPS:
            if len(asked) > FEW:
                count = -(-len(asked) // size)
                # Neighbours in the alphabet are often alternatives of each other: a group takes every count-th package.
                groups = [[(name, versions[name]) for name in asked[number::count]] for number in range(count)]
                asked = sorted(name for number in _broken(index, groups, architecture) for name, _ in groups[number])
        singles = [[(name, versions[name])] for name in asked]
        found = _broken(index, singles, architecture, "--explain")
        return {asked[number]: explain(entry, asked[number], architecture) for number, entry in sorted(found.items())}


def unbuildable(packages: Sequence[Binary], sources: Path, architecture: str) -> dict[str, Explanation]:
    """Return the source packages of a Sources file whose build dependencies cannot be installed, with the reason."""
    with tempfile.TemporaryDirectory(prefix="qalab-dose-") as directory:
        index = Path(directory, "Packages")
        index.write_text("\n".join(binary.paragraph() for binary in packages), encoding="utf-8")
        arguments = ["--failures", "--explain", str(index), str(sources)]
        report = _report("dose-builddebcheck", arguments, architecture)
    return {entry["package"]: explain(entry, entry["package"], architecture) for entry in report}


def _broken(
    index: Path, groups: Sequence[Sequence[tuple[str, str]]], architecture: str, *options: str
) -> dict[int, dict[str, Any]]:
    """Return dose's reports on the groups whose packages cannot be installed together, by the group's number."""
    if not groups:
        return {}
    probes = index.with_name("Probes")
    probes.write_text(
        "\n".join(
            f"Package: {PROBE}{number}\nVersion: 1\nArchitecture: {architecture}\n"
            f"Depends: {', '.join(f'{name} (= {version})' for name, version in group)}\n"
            for number, group in enumerate(groups)
        ),
        encoding="utf-8",
    )
    arguments = ["--failures", *options, f"--bg={index}", f"--fg={probes}"]
    report = _report("dose-debcheck", arguments, architecture)
    return {int(entry["package"].removeprefix(PROBE)): entry for entry in report}


def _report(program: str, arguments: Sequence[str], architecture: str) -> list[dict[str, Any]]:
    argv = [program, f"--deb-native-arch={architecture}", *arguments]
    result = run(argv, capture=True, check=False, timeout=SECONDS)
    # All scalars are text: a version 1.10 is no number.
    report = yaml.load(result.stdout, Loader=_TextLoader)  # noqa: S506 - a safe loader that makes text alone
    if result.returncode not in {0, BROKEN} or not isinstance(report, dict) or "broken-packages" not in report:
        raise InfrastructureError(f"{program} ended with status {result.returncode} and without a report")
    found = report.get("report") or []
    if len(found) != int(report["broken-packages"]):
        raise InfrastructureError(f"{program}'s report does not name as many packages as it counts")
    return list(found)


class _TextLoader(LOADER):  # type: ignore[misc, valid-type]
    """A loader whose scalars are all text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the loader's own attribute


def explain(entry: Mapping[str, Any], name: str, architecture: str) -> Explanation:
    """Return dose's reasons for the probe of one package as an explanation."""
    lines: list[str] = []
    packages = {name}
    complete = True
    dependencies: dict[str, set[str]] = {}
    for reason in entry.get("reasons") or ():
        part = reason.get("missing") or reason.get("conflict") or {}
        ends = [part[key] for key in ("pkg", "pkg1", "pkg2") if key in part]
        steps = [
            step
            for key in ("depchains", "depchain1", "depchain2")
            for chain in part.get(key) or ()
            for step in chain.get("depchain") or ()
        ]
        nodes = [node for node in (*ends, *steps) if not node["package"].startswith(PROBE)]
        packages.update(node["package"] for node in nodes)
        for node in nodes:
            for key in ("depends", "unsat-dependency"):
                if text := node.get(key):
                    dependencies.setdefault(node["package"], set()).add(text)
        complete &= all("depends" in step for step in steps)
        lines.append(_line(part, architecture))
    return Explanation(
        "; ".join(dict.fromkeys(lines)),
        frozenset(packages),
        {name: frozenset(texts) for name, texts in dependencies.items()},
        complete,
    )


def _line(part: Mapping[str, Any], architecture: str) -> str:
    if "pkg" in part:
        node = part["pkg"]
        if node["package"].startswith(PROBE):
            return "it is a package of another architecture"
        needed = _plain(node.get("unsat-dependency", ""), architecture)
        return f"{node['package']} {node['version']} needs {needed}, which is not there"
    left, right = part.get("pkg1", {}), part.get("pkg2", {})
    return " ".join(
        [
            left.get("package", "?"),
            left.get("version", ""),
            "conflicts with",
            right.get("package", "?"),
            right.get("version", ""),
        ]
    )


def _plain(relation: str, architecture: str) -> str:
    """Return a relation of dose without this architecture, which it adds to names, and without repetitions."""
    words = dict.fromkeys(text.strip() for text in relation.split("|"))
    return " | ".join(
        " ".join((name.removesuffix(f":{architecture}"), *rest))
        for name, *rest in (word.split() for word in words if word)
    )
