"""A diamond of components, built by a real watch with two jobs; then its top gets another interface."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.store.run_directory import Run
from lab.store.runs import Store
from tests.conftest import GitRepository, packaging_files

pytestmark = pytest.mark.full
HOUSE = Path(__file__).parent.parent.parent
DIAMOND = {"top": (), "left": ("top",), "right": ("top",), "end": ("left", "right")}


class Diamond:
    """A lab with four components, and its watch."""

    def __init__(self, lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository]) -> None:
        self.packagings: dict[str, GitRepository] = {}
        components = {}
        for name, needs in reversed(DIAMOND.items()):  # the file has them in the wrong order
            upstream, packaging = git_repository(f"upstream-{name}"), git_repository(f"packaging-{name}")
            upstream.commit("Start", {"greet.txt": f"{name}\n"})
            upstream.tag("v1.0")
            files = packaging_files(name)
            needed = "".join(f", {need}" for need in needs)
            control = files["debian/control"].replace("compat (= 13)", f"compat (= 13){needed}")
            files["debian/control"] = f"{control}Provides: {name}-abi (= 1)\n"
            files["debian/install"] = f"greet.txt usr/share/{name}\n"
            packaging.commit("Package it", files)
            self.packagings[name] = packaging
            policy = "always" if name in {"left", "right"} else "interface"
            components[name] = {
                "upstream": {"git": str(upstream.path)},
                "packaging": {"git": str(packaging.path)},
                "version": {"replace_newer": True},  # the steps changelog and content need not ask the mirror
                "build": {"rebuild_dependents": policy, "content": {"verdict": "off"}},
            }
        self.lab = lab_factory(lab={"components": components, "tracks": {"trunk": {"components": [*components]}}})

    def watch(self, *options: str) -> str:
        argv = [sys.executable, HOUSE / "qalab.py", "watch", "trunk", "--once", *options, "--lab", self.lab.file]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=3600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def runs(self) -> dict[str, list[Run]]:
        return {name: Store.of(self.lab).runs("trunk", name) for name in DIAMOND}


def times(run: Run) -> tuple[str, str]:
    """Return the start and the end of a run."""
    records = run.records()
    return records[0].started, records[-1].finished


def assert_order(runs: dict[str, Run]) -> None:
    spans = {name: times(run) for name, run in runs.items()}
    for name, needs in DIAMOND.items():
        assert all(spans[need][1] <= spans[name][0] for need in needs if need in spans), spans
    at_once = [{a, b} for a, b in combinations(spans, 2) if spans[a][0] < spans[b][1] and spans[b][0] < spans[a][1]]
    assert at_once == [{"left", "right"}]


def test_watch_builds_diamond_once_in_order_two_at_a_time(
    lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository], shared_cache: Path
) -> None:
    diamond = Diamond(lab_factory, git_repository)
    diamond.watch("--jobs", "2")
    first = diamond.runs()
    assert {name: [(run.verdict, run.info.cause) for run in runs] for name, runs in first.items()} == {
        name: [("passed", "upstream commit")] for name in DIAMOND
    }
    assert_order({name: runs[0] for name, runs in first.items()})
    assert "no new commits" in diamond.watch("--jobs", "2")

    top = diamond.packagings["top"]
    control = (top.path / "debian/control").read_text()
    top.commit("Another ABI", {"debian/control": control.replace("top-abi (= 1)", "top-abi (= 2)")})
    diamond.watch("--jobs", "2")
    second = {name: runs[1:] for name, runs in diamond.runs().items()}
    assert {name: [(run.verdict, run.info.cause) for run in runs] for name, runs in second.items()} == {
        "top": [("passed", "packaging commit")], **{name: [("passed", "dependency")] for name in ("left", "right", "end")}
    }  # fmt: skip
    assert_order({name: runs[0] for name, runs in second.items()})
    before, now = (next(iter(runs["top"])).version for runs in (first, second))
    reason = f"top {before} -> {now} (provides gone: top-abi 1; provides new: top-abi 2)"
    [left], [end] = second["left"], second["end"]
    assert left.info.reason == reason
    assert f"Built because of: dependency: {reason}" in " ".join(left.record("changelog").facts["entry"].split())
    assert [left.version[-2:], end.version[-2:]] == ["+2", "+2"]
    assert sorted(part.split()[0] for part in end.info.reason.split(", ")) == ["left", "right"]
    assert "no new commits" in diamond.watch()
