"""The components of a track, read from a real archive: versions, interfaces, causes."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from lab.base.errors import InfrastructureError
from lab.config.description import Lab
from lab.store.records import RunInputs
from lab.store.runs import Store
from scripts import archive
from scripts.ordering import track_components
from scripts.ordering.series_packages import SeriesPackages
from scripts.ordering.track_components import TrackComponents, archive_graphs
from tests.conftest import Bench
from tests.packages import pretend_built

pytestmark = pytest.mark.integration
USER = "Source: user\nBuild-Depends: debhelper-compat (= 13), greet | other, zlib1g-dev [amd64]\n\nPackage: user\n"
BEFORE, NOW, OTHER_ABI = "1.0-1", "1.1-1", "1.2-1"


def components(lab: Lab) -> TrackComponents:
    def control(component: str) -> str:
        if component != "user":
            raise InfrastructureError("cannot be fetched")
        return USER

    return TrackComponents(lab, "trunk", control)


@pytest.fixture
def lab_of(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> Callable[..., Lab]:
    """``lab_of()``: a lab with three versions of greet in the archive, a component that needs it, and one unknown."""

    def make() -> Lab:
        place = {"upstream": {"git": "/nowhere/user"}, "packaging": {"git": "/nowhere/user"}}
        lab = lab_factory(
            lab={"components": {"user": place, "unknown": place}},
        )
        for version, abi in ((BEFORE, 1), (NOW, 1), (OTHER_ABI, 2)):
            work = bench(lab)
            pretend_built(work, version, control=f"Provides: greet-abi (= {abi})\n")
            assert work.execute(archive).verdict == "passed"
        return lab

    return make


def test_graph_has_built_and_other_components(lab_of: Callable[..., Lab]) -> None:
    lab = lab_of()
    graph = components(lab).graph
    assert graph.relations == {"greet": {}, "user": {"greet": ("greet | other",)}, "unknown": {}}
    assert graph.versions == {"greet": OTHER_ABI, "user": "", "unknown": ""}
    assert graph.unknown == {"unknown": "cannot be fetched"}
    assert components(lab).inputs("user").needs == {"greet": OTHER_ABI}
    assert archive_graphs(lab)["trunk"].relations == {"greet": {}}


ABI = f"greet {NOW} -> {OTHER_ABI} (provides gone: greet-abi 1; provides new: greet-abi 2)"
REASONS = [
    ("interface", BEFORE, NOW, ""),
    ("interface", NOW, OTHER_ABI, ABI),
    ("interface", "0.9-1", NOW, f"greet 0.9-1 -> {NOW} (the interface of one of them is not known)"),
    ("interface", "", NOW, f"greet (none) -> {NOW} (new in the lab)"),
    ("always", BEFORE, NOW, f"greet {BEFORE} -> {NOW}"),
    ("always", NOW, NOW, ""),
    ("never", NOW, OTHER_ABI, ""),
]


def test_rebuild_reasons(lab_of: Callable[..., Lab], lab_factory: Callable[..., Lab]) -> None:
    track_components.exported.cache_clear()
    lab_of()
    for policy, before, now, reason in REASONS:
        lab = lab_factory(component={"build": {"rebuild_dependents": policy}})
        found = components(lab).rebuild_reasons(RunInputs(needs={"greet": before}), RunInputs(needs={"greet": now}))
        assert found == ({"greet": reason} if reason else {})


def test_rebuild_where_package_is_missing_from_pool(lab_of: Callable[..., Lab]) -> None:
    lab = lab_of()
    track_components.exported.cache_clear()
    shutil.rmtree(Store.of(lab).archive / "pool")
    last, now = RunInputs(needs={"greet": BEFORE}), RunInputs(needs={"greet": NOW})
    assert "is not known" in components(lab).rebuild_reasons(last, now)["greet"]


@pytest.mark.parametrize(
    "rebuild_on, known, base, versions",
    [
        (["base", "series"], 1, "abc", {"debhelper-compat": "debhelper 13.11", "zlib1g-dev": "1.2"}),
        (["base"], 1, "abc", {}),
        (["series"], 0, "", {}),
        (["settings"], 1, "", {}),
    ],
)
def test_inputs_have_series_where_asked(  # noqa: PLR0917 - the columns of a table
    lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch,
    rebuild_on: list[str], known: int, base: str, versions: dict[str, str],
) -> None:  # fmt: skip
    series = SeriesPackages("abc", {"debhelper-compat": "debhelper 13.11", "zlib1g-dev": "1.2"})
    monkeypatch.setattr(track_components, "read_series", lambda *_: series if known else None)
    place = {"upstream": {"git": "/nowhere/user"}, "packaging": {"git": "/nowhere/user"}}
    lab = lab_factory(lab={"components": {"user": {**place, "build": {"rebuild_on": rebuild_on}}}})
    found = components(lab).inputs("user")
    assert (found.base, found.series) == (base, {"greet": "", **versions} if versions else {})
