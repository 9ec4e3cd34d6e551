"""The step installable on small states, with dose; the series is a text in the test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config.description import Lab
from lab.store.records import Record
from lab.store.runs import Store
from scripts import installable
from tests.scripts.migration.suites import suite
from tests.toylab import Toy, bench, promote, publish

pytestmark = pytest.mark.integration
SERIES = """
base 1 > base +essential
build-essential 1 > build-essential : base
debhelper 13 > debhelper =13 % debhelper-compat (= 13)
libtoy 1 > libtoy1
user 1 > user : libtoy1
sick 1 > sick : nothing
"""


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> Lab:
    packages = [*suite(SERIES).binaries["amd64"].values()]
    monkeypatch.setattr(installable, "read_series", lambda _: packages)
    return lab_factory(
        lab={"components": {"libtoy": {"upstream": {"git": "/nowhere"}, "packaging": {"git": "/nowhere"}}}}
    )


def tried(lab: Lab, home: Path, component: str, *toys: Toy) -> Record:
    record = bench(lab, component, publish(lab, home, toys)).execute(installable)
    assert record.verdict != "error", record.message
    return record


GOOD = Toy("greet", "1.0", {"greet": "Depends: base"})


@pytest.mark.parametrize(
    ("toys", "verdict", "message"),
    [
        ([GOOD], "passed", "1 package and 1 source package checked against bookworm"),
        (
            [Toy("greet", "1.0", {"greet": "Depends: nosuch (>= 2)"})],
            "failed",
            "greet cannot be installed: greet 1.0 needs nosuch (>= 2), which is not there",
        ),
        (
            [Toy("greet", "1.0", {"greet": "Depends: base:i386"})],
            "failed",
            "greet cannot be installed: greet 1.0 needs base:i386, which is not there",
        ),
        (
            [Toy("greet", "1.0", build_depends="debhelper-compat (= 13), nosuch-dev")],
            "failed",
            "greet cannot be built: greet 1.0 needs nosuch-dev, which is not there",
        ),
        (
            [Toy("greet", "1.0", {"greet": "Depends: libtoy1"}), Toy("libtoy", "2.0", {"libtoy2": ""})],
            "failed",
            "greet cannot be installed: greet 1.0 needs libtoy1, which is not there",
        ),
        (
            [Toy("greet", "1.0"), Toy("libtoy", "2.0", {"libtoy2": ""})],
            "unstable",
            "needs a rebuild: user cannot be installed: user 1 needs libtoy1, which is not there",
        ),
        (
            [Toy("greet", "1.0", {"greet": "Conflicts: base"})],
            "failed",
            "greet cannot be installed: greet 1.0 conflicts with base 1",
        ),
    ],
    ids=["good", "depends", "depends-on-other-architecture", "build-depends", "soname", "soname-of-series", "conflict"],
)
def test_installable_verdict(lab: Lab, tmp_path: Path, toys: list[Toy], verdict: str, message: str) -> None:
    record = tried(lab, tmp_path, "greet", *toys)
    assert (record.verdict, record.message) == (verdict, message)


def test_installable_compares_with_baseline(lab: Lab, tmp_path: Path) -> None:
    broken = Toy("greet", "1.0", {"greet": "Depends: nosuch"})
    publish(lab, tmp_path, [broken])
    promote(lab, tmp_path)
    record = tried(lab, tmp_path, "libtoy", Toy("libtoy", "1.1", {"libtoy1": ""}))
    assert record.verdict == "passed"
    assert "1 broken in trunk-tested" in record.message
    assert record.facts["already"] == ["greet cannot be installed: greet 1.0 needs nosuch, which is not there"]
    run = Store.of(lab).runs("trunk", "libtoy")[-1]
    found = map(json.loads, (run.path / record.native[0].path).read_text().splitlines())
    cases = {(each["classname"], each["name"]): each for each in found}
    assert cases["packages", "greet"]["outcome"] == "skipped"
    assert cases["packages", "libtoy1"]["outcome"] == "passed"
    assert cases["sources", "libtoy"]["outcome"] == "passed"
