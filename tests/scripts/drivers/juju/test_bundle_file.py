"""A bundle of the lab's own: read with its overlays, deployed as it is, with the archive on all machines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.records import Record
from lab.store.runs import Store
from scripts import deploy, reset
from scripts.deployment import planner
from scripts.drivers.juju import bundle_file
from scripts.services.deployed_state import Deployed
from tests.conftest import Bench
from tests.jujufake import Juju, changed, status, unit
from tests.scripts.drivers.juju.conftest import KEY, KEYSTONE, MODEL, RELATIONS, URL, installed

BUNDLE = """\
series: noble
variables:
  openstack-origin: &openstack-origin distro
  osd-devices: &osd-devices /dev/sdb
applications:
  mysql:
    charm: ch:mysql-innodb-cluster
    channel: 8.0/stable
    num_units: 3
    to: [lxd:0, lxd:1, lxd:2]
    constraints: mem=3072M
    storage: {database: cinder,50G}
    options: {worker-multiplier: 0.25}
  keystone-mysql-router: {charm: ch:mysql-router, channel: 8.0/stable}
  keystone:
    charm: ch:keystone
    num_units: 1
    bindings: {"": alpha}
    options: {openstack-origin: *openstack-origin}
machines: {"0": {}, "1": {}, "2": {constraints: tags=metal}}
relations:
- [keystone:shared-db, keystone-mysql-router:shared-db]
- ["keystone-mysql-router:db-router", ["mysql:db-router"]]
---
applications:
  keystone: {num_units: 1}
