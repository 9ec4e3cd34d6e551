"""Updates: their cost, independence of order, and safety when killed."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lab.base.schema import NewerSchemaError
from lab.results.build_identity import build_id
from reports import bundle
from reports.bundle import BadBundle
from reports.site import Identity, build
from reports.site.state import SCHEMA, opened
from reports.site.tree import SLOTS, SiteTree
from reports.site.update import SiteReport
from tests.reports.site.crawl import crawl, tree_of
from tests.reports.site.worlds import World, grown, write_bundles

SITE = Identity("openstack")
WORLD = World(24, components=2, tracks=2, tests=20, lines=10)


def update(out: Path, world: World = WORLD, paths: list[Path] | None = None, *, rebuild: bool = False) -> SiteReport:
    return build(world if paths is None else paths, out, SITE, rebuild=rebuild, read=world.read)


def changing(tree: dict[str, bytes]) -> dict[str, bytes]:
    """Return the pages of a generation, without the permanent pages, which exist before links to them."""
    return {name: data for name, data in tree.items() if not name.startswith(("b/", "api/v1/b/"))}


def whole(out: Path) -> dict[str, bytes]:
    """Return all files but the database."""
    return {name: data for name, data in tree_of(out).items() if not name.startswith(("state.sqlite", ".lock"))}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the site of the whole world."""
    out = tmp_path_factory.mktemp("reference")
    update(out)
    return tree_of(out / "current")


@pytest.mark.integration
@pytest.mark.parametrize("seed", [1, 2])
def test_update_one_by_one_in_any_order_equals_one_build(
    tmp_path: Path, reference: dict[str, bytes], seed: int
) -> None:
    paths = list(WORLD)
    random.Random(seed).shuffle(paths)
    for count in range(10, len(paths) + 1):
        assert update(tmp_path, paths=paths[:count]).rebuilt == (count == 10)
    assert tree_of(tmp_path / "current") == reference
    assert update(tmp_path, rebuild=True).rebuilt
    assert tree_of(tmp_path / "current") == reference


