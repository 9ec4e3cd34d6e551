"""A lab whose runs use real chroots and nodes, with 60 upstream commits of which one breaks something."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.config.description import Lab
from lab.config.loading import load
from lab.store import bisections
from lab.store.bisections import Bisection
from lab.store.runs import Store
from tests.conftest import packaging_files
from tests.scripts.bisection.conftest import history

HOUSE = Path(__file__).parent.parent
CULPRIT, COMMITS = 23, 60
BROKEN = "all:\n\tfalse # it cannot be built\n"
WORKING = "all:\n"
GREET = "#!/bin/sh\necho {word} {number}\n"
CHECK = "greet.sh | grep hello"
PHASES = {"build": ["build"], "test": ["build", "test"], "exercise": ["build", "deploy", "exercise"]}


@dataclass(frozen=True)
class BisectedLab:
    """A lab in a directory, with two components, ``greet`` and ``talk``, whose repositories are beside it."""

    home: Path

    @property
    def lab(self) -> Lab:
        return load(self.home / "lab.yaml")

    @property
    def store(self) -> Store:
        return Store.of(self.lab)

    def describe(self, phase: str = "build", **series: Any) -> None:
        """Write lab.yaml.  ``phase``: the last phase of the track; ``series``: settings of the series."""
        parts: dict[str, Any] = {
            name: {
                "upstream": {"git": str(self.home / name)},
                "packaging": {"git": str(self.home / f"{name}-packaging")},
                "version": {"next": "2.0"},
            }
            for name in ("greet", "talk")
        }
        parts["greet"]["test"] = {"steps": ["autopkgtest"]}
        data: dict[str, Any] = {
            "lab": {"name": "testlab", "maintainer": "Test Lab <lab@lab.example>"},
            "series": {"bookworm": series},
            "tracks": {"trunk": {"series": "bookworm", "branch": "main", "settle_seconds": 0, "phases": PHASES[phase]}},
            "components": parts,
        }
        if phase == "exercise":
            data["deployment"] = {
                "applications": {"greet": {"role": "package", "options": {"starts_nothing": True}}},
                "exercises": [{"name": "smoke", "run": "smoke.sh", "where": "node0"}],
            }
            (self.home / "smoke.sh").write_text(f"#!/bin/sh\n{CHECK}\n")
            (self.home / "smoke.sh").chmod(0o755)
        (self.home / "lab.yaml").write_text(yaml.safe_dump(data, sort_keys=False))

    def grow(self, name: str, texts: Sequence[Mapping[str, str]]) -> list[str]:
        """Make a repository, again with more commits: those that were there keep their ids."""
        shutil.rmtree(self.home / name, ignore_errors=True)
        return history(self.home / name, texts)

    def start(self, *argv: str) -> subprocess.Popen[str]:
        command = [sys.executable, HOUSE / "qalab.py", *argv, "--lab", self.home / "lab.yaml"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def qalab(self, *argv: str, code: int = 0) -> str:
        """Run a command that ends with a status; return what it prints."""
        program = self.start(*argv)
        printed = program.communicate(timeout=2400)[0]
        assert program.returncode == code, printed
        return printed

    def bisect(self, *argv: str) -> Bisection:
        """Find what broke greet; check that nothing remains of it but the record and kept builds."""
        before = self._kept()
        self.qalab("bisect", "trunk", "greet", *argv)
        assert self._kept() == before
        done = bisections.all_of(self.store)[-1]
        assert not (bisections.home(self.store) / str(done.number)).exists()
        return done

    def _kept(self) -> tuple[list[str], list[str]]:
        states = sorted(path.name for path in (self.store.archive / "dists").glob("*"))
        return states, [run.id for run in self.store.runs()]


def packaged(rules: str = "", build_depends: str = "", **more: str) -> dict[str, str]:
    """Return the packaging of greet, with a test of its own; ``rules``: a command of its build."""
    files = packaging_files()
    override = f"override_dh_auto_test:\n\t{rules}\n" if rules else ""
    return files | {
        "debian/control": files["debian/control"].replace("(= 13)", f"(= 13){build_depends}"),
        "debian/rules": files["debian/rules"] + override,
        "debian/install": "greet.sh usr/bin\n",
        "debian/tests/control": f"Test-Command: {CHECK}\nDepends: @\nFeatures: test-name=greets\n",
        **more,
    }


def upstream(bad: str = "hello", unbuildable: Collection[int] = (), makefile: str = WORKING) -> list[dict[str, str]]:
    """Return the content of the upstream commits; from the culprit on, the program says ``bad``."""
    return [
        {
            "greet.sh": GREET.format(word=bad if number >= CULPRIT else "hello", number=number),
            "Makefile": BROKEN if number in unbuildable else makefile if number >= CULPRIT else WORKING,
        }
        for number in range(COMMITS + 1)
    ]
