"""Source packages of each shape, from an upstream commit to the .dsc: by real git, mk-origtargz and dpkg-source."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from debian.deb822 import Dsc

from lab.store.records import Record
from lab.store.runs import Store
from scripts import changelog, packaging, snapshot, source
from tests.archives import note_version
from tests.conftest import Bench, GitRepository, packaging_files
from tests.source_mirror import SourceMirror

STEPS = (snapshot, packaging, changelog, source)
COPYRIGHT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n"


class Shapes:
    """An upstream, a packaging, and runs of the steps that make a source package of them."""

    def __init__(self, factory: Callable[..., Any], bench: Callable[..., Bench], repository: Any) -> None:
        self.factory, self.bench = factory, bench
        self.upstream: GitRepository = repository("upstream")
        self.upstream.commit("Begin", {"greet.txt": "hello\n"})
        self.upstream.tag("v1.0")
        self.packaging: GitRepository = repository("packaging")
        self.packaging.commit("Package it", packaging_files())

    def build(self, revision: str = "", until: Any = source, **component: Any) -> tuple[Record, Bench]:
        """Run the steps up to one; the record of the last that ran, which passed unless it has the last word."""
        settings = {"upstream": {"git": str(self.upstream.path)}, "packaging": {"git": str(self.packaging.path)}}
        made = self.bench(self.factory(component=settings | component), revision)
        record = None
        for module in STEPS[: STEPS.index(until) + 1]:
            record = made.execute(module)
            if record.verdict != "passed":
                break
        assert record is not None
        return record, made

    def inside(self, **more: Any) -> dict[str, Any]:
        """Return the settings for a packaging in the upstream branch."""
        return {"packaging": {"git": str(self.upstream.path), **more}}


@pytest.fixture
def shapes(lab_factory: Any, bench: Any, git_repository: Any) -> Shapes:
    return Shapes(lab_factory, bench, git_repository)


def unpacked(made: Bench) -> Path:
    """Unpack the source package with dpkg-source."""
    [dsc] = made.run.out.glob("*.dsc")
    target = made.run.path / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["dpkg-source", "--extract", dsc, target], check=True, capture_output=True)
    return target


def parts(made: Bench) -> list[str]:
    """Return the file names in a .dsc without the name and version of the package."""
    [dsc] = made.run.out.glob("*.dsc")
    version = Dsc(dsc.read_text())["Version"]
    names = [entry["name"].removeprefix("greet_") for entry in Dsc(dsc.read_text())["Files"]]
    return sorted(name.removeprefix(version).removeprefix(version.rpartition("-")[0]).lstrip(".") for name in names)


def names(tarball: Path) -> set[str]:
    with tarfile.open(tarball) as tar:
        return {member.name.partition("/")[2] for member in tar if not member.isdir()}


# debian/ in the upstream branch.


@pytest.mark.integration
def test_packaging_in_upstream_follows_the_commit(shapes: Shapes) -> None:
    old = shapes.upstream.commit("Package it", packaging_files())
    shapes.upstream.commit(
        "Rename it", {"greet.txt": None, "hello.txt": "x\n", "debian/install": "hello.txt usr/share\n"}
    )
    record, made = shapes.build(old, **shapes.inside())
    assert record.verdict == "passed", record.message
    assert (unpacked(made) / "debian/install").read_text() == "greet.txt usr/share/greet\n"
    assert made.run.record("packaging").facts["head"] == old


@pytest.mark.integration
@pytest.mark.parametrize(
    "spelling, branch",
    [("{path}", None), ("{path}/", None), ("{path}.git", None), ("{path}", "main")],
)
def test_packaging_in_upstream_is_recognized_by_any_url(shapes: Shapes, spelling: str, branch: str | None) -> None:
    old = shapes.upstream.commit("Package it", packaging_files())
    shapes.upstream.commit("Go on", {"debian/docs": "gone\n"})
    url = spelling.format(path=shapes.upstream.path)
    record, _ = shapes.build(old, until=packaging, packaging={"git": url} | ({"branch": branch} if branch else {}))
    assert record.facts["head"] == old


def test_packaging_missing_at_older_commit(shapes: Shapes) -> None:
    bare = shapes.upstream.heads[0]
    shapes.upstream.commit("Package it", packaging_files())
    record, _ = shapes.build(bare, packaging={"git": str(shapes.upstream.path), "branch": "main"})
    assert (record.step, record.exit_code) == ("snapshot", 1)
    assert record.message.endswith(f"commit {bare[:7]} has no debian/control; the packaging is in the upstream branch")


@pytest.mark.integration
def test_packaging_on_other_branch_is_taken_at_tip(shapes: Shapes) -> None:
    shapes.upstream.git("checkout", "--quiet", "-b", "debian/latest")
    shapes.upstream.commit("Package it", packaging_files())
    tip = shapes.upstream.commit("Improve it", {"debian/docs": "greet.txt\n"})
    shapes.upstream.git("checkout", "--quiet", "main")
    record, _ = shapes.build(until=packaging, **shapes.inside())
    assert (record.facts["branch"], record.facts["head"]) == ("debian/latest", tip)


# Source formats.


@pytest.mark.integration
@pytest.mark.parametrize(
    "how, version, native, expected",
    [
        ("3.0 (quilt)", "1.0-1", False, ["debian.tar.xz", "orig.tar.xz"]),
        ("3.0 (native)", "1.0", True, ["tar.xz"]),
        ("1.0", "1.0", True, ["tar.gz"]),
        ("1.0", "1.0-1", False, ["diff.gz", "orig.tar.gz"]),
        (None, "1.0-1", False, ["diff.gz", "orig.tar.gz"]),
        (None, "1:1.0", True, ["tar.gz"]),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_source_formats_that_the_lab_builds(  # noqa: PLR0917 - a table
    shapes: Shapes, how: str | None, version: str, native: Any, expected: list[str], inside: Any
) -> None:
    contents: Mapping[str, Any] = packaging_files(version=version) | {"debian/source/format": how and f"{how}\n"}
    repository = shapes.upstream if inside else shapes.packaging
    if inside or how is not None:
        contents = {key: text for key, text in contents.items() if text is not None}
    repository.commit("Package it", contents)
    record, made = shapes.build(**(shapes.inside() if inside else {}))
    assert record.verdict == "passed", record.message
    assert ("+0qalab+deb12+1" in record.version) == native
    [dsc] = made.run.out.glob("*.dsc")
    fields = Dsc(dsc.read_text())
    assert (fields["Format"], fields["Version"]) == (how or "1.0", record.version)
    mark = record.version.rpartition(":")[2]
    stems = (mark, mark.rpartition("-")[0])
    assert sorted(
        next(name.removeprefix(f"greet_{stem}.") for stem in stems if name.startswith(f"greet_{stem}."))
        for name in (entry["name"] for entry in fields["Files"])
    ) == expected  # fmt: skip
    assert all((made.run.out / entry["name"]).is_file() for entry in fields["Files"])
    tree = unpacked(made)
    assert (tree / "greet.txt").read_text() == "hello\n"
    assert record.version in (tree / "debian/changelog").read_text().splitlines()[0]


@pytest.mark.integration
@pytest.mark.parametrize("how", ["3.0 (git)", "2.0", "3.0 (custom)", "", "quilt"])
def test_source_formats_that_the_lab_refuses(shapes: Shapes, how: str) -> None:
    shapes.packaging.commit("Another format", {"debian/source/format": f"{how}\n"})
    record, _ = shapes.build()
    assert (record.step, record.exit_code) == ("snapshot", 2)
    assert record.message == (
        f"debian/source/format: {how or 'is empty'}: no source format of the lab "
        "(the lab builds 1.0, 3.0 (native), 3.0 (quilt))"
    )


@pytest.mark.integration
@pytest.mark.parametrize("how", ["3.0 (native)", "1.0"])
def test_native_package_version_rises(shapes: Shapes, how: str) -> None:
    shapes.packaging.commit("Native", packaging_files(version="1.0") | {"debian/source/format": f"{how}\n"})
    first, made = shapes.build()
    again, _ = shapes.build()
    made.pretend("archive", version=first.version)
    shapes.upstream.commit("Go on", {"greet.txt": "hello, all\n"})
    after, _ = shapes.build()
    assert (
        subprocess.run(["dpkg", "--compare-versions", first.version, "lt", after.version], check=False).returncode == 0
    )
    assert first.version.partition("+0qalab")[0] == again.version.partition("+0qalab")[0]


# Changes outside debian/, in the diff of format 1.0.


def whole_tree(shapes: Shapes, *, tag: str = "upstream/1.0") -> None:
    """Have a packaging branch with all of upstream's files, as git-buildpackage has it."""
    shapes.packaging.git("rm", "-r", "--quiet", "debian")
    shapes.packaging.commit("Import upstream", {"greet.txt": "hello\n", "more.txt": "more\n", "old.txt": "old\n"})
    if tag:
        shapes.packaging.tag(tag)
    shapes.packaging.commit("Package it", packaging_files() | {"debian/source/format": "1.0\n"})


