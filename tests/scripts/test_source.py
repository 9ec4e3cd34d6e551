"""The source package: reproducible on every machine, with messages about patches that do not apply."""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from debian.deb822 import Changes, Dsc

from lab.base import files
from lab.base.debian import newest_entry
from lab.base.errors import InfrastructureError
from lab.base.git import NO_CONFIG, git, identity
from lab.base.run import output, run
from lab.store.records import Artifact, Record
from scripts import source
from scripts.upstream import quilt_patches
from tests.conftest import EPOCH, QUILT, Bench, GitRepository, packaging_files

UPSTREAM = "1.0+git20260101.1.abc1234"
VERSION = f"{UPSTREAM}-0qalab1~bookworm1"
LINES = "".join(f"{number}\n" for number in range(1, 41))
FILES = {"greet.txt": LINES, "other.txt": LINES}
Content = Mapping[str, str | None]
WHO = NO_CONFIG | identity("Test Lab <lab@lab.example>", EPOCH)


def diff(old: Content, new: Content) -> str:
    """Return a patch from one content to another; None means a missing file."""
    text = ""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        labels = ("/dev/null" if before is None else f"a/{name}", "/dev/null" if after is None else f"b/{name}")
        sides = ((content or "").splitlines(keepends=True) for content in (before, after))
        text += "".join(difflib.unified_diff(*sides, *labels))
    return text


def changed(**lines: str) -> str:
    """LINES with some of them changed: ``changed(n5="five")``."""
    return "".join(lines.get(f"n{line}", line) + "\n" for line in LINES.split())


class Bed:
    """A run with an orig tarball and the packaging at hand."""

    def __init__(self, lab_factory: Callable[..., Any], bench: Callable[..., Bench], tmp_path: Path) -> None:
        self.lab_factory, self.bench, self.tmp_path = lab_factory, bench, tmp_path

    def prepare(
        self,
        packaging: Mapping[str, str | bytes | None] | None = None,
        upstream: Content = FILES,
        version: str = VERSION,
        when: int = EPOCH,
        **lab: Any,
    ) -> Bench:
        made = self.bench(self.lab_factory(**lab))
        tree = self.tmp_path / f"greet-{UPSTREAM}"
        for name, content in upstream.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(content or "")
        orig = made.run.out / f"greet_{UPSTREAM}.orig.tar.xz"
        run(["tar", "-cJf", orig, "--mtime=@0", "--sort=name", "--owner=0", "--group=0", "--mode=u+rw,go=rX", tree.name],
            cwd=self.tmp_path)  # fmt: skip
        artifact = Artifact(path=f"out/{orig.name}", sha256=files.sha256(orig), size=orig.stat().st_size, kind="orig")
        facts = {"committed": when, "source_package": QUILT}
        made.pretend("snapshot", commit="0" * 40, version=UPSTREAM, artifacts=(artifact,), facts=facts)
        repository = GitRepository(made.run.work / "packaging")
        repository.commit("Package it", packaging_files(version=version) | dict(packaging or {}))
        made.pretend("changelog", version=version, facts={"head": repository.heads[-1]})
        return made

    def run(self, *arguments: Any, **named: Any) -> tuple[Record, Bench]:
        made = self.prepare(*arguments, **named)
        return made.execute(source), made


@pytest.fixture
def bed(lab_factory: Any, bench: Any, tmp_path: Path) -> Bed:
    return Bed(lab_factory, bench, tmp_path)


def quilt(**contents: str) -> dict[str, str]:
    """Patches of a debian/ directory, in their order: ``quilt(fix=DIFF)`` is fix.patch."""
    series = "".join(f"{name}.patch\n" for name in contents)
    return {f"debian/patches/{name}.patch": text for name, text in contents.items()} | {"debian/patches/series": series}


def digests(path: Path) -> dict[str, str]:
    return {
        entry.name: files.sha256(entry) for entry in path.iterdir() if entry.name.endswith((".dsc", "debian.tar.xz"))
    }


@pytest.mark.parametrize(
    "line, patch",
    [
        ("fix.patch", "fix.patch"),
        ("  fix.patch -p1\n", "fix.patch"),
        ("sub/fix.patch # why", "sub/fix.patch"),
        ("# fix.patch", ""),
        ("", ""),
        ("fix#1.patch", "fix#1.patch"),
    ],
)
def test_series_entry_names_patch(line: str, patch: str) -> None:
    assert quilt_patches.series_entry(line) == patch


def test_series_without_removed_patches() -> None:
    assert quilt_patches.without("# ours\na.patch\nb.patch -p1\n\nc.patch # b.patch\n", ["b.patch"]) == (
        "# ours\na.patch\n\nc.patch # b.patch\n"
    )


