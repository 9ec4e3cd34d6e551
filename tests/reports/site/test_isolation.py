"""A build or page that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment
from lab.base.errors import Aborted
from lab.base.failures import Bug
from lab.results.build_identity import build_id
from reports.site import Identity, build
from reports.site.render import Renderer
from reports.site.update import SiteReport
from tests.reports.site.crawl import crawl, tree_of
from tests.reports.site.worlds import InMemory, World

SITE = Identity("openstack")
WORLD = World(16, components=2, tracks=2, tests=12, lines=6)
ODD = WORLD.path(5)
PATHS = list(WORLD)
REST = [path for path in PATHS if path != ODD]


def changed(**fields: Any) -> Callable[[Path], object]:
    """Return a reader of bundles that changes fields of one build."""

    def read(path: Path) -> object:
        found = WORLD.read(path)
        return InMemory(found.build.model_copy(update=fields), found.logs) if path == ODD else found

    return read


def update(out: Path, read: Callable[[Path], Any] = WORLD.read, paths: list[Path] = PATHS) -> SiteReport:
    return build(paths, out, SITE, read=read)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The files of a site of all builds."""
    out = tmp_path_factory.mktemp("whole")
    update(out)
    return tree_of(out / "current")


@pytest.fixture(scope="module")
def without_odd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The files of a site of all builds but the odd one."""
    out = tmp_path_factory.mktemp("without")
    update(out, paths=REST)
    return tree_of(out / "current")


@pytest.mark.integration
@pytest.mark.parametrize(
    "fields, message",
    [
        ({"started": "never"}, "'never' is not a time"),
        ({"finished": ""}, "'' is not a time"),
        ({"finished": "2026-01-01T00:00:00"}, "'2026-01-01T00:00:00' is not a time in UTC"),
        ({"finished": "2026-01-01T02:00:00+02:00"}, "'2026-01-01T02:00:00+02:00' is not a time in UTC"),
        ({"started": "20260101T000000Z"}, "'20260101T000000Z' is not a time in UTC"),
        ({"started": "2026-W01-4T00:00:00Z"}, "is not a time in UTC"),
        ({"seconds": float("nan")}, "nan is not a duration"),
        ({"verdict": "odd"}, ""),
        ({"cases": (None,)}, "AttributeError"),
        ({"component": None}, ""),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_invalid_build_is_left_out(
    tmp_path: Path, without_odd: dict[str, Any], fields: dict[str, Any], message: str, *, is_first: bool
) -> None:
    if not is_first:
        update(tmp_path / "site", paths=REST)
    report = update(tmp_path / "site", changed(**fields))
    assert list(report.left_out) == [ODD]
    assert message in report.refused[0]
    assert "\n" not in report.refused[0]
    assert report.exit_code in {2, 70}
    assert tree_of(tmp_path / "site/current") == without_odd


@pytest.mark.integration
@pytest.mark.parametrize("field", ["started", "finished"])
def test_build_from_the_future_is_left_out_until_its_time(
    tmp_path: Path, whole: dict[str, Any], without_odd: dict[str, Any], field: str
) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
    read = changed(**{field: "2026-06-05T00:00:00.000Z"})
    report = build(PATHS, tmp_path, SITE, read=read, now=now)
    assert (report.exit_code, report.refused) == (
        3,
        (f"{ODD}: is of 2026-06-05T00:00:00.000Z, which has not come yet (is the clock of the machine wrong?)",),
    )
    assert tree_of(tmp_path / "current") == without_odd
    assert build(PATHS, tmp_path, SITE, read=read, now=now + 4 * 86_400).added == 1
    assert tree_of(tmp_path / "current") != whole  # of another date


def break_template(monkeypatch: pytest.MonkeyPatch, template: str, part: str) -> None:
    """Make a template fail for paths with ``part``."""
    render = Renderer.render

    def fail(self: Renderer, name: str, path: str, **data: Any) -> bytes:
        if name == template and part in path:
            raise RecursionError("a bug\nof ours")
        return render(self, name, path, **data)

    monkeypatch.setattr(Renderer, "render", fail)


@pytest.mark.integration
@pytest.mark.parametrize("template", ["build.html", "log.html"])
def test_build_with_failing_page_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any], without_odd: dict[str, Any], template: str
) -> None:
    bundle = WORLD.read(ODD)
    name = build_id(bundle.build.id)
    with monkeypatch.context() as patched:
        break_template(patched, template, name)
        report = update(tmp_path / "site")
    (error,) = report.left_out.values()
    assert isinstance(error, Bug)
    assert error.args[0].startswith("a bug in qalab: RecursionError: a bug of ours; see ")
    assert "RecursionError: a bug" in "".join(log.read_text() for log in (environment.state_home() / "bugs").iterdir())
    assert (report.exit_code, report.added) == (70, len(REST))
    assert not list((tmp_path / "site").rglob(f"*{name}*"))
    assert tree_of(tmp_path / "site/current") == without_odd
    assert update(tmp_path / "site").added == 1
    assert tree_of(tmp_path / "site/current") == whole


@pytest.mark.integration
@pytest.mark.parametrize(
    "template, part, is_first",
    [("track.html", "keystone/trunk-noble", True), ("track.html", "keystone/trunk-noble", False),
     ("component.html", "keystone", True), ("component.html", "keystone", False), ("home.html", "", True),
     ("home.html", "", False), ("feed.atom", "glance", True), ("feed.atom", "glance", False),
     ("commit.html", "", True), ("commit.html", "", False), ("about.html", "", True)],  # about.html never changes
)  # fmt: skip
def test_failing_page_stays_unchanged_and_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any], template: str, part: str, *, is_first: bool
) -> None:
    if not is_first:
        update(tmp_path / "site", paths=PATHS[:8])
    with monkeypatch.context() as patched:
        break_template(patched, template, part)
        for _ in range(2):
            report = update(tmp_path / "site")
            assert report.stale
            assert (report.left_out, report.exit_code) == ({}, 70)
    if not is_first:
        assert crawl(tmp_path / "site/current").problems == [] or template == "commit.html"
    assert update(tmp_path / "site").stale == {}
    assert tree_of(tmp_path / "site/current") == whole
    assert update(tmp_path / "site") == SiteReport()


@pytest.mark.integration
def test_failing_page_of_withdrawn_builds_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [path for path in PATHS if WORLD.read(path).build.component != "glance"]
    with monkeypatch.context() as patched:
        break_template(patched, "track.html", "glance")
        assert update(tmp_path / "site").stale
    report = update(tmp_path / "site", paths=others)
    assert (report.rebuilt, report.stale) == (True, {})
    assert update(tmp_path / "site", paths=others) == SiteReport()


@pytest.mark.integration
@pytest.mark.parametrize("kind", [Aborted, KeyboardInterrupt])
def test_abort_stops_update(tmp_path: Path, kind: type[BaseException]) -> None:
    def read(path: Path) -> object:
        if path == ODD:
            raise kind("ended by SIGTERM")
        return WORLD.read(path)

    with pytest.raises(kind):
        update(tmp_path, read)
    assert update(tmp_path).added == len(PATHS)