@pytest.mark.integration
@pytest.mark.parametrize("tag", ["upstream/1.0", "v1.0", "1.0"])
def test_upstream_changes_of_packaging_are_in_the_diff(shapes: Shapes, tag: str) -> None:
    shapes.upstream.commit("More", {"more.txt": "more\n", "old.txt": "old\n"})
    whole_tree(shapes, tag=tag)
    shapes.packaging.commit("Change upstream's files", {"more.txt": "more of Debian\n", "new/file.txt": "new\n"})
    record, made = shapes.build()
    assert record.verdict == "passed", record.message
    tree = unpacked(made)
    assert ((tree / "more.txt").read_text(), (tree / "new/file.txt").read_text()) == ("more of Debian\n", "new\n")
    assert "changed by the packaging outside debian/: more.txt, new/file.txt" in made.log("source")
    again, other = shapes.build()
    assert again.verdict == "passed", again.message
    [one], [two] = made.run.out.glob("*.diff.gz"), other.run.out.glob("*.diff.gz")
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.integration
@pytest.mark.parametrize("imported", ["", "upstream/1.1"])
def test_upstream_changes_of_packaging_that_prepares_a_release(shapes: Shapes, imported: str) -> None:
    """The entry for UNRELEASED is of a release that the branch has not merged, whether or not it is imported."""
    shapes.upstream.commit("More", {"more.txt": "more\n", "old.txt": "old\n"})
    whole_tree(shapes)
    prepared = packaging_files(version="1.1-1")["debian/changelog"].replace("unstable", "UNRELEASED")
    opened = {"debian/changelog": f"{prepared}\n{packaging_files()['debian/changelog']}"}
    shapes.packaging.commit("Change upstream's files", {"more.txt": "more of Debian\n", **opened})
    if imported:
        branch = shapes.packaging.git("symbolic-ref", "--short", "HEAD")
        shapes.packaging.git("checkout", "--quiet", "-b", "imports", "upstream/1.0")
        shapes.packaging.commit("Import 1.1", {"old.txt": "new\n"})
        shapes.packaging.tag(imported)
        shapes.packaging.git("checkout", "--quiet", branch)
    record, made = shapes.build()
    assert record.verdict == "passed", record.message
    assert "changed by the packaging outside debian/: more.txt\n" in made.log("source")


