"""The archive as apt sees it, over a path and over HTTP; and kill -9 at each write of a change, a promotion and a gc."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from lab.base import environment, failures
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import ProgramFailed, Result, echo, output, run
from lab.config.description import Lab
from lab.store import promotions
from lab.store.archive import ArchiveReader
from lab.store.promotions import PromotionRound
from lab.store.runs import Store
from scripts import archive
from scripts.archives import lab_archive, labels, retention
from scripts.archives.lab_archive import LabArchive
from scripts.archives.labels import Reasons
from scripts.chroots.bootstrap import Repository
from tests.archives import assert_suite, assert_whole, deb, listed, put, served, suites
from tests.packages import build, pretend_built, start
from tests.samples import sampled
from tests.scripts.test_archive import own_tmp, publish  # noqa: F401 - fixtures of that room

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


def apt_for(root: Path, url: str, directory: Path, suite: str = "trunk") -> Apt:
    signed = f"signed-by={root}/archive-key.asc"
    return Apt(directory, f"deb [{signed}] {url} {suite} main\ndeb-src [{signed}] {url} {suite} main")


@pytest.mark.parametrize("method", ["file", "http"])
def test_apt_installs_newest_version(publish, tmp_path, method):  # noqa: F811
    publish("1.0-1", text="Say one")
    _, work = publish("1.0-2", text="Say two")
    root = Store.of(work.lab).archive
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
        # apt has the suite of the state before, and the files for users.
        first = ArchiveReader.at(root).states("trunk")[0].name
        old = apt_for(root, f"file:{root}" if method == "file" else address, tmp_path / "old", first)
        assert "W:" not in old.get("update").stdout
        assert old.versions() == ["1.0-1"]
        old.get("download", "greet")
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


ME = Reasons("tester", ("trunk/greet/1",), "it is good")
WRITES = frozenset({"os.rename", "os.remove", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.utime", "os.chmod"})
WRITING = os.O_WRONLY | os.O_RDWR


@pytest.fixture
def packages(tmp_path: Path) -> list[list[Path]]:
    """Six versions of two packages that are built from one source."""
    return [
        [
            deb(tmp_path / f"{name}_{version}_all.deb", name, f"{version}", source="greet")
            for name in ("greet", "greet-doc")
        ]
        for version in range(1, 7)
    ]


@pytest.fixture
def bed(lab_factory: Callable[..., Lab], tmp_path: Path, packages: list[list[Path]]) -> Iterator[LabArchive]:
    """The archive with a first state, while its lock is held; every state but the last is past its time at once."""
    lab = lab_factory(lab={"archive": {"states": {"keep": 1, "keep_days": 1}, "keep": 2}})
    with (tmp_path / "log").open("w") as log, lab_archive.opened(lab, log) as archive:
        put(archive, "trunk", packages[0])
        yield archive


def killed(at: int, action: Callable[[], object], root: Path) -> bool:
    """Do something in a process that dies before its n-th write to a directory; return whether it came to that."""
    child = os.fork()
    if not child:
        left = at

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            writes = event in WRITES or (event == "open" and arguments[2] & WRITING)
            # The removal of a tree names its files relative to directories that are open.
            if writes and (str(arguments[0]).startswith(str(root)) or not str(arguments[0]).startswith("/")):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        code = 70
        try:
            sys.addaudithook(count)
            action()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


def assert_nothing_half_visible(root: Path) -> None:
    digests: dict[str, str] = {}
    for name in suites(root):
        assert_suite(root, name, digests)


def kill_everywhere(bed: LabArchive, step: int, action: Callable[[int], object]) -> int:
    """Kill an action at every n-th of its writes, each time on what the one before has left; return their number."""
    for turn, at in enumerate(range(1, 10_000, step), 1):
        before = {name: bed.reader.existing(name) for name in bed.reader.labels()}
        died = killed(at, partial(action, turn), bed.root)
        assert_nothing_half_visible(bed.root)
        for label, state in before.items():
            found = bed.reader.existing(label)
            assert found == state or found.number != state.number
        bed.repair()
        action(turn)
        if not died:
            return at
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("step", sampled([1, 9], 9))
def test_a_change_killed_at_each_write(bed: LabArchive, packages: list[list[Path]], step: int) -> None:
    def change(turn: int) -> None:
        put(bed, "trunk", packages[turn % 6])

    assert kill_everywhere(bed, step, change) > 30
    retention.collect(bed)
    assert_whole(bed.root)
    numbers = [state.number for state in bed.reader.states("trunk")]
    assert numbers == [*range(1, len(numbers) + 1)]
    assert len(listed(bed.root)) == 2


@pytest.mark.parametrize("step", sampled([1, 7], 7))
def test_a_promotion_killed_at_each_write(bed: LabArchive, packages: list[list[Path]], step: int) -> None:
    label = "trunk-tested"
    for debs in packages[1:4]:
        put(bed, "trunk", debs)
    states = [state.name for state in bed.reader.states("trunk")]
    kinds: tuple[Literal["promotion", "demotion"], ...] = ("demotion", "promotion")
    labels.move(bed, "promotion", label, states[0], ME)

    def move(turn: int) -> None:
        """Up and down, one move in each turn, however often it is tried."""
        wanted = states[-1] if turn % 2 else states[0]
        if bed.reader.existing(label).name != wanted:
            labels.move(bed, kinds[turn % 2], label, wanted, ME)

    assert kill_everywhere(bed, step, move) > 15
    moves = bed.reader.moves(label)
    assert bed.reader.existing(label).name == moves[-1].after
    # Each move is recorded once: it begins where the one before has ended.
    assert [move.before for move in moves[1:]] == [move.after for move in moves[:-1]]
    retention.collect(bed)
    assert_whole(bed.root)


@pytest.mark.parametrize("step", sampled([1, 9], 9))
def test_a_removal_killed_at_each_write(
    bed: LabArchive, packages: list[list[Path]], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    labels.move(bed, "promotion", "trunk-tested", "", ME)
    first = bed.reader.existing("trunk-tested").name
    started = environment.now()
    days = itertools.count()

    def collect(_: int) -> None:
        retention.collect(bed)

    for turn, at in enumerate(range(1, 10_000, step), 1):
        for number in (turn * 2, turn * 2 + 1):
            now = started + timedelta(days=2 * next(days))
            monkeypatch.setattr(environment, "now", lambda now=now: now)
            put(bed, "trunk", packages[number % 6])
        now = started + timedelta(days=2 * next(days))  # the label has left its earlier states for long
        monkeypatch.setattr(environment, "now", lambda now=now: now)
        newest = bed.reader.existing("trunk").name
        died = killed(at, partial(collect, turn), bed.root)
        assert_nothing_half_visible(bed.root)
        bed.repair()
        collect(turn)
        assert suites(bed.root) == sorted(["trunk", "trunk-tested", first, newest])
        assert_whole(bed.root)
        if not died:
            break
    assert at > 20


@pytest.mark.parametrize("step", sampled([1, 5], 5))
def test_a_label_dropped_and_killed_at_each_write(bed: LabArchive, packages: list[list[Path]], step: int) -> None:
    put(bed, "trunk", packages[1])
    first, newest = bed.reader.states("trunk")
    tracks = {"trunk": bed.lab.tracks["trunk"].model_copy(update={"labels": ()})}
    without = replace(bed, lab=bed.lab.model_copy(update={"tracks": tracks}))
    label = "trunk-tested"
    for turn, at in enumerate(range(1, 10_000, step), 1):
        labels.move(bed, "promotion", label, first.name, ME)
        started = "2026-01-01T00:00:00Z"
        one = PromotionRound(number=turn, track="trunk", label=label, newest=newest.name, started=started, items=())
        one.write(promotions.round_path(bed.store, label, turn))
        died = killed(at, partial(labels.drop, without, label), bed.store.root)
        assert_nothing_half_visible(bed.root)
        without.repair()
        with suppress(ConfigurationError):  # all of it was removed already
            labels.drop(without, label)
        assert suites(bed.root) == sorted(["trunk", first.name, newest.name])
        assert not [*bed.root.glob(f"labels/{label}*")]
        assert not promotions.states_in_use(bed.store)
        if not died:
            break
    assert at > 10
    retention.collect(without)
    assert_whole(bed.root)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of all state, on a disk of 2 MB."""
    disk = tmp_path / "small"
    disk.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", disk])
    monkeypatch.setenv("XDG_STATE_HOME", str(disk))
    yield disk
    run(["umount", "--lazy", disk])


