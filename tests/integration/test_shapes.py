"""Source packages of unusual shapes through the whole build phase, two commits each, in one lab.

The packagings are small and real: debhelper builds them in a clean chroot, and lintian, content and archive judge them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from debian.deb822 import Dsc

from lab.base.run import output
from lab.config.description import PHASES, Lab
from lab.store.runs import Store
from tests.command import qalab
from tests.conftest import GitRepository, packaging_files
from tests.scripts.histories import dpkg

pytestmark = pytest.mark.integration
EXCLUDED = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nFiles-Excluded: *.min.js\n"
MAKEFILE = "dist:\n\tmkdir greet-1 && cp greet.txt greet-1 && date -ud @$$SOURCE_DATE_EPOCH > greet-1/made.txt\n\ttar -czf greet-1.tar.gz greet-1\n"

Shape = tuple[Mapping[str, str], Mapping[str, str], Mapping[str, Any], list[str], set[str]]
# By component: upstream's files besides greet.txt, the packaging's, its lab.yaml, the parts of the source package, and
# the files of the binary package below usr/share/greet.
SHAPES: dict[str, Shape] = {
    "inside": (  # a native package in the upstream branch
        packaging_files("inside", "1.0") | {"debian/source/format": "3.0 (native)\n"},
        {},
        {},
        ["tar.xz"],
        {"greet.txt"},
    ),
    "old": (  # format 1.0, with a change outside debian/
        {},
        packaging_files("old") | {"debian/source/format": "1.0\n", "debian/install": "*.txt usr/share/greet\n", "more.txt": "more\n"},
        {},
        ["diff.gz", "orig.tar.gz"],
        {"greet.txt", "more.txt"},
    ),
    "several": (  # two orig tarballs, and a file that must not be shipped
        {"x.min.js": "x\n"},
        packaging_files("several", "1.0+dfsg-1") | {
            "debian/copyright": EXCLUDED,
            "debian/gbp.conf": "[DEFAULT]\ncomponent = ['types']\n",
            "debian/install": "greet.txt types/*.ts usr/share/greet\n",
        },
        {},
        ["debian.tar.xz", "orig-types.tar.xz", "orig.tar.xz"],
        {"greet.txt", "index.d.ts"},
    ),
    "made": (  # make dist, in a chroot
        {"Makefile": MAKEFILE},
        packaging_files("made") | {"debian/install": "*.txt usr/share/greet\n"},
        {"orig": {"method": "command", "command": "make dist"}},
        ["debian.tar.xz", "orig.tar.xz"],
        {"greet.txt", "made.txt"},
    ),
}  # fmt: skip


@pytest.fixture
def described(
    shared_cache: Path, lab_factory: Callable[..., Lab], git_repository: Callable[..., GitRepository], tmp_path: Path
) -> dict[str, GitRepository]:
    """A lab with all shapes in tmp_path/lab.yaml; the upstream repositories by component."""
    types = git_repository("types")
    types.commit("Types", {"index.d.ts": "export {}\n"})
    components, upstreams = {}, {}
    for name, (files, packaging_of_it, settings, _, _) in SHAPES.items():
        upstreams[name] = upstream = git_repository(f"upstream-{name}")
        upstream.commit("Begin", {"greet.txt": "hello\n", **files})
        upstream.tag("v1.0")
        packaging = upstream if not packaging_of_it else git_repository(f"packaging-{name}")
        if packaging_of_it:
            packaging.commit("Import", {"greet.txt": "hello\n"})
            packaging.tag("upstream/1.0")
            packaging.commit("Package it", packaging_of_it)
        components[name] = {
            "upstream": {"git": str(upstream.path)},
            "packaging": {"git": str(packaging.path)},
            **settings,
        }
    components["several"] = {**components["several"], "orig": {"components": {"types": {"git": str(types.path)}}}}
    lab_factory(name="inside", lab={"components": components})
    assert shared_cache.is_dir()
    return upstreams


CORE = ("old", "several")  # the others take minutes more


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in CORE else pytest.mark.full) for name in SHAPES]
)
def test_shape_builds_two_commits(name: str, described: dict[str, GitRepository], tmp_path: Path) -> None:
    _, _, _, parts, files = SHAPES[name]
    upstream = described[name]
    for text in ("hello\n", "hello, all\n"):
        if text != "hello\n":
            upstream.commit("Greet all", {"greet.txt": text})
        done = qalab("run", "trunk", name, "--lab", tmp_path / "lab.yaml")
        assert done.returncode == 0, done.stdout + done.stderr
        run = Store(tmp_path / "state/qalab/testlab").runs()[-1]
        assert [run.record(step).verdict for step in PHASES["build"]] == ["passed"] * 8 + ["skipped"] * 2
        [dsc], [deb] = run.out.glob("*.dsc"), run.out.glob("*_all.deb")
        stems = (run.version, run.version.rpartition("-")[0])
        names = [entry["name"].removeprefix(f"{name}_") for entry in Dsc(dsc.read_text())["Files"]]
        assert sorted(
            next(part.removeprefix(stem).lstrip(".") for stem in stems if stem and part.startswith(stem))
            for part in names
        ) == parts  # fmt: skip
        listed = output(["dpkg-deb", "--contents", deb]).split()
        there = {word.rpartition("/")[2] for word in listed if word.startswith("./usr/share/greet/")}
        assert there - {""} == files
    first, second = (run.version for run in Store(tmp_path / "state/qalab/testlab").runs())
    assert dpkg(first, "lt", second)
    assert f"compared with {first} of trunk" in run.record("content").message