def test_full_disk_is_an_infrastructure_error() -> None:
    with pytest.raises(InfrastructureError):
        source.refusal("tar: greet: Cannot write: No space left on device\ndpkg-source: error: tar failed\n")


@pytest.mark.parametrize(
    "target, good", [("../COPYING.debian", False), ("../greet.txt", True), ("nothing", True), ("control", True)]
)
def test_link_out_of_debian_directory(bed: Bed, target: str, *, good: bool) -> None:
    """What the packaging branch has outside debian/ is not in the source package."""
    made = bed.prepare({"COPYING.debian": "x\n"})
    repository = GitRepository(made.run.work / "packaging")
    link = repository.path / "debian/copyright"
    link.unlink()
    link.symlink_to(target)
    made.pretend("changelog", version=VERSION, facts={"head": repository.commit("Link it")})
    record = made.execute(source)
    assert record.verdict == ("passed" if good else "failed"), record.message
    if not good:
        message = "debian/copyright: is a link to ../COPYING.debian, which only the packaging branch has (move"
        assert record.message.startswith(message)


@pytest.mark.integration
def test_source_package_content(bed: Bed) -> None:
    made = bed.prepare(
        upstream=FILES | {"debian/control": "upstream's own\n", "debian/extra": "x\n"}, version=f"3:{VERSION}"
    )
    stale = made.run.out / f"greet_{UPSTREAM}-0qalab9~bookworm1.dsc"
    stale.touch()
    record = made.execute(source)
    assert (record.verdict, record.message) == ("passed", f"greet_{VERSION}.dsc")
    assert (record.version, record.facts) == (f"3:{VERSION}", {"dropped": []})
    stem = f"out/greet_{VERSION}"
    assert {artifact.path: artifact.kind for artifact in record.artifacts} == {
        f"{stem}.debian.tar.xz": "source",
        f"{stem}.dsc": "source",
        f"{stem}_source.buildinfo": "buildinfo",
        f"{stem}_source.changes": "changes",
    }
    assert not stale.exists()
    changes = Changes((made.run.path / f"{stem}_source.changes").read_bytes())
    assert changes["Distribution"] == "unstable"
    for entry in changes["Checksums-Sha256"]:
        assert files.sha256(made.run.out / entry["name"]) == entry["sha256"]
    assert f"greet_{UPSTREAM}.orig.tar.xz" in {entry["name"] for entry in changes["Checksums-Sha256"]}
    run(["dpkg-source", "--extract", made.run.path / f"{stem}.dsc", "unpacked"], cwd=made.run.path)
    unpacked = made.run.path / "unpacked"
    assert (unpacked / "greet.txt").read_text() == LINES
    assert "upstream's own" not in (unpacked / "debian/control").read_text()
    assert not (unpacked / "debian/extra").exists()


