"""Sessions, with programs that only pretend to open namespaces: nothing is left, the dead are swept."""

from __future__ import annotations

import pwd
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment, files
from lab.base.errors import ConfigurationError
from scripts.chroots import backends
from scripts.chroots.backends import SessionBackend, find_backend
from scripts.chroots.sessions import Session, opened, schroot_configuration, sweep
from tests import fakes
from tests.fakes import Fakes


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return fakes.install(tmp_path, monkeypatch)


@pytest.fixture(params=["schroot", "unshare"])
def way(request: pytest.FixtureRequest, fake: Fakes, tmp_path: Path) -> SessionBackend:
    return SessionBackend(request.param, "a test", tmp_path / "chroots", prefix=("setpriv", "--nothing", "--"))


def left(tmp_path: Path) -> list[str]:
    """Return the names of all files of sessions."""
    places = (tmp_path / "chroots/sessions", tmp_path / "scratch", tmp_path / "schroot")
    return sorted(path.name for place in places if place.exists() for path in place.iterdir())


def test_session_leaves_no_files(way: SessionBackend, tmp_path: Path) -> None:
    with opened(way, "trunk/greet+x/12", [Path("/chroot")]) as session:
        chroot = session.for_sbuild()
        assert session.name.startswith("qalab-trunk-greet-x-12-")
        assert set(left(tmp_path)) == {session.name}
        assert chroot == (session.name if way.mode == "schroot" else "/chroot")
        assert {path.stat().st_mode & 0o777 for path in (session.path, session.upper, session.scratch)} == {0o755}
    assert left(tmp_path) == []


def test_session_leaves_no_files_after_failure(way: SessionBackend, tmp_path: Path) -> None:
    def fail() -> None:
        with opened(way, "x", [Path("/chroot")]) as session:
            session.for_sbuild()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert left(tmp_path) == []


def test_sessions_of_dead_processes_are_removed(way: SessionBackend, tmp_path: Path) -> None:
    with opened(way, "living", [Path("/chroot")]) as living:
        living.for_sbuild()
        dead = Session(way, way.home / "sessions/qalab-dead-abc", (Path("/chroot"),))
        dead.path.mkdir()
        dead.begin()
        dead.for_sbuild()
        (dead.path / "lock").touch()
        # Those that were killed before they had anything, or a name.
        for name in ("qalab-dead-bare", "new-bare", "new-locked"):
            (way.home / "sessions" / name).mkdir()
        (way.home / "sessions/new-locked/lock").touch()
        with opened(way, "next", [Path("/chroot")]) as following:
            assert set(left(tmp_path)) == {living.name, following.name}


