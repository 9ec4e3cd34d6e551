"""The step sbuild with real chroots: creation, reuse, invalidation; the cause of a failure; kills."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment
from lab.base.run import run
from lab.config import apt
from lab.config.description import Lab, Series
from lab.store.records import Record
from lab.store.runs import Store
from lab.store.step import describe
from reports import status
from scripts import sbuild
from scripts.archives import lab_archive
from scripts.chroots import backends
from scripts.chroots.installed_command import run_installed
from tests.archives import put
from tests.conftest import CONTROL, Bench, packaging_files
from tests.processes import alive, wait_for
from tests.samples import sampled

pytestmark = pytest.mark.integration
HOUSE = Path(__file__).parent.parent.parent
MAKE = "make[1]: *** [debian/rules:5: override_dh_auto_build]"
UNSATISFIABLE = "unsatisfiable build dependencies"
TOKEN = "ffc0ffee0ddba11"  # written by tests alone
RULES = "#!/usr/bin/make -f\n%:\n\tdh $@\n"


@pytest.fixture(autouse=True)
def no_waiting(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbuild, "BACK_OFF_SECONDS", (0.1, 0.1))


@pytest.fixture
def build(lab_factory: Callable[..., Lab], bench: Callable[..., Bench]) -> Callable[..., Record]:
    """``build({"debian/rules": ...}, component=..., lab=...)``: make a source package, run the step on it."""

    def make(content: Mapping[str, str] | None = None, **options: Any) -> Record:
        place = bench(lab_factory(**options))
        make_source(place, content or {})
        return place.execute(sbuild)

    return make


def make_source(place: Bench, content: Mapping[str, str]) -> None:
    """Put the result of the step source into a run: a native source package."""
    tree = place.run.work / "greet-1.0"
    native = {"debian/source/format": "3.0 (native)\n", "greet.txt": "hello\n"}
    for name, text in (packaging_files(version="1.0") | native | content).items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tree / "debian/rules").chmod(0o755)
    run(["dpkg-source", "--build", tree], cwd=place.run.out)
    sources = [(path, "source") for path in sorted(place.run.out.iterdir())]
    place.pretend("source", version="1.0", artifacts=tuple(describe(place.run, path, kind) for path, kind in sources))


def needs(*packages: str) -> dict[str, str]:
    """Return a control file with additional build dependencies."""
    more = "".join(f", {package}" for package in packages)
    text = CONTROL.format(name="greet").replace("debhelper-compat (= 13)", f"debhelper-compat (= 13){more}")
    return {"debian/control": text}


def does(commands: str) -> dict[str, str]:
    """Return a debian/rules with an additional command in the build."""
    return {"debian/rules": f"{RULES}override_dh_auto_build:\n\t@{commands}\n"}


def mentioned(home: str, path: Path) -> bool:
    try:
        return home in path.read_text(errors="replace")
    except OSError:  # another run's, and gone
        return False


def assert_nothing_left() -> None:
    """Assert that no mount, session, configuration or scratch directory of qalab is left."""
    home = backends.find_backend().home
    assert [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(home) in line] == []
    for directory in ("/etc/schroot/chroot.d", "/var/lib/schroot/session"):
        assert [path for path in Path(directory).glob("qalab-*") if mentioned(str(home), path)] == []
    assert list((home / "sessions").iterdir()) == []


def test_build_creates_and_reuses_chroots(build: Callable[..., Record]) -> None:
    first = build()
    assert first.verdict == "passed", first.message
    assert sorted((Path(item.path).name, item.kind) for item in first.artifacts) == [
        ("greet_1.0_all.deb", "binary"),
        ("greet_1.0_amd64.buildinfo", "buildinfo"),
        ("greet_1.0_amd64.changes", "changes"),
    ]
    assert first.version == "1.0"
    assert (first.facts["mode"], first.facts["status"], first.facts["attempts"]) == ("schroot", "successful", 1)
    assert [(native.path, native.format) for native in first.native] == [("results/native/sbuild.build", "sbuild")]
    second = build()
    assert (second.facts["chroot"]["reused"], second.facts["layer"]["reused"]) == (True, True)
    key = second.facts["layer"]["key"]
    assert second.message.endswith(f" s; chroot reused, dependencies from layer {key[:6]}")
    third = build(needs("hello"))
    assert third.verdict == "passed"
    assert third.facts["chroot"]["key"] == second.facts["chroot"]["key"]
    assert third.facts["layer"]["key"] != key
    assert third.facts["layer"]["reused"] is False
    assert_nothing_left()


def test_build_environment_is_clean(build: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """The build has an ordinary user, the options and profiles of lab.yaml, and no variable of the caller."""
    monkeypatch.setenv("QALAB_SECRET", "mine")
    Path(environment.clean()["HOME"], ".sbuildrc").write_text("die 'not mine';\n")
    checks = (
        '[ "$$(id -un)" = sbuild ]',
        '[ "$$DEB_BUILD_OPTIONS" = "nocheck parallel=2" ]',
        '[ "$$DEB_BUILD_PROFILES" = nocheck ]',
        '[ -z "$$QALAB_SECRET" ]',
        "grep -q localhost /etc/hosts",
        "if ls -d /etc/apt/sources.list.d/qalab* /tmp/source | grep .; then exit 1; fi",
        "touch /tmp/it /dev/shm/it",
    )
    options = {"options": ["nocheck", "parallel=2"], "profiles": ["nocheck"]}
    record = build(does("set -ex; " + "; ".join(checks)), component={"build": options})
    assert record.verdict == "passed", record.message


def test_build_cannot_reach_what_is_of_the_lab(build: Callable[..., Record], lab_factory: Callable[..., Lab]) -> None:
    """Upstream code sees no other run, no key, no archive, no process of the machine and no variable of one."""
    with running_beside() as pid:
        record = build(does(attack(lab_factory(), pid)))
    assert record.verdict == "passed", record.message


@contextmanager
def running_beside() -> Iterator[int]:
    """A process with a token in its environment, as an agent of the lab's own jobs has it."""
    process = subprocess.Popen(["sleep", "600"], env={"QALAB_JENKINS_TOKEN": TOKEN})
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def attack(lab: Lab, pid: int) -> str:
    """Return commands that fail where they reach something of the lab."""
    store = Store.of(lab)
    other = store.new_run(lab, "trunk", "greet", "b" * 40)
    for path in (store.gnupg / "private-keys-v1.d/secret.key", store.archive / "archive-id", other.out / "private.deb"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TOKEN)
        for directory in (path, *path.parents):  # rights alone do not hide it
            if directory.is_relative_to(store.root):
                directory.chmod(0o755)
    refused = (
        *(f"ls {path}" for path in (store.root, store.gnupg, store.archive, other.path)),
        f"touch {store.archive}/mine",
        f"grep -as {TOKEN} /proc/[0-9]*/environ",
        f"kill -0 {pid}",
        "find / -xdev -name private.deb -o -name secret.key 2> /dev/null | grep .",
    )
    return f'set -x; for one in {" ".join(map(shlex.quote, refused))}; do if eval "$$one"; then exit 1; fi; done'


