"""The whole build phase with every real tool: killed everywhere, interrupted, side by side."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.base import environment
from lab.base.git import git
from lab.config.description import PHASES, Lab
from lab.store.archive import SOURCE_LOCK, ArchiveReader
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.archives import retention
from scripts.archives.lab_archive import opened
from tests.archives import assert_whole
from tests.conftest import GitRepository, packaging_files
from tests.samples import sampled

pytestmark = pytest.mark.integration
HOUSE = Path(__file__).parent.parent.parent
STEPS = PHASES["build"]


@dataclass
class Place:
    """A lab whose packages are uploaded to a local queue and whose branch is pushed to a bare repository."""

    lab: Lab
    file: Path
    queue: Path
    remote: Path

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        # A background shell ignores SIGINT, and its children inherit that.
        command = ["env", "--default-signal=INT", sys.executable, HOUSE / "qalab.py", "run", *argv, "--lab", self.file]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def go(self, *argv: str) -> str:
        """Run to the end and require success; return the output."""
        process = self.start(*argv)
        printed = process.communicate(timeout=600)[0].decode()
        assert process.returncode == 0, printed
        return printed

    @property
    def run(self) -> Run:
        return Store.of(self.lab).runs()[-1]

    def assert_all_is_well(self) -> None:
        """Assert success: a valid archive with the package once, one upload, one push, no leftovers."""
        assert self.run.verdict == "passed"
        archive, version = Store.of(self.lab).archive, self.run.version
        assert_whole(archive)
        reader = ArchiveReader.at(archive)
        assert reader.lock("trunk", SOURCE_LOCK) == reader.lock("trunk") == [("greet", version)]
        assert self.run.info.archive == reader.existing("trunk").name
        assert [path.name for path in self.queue.glob("*.changes")] == [f"greet_{version}_source.changes"]
        pushed = git(["reflog", "show", "--format=%H", "refs/heads/tested"], cwd=self.remote).splitlines()
        assert len(pushed) == 1
        assert version in git(["show", "tested:debian/changelog"], cwd=self.remote).splitlines()[0]
        assert_nothing_left()


def assert_nothing_left() -> None:
    """Assert that no mount, session or configuration of qalab is left; other processes can use the machine."""
    ours = str(environment.cache_home())
    assert ours not in Path("/proc/mounts").read_text()
    configurations = [*Path("/etc/schroot/chroot.d").glob("qalab-*"), *Path("/var/lib/schroot/session").glob("qalab-*")]
    assert [path for path in configurations if path.exists() and ours in path.read_text()] == []


@pytest.fixture
def place(
    lab_factory: Callable[..., Lab],
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
    shared_cache: Path,
) -> Iterator[Place]:
    upstream, packaging = git_repository("upstream"), git_repository("packaging")
    upstream.commit("Start", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    upstream.commit("Greet the world", {"greet.txt": "hello world\n"})
    packaging.commit("Package it", packaging_files())
    queue, remote = tmp_path / "queue", tmp_path / "remote.git"
    queue.mkdir()
    git(["clone", "--quiet", "--bare", packaging.path, remote])
    git(["config", "core.logAllRefUpdates", "true"], cwd=remote)
    component = {"packaging": {"push": {"git": str(remote), "branch": "tested"}}, "upload": {"to": f"file://{queue}"}}
    lab = lab_factory(upstream=upstream.path, packaging=packaging.path, component=component)
    return Place(lab, tmp_path / "lab.yaml", queue, remote)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Wait until something holds; False when the process ended before it did."""
    while not condition():
        if process.poll() is not None:
            return condition()
        time.sleep(0.005)
    return True


def stands(run: Run, name: str) -> str:
    """Return the current verdict in a record's file; "" without a file."""
    path = run.record_path(name)
    return str(json.loads(path.read_text())["verdict"]) if path.exists() else ""


def test_phase_resumes_after_kill_at_step_boundary(place: Place) -> None:
    """Kill with SIGKILL at the start and at the end of each step; then resume."""
    argv = ["trunk", "greet"]
    for name in STEPS:
        for verdicts in ({"running"}, {"passed", "skipped"}):
            process = place.start(*argv)
            wait_for(lambda: bool(Store.of(place.lab).runs()), process)
            assert wait_for(lambda name=name, verdicts=verdicts: stands(place.run, name) in verdicts, process)
            process.kill()
            process.communicate()
            argv = ["--resume"]
    place.go("--resume")  # the run can be complete already
    assert len(Store.of(place.lab).runs()) == 1
    place.assert_all_is_well()


@pytest.mark.parametrize("name", sampled(["sbuild", "archive", "upload", "push"], "archive"))
def test_phase_resumes_after_kill_in_step(place: Place, name: str) -> None:
    """Kill the step and its tools with SIGKILL at several points; then resume."""
    place.go("trunk", "greet", "--until", STEPS[STEPS.index(name) - 1])
    for delay in (0.15, 0.3, 0.5, 0.8) if name != "sbuild" else (1.0, 4.0, 8.0):
        process = place.start("--resume")
        if not wait_for(lambda: stands(place.run, name) == "running", process):
            process.communicate()
            break
        time.sleep(delay)
        tools = children_of(process.pid)
        for pid in (process.pid, *tools):
            kill(pid)
        process.communicate()
    place.go("--resume")
    with Path(os.devnull).open("w") as log, opened(place.lab, log) as archive:
        retention.collect(archive)  # also of writes that were cut short
    place.assert_all_is_well()


def children_of(pid: int) -> list[int]:
    """Return all descendants of a process."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            child = int(path.parent.name)
            found += [child, *children_of(child)]
    return found


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "number", sampled([signal.SIGINT, signal.SIGTERM, signal.SIGHUP], signal.SIGTERM), ids=lambda number: number.name
)
def test_phase_resumes_after_interrupted_build(place: Place, number: signal.Signals) -> None:
    """The process group ends, the record is aborted, and the run can be resumed."""
    place.go("trunk", "greet", "--until", "source")
    process = place.start("--resume")
    log = place.run.log_path("sbuild")
    assert wait_for(lambda: log.exists() and "dpkg-buildpackage" in log.read_text(errors="replace"), process)
    tools = children_of(process.pid)
    assert tools
    process.send_signal(number)
    printed = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 130
    assert "aborted" in printed
    assert stands(place.run, "sbuild") == "aborted"
    assert [
        pid for pid in tools if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()
    ] == []
    assert_nothing_left()
    place.go("--resume")
    place.assert_all_is_well()


@pytest.mark.full
def test_phases_of_two_components_in_parallel(place: Place, lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    """Run two components at once, with one archive."""
    component = place.lab.components["greet"].model_dump(mode="json", exclude_unset=True)
    del component["upload"], component["packaging"]["push"]
    other = GitRepository(tmp_path / "other-packaging")
    other.commit("Package it", packaging_files("salute") | {"debian/install": "greet.txt usr/share/salute\n"})
    salute = component | {"packaging": {"git": str(other.path)}}
    lab_factory(component=component, lab={"components": {"greet": component, "salute": salute}})
    processes = [place.start("trunk", name) for name in ("greet", "salute")]
    printed = [process.communicate(timeout=600)[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    assert [run.verdict for run in Store.of(place.lab).runs()] == ["passed", "passed"]
    reader = ArchiveReader.at(Store.of(place.lab).archive)
    assert [name for name, _ in reader.lock("trunk", SOURCE_LOCK)] == ["greet", "salute"]
    assert (len(reader.lock("trunk")), reader.existing("trunk").number) == (2, 2)
    assert_nothing_left()