def test_session_that_is_being_made_is_not_removed(way: SessionBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """One waits for the other until that has its name, and so its lock is heeded."""
    made, sweeping = tempfile.mkdtemp, threading.Event()
    followers = []

    def following() -> None:
        sweeping.set()
        with opened(way, "next"):
            pass

    def slowly(**options: Any) -> str:
        if not followers:
            path = made(**options)
            followers.append(threading.Thread(target=following))
            followers[0].start()
            sweeping.wait()
            followers[0].join(0.1)  # it would remove the directory in that time
            assert Path(path).exists()
            return path
        return made(**options)

    monkeypatch.setattr(tempfile, "mkdtemp", slowly)
    with opened(way, "slow") as slow:
        followers[0].join()
        assert slow.path.exists()


def test_remains_of_a_killed_look_at_overlays_are_removed(fake: Fakes, root: None) -> None:
    home = environment.cache_home() / "chroots"
    (home / "overlay-dead/work/work").mkdir(parents=True)
    assert find_backend().mode == "schroot"
    assert [path.name for path in home.iterdir()] == ["locks"]


def test_session_lock_is_inherited_by_programs(way: SessionBackend) -> None:
    """The lock protects the session of an orphaned program."""
    with opened(way, "x") as session:
        listed = session.run(["sh", "-c", f"ls -l /proc/$$/fd | grep -c {session.path}/lock"], capture=True)
        assert listed.stdout == "1\n"
        assert files.is_locked(session.path / "lock")


def test_session_directory_is_home_of_programs(way: SessionBackend) -> None:
    with opened(way, "x") as session:
        shown = session.run(["sh", "-c", "echo $HOME $TMPDIR; pwd"], capture=True).stdout
        assert shown == f"{session.path} {session.scratch}\n{session.path}\n"


def test_session_returns_program_output(way: SessionBackend, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, opened(way, "x", log=log) as session:
        argv = ["sh", "-c", "echo one\necho two"]
        mark = session.mark(argv)
        session.run(argv)
        assert session.said(mark) == "one\ntwo\n"


def test_session_schroot_configuration() -> None:
    session = Session(
        SessionBackend("schroot", "", Path("/h")), Path("/h/sessions/qalab-x"), (Path("/h/layer"), Path("/h/base"))
    )
    assert schroot_configuration(session) == (
        "[qalab-x]\n"
        "type=directory\n"
        "directory=/h/base\n"
        "union-type=overlay\n"
        "union-mount-options="
        "lowerdir=/h/layer:/h/base,upperdir=/h/sessions/qalab-x/upper,workdir=/h/sessions/qalab-x/work\n"
        "root-users=root\n"
        "profile=sbuild\n"
        "setup.fstab=../../h/sessions/qalab-x/fstab\n"
        "setup.nssdatabases=\n"
    )


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return


def test_backend_of_root_is_schroot(fake: Fakes, root: None) -> None:
    way = find_backend()
    assert (way.mode, way.reason, way.user) == ("schroot", "this is root, and overlayfs works", "")
    assert way.home == environment.cache_home() / "chroots"
    assert [path.name for path in way.home.iterdir()] == ["locks"]


def test_backend_of_root_without_overlays_or_builder(fake: Fakes, root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.write("mount", "#!/bin/sh\nexit 32\n")
    monkeypatch.setenv("QALAB_BUILD_USER", "nobody-at-all")
    lack = f"overlayfs does not work in {environment.cache_home()}/chroots"
    expected = rf"{lack}; and there is no user nobody-at-all with subordinate ids \(\./qalab setup makes it\)"
    with pytest.raises(ConfigurationError, match=expected):
        find_backend()
    monkeypatch.setenv("QALAB_CHROOT_MODE", "schroot")
    with pytest.raises(ConfigurationError, match=f"QALAB_CHROOT_MODE=schroot: {lack}"):
        find_backend()


def test_backend_of_user_is_unshare(fake: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    way = find_backend()
    assert (way.mode, way.reason, way.user, way.prefix) == ("unshare", "this is not root", "", ())
    fake.write("mmdebstrap", "#!/bin/sh\nexit 1\n")
    with pytest.raises(ConfigurationError, match="this is not root; and this user cannot use user namespaces"):
        find_backend()


def test_backend_schroot_needs_root(fake: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("QALAB_CHROOT_MODE", "schroot")
    with pytest.raises(ConfigurationError, match="QALAB_CHROOT_MODE=schroot: this is not root"):
        find_backend()


def test_backend_refuses_unknown_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QALAB_CHROOT_MODE", "docker")
    with pytest.raises(ConfigurationError, match=r"QALAB_CHROOT_MODE=docker: no such mode \(known: schroot, unshare\)"):
        find_backend()


@pytest.mark.parametrize("name", ["mmdebstrap", "sbuild", "schroot", "newuidmap", "zstd"])
def test_backend_refuses_missing_program(name: str, fake: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0 if name == "schroot" else 1000)
    (fake.bin / name).unlink()
    (fake.bin / "sh").symlink_to("/usr/bin/sh")
    (fake.bin / "mkdir").symlink_to("/usr/bin/mkdir")
    monkeypatch.setenv("PATH", str(fake.bin))
    with pytest.raises(ConfigurationError, match=f"the program {name} is not on this machine"):
        find_backend()


@pytest.mark.parametrize(
    "name, expected",
    [("nobody-at-all", False), (pwd.getpwuid(0).pw_name, False)],
)
def test_has_build_user(name: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - a table
    monkeypatch.setenv("QALAB_BUILD_USER", name)
    assert backends.has_build_user() is expected


def test_backend_mode_and_reason(fake: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert backends.mode() == ("unshare", "this is not root")


def test_session_that_ends_during_a_sweep(way: SessionBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen with two builds at once: its owner removed it between the question for its lock and the lock."""
    ended = way.home / "sessions/qalab-resolve-1"
    ended.mkdir(parents=True)

    def ends(_: Path) -> bool:
        ended.rmdir()
        return False

    monkeypatch.setattr(files, "is_locked", ends)
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)  # removed after it as well
    sweep(way)
    assert not ended.exists()