def test_build_with_ccache_and_tmpfs(build: Callable[..., Record]) -> None:
    """The second build uses the compiler cache of the first, in a build directory in memory with another name."""
    content = {
        "debian/control": CONTROL.format(name="greet").replace("Architecture: all", "Architecture: any"),
        "debian/install": "greet usr/bin\n",
        "Makefile": "greet: greet.c\n\tgcc $(CFLAGS) -c $(CURDIR)/greet.c -o greet.o\n\tgcc greet.o -o greet\n\tccache --show-stats -v\n",
        "greet.c": "int main(void) { return 0; }\n",
        "debian/rules": f"{RULES}override_dh_auto_test:\n\tgrep ' /build tmpfs ' /proc/mounts\n",
    }
    hits = []
    for _ in range(2):
        record = build(content, component={"build": {"ccache": True, "tmpfs": 1}})
        assert record.verdict == "passed", record.message
        log = (status.all_runs()[-1].path / record.log).read_text()
        hits.append(int(re.search(r"Hits: +(\d+)", log)[1]))  # type: ignore[index]
    assert hits == [0, 1]
    assert_nothing_left()


@pytest.mark.parametrize(
    "content, expected",
    [
        (
            does("echo 'greet.c:1:1: error: no such thing'; false"),
            f"build failed: greet.c:1:1: error: no such thing ({MAKE} Error 1)",
        ),
        (
            needs("nonexistent-package (>= 2)", "libnope-dev"),
            f"{UNSATISFIABLE}: nonexistent-package (>= 2) but it is not installable; libnope-dev but it is not installable",
        ),
    ],
    ids=["rules", "dependencies"],
)
def test_build_failure_of_package(build: Callable[..., Record], content: Mapping[str, str], expected: str) -> None:
    record = build(content)
    assert (record.verdict, record.exit_code, record.message) == ("failed", 1, expected)
    assert record.facts["attempts"] == 1
    assert_nothing_left()


def test_build_of_foreign_package_is_skipped(build: Callable[..., Record]) -> None:
    control = CONTROL.format(name="greet").replace("Architecture: all", "Architecture: hurd-i386")
    record = build({"debian/control": control})
    assert (record.verdict, record.exit_code) == ("skipped", 0)
    assert record.message == "not for amd64: the package is for hurd-i386"