@pytest.mark.integration
@pytest.mark.parametrize("tag", ["upstream/1.0", ""])
def test_upstream_changes_of_packaging_that_do_not_apply(shapes: Shapes, tag: str) -> None:
    """Upstream changes the same file; or no tag identifies the changes of the packaging."""
    shapes.upstream.commit("More", {"more.txt": "other words\n"})
    whole_tree(shapes, tag=tag)
    shapes.packaging.commit("Change upstream's files", {"more.txt": "more of Debian\n"})
    record, _ = shapes.build()
    if tag:
        assert (record.step, record.exit_code) == ("source", 1)
        assert record.message == "the packaging's changes outside debian/ do not apply: more.txt"
    else:
        assert (record.step, record.exit_code) == ("source", 2)
        assert "outside debian/ is not known: no tag of 1.0 in " in record.message
        shapes.packaging.tag("upstream/1.0", "HEAD~2")
        assert "do not apply" in shapes.build()[0].message


@pytest.mark.integration
def test_upstream_tree_in_packaging_without_changes(shapes: Shapes) -> None:
    whole_tree(shapes)
    record, made = shapes.build()
    assert record.verdict == "passed", record.message
    assert "outside debian/" not in made.log("source")


# Files-Excluded.


def excluding(**fields: str) -> dict[str, str]:
    lines = "".join(f"{name.replace('_', '-')}: {globs}\n" for name, globs in fields.items())
    return {"debian/copyright": COPYRIGHT + lines}


