"""``qalab graph``: text, JSON and DOT of packagings that were never built."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.results.component_graph import ComponentGraph
from scripts.ordering import drawing
from tests.command import qalab
from tests.conftest import GitRepository, packaging_files

CIRCLE = ComponentGraph(
    {"app": {"lib": ("lib-dev (>= 2)",)}, "lib": {"tool": ("tool",)}, "tool": {"lib": ("lib-dev",)}, "new": {}},
    {"app": "1.0-1", "lib": "2.0-1"},
    {"new": "no packaging"},
)


def test_graph_as_text() -> None:
    assert [*drawing.text_lines(CIRCLE)] == [
        "level 1",
        "  lib 2.0-1 needs tool",
        "  new (never built)",
        "  tool (never built) needs lib",
        "level 2",
        "  app 1.0-1 needs lib",
        "circle: lib, tool: their build dependencies on each other do not order them",
        "  lib needs tool: tool",
        "  tool needs lib: lib-dev",
        "unknown: new: no packaging",
    ]


def test_graph_as_data() -> None:
    data = json.loads(json.dumps(drawing.as_data(CIRCLE)))
    assert data["components"][0] == {
        "name": "app", "version": "1.0-1", "level": 2, "needs": {"lib": ["lib-dev (>= 2)"]}, "needed_by": [],
    }  # fmt: skip
    assert (data["levels"], data["circles"]) == ([["lib", "new", "tool"], ["app"]], [["lib", "tool"]])
    assert data["unknown"] == {"new": "no packaging"}


def test_graph_as_dot() -> None:
    assert [line.strip() for line in drawing.dot_lines("trunk", CIRCLE)] == [
        'digraph "trunk" {', "rankdir=BT; node [shape=box];", '"app";', '"lib" [color=red];', '"new";',
        '"tool" [color=red];', '"app" -> "lib";', '"lib" -> "tool" [color=red];', '"tool" -> "lib" [color=red];', "}",
    ]  # fmt: skip


@pytest.mark.integration
def test_graph_of_packagings_that_were_never_built(
    small_lab: Callable[..., Path], git_repository: Callable[..., GitRepository], tmp_path: Path
) -> None:
    user = git_repository("user")
    files = packaging_files("user")
    files["debian/control"] = files["debian/control"].replace("compat (= 13)", "compat (= 13), greet")
    user.commit("Package it", files)
    parts = {"upstream": {"git": str(tmp_path / "upstream")}, "packaging": {"git": str(user.path)}}
    gone = {**parts, "packaging": {"git": str(tmp_path / "gone")}}
    file = small_lab(lab={"components": {"user": parts}})
    done = qalab("graph", "trunk", "--lab", file)
    assert (done.returncode, done.stdout) == (
        0, "level 1\n  greet (never built)\nlevel 2\n  user (never built) needs greet\n"
    )  # fmt: skip
    assert qalab("graph", "--dot", "--lab", file).stdout.startswith('digraph "trunk" {\n')
    file = small_lab(lab={"components": {"user": parts, "gone": gone}})
    done = qalab("graph", "--json", "--lab", file)
    assert (done.returncode, [*json.loads(done.stdout)["trunk"]["unknown"]]) == (3, ["gone"])
    assert qalab("graph", "--json", "--dot", "--lab", file).returncode == 2
