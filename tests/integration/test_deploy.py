"""Deployments with real packages on real containers: the installed version, each failure, and no leftovers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lab.base.run import run
from lab.config.description import Lab
from lab.store.records import Record
from lab.store.runs import Store
from scripts import archive, configure, deploy, exercise, reset
from scripts.deployment import environments
from scripts.drivers.nspawn import driver, leftovers
from scripts.exercises import cases
from tests.conftest import Bench
from tests.packages import pretend_built, start
from tests.samples import sampled

pytestmark = pytest.mark.integration
GREET = "#!/bin/sh\necho hello\n"
UNIT = """\
[Unit]
Description=Greeter
[Service]
ExecStart=/usr/bin/greetd
[Install]
WantedBy=multi-user.target
"""
ENABLE = "#!/bin/sh\nset -e\nln -sf /lib/systemd/system/greet.service /etc/systemd/system/multi-user.target.wants/\n"


def service(program: str) -> tuple[tuple[str, str], ...]:
    """The files of a package with a daemon."""
    files = {
        "usr/bin/greet": GREET,
        "usr/bin/greetd": f"#!/bin/sh\n{program}\n",
        "lib/systemd/system/greet.service": UNIT,
    }
    return (*files.items(), ("DEBIAN/postinst", f"{ENABLE}systemctl daemon-reload\n"))


@dataclass
class Place:
    """A lab with an archive that a test fills, and the environment of its only track."""

    lab: Lab
    bench: Callable[..., Bench]

    def build(self, version: str = "1.0-1", **package: Any) -> None:
        at = self.bench(self.lab)
        pretend_built(at, version, **package)
        assert at.execute(archive).verdict == "passed"

    def begin(self, phase: str, version: str = "", track: str = "trunk") -> Bench:
        run = Store.of(self.lab).new_run(self.lab, track, "greet", "0" * 40, phase=phase, version=version)  # type: ignore[arg-type]
        return Bench(self.lab, run)

    def deploy(self, version: str = "", **package: Any) -> tuple[Bench, Record]:
        if package:
            self.build(**package)
        at = self.begin("deploy", version)
        return at, at.execute(deploy)

    def exercise(self, version: str = "") -> tuple[Bench, Record]:
        at = self.begin("exercise", version)
        return at, at.execute(exercise)

    @property
    def left(self) -> list[str]:
        return leftovers.left_by(Store.of(self.lab).environments)


@pytest.fixture
def place(lab_factory: Callable[..., Lab], bench: Callable[..., Bench], shared_cache: Path) -> Iterator[Place]:
    made = Place(lab_factory(track={"phases": ["build", "deploy", "exercise"]}), bench)
    yield made
    for name in environments.names(made.lab):
        environments.target(made.lab, name).destroy()
    assert made.left == []


def options(place: Place, **values: Any) -> None:
    """Describe the application, with options."""
    deployment = {"applications": {"greet": {"role": "package", "options": values}}}
    place.lab = place.lab.model_validate(
        place.lab.model_dump(mode="json", exclude_unset=True) | {"deployment": deployment}, strict=False
    )


def test_deploy_exercise_and_reset_of_package(place: Place) -> None:
    options(place, command="greet", prints="hello")
    at, record = place.deploy(files=service("exec sleep infinity"))
    assert record.verdict == "passed", record.message
    assert record.message.startswith("greet 1.0-1 on 1 node, 1 package from the lab's archive; booted in ")
    assert (record.version, record.commit) == ("1.0-1", "0" * 40)
    assert record.facts["packages"] == ["greet=1.0-1"]
    assert record.facts["services"] == {"greet": ["greet.service"]}
    assert "Started" in (at.run.results / "nodes/node0/journal.log").read_text()
    assert "install greet" in (at.run.results / "nodes/node0/dpkg.log").read_text()
    handed = (at.run.results / "parameters.properties").read_text()
    assert f"COMPONENT=greet\nCOMMIT={'0' * 40}\nVERSION=1.0-1\nARCHIVE=" in handed

    record = at.execute(configure)
    assert (record.verdict, record.message) == ("skipped", "no keystone is deployed, and so no cloud to configure")

    at, record = place.exercise("1.0-1")
    assert (record.verdict, record.message) == ("passed", "7 of 7 passed")
    found = cases.read(at.run.path / record.native[0].path)
    assert [(case.name, case.output) for case in found if case.classname == "command"] == [("greet: $ greet", "hello")]
    assert [case.name for case in found if case.classname == "stability"] == [
        "greet: greet.service kept running on node0",
        "greet: greet.service logged no error on node0",
        "node0: nothing else failed or crashed",
    ]
    assert at.execute(reset).message == "pristine again"
    assert place.left == []


@pytest.mark.full
def test_deploy_prefers_older_version_of_lab(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], shared_cache: Path
) -> None:
    lab = lab_factory(name="hello", track={"phases": ["build", "deploy"]})
    place = Place(lab, bench)
    at = bench(lab)
    pretend_built(at, "1.0-1", name="hello", binaries=("hello.deb",))
    assert at.execute(archive).verdict == "passed"
    at = Bench(lab, Store.of(lab).new_run(lab, "trunk", "hello", phase="deploy"))
    record = at.execute(deploy)
    assert (record.verdict, record.facts["packages"]) == ("passed", ["hello=1.0-1"]), record.message
    assert "Pin-Priority" in at.log("deploy")
    environments.target(lab, "trunk").destroy()
    assert place.left == []


SUBPROCESS = "installed greet package post-installation script subprocess returned error exit status"
BROKEN = {
    "a postinst that fails": (
        {"files": (("DEBIAN/postinst", "#!/bin/sh\necho the schema is wrong >&2\nexit 7\n"),)},
        "failed",
        f"the package greet cannot be installed: {SUBPROCESS} 7 (the schema is wrong)",
    ),
    "a service that starts and dies": (
        {"files": service("sleep 0.3; echo fatal: no configuration; exit 3")},
        "failed",
        "greet: greet.service starts and dies on node0 (exit-code): fatal: no configuration",
    ),
    "a program that is not there": (
        {"files": (("lib/systemd/system/greet.service", UNIT), ("DEBIAN/postinst", ENABLE))},
        "failed",
        "greet: greet.service starts and dies on node0 (exit-code): ",
    ),
    "a dependency that is not there": (
        {"control": "Depends: no-such-package\n"},
        "failed",
        "cannot be installed: greet: Depends: no-such-package but it is not installable",
    ),
    "a dependency that is too old": (
        {"control": "Depends: hello (>= 99)\n"},
        "failed",
        "cannot be installed: greet: Depends: hello (>= 99)",
    ),
}


@pytest.mark.parametrize("what", sampled(BROKEN, "a postinst that fails", "a service that starts and dies"))
def test_deploy_reports_broken_package(place: Place, what: str) -> None:
    package, verdict, message = BROKEN[what]
    at, record = place.deploy(**package)
    assert record.verdict == verdict, record.message
    assert record.message.startswith(message), record.message
    assert (at.run.results / "nodes/node0/journal.log").stat().st_size
    # It stays for inspection; the exercise refuses it.
    _, record = place.exercise()
    assert record.message.startswith("trunk: nothing is deployed (qalab run trunk greet")


@pytest.mark.full
def test_deploy_of_unhealthy_service_fails(place: Place) -> None:
    options(place, health="sh -c 'echo not yet; false'", patience=2)
    _, record = place.deploy(files=service("exec sleep infinity"))
    assert record.verdict == "failed"
    assert record.message == "greet: is not well on node0 after 2 s: sh -c 'echo not yet; false': not yet"


@pytest.mark.full
def test_deploy_without_mirror_is_an_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.build(control="Depends: mtr-tiny\n")
    monkeypatch.setattr(driver, "served", lambda *_: served_nowhere(place.lab))
    _, record = place.deploy()
    assert record.verdict == "error"
    assert "apt-get update: " in record.message


def served_nowhere(lab: Lab) -> Any:
    """Provide the lab's archive with the address of a closed port."""
    import contextlib  # noqa: PLC0415

    from scripts.archives.serving import served  # noqa: PLC0415

    @contextlib.contextmanager
    def nowhere() -> Iterator[Any]:
        with served(lab, "trunk") as repository:
            yield replace(repository, url="http://127.0.0.1:9")

    return nowhere()


