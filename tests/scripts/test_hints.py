"""Hints of the build phase lead out: what a message names is done, and the steps pass.

Other hints are tested where their steps are: those for versions in tests/scripts/upstream/test_packaged_version.py, for
missing orig tarballs in test_shapes.py, for the push in test_push.py, for a step that has not passed in
tests/scripts/phases/test_runner.py, for LFS servers and commands in a chroot in the integration tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from lab.config.description import Lab
from lab.store.records import Record
from scripts import changelog, packaging, snapshot, source
from tests.conftest import Bench, GitRepository, packaging_files
from tests.scripts.test_snapshot import add_submodule
from tests.scripts.test_source import Content, changed, diff, quilt

pytestmark = pytest.mark.integration
LINES = changed()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
COPYRIGHT = packaging_files()["debian/copyright"]
OLD = {"debian/source/format": "1.0\n"}
EXCLUDED = {"debian/copyright": "Files-Excluded: docs\n"}


@dataclass
class Place:
    """The repositories of a component, and its settings in lab.yaml."""

    upstream: GitRepository
    packaging: GitRepository
    submodule: GitRepository
    settings: dict[str, Any] = field(default_factory=dict)
    revision: str = ""


Way = Callable[[Place], object]


def settings(**keys: Mapping[str, Any]) -> Way:
    return lambda place: place.settings.update(keys)


def package(contents: Mapping[str, str | bytes | None]) -> Way:
    return lambda place: place.packaging.commit("Change the packaging", contents)


def upstream(contents: Mapping[str, str | bytes | None]) -> Way:
    return lambda place: place.upstream.commit("Change it", contents)


def both(*ways: Way) -> Way:
    return lambda place: [way(place) for way in ways]


def tagged(name: str) -> Way:
    """Tag the import of the release in the packaging branch."""
    return lambda place: place.packaging.tag(name, place.packaging.heads[0])


def old(version: str = "1.0-1") -> Way:
    """Package in format 1.0, with a change of the packaging outside debian/."""
    return package(packaging_files(version=version) | OLD | {"more.txt": "more\n"})


def side_branch(place: Place) -> None:
    """Test a commit of a branch that the track does not follow."""
    place.upstream.git("checkout", "--quiet", "-b", "side")
    place.revision = place.upstream.commit("On the side")
    place.upstream.git("checkout", "--quiet", "main")
    place.upstream.commit("Go on")


def hidden_branch(place: Place) -> None:
    """Keep debian/ on a branch with a name that says nothing."""
    place.packaging.git("checkout", "--quiet", "-b", "odd")
    place.packaging.git("branch", "--force", "main", place.packaging.heads[0])
    place.packaging.git("checkout", "--quiet", "main")


def shallow(place: Place) -> None:
    place.upstream.commit("Go on")
    place.upstream.git("clone", "--quiet", "--depth=1", f"file://{place.upstream.path}", "shallow")
    place.settings["upstream"] = {"git": str(place.upstream.path / "shallow")}


def unshallow(place: Place) -> None:
    GitRepository(place.upstream.path / "shallow").git("fetch", "--quiet", "--unshallow", "--tags")


def patch(new: Content, **upstream_lines: str) -> Way:
    """Have a patch, and upstream's own change."""
    patched = quilt(fix=diff({"lines.txt": LINES}, new))
    return both(package(patched), upstream({"lines.txt": changed(**upstream_lines)}))


MERGED = patch({"lines.txt": changed(n5="five")}, n5="five")
DROPPED = {"debian/patches/series": None, "debian/patches/fix.patch": None}
FUZZY = patch({"lines.txt": changed(n5="five")}, n2="two")
REFRESHED = quilt(fix=diff({"lines.txt": changed(n2="two")}, {"lines.txt": changed(n2="two", n5="five")}))
SUBMODULE: Way = lambda place: add_submodule(  # noqa: E731 - a row of the table
    place.upstream, "vendor", str(place.submodule.path), place.submodule.heads[0]
)

