"""Runs that another machine hands over: taken as they are, or refused; archive files with hostile members."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.agents import agent_steps
from lab.config.description import Lab
from lab.store.run_directory import Run
from scripts.handover import run_files
from scripts.handover.importing import import_run
from scripts.handover.verification import Expected
from tests.archives import deb
from tests.conftest import Bench

COMMIT = "c" * 40
VERSION = "1.0-1"
URL = "https://jenkins.lab.example/job/trunk-greet-build/1/"
DSC = "Format: 3.0 (quilt)\nSource: greet\nVersion: {version}\n"
CHANGES = DSC + "Distribution: {distribution}\nArchitecture: {machine}\n"
CLASS = "misc optional "
CONTENT = b"the orig tarball"
MD5, SHA1, SHA256 = (hashlib.new(name, CONTENT).hexdigest() for name in ("md5", "sha1", "sha256"))
SOURCE_CHANGES = f"out/greet_{VERSION}_source.changes"
ORIG, DEB, NAME = "out/greet_1.0.orig.tar.gz", f"out/greet_{VERSION}_all.deb", f"out/greet_{VERSION}"
Change = Callable[[Path], None]


def a_built_run(bench: Bench) -> Path:
    """Leave what the agent's steps leave: small files that are read like the real ones."""
    run = bench.run
    run.write_info(run.info.model_copy(update={"commit": COMMIT, "url": URL, "revision": COMMIT}))
    (run.path / ORIG).write_bytes(CONTENT)
    deb(run.path / DEB, "greet", VERSION)
    write_control_files(run.path)
    made = {
        "snapshot": [(ORIG, "orig")],
        "source": [
            (f"{NAME}.dsc", "source"),
            (f"{NAME}_source.changes", "changes"),
            (f"{NAME}_source.buildinfo", "buildinfo"),
        ],
        "sbuild": [(DEB, "binary"), (f"{NAME}_amd64.changes", "changes")],
    }
    for step in agent_steps():
        fields: dict[str, Any] = {"version": VERSION} if step in {"changelog", "source", "sbuild"} else {}
        fields["artifacts"] = [_artifact(run.path / name, kind) for name, kind in made.get(step, [])]
        bench.pretend(step, commit=COMMIT, **fields)
        run.log_path(step).write_text(f"{step}\n")
    return run.path


CONTROL_FILES = (".dsc", "_source.buildinfo", "_source.changes", "_amd64.changes")


def write_control_files(run: Path) -> None:
    of_source = CHANGES.format(version=VERSION, distribution="bookworm", machine="source")
    of_binary = CHANGES.format(version=VERSION, distribution="bookworm", machine="all amd64")
    (run / f"{NAME}.dsc").write_text(DSC.format(version=VERSION) + lists(run / ORIG))
    (run / f"{NAME}_source.buildinfo").write_text(DSC.format(version=VERSION))
    (run / f"{NAME}_source.changes").write_text(of_source + lists(run / ORIG, run / f"{NAME}.dsc", more=CLASS))
    (run / f"{NAME}_amd64.changes").write_text(of_binary + lists(run / DEB, more=CLASS))


def lists(*paths: Path, more: str = "") -> str:
    """Return the lists of files of a .dsc or .changes, with their checksums."""
    found = ""
    for field, algorithm in (("Files", "md5"), ("Checksums-Sha1", "sha1"), ("Checksums-Sha256", "sha256")):
        digests = {path: hashlib.new(algorithm, path.read_bytes()).hexdigest() for path in paths}
        rows = [
            f" {digest} {path.stat().st_size} {more * (field == 'Files')}{path.name}\n"
            for path, digest in digests.items()
        ]
        found += f"{field}:\n{''.join(rows)}"
    return found


def _artifact(path: Path, kind: str) -> dict[str, Any]:
    data = path.read_bytes()
    return {"path": f"out/{path.name}", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "kind": kind}


@pytest.fixture
def built(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], tmp_path: Path) -> tuple[Lab, Path]:
    lab = lab_factory()
    return lab, a_built_run(bench(lab)).rename(tmp_path / "built")


def edit(name: str, **values: Any) -> Change:
    """Return a change of a JSON file of a run."""

    def change(path: Path) -> None:
        data = json.loads((path / name).read_text())
        (path / name).write_text(json.dumps(data | values))

    return change


def write(name: str, data: bytes) -> Change:
    def change(path: Path) -> None:
        (path / name).write_bytes(data)

    return change


def append(name: str) -> Change:
    def change(path: Path) -> None:
        with (path / name).open("ab") as stream:
            stream.write(b"x")

    return change


