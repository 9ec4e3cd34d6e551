"""The archive as apt sees it, over a path and over HTTP; and kill -9 at any moment of a change."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.base import files
from lab.base.run import Result, output, run
from lab.store.runs import Store
from lab.store.signing import lab_key
from scripts import archive
from scripts.archives.reprepro import Archive
from scripts.chroots.bootstrap import Repository
from tests.packages import build, killer, pretend_built, start
from tests.samples import sampled
from tests.scripts.test_archive import assert_whole, listed, own_tmp, publish  # noqa: F401 - fixtures of that room

pytestmark = pytest.mark.integration


class Apt:
    """apt with a separate root: without configuration, sources or packages of this machine."""

    def __init__(self, root: Path, source: str) -> None:
        self.root = root
        for name in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "lib/lists/partial",
                     "cache/archives/partial", "status.d"):  # fmt: skip
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "etc/apt/sources.list").write_text(source + "\n")
        (root / "status").write_text("")
        self.options = [
            "-o", f"Dir={root}", "-o", "Dir::State=lib", "-o", f"Dir::State::status={root}/status",
            "-o", "Dir::Cache=cache", "-o", "Dir::Bin::methods=/usr/lib/apt/methods",
            "-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64",
            "-o", "Acquire::Languages=none", "-o", "APT::Update::Error-Mode=any",
        ]  # fmt: skip

    def get(self, *argv: str, check: bool = True) -> Result:
        return run(["apt-get", *self.options, "-qq", *argv], cwd=self.root, env={"APT_CONFIG": "/dev/null"},
                   capture=True, check=check)  # fmt: skip

    def versions(self, package: str = "greet") -> list[str]:
        """Return the installable versions of a package, the newest first."""
        table = output(["apt-cache", *self.options, "madison", package], env={"APT_CONFIG": "/dev/null"})
        return [line.split("|")[1].strip() for line in table.splitlines() if not line.endswith("Sources")]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(directory: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def apt_for(root: Path, url: str, directory: Path) -> Apt:
    signed = f"signed-by={root}/archive-key.asc"
    return Apt(directory, f"deb [{signed}] {url} trunk main\ndeb-src [{signed}] {url} trunk main")


@pytest.mark.parametrize("method", ["file", "http"])
def test_apt_installs_newest_version(publish, tmp_path, method):  # noqa: F811
    publish("1.0-1", text="Say one")
    _, work = publish("1.0-2", text="Say two")
    root = Store.of(work.lab).archive
    # HTTP times are in seconds, and all of this can happen within one: apt must find a new time later.
    os.utime(root / "dists/trunk/InRelease", (0, 0))
    with served(root) as address:
        apt = apt_for(root, f"file:{root}" if method == "file" else address, tmp_path / "apt")
        apt.get("update")
        assert apt.versions() == ["1.0-2"]
        apt.get("download", "greet")
        run(["dpkg-deb", "--extract", apt.root / "greet_1.0-2_all.deb", apt.root / "unpacked"])
        assert (apt.root / "unpacked/usr/share/greet/greet").read_text() == "Say two\n"
        apt.get("source", "greet")
        assert (apt.root / "greet-1.0/greet.txt").read_text() == "1.0\n"
        assert "Inst greet (1.0-2 testlab:trunk [all])" in apt.get("--simulate", "install", "greet").stdout
        # A newer one follows; an older one tested later is not taken.
        publish("1.0-3")
        publish("1.0-2~1", verdict="skipped")
        apt.get("update")
        assert apt.versions() == ["1.0-3"]


@pytest.mark.parametrize(
    "replaces, distribution, taken",
    [((), "2.0-1", "2.0-1"), ((), "0.9-1", "1.0-1"), (("greet",), "2.0-1", "1.0-1"), (None, "2.0-1", "1.0-1"),
     (("other",), "2.0-1", "2.0-1")],
)  # fmt: skip
def test_apt_prefers_newer_version_of_distribution(publish, tmp_path, replaces, distribution, taken):  # noqa: F811
    _, work = publish("1.0-1")
    root = Store.of(work.lab).archive
    apt = apt_for(root, f"file:{root}", tmp_path / "apt")
    flat = tmp_path / "distribution"
    flat.mkdir()
    run(["sh", "-c", 'cp "$1"/*.deb . && dpkg-scanpackages --multiversion . > Packages', "sh", build(distribution)],
        cwd=flat)  # fmt: skip
    with (apt.root / "etc/apt/sources.list").open("a") as sources:
        sources.write(f"deb [trusted=yes] file:{flat} ./\n")
    pin = Repository("", "trunk", origin="testlab", replaces=replaces).pin
    (apt.root / "etc/apt/preferences.d/qalab").write_text("\n".join([*pin, ""]))
    apt.get("update")
    assert f"Inst greet ({taken} " in apt.get("--simulate", "install", "greet").stdout


def test_apt_refuses_other_key(publish, tmp_path):  # noqa: F811
    _, work = publish("1.0-1")
    root = Store.of(work.lab).archive
    run(["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "Other <o@lab.example>", "ed25519"])
    (tmp_path / "other.asc").write_text(output(["gpg", "--armor", "--export"]) + "\n")
    run(["gpgconf", "--kill", "all"])
    apt = Apt(tmp_path / "apt", f"deb [signed-by={tmp_path}/other.asc] file:{root} trunk main")
    assert apt.get("update", check=False).returncode != 0


DELAYS = (0, 0.005, 0.01, 0.02, 0.04)


@pytest.fixture
def killed(publish, lab_factory, bench):  # noqa: F811
    """Publish a version, and return a run with its successor for a step that the test kills."""
    lab = lab_factory(lab={"archive": {"keep": 1}})
    publish("1.0-1", lab=lab)
    work = bench(lab)
    pretend_built(work, "1.0-2")
    return work


def assert_recovers(work, tmp_path):
    record = work.execute(archive)
    assert record.verdict == "passed", work.log("archive")
    root = Store.of(work.lab).archive
    assert_whole(root)
    assert listed(root) == ["greet 1.0-2"]
    assert [path.name for path in root.glob("pool/*/*/*/*") if "1.0-1" in path.name] == []
    apt = apt_for(root, f"file:{root}", tmp_path / "apt")
    apt.get("update")
    assert apt.versions() == ["1.0-2"]


@pytest.mark.parametrize("delay", sampled(DELAYS, 0.01))
@pytest.mark.parametrize("call", range(1, 9))
def test_archive_recovers_after_kill_in_reprepro(killed, tmp_path, monkeypatch, call, delay):
    """Kill at many points of each call, leaving a lockfile, a torn database, or partial indices."""
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{killer(tmp_path / 'bin', 'reprepro', call, delay)}:{path}")
    assert start(archive, killed).wait() == -9
    monkeypatch.setenv("PATH", path)
    assert_recovers(killed, tmp_path)


@pytest.mark.parametrize("call", sampled([1, 2, 4, 7, 9], 4))
def test_archive_recovers_after_second_kill(killed, tmp_path, monkeypatch, call):
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{killer(tmp_path / 'bin', 'reprepro', 6, 0.01)}:{path}")
    assert start(archive, killed).wait() == -9
    killer(tmp_path / "bin", "reprepro", call, 0.01)
    assert start(archive, killed).wait() == -9
    monkeypatch.setenv("PATH", path)
    assert_recovers(killed, tmp_path)


@pytest.mark.parametrize("milliseconds", sampled(range(200, 700, 40), 400, 600))
def test_archive_recovers_after_kill_of_step(killed, tmp_path, milliseconds):
    """Kill at any point, also between two reprepro calls; an orphaned reprepro can still run."""
    process = start(archive, killed)
    try:
        process.wait(milliseconds / 1000)
    except Exception:  # noqa: BLE001 - it still runs, as most do
        process.kill()
        process.wait()
    assert_recovers(killed, tmp_path)


def test_archive_steps_take_turns(publish, lab_factory, bench):  # noqa: F811
    publish("1.0-1")
    lab = lab_factory(lab={"components": {"hail": {"upstream": {"git": "/x"}, "packaging": {"git": "/x"}}}})
    works = []
    for name in ("greet", "hail"):
        work = bench(lab, component=name)
        pretend_built(work, "2.0-1", name=name, binaries=(f"{name}.deb",))
        works.append(work)
    assert [process.wait() for process in [start(archive, work) for work in works]] == [0, 0]
    root = Store.of(lab).archive
    assert listed(root) == ["greet 2.0-1", "hail 2.0-1"]
    assert_whole(root)


@pytest.mark.parametrize("method", ["file", "http"])
@pytest.mark.parametrize("readings", sampled([16, 100], 16))
def test_archive_export_is_atomic_for_readers(publish, lab_factory, tmp_path, method, readings):  # noqa: F811
    """Run apt-get update repeatedly during changes and exports of the archive."""
    publish("1.0-1")
    lab = lab_factory()
    root = Store.of(lab).archive
    out = build("1.0-2")
    changes, debs = next(out.glob("*_source.changes")), [*out.glob("*.deb")]
    failures: list[str] = []
    done = threading.Event()

    def change() -> None:
        with (
            files.locked(Store.of(lab).lock_path("archive")) as lock,
            lab_key(lab, Store.of(lab)) as key,
            (tmp_path / "log").open("w+") as log,
        ):
            for number in range(readings // 2):
                target = Archive(lab, "trunk", "greet", key, lock, log)
                target.open()
                with target.change():
                    if number % 2:
                        target.remove(next(item for item in target.versions() if item.version == "1.0-2"))
                    else:
                        target.add(changes, debs)
                    target.export()
        done.set()

    thread = threading.Thread(target=change)
    with served(root) as address:
        apt = apt_for(root, f"file:{root}" if method == "file" else address, tmp_path / "apt")
        thread.start()
        try:
            count = 0
            while count < readings or not done.is_set():
                assert thread.is_alive() or done.is_set(), (tmp_path / "log").read_text()
                result = apt.get("update", check=False)
                failures += [] if result else [result.stdout]
                count += 1
        finally:
            thread.join()
    assert failures == []
    assert (count >= readings, (root / "dists.new").exists()) == (True, False)
    publish("1.0-3")
    assert_whole(root)
