"""Agents without state, with every real tool: the jobs' own shell lines, sbuild, apt over HTTP, containers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from generator import jjb, render
from generator.canonical import parse
from lab.config import loading
from lab.store.archive import ArchiveReader
from scripts.drivers.nspawn import driver
from tests.archives import served
from tests.conftest import GitRepository, packaging_files
from tests.controller import Agent
from tests.shells import ShellController

pytestmark = [pytest.mark.integration, pytest.mark.full]
HOUSE = Path(__file__).parents[2]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    root = tmp_path / "vault/state/qalab/testlab/archive"
    root.mkdir(parents=True)
    with served(root) as url:
        yield url


@pytest.mark.skipif(bool(driver.missing_prerequisite()), reason="containers need root")
@pytest.mark.usefixtures("shared_cache")
def test_build_on_one_agent_and_deployment_on_another(
    address: str, tmp_path: Path, git_repository: Callable[..., GitRepository]
) -> None:
    """Each deployment has the version that its build handed over, wherever it was built."""
    upstream = git_repository("hello")
    upstream.commit("Start", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    git_repository("packaging").commit("Package it", packaging_files("hello"))
    jenkins = {"url": "https://jenkins.lab.example/", "home": str(tmp_path), "build_agent": "build",
               "archive_agent": "vault", "lab_agent": "vault", "deploy_agent": "deploy"}  # fmt: skip
    component = {"upstream": {"git": str(upstream.path)}, "packaging": {"git": str(tmp_path / "packaging")}}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump({
        "lab": {"name": "testlab", "maintainer": "Test Lab <lab@lab.example>"},
        "archive": {"url": address}, "jenkins": jenkins, "series": {"bookworm": {}},
        "tracks": {"trunk": {"series": "bookworm", "phases": ["build", "deploy", "exercise"]}},
        # Debian has a hello, of a higher version.
        "components": {"hello": {**component, "version": {"replace_newer": True},
                                 "build": {"content": {"verdict": "off"}}}},
    }))  # fmt: skip
    lab, jobs = loading.load(tmp_path / "lab.yaml"), tmp_path / "jobs"
    shutil.copytree(HOUSE / "jobs", jobs, ignore=shutil.ignore_patterns("generated"))
    render.write(lab, jobs)
    items = {item.key.name: parse(item.xml) for item in jjb.expand(jobs, jjb.configuration(None))}
    controller = ShellController(items, tmp_path / "artifacts")
    builders = [Agent(tmp_path / "a1"), Agent(tmp_path / "a2")]
    vault, deployer = Agent(tmp_path / "vault"), Agent(tmp_path / "d1")
    versions = []
    for number, builder in enumerate(builders):
        commit = upstream.commit(f"Change {number}", {"greet.txt": f"hello {number}\n"})
        chain = [controller.build("trunk-hello-build", builder, {"COMMIT": commit})]
        for agent in (vault, deployer, deployer):
            assert chain[-1].result == "SUCCESS", controller.output[-1]
            [(job, parameters)] = chain[-1].triggered
            chain.append(controller.build(job, agent, parameters))
        assert [build.job.rpartition("-")[2] for build in chain] == ["build", "archive", "deploy", "exercise"]
        assert chain[-1].result == "SUCCESS", controller.output[-1]
        handed = chain[2].parameters
        record = yaml.safe_load((chain[2].artifacts / "results/01-deploy.json").read_text())
        assert (record["version"], record["commit"]) == (handed["VERSION"], commit)
        assert record["facts"]["state"] == handed["ARCHIVE"] == ArchiveReader(address).existing("trunk").name
        assert record["facts"]["packages"] == [f"hello={handed['VERSION']}"]
        versions.append(handed["VERSION"])
    assert len(set(versions)) == len(builders)
    for agent in (*builders, deployer):
        assert not (agent.home / "state/qalab/testlab/archive").exists()
        assert not (agent.home / "state/qalab/testlab/gnupg").exists()