@pytest.mark.full
def test_a_program_that_cannot_write_its_reason_into_the_log(small_disk: Path) -> None:
    argv = ["sh", "-c", "echo E: the reason >&2; exit 2"]
    page = os.statvfs(small_disk).f_bsize
    with (small_disk / "log").open("w+") as log:
        log.write("x" * (page - len(echo(argv))))
        log.flush()
        (small_disk / "ballast").write_bytes(bytes(os.statvfs(small_disk).f_bavail * page))
        with pytest.raises(ProgramFailed, match=f"ended with status 2: No space left on device: {small_disk}/log"):
            run(argv, log=log)


@pytest.mark.full
@pytest.mark.parametrize("action", ["change", "promotion"])
def test_a_full_disk_is_named_and_leaves_nothing(
    small_disk: Path, lab_factory: Callable[..., Lab], packages: list[list[Path]], action: str
) -> None:
    """With more room each time, until there is enough of it; the log is on that disk as well."""
    lab = lab_factory(lab={"archive": {"states": {"keep": 1}}})
    place, ballast, failed = Store.of(lab).root, small_disk / "ballast", 0
    place.mkdir(parents=True)
    with (place / "archive.log").open("w+") as log:

        def act(turn: int) -> LabArchive:
            with lab_archive.opened(lab, log) as archive:
                if action == "change":
                    put(archive, "trunk", packages[turn % 6])
                else:
                    wanted = archive.reader.states("trunk")[turn % 2].name
                    kind: Literal["promotion", "demotion"] = "promotion" if turn % 2 else "demotion"
                    labels.move(archive, kind, "trunk-tested", wanted, ME)
            return archive

        with lab_archive.opened(lab, log) as archive:
            put(archive, "trunk", packages[0])
            labels.move(archive, "promotion", "trunk-tested", "", ME)
            put(archive, "trunk", packages[1])
        for room in itertools.count():
            turn = room // 2 * 2 + (room + 1) % 2  # 1, 0, 3, 2: each move or change is another one
            log.truncate(0)
            ballast.write_bytes(bytes(max(os.statvfs(small_disk).f_bavail - room, 0) * os.statvfs(small_disk).f_bsize))
            try:
                act(turn)
            except (OSError, InfrastructureError) as error:
                told = failures.failure(error).message
                failed += 1
            else:
                break
            finally:
                ballast.unlink()
            assert "No space left on device" in told
            assert_nothing_half_visible(archive.root)
            act(turn)
            with lab_archive.opened(lab, log) as again:
                retention.collect(again)
            assert_whole(archive.root)
    assert failed > 3


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
    assert [state.number for state in ArchiveReader.at(root).states("trunk")] == [1, 2, 3]
    assert_whole(root)


