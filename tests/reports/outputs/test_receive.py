"""The script of the receiver jobs: accepted and refused bundles, run in the same way as by an agent."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reports.outputs import freestyle
from reports.outputs.delivery import PendingDelivery
from tests.reports.outputs.conftest import Bench
from tests.reports.publishing import HOUSE

SCRIPT = HOUSE / "jobs/public/receive.py"
Members = list[tuple[str | tarfile.TarInfo, bytes]]


@dataclass
class Workspace:
    """The workspace of the script."""

    path: Path
    job: str = "lab/trunk-greet-build"
    number: int = 0

    def send(self, bundle: bytes | None, source: str, digest: str | None = None) -> tuple[int, str]:
        """Run the script; return its exit code and log."""
        if bundle is not None:
            (self.path / "bundle.tar.gz").write_bytes(bundle)
        self.number += 1
        variables = {
            "BUILD_NUMBER": str(self.number),
            "SOURCE_ID": source,
            "SHA256": digest or hashlib.sha256(bundle or b"").hexdigest(),
        }
        done = subprocess.run(
            [sys.executable, "-S", "-E", SCRIPT], cwd=self.path, check=False, capture_output=True, text=True,
            env={"JOB_NAME": self.job, **variables},
        )  # fmt: skip
        assert done.stderr == ""
        return done.returncode, done.stdout

    @property
    def left(self) -> list[str]:
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*") if path.is_file())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "workspace").mkdir()
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def good(bench: Callable[..., Bench]) -> PendingDelivery:
    return bench().publish(3, "unstable")


def packed(members: Members) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for named, content in members:
            member = tarfile.TarInfo(named) if isinstance(named, str) else named
            if member.type == tarfile.REGTYPE:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue())


def unpacked(item: PendingDelivery) -> Members:
    with tarfile.open(item.path) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize("verdict, code", [("passed", 0), ("skipped", 0), ("failed", 1), ("error", 3), ("unstable", 4)])
def test_exit_code_is_verdict(bench: Callable[..., Bench], workspace: Workspace, verdict: str, code: int) -> None:
    item = bench().publish(3, verdict)
    found, log = workspace.send(item.path.read_bytes(), item.name)
    assert (found, log) == (code, f"==> logs/sbuild.log\nlog\n\nverdict: {verdict}\n")
    assert workspace.left == ["received.txt", "received/build.json", "received/logs/sbuild.log"]


def test_aborted_build_waits_to_be_stopped(bench: Callable[..., Bench], workspace: Workspace) -> None:
    item = bench().publish(3, "aborted")
    (workspace.path / "bundle.tar.gz").write_bytes(item.path.read_bytes())
    variables = {"SOURCE_ID": item.name, "SHA256": item.path.name.partition(".")[0], "BUILD_NUMBER": "1"}
    with subprocess.Popen(
        [sys.executable, "-S", "-E", SCRIPT], cwd=workspace.path, stdout=subprocess.PIPE, text=True,
        env={"JOB_NAME": workspace.job, **variables},
    ) as process:  # fmt: skip
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(5)]
        assert process.poll() is None
        assert workspace.left == ["received.txt", "received/build.json", "received/logs/sbuild.log"]
        process.terminate()
    assert lines[-2:] == ["verdict: aborted\n", f"{freestyle.WAITS}\n"]


@pytest.mark.integration
def test_build_is_received_once(bench: Callable[..., Bench], workspace: Workspace) -> None:
    """A refused bundle does not count, and a job that was created again starts over."""
    at = bench()
    first, second = at.publish(3, "passed"), at.publish(4, "failed")
    assert workspace.send(b"broken", first.name)[0] == 2
    assert workspace.send(first.path.read_bytes(), first.name)[0] == 0
    assert workspace.send(first.path.read_bytes(), first.name) == (
        2,
        "refused: build 2 of this job is the same build\n",
    )
    assert workspace.send(second.path.read_bytes(), second.name)[0] == 1
    assert workspace.send(second.path.read_bytes(), second.name)[0] == 2
    assert workspace.left == ["received.txt"]
    workspace.number = 0
    assert workspace.send(first.path.read_bytes(), first.name)[0] == 0
    (workspace.path / "received.txt").write_text("damaged\n\x00")
    assert workspace.send(first.path.read_bytes(), first.name)[0] == 0


def change(item: PendingDelivery, **changed: Any) -> Members:
    """Return the members of a bundle with other fields in build.json."""
    made = dict(unpacked(item))
    made["build.json"] = json.dumps(json.loads(made["build.json"]) | changed).encode()
    return list(made.items())


BAD: dict[str, tuple[Callable[[PendingDelivery], Members], str]] = {
    "a way out": (lambda item: [*unpacked(item), ("../evil", b"x")], "'../evil' in bundle.tar.gz is not a name that may be there"),
    "a way out, further in": (lambda item: [*unpacked(item), ("logs/../../evil", b"x")], "is not a name that may be there"),
    "an absolute name": (lambda item: [*unpacked(item), ("/tmp/evil", b"x")], "is not a name that may be there"),
    "another name": (lambda item: [*unpacked(item), ("Jenkinsfile", b"x")], "is not a name that may be there"),
    "a long name": (lambda item: [*unpacked(item), (f"files/{'x' * 300}", b"x")], "is too long a name"),
    "a symbolic link": (lambda item: [*unpacked(item), (link("files/x", tarfile.SYMTYPE), b"")], "is not a plain file"),
    "a hard link": (lambda item: [*unpacked(item), (link("files/x", tarfile.LNKTYPE), b"")], "is not a plain file"),
    "a device": (lambda item: [*unpacked(item), (link("files/x", tarfile.CHRTYPE), b"")], "is not a plain file"),
    "a directory": (lambda item: [*unpacked(item), (link("files/x", tarfile.DIRTYPE), b"")], "is not a plain file"),
    "the same twice": (lambda item: [*unpacked(item), ("logs/sbuild.log", b"x")], "is in bundle.tar.gz twice"),
    "too many": (lambda _: [(f"files/{number}", b"") for number in range(1001)], "has more than 1000 files in it"),
    "a bomb": (lambda _: [("files/zeros", bytes(11_000_000))], "unpacks to more than 10000000 bytes"),
    "no build": (lambda _: [("files/x", b"x")], "build.json cannot be read: FileNotFoundError"),
    "no JSON": (lambda _: [("build.json", b"{")], "build.json cannot be read: JSONDecodeError"),
    "deep JSON": (lambda _: [("build.json", b"[" * 100_000)], "build.json cannot be read: RecursionError"),
    "no object": (lambda _: [("build.json", b"[]")], "build.json cannot be read: TypeError"),
    "another schema": (lambda item: change(item, schema=2), "build.json is not of schema 1"),
    "another build": (lambda item: change(item, number=4), "build.json is not of the build that SOURCE_ID names"),
    "no verdict": (lambda item: change(item, verdict="$(id)"), "build.json has no known verdict: '$(id)'"),
    "another job's": (lambda item: change(item, component="other"), "this is not the job for it, which is 'trunk-other-build'"),
    "a log elsewhere": (lambda item: change(item, logs=[{"path": "../../../etc/passwd"}]), "names a log that is not there"),
    "a document type": (lambda item: [*unpacked(item), ("junit.xml", b"<!doctype x []><testsuite/>")], "declares a document type"),
    "no XML": (lambda item: [*unpacked(item), ("junit.xml", b"<testsuite>")], "junit.xml is not well-formed"),
    "other XML": (lambda item: [*unpacked(item), ("junit.xml", b"<html/>")], "junit.xml has no test suites in it"),
}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("what", BAD)
def test_invalid_bundle_is_refused(workspace: Workspace, good: PendingDelivery, what: str) -> None:
    make, message = BAD[what]
    code, log = workspace.send(packed(make(good)), good.name)
    assert code == 2
    assert log.startswith("refused: ")
    assert message in log
    assert log.count("\n") == 1
    assert workspace.left == []
    assert not (workspace.path.parent / "evil").exists()


def test_wrong_hash_is_refused(workspace: Workspace, good: PendingDelivery) -> None:
    code, log = workspace.send(good.path.read_bytes(), good.name, "0" * 64)
    assert (code, log) == (2, f"refused: bundle.tar.gz has the SHA-256 {good.path.name[:64]}, not {'0' * 64}\n")


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b", b"PK\x03\x04", gzip.compress(b"no tar" * 1000)], ids=range(4))
def test_non_archive_is_refused(workspace: Workspace, good: PendingDelivery, data: bytes) -> None:
    code, log = workspace.send(data, good.name)
    assert code == 2
    assert log.startswith("refused: ")
    assert workspace.left == []


def test_truncated_archive_is_refused(workspace: Workspace, good: PendingDelivery) -> None:
    data = good.path.read_bytes()
    code, log = workspace.send(data[:-20], good.name)
    assert (code, log[:45]) == (2, "refused: bundle.tar.gz cannot be unpacked: EO")


@pytest.mark.parametrize(
    "source", ["$(id)", "`id`", "0123456789abcdef0123\nid", "'; id; '", "", "0123456789ABCDEF0123", "../" * 7]
)
def test_invalid_source_id_is_refused(workspace: Workspace, good: PendingDelivery, source: str) -> None:
    code, log = workspace.send(good.path.read_bytes(), source)
    assert (code, log) == (2, f"refused: SOURCE_ID is not what it should be: {source!a}\n")


def test_missing_file_is_refused(workspace: Workspace, good: PendingDelivery) -> None:
    assert workspace.send(None, good.name) == (2, "refused: no file bundle.tar.gz was sent\n")


def test_files_of_earlier_build_are_removed(workspace: Workspace, good: PendingDelivery) -> None:
    workspace.send(good.path.read_bytes(), good.name)
    assert "bundle.tar.gz" not in workspace.left
    assert workspace.send(None, good.name)[0] == 2
    assert workspace.left == ["received.txt"]


def test_symlink_is_refused(workspace: Workspace, good: PendingDelivery) -> None:
    (workspace.path / "bundle.tar.gz").symlink_to(good.path)
    assert workspace.send(None, good.name, good.path.name[:64])[1] == "refused: no file bundle.tar.gz was sent\n"
    assert good.path.exists()


def test_control_characters_of_log_are_not_printed(workspace: Workspace, good: PendingDelivery) -> None:
    note = b"a\x1b[8mha:////4AAAA=\x1b[0mb\x07\xff\xc2\x9bc\td\n"
    members = [(name, note if name == "logs/sbuild.log" else content) for name, content in unpacked(good)]
    code, log = workspace.send(packed(members), good.name)
    assert code == 4
    assert log == "==> logs/sbuild.log\na[8mha:////4AAAA=[0mb�c\td\n\nverdict: unstable\n"