def test_deploy_with_full_disk_is_an_error(place: Place) -> None:
    place.build(files=(("usr/share/greet/ballast", "x" * 80_000_000),))
    home = Store.of(place.lab).environments
    home.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=64m", "qalab-test", home])
    try:
        _, record = place.deploy()
        environments.target(place.lab, "trunk").destroy()
    finally:
        run(["umount", home])
    assert record.verdict == "error"
    assert record.message == "the disk of node0 is full: No space left on device"


@pytest.mark.full
def test_exercise_failure_is_reported(place: Place) -> None:
    options(place, command="greet", prints="goodbye")
    place.deploy(files=service("exec sleep infinity"))
    environment = environments.target(place.lab, "trunk")
    _, record = place.exercise()
    assert record.verdict == "unstable"
    assert (
        record.message == "6 of 7 passed; command: greet: $ greet: it should have printed: goodbye; it printed: hello"
    )
    (node,) = environment.nodes()
    node.run(["rm", "/usr/share/greet/greet"])
    node.run(["systemctl", "stop", "greet.service"])
    _, record = place.exercise()
    assert "installed: node0: the lab's packages are as they were packaged: missing" in record.message


@pytest.mark.full
def test_deploy_skips_superseded_version(place: Place) -> None:
    place.build("1.0-1", text="One")
    place.build("1.0-2", text="Two")
    _, record = place.deploy("1.0-1")
    assert record.verdict == "skipped"
    assert record.message == "the archive has greet 1.0-2 by now: the run that built it deploys it"
    _, record = place.deploy("1.0-2")
    assert (record.verdict, record.version) == ("passed", "1.0-2"), record.message
    _, record = place.exercise("1.0-1")
    assert (record.verdict, record.message) == (
        "skipped",
        "what is deployed is greet 1.0-2: its own run exercises it",
    )