@pytest.mark.integration
@pytest.mark.parametrize(
    "globs, gone",
    [
        ("docs", {"docs/a.txt", "docs/sub/b.txt"}),
        ("docs/*", {"docs/a.txt", "docs/sub/b.txt"}),
        ("*.txt", {"docs/a.txt", "docs/sub/b.txt", "greet.txt"}),
        ("docs/?.txt *.min.js", {"docs/a.txt", "x.min.js"}),
        ("\n  docs/sub\n  x.min.js", {"docs/sub/b.txt", "x.min.js"}),
        ("no-such-file", set()),
    ],
)
def test_files_excluded_by_copyright_file(shapes: Shapes, globs: str, gone: set[str]) -> None:
    there = {"docs/a.txt": "a\n", "docs/sub/b.txt": "b\n", "x.min.js": "x\n", "keep/docs.c": "k\n"}
    shapes.upstream.commit("More files", there)
    shapes.packaging.commit("Exclude", excluding(Files_Excluded=globs))
    record, made = shapes.build(until=snapshot)
    assert record.verdict == "passed", record.message
    assert names(made.run.path / record.artifacts[0].path) == {"greet.txt", *there} - gone
    assert record.version.endswith("+dfsg") == bool(gone)
    said = f"; {len(gone)} file{'s' * (len(gone) != 1)} excluded by debian/copyright"
    assert (said in record.message) == bool(gone)


@pytest.mark.integration
@pytest.mark.parametrize(
    "version, watch, suffix",
    [
        ("1.0+dfsg-1", "", "+dfsg"),
        ("1.0+ds1-1", "", "+ds1"),
        ("1.0+repack-2", "", "+repack"),
        ("1.0.dfsg-1", "", ".dfsg"),
        ("1.0~dfsg-1", "", "~dfsg"),
        ("1.0-1", "version=4\nopts=dversionmangle=auto,repacksuffix=+ds,repack https://x.example/ v(.*)\n", "+ds"),
        ("1.0+dfsg-1", "version=4\n# repacksuffix=+ds\nhttps://x.example/ v(.*)\n", "+dfsg"),
        ("1.0+dfsg-1", "Version: 5\n\nSource: https://x.example\nRepack-Suffix: +ds2\n", "+ds2"),
    ],
)
def test_repack_suffix_is_that_of_packaging_and_rises(shapes: Shapes, version: str, watch: str, suffix: str) -> None:
    shapes.packaging.commit("Repack", packaging_files(version=version) | excluding(Files_Excluded="docs")
                            | ({"debian/watch": watch} if watch else {}))  # fmt: skip
    following = {"version": {"next": "1.1"}} if suffix.startswith((".", "+repack")) else {}
    shapes.upstream.commit("Docs", {"docs/a": "a\n"})
    first, _ = shapes.build(**following)
    assert first.verdict == "passed", first.message
    assert first.version.endswith(f"{suffix}-0qalab+deb12+1")
    shapes.upstream.commit("Go on", {"greet.txt": "hello, all\n"})
    second, _ = shapes.build(**following)
    assert (
        subprocess.run(["dpkg", "--compare-versions", first.version, "lt", second.version], check=False).returncode == 0
    )