"""
VAULT = """\
#!/bin/sh
here=${0%/*}/..
printf '%s\\n' "$*" >> "$here/vault.calls"
cat >> "$here/vault.input"
case "$*" in
*'operator init'*) echo '{"unseal_keys_b64": ["sesame=="], "root_token": "hvs.root"}' ;;
*sys/unseal*) echo '{"sealed": false}' ;;
*'token create'*) echo '{"auth": {"client_token": "hvs.child"}}' ;;
*errors=*) exec "${0%/*}/$4" ;;
*tar*) exec cat "$here/logs.tgz" ;;
esac
"""
TESTED = {"keystone": {"role": "keystone"}}
WITH_VAULT = "---\napplications: {vault: {charm: ch:vault}}\n"


@pytest.mark.parametrize(
    "texts, charms, relations",
    [
        (
            [BUNDLE],
            {"mysql": "ch:mysql-innodb-cluster", "keystone-mysql-router": "ch:mysql-router", "keystone": "ch:keystone"},
            (
                ("keystone:shared-db", "keystone-mysql-router:shared-db"),
                ("keystone-mysql-router:db-router", "mysql:db-router"),
            ),
        ),
        (
            [BUNDLE, "applications: {keystone: null, glance: {charm: glance, num_units: 1}}"],
            {"mysql": "ch:mysql-innodb-cluster", "keystone-mysql-router": "ch:mysql-router", "glance": "glance"},
            (("keystone-mysql-router:db-router", "mysql:db-router"),),
        ),
        (["services: {a: {charm: cs:a}, b: {}}\nrelations: [[a, [b]]]"], {"a": "cs:a", "b": "b"}, (("a", "b"),)),
        (["applications: {a: {}}\nsaas: {far: {url: 'c:admin/m.far'}}\nrelations: [[a:x, far:x]]"], {"a": "a"}, ()),
        (
            ["applications: {a: {}}\nrelations: [[a:x, b:x]]", "applications: {b: {}}"],
            {"a": "a", "b": "b"},
            (("a:x", "b:x"),),
        ),
        (
            [
                "applications: {a: {num_units: 4, to: [new, 'lxd:new', b/0, 'lxd:b']}, b: {num_units: 1, to: ['1']}}\nmachines: {1: }"
            ],
            {"a": "a", "b": "b"},
            (),
        ),
        (
            [
                "applications: {a: {num_units: 1, to: [0]}}\nmachines: {0: {}}",
                "applications: {a: {num_units: 2, to: [0, lxd:b]}, b: {num_units: 1}}",
            ],
            {"a": "a", "b": "b"},
            (),
        ),
        (["applications: {a: {options: {until: 2024-02-30}}}"], {"a": "a"}, ()),
        (
            ["applications: {a: {}, b: {}}\nrelations: [[a:x, [b:y, b:z]]]"],
            {"a": "a", "b": "b"},
            (("a:x", "b:y"), ("a:x", "b:z")),
        ),
    ],
)
def test_bundle_is_read_with_its_overlays(
    tmp_path: Path, texts: list[str], charms: dict[str, str], relations: tuple[tuple[str, str], ...]
) -> None:
    paths = [tmp_path / f"{number}.yaml" for number, _ in enumerate(texts)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    found = bundle_file.read([*map(str, paths)])
    assert (found.charms, found.relations) == (charms, relations)


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: [", "cannot be read as a bundle"),
        ("[a]", "a document is no mapping"),
        ("applications: [a]", "applications is no mapping"),
        ("relations: {a: b}", "relations no list"),
        ("applications: {a: {}}\nrelations: [[a]]", "has not two ends"),
        ("applications: {a: 1}", "a: is no mapping"),
        ("applications: {a: {num_units: x}}", "a: num_units is no number"),
        ("", "has no applications"),
        ("applications: {on: {charm: a}}", "applications: the name True is no text"),
        ("applications: {1: {charm: a}}", "applications: the name 1 is no text"),
        pytest.param("[" * 3000, "cannot be read as a bundle: maximum recursion", marks=pytest.mark.integration),
        ("applications: {a: {num_units: !!int x}}", "cannot be read as a bundle: invalid literal"),
        ("applications: !!timestamp 1", "applications is no mapping"),
        (
            "applications: {a: {}}\nrelations: [[a:x, aa:x]]",
            "bundle.yaml: relations: a:x and aa:x: there is no application aa; ",
        ),
        (
            "applications: {mysql: {}, a: {}}\nrelations: [[a, [mysql, msyql]]]",
            "a and msyql: there is no application msyql; did you mean mysql",
        ),
        ("applications: {a: {}, b: null}\nrelations: [[a:x, c:x]]", "there is no application c"),
        ("applications: {a: {}, b: {}}\nrelations: [[a:x, b:y], [b:y, a:x]]", "relations: b:y and a:x: is there twice"),
        ("applications: {a: {}, b: {}}\nrelations: [[a:x, [b:y, b:y]]]", "relations: a:x and b:y: is there twice"),
        (
            "applications: {a: {num_units: 1, to: [lxd:3]}}\nmachines: {0: {}}",
            "applications.a: to: lxd:3: machines has no 3",
        ),
        ("applications: {a: {num_units: 1, to: '0'}}", "applications.a: to: 0: machines has no 0"),
        ("applications: {a: {num_units: 1, to: [0, 1]}}\nmachines: {0: {}, 1: {}}", "a: to: 2 places for 1 unit"),
        (
            "applications: {a: {num_units: 1, to: [lxd:bb]}, b: {}}",
            "a: to: lxd:bb: there is no application bb; did you mean b",
        ),
        ("applications: {a: {num_units: 1, to: [b/1]}, b: {num_units: 1}}", "a: to: b/1: b has 1 unit"),
        (
            "applications: {a: {num_units: 1, to: [0/lxd/1]}}\nmachines: {0: {}}",
            "a: to: 0/lxd/1: not a place: write it as MACHINE, ",
        ),
        ("applications: {a: {}}\nrelations: [[a:x, a:y]]", "relations: a:x and a:y: one application at both ends"),
        ("applications: {a: {}, b: {}}\nrelations: [['a:', b]]", "relations: a:: not an end of a relation"),
        ("applications: {a: {}, a-2: {charm: a}}", "applications.a-2: not a name of Juju's"),
        (
            "applications: {a: {}}\n---\nservices: {b: {}}",
            "services: Juju takes this old key in the first document only",
        ),
        ("bundle: kubernetes\napplications: {a: {charm: a, scale: 1}}", "is a bundle for Kubernetes"),
    ],
)
def test_file_that_is_no_bundle_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bundle.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        bundle_file.read([str(tmp_path / "bundle.yaml")])


@pytest.fixture
def with_bundle(describe: Callable[..., Lab], tmp_path: Path) -> Callable[..., Lab]:
    """Return a function that creates a lab with `BUNDLE`."""

    def make(tested: dict[str, Any] | None = None, **settings: Any) -> Lab:
        lab = describe("keystone", tested or TESTED, bundle="bundles/b.yaml", **settings)
        path = lab.file.parent / "bundles/b.yaml"
        path.parent.mkdir()
        path.write_text(BUNDLE + WITH_VAULT * ("vault" in settings.get("steps", ())))
        return lab

    return make


def deployed(lab: Lab) -> tuple[Bench, Record]:
    at = Bench(lab, Store.of(lab).new_run(lab, "trunk", "keystone", phase="deploy"))
    return at, at.execute(deploy)


def in_containers(document: dict[str, Any]) -> dict[str, Any]:
    """Return a status whose mysql units are in containers."""
    machines = document["machines"]
    for number, name in enumerate(("0/lxd/0", "1/lxd/0", "2/lxd/0")):
        machine = machines[str(number)]
        machine["containers"] = {name: {key: value for key, value in machine.items() if key != "containers"}}
        document["applications"]["mysql"]["units"][f"mysql/{number}"]["machine"] = name
    return document


def test_bundle_file_is_deployed_as_it_is(juju: Juju, with_bundle: Callable[..., Lab]) -> None:
    lab = with_bundle(config={"default-space": "oam", "test-mode": True})
    juju.statuses({"machines": {}, "applications": {}}, then=(in_containers(status()),))
    installed(juju, "keystone")
    at, record = deployed(lab)
    assert record.verdict == "passed", record.message
    home = Store.of(lab).environments / "trunk"
    (added,) = juju.calls("add-model")
    words = [word for word in added if "=" in word]
    assert {"default-space=oam", "test-mode=true"} <= {*words}
    (userdata,) = [word.partition("=")[2] for word in words if word.startswith("cloudinit-userdata=")]
    (command,) = yaml.safe_load(userdata)["preruncmd"]
    assert f"deb {URL} trunk main" in command
    assert "Pin-Priority: 1001" in command
    assert juju.calls("add-machine") == []
    (call,) = juju.calls("deploy")
    assert call == [
        "deploy",
        "--model",
        MODEL,
        f"{lab.file.parent}/bundles/b.yaml",
        "--overlay",
        f"{home}/overlay.yaml",
    ]
    assert yaml.safe_load((home / "overlay.yaml").read_text()) == {"applications": {}}
    found = Deployed.of(home)
    assert found
    assert [*found.nodes] == ["node0", "node0-lxd-0", "node1", "node1-lxd-0", "node2", "node2-lxd-0", "node3"]
    assert found.services["mysql"].nodes == ("node0-lxd-0", "node1-lxd-0", "node2-lxd-0")
    assert found.services["keystone"].nodes == ("node3",)
    assert {each.node for each in found.packages if each.ours} == {"node3"}
    assert (at.run.results / "nodes/node0-lxd-0/journal.log").exists()
    assert Bench(lab, at.run).run.record("deploy") == record
    again = Bench(lab, Store.of(lab).new_run(lab, "trunk", "keystone", phase="exercise"))
    assert again.execute(reset).message == "pristine again"
    assert juju.models == []


def test_charm_option_gets_the_archive_too(juju: Juju, with_bundle: Callable[..., Lab]) -> None:
    lab = with_bundle({"keystone": {"role": "keystone", "origin": "openstack-origin"}})
    juju.statuses({"machines": {}, "applications": {}}, then=(status(),))
    installed(juju, "keystone")
    assert deployed(lab)[1].verdict == "passed"
    overlay = yaml.safe_load((Store.of(lab).environments / "trunk/overlay.yaml").read_text())
    options = overlay["applications"]["keystone"]["options"]
    assert options == {"openstack-origin": f"deb {URL} trunk main|{KEY.strip()}", "action-managed-upgrade": True}


@pytest.mark.parametrize(
    "tested, message",
    [
        ({"keystonne": {"role": "keystone"}}, "keystonne: not in .*did you mean keystone"),
        ({"mysql": {"role": "mysql"}}, "no application is of keystone"),
    ],
)
def test_application_that_the_bundle_does_not_have_is_refused(
    juju: Juju, with_bundle: Callable[..., Lab], tested: dict[str, Any], message: str
) -> None:
    record = deployed(with_bundle(tested))[1]
    assert record.exit_code == 2
    assert re.search(message, record.message), record.message
    assert juju.calls() == []


FAILED = {"workload-status": {"current": "error", "message": 'hook failed: "install"'}}


@pytest.mark.parametrize("name, verdict", [("keystone/0", "failed"), ("mysql/1", "error")])
def test_only_named_applications_are_tested(
    juju: Juju, with_bundle: Callable[..., Lab], name: str, verdict: str
) -> None:
    juju.statuses({"machines": {}, "applications": {}}, then=(changed(status(), (unit(name), FAILED)),))
    assert deployed(with_bundle())[1].verdict == verdict


BLOCKED = {"workload-status": {"current": "blocked", "message": "Vault needs to be initialized"}}


def test_steps_follow_the_first_states_of_a_bundle(juju: Juju, with_bundle: Callable[..., Lab], tmp_path: Path) -> None:
    """Vault is set up with its secrets on standard input, then a command of the lab runs, then all becomes active."""
    first = changed(status(), (unit("keystone/0"), {"workload-status": {"current": "waiting", "message": "for vault"}}))
    first["applications"]["vault"] = {
        "application-status": {"current": "blocked"},
        "units": {"vault/0": BLOCKED | {"juju-status": {"current": "idle"}, "machine": "0", "leader": True}},
    }
    lab = with_bundle(steps=["vault", {"run": ["./after.sh", "a b"]}])
    after = lab.file.parent / "after.sh"
    after.write_text(f'#!/bin/sh\necho "$JUJU_MODEL $1" > {tmp_path}/after\nrm -f {juju.home}/status/*\n'
                     f'cp {tmp_path}/active.json {juju.home}/status/1-99\n')  # fmt: skip
    after.chmod(0o755)
    last = status()
    last["applications"]["vault"] = {"application-status": {"current": "active"}}
    (tmp_path / "active.json").write_text(json.dumps(last))
    juju.statuses({"machines": {}, "applications": {}}, then=(first,))
    juju.write("machine/sh", VAULT)
    installed(juju, "keystone")
    at, record = deployed(lab)
    assert record.verdict == "passed", record.message
    assert (tmp_path / "after").read_text() == f"{MODEL} a b\n"
    actions = [[call[-2], call[-1]] for call in juju.calls("run")]
    assert actions == [
        ["vault/leader", "authorize-charm"],
        ["vault/leader", "generate-root-ca"],
        ["keystone/leader", "get-admin-password"],
    ]
    assert (juju.home / "vault.input").read_text().split() == ["sesame==", "hvs.root"]
    everything = at.log("deploy") + str(juju.calls()) + (juju.home / "vault.calls").read_text()
    assert not [secret for secret in ("sesame==", "hvs.root", "hvs.child") if secret in everything]
    home = Store.of(lab).environments / "trunk"
    assert (home / "vault.json").stat().st_mode & 0o077 == 0
    assert not (home / "vault-token.yaml").exists()


@pytest.mark.parametrize("why, verdict", [("PKI CA already configured", "passed"), ("Vault must be unsealed", "error")])
def test_root_certificate_can_be_there(juju: Juju, with_bundle: Callable[..., Lab], why: str, verdict: str) -> None:
    """The charm makes one itself with its option auto-generate-root-ca-cert."""
    document = status()
    document["applications"]["vault"] = {
        "units": {
            "vault/0": {"workload-status": {"current": "active"}, "juju-status": {"current": "idle"}, "machine": "0"}
        }
    }
    juju.statuses({"machines": {}, "applications": {}}, then=(document,))
    juju.write("machine/sh", VAULT)
    juju.write("generate-root-ca", {"vault/0": {"id": "4", "status": "failed", "message": why}})
    juju.write("generate-root-ca.fails", 'ERROR the following task failed:\n - id "4" with return code 0\n')
    installed(juju, "keystone")
    record = deployed(with_bundle(steps=["vault"]))[1]
    assert record.verdict == verdict, record.message
    if verdict == "error":
        assert record.message == f"juju run vault/leader generate-root-ca: failed: {why}"


@pytest.mark.parametrize(
    "printed",
    ["", "{}", "null", "[]", '{"root_token": "hvs.root"}', '{"unseal_keys_b64": [], "root_token": "hvs.root"}'],
)
def test_vault_that_prints_something_else_is_an_error(
    juju: Juju, with_bundle: Callable[..., Lab], printed: str
) -> None:
    document = status()
    document["applications"]["vault"] = {
        "units": {"vault/0": BLOCKED | {"juju-status": {"current": "idle"}, "machine": "0", "leader": True}},
    }
    juju.statuses({"machines": {}, "applications": {}}, then=(document,))
    juju.write("machine/sh", VAULT.replace("""echo '{"unseal""", f"""echo '{printed}'; : '{{"unseal"""))
    at, record = deployed(with_bundle(steps=["vault"]))
    assert record.message == "vault: node0: vault operator init does not print the JSON that is documented"
    assert record.verdict == "error"
    assert "hvs.root" not in at.log("deploy")


@pytest.mark.parametrize(
    "steps, message",
    [
        (["vault"], "deployment.juju.steps: vault: the model has no unit of an application vault"),
        ([{"run": ["sh", "-c", "echo no quorum >&2; exit 3"]}], "deployment.juju.steps: sh -c .*: no quorum"),
        ([{"run": ["sleep", "1000"], "timeout_minutes": 1}], "not done after 1 minutes"),
    ],
)
def test_step_that_fails_is_an_error(
    juju: Juju, with_bundle: Callable[..., Lab], steps: list[Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.drivers.juju.steps.MINUTE_SECONDS", 0.01)
    document = status()
    document["applications"]["vault"] = {}
    juju.statuses({"machines": {}, "applications": {}}, then=(document,))
    record = deployed(with_bundle(steps=steps))[1]
    assert record.verdict == "error"
    assert re.search(message, record.message), record.message


@pytest.mark.parametrize("resting, verdict", [({}, "failed"), ({"keystone": "blocked"}, "passed")])
def test_resting_status_of_an_application_is_well(
    juju: Juju, with_bundle: Callable[..., Lab], resting: dict[str, str], verdict: str
) -> None:
    juju.statuses({"machines": {}, "applications": {}}, then=(changed(status(), (unit("keystone/0"), BLOCKED)),))
    installed(juju, "keystone")
    assert deployed(with_bundle(resting=resting))[1].verdict == verdict


def test_check_finds_faults_of_a_bundle_file(with_bundle: Callable[..., Lab]) -> None:
    lab = with_bundle({"keystone": {"role": "keystone"}, "glanse": {"role": "glance"}})
    assert [key for key, _ in planner.faults(lab, {})] == [("deployment", "applications", "glanse")]
    (lab.file.parent / "bundles/b.yaml").unlink()
    (found,) = planner.faults(lab, {})
    assert found[0] == ("deployment", "juju", "bundle")
    assert "No such file" in found[1]


def test_check_finds_an_origin_that_a_charm_on_this_machine_does_not_have(with_bundle: Callable[..., Lab]) -> None:
    lab = with_bundle({"keystone": {"role": "keystone", "origin": "source"}})
    path = lab.file.parent / "bundles/b.yaml"
    path.write_text(BUNDLE.replace("ch:keystone", "./keystone"))
    (path.parent / "keystone").mkdir()
    options = path.parent / "keystone/config.yaml"
    options.write_text("options: {openstack-origin: {type: string}, source: {type: string}}")
    assert [*planner.faults(lab, {})] == [
        (("deployment", "applications", "keystone", "origin"), "./keystone has no option key")
    ]
    options.write_text("options: {openstack-origin: {type: string}, source: {type: string}, key: {type: string}}")
    assert not [*planner.faults(lab, {})]


@pytest.mark.parametrize(
    "settings, key, fault",
    [
        ({"resting": {"keystne": "blocked"}}, ("resting", "keystne"), "no application keystne; did you mean keystone?"),
        ({"resting": {"mysql": "blocked"}, "steps": [{"run": ["true"]}]}, None, ""),
        ({"steps": [{"run": ["true"]}, "vault"]}, ("steps", 1), "vault: no application is called vault"),
    ],
)
@pytest.mark.parametrize("as_file", [True, False])
def test_settings_name_applications_that_are_there(
    with_bundle: Callable[..., Lab],
    describe: Callable[..., Lab],
    settings: dict[str, Any],
    key: Any,
    fault: str,
    *,
    as_file: bool,
) -> None:
    applications = {name: {**unit, "origin": "source"} for name, unit in KEYSTONE.items()}
    lab = with_bundle(**settings) if as_file else describe("keystone", applications, relations=RELATIONS, **settings)
    if as_file:
        (lab.file.parent / "bundles/b.yaml").write_text(BUNDLE)
    found = [*planner.faults(lab, {})]
    assert [each for each, _ in found] == ([("deployment", "juju", *key)] if key else [])
    assert not key or found[0][1].startswith(fault)


NO_APPLICATION = "deploy: nova: no application is of nova, and Juju deploys charms: give those that have its packages the role nova; "


@pytest.mark.parametrize(
    "tested, as_file, fault",
    [
        ({"keystone": {"role": "keystone"}}, True, NO_APPLICATION + "there is: keystone"),
        ({"nova-compute": {"role": "nova-compute", "origin": "source"}}, False, NO_APPLICATION + "there is: nova-compute"),
        ({"nova-compute": {"role": "nova", "charm": "nova-compute"}}, False,
         "deploy: nova: nova-compute: no origin, so nothing would come from the lab's archive; name the charm's option"),
        ({"nova-compute": {"role": "nova", "charm": "nova-compute", "origin": "source"}}, False, None),
        ({"keystone": {"role": "nova"}}, True, None),
    ],
)  # fmt: skip
def test_check_finds_component_that_no_application_is_of(
    describe: Callable[..., Lab], tested: dict[str, Any], fault: str | None, *, as_file: bool
) -> None:
    """Each run of it would end after its build."""
    lab = describe("nova", tested, **({"bundle": "b.yaml"} if as_file else {}))
    (lab.file.parent / "b.yaml").write_text(BUNDLE)
    found = [*planner.faults(lab, {})]
    assert [key for key, _ in found] == ([("tracks", "trunk", "phases")] if fault else [])
    assert not fault or found[0][1].startswith(fault)


@pytest.mark.parametrize(
    "of, relations, tested, fault",
    [
        pytest.param("{charm: mysql-router}", "", {}, True, id="subordinate without a relation"),
        pytest.param("{charm: mysql-router}", "[[router:x, idle:x]]", {}, True, id="beside what has no units"),
        pytest.param("{charm: mysql-router}", "[[router:x, mysql:x]]", {}, False, id="beside what has units"),
        pytest.param("{charm: mysql-router}", "[[mysql, [router, idle]]]", {}, False, id="one of two relations"),
        pytest.param("{charm: mysql-router, num_units: 1}", "", {}, False, id="principal"),
        pytest.param("{charm: mysql-router}", "", {"supporting": True}, False, id="not tested"),
    ],
)
def test_tested_application_of_a_bundle_file_has_a_place(
    with_bundle: Callable[..., Lab], of: str, relations: str, tested: dict[str, Any], *, fault: bool
) -> None:
    lab = with_bundle({"router": {"role": "mysql-router", **tested}})
    mysql = "mysql: {charm: mysql, num_units: 1}, idle: {charm: idle}"
    (lab.file.parent / "bundles/b.yaml").write_text(
        f"applications: {{router: {of}, {mysql}}}\nrelations: {relations}\n"
    )
    found = [(key, why) for key, why in planner.faults(lab, {}) if key[0] == "deployment"]
    place = f"no node, and no relation to an application that has one: {lab.file.parent}/bundles/b.yaml"
    assert found == ([(("deployment", "applications", "router"), place)] if fault else [])


@pytest.mark.parametrize(
    "unit, settings, key",
    [
        ({"channel": "2024.1/stable"}, {}, ("deployment", "applications", "keystone", "channel")),
        ({"charm": "keystone"}, {}, ("deployment", "applications", "keystone", "charm")),
        ({"to": [1]}, {}, ("deployment", "applications", "keystone", "to")),
        ({"options": {"region": "Two"}}, {}, ("deployment", "applications", "keystone", "options", "region")),
        ({}, {"constraints": "mem=8G"}, ("deployment", "juju", "constraints")),
        ({}, {"base": "ubuntu@24.04"}, ("deployment", "juju", "base")),
        ({"options": {"command": "keystone-manage", "action-managed-upgrade": False}, "origin": "source"}, {}, None),
    ],
)
def test_what_a_bundle_file_has_of_its_own_is_refused(
    with_bundle: Callable[..., Lab], unit: dict[str, Any], settings: dict[str, Any], key: tuple[str, ...] | None
) -> None:
    lab = with_bundle({"keystone": {"role": "keystone", **unit}}, **settings)
    assert [key for key, _ in planner.faults(lab, {})] == ([key] if key else [])


def test_relations_beside_a_bundle_file_are_refused(describe: Callable[..., Lab]) -> None:
    with pytest.raises(ConfigurationError, match=r"deployment\.relations: those of deployment\.juju\.bundle count"):
        describe("keystone", bundle="b.yaml")


@pytest.mark.parametrize(
    "origin, url, found",
    [
        ("openstack-origin", "http://archive.lab.example/caracal", []),
        ("openstack-origin", "http://archive.lab.example", ["origin"]),
        ("source", "http://archive.lab.example", []),
    ],
)
def test_check_finds_an_origin_without_a_release(
    describe: Callable[..., Lab], origin: str, url: str, found: list[str]
) -> None:
    lab = describe("keystone", {"keystone": {"role": "keystone", "origin": origin}})
    lab = lab.model_copy(update={"archive": lab.archive.model_copy(update={"url": url})})
    assert [key[-1] for key, _ in planner.faults(lab, {})] == found


def test_application_that_comes_back_has_units_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(
        "applications: {a: {num_units: 3}, b: {}}\n---\napplications: {a: null}\n---\napplications: {a: {}}\n"
    )
    assert bundle_file.read([str(path)]).units == {"a": 0, "b": 0}
