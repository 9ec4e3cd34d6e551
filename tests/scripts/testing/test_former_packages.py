"""Tests that ran with a package that the candidate does not build any more."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.results.cases import Case, Outcome
from lab.store.step import StepContext
from scripts.archives import series_index
from scripts.testing import former_packages
from scripts.testing.candidate import candidate
from scripts.testing.former_packages import marked
from tests.toylab import Toy, bench, promote, publish

SAID = "ran with greet-tool 1.0, and with no package of the candidate"


@pytest.mark.parametrize(
    ("outcome", "base", "installed", "said"),
    [
        ("passed", "", "greet-tool\t1.0\nother\t3\n", SAID),
        ("failed", "", "greet-tool\t1.0\n", ""),
        ("passed", "", "greet\t1.1\ngreet-tool\t1.0\n", ""),
        ("passed", "greet\t1.0\n", "greet-tool\t1.0\n", ""),
        ("passed", "", "greet\t\ngreet-tool\t1.0\n", SAID),
        ("passed", "", "greet-tool\t\nother\t3\n", ""),
        ("passed", "", "other\t3\n", ""),
        ("passed", "", None, ""),
    ],
    ids=["old", "fails", "both", "base", "removed", "old-removed", "others", "unknown"],
)
def test_former_packages_prove_nothing(
    tmp_path: Path, outcome: Outcome, base: str, installed: str | None, said: str
) -> None:
    (tmp_path / "testbed-packages").write_text(base)
    if installed is not None:
        (tmp_path / "smoke-packages").write_text(installed)
    case = Case(suite="autopkgtest", classname="greet", name="smoke", outcome=outcome)
    (found,) = marked([case], tmp_path, {"greet": "1.1"}, lambda: frozenset({"greet-tool", "greet-old"}))
    assert (found.outcome, found.message, found.nuance) == (outcome, said, "superficial" if said else "")


@pytest.mark.integration
def test_former_packages_of_series_and_baseline(
    lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = "".join(
        f"Package: {name}\nVersion: 0.9\nArchitecture: all\n{source}\n"
        for name, source in {
            "greet": "",
            "greet-old": "Source: greet (0.9-1)\n",
            "greet-more": "Source: greet-more\n",
            "other": "Depends: greet\n",
        }.items()
    )
    monkeypatch.setattr(series_index, "packages_files", lambda *_: [theirs])
    lab = lab_factory()
    publish(lab, tmp_path, [Toy("greet", "1.0", dict.fromkeys(("greet", "greet-tool"), ""))])
    promote(lab, tmp_path)
    work = bench(lab, "greet", publish(lab, tmp_path, [Toy("greet", "1.1", {"greet": "", "greet-new": ""})]))
    context = StepContext(lab, work.run, io.StringIO())
    assert former_packages.former(context, candidate(context)) == {"greet-old", "greet-tool"}