@pytest.mark.integration
@pytest.mark.parametrize(
    "fields, said",
    [
        ({"": "docs gone* old/"}, "no file matches gone*, old/ of Files-Excluded in debian/copyright"),
        ({"": "docs/* docs"}, ""),  # the later pattern matches all files of the earlier one
        ({"": "docs/?.txt docs/sub"}, ""),
        ({"": "d?cs no-such-file"}, "no file matches no-such-file of Files-Excluded in debian/copyright"),
        (
            {"": "docs", "_more": "x"},
            "Files-Excluded-more of debian/copyright excludes nothing: there is no orig tarball more",
        ),
    ],
)
def test_exclusion_that_excludes_nothing_is_reported(shapes: Shapes, fields: dict[str, str], said: str) -> None:
    shapes.upstream.commit("More files", {"docs/a.txt": "a\n", "docs/sub/b.txt": "b\n"})
    shapes.packaging.commit("Exclude", excluding(**{f"Files_Excluded{name}": globs for name, globs in fields.items()}))
    record, _ = shapes.build(until=snapshot)
    assert record.verdict == "passed", record.message
    assert said in record.message
    assert ("no file matches" in record.message or "excludes nothing" in record.message) == bool(said)


@pytest.mark.integration
@pytest.mark.parametrize("target", ["real.copyright", "../COPYRIGHT"])
def test_files_excluded_by_linked_copyright_file(shapes: Shapes, target: str) -> None:
    shapes.upstream.commit("Docs", {"docs/a.txt": "a\n"})
    link = shapes.packaging.path / "debian/copyright"
    (link.parent / target).write_text(excluding(Files_Excluded="docs")["debian/copyright"])
    link.unlink()
    link.symlink_to(target)
    shapes.packaging.commit("Link it")
    record, made = shapes.build(until=snapshot)
    assert "1 file excluded by debian/copyright" in record.message
    assert names(made.run.path / record.artifacts[0].path) == {"greet.txt"}


def test_repack_suffix_without_exclusions_is_reported(shapes: Shapes) -> None:
    shapes.packaging.commit("Repack by hand", packaging_files(version="1.0+dfsg-1"))
    record, _ = shapes.build(until=snapshot)
    assert "not repacked, as the packaging's +dfsg would have it" in record.message


@pytest.mark.integration
def test_files_excluded_in_old_format_are_refused(shapes: Shapes) -> None:
    shapes.packaging.commit("Old format", {"debian/copyright": "Files-Excluded: docs\n"})
    record, _ = shapes.build()
    assert (record.step, record.exit_code) == ("snapshot", 2)
    assert "Files-Excluded is there, and mk-origtargz cannot read it" in record.message


def put(repository: GitRepository, name: str, what: str) -> None:
    """Commit a file, a directory, or a link at a place."""
    path = repository.path / name
    if what == "file":
        path.write_text("x\n")
    elif what == "directory":
        path.mkdir()
        (path / "old.txt").write_text("x\n")
    else:
        path.symlink_to(what)
    repository.commit(f"Have {name}")


@pytest.mark.integration
@pytest.mark.parametrize(
    "name, what",
    [
        *(("debian", what) for what in ("file", "directory", "greet.txt", ".", "/nowhere")),
        *(("types", what) for what in ("file", "directory", "greet.txt", ".")),  # dpkg-source fails at /nowhere
    ],
)
def test_place_of_debian_and_components_is_cleared(shapes: Shapes, types: GitRepository, name: str, what: str) -> None:
    """Upstream may have a link from debian to its own packaging, or anything else, where those belong."""
    put(shapes.upstream, name, what)
    record, made = shapes.build(orig={"components": {"types": {"git": str(types.path)}}})
    assert record.verdict == "passed", record.message
    tree = unpacked(made)
    assert {path.name for path in (tree / "types").iterdir()} == {"index.d.ts", "big"}
    assert (tree / "debian/control").is_file()
    assert not (tree / "debian/old.txt").exists()
    assert (tree / "greet.txt").read_text() == "hello\n"


