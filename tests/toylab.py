"""A lab whose archive gets small packages, source and binary, without a build: states and labels to test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.base import environment
from lab.config.description import Lab
from lab.store.archive import State
from lab.store.records import rfc3339
from lab.store.runs import Store
from scripts.archives import lab_archive, labels, stanzas, versions
from scripts.archives.versions import PoolVersion
from tests.conftest import Bench

SECTIONS = "Section: misc\nPriority: optional\n"
MAINTAINER = "Maintainer: Lab <lab@lab.example>\n"


@dataclass(frozen=True)
class Toy:
    """A source package with one or more binary packages.

    ``binaries``: by name, control lines (``Depends: x``); ``files``: of the first binary package, by path, also below
    DEBIAN/; ``tests``: files below debian/tests.
    """

    source: str
    version: str
    binaries: Mapping[str, str] = field(default_factory=dict)
    build_depends: str = "debhelper-compat (= 13)"
    files: Mapping[str, str] = field(default_factory=dict)
    tests: Mapping[str, str] = field(default_factory=dict)

    def build(self, home: Path) -> tuple[Path, list[Path]]:
        """Build it below a directory; return the .dsc and the .deb files."""
        tree = home / f"{self.source}-{self.version}"
        shutil.rmtree(tree, ignore_errors=True)
        binaries = self.binaries or {self.source: ""}
        named = "".join(f"\nPackage: {name}\nArchitecture: all\nDescription: toy\n" for name in binaries)
        content = {
            "debian/control": f"Source: {self.source}\n{SECTIONS}{MAINTAINER}Build-Depends: {self.build_depends}\n{named}",
            "debian/changelog": f"{self.source} ({self.version}) trunk; urgency=low\n\n  * Toy.\n\n"
            " -- Lab <lab@lab.example>  Thu, 01 Jan 2026 00:00:00 +0000\n",
            "debian/source/format": "3.0 (native)\n",
            "debian/rules": "#!/usr/bin/make -f\n%:\n\tdh $@\n",
            **{f"debian/tests/{name}": text for name, text in self.tests.items()},
        }
        _write(tree, content)
        subprocess.run(["dpkg-source", "--build", tree], cwd=home, check=True, capture_output=True)
        debs = [self._binary(home, name, lines) for name, lines in binaries.items()]
        return home / f"{self.source}_{self.version}.dsc", debs

    def _binary(self, home: Path, name: str, lines: str) -> Path:
        root, path = home / f"root-{name}", home / f"{name}_{self.version}_all.deb"
        more = f"{lines.strip()}\n" if lines.strip() else ""
        shutil.rmtree(root, ignore_errors=True)
        control = (
            f"Package: {name}\nSource: {self.source}\nVersion: {self.version}\nArchitecture: all\n{SECTIONS}{MAINTAINER}"
            f"{more}Description: toy\n Small.\n"
        )
        _write(root, {"DEBIAN/control": control, f"usr/share/{name}/version": f"{self.version}\n"})
        if name == next(iter(self.binaries or {self.source: ""})):
            _write(root, self.files)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Znone", "--build", root, path], check=True, capture_output=True
        )
        return path


def _write(root: Path, content: Mapping[str, str]) -> None:
    for name, text in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)


def publish(lab: Lab, home: Path, toys: Sequence[Toy], track: str = "trunk") -> State:
    """Add packages to the lab's archive; return the new state."""
    with (home / "archive.log").open("a") as log, lab_archive.opened(lab, log) as archive:
        for toy in toys:
            dsc, debs = toy.build(home)
            pool = versions.directory(toy.source)
            tarball = dsc.with_suffix(".tar.xz")
            added = [stanzas.of_source(dsc, pool, "misc", "optional")]
            added += [stanzas.of_binary(deb, f"{pool}/{deb.name}") for deb in debs]
            record = PoolVersion.of(added, added=rfc3339(environment.now()))
            versions.add_files(
                archive.root, {each.name: each for each in (dsc, tarball, *debs)}, record.files, record.source
            )
            archive.record(track, record)
            content = archive.content(track)
            for old in [
                each for each in versions.of_source(archive.root, track, toy.source) if each.version != toy.version
            ]:
                if content.files(old.source, old.version):
                    content = content.without(old.source, old.version)
            state = archive.commit(track, content.with_version(added), f"add {toy.source} {toy.version}")
    return state


def promote(lab: Lab, home: Path, label: str = "trunk-tested") -> None:
    """Move a label to the newest state."""
    with (home / "archive.log").open("a") as log, lab_archive.opened(lab, log) as archive:
        labels.move(archive, "promotion", label, "", labels.Reasons("test"))


def bench(lab: Lab, component: str, state: State, track: str = "trunk") -> Bench:
    """Return a run of the phase test."""
    run = Store.of(lab).new_run(lab, track, component, "", phase="test")
    run.write_info(run.info.model_copy(update={"archive": state.name}))
    return Bench(lab, run)