@pytest.mark.full
def test_build_killed_is_an_error(build: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbuild, "ATTEMPTS", 2)
    record = build(does("kill -9 $$$$"))
    assert (record.verdict, record.exit_code, record.facts["attempts"]) == ("error", 3, 2)
    assert record.message.startswith(
        "the build was killed: make[1]: *** [debian/rules:5: override_dh_auto_build] Killed"
    )


@pytest.mark.full
def test_build_timeout_fails(build: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbuild, "MINUTE_SECONDS", 30)
    record = build(does("sleep 999"), component={"build": {"timeout_minutes": 1}})
    assert (record.verdict, record.message) == ("failed", "the build did not end within 1 min")
    assert_nothing_left()


@pytest.mark.full
def test_build_without_mirror_is_an_error(build: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """Check with a chroot that has older package lists, and without a chroot."""
    assert build().verdict == "passed"
    (base,) = backends.find_backend().home.glob("base-*/")
    sources = base / "etc/apt/sources.list"
    before = sources.read_text()
    try:
        sources.write_text(before.replace(apt.mirror("bookworm", Series()), "http://127.0.0.1:9/debian"))
        record = build()
    finally:
        sources.write_text(before)
    expected = "Failed to fetch http://127.0.0.1:9/debian/dists/bookworm/InRelease Could not connect to 127.0.0.1:9 "
    assert (record.verdict, record.exit_code, record.facts["attempts"]) == ("error", 3, 3)
    assert record.facts["chroot"]["reused"] is True
    assert record.message.startswith(f"sbuild failed at apt-get-update: {expected}")
    monkeypatch.setattr(sbuild, "ATTEMPTS", 1)
    record = build(lab={"series": {"bookworm": {"mirror": "http://127.0.0.1:9/debian"}}})
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert record.message.startswith(f"series bookworm: no chroot could be made: {expected}")
    assert_nothing_left()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    disk = tmp_path / "small"
    disk.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=3M", "tmpfs", disk])
    yield disk
    run(["umount", disk])


@pytest.mark.full
def test_build_with_full_disk(build: Callable[..., Record], small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The built packages do not fit into the run directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(small_disk))
    greet = "head -c 4000000 /dev/urandom > greet.txt"
    record = build(does(greet))
    assert (record.verdict, record.exit_code, record.facts["attempts"]) == ("error", 3, 1)
    assert (
        record.message
        == f"No space left on device: the disk of {next((small_disk / 'qalab').glob('*/runs/*/*/1/out'))}"
    )
    assert_nothing_left()


@pytest.mark.full
def test_build_without_space_in_chroot_is_an_error(build: Callable[..., Record]) -> None:
    record = build(does("mkdir full; cat /dev/zero > /dev/full"))
    assert (record.verdict, record.exit_code, record.facts["attempts"]) == ("error", 3, 1)
    assert record.message == f"No space left on device: the disk of {backends.find_backend().home}"


STEP = "import sys; from scripts import sbuild; sys.exit(sbuild.main(sys.argv[1:]))"


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *descendants(child))]


@pytest.mark.parametrize("whose", sampled(["ours", "all"], "all"))
def test_build_recovers_after_kill(
    whose: str, lab_factory: Callable[..., Lab], bench: Callable[..., Bench], tmp_path: Path
) -> None:
    """Kill qalab alone or its whole process tree with SIGKILL: the step then passes and leaves no files."""
    place = bench(lab_factory())
    flag = tmp_path / "go"
    make_source(place, does(f"echo waiting; [ -e {flag} ] || sleep 60"))
    argv = [sys.executable, "-c", STEP, "--lab", tmp_path / "lab.yaml", "--run", place.run.path]
    process = subprocess.Popen(argv, cwd=HOUSE, stdout=subprocess.DEVNULL)
    log = place.run.log_path("sbuild")
    assert wait_for(lambda: log.exists() and "\nwaiting\n" in log.read_text(errors="replace"), 100)
    started = descendants(process.pid)
    assert len(started) > 3
    for pid in (process.pid, *(started if whose == "all" else ())):
        with suppress(ProcessLookupError):  # it can have ended by itself
            os.kill(pid, signal.SIGKILL)
    process.wait()
    assert wait_for(lambda: not any(alive(pid) for pid in started), 5)
    # The kernel has unmounted all; the files are swept by the next one.
    home = backends.find_backend().home
    assert [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(home) in line] == []
    assert len(list((home / "sessions").iterdir())) == 1
    shutil.rmtree(place.run.work)
    for path in place.run.out.iterdir():
        path.unlink()
    make_source(place, {})
    assert place.execute(sbuild).verdict == "passed"
    assert_nothing_left()


PLACES = {"upstream": {"git": "/nowhere"}, "packaging": {"git": "/nowhere"}}
REPLACING = {"components": {"hello": {**PLACES, "version": {"replace_newer": True}}}}