# By name: what happens, the hint, and the ways out that it names.
HINTS: Final[Mapping[str, tuple[Way, str, Mapping[str, Way]]]] = {
    "submodules": (
        SUBMODULE,
        "orig.submodules: include takes them into the tarball, omit leaves them out, a list takes some",
        {"include": settings(orig={"submodules": "include"}), "omit": settings(orig={"submodules": "omit"}),
         "list": settings(orig={"submodules": ["vendor"]})},
    ),
    "LFS pointers": (
        upstream({"big.bin": POINTER}),
        "orig.lfs: fetch takes the files from the LFS server, keep takes the pointers as they are",
        {"keep": settings(orig={"lfs": "keep"})},
    ),
    "merged patch": (
        MERGED,
        "drop it from the packaging, or set packaging.drop_merged_patches in lab.yaml",
        {"drop": package(DROPPED), "set": settings(packaging={"drop_merged_patches": True})},
    ),
    "patch with fuzz": (FUZZY, "quilt refresh", {"refresh": package(REFRESHED)}),
    "excluded files in an old copyright": (
        package(EXCLUDED),
        "its Format: must be https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
        {"format": package({"debian/copyright": f"{COPYRIGHT}Files-Excluded: docs\n"})},
    ),
    "component of format 1.0": (
        both(package(OLD), settings(orig={"components": {"types": {"method": "omit"}}})),
        "only 3.0 (quilt) has several orig tarballs",
        {"quilt": package({"debian/source/format": "3.0 (quilt)\n"}), "none": both(settings(orig={}), tagged("upstream/1.0"))},
    ),
    "release of format 1.0 without a tag": (
        old(),
        "tag the imported release as upstream/1.0, or keep debian/ alone in the branch",
        {"tag": tagged("upstream/1.0"), "alone": package({"more.txt": None, "greet.txt": None, "lines.txt": None})},
    ),
    "pre-release of format 1.0 without a tag": (
        old("1.0~rc1-1"), "tag the imported release as upstream/1.0_rc1,", {"tag": tagged("upstream/1.0_rc1")}
    ),
    "release with a hyphen of format 1.0 without a tag": (
        old("0.9-1-1"), "tag the imported release as upstream/0.9-1,", {"tag": tagged("upstream/0.9-1")}
    ),
    "pattern without a group": (
        settings(version={"tag_pattern": "v.*"}), "v(.*)-final", {"group": settings(version={"tag_pattern": "v(.*)"})}
    ),
    "next release with an epoch": (
        settings(version={"next": "1:2.0-1"}), "no epoch, no revision", {"plain": settings(version={"next": "2.0"})}
    ),
    "unknown packaging branch": (
        hidden_branch, "name it as packaging.branch in lab.yaml", {"named": settings(packaging={"branch": "odd"})}
    ),
    "commit of another branch": (
        side_branch,
        "follow another branch with components.greet.upstream.branch",
        {"followed": settings(upstream={"branch": "side"})},
    ),
    "unknown source format": (
        package({"debian/source/format": "3.0 (git)\n"}),
        "the lab builds 1.0, 3.0 (native), 3.0 (quilt)",
        {"1.0": both(package(OLD), tagged("upstream/1.0")), "native": package({"debian/source/format": "3.0 (native)\n"}),
         "quilt": package({"debian/source/format": "3.0 (quilt)\n"})},
    ),
    "source format with a blank": (
        package({"debian/source/format": "3.0 (quilt) \r\n"}),
        "remove the blanks around it",
        {"removed": package({"debian/source/format": "3.0 (quilt)\n"})},
    ),
    "shallow clone": (
        shallow, "give the whole repository: its tags and commit counts make the versions", {"whole": unshallow}
    ),
}  # fmt: skip

CASES = [(name, way) for name, (_, _, ways) in HINTS.items() for way in ways]


@pytest.fixture
def place(git_repository: Callable[..., GitRepository]) -> Place:
    made = Place(git_repository("upstream"), git_repository("packaging"), git_repository("submodule"))
    files = {"greet.txt": "hello\n", "lines.txt": LINES}
    made.upstream.commit("Begin", files)
    made.upstream.tag("v1.0")
    made.packaging.commit("Import", files)
    made.packaging.commit("Package it", packaging_files())
    made.submodule.commit("Vendor", {"vendor.txt": "x\n"})
    return made


@pytest.fixture
def until_source(place: Place, lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> Callable[[], Record]:
    """Return a function that runs the steps up to source; the last record."""

    def run() -> Record:
        lab = lab_factory(upstream=place.upstream.path, packaging=place.packaging.path, component=place.settings)
        made = bench(lab, place.revision)
        for module in (snapshot, packaging, changelog, source):
            record = made.execute(module)
            if record.verdict != "passed":
                break
        return record

    return run


@pytest.mark.parametrize("name, way", CASES, ids=[f"{name}: {way}" for name, way in CASES])
def test_hint_leads_out(place: Place, until_source: Callable[[], Record], name: str, way: str) -> None:
    happens, hint, ways = HINTS[name]
    happens(place)
    stopped = until_source()
    assert stopped.verdict in {"failed", "error"}, stopped.message
    assert hint in stopped.message.partition(" (")[2], stopped.message
    ways[way](place)
    passed = until_source()
    assert (passed.step, passed.verdict) == ("source", "passed"), passed.message
