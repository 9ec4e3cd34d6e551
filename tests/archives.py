"""The lab's archive in tests: a reader that checks everything, and packages that are made in no time."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from debian.deb822 import Dsc, Packages, Release

from lab.base import environment, files
from lab.base.run import output, run
from lab.config.description import Lab
from lab.store import source_history
from lab.store.archive import STATE_FILE, ArchiveReader, State
from lab.store.records import rfc3339
from lab.store.runs import Store
from lab.store.source_history import PackagedVersion, SourceHistory
from scripts.archives import stanzas, versions
from scripts.archives.lab_archive import LabArchive
from scripts.archives.versions import PoolVersion


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(directory: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.002,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def copy_state(home: Path, to: Path) -> None:
    """Copy a lab's state, without the sockets of an agent of GnuPG that has just begun."""
    shutil.copytree(home, to, symlinks=True, ignore=shutil.ignore_patterns("S.*"))


def place_behind_link(lab: Lab, linked: str, disk: Path) -> None:
    """Make a directory of a lab's state, or one above it, a link to another disk; ``linked``: below the home of all state."""
    link = Store.of(lab).root.parents[1] / linked
    link.parent.mkdir(parents=True, exist_ok=True)
    disk.mkdir()
    if link.exists():
        link.rmdir()
    link.symlink_to(disk)


def note_version(root: Path, source: str, version: str, files_there: Sequence[Path] = ()) -> None:
    """Add a version to the history of a source package of the track trunk, with files that are in the pool."""
    path = root / source_history.place(source)
    known = SourceHistory.read(path).versions if path.exists() else ()
    digests = {str(each.relative_to(root)): hashlib.sha256(each.read_bytes()).hexdigest() for each in files_there}
    added = PackagedVersion(track="trunk", version=version, added="2026-01-03T00:00:00Z", files=digests)
    SourceHistory(versions=(*(each for each in known if each.version != version), added)).write(path)


def suites(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "dists").iterdir())


def listed(root: Path, suite: str = "trunk") -> list[str]:
    text = ArchiveReader.at(root).index(suite, "main/binary-amd64/Packages")
    return sorted(f"{each['Package']} {each['Version']}" for each in Packages.iter_paragraphs(text, use_apt_pkg=False))


def pool(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "pool").rglob("*") if path.is_file())


def assert_whole(root: Path) -> None:
    """Each suite is signed and complete, down to the packages; nothing of a change is left over."""
    assert not (root / "new").exists()
    known = {path for _, _, record in versions.everywhere(root) for path in record.files}
    files_there = {str(path.relative_to(root)) for path in (root / "pool").rglob("*") if path.is_file()}
    assert files_there == known
    digests: dict[str, str] = {}
    for name in suites(root):
        assert_suite(root, name, digests)
    for path in root.glob("labels/*/*"):
        assert path.resolve() == (root / "dists" / path.parent.name).resolve()
    assert not [path for path in root.rglob(".*") if path.is_file()]


def assert_suite(root: Path, name: str, digests: dict[str, str]) -> None:
    suite = root / "dists" / name
    state = ArchiveReader.at(root).existing(name)
    assert (suite / STATE_FILE).read_bytes() == (root / "dists" / state.name / STATE_FILE).read_bytes()
    release = Release((suite / "Release").read_text())
    assert (release["Suite"], release["Codename"], release["Acquire-By-Hash"]) == (name, name, "yes")
    rows = {row["name"]: row["sha256"] for row in release["SHA256"]}
    for index in [index for index in rows if not index.endswith(".gz")]:
        packed = suite / f"{index}.gz"
        by_hash = packed.parent / "by-hash/SHA256" / rows[f"{index}.gz"]
        assert packed.read_bytes() == by_hash.read_bytes()
        assert files.sha256(packed) == rows[f"{index}.gz"]
        text = gzip.decompress(packed.read_bytes()).decode()
        for paragraph in Packages.iter_paragraphs(text, use_apt_pkg=False):
            wanted = {paragraph["Filename"]: paragraph["SHA256"]} if "Filename" in paragraph else {}
            if "Directory" in paragraph:
                rows_of = Dsc(paragraph.dump())["Checksums-Sha256"]
                wanted = {f"{paragraph['Directory']}/{row['name']}": row["sha256"] for row in rows_of}
            for path, digest in wanted.items():
                digests[path] = digests.get(path) or files.sha256(root / path)
                assert digests[path] == digest


def assert_signed(root: Path, scratch: Path) -> None:
    """The key of the archive verifies each suite."""
    run(["gpg", "--batch", "--yes", "--dearmor", "--output", scratch / "key.gpg", root / "archive-key.asc"])
    for name in suites(root):
        signed = root / "dists" / name / "InRelease"
        run(["gpgv", "--keyring", scratch / "key.gpg", "--output", scratch / "Release", signed])
        assert (scratch / "Release").read_text() == (signed.parent / "Release").read_text()
        (scratch / "Release").unlink()


def put(archive: LabArchive, track: str, debs: Sequence[Path]) -> State:
    """Have a track list binary packages, as the step archive does with what was built; return its new state."""
    added = []
    for deb in debs:
        source = output(["dpkg-deb", "--field", deb, "Source"]) or output(["dpkg-deb", "--field", deb, "Package"])
        added.append(stanzas.of_binary(deb, f"{versions.directory(source)}/{deb.name}"))
    record = PoolVersion.of(added, added=rfc3339(environment.now()))
    versions.add_files(archive.root, {deb.name: deb for deb in debs}, record.files, record.source)
    archive.record(track, record)
    content = archive.content(track).with_version(added)
    return archive.commit(track, content, f"add {record.source} {record.version}")


def deb(path: Path, name: str, version: str, *, source: str = "", data: bytes = b"", depends: str = "") -> Path:
    """Write a binary package without dpkg-deb, which takes its time; see deb(5)."""
    control = (
        f"Package: {name}\nSource: {source or name}\nVersion: {version}\nArchitecture: all\nSection: misc\n"
        f"Priority: optional\n{f'Depends: {depends}' + chr(10) if depends else ''}Maintainer: Lab <lab@lab.example>\nDescription: a package of a test\n It is small.\n"
    )
    members = {
        "debian-binary": b"2.0\n",
        "control.tar": _tar({"./control": control.encode()}),
        "data.tar": _tar({f"./usr/share/{name}/content": data} if data else {}),
    }
    packed = b"!<arch>\n"
    for member, content in members.items():
        packed += f"{member:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        packed += content + b"\n" * (len(content) % 2)
    path.write_bytes(packed)
    return path


def _tar(files_there: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files_there.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