def record_again(path: Path) -> None:
    """Have the records name the files as they are: whoever changes a file can do that, too."""
    for record in (path / "results").glob("0*.json"):
        made = json.loads(record.read_text())["artifacts"]
        edit(f"results/{record.name}", artifacts=[_artifact(path / one["path"], one["kind"]) for one in made])(path)


def replaced(name: str, old: str, new: str) -> Change:
    """Return a change of a control file that its record knows."""

    def change(path: Path) -> None:
        text = (path / name).read_text()
        assert old in text
        (path / name).write_text(text.replace(old, new))
        record_again(path)

    return change


def appended(name: str, text: str) -> Change:
    def change(path: Path) -> None:
        with (path / name).open("a") as stream:
            stream.write(text)
        record_again(path)

    return change


def another_package(path: Path) -> None:
    deb(path / DEB, "greet", VERSION, source="evil")
    record_again(path)


def other_name(kind: str, name: str) -> Change:
    """Hand over a file of another package, by a name that hides what it is: the archive takes files by their kind."""

    def change(path: Path) -> None:
        target = path / "out" / name
        record = "results/05-sbuild.json" if kind == "binary" else "results/04-source.json"
        if kind == "binary":
            deb(target, "openssl", "99", source="openssl")
        else:
            target.write_text(DSC.format(version="99"))
        others = [item for item in json.loads((path / record).read_text())["artifacts"] if item["kind"] != "changes"]
        edit(record, artifacts=[*others, _artifact(target, kind)])(path)

    return change


def named(version: str) -> Change:
    return edit("results/04-source.json", version=version)


def listed(name: str) -> Change:
    """Name a file in the .changes that no record names."""
    return replaced(f"{NAME}_source.changes", "Files:\n", f"Files:\n {'0' * 32} 1 {CLASS}{name}\n")


PROPOSAL = {
    "forge": "review", "project": "greet", "number": 7, "head": COMMIT, "ref": "refs/changes/07/7/1", "branch": "main"
}  # fmt: skip


def link_out(path: Path) -> None:
    target = path / "out" / f"greet_{VERSION}_all.deb"
    shutil.copyfile(target, path.parent / "elsewhere.deb")
    target.unlink()
    target.symlink_to(path.parent / "elsewhere.deb")