@pytest.mark.integration
def test_source_package_is_reproducible(bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the home, umask, time zone, user, number of processors, and run directory.

    The commit is dated 2096, as commits can be: no time stamp of a file is later.
    """
    when = 4_000_000_000
    content = quilt(fix=diff({"greet.txt": LINES}, {"greet.txt": changed(n5="five")}))
    content["debian/clean.sh"] = "#!/bin/sh\n"
    record, made = bed.run(content, when=when)
    assert record.verdict == "passed", record.message

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("HOME", str(tmp_path / "another"))
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setenv("LOGNAME", "somebody")
    monkeypatch.setenv("DEBFULLNAME", "Some Body")
    monkeypatch.setenv("XZ_DEFAULTS", "-0")
    monkeypatch.setenv("TAR_OPTIONS", "--owner=5")
    other = bed.prepare(content, when=when)
    for path in (other.run.work / "packaging/debian").rglob("*"):
        os.utime(path, (EPOCH - 5, EPOCH - 5))  # git writes them again, with the other umask
    argv = [sys.executable, "-c", "import sys; from scripts import source; sys.exit(source.main())",
            "--lab", str(tmp_path / "lab.yaml"), "--run", str(other.run.path)]  # fmt: skip
    root = Path(source.__file__).parent.parent
    done = subprocess.run([*another_user(), "taskset", "--cpu-list", "0", *argv], cwd=root, umask=0o077, check=False)
    assert done.returncode == 0, other.log("source")
    assert digests(other.run.out) == digests(made.run.out)
    assert len(digests(made.run.out)) == 2
    assert made.execute(source).artifacts[0].sha256 == record.artifacts[0].sha256


def another_user() -> list[str]:
    """Return a command prefix that runs as another user, if this machine allows it."""
    argv = ["unshare", "--user", "--map-user=1234", "--map-group=1234"]
    allowed = subprocess.run([*argv, "true"], check=False, capture_output=True).returncode == 0
    return argv if allowed else []


@pytest.mark.integration
@pytest.mark.parametrize(
    "patched, upstream, message",
    [
        (
            {"greet.txt": changed(n5="five", n30="thirty")},
            {"greet.txt": changed(n6="six")},
            "the patch fix.patch does not apply: greet.txt: hunk 1 at line 2",
        ),
        (
            {"greet.txt": changed(n5="five", n30="thirty"), "other.txt": changed(n2="two")},
            {"greet.txt": changed(n5="V", n30="XXX"), "other.txt": changed(n1="one")},
            (
                "the patch fix.patch does not apply: greet.txt: hunk 1 at line 2, hunk 2 at line 27; "
                "other.txt: hunk 1 at line 1"
            ),
        ),
        (
            {"greet.txt": changed(n5="five")},
            {"greet.txt": None},
            "the patch fix.patch does not apply: greet.txt: is not there",
        ),
        (
            {"new.txt": "new\n"},
            {"new.txt": "other\n"},
            "the patch fix.patch does not apply: new.txt: is there already",
        ),
        (
            {"greet.txt": changed(n5="five", n30="thirty")},
            {"greet.txt": changed(n5="five")},
            "the patch fix.patch does not apply: greet.txt: merged upstream, at least in part",
        ),
        (
            {"greet.txt": changed(n5="five")},
            {"greet.txt": changed(n2="two")},
            (
                "the patch fix.patch does not apply: greet.txt: hunk 1 at line 2 "
                "(it applies with fuzz, which dpkg-source refuses: quilt refresh)"
            ),
        ),
        (
            {"greet.txt": changed(n5="five")},
            {"greet.txt": changed(n5="five")},
            (
                "already merged upstream: fix.patch "
                "(drop it from the packaging, or set packaging.drop_merged_patches in lab.yaml)"
            ),
        ),
        ({"new.txt": "new\n"}, {"new.txt": "new\n"}, "already merged upstream: fix.patch (drop it"),
        ({"other.txt": None}, {"other.txt": None}, "already merged upstream: fix.patch (drop it"),
    ],
)
def test_patch_that_does_not_apply_fails(bed: Bed, patched: Content, upstream: Content, message: str) -> None:
    content = quilt(fix=diff(FILES, FILES | patched))
    has = {name: text for name, text in (FILES | upstream).items() if text is not None}
    record, _ = bed.run(content, has)
    assert (record.verdict, record.exit_code) == ("failed", 1)
    assert record.message.startswith(message)


@pytest.mark.integration
@pytest.mark.parametrize(
    "packaging, message",
    [
        ({"debian/patches/series": "gone.patch\n"}, "debian/patches/series: names gone.patch, which is not there"),
        ({"debian/patches/series": "../../../../lab.yaml\n"}, "series: names ../../../../lab.yaml, which is not there"),
        ({"debian/patches/series": "x\n", "debian/patches/x": "no diff\n"}, "the patch x does not apply: it is malf"),
        ({"debian/control": packaging_files("hello")["debian/control"]}, "dpkg-source: source package has two confl"),
        ({"debian/image": b"\x00\x01"}, "unwanted binary file: debian/image; detected 1 unwanted"),
    ],
)
def test_dpkg_source_refusal_fails(bed: Bed, packaging: Any, message: str) -> None:
    record, _ = bed.run(packaging)
    assert (record.verdict, record.exit_code) == ("failed", 1)
    assert message in record.message


@pytest.mark.integration
@pytest.mark.parametrize("series", ["", "# nothing\n\n", "fix.patch -p1 # ours\n"])
def test_series_file_forms_are_accepted(bed: Bed, series: str) -> None:
    content = quilt(fix=diff(FILES, {"greet.txt": changed(n5="five")} | {"other.txt": LINES}))
    record, _ = bed.run(content | {"debian/patches/series": series})
    assert record.verdict == "passed", record.message


@pytest.mark.integration
def test_merged_patches_are_dropped_by_setting(bed: Bed) -> None:
    """The first and the last of three patches are merged; the second one still applies."""
    one, two = FILES | {"greet.txt": changed(n5="five")}, FILES | {"greet.txt": changed(n5="five", n20="twenty")}
    three = two | {"new.txt": "new\n"}
    content = quilt(first=diff(FILES, one), second=diff(one, two), third=diff(two, three))
    content["debian/patches/series"] = "# ours\nfirst.patch\nsecond.patch -p1\nthird.patch\n"
    made = bed.prepare(content, one | {"new.txt": "new\n"}, component={"packaging": {"drop_merged_patches": True}})
    record = made.execute(source)
    assert record.verdict == "passed", record.message
    assert record.message == "dropped, because merged upstream: first.patch, third.patch"
    assert record.facts["dropped"] == ["first.patch", "third.patch"]

    tree = made.run.work / "packaging"
    assert (tree / "debian/patches/series").read_text() == "# ours\nsecond.patch -p1\n"
    assert {path.name for path in (tree / "debian/patches").iterdir()} == {"series", "second.patch"}
    changelog = (tree / "debian/changelog").read_text()
    assert "  * Drop first.patch: merged upstream.\n  * Drop third.patch: merged upstream.\n\n --" in changelog
    assert newest_entry(changelog).version == VERSION
    assert git(["log", "-1", "--format=%an %ct %s"], cwd=tree) == f"Test Lab {EPOCH} Drop 2 patches: merged upstream"
    assert git(["status", "--porcelain"], cwd=tree) == ""
    head = git(["rev-parse", "HEAD"], cwd=tree)
    changes = Changes((made.run.out / f"greet_{VERSION}_source.changes").read_bytes())
    assert "Drop first.patch: merged upstream." in changes["Changes"]

    again = made.execute(source)  # as after a kill: from the result of the changelog step, with the same outcome
    assert again.facts == record.facts
    assert again.artifacts[:2] == record.artifacts[:2]
    assert git(["rev-parse", "HEAD"], cwd=tree) == head


@pytest.mark.integration
def test_merged_patch_does_not_hide_failing_patch(bed: Bed) -> None:
    one = FILES | {"greet.txt": changed(n5="five")}
    two = FILES | {"other.txt": changed(n5="five")}
    upstream = one | {"other.txt": changed(n6="six")}
    record, made = bed.run(
        quilt(merged=diff(FILES, one), bad=diff(FILES, two)),
        upstream,
        component={"packaging": {"drop_merged_patches": True}},
    )
    assert record.message == "the patch bad.patch does not apply: other.txt: hunk 1 at line 2"
    assert git(["log", "-1", "--format=%s"], cwd=made.run.work / "packaging") == "Package it"


@pytest.mark.integration
def test_source_package_is_signed_with_key(bed: Bed, tmp_path: Path) -> None:
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    env = {"GNUPGHOME": str(home)}
    parameters = b"%no-protection\nKey-Type: EDDSA\nKey-Curve: ed25519\nName-Real: Lab\nExpire-Date: 0\n%commit\n"
    run(["gpg", "--batch", "--gen-key"], env=env, stdin=parameters)
    try:
        listed = output(["gpg", "--batch", "--with-colons", "--list-secret-keys"], env=env)
        key = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
        record, made = bed.run(lab={"archive": {"signing_key": key, "gnupg_home": str(home)}})
        assert record.verdict == "passed", record.message
        for path in (artifact.path for artifact in record.artifacts if not artifact.path.endswith(".xz")):
            run(["gpg", "--batch", "--verify", made.run.path / path], env=env)
        changes = Changes((made.run.out / f"greet_{VERSION}_source.changes").read_bytes())
        dsc = made.run.out / f"greet_{VERSION}.dsc"
        assert files.sha256(dsc) in {entry["sha256"] for entry in changes["Checksums-Sha256"]}
        assert Dsc(dsc.read_bytes())["Version"] == VERSION
    finally:
        run(["gpgconf", "--kill", "gpg-agent"], env=env, check=False)


def _packaging_repeated(made: Bench) -> None:
    shutil.rmtree(made.run.work / "packaging")
    GitRepository(made.run.work / "packaging").commit("Package it anew", packaging_files(version="2.0-1"))


def _packaging_repeated_with_same_commit(made: Bench) -> None:
    git(["commit", "--amend", "--quiet", "--message", "Package it otherwise"], cwd=made.run.work / "packaging", env=WHO)
    git(["reflog", "expire", "--expire=now", "--all"], cwd=made.run.work / "packaging")
    git(["gc", "--quiet", "--prune=now"], cwd=made.run.work / "packaging")


def _snapshot_repeated(made: Bench) -> None:
    record = made.run.record("snapshot")
    assert record
    made.pretend(
        "snapshot", commit=record.commit, version=f"{UPSTREAM}+2", artifacts=record.artifacts, facts=record.facts
    )


@pytest.mark.parametrize(
    "repeat, step",
    [
        (_packaging_repeated, "packaging"),
        (_packaging_repeated_with_same_commit, "packaging"),
        (_snapshot_repeated, "snapshot"),
    ],
)
def test_changelog_of_other_files_is_refused(bed: Bed, repeat: Callable[[Bench], None], step: str) -> None:
    made = bed.prepare()
    repeat(made)
    record = made.execute(source)
    hint = f"qalab run --run {made.run.id} --from changelog"
    assert (record.exit_code, record.message) == (2, f"the step {step} was repeated after changelog ({hint})")