# Several orig tarballs.


@pytest.fixture
def types(git_repository: Any) -> GitRepository:
    repository = git_repository("types")
    repository.commit("Types", {"index.d.ts": "export {}\n"})
    repository.tag("v7")
    repository.commit("Later", {"index.d.ts": "export {} // later\n", "big/x.min.js": "x\n"})
    return repository


@pytest.mark.integration
@pytest.mark.parametrize(
    "contents",
    [
        {"debian/watch": "version=4\nopts=component=types,ctype=nodejs https://x.example/ (.*)\n"},
        {"debian/watch": 'version=4\nopts="pgpmode=none,component=types" \\\n https://x.example/ (.*)\n'},
        {"debian/watch": "Version: 5\n\nSource: https://x.example\n\nComponent: types\nSource: https://y.example\n"},
        {"debian/gbp.conf": "[DEFAULT]\ncomponent = ['types']\n"},
    ],
)
def test_orig_component_missing_in_distribution_is_refused(
    shapes: Shapes, types: GitRepository, source_mirror: SourceMirror, contents: dict[str, str]
) -> None:
    """The distribution has no source package; the settings in the hint solve the problem."""
    shapes.packaging.commit("Two tarballs", contents)
    record, _ = shapes.build()
    assert (record.step, record.exit_code) == ("snapshot", 2)
    assert "greet needs the orig tarball types, and series bookworm has no source package greet" in record.message
    assert "(set components.greet.orig.components: {types: {git: URL}}, or {method: omit})" in record.message
    for given in ({"git": str(types.path)}, {"method": "omit"}):
        there, made = shapes.build(orig={"components": {"types": given}})
        assert there.verdict == "passed", there.message
        assert (unpacked(made) / "types").exists() == ("git" in given)
    source_mirror.add("greet", "1.0-1", {"": {"greet.txt": "hi\n"}, "types": {"index.d.ts": "of Debian\n"}})
    there, made = shapes.build()
    assert there.verdict == "passed", there.message
    assert (unpacked(made) / "types/index.d.ts").read_text() == "of Debian\n"
    assert "from greet 1.0-1 of bookworm: types" in made.run.record("snapshot").message


@pytest.mark.integration
def test_orig_component_unknown_to_distribution_is_refused(shapes: Shapes, source_mirror: SourceMirror) -> None:
    shapes.packaging.commit("Two tarballs", {"debian/gbp.conf": "[DEFAULT]\ncomponent = ['types']\n"})
    source_mirror.add("greet", "1.0-1", {"": {"greet.txt": "hi\n"}, "fonts": {"a": "b\n"}})
    record, _ = shapes.build()
    assert (record.step, record.exit_code) == ("snapshot", 2)
    assert "greet 1.0-1 has no orig tarball types; known: fonts" in record.message


@pytest.mark.integration
def test_orig_component_replaces_submodule(shapes: Shapes, types: GitRepository) -> None:
    """In gflags, doc/ is a submodule of upstream and an orig tarball of the package."""
    shapes.upstream.git("submodule", "--quiet", "add", str(types.path), "doc")
    shapes.upstream.commit("Add a submodule")
    record, made = shapes.build(orig={"components": {"doc": {"git": str(types.path), "tag": "v7"}}})
    assert record.verdict == "passed", record.message
    assert parts(made) == ["debian.tar.xz", "orig-doc.tar.xz", "orig.tar.xz"]
    assert (unpacked(made) / "doc/index.d.ts").read_text() == "export {}\n"
    assert "left out" not in made.run.record("snapshot").message