@pytest.mark.parametrize(
    "change, message",
    [
        (append(f"out/greet_{VERSION}_all.deb"), "is not the file that the record names"),
        (append(f"out/greet_{VERSION}.dsc"), "is not the file that the record names"),
        (lambda path: (path / f"out/greet_{VERSION}_all.deb").unlink(), "a record names it, and it is not there"),
        (another_package, "is of evil 1.0-1, and not of 1.0-1"),
        (replaced(f"{NAME}.dsc", "Version: 1.0-1", "Version: 9.0-1"), "is of greet 9.0-1, and not of 1.0-1"),
        (replaced(f"{NAME}.dsc", "Source: greet", "Source: evil"), "is of evil 1.0-1, and not of 1.0-1"),
        (replaced(f"{NAME}_source.buildinfo", "greet", "evil"), "source.buildinfo: is of evil 1.0-1, and not of"),
        (replaced(f"{NAME}_amd64.changes", "Version: 1.0-1", "Version: 1.0-2"), "is of greet 1.0-2, and not of 1.0-1"),
        (replaced(SOURCE_CHANGES, "bookworm", "unstable"), "is for the distribution unstable, and not for bookworm"),
        (replaced(SOURCE_CHANGES, "bookworm", "bookworm sid"), "is for the distribution bookworm sid, and not for"),
        (replaced(SOURCE_CHANGES, "Distribution: bookworm\n", ""), "is for the distribution (none), and not for"),
        (replaced(f"{NAME}_amd64.changes", "bookworm", "sid"), "is for the distribution sid, and not for bookworm"),
        (replaced(SOURCE_CHANGES, "Architecture: source", "Architecture: source all"), "architectures all source"),
        (replaced(SOURCE_CHANGES, "Architecture: source\n", ""), "is of the architectures (none)"),
        (replaced(f"{NAME}_amd64.changes", "all amd64", "all s390x"), "is of the architectures all s390x"),
        (replaced(SOURCE_CHANGES, MD5, "0" * 32), "Files: is not of the file greet_1.0.orig.tar.gz"),
        (replaced(f"{NAME}.dsc", MD5, "0" * 32), "Files: is not of the file greet_1.0.orig.tar.gz"),
        (replaced(SOURCE_CHANGES, SHA1, "0" * 40), "Checksums-Sha1: is not of the file greet_1.0.orig.tar.gz"),
        (replaced(SOURCE_CHANGES, SHA256, "0" * 64), "Checksums-Sha256: is not of the file greet_1.0.orig.tar.gz"),
        (replaced(SOURCE_CHANGES, "Checksums-Sha256", "Checksums-Other"), "are not of the same files"),
        (replaced(SOURCE_CHANGES, "Files:\n", "Xfiles:\n"), "are not of the same files"),
        (replaced(f"{NAME}.dsc", f" {SHA256} 16 greet_1.0.orig.tar.gz\n", ""), "are not of the same files"),
        (appended(SOURCE_CHANGES, "\nSource: evil\nVersion: 9\n"), "has a line that is no field"),
        (appended(SOURCE_CHANGES, "Distribution: sid\n"), "has the field distribution twice"),
        (appended(f"{NAME}.dsc", "VERSION: 9\n"), "has the field version twice"),
        (appended(f"{NAME}.dsc", "X: \rVersion: 9\n"), "has a line that ends in its middle"),
        (replaced(f"{NAME}.dsc", "Source:", "\nSource:"), "has a line that is no field"),
        (
            edit("results/03-changelog.json", version="9.0-1"),
            "the version of changelog, '9.0-1', is not that of source",
        ),
        (edit("results/07-content.json", version="../../x"), "the version of content, '../../x', is not that of"),
        (edit("results/01-snapshot.json", version="../../x"), "the version of snapshot, '../../x', is not that of"),
        (edit("results/05-sbuild.json", architecture="s390x"), "sbuild ran on s390x, which the series has not"),
        (link_out, "is a link or a special file"),
        (edit("run.json", component="other"), "no component other in trunk"),
        (edit("run.json", lab="otherlab"), "this is a run of the lab otherlab"),
        (edit("run.json", phase="deploy"), "only the build of a commit is handed over"),
        (edit("run.json", commit=""), "the run is of the commit (none), and not of cccc"),
        (edit("run.json", commit="d" * 40), "the run is of the commit dddd"),
        (edit("run.json", url="https://jenkins.lab.example/job/other/1/"), "the run is of the build https"),
        (edit("run.json", number=2), "the run is of the number 2, and not of 1"),
        (edit("run.json", series="trixie"), "its commit or its series cannot be right"),
        (edit("results/05-sbuild.json", commit="d" * 40), "the record of sbuild is of another run"),
        (edit("results/05-sbuild.json", component="other"), "the record of sbuild is of another run"),
        (edit("results/05-sbuild.json", verdict="failed"), "the step sbuild is failed"),
        (edit("results/05-sbuild.json", verdict="running"), "the step sbuild is aborted"),
        (
            edit("results/05-sbuild.json", version="2.0-1"),
            "the version of sbuild, '2.0-1', is not that of source, 1.0-1",
        ),
        (edit("results/05-sbuild.json", artifacts=[]), "sbuild has built no package"),
        (edit("results/04-source.json", artifacts=[]), "the step source has left no source package"),
        (edit("results/05-sbuild.json", log="../../etc/passwd"), "which is no result"),
        (lambda path: (path / "results/07-content.json").unlink(), "the step content is not run"),
        (write("results/08-archive.json", b"{}"), "08-archive.json: is not a step of the agent that builds"),
        (write("results/10-push.json", b"{}"), "10-push.json: is not a step of the agent that builds"),
        (other_name("binary", "greet.bin"), "out/greet.bin: is no name of a file of the kind binary"),
        (other_name("binary", "greet.deb.gz"), "out/greet.deb.gz: is no name of a file of the kind binary"),
        (other_name("binary", "greet.DEB"), "out/greet.DEB: is no name of a file of the kind binary"),
        (other_name("changes", "greet.changes"), "out/greet.changes: is no name of a file of the kind changes"),
        (other_name("changes", "greet_source.changes.txt"), "is no name of a file of the kind changes"),
        (named("../../../../victim"), "has made '../../../../victim', which is no version"),
        (named(".."), "has made '..', which is no version"),
        (named("1.0/../../x"), "has made '1.0/../../x', which is no version"),
        (named("1.0-1;rm"), "has made '1.0-1;rm', which is no version"),
        (named("a"), "has made 'a', which is no version"),
        (listed("../../../../etc/shadow"), "names ../../../../etc/shadow, and no record does"),
        (listed("packaging.bundle"), "names packaging.bundle, and no record does"),
        (
            edit("run.json", proposal=PROPOSAL),
            "is of the change greet 7 (ccccccc), which the track trunk does not test",
        ),
        (lambda path: (path / "run.json").unlink(), "has no run.json"),
        (write("run.json", b"{"), "Invalid JSON"),
        (write("results/05-sbuild.json", b"{"), "the step sbuild is error"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_run_that_is_refused(built: tuple[Lab, Path], tmp_path: Path, change: Change, message: str) -> None:
    lab, source = built
    change(source)
    target = tmp_path / "workspace"
    target.mkdir()
    expected = Expected("trunk", "greet", 1, URL, COMMIT)
    with pytest.raises((InfrastructureError, ConfigurationError)) as raised:
        import_run(lab, source, target, expected)
    assert message in str(raised.value)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("form", ["directory", "tar", "tar.xz", "jenkins.zip"])
def test_run_is_taken_as_it_is(
    built: tuple[Lab, Path], tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, source = built
    (source / "out/unrecorded.deb").write_bytes(b"not verified")
    (source / "work/secret").write_text("not taken")
    packed = tmp_path / f"run.{form}"
    if form == "directory":
        packed = source
    elif form == "jenkins.zip":
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(source.rglob("*")):
                archive.write(path, f"archive/{path.relative_to(source)}")
    else:
        with tarfile.open(packed, f"w:{form.partition('.')[2]}") as tar:
            tar.add(source, ".")
    monkeypatch.setenv("BUILD_URL", "https://jenkins.lab.example/job/trunk-greet-archive/7/")
    target = tmp_path / "workspace"
    target.mkdir()
    run = import_run(lab, packed, target, Expected("trunk", "greet", 1, URL, COMMIT))
    assert (run.info.url, run.info.number) == ("https://jenkins.lab.example/job/trunk-greet-archive/7/", 1)
    assert sorted(path.name for path in run.out.iterdir()) == sorted(
        Path(name).name for name in (ORIG, DEB, *(NAME + end for end in CONTROL_FILES))
    )
    assert [record.step for record in run.records()] == list(agent_steps())
    assert sorted(path.name for path in target.iterdir()) == ["out", "results", "run.json", "work"]
    assert list(run.work.iterdir()) == []
    assert run.log_path("sbuild").read_text() == "sbuild\n"
    with pytest.raises(ConfigurationError, match=r"has run\.json already"):
        import_run(lab, packed, target, Expected())


@pytest.mark.parametrize("name", ["results", "out", "work"])
def test_directory_of_somebody_is_not_replaced(built: tuple[Lab, Path], tmp_path: Path, name: str) -> None:
    """The directory is by default the current one; only what a killed import has left is replaced."""
    lab, source = built
    target = tmp_path / "home"
    mine = target / name / "mine"
    mine.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=f"home: has {name} already .name an empty directory with --run"):
        import_run(lab, source, target, Expected())
    assert mine.exists()
    (target / ".import").mkdir()
    assert import_run(lab, source, target, Expected()).info.number == 1
    assert not mine.exists()


def test_text_in_another_encoding_is_taken(built: tuple[Lab, Path], tmp_path: Path) -> None:
    lab, source = built
    with (source / SOURCE_CHANGES).open("ab") as stream:
        stream.write("Changed-By: Andr\xe9 <a@lab.example>\n".encode("latin-1"))
    record_again(source)
    (tmp_path / "a").mkdir()
    assert import_run(lab, source, tmp_path / "a", Expected()).version == VERSION


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = 1 if kind == tarfile.REGTYPE else 0
    return info


@pytest.mark.parametrize(
    "proposal, message",
    [
        (PROPOSAL, ""),
        (PROPOSAL | {"head": "d" * 40}, "is of the change greet 7 (ddddddd), and of cccc"),
        (None, "is of no change under review, which the track trunk does not test"),
    ],
)
def test_run_of_a_change_under_review(
    built: tuple[Lab, Path], tmp_path: Path, proposal: dict[str, Any] | None, message: str
) -> None:
    """Whoever hands over a run cannot have its result told as that of another change."""
    lab, source = built
    track = lab.tracks["trunk"].model_copy(update={"trigger": "review"})
    lab = lab.model_copy(update={"tracks": {**lab.tracks, "trunk": track}})
    edit("run.json", proposal=proposal)(source)
    target = tmp_path / "workspace"
    target.mkdir()
    if message:
        with pytest.raises(InfrastructureError) as raised:
            import_run(lab, source, target, Expected("trunk", "greet", 1, URL, COMMIT))
        assert message in str(raised.value)
    else:
        assert import_run(lab, source, target, Expected("trunk", "greet", 1, URL, COMMIT)).info.proposal


@pytest.mark.parametrize(
    "hostile, message",
    [
        (member("out/../../evil"), "is no name of a file in a run"),
        (member("../evil"), "is no name of a file in a run"),
        (member("/etc/evil"), "is no name of a file in a run"),
        (member("results/a\nb"), "is no name of a file in a run"),
        (member("out//x"), "is no name of a file in a run"),
        (member("out/link", tarfile.SYMTYPE, "/etc/passwd"), "is a link or a special file"),
        (member("out/link", tarfile.LNKTYPE, "run.json"), "is a link or a special file"),
        (member("out/pipe", tarfile.FIFOTYPE), "is a link or a special file"),
        (member("out/device", tarfile.CHRTYPE), "is a link or a special file"),
        (member("run.json"), "run.json: File exists"),
    ],
    ids=[f"member{number}" for number in range(10)],
)
def test_tar_with_a_hostile_member(tmp_path: Path, hostile: tarfile.TarInfo, message: str) -> None:
    with tarfile.open(tmp_path / "run.tar", "w") as tar:
        tar.addfile(member("run.json"), io.BytesIO(b"{"))
        tar.addfile(hostile, io.BytesIO(b"x"))
    with pytest.raises(InfrastructureError) as raised:
        run_files.copy(tmp_path / "run.tar", tmp_path / "target")
    assert message in str(raised.value)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "name, mode, message",
    [
        ("archive/out/../../evil", 0, "is no name of a file in a run"),
        ("/archive/out/evil", 0, "is no name of a file in a run"),
        ("archive/out/link", stat.S_IFLNK, "is a link or a special file"),
    ],
)
def test_zip_with_a_hostile_member(tmp_path: Path, name: str, mode: int, message: str) -> None:
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        archive.writestr("archive/run.json", "{}")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, "x")
    with pytest.raises(InfrastructureError) as raised:
        run_files.copy(tmp_path / "run.zip", tmp_path / "target")
    assert message in str(raised.value)


@pytest.mark.parametrize("kind", ["tar", "zip", "directory"])
def test_limits_of_a_run(tmp_path: Path, kind: str) -> None:
    """A file that is compressed to nothing counts with its content."""
    source = tmp_path / "source"
    (source / "out").mkdir(parents=True)
    (source / "run.json").write_text("{}")
    (source / "out/zeros").write_bytes(bytes(5_000_000))
    packed = tmp_path / "packed"
    if kind == "tar":
        with tarfile.open(packed, "w:gz") as tar:
            tar.add(source, ".")
    elif kind == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(source / "run.json", "run.json")
            archive.write(source / "out/zeros", "out/zeros")
    else:
        packed = source
    with pytest.raises(InfrastructureError, match="has more than 4000000 bytes"):
        run_files.copy(packed, tmp_path / "a", most_bytes=4_000_000)
    with pytest.raises(InfrastructureError, match="has more than 1 files"):
        run_files.copy(packed, tmp_path / "b", most_files=1)
    run_files.copy(packed, tmp_path / "c", most_files=2, most_bytes=5_000_002)


@pytest.mark.parametrize("data", [b"", b"not an archive", b"PK\x03\x04broken", b"\x1f\x8b\x08broken"])
def test_file_that_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(InfrastructureError):
        run_files.copy(tmp_path / "file", tmp_path / "target")
    with pytest.raises(InfrastructureError, match="does not exist"):
        run_files.copy(tmp_path / "missing", tmp_path / "other")


def test_pipe_in_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source/out").mkdir(parents=True)
    os.mkfifo(tmp_path / "source/out/pipe")
    with pytest.raises(InfrastructureError, match="is a link or a special file"):
        run_files.copy(tmp_path / "source", tmp_path / "target")


def test_branch_as_requested_commit(built: tuple[Lab, Path], tmp_path: Path) -> None:
    """A ref names a commit only where it was looked up; the run must have been started for that ref."""
    lab, source = built
    edit("run.json", revision="refs/changes/1/2/3")(source)
    (tmp_path / "a").mkdir()
    assert isinstance(import_run(lab, source, tmp_path / "a", Expected(commit="refs/changes/1/2/3")), Run)
    (tmp_path / "b").mkdir()
    with pytest.raises(InfrastructureError, match="the run is of the requested commit"):
        import_run(lab, source, tmp_path / "b", Expected(commit="refs/changes/1/2/4"))