@pytest.mark.parametrize("delay", sampled([0.3, 1.0, 2.0, 3.5, 5.0], 2.0))
def test_deploy_recovers_after_kill(place: Place, delay: float) -> None:
    place.build(files=service("exec sleep infinity"))
    at = place.begin("deploy")
    process = start(deploy, at)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, record = place.deploy()
    assert record.verdict == "passed", record.message
    _, record = place.exercise()
    assert record.verdict == "passed", record.message
    environments.target(place.lab, "trunk").destroy()
    assert place.left == []


SLOW = {"applications": {"greet": {"role": "package", "options": {"command": "sleep 1"}}}}


@pytest.mark.parametrize(
    "module, delay", sampled([(exercise, 0.9), (reset, 0.5), (reset, 0.6), (reset, 0.7)], (exercise, 0.9), (reset, 0.6))
)
def test_exercise_and_reset_recover_after_kill(
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    shared_cache: Path,
    module: ModuleType,
    delay: float,
) -> None:
    lab = lab_factory(track={"phases": ["build", "deploy", "exercise"]}, lab={"deployment": SLOW})
    place = Place(lab, bench)
    assert place.deploy(files=service("exec sleep infinity"))[1].verdict == "passed"
    process = start(module, place.begin("exercise"))
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    status = process.wait()
    if module is exercise:
        assert status == -signal.SIGKILL
        _, record = place.exercise()
        assert (record.verdict, record.message) == ("passed", "7 of 7 passed")
    assert place.begin("exercise").execute(reset).verdict == "passed"
    assert place.left == []


def test_deployments_of_two_tracks_are_isolated(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], shared_cache: Path
) -> None:
    phases = {"phases": ["build", "deploy", "exercise"]}
    other = {"tracks": {"other": {"series": "bookworm", "branch": "main", "settle_seconds": 0, **phases}}}
    lab = lab_factory(track=phases, lab={**other, "deployment": SLOW})
    place = Place(lab, bench)
    for track, version in (("trunk", "1.0-1"), ("other", "2.0-1")):
        at = bench(lab, track=track)
        pretend_built(at, version, files=service("exec sleep infinity"))
        assert at.execute(archive).verdict == "passed"
    for module, phase in ((deploy, "deploy"), (exercise, "exercise")):
        runs = [place.begin(phase, track=track) for track in ("trunk", "other")]
        both = [start(module, at) for at in runs]
        assert [process.wait(120) for process in both] == [0, 0]
        records = [at.run.record(phase) for at in runs]
        assert [record.version for record in records if record] == ["1.0-1", "2.0-1"]
    (one,), (two,) = (environments.target(lab, track).nodes() for track in ("trunk", "other"))
    assert one.address == two.address
    assert environments.target(lab, "trunk").destroy()
    assert two.run(["systemctl", "is-active", "greet.service"])
    assert environments.target(lab, "other").destroy()
    assert place.left == []
