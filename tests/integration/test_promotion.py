"""Promotions with real packages on real containers: a broken user is held back, and a kept state deploys again later."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment, files
from lab.config.description import Lab
from lab.store.archive import SOURCE_LOCK, ArchiveReader
from lab.store.runs import Store
from scripts import archive
from scripts.archives import lab_archive, labels, retention
from scripts.archives.labels import Reasons
from scripts.deployment import environments
from scripts.drivers.nspawn import leftovers
from tests.archives import assert_whole, deb, put
from tests.command import HOUSE
from tests.conftest import Bench
from tests.packages import pretend_built

pytestmark = pytest.mark.full  # each probe is a deployment
LIBRARIES = ("libgreet", "libtalk")
USERS = {"hail": "libgreet", "shout": "libgreet", "whisper": "libtalk"}
COMPONENTS = (*LIBRARIES, *USERS, "plain")


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], shared_cache: Path) -> Iterator[Lab]:
    described = {"upstream": {"git": "/x"}, "packaging": {"git": "/x"}}
    options = {name: {"role": "package", "options": {"command": name, "prints": f"^{name} well$"}} for name in USERS}
    made = lab_factory(
        name="plain",
        track={"phases": ["build", "deploy", "exercise"], "promotion": {}},
        lab={
            "archive": {"states": {"keep": 1, "keep_days": 1}},
            "components": dict.fromkeys(COMPONENTS, described),
            "deployment": {"applications": options},
        },
    )
    yield made
    for name in environments.names(made):
        environments.target(made, name).destroy()
    assert leftovers.left_by(Store.of(made).environments) == []


@pytest.fixture
def build(lab: Lab, bench: Callable[..., Bench]) -> Callable[..., None]:
    """``build("hail", "2-1", says="hail well", needs="libgreet (>= 2)")``: add a version to the archive."""

    def add(name: str, version: str, *, says: str = "", needs: str = "") -> None:
        control = f"Depends: {needs}\n" if needs else ""
        program = ((f"usr/bin/{name}", f"#!/bin/sh\necho {says or f'{name} well'}\n"),) if name in USERS else ()
        at = bench(lab, component=name)
        pretend_built(at, version, name=name, binaries=(f"{name}.deb",), control=control, files=program)
        assert at.execute(archive).verdict == "passed"

    return add


def call(lab: Lab, *words: str) -> Any:
    argv = [sys.executable, HOUSE / "qalab.py", *words, "--json", "--lab", lab.file]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def content(lab: Lab, suite: str = "trunk-tested") -> dict[str, str]:
    return dict(ArchiveReader.at(Store.of(lab).archive).lock(suite, SOURCE_LOCK))


def test_a_broken_user_is_held_back_until_its_fix(lab: Lab, build: Callable[..., None]) -> None:
    """The states are deployed and exercised on containers; afterwards a state that was kept deploys again."""
    for name in COMPONENTS:
        build(name, "1-1", needs=USERS.get(name, ""))
    call(lab, "archive", "promote", "trunk-tested")

    build("libgreet", "2-1")
    build("hail", "2-1", says="hail goodbye", needs="libgreet (>= 2)")
    build("shout", "2-1", needs="libgreet (>= 2)")
    build("plain", "2-1")
    second = call(lab, "promote", "trunk")
    good = dict.fromkeys(("libgreet", "shout", "plain"), "2-1")
    assert content(lab) == dict.fromkeys(COMPONENTS, "1-1") | good
    (waiting,) = second["waiting"]["components"]
    assert (waiting["component"], waiting["before"], waiting["version"]) == ("hail", "1-1", "2-1")
    assert waiting["reason"].startswith("held back: exercise: command: hail: $ hail: ")
    assert all(name.startswith("trunk/all/") for name in waiting["runs"])
    evidence = Store.of(lab).run(*waiting["runs"][-1].split("/"))
    assert evidence is not None
    assert (evidence.verdict, evidence.info.cause) == ("unstable", "promotion")
    assert content(lab, evidence.info.archive)["hail"] == "2-1"
    assert call(lab, "promote", "trunk", "--why")["components"] == [waiting]
    assert call(lab, "promote", "trunk")["promotion"] is None  # nothing is deployed for no reason
    moves = call(lab, "archive", "show", "trunk-tested")["moves"]
    assert moves[-1]["runs"] == second["promotion"]["probes"][-1]["runs"]

    build("hail", "3-1", needs="libgreet (>= 2)")
    assert call(lab, "promote", "trunk")["waiting"]["components"] == []
    assert content(lab)["hail"] == "3-1"


def test_a_kept_state_deploys_again(lab: Lab, build: Callable[..., None], tmp_path: Path) -> None:
    """After 50 more builds and a gc, what pins and labels name is there, and the rest is gone."""
    for name in COMPONENTS:
        build(name, "1-1", needs=USERS.get(name, ""))
    reader = ArchiveReader.at(Store.of(lab).archive)
    kept = reader.existing("trunk").name
    with (
        pytest.MonkeyPatch.context() as patch,
        (tmp_path / "log").open("w") as log,
        lab_archive.opened(lab, log) as opened,
    ):
        labels.pin(opened, kept, Reasons("a person"))
        started = environment.now()
        for number in range(50):
            patch.setattr(environment, "now", lambda day=number: started + timedelta(days=day))
            put(opened, "trunk", [deb(tmp_path / f"hail_{number + 2}_all.deb", "hail", str(number + 2))])
            if number == 10:
                labels.move(opened, "promotion", "trunk-tested", "trunk", Reasons("a person"))
        assert len(retention.collect(opened).states) > 40
        assert kept in {state.name for state in reader.states("trunk")}
        assert {reader.existing(name).name for name in ("trunk", "trunk-tested")} < {
            state.name for state in reader.states("trunk")
        }
        assert_whole(reader.root)
    runs = call(lab, "run", "trunk", "hail", "--state", kept)
    assert [run["verdict"] for run in runs] == ["passed", "passed"]
    assert {run.info.archive for run in Store.of(lab).runs("trunk", "hail") if run.info.phase != "build"} == {kept}
    assert files.is_locked(Store.of(lab).lock_path("state", kept)) is False
