"""Whether a machine, as its user, can do a phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.base import environment
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.host import phase_prerequisites, prerequisites
from scripts.host.prerequisites import Finding
from tests import jujufake
from tests.archives import served

URL = "https://jenkins.lab.example/"
Labs = Callable[..., Lab]


@pytest.fixture
def apart(lab_factory: Labs, tmp_path: Path) -> Iterator[Lab]:
    """Return a lab whose archive is served, and is that of this machine."""
    root = tmp_path / "state/qalab/testlab/archive"
    root.mkdir(parents=True)
    with served(root) as url:
        yield lab_factory(
            lab={"jenkins": {"url": URL, "archive_agent": "vault", "lab_agent": "vault"}, "archive": {"url": url}}
        )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("packages", "builds"):
        monkeypatch.setattr(prerequisites, name, lambda: Finding("this machine", good=True, detail=""))
    monkeypatch.setenv("QALAB_MIRROR_DEBIAN", "http://mirror.example/debian")
    for name in ("QALAB_JENKINS_USER", "QALAB_JENKINS_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def bad(lab: Lab, role: Any) -> dict[str, str]:
    return {found.what: found.detail for found in phase_prerequisites.doctor(lab, role) if not found.good}


def test_machine_of_the_archive_comes_first(apart: Lab) -> None:
    missing = {"archive": f"{apart.archive.url}: has no archive yet"}
    assert bad(apart, "build") == missing
    assert bad(apart, "archive") == {}
    assert bad(apart, "build") == {}


@pytest.mark.parametrize("role", ["build", "deploy"])
def test_machine_that_runs_the_code_of_others_has_no_secrets(
    apart: Lab, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    assert bad(apart, "archive") == {}
    monkeypatch.setattr(phase_prerequisites.nspawn, "missing_prerequisite", lambda: "")
    assert bad(apart, role) == {}
    Store.of(apart).gnupg.mkdir()
    monkeypatch.setenv("QALAB_JENKINS_TOKEN", "secret")
    found = bad(apart, role)
    assert found == {"keys": str(Store.of(apart).gnupg), "login of Jenkins": "the environment has QALAB_JENKINS_TOKEN"}
    alone = apart.model_copy(update={"jenkins": None})  # on one machine, nothing needs to be configured
    assert bad(alone, role) == {}


def test_another_machine_has_not_the_archive(apart: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bad(apart, "archive") == {}
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert list(bad(apart, "archive")) == ["address of the archive"]


def test_target_of_an_ordinary_user(lab_factory: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "is_root", lambda: False)
    lab = lab_factory()
    (found,) = (each for each in phase_prerequisites.doctor(lab, "deploy") if not each.good)
    assert (found.what, found.detail) == ("target nspawn", "a target of nspawn needs root")
    assert "as root" in found.fix


@pytest.mark.parametrize(
    ("wanted", "bad"),
    [
        (["build"], []),
        (["build", "deploy"], ["phase deploy"]),
        (["build", "test", "deploy"], ["phase test", "phase deploy"]),
    ],
    ids=" ".join,
)
def test_phases_of_an_ordinary_user(
    lab_factory: Labs, monkeypatch: pytest.MonkeyPatch, wanted: list[str], bad: list[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    lab = lab_factory(lab={"tracks": {"trunk": {"phases": wanted}}})
    found = [*phase_prerequisites.phases(lab)]
    assert [each.what for each in found if not each.good] == bad
    assert {each.detail for each in found} <= {"this user cannot run it here: a target of nspawn needs root"}
    assert [(each.what, each.good) for each in phase_prerequisites.phases(None)] == [
        ("phase test", True),
        ("phase deploy", True),
    ]


@pytest.mark.parametrize("token, missing", [("secret", []), ("", ["login of Jenkins"])])
def test_login_of_the_labs_own_jobs(
    apart: Lab, monkeypatch: pytest.MonkeyPatch, token: str, missing: list[str]
) -> None:
    if token:
        monkeypatch.setenv("QALAB_JENKINS_USER", "lab")
        monkeypatch.setenv("QALAB_JENKINS_TOKEN", token)
    assert list(bad(apart, "lab")) == missing
    assert token == "" or token not in str(list(phase_prerequisites.doctor(apart, "lab")))


def test_missing_signing_key(lab_factory: Labs) -> None:
    lab = lab_factory(lab={"archive": {"signing_key": "0" * 40}})
    assert bad(lab, "archive")["signing key"].startswith("no secret key 0000")


@pytest.mark.parametrize(
    "said, good, detail",
    [
        ({}, True, "admin at lab, with the access superuser"),
        ({"show-user": '{"access": null}'}, True, "admin at lab, with the access of no kind"),
        ({"whoami": ""}, False, "juju: no current controller, or not logged in"),
        ({"version": "2.9.51-ubuntu-amd64\n"}, False, "juju 2.9.51-ubuntu-amd64: Juju 3 is needed"),
        ({"show-user.refuses": "ERROR connection refused\n"}, False, "controller lab: connection refused"),
    ],
)
def test_juju_is_asked_for_its_controller(
    lab_factory: Labs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: dict[str, str],
    *,
    good: bool,
    detail: str,
) -> None:
    juju = jujufake.install(tmp_path, monkeypatch)
    for name, text in said.items():
        juju.write(name, text)
    deployment = {"target": "juju", "applications": {"keystone": {"role": "keystone"}}}
    lab = lab_factory(lab={"archive": {"url": "http://archive.lab.example"}, "deployment": deployment})
    (found,) = [each for each in phase_prerequisites.doctor(lab, "deploy") if each.what == "controller of Juju"]
    assert (found.good, found.detail) == (good, detail)
