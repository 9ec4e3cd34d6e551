"""tempest without a cloud: its configuration, skipped and refused calls."""

from __future__ import annotations

import configparser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, Verdict
from lab.config.deployment import Tempest
from lab.config.description import Lab
from lab.results.known_failures import Excused
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts import tempest
from scripts.openstack.tempest_conf import configuration
from scripts.openstack.test_results import BadTestResult, Results
from scripts.pockets import baseline
from scripts.pockets.baseline import BaselineCases
from scripts.services.cloud_settings import Configured
from scripts.services.deployed_state import Deployed, Service
from tests.conftest import Bench

KEYSTONE = {"auth_url": "http://10.20.0.11:5000/v3", "user": "admin", "password": "secret", "region": "RegionOne"}
HINT = "the step configure makes them: qalab run trunk keystone"
CLOUD = ("keystone", "glance", "placement", "nova", "neutron", "cinder")
MADE = Configured(
    user="qalab", password="secret", project="qalab", access="a", secret="s",
    external_network="net-1", flavor="flavor-1", image="image-1",
)  # fmt: skip


def deployed(*roles: str) -> Deployed:
    services = {
        role: Service(
            role=role, nodes=("node0",), packages=(), settings=KEYSTONE if role == "keystone" else {"url": "http://x"}
        )
        for role in roles
    }
    return Deployed(
        track="trunk", component="keystone", version="1.0-1", commit="", finished="", nodes={}, services=services,
        packages=(),
    )  # fmt: skip


def read(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_configuration_omits_missing_services() -> None:
    found = read(configuration(deployed("mariadb", "keystone", "glance"), None))
    assert found["identity"]["uri_v3"] == "http://10.20.0.11:5000/v3"
    assert (found["auth"]["admin_username"], found["auth"]["admin_password"]) == ("admin", "secret")
    assert {name for name, value in found["service_available"].items() if value == "true"} == {"glance"}
    assert not found.keys() & {"compute", "network", "validation", "volume"}


def test_configuration_of_whole_cloud() -> None:
    found = read(configuration(deployed(*CLOUD), MADE, ["router", "security-group"]))
    available = {name: value for name, value in found["service_available"].items() if value == "true"}
    assert available.keys() == {"glance", "nova", "neutron", "cinder"}
    assert (found["compute"]["image_ref"], found["compute"]["flavor_ref"]) == ("image-1", "flavor-1")
    assert found["network"]["public_network_id"] == "net-1"
    assert found["network-feature-enabled"]["api_extensions"] == "router,security-group"
    assert found["validation"]["image_ssh_user"] == "root"


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (("mariadb", "glance"), "Tempest needs a keystone, and the deployment has none"),
        (CLOUD, f"Tempest needs an image, a flavour and a network, and there are none ({HINT})"),
    ],
)
def test_configuration_refuses_incomplete_cloud(roles: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configuration(deployed(*roles), None)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("output", "complaint", "code", "message"),
    [
        ("The specified regex doesn't match with anything", "", 2, "small.yaml: tempest.tests: Tempest has no test like a or b"),
        ("", "ImportError: no x", 3, "Tempest has run no test: ImportError: no x"),
        ("", "", 3, "Tempest has run no test: it did not say why"),
    ],
)  # fmt: skip
def test_tempest_without_tests_reports_reason(output: str, complaint: str, code: int, message: str) -> None:
    error = tempest.without_tests(Path("small.yaml"), Tempest(tests=("a", "b")), output.encode(), complaint)
    assert (str(error), error.exit_code) == (message, code)


@pytest.mark.parametrize(
    ("settings", "verdict", "message"),
    [
        ({}, "skipped", "lab.yaml names no tests of Tempest"),
        ({"tempest": {}}, "error", "trunk: nothing is deployed (qalab run trunk greet, or the job trunk-deploy)"),
    ],
)
def test_tempest_step_skips_or_refuses(
    lab_factory: Callable[..., Lab], tmp_path: Any, settings: dict[str, Any], verdict: str, message: str
) -> None:
    deployment = {"applications": {"greet": {"role": "package", "packages": ["greet"]}}, **settings}
    lab = lab_factory(track={"phases": ["build", "deploy", "exercise"]}, lab={"deployment": deployment})
    record = Bench(lab, Store.of(lab).new_run(lab, "trunk", "greet", phase="exercise")).execute(tempest)
    assert (record.verdict, record.message) == (verdict, message)


@pytest.mark.parametrize(
    ("outcomes", "before", "verdict", "message"),
    [
        ("fp", {"0": "old"}, "passed", "1 failed as is known (fails in the release too: old)"),
        ("fp", {}, "unstable", "0: new"),
        ("pp", {"0": "old"}, "passed", "1 passed against what is known (0)"),
        ("fp", None, "error", "there is no baseline to compare with"),
        ("pp", None, "passed", "2 of 2 passed"),
    ],
)
def test_tests_are_compared_with_the_release(  # noqa: PLR0917 - a table and its fixtures
    lab_factory: Callable[..., Lab],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: str,
    before: dict[str, str] | None,
    verdict: str,
    message: str,
) -> None:
    lab = lab_factory(track={"trigger": "proposed", "phases": ["deploy", "exercise"]})
    run = Store.of(lab).new_run(lab, "trunk", "greet", phase="exercise")
    context = StepContext(lab, run, None)  # type: ignore[arg-type]
    release = deployed().model_copy(update={"state": "released-1", "baseline": "released-1"})
    if before is not None:
        baseline.keep(context, "released-1", "tempest", before, ())
    known = baseline.kept(lab, "trunk", "released-1", "tempest")
    tests = [
        BadTestResult(str(place), "failed" if letter == "f" else "passed", "new" if letter == "f" else "")
        for place, letter in enumerate(outcomes)
    ]
    monkeypatch.setattr(tempest, "results_of", lambda _: tests)
    (tmp_path / "stream").touch()

    def results(kept: BaselineCases | None) -> Results:
        return tempest.results(tmp_path / "stream", Excused, "", kept)

    update = release.model_copy(update={"state": "content", "waiting": {"greet": "2"}})
    got = tempest.compared(context, update, known, results(known))
    assert (got[0], message in got[1]) == (verdict, True), got
    assert tempest.compared(context, release, None, results(None))[1].startswith("the release: ")
    kept = baseline.kept(lab, "trunk", "released-1", "tempest")
    assert kept is not None
    assert {*kept.failed, *kept.passed} == {"0", "1"}


@pytest.mark.parametrize(
    ("tests", "nodes", "verdict"),
    [
        ("passed", "passed", "passed"),
        ("skipped", "passed", "skipped"),
        ("skipped", "unstable", "unstable"),
        ("passed", "unstable", "unstable"),
        ("passed", "error", "error"),
        ("failed", "unstable", "failed"),
        ("error", "passed", "error"),
    ],
)
def test_nodes_make_a_verdict_only_worse(tests: Verdict, nodes: Verdict, verdict: Verdict) -> None:
    assert tempest.worse(tests, nodes) == verdict
