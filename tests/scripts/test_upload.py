"""Uploads with the real dput to a directory; FTP, HTTP and SFTP queues are in tests/integration."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from lab.store.records import Artifact
from scripts import upload
from tests.packages import pretend_built
from tests.scripts.archives.test_upload_queues import answering


@pytest.mark.parametrize(
    "to, name",
    [
        ("ppa:team/name", "ppa-team-name-0123456789ab"),
        ("ftp://127.0.0.1:2121/pub/in/", "ftp-127.0.0.1-2121-pub-in-0123456789ab"),
        (f"file:///{'x' * 300}", f"file-{'x' * 75}-0123456789ab"),
    ],
)
def test_dput_section_name(to, name):
    assert upload.section(to, "0123456789abcdef") == name


@pytest.mark.parametrize(
    "output, reason",
    [
        ("  Uploading x.dsc: Upload failed: 403 Forbidden\n", "refused with 403 Forbidden"),
        ("  Uploading x.dsc: 550 Not enough privileges.\nNote: This error might ...\nPlease consult dput.cf(5) for ...\n",
         "refused with 550 Not enough privileges."),
        ("Uploading to x (via ftp to y):\nDirectory to upload to does not exist.\n", "Directory to upload to does not exist."),
        ("Traceback (most recent call last):\n  File x\nConnectionRefusedError: [Errno 111] Connection refused\n",
         "ConnectionRefusedError: [Errno 111] Connection refused"),
        ("install: cannot create '/x': Permission denied\nWarning: The execution of 'x' as\n  'x y'\n  returned 1\n",
         "install: cannot create '/x': Permission denied"),
        ("\n", "dput did not say why"),
    ],
    ids=["http", "ftp", "directory", "traceback", "local", "silent"],
)  # fmt: skip
def test_refusal_line_of_dput(output, reason):
    assert upload.refusal(output.splitlines()) == reason


def test_kept_files_of_queue():
    output = ["  Uploading x.dsc: 553 x.dsc exists", "Leaving existing x.dsc on the server and continuing"]
    assert upload.kept(output) == ["x.dsc"]


@pytest.fixture
def incoming(tmp_path) -> Path:
    path = tmp_path / "incoming"
    path.mkdir()
    return path


@pytest.fixture
def ready(lab_factory, bench, incoming):
    """``ready(to=..., published=...)``: a run whose source package is ready for upload."""

    def make(to=f"file://{incoming}", version="1.0-1", archive="passed", lab=None, **settings):
        work = bench(lab_factory(component={"upload": {"to": to, **settings}} if to else {}, lab=lab or {}))
        pretend_built(work, version)
        work.pretend("archive").model_copy(update={"verdict": archive}).write(work.run.record_path("archive"))
        return work

    return make


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


STEM = "greet_1.0-1"
SENT = [
    f"{STEM}.debian.tar.xz",
    f"{STEM}.dsc",
    f"{STEM}_source.buildinfo",
    f"{STEM}_source.changes",
    "greet_1.0.orig.tar.gz",
]


@pytest.mark.integration
def test_upload_is_done_once(ready, incoming):
    work = ready()
    record = work.execute(upload)
    assert (record.verdict, record.facts) == ("passed", {"to": f"file://{incoming}", "uploaded": True}), work.log(
        "upload"
    )
    assert names(incoming) == SENT
    assert (incoming / SENT[0]).read_bytes() == (work.run.out / SENT[0]).read_bytes()
    for path in incoming.iterdir():  # the queue has taken it away
        path.unlink()
    again = work.execute(upload)
    assert (again.verdict, again.facts["uploaded"]) == ("passed", False)
    assert names(incoming) == []


@pytest.mark.integration
def test_upload_is_skipped_if_queue_has_changes_file(ready, incoming):
    work = ready()
    (incoming / "greet_1.0-1_source.changes").write_bytes((work.run.out / "greet_1.0-1_source.changes").read_bytes())
    record = work.execute(upload)
    assert (record.verdict, record.facts["uploaded"]) == ("passed", False)
    assert names(incoming) == ["greet_1.0-1_source.changes"]


@pytest.mark.integration
@pytest.mark.parametrize("part", SENT[2:])
def test_upload_repeats_partial_upload(ready, incoming, part):
    """dput uploads the files in the order of the .changes file, and that file last."""
    work = ready()
    (incoming / part).write_bytes((work.run.out / part).read_bytes()[:50])
    assert work.execute(upload).facts["uploaded"] is True
    assert {name: (incoming / name).read_bytes() for name in SENT} == {
        name: (work.run.out / name).read_bytes() for name in SENT
    }


@pytest.mark.integration
def test_upload_is_repeated_for_other_bytes_or_queue(ready, incoming, tmp_path):
    work = ready()
    work.execute(upload)
    for path in incoming.iterdir():
        path.unlink()
    changes = work.run.out / "greet_1.0-1_source.changes"
    changes.write_text(changes.read_text().replace("Say hello", "Say it"))
    source = work.run.record("source")
    artifacts = tuple(
        Artifact(path=item.path, sha256="f" * 64 if item.kind == "changes" else item.sha256, size=0, kind=item.kind)
        for item in source.artifacts
    )
    source.model_copy(update={"artifacts": artifacts}).write(work.run.record_path("source"))
    assert work.execute(upload).facts["uploaded"] is True
    assert names(incoming) == SENT


@pytest.mark.parametrize(
    "options, message",
    [
        ({"to": None}, "upload.to is not set"),
        ({"archive": "skipped"}, "not in the archive:"),
    ],
)
def test_upload_is_skipped_without_target(ready, incoming, options, message):
    record = ready(**options).execute(upload)
    assert (record.verdict, record.message) == ("skipped", message)
    assert names(incoming) == []


@pytest.mark.parametrize(
    "version, verdict, uploaded", [("1.0-1", "passed", False), ("1.0-2", "skipped", False), ("1.0-0", "passed", True)]
)
def test_upload_queries_published_archive_first(ready, tmp_path, version, verdict, uploaded):
    index = tmp_path / "public/dists/sid/main/source/Sources"
    index.parent.mkdir(parents=True)
    index.write_text(f"Package: greet\nVersion: {version}\n")
    record = ready(published=f"file://{tmp_path}/public sid main").execute(upload)
    assert (record.verdict, record.facts["uploaded"]) == (verdict, uploaded)


@pytest.mark.parametrize(
    "to, code, message",
    [
        ("file:///nowhere/at/all", 3, "file:///nowhere/at/all: .*nowhere/at/all.*: No such file or directory"),
        ("gopher://queue.example/in", 2, "upload.to: gopher://queue.example/in names no queue"),
        ("ftp://lab:secret@queue.example/in", 2, "upload.to: the queue at queue.example is used anonymously"),
        ("ppa:team/name", 2, "upload.to: a PPA builds for Ubuntu, the series is one of debian"),
        ("http://127.0.0.1:{port}/in", 3, "http://127.0.0.1:[0-9]+/in/greet_.*: cannot be reached: .*Connection refused"),
        ("ftp://127.0.0.1:{port}/in", 3, "ftp://127.0.0.1: cannot be reached: .*Connection refused"),
        ("sftp://127.0.0.1:{port}/in", 3, "sftp://127.0.0.1: cannot be reached"),
    ],
)  # fmt: skip
def test_upload_failure_is_an_error(ready, to, code, message):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    record = ready(to.format(port=port)).execute(upload)
    assert (record.verdict, record.exit_code) == ("error", code)
    assert re.match(message, record.message), record.message


FAKE = """\
#!/bin/sh
echo "$@" > {0}/argv
cp "$2" {0}/dput.cf
"""
UBUNTU = {"series": {"bookworm": {"distribution": "ubuntu", "codename": "noble"}}}


def test_upload_to_ppa_needs_signature(ready):
    record = ready("ppa:team/name", lab=UBUNTU).execute(upload)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert "a PPA takes signed uploads only, greet_1.0-1_source.changes is not signed" in record.message


def test_upload_to_ppa(ready, tmp_path, monkeypatch):
    """Check the configuration and arguments of dput, because a test cannot use Launchpad."""
    fake = tmp_path / "bin/dput"
    fake.parent.mkdir()
    fake.write_text(FAKE.format(tmp_path))
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with answering({}) as address:
        work = ready("ppa:team/name", lab=UBUNTU, published=f"{address} noble main")
        changes = work.run.out / "greet_1.0-1_source.changes"
        changes.write_text(f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{changes.read_text()}")
        record = work.execute(upload)
    assert record.verdict == "passed", work.log("upload")
    host = upload.section("ppa:team/name", record_of_changes(work).sha256)
    assert (tmp_path / "argv").read_text() == f"--config {work.run.work}/dput.cf {host} {changes}\n"
    assert (tmp_path / "dput.cf").read_text() == (
        f"[{host}]\nmethod = ftp\nfqdn = ppa.launchpad.net\nincoming = ~team/ubuntu/name/\nlogin = anonymous\n"
        "allow_unsigned_uploads = 1\n"
    )


def record_of_changes(work) -> Artifact:
    return next(item for item in work.run.record("source").artifacts if item.kind == "changes")