@pytest.mark.integration
def test_orig_components_from_git(shapes: Shapes, types: GitRepository) -> None:
    shapes.upstream.commit("Something of that name", {"types/old": "x\n"})
    shapes.packaging.commit("Exclude", excluding(Files_Excluded_types="*.min.js"))
    given = {"types": {"git": str(types.path)}, "more": {"git": str(types.path), "tag": "v7"}}
    record, made = shapes.build(orig={"components": given})
    assert record.verdict == "passed", record.message
    assert parts(made) == ["debian.tar.xz", "orig-more.tar.xz", "orig-types.tar.xz", "orig.tar.xz"]
    tree = unpacked(made)
    assert (tree / "types/index.d.ts").read_text() == "export {} // later\n"
    assert (tree / "more/index.d.ts").read_text() == "export {}\n"
    assert not (tree / "types/big/x.min.js").exists()
    assert not (tree / "types/old").exists()
    assert "1 file excluded by debian/copyright" in made.run.record("snapshot").message


@pytest.mark.integration
@pytest.mark.parametrize(
    "given, message",
    [
        ({"method": "git"}, "orig.components.types of greet: needs git"),
        ({"git": "{types}", "tag": "v7", "branch": "main"}, "needs git, and either branch or tag"),
        ({"git": "{types}", "tag": "v8"}, "has no tag v8"),
        ({"git": "{types}", "branch": "other"}, "no branch other; known: main"),
    ],
)
def test_orig_components_with_invalid_settings(
    shapes: Shapes, types: GitRepository, given: dict[str, str], message: str
) -> None:
    settings = {key: text.format(types=types.path) for key, text in given.items()}
    record, _ = shapes.build(orig={"components": {"types": settings}})
    assert (record.step, record.exit_code) == ("snapshot", 2)
    assert message in record.message


def test_orig_components_need_quilt_format(shapes: Shapes) -> None:
    shapes.packaging.commit("Old", {"debian/source/format": "1.0\n"})
    record, _ = shapes.build(orig={"components": {"types": {"method": "omit"}}})
    assert (record.exit_code, "its source format 1.0 has no components" in record.message) == (2, True)


# One name, one content.


def publish(made: Bench) -> list[Path]:
    """Put the orig tarballs of a run where the archive keeps them."""
    root = Store.of(made.lab).archive
    pool = root / "pool/main/g/greet"
    pool.mkdir(parents=True, exist_ok=True)
    copied = [Path(shutil.copy(path, pool)) for path in made.run.out.glob("*.orig*.tar.*")]
    note_version(root, "greet", made.run.record("snapshot").version, copied)
    return copied


@pytest.mark.integration
def test_orig_tarball_of_archive_is_reused(shapes: Shapes) -> None:
    first, made = shapes.build(until=snapshot)
    [there] = publish(made)
    subprocess.run(["xz", "--decompress", there], check=True)
    subprocess.run(["xz", "-9", there.with_suffix("")], check=True)  # as another release of liblzma packs it
    note_version(Store.of(made.lab).archive, "greet", first.version, [there])
    again, other = shapes.build()
    assert again.verdict == "passed", again.message
    snapped = other.run.record("snapshot")
    assert snapped.version == first.version
    assert (other.run.path / snapped.artifacts[0].path).read_bytes() == there.read_bytes()


@pytest.mark.integration
@pytest.mark.parametrize("suffix", ["", "+dfsg"])
def test_orig_tarball_with_other_content_gets_another_version(shapes: Shapes, suffix: str) -> None:
    """The next version rises above the new one."""
    shapes.upstream.commit("More", {"docs/a": "a\n", "tests/run": "x\n", ".gitattributes": "tests export-ignore\n"})
    if suffix:
        shapes.packaging.commit("Exclude", excluding(Files_Excluded="docs"))
    first, made = shapes.build()
    publish(made)
    name = made.run.record("snapshot").version
    second, other = shapes.build(orig={"export_ignore": "include"})
    assert second.verdict == "passed", second.message
    snapped = other.run.record("snapshot")
    assert snapped.version == f"{name}+2"
    assert f"the archive has {name} with other content, so this is {name}+2" in snapped.message
    publish(other)
    third, _ = shapes.build(orig={"export_ignore": "include"})  # a new run of the same settings: the same tarball
    assert third.version == f"{name}+2-0qalab+deb12+1"
    shapes.upstream.commit("Go on", {"greet.txt": "hello, all\n"})
    fourth, _ = shapes.build(orig={"export_ignore": "include"})
    for lower, higher in ((first, second), (second, fourth)):
        argv = ["dpkg", "--compare-versions", lower.version, "lt", higher.version]
        assert subprocess.run(argv, check=False).returncode == 0


