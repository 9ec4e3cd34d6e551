"""After fifty builds and a gc, each kept state can be downloaded whole, and nothing else is left."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from debian.deb822 import Dsc, Packages, Release

from lab.base import environment
from lab.base.run import run
from lab.config.description import Lab
from lab.store.archive import PUBLIC_KEY
from lab.store.records import rfc3339
from lab.store.runs import Store
from scripts.archives import lab_archive, labels, retention, usage, versions
from scripts.archives.lab_archive import LabArchive
from scripts.archives.labels import Reasons
from scripts.archives.versions import PoolVersion
from scripts.services.deployed_state import FILE, Deployed
from tests.archives import assert_whole, served
from tests.bench.archive import built

pytestmark = pytest.mark.integration
ME = Reasons("tester")
BUILDS = 50


def build(archive: LabArchive, home: Path, number: int) -> str:
    """Add a version of one of five source packages, with its source files; return the name of the new state."""
    added, there = built(home, f"package-{number % 5}", f"1.0-{number}")
    record = PoolVersion.of(added, added=rfc3339(environment.now()))
    versions.add_files(archive.root, there, record.files, record.source)
    archive.record("trunk", record)
    return archive.commit("trunk", archive.content("trunk").with_version(added), f"build {number}").name


def download(address: str, suite: str, scratch: Path) -> set[str]:
    """Download all files of a suite, and compare their digests; return the paths below the archive."""

    def get(path: str, digest: str) -> bytes:
        answer = requests.get(f"{address}/{path}", timeout=60)
        answer.raise_for_status()
        assert hashlib.sha256(answer.content).hexdigest() == digest
        return answer.content

    (scratch / "InRelease").write_bytes(requests.get(f"{address}/dists/{suite}/InRelease", timeout=60).content)
    (scratch / "Release").unlink(missing_ok=True)
    run(["gpgv", "--keyring", scratch / "key.gpg", "--output", scratch / "Release", scratch / "InRelease"])
    found: set[str] = set()
    for row in Release((scratch / "Release").read_text())["SHA256"]:
        if not row["name"].endswith(".gz"):
            continue
        directory = Path("dists", suite, row["name"]).parent
        text = gzip.decompress(get(f"{directory}/by-hash/SHA256/{row['sha256']}", row["sha256"])).decode()
        found.add(f"by-hash/SHA256/{row['sha256']}")
        for paragraph in Packages.iter_paragraphs(text, use_apt_pkg=False):
            wanted = {paragraph["Filename"]: paragraph["SHA256"]} if "Filename" in paragraph else {}
            if "Directory" in paragraph:
                rows = Dsc(paragraph.dump())["Checksums-Sha256"]
                wanted = {f"{paragraph['Directory']}/{each['name']}": each["sha256"] for each in rows}
            assert wanted
            for path, digest in wanted.items():
                get(path, digest)
            found |= wanted.keys()
    return found


def test_kept_states_can_be_downloaded_whole(
    lab_factory: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_factory(lab={"archive": {"states": {"keep": 2, "keep_days": 1}, "keep": 2}})
    started = environment.now()
    days = iter(range(10_000))

    def a_day_later() -> None:
        now = started + timedelta(days=next(days))
        monkeypatch.setattr(environment, "now", lambda: now)

    with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log) as archive:
        early = []
        for number in range(8):
            a_day_later()
            early.append(build(archive, tmp_path, number))
        labels.move(archive, "promotion", "trunk-tested", early[6], ME)
        labels.pin(archive, early[2], ME)
        Deployed(
            track="trunk", component="package-0", version="1", commit="", finished="", nodes={}, services={},
            packages=(), state=early[4],
        ).write(Store.of(lab).environments / "trunk" / FILE)  # fmt: skip
        late = []
        for number in range(8, 8 + BUILDS):
            a_day_later()
            late.append(build(archive, tmp_path, number))
        a_day_later()
        a_day_later()
        with usage.held(lab, early[0]):
            retention.collect(archive)
        kept = [early[0], early[2], early[4], early[6], *late[-2:]]
        assert sorted(state.name for state in archive.reader.states()) == sorted(kept)
        assert_whole(archive.root)
        run(["gpg", "--batch", "--dearmor", "--output", tmp_path / "key.gpg", archive.root / PUBLIC_KEY])
        with served(archive.root) as address:
            needed = {path for suite in kept for path in download(address, suite, tmp_path)}
            for label, name in (("trunk", late[-1]), ("trunk-tested", early[6])):
                assert download(address, label, tmp_path) == download(address, name, tmp_path)
            for gone in (*early[1::2], *late[:-2]):
                assert requests.get(f"{address}/dists/{gone}/InRelease", timeout=60).status_code == 404
        # What no state lists any more is gone, but for the last versions of each source package (archive.keep).
        there = {str(path.relative_to(archive.root)) for home in ("pool", "by-hash")
                 for path in (archive.root / home).rglob("*") if path.is_file()}  # fmt: skip
        last = {path for source in range(5) for record in versions.of_source(archive.root, "trunk", f"package-{source}")[-2:]
                for path in record.files}  # fmt: skip
        assert needed <= there
        assert there - needed <= last
