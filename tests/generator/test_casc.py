"""Jenkins Configuration as Code: the labels, categories and folders that the generated jobs name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from cli.main import cli
from generator import casc, render
from lab.base.errors import ConfigurationError
from lab.config.description import Lab

URL = {"url": "https://jenkins.lab.example/"}
APART = {
    **URL,
    "archive_agent": "vault",
    "build_agent": "build && amd64",
    "lab_agent": "vault",
    "deploy_agent": "deploy",
}
DEPLOYED = {"phases": ["build", "deploy", "exercise"]}
Labs = Callable[..., Lab]


@pytest.mark.parametrize(
    "jenkins, names, labels",
    [
        (URL, ["testlab-build-deploy-lab"], ["qalab"]),
        ({**URL, "lab_agent": "trusted"}, ["testlab-build-deploy", "testlab-lab"], ["qalab", "trusted"]),
        (APART, ["testlab-build", "testlab-deploy", "testlab-archive-lab"], ["build amd64", "deploy", "vault"]),
    ],
)
def test_agents(lab_factory: Labs, jenkins: dict[str, Any], names: list[str], labels: list[str]) -> None:
    lab = lab_factory(lab={"jenkins": jenkins, "archive": {"url": "https://archive.lab.example/"}})
    nodes = [node["permanent"] for node in casc.configuration(lab)["jenkins"]["nodes"]]
    assert [node["name"] for node in nodes] == names
    assert [node["labelString"] for node in nodes] == labels
    hosts = [node["launcher"]["ssh"]["host"] for node in nodes]
    assert len(set(hosts)) == len(hosts)
    assert all(re.fullmatch(r"\$\{[A-Z_]+_HOST\}", host) for host in hosts)
    assert {node["launcher"]["ssh"]["credentialsId"] for node in nodes} == {
        each["basicSSHUserPrivateKey"]["id"]
        for domain in casc.configuration(lab)["credentials"]["system"]["domainCredentials"]
        for each in domain["credentials"]
    }


@pytest.mark.parametrize("target, total", [("nspawn", 0), ("juju", 1), ("ssh", 1)])
def test_throttle_category_is_that_of_the_jobs(lab_factory: Labs, target: str, total: int) -> None:
    deployment: dict[str, Any] = {"target": target, "applications": {"greet": {"role": "package"}}}
    if target == "ssh":
        deployment["ssh"] = {"hosts": ["root@192.0.2.1"], "restore": ["true"]}
    archive = {"url": "https://archive.lab.example/"}
    lab = lab_factory(track=DEPLOYED, lab={"jenkins": URL, "deployment": deployment, "archive": archive})
    (category,) = casc.configuration(lab)["unclassified"]["throttleJobProperty"]["categories"]
    defaults = next(text for path, text in render.render(lab, Path("jobs")).items() if path.name == "defaults.yaml.inc")
    assert yaml.safe_load(defaults)["target"] == category["categoryName"] == f"testlab-{target}"
    assert (category["maxConcurrentTotal"], category["maxConcurrentPerNode"]) == (total, 1)


def test_lab_that_only_builds_needs_no_category(lab_factory: Labs) -> None:
    assert "unclassified" not in casc.configuration(lab_factory(lab={"jenkins": URL}))


@pytest.mark.parametrize(
    "folder, created, script",
    [
        (None, True, None),
        ("qa/lab", True, None),
        ("qa/lab", False, "folder('qa')\nfolder('qa/lab')"),
        ("it's", False, "folder('it\\'s')"),
    ],
)
def test_folder_of_an_administrator(
    lab_factory: Labs, folder: str | None, script: str | None, *, created: bool
) -> None:
    jenkins = {**URL, "create_folder": created, **({"folder": folder} if folder else {})}
    lab = lab_factory(lab={"jenkins": jenkins})
    assert casc.configuration(lab).get("jobs") == ([{"script": script}] if script else None)
    assert ("job-dsl" in casc.plugins(lab)) == bool(script)


def test_lab_without_jenkins(lab_factory: Labs) -> None:
    with pytest.raises(ConfigurationError, match="jenkins: missing"):
        casc.configuration(lab_factory())


def test_verb_prints_yaml(lab_factory: Labs, tmp_path: Path) -> None:
    lab = lab_factory(track=DEPLOYED, lab={"jenkins": URL})
    done = CliRunner().invoke(cli, ["jenkins", "casc", "--lab", str(tmp_path / "lab.yaml")])
    assert (done.exit_code, yaml.safe_load(done.stdout)) == (0, casc.configuration(lab))
    assert done.stdout.startswith("# Needs the plugins configuration-as-code, ssh-slaves.\n")