# Submodules, Git LFS, export-ignore.


@pytest.fixture
def submodules(shapes: Shapes, git_repository: Any) -> GitRepository:
    """Two submodules of the upstream."""
    inner = git_repository("inner")
    inner.commit("Inner", {"inner.txt": "inner\n"})
    for path in ("modules/one", "two"):
        shapes.upstream.git("submodule", "--quiet", "add", str(inner.path), path)
    shapes.upstream.commit("Add submodules")
    return inner


@pytest.mark.integration
@pytest.mark.usefixtures("submodules")
@pytest.mark.parametrize(
    "policy, there, said",
    [
        ("include", {"modules/one/inner.txt", "two/inner.txt"}, ""),
        ("omit", set(), "submodules left out: modules/one, two"),
        (["two"], {"two/inner.txt"}, "submodules left out: modules/one"),
        ([], set(), "submodules left out: modules/one, two"),
    ],
)
def test_submodules_by_policy(shapes: Shapes, policy: Any, there: set[str], said: str) -> None:
    record, made = shapes.build(until=snapshot, orig={"submodules": policy})
    assert record.verdict == "passed", record.message
    assert {name for name in names(made.run.path / record.artifacts[0].path) if "inner" in name} == there
    assert said in record.message


@pytest.mark.integration
@pytest.mark.usefixtures("submodules")
@pytest.mark.parametrize(
    "policy, message",
    [
        ("refuse", "has submodules: modules/one, two (orig.submodules: include takes them into the tarball, omit"),
        (["three"], "no submodule three; known: modules/one, two"),
    ],
)
def test_submodules_refused_by_policy(shapes: Shapes, policy: Any, message: str) -> None:
    record, _ = shapes.build(orig={"submodules": policy})
    assert (record.step, record.exit_code) == ("snapshot", 2)
    assert message in record.message


@pytest.mark.integration
def test_lfs_pointers_are_refused_or_kept(shapes: Shapes) -> None:
    """See tests/integration/test_snapshot_lfs.py for `orig.lfs: fetch`."""
    shapes.upstream.commit("Big", {"data/big.bin": POINTER, "talk.txt": "see " + POINTER, "more.txt": POINTER + "more"})
    record, _ = shapes.build()
    assert (record.step, record.exit_code) == ("snapshot", 2)
    assert record.message.startswith("Git LFS pointers stand in the place of files: data/big.bin (orig.lfs: fetch")
    kept, made = shapes.build(until=snapshot, orig={"lfs": "keep"})
    assert "data/big.bin" in names(made.run.path / kept.artifacts[0].path)


@pytest.mark.parametrize(
    "policy, there, said", [("honour", False, "left out by export-ignore: tests/run"), ("include", True, "")]
)
def test_export_ignore_by_policy(shapes: Shapes, policy: str, there: Any, said: str) -> None:
    contents = {
        "tests/run": "x\n",
        ".gitattributes": "tests export-ignore\nid.txt export-subst\n",
        "id.txt": "$Format:%d$",
    }
    shapes.upstream.commit("Tests", contents)
    record, made = shapes.build(until=snapshot, orig={"export_ignore": policy})
    tarball = made.run.path / record.artifacts[0].path
    assert ("tests/run" in names(tarball)) == there
    assert said in record.message
    assert ("export-ignore" in record.message) == bool(said)
    with tarfile.open(tarball) as tar:
        assert tar.extractfile(f"greet-{record.version}/id.txt").read() == b"$Format:%d$"