@pytest.mark.parametrize("milliseconds", sampled(range(200, 1000, 40), 400))
def test_the_step_killed(publish, lab_factory, bench, milliseconds):  # noqa: F811
    """At any moment, as a process of its own; a program that it has started may still run when the next one comes."""
    lab = lab_factory(lab={"archive": {"keep": 1}})
    publish("1.0-1", lab=lab)
    work = bench(lab)
    pretend_built(work, "1.0-2")
    process = start(archive, work)
    with suppress(subprocess.TimeoutExpired):
        process.wait(milliseconds / 1000)
    process.kill()
    process.wait()
    record = work.execute(archive)
    assert record.verdict == "passed", work.log("archive")
    root = Store.of(lab).archive
    assert_whole(root)
    assert listed(root) == ["greet 1.0-2"]


@pytest.mark.parametrize("method", ["file", "http"])
@pytest.mark.parametrize(("changes", "promotions"), sampled([(20, 4), (300, 30)], (20, 4)))
def test_no_reader_fails_or_sees_a_mixed_set(  # noqa: PLR0917
    bed: LabArchive, packages: list[list[Path]], tmp_path: Path, method: str, changes: int, promotions: int
) -> None:
    """apt-get update and download again and again, while the archive changes and labels move all the time."""
    labels.move(bed, "promotion", "trunk-tested", "", ME)
    for debs in packages:
        put(bed, "trunk", debs)
    errors: list[BaseException] = []
    done = threading.Event()

    def change() -> None:
        try:
            for number in range(changes):
                put(bed, "trunk", packages[number % 6])
                if number % (changes // promotions) == 0:
                    labels.move(bed, "promotion", "trunk-tested", "", ME)
        except BaseException as error:  # noqa: BLE001 - the test tells it
            errors.append(error)
        done.set()

    thread = threading.Thread(target=change)
    rounds: set[tuple[str, str]] = set()
    with served(bed.root) as address:
        url = f"file:{bed.root}" if method == "file" else address
        apts = [apt_for(bed.root, url, tmp_path / suite, suite) for suite in ("trunk", "trunk-tested")]
        thread.start()
        try:
            while not done.is_set():
                for apt in apts:
                    apt.get("update")
                    (one,), (other,) = apt.versions(), apt.versions("greet-doc")
                    assert one == other
                    apt.get("download", "greet", "greet-doc")
                    rounds.add((apt.root.name, one))
        finally:
            thread.join()
    assert errors == []
    assert len(rounds) > 4
    assert bed.reader.existing("trunk").number == 6 + changes
    assert_whole(bed.root)