def test_build_installs_package_of_lab_archive(build: Callable[..., Record], lab_factory: Callable[..., Lab]) -> None:
    """The setting `replace_newer` selects it above a newer version; run_installed always does."""
    lab = lab_factory()
    store = Store.of(lab)
    make_archive(lab, store, "hello", "0.1")
    shown = "dpkg-query --show hello; [ \"$$(dpkg-query --show --showformat '$${Version}' hello)\" = 0.1 ]"
    record = build(needs("hello (<< 1)") | does(shown), lab=REPLACING)
    assert record.verdict == "passed", record.message
    # The distribution satisfies this dependency, so the layer is shared; the lab's package is installed anyway.
    other = build(needs("hello") | does(shown), lab=REPLACING)
    assert other.verdict == "passed", other.message
    newer = build(needs("hello (>> 1)"))
    assert newer.verdict == "passed", newer.message
    with Path(os.devnull).open("w") as log:
        assert run_installed(lab, "trunk", "hello", ["hello"], log) == "the lab's hello\n"
    assert_nothing_left()


def test_build_uses_current_dependencies(build: Callable[..., Record], lab_factory: Callable[..., Lab]) -> None:
    """A layer has the dependency's version; then that is withdrawn for an older one, and at last there is none."""
    lab = lab_factory()
    tree = needs("only-ours") | does("dpkg-query --show only-ours")
    for version in ("2", "1"):
        make_archive(lab, Store.of(lab), "only-ours", version)
        record = build(tree)
        assert record.verdict == "passed", record.message
        assert (record.facts["installed"]["only-ours"], record.facts["layer"]["reused"]) == (version, False)
    make_archive(lab, Store.of(lab), "another", "1")
    record = build(tree)
    expected = f"{UNSATISFIABLE}: only-ours but it is not installable"
    assert (record.verdict, record.message, record.facts["layer"]) == ("failed", expected, None)


def make_archive(lab: Lab, store: Store, name: str, version: str) -> None:
    """Create the lab's archive with one binary package, as the step archive does."""
    root = store.archive
    package = root.parent / "package"
    for path in (root, package):
        shutil.rmtree(path, ignore_errors=True)
    (package / "DEBIAN").mkdir(parents=True)
    (package / "usr/bin").mkdir(parents=True)
    (package / f"usr/bin/{name}").write_text(f'#!/bin/sh\necho "the lab\'s {name}"\n')
    (package / f"usr/bin/{name}").chmod(0o755)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nSection: misc\nPriority: optional\n"
    (package / "DEBIAN/control").write_text(f"{control}Maintainer: Lab <lab@lab.example>\nDescription: it\n it\n")
    deb = root.parent / f"{name}.deb"
    run(["dpkg-deb", "--root-owner-group", "--build", package, deb])
    with (root.parent / "archive.log").open("w") as log, lab_archive.opened(lab, log) as archive:
        put(archive, "trunk", [deb])


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Provide a separate build user with subordinate ids."""
    name = f"qalab-test-{os.getpid()}"
    monkeypatch.setenv("QALAB_BUILD_USER", name)
    monkeypatch.setenv("QALAB_CHROOT_MODE", "unshare")
    backends.make_build_user(None)
    yield name
    run(["userdel", "--remove", name])


@pytest.mark.full
def test_build_in_unshare_mode(builder: str, build: Callable[..., Record], lab_factory: Callable[..., Lab]) -> None:
    """Build in user namespaces, as a user other than root."""
    assert backends.has_build_user()
    make_archive(lab_factory(), Store.of(lab_factory()), "hello", "9.9")
    version = "dpkg-query --show --showformat '$${Version}' hello"
    first = build(needs("hello") | does(f'[ "$$(id -un)" = {builder} ]; [ "$$({version})" = 9.9 ]'))
    assert first.verdict == "passed", first.message
    assert first.facts["mode"] == "unshare"
    assert first.facts["layer"]["reused"] is False
    assert pwd.getpwnam(builder).pw_dir in str(backends.find_backend().home)
    with running_beside() as pid:
        hostile = build(needs("hello") | does(attack(lab_factory(), pid)))
    assert hostile.verdict == "passed", hostile.message
    failed = build(needs("hello") | does("echo 'greet.c:1:1: error: no such thing'; false"))
    assert (failed.verdict, failed.message.partition(" (")[0]) == (
        "failed",
        "build failed: greet.c:1:1: error: no such thing",
    )
    assert (failed.facts["chroot"]["reused"], failed.facts["layer"]["reused"]) == (True, True)
    with Path(os.devnull).open("w") as log:
        assert run_installed(lab_factory(), "trunk", "hello", ["hello"], log) == "the lab's hello\n"
    assert_nothing_left()
    assert [path for path in Path("/var/tmp").glob("qalab-*") if path.owner() == builder] == []
