"""A real Tempest against a real keystone of the series: passed, known to fail, stopped, and nothing to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from lab.config.deployment import Tempest
from lab.config.description import Lab
from lab.store.records import Record
from lab.store.runs import Store
from reports.formats import registry
from scripts import archive, deploy, tempest
from scripts.demo import demo
from scripts.demo.examples import KEYSTONE
from scripts.deployment import environments
from scripts.drivers.interfaces import Node
from scripts.drivers.nspawn import leftovers
from tests.conftest import Bench
from tests.packages import pretend_built

pytestmark = pytest.mark.full
BUG = "https://bugs.lab.example/1"
CLASS = "tempest.api.identity.v3.test_tokens.TokensV3Test"
TESTS = (r"identity\.v3\.test_tokens", r"identity\.v2\.test_tokens\.TokensTest")


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], shared_cache: Path) -> Iterator[Lab]:
    deployment = demo.deployment(KEYSTONE)
    deployment["applications"]["greet"] = {"role": "package", "options": {"starts_nothing": True}}
    made = lab_factory(track={"phases": ["build", "deploy", "exercise"]}, lab={"deployment": deployment})
    at = Bench(made, Store.of(made).new_run(made, "trunk", "greet"))
    pretend_built(at)
    assert at.execute(archive).verdict == "passed"
    yield made
    environments.target(made, "trunk").destroy()
    assert leftovers.left_by(Store.of(made).environments) == []
    assert not [*(shared_cache / "qalab/targets/sessions").glob("*")]


def run(lab: Lab, known: Path | None = None, **said: object) -> tuple[Bench, Record]:
    """Run the Tempest tests that a track selects."""
    track = lab.tracks["trunk"].model_copy(update={"tempest": Tempest.model_validate(said)})
    changed = lab.model_copy(
        update={"tracks": {"trunk": track}, "lab": lab.lab.model_copy(update={"known_failures": known and str(known)})}
    )
    at = Bench(changed, Store.of(lab).new_run(changed, "trunk", "greet", phase="exercise"))
    return at, at.execute(tempest)


def outcomes(at: Bench, record: Record) -> dict[str, tuple[str, str]]:
    """Return the outcome and the message of each test in reports."""
    cases = registry.cases(record.native[0].format, at.run.path / record.native[0].path)
    assert {case.classname for case in cases} == {CLASS, "tempest.api.identity.v2.test_tokens.TokensTest"}
    return {f"{case.classname.split('.')[3]}.{case.name}": (case.outcome, case.nuance) for case in cases}


def of_nodes(at: Bench, record: Record) -> dict[str, tuple[str, str]]:
    """Return the outcome and the message of each case that is about the nodes."""
    native = record.native[1]
    cases = registry.cases(native.format, at.run.path / native.path)
    assert {case.classname for case in cases} == {"tempest-nodes"}
    return {case.name: (case.outcome, case.message) for case in cases}


def crashing(node: Node, carry_out: Callable[..., str], *args: object) -> str:
    """Run the tests, and crash a service before the step looks at the nodes."""
    broken = carry_out(*args)
    node.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=main", "keystone.service"])
    node.run(
        ["timeout", "60", "sh", "-c", "until journalctl --unit=keystone --grep=status=9 --quiet; do sleep 0.1; done"]
    )
    return broken


def test_tempest_against_keystone(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = Bench(lab, Store.of(lab).new_run(lab, "trunk", "greet", phase="deploy")).execute(deploy)
    assert record.verdict == "passed", record.message
    known = tmp_path / "known"
    known.write_text(
        f"known_failures:\n- {{test: subunit/{CLASS}/test_validate_token, reason: keystone forgets, bug: {BUG}, until: 9999-12-31}}\n"
    )

    at, record = run(lab, known, tests=TESTS)
    assert record.verdict == "passed", record.message
    mended = f"{CLASS}.test_validate_token"
    assert record.message == f"3 of 4 passed, 1 skipped, 1 passed against what is known ({mended})"
    assert record.facts["mended"] == {mended: f"keystone forgets ({BUG})"}
    assert "test_create_token [" in at.log("tempest")
    assert "POST http://" in (at.run.results / "tempest/tempest.log").read_text()
    assert outcomes(at, record) == {
        "v2.test_create_token": ("skipped", ""),
        "v3.test_create_token": ("passed", ""),
        "v3.test_token_auth_creation_existence_deletion": ("passed", ""),
        "v3.test_validate_token": ("passed", "unexpected-success"),
    }

    assert capsys.readouterr().out == ""
    nodes = of_nodes(at, record)
    units = ("keystone: keystone", "mariadb: mariadb", "memcached: memcached", "glance: glance-api")
    names = {*(f"{unit}.service kept running on node0" for unit in units), "node0: nothing else failed or crashed"}
    assert nodes == dict.fromkeys(names, ("passed", ""))

    (node,) = environments.target(lab, "trunk").nodes()
    with monkeypatch.context() as patched:
        patched.setattr(tempest, "carry_out", partial(crashing, node, tempest.carry_out))
        at, record = run(lab, known, tests=TESTS)
    crash = of_nodes(at, record)["keystone: keystone.service kept running on node0"]
    assert crash[0] == "failed", crash
    assert "status=9/KILL" in crash[1]
    assert record.verdict == "unstable", record.message
    assert (
        f"services: 4 of 5 passed; tempest-nodes: keystone: keystone.service kept running on node0: {crash[1]}"
        in record.message
    )

    node.run(["systemctl", "stop", "keystone.service"])
    at, record = run(lab, known, tests=TESTS)
    assert record.verdict == "failed", record.message
    counted = f"0 of 4 passed, 1 skipped, 1 failed as is known (keystone forgets ({BUG})); {CLASS}.test_create_token: "
    assert record.message.startswith(counted)
    assert "Connection refused'))" in record.message
    assert "\n" not in record.message
    assert outcomes(at, record) == {
        "v2.test_create_token": ("skipped", ""),
        "v3.test_create_token": ("failed", ""),
        "v3.test_token_auth_creation_existence_deletion": ("failed", ""),
        "v3.test_validate_token": ("skipped", "expected-failure"),
    }

    _, record = run(lab, tests=("no such test",))
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert record.message == f"{lab.file}: tempest.tests: Tempest has no test like no such test"