@pytest.mark.integration
def test_update_without_new_builds_writes_nothing(tmp_path: Path) -> None:
    update(tmp_path)
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert update(tmp_path) == SiteReport()
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.integration
def test_update_cost_does_not_grow_with_site(tmp_path: Path) -> None:
    costs = []
    update(tmp_path, grown(WORLD, 80))
    for count in range(81, 93):
        report = update(tmp_path, grown(WORLD, count))
        assert (report.added, report.rebuilt) == (1, False)
        # The number of test pages depends on the build.
        costs.append(sum(not {"t", "test"} & set(path.parts) for path in report.written))
        assert report.linked <= 2 * len(report.written) + 60
    assert sorted(costs)[len(costs) // 2] <= 21
    assert max(costs) <= 32


@pytest.mark.integration
def test_update_rebuilds_over_older_state(tmp_path: Path, reference: dict[str, bytes]) -> None:
    update(tmp_path, paths=list(WORLD)[:10])
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as base:
        base.executescript("DROP TABLE lane; CREATE TABLE lane (name TEXT); PRAGMA user_version = 0")
    report = update(tmp_path)
    assert (report.rebuilt, report.added) == (True, len(list(WORLD)))
    assert tree_of(tmp_path / "current") == reference
    assert update(tmp_path) == SiteReport()


@pytest.mark.integration
def test_update_leaves_newer_state_unchanged(tmp_path: Path) -> None:
    update(tmp_path, paths=list(WORLD)[:10])
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as base:
        base.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    before = tree_of(tmp_path)
    for rebuild in (False, True):
        with pytest.raises(NewerSchemaError, match="upgrade qalab"):
            update(tmp_path, rebuild=rebuild)
    assert tree_of(tmp_path) == before


@pytest.mark.integration
def test_removed_bundle_leaves_no_trace(tmp_path: Path) -> None:
    paths = list(WORLD)
    update(tmp_path)
    found = WORLD.read(paths[7]).build
    assert found.version.encode() in b"".join(whole(tmp_path).values())
    report = update(tmp_path, paths=[path for path in paths if path != paths[7]])
    assert (report.added, report.rebuilt) == (23, True)
    assert found.version.encode() not in b"".join(whole(tmp_path).values())
    assert not [name for name in whole(tmp_path) if build_id(found.id) in name]
    assert found.version.encode() not in (tmp_path / "state.sqlite").read_bytes()
    assert crawl(tmp_path / "current").problems == []


@pytest.mark.integration
def test_two_bundles_of_one_build_show_the_same_one_in_any_order(tmp_path: Path) -> None:
    same = [WORLD.path(0), Path("/nowhere/ff", f"{'f' * 64}.tar.gz")]
    trees = []
    for order in (same, same[::-1]):
        out = tmp_path / order[0].name[:4]
        for count in (1, 2):
            build(order[:count], out, SITE, read=lambda _path: WORLD.read(WORLD.path(0)))
        trees.append(tree_of(out / "current"))
    assert trees[0] == trees[1]
    assert sum(name.endswith("index.html") and name.startswith("b/") for name in trees[0]) == 1


@pytest.mark.integration
def test_unreadable_bundle_is_left_out(tmp_path: Path) -> None:
    def read(path: Path) -> object:
        if path == WORLD.path(3):
            raise BadBundle("bundle: is torn")
        return WORLD.read(path)

    report = build(WORLD, tmp_path, SITE, read=read)
    assert (report.added, report.refused) == (23, ("bundle: is torn",))
    assert crawl(tmp_path / "current").problems == []


@pytest.mark.integration
def test_update_from_bundles_on_disk(tmp_path: Path) -> None:
    paths = write_bundles(grown(WORLD, 12), tmp_path / "bundles")
    report = build(paths, tmp_path / "site", SITE)
    assert (report.added, report.refused) == (12, ())
    crawled = crawl(tmp_path / "site/current")
    assert crawled.problems == []
    downloads = [url for url in crawled.seen if url.endswith("/bundle.tar.gz")]
    assert len(downloads) == 12
    place = tmp_path / "site/current" / downloads[0].removeprefix("http://site.test/")
    assert place.stat().st_ino in {path.stat().st_ino for path in paths}
    assert {bundle.read(path).build.component for path in paths} == {"keystone", "glance"}


class Killed(BaseException):
    """A substitute for SIGKILL where a test cannot send one: no code of qalab catches it."""


@pytest.mark.integration
@pytest.mark.parametrize(
    "how, moment, published",
    [
        ("incremental", "catch_up", "before"),
        ("incremental", "settle", "before"),
        ("incremental", "publish", "before"),
        ("rebuild", "make_slot", "before"),
        ("rebuild", "settle", "before"),
        ("rebuild", "publish", "before"),
        ("rebuild", "remove_all_but", "after"),
        ("rebuild", "copy_slot", "after"),
    ],
)
def test_update_recovers_from_kill_before(  # noqa: PLR0917 - a table's columns
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: dict[str, bytes], how: str, moment: str, published: str
) -> None:
    update(tmp_path, paths=list(WORLD)[:-1])
    before = tree_of(tmp_path / "current")

    def die(*_args: object) -> None:
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(SiteTree, moment, die)
        with pytest.raises(Killed):
            update(tmp_path, rebuild=how == "rebuild")
    assert changing(tree_of(tmp_path / "current")) == changing({"before": before, "after": reference}[published])
    assert crawl(tmp_path / "current").problems == []
    assert update(tmp_path).rebuilt is False
    assert tree_of(tmp_path / "current") == reference
    with opened(tmp_path / "state.sqlite") as state:
        assert state.fact("under way") == ""


@pytest.mark.integration
def test_update_removes_leftovers_of_killed_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: dict[str, bytes]
) -> None:
    update(tmp_path)
    clean = whole(tmp_path)

    def die(*_args: object) -> None:
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(SiteTree, "settle", die)
        with pytest.raises(Killed):
            update(tmp_path, grown(WORLD, 25))
    assert whole(tmp_path) != clean
    update(tmp_path)
    assert whole(tmp_path) == clean


@pytest.mark.integration
def test_previous_two_generations_stay(tmp_path: Path) -> None:
    update(tmp_path)
    trees = [tree_of(tmp_path / "current")]
    for count in (25, 26, 27):
        update(tmp_path, grown(WORLD, count))
        trees.append(tree_of(tmp_path / "current"))
    kept = [tree_of(tmp_path / "slots" / slot) for slot in SLOTS]
    assert all(changing(tree) in list(map(changing, kept)) for tree in trees[1:])
    assert str((tmp_path / "current").readlink()) in {f"slots/{slot}" for slot in SLOTS}


@pytest.mark.integration
def test_new_identity_rebuilds_site(tmp_path: Path) -> None:
    update(tmp_path)
    editions = [path.name for path in (tmp_path / "editions").iterdir()]
    report = build(WORLD, tmp_path, Identity("renamed"), read=WORLD.read)
    assert (report.added, report.rebuilt) == (24, True)
    assert [path.name for path in (tmp_path / "editions").iterdir()] != editions
    assert len(list((tmp_path / "editions").iterdir())) == 1
    assert b"openstack</a>" not in (tmp_path / "current/index.html").read_bytes()
    assert crawl(tmp_path / "current").problems == []


def test_empty_site(tmp_path: Path) -> None:
    report = build([], tmp_path, SITE)
    assert (report.added, report.rebuilt) == (0, True)
    words = {"index.html": b"qalab publish", "slow/index.html": b"No builds yet", "search/index.html": b"No builds yet"}
    for page, text in words.items():
        assert text in (tmp_path / "current" / page).read_bytes()
    assert b"<h2>Components" not in (tmp_path / "current/search/index.html").read_bytes()
    assert crawl(tmp_path / "current").problems == []
    assert build([], tmp_path, SITE) == SiteReport()
