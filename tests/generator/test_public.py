"""jobs/public: the receiver jobs of the public Jenkins, as stock Jenkins Job Builder and as qalab make them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.jenkins import apply
from generator import jjb, render
from generator.canonical import parse
from generator.items import Item
from generator.lint import lint
from generator.plugins import plugins_of
from lab.config import loading
from lab.config.description import Lab
from tests.jenkins.double import Double

HOUSE = Path(__file__).parent.parent.parent
PUBLIC = HOUSE / "jobs/public"
FLAGSHIP = loading.load(HOUSE / "lab.yaml")
JENKINS = {"url": "https://jenkins.lab.example/"}


@pytest.fixture
def expanded(lab_factory: Callable[..., Lab], tmp_path: Path) -> Callable[..., list[Item]]:
    """``expanded(folder="x")``: the receiver jobs of a small lab whose public Jenkins is so described."""

    def make(track: dict[str, Any] | None = None, **public: Any) -> list[Item]:
        jenkins = {"url": "https://public.lab.example/", **public}
        lab = lab_factory(lab={"jenkins": JENKINS, "public": {"jenkins": jenkins}}, track=track)
        jobs = tmp_path / "jobs"
        shutil.copytree(HOUSE / "jobs", jobs, ignore=shutil.ignore_patterns("generated"), dirs_exist_ok=True)
        render.write(lab, jobs)
        assert render.stale(lab, jobs) == []
        return jjb.expand(jobs / "public", jjb.configuration(None))

    return make


@pytest.mark.integration
def test_stock_jenkins_job_builder_expands_receivers(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "jenkins-jobs"
    argv = [program, "test", "--config-xml", "-o", tmp_path / "out", PUBLIC]
    done = subprocess.run(argv, cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = {path.parent.name for path in (tmp_path / "out").rglob("config.xml")}
    builds = {f"{track}-{component}-build" for track, described in FLAGSHIP.tracks.items()
              for component in FLAGSHIP.components_of(track) if "build" in described.phases}  # fmt: skip
    later = {f"{track}-{phase}" for track, described in FLAGSHIP.tracks.items()
             for phase in described.phases if phase != "build"}  # fmt: skip
    assert made == builds | later


def test_receivers_need_core_and_junit(expanded: Callable[..., list[Item]]) -> None:
    items = expanded()
    assert plugins_of(items) == {"junit"}
    assert lint(items) == []


def test_receiver_job(expanded: Callable[..., list[Item]]) -> None:
    (item,) = expanded(agent="outside", keep_builds=7)
    root = parse(item.xml)
    assert str(item.key) == "job trunk-greet-build"
    assert root.findtext("assignedNode") == "outside"
    assert root.findtext("concurrentBuild") == "false"
    assert root.findtext(".//numToKeep") == "7"
    assert [element.tag.rpartition(".")[2] for element in root.iterfind(".//parameterDefinitions/*")] == [
        "FileParameterDefinition", "StringParameterDefinition", "StringParameterDefinition",
    ]  # fmt: skip
    shell = root.find("builders/hudson.tasks.Shell")
    assert shell.findtext("command").strip() == (PUBLIC / "receive.py").read_text().strip()
    assert shell.findtext("unstableReturn") == "4"
    assert root.findtext("publishers//testResults") == "received/junit.xml"


def test_receivers_in_a_folder_for_each_phase(expanded: Callable[..., list[Item]]) -> None:
    items = expanded(track={"phases": ["build", "deploy", "exercise"]}, folder="qa/seen {here}")
    assert [item.key.name for item in items] == [
        "qa/seen {here}",
        *(f"qa/seen {{here}}/trunk-{name}" for name in ("deploy", "exercise", "greet-build")),
    ]


def test_external_receivers(expanded: Callable[..., list[Item]]) -> None:
    (item,) = expanded(receiver="external")
    assert parse(item.xml).tag == "hudson.model.ExternalJob"


def test_lab_without_public_jenkins_has_no_receivers(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    lab = lab_factory(lab={"jenkins": JENKINS})
    left = tmp_path / "jobs/public/generated/receivers.yaml.inc"
    left.parent.mkdir(parents=True)
    left.write_text("name: x\n")
    assert left in render.write(lab, tmp_path / "jobs")
    assert not left.exists()


@pytest.mark.integration
def test_apply_of_receivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOUSE)
    with Double() as jenkins:
        ini = tmp_path / "public.ini"
        ini.write_text(f"[jenkins]\nurl={jenkins.url}\nuser=admin\npassword=secret\n")
        argv = ["jobs/public", "--ini", str(ini), "--yes"]
        for writes in (38, 0):
            before = len(jenkins.writes())
            done = CliRunner().invoke(apply.command, argv)
            assert done.exit_code == 0, done.output
            assert len(jenkins.writes()) - before == writes
