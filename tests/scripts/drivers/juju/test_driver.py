"""juju, against a client that answers as documented: steps from deploy to reset, and each way to fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from cli.env import command as env
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import ProgramFailed, TimedOut, run
from lab.config.description import Lab
from lab.config.juju import Juju as JujuSettings
from lab.config.loading import DescriptionError
from lab.store.records import Record
from lab.store.runs import Store
from scripts import deploy, exercise, reset
from scripts.deployment import environments, planner
from scripts.drivers.juju import client, model_logs, snap_files
from scripts.drivers.juju import machine as juju_machine
from scripts.services.deployed_state import Deployed
from tests import jujufake
from tests.conftest import Bench
from tests.jujufake import Juju, bare, changed, machine, status, unit
from tests.packages import start
from tests.samples import sampled
from tests.scripts.drivers.juju.conftest import KEY, KEYSTONE, MODEL, RELATIONS, URL, VERSION, installed

GREET = {"greet": {"role": "greet", "origin": "source", "options": {"command": "greet", "prints": "hello"}}}


def begin(lab: Lab, phase: str) -> Bench:
    return Bench(lab, Store.of(lab).new_run(lab, "trunk", next(iter(lab.components)), phase=phase))  # type: ignore[arg-type]


def deployed(lab: Lab) -> tuple[Bench, Record]:
    at = begin(lab, "deploy")
    return at, at.execute(deploy)


def ready(juju: Juju, *after: dict[str, Any]) -> None:
    """Set the status of machines that start one after the other, then the statuses after the deployment."""
    up = bare(status())
    pending = {
        "juju-status": {"current": "pending"},
        "machine-status": {"current": "pending", "message": "Creating container"},
    }
    juju.statuses(changed(up, (machine(2), pending)), up, then=after or (status(),))
    installed(juju, "keystone")


@pytest.mark.integration
def test_package_is_deployed_exercised_and_reset(juju: Juju, describe: Callable[..., Lab]) -> None:
    lab = describe("greet", GREET, version="1.0-1")
    juju.statuses(bare(status("greet")), then=(status("greet"),))
    installed(juju, "greet", "1.0-1")
    at, record = deployed(lab)
    assert record.verdict == "passed", record.message
    assert record.message.startswith("greet 1.0-1 on 1 node, 1 package from the lab's archive; booted in ")
    assert record.facts["snapshot"] == {"base": "ubuntu@24.04"}
    assert record.facts["packages"] == ["greet=1.0-1"]
    nodes = at.run.results / "nodes"
    assert (nodes / "node0/journal.log").read_text() == "booted\n"
    assert (nodes / "node0/juju/unit-greet-0.log").read_text() == "a hook has run\n"
    assert json.loads((nodes / "juju/status.json").read_text()) == status("greet")
    assert "awaiting error resolution" in (nodes / "juju/debug.log").read_text()

    at = begin(lab, "exercise")
    record = at.execute(exercise)
    assert (record.verdict, record.message) == ("passed", "3 of 3 passed")
    assert at.execute(reset).message == "pristine again"
    assert juju.models == []
    assert environments.names(lab) == []


def test_bundle_is_deployed_on_prepared_machines(juju: Juju, describe: Callable[..., Lab]) -> None:
    """Check the arguments of Juju, the priority of the lab's archive, and that logs and arguments omit the password."""
    lab = describe()
    busy = {"workload-status": {"current": "maintenance", "message": "Installing apt packages"},
            "juju-status": {"current": "executing", "message": "running install hook"}}  # fmt: skip
    ready(juju, changed(status(), (unit("keystone/0"), busy)), status())
    at, record = deployed(lab)
    assert record.verdict == "passed", record.message
    home = Store.of(lab).environments / "trunk"
    mark = (Store.of(lab).root / "juju.mark").read_text()
    model = ["--model", MODEL]
    commands = [
        call
        for call in juju.calls()
        if call[0] not in {"whoami", "version", "ssh-keys", "models", "model-config", "status", "ssh"}
    ]
    assert commands == [
        ["add-model", "--controller", "lab", "--no-switch", "--config", f"extra-info={mark}",
         "--config", "automatically-retry-hooks=false",
         "--config", "logging-config=<root>=INFO;unit=DEBUG", "qalab-testlab-trunk"],
        ["add-machine", *model, "-n", "4", "--base", "ubuntu@24.04"],
        ["deploy", *model, f"{home}/bundle.yaml", "--overlay", f"{home}/overlay.yaml", "--map-machines=0=0,1=1,2=2,3=3"],
        ["config", *model, "--format", "json", "keystone"],
        ["run", *model, "--format", "json", "--wait", "2m", "keystone/leader", "get-admin-password"],
        ["debug-log", *model, "--replay", "--no-tail", "--date", "--utc"],
    ]  # fmt: skip
    assert yaml.safe_load((home / "overlay.yaml").read_text()) == {
        "applications": {
            "keystone": {
                "options": {
                    "openstack-origin": f"deb {URL} trunk main|{KEY.strip()}",
                    "action-managed-upgrade": True,
                }
            }
        }
    }
    assert (juju.home / "written/qalab").read_text() == "Package: *\nPin: release o=testlab\nPin-Priority: 1001\n"
    assert [call[:4] for call in juju.calls("ssh") if "preferences.d" in call[4]] == [["ssh", *model, "3"]]
    assert "keystone/0: maintenance: Installing apt packages (executing: running install hook)" in at.log("deploy")
    found = Deployed.of(home)
    assert found
    assert found.nodes == {f"node{number}": f"10.142.7.{20 + number}" for number in range(4)}
    assert found.services["keystone"].settings == {
        "auth_url": "http://10.142.7.23:5000/v3", "user": "admin", "password": "sesame",
        "domain": "admin_domain", "region": "RegionTwo",
    }  # fmt: skip
    assert {each.node for each in found.packages if each.ours} == {"node3"}
    assert "sesame" not in at.log("deploy") + str(juju.calls())
    assert home.stat().st_mode & 0o077 == 0


SUBORDINATE = {**KEYSTONE, "keystone": {**KEYSTONE["keystone"]}, "keystone-mysql-router": {
    "role": "mysql-router", "to": [], "origin": "source"}}  # fmt: skip
del SUBORDINATE["keystone"]["origin"]


@pytest.mark.parametrize("version, verdict", [(VERSION, "passed"), ("8.0.1-0ubuntu1", "error")])
def test_subordinate_is_tested_on_the_machine_of_its_principal(
    juju: Juju, describe: Callable[..., Lab], version: str, verdict: str
) -> None:
    """The package that the run is about must be there, with the archive's weight from before the deployment on."""
    lab = describe("mysql-router", SUBORDINATE, relations=RELATIONS)
    ready(juju)
    installed(juju, "mysql-router", version, URL if verdict == "passed" else "http://archive.ubuntu.com/ubuntu")
    _, record = deployed(lab)
    assert record.verdict == verdict, record.message
    assert "3" in [call[3] for call in juju.calls("ssh") if "preferences.d" in call[4]]
    if verdict == "passed":
        found = Deployed.of(Store.of(lab).environments / "trunk")
        assert found
        assert found.services["keystone-mysql-router"].nodes == ("node3",)
        assert {each.node for each in found.packages if each.ours} == {"node3"}


HOOK = {"workload-status": {"current": "error", "message": 'hook failed: "install"'}}
LOG = """\
unit-keystone-0: 10:12:29 INFO unit.keystone/0.juju-log Installing ['keystone'] with options: ['--option=Dpkg::Options::=--force-confold']
unit-keystone-0: 10:12:31 WARNING unit.keystone/0.install E: Unable to correct problems, you have held broken packages.
unit-keystone-0: 10:12:31 WARNING unit.keystone/0.install subprocess.CalledProcessError: Command '['apt-get']' returned non-zero exit status 100.
unit-keystone-0: 10:12:31 ERROR juju.worker.uniter.operation hook "install" (via explicit, bespoke hook script) failed: exit status 1
"""
PROVISIONING = {"juju-status": {"current": "pending"},
                "machine-status": {"current": "provisioning error", "message": "no matching agent binaries available"}}  # fmt: skip
WAITING = {"workload-status": {"current": "waiting", "message": "Incomplete relations: database"}}
FULL = "unit-keystone-0: 10:12:31 WARNING unit.keystone/0.install dpkg: error: No space left on device\n"
BROKEN: dict[str, tuple[tuple[Any, ...], str, str]] = {
    "a hook that fails": (
        (unit("keystone/0"), HOOK), "failed",
        'keystone/0: hook failed: "install": E: Unable to correct problems, you have held broken packages.',
    ),
    "a hook of the database that fails": (
        (unit("mysql/0"), HOOK), "error", 'mysql/0: hook failed: "install": ',
    ),
    "an agent in error": (
        (unit("keystone/0"), {"juju-status": {"current": "failed", "message": "resolver loop error"}}), "failed",
        "keystone/0: its agent is in error: resolver loop error: ",
    ),
    "a machine that cannot be had": (
        (machine(3), PROVISIONING), "error", "machine 3: cannot be had: no matching agent binaries available",
    ),
}  # fmt: skip


@pytest.fixture(params=["snap/bin", "usr/local/bin"])
def snap(juju: Juju, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """The home directory of somebody whose client is the snap, or a link to it."""
    assert juju.calls() == []
    programs, program = tmp_path / request.param, tmp_path / "snap/bin/juju"
    programs.mkdir(parents=True)
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {tmp_path}/bin/juju "$@"\n')
    program.chmod(0o755)
    if programs != program.parent:
        (programs / "juju").symlink_to("../../../snap/bin/juju")
    monkeypatch.setenv("PATH", f"{programs}:{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_confined_snap_gets_readable_bundle(juju: Juju, describe: Callable[..., Lab], snap: Path) -> None:
    ready(juju, status())
    installed(juju, "keystone")
    _, record = deployed(describe())
    assert record.verdict == "passed", record.message
    (call,) = juju.calls("deploy")
    shared = snap / "snap/juju/common"
    assert all(Path(word).parents[2] == shared for word in call if word.endswith(".yaml"))
    assert list(shared.iterdir()) == []


def made(path: Path, text: str = "applications: {}\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_confined_snap_reads_files_where_it_can(snap: Path, tmp_path: Path) -> None:
    visible = made(snap / "lab/bundle.yaml", "applications: {a: {charm: ./a.charm}}\n")
    hidden, elsewhere = (
        made(snap / ".state/bundle.yaml", "first: 1\n"),
        made(tmp_path / "srv/bundle.yaml", "second: 2\n"),
    )
    with snap_files.readable([visible, hidden, elsewhere]) as (first, *copies):
        assert first == visible
        assert [copy.read_text() for copy in copies] == ["first: 1\n", "second: 2\n"]
        assert len({first.parent, *(copy.parent for copy in copies)}) == 3


@pytest.mark.parametrize(
    "text",
    [
        "applications: {a: {charm: ./a.charm}}",
        "applications: {a: {charm: '../charms/a'}}",
        "applications:\n  a:\n    resources:\n      image: ./image.tar",
        'applications: {a: {options: {cert: "include-base64://tls/cert.pem"}}}',
    ],
)
def test_confined_snap_cannot_have_files_beside_a_copy(snap: Path, text: str) -> None:
    path = made(snap / ".labs/bundle.yaml", text)
    with pytest.raises(ConfigurationError, match=r"bundle\.yaml: names files beside it"), snap_files.readable([path]):
        pass
    with snap_files.readable([made(snap / "labs/bundle.yaml", text)]) as (kept,):
        assert kept == snap / "labs/bundle.yaml"


@pytest.mark.parametrize("what", BROKEN)
def test_broken_model_is_reported(juju: Juju, describe: Callable[..., Lab], what: str) -> None:
    change, verdict, message = BROKEN[what]
    ready(juju, changed(status(), change))
    juju.write("debug-log", LOG)
    at, record = deployed(describe())
    assert record.verdict == verdict, record.message
    assert record.message.startswith(message), record.message
    assert (at.run.results / "nodes/juju/status.json").exists()
    of_units = [call[3:] for call in juju.calls("debug-log") if "--include" in call]
    # The whole log: with --limit, clients up to 3.6 return ten lines.
    unit = message.partition(":")[0]
    assert of_units == ([] if unit.startswith("machine") else [["--include", unit, "--replay", "--no-tail"]])
    assert juju.models == ["qalab-testlab-trunk"]  # it is there to be looked at


def test_full_disk_is_an_error(juju: Juju, describe: Callable[..., Lab]) -> None:
    ready(juju, changed(status(), (unit("keystone/0"), HOOK)))
    juju.write("debug-log", FULL)
    _, record = deployed(describe())
    assert record.verdict == "error"
    assert record.message.endswith("dpkg: error: No space left on device")


def test_machine_that_does_not_answer_does_not_hold_up(
    juju: Juju, describe: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the collection of logs nor any other command waits without end."""
    monkeypatch.setattr(model_logs, "MOST_SECONDS", 0.1)
    ready(juju, changed(status(), (unit("keystone/0"), HOOK)))
    juju.write("debug-log", LOG)
    juju.write("machine/sh", '#!/bin/sh\ncase "$*" in *tar*) exec sleep 60 ;; *) exec cat > /dev/null ;; esac\n')
    at, record = deployed(describe())
    assert record.message.startswith('keystone/0: hook failed: "install": ')
    assert (at.run.results / "nodes/juju/status.json").exists()
    monkeypatch.setattr(juju_machine, "MOST_SECONDS", 0.1)
    juju.write("machine/greet", "#!/bin/sh\nexec sleep 60\n")
    node = environments.target(at.lab, "trunk").nodes()[0]
    for call in (node.run, node.attempt):
        with pytest.raises(TimedOut):
            call(["greet"])


def test_timeout_names_unit_that_is_not_ready(juju: Juju, describe: Callable[..., Lab]) -> None:
    ready(juju)
    juju.statuses(bare(status()), then=(changed(status(), (unit("keystone/0"), WAITING)),))
    lab = describe(timeout_minutes=1)
    _, record = deployed(lab)
    assert record.verdict == "failed"
    assert record.message == (
        "keystone/0: is not ready after 1 minutes: waiting: Incomplete relations: database (idle)"
    )
    slow = {"juju-status": {"current": "pending"}, "machine-status": {"current": "allocating", "message": "Deploying"}}
    juju.statuses(changed(bare(status()), (machine(1), slow)))
    _, record = deployed(lab)
    assert record.verdict == "error"
    assert record.message == "machine 1: is not ready after 1 minutes: allocating: Deploying (pending)"


NO_ENDPOINT = ('ERROR cannot deploy bundle: cannot add relation between "keystone:shared-db" and "mysql:db": '
               'application "mysql" has no "db" relation\n')  # fmt: skip


def test_unknown_endpoint_is_a_configuration_error(juju: Juju, describe: Callable[..., Lab]) -> None:
    ready(juju)
    juju.write("deploy.refuses", NO_ENDPOINT)
    _, record = deployed(describe())
    assert record.exit_code == 2
    assert record.message.startswith('deployment.relations: cannot add relation between "keystone:shared-db" and')


def test_unreachable_controller_is_an_error(juju: Juju, describe: Callable[..., Lab]) -> None:
    lab = describe()
    ready(juju)
    assert deployed(lab)[1].verdict == "passed"
    juju.write("away", "ERROR opening API connection: unable to connect to API: dial tcp 10.0.0.1:17070: i/o timeout\n")
    _, record = deployed(lab)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert record.message.startswith("controller lab: opening API connection: unable to connect to API: ")
    # Nothing is forgotten.
    with pytest.raises(InfrastructureError, match="controller lab: opening API connection"):
        environments.target(lab, "trunk").destroy()
    (juju.home / "away").unlink()
    assert environments.target(lab, "trunk").destroy()
    assert juju.models == []


@pytest.mark.parametrize(
    ("whoami", "message"),
    [
        ("", "juju: no current controller, or not logged in (juju login)"),
        ("no json", "juju whoami: not JSON: no json"),
        (
            '{"controller": "lab"',
            "juju whoami: not as it is documented: : Invalid JSON: EOF while parsing an object at line 1 column 20",
        ),
        ('{"controller": "lab"}', "juju whoami: not as it is documented: user: Field required"),
    ],
)
def test_missing_login_is_an_error(juju: Juju, describe: Callable[..., Lab], whoami: str, message: str) -> None:
    juju.write("whoami", whoami)
    _, record = deployed(describe())
    assert (record.exit_code, record.message) == (3, message)


def test_foreign_model_is_not_touched(juju: Juju, describe: Callable[..., Lab]) -> None:
    lab = describe()
    ready(juju)
    juju.model("qalab-testlab-trunk", "")
    _, record = deployed(lab)
    hint = f"(juju destroy-model {MODEL}, or another lab.name)"
    assert (record.exit_code, record.message) == (2, f"the model {MODEL} is not this lab's {hint}")
    assert juju.models == ["qalab-testlab-trunk"]


@pytest.mark.parametrize(
    "owner, verdict",
    [({"owner": "bob"}, "passed"), ({"name": "bob/NAME"}, "passed"), ({"name": "admin/NAME"}, "error"), ({"name": "NAME"}, "error")],
)  # fmt: skip
def test_model_that_a_colleague_shares_is_not_in_the_way(
    juju: Juju, describe: Callable[..., Lab], owner: dict[str, str], verdict: str
) -> None:
    """It is called the same; Juju 4 names its owner only before its name."""
    lab = describe()
    ready(juju)
    name = "qalab-testlab-trunk"
    shared = {"short-name": name, "life": "alive"} | {key: text.replace("NAME", name) for key, text in owner.items()}
    juju.write("mark", "")
    juju.write(f"models/{name}", shared)
    _, record = deployed(lab)
    assert record.verdict == verdict, record.message


def test_model_replaced_by_foreign_one_is_not_destroyed(juju: Juju, describe: Callable[..., Lab]) -> None:
    lab = describe()
    ready(juju)
    assert deployed(lab)[1].verdict == "passed"
    juju.write("mark", "another lab's")
    target = environments.target(lab, "trunk")
    assert target.nodes() == []
    assert target.destroy()
    assert juju.models == ["qalab-testlab-trunk"]
    assert juju.calls("destroy-model") == []


def test_model_without_record_is_recognized_by_mark(juju: Juju, describe: Callable[..., Lab]) -> None:
    lab = describe()
    ready(juju)
    assert deployed(lab)[1].verdict == "passed"
    shutil.rmtree(Store.of(lab).environments / "trunk")
    ready(juju)
    assert deployed(lab)[1].verdict == "passed"
    assert len(juju.calls("destroy-model")) == 1


@pytest.mark.integration
@pytest.mark.parametrize(
    "command",
    sampled(["add-model", "add-machine", "status", "deploy", "debug-log", "destroy-model"], "deploy", "destroy-model"),
)
def test_model_is_destroyed_after_kill_at_any_command(juju: Juju, describe: Callable[..., Lab], command: str) -> None:
    lab = describe()
    ready(juju)
    if command == "destroy-model":
        assert deployed(lab)[1].verdict == "passed"
    juju.write(f"{command}.kills")
    assert start(deploy, begin(lab, "deploy")).wait(timeout=60) == -signal.SIGKILL
    assert environments.target(lab, "trunk").destroy()
    assert (juju.models, environments.names(lab)) == ([], [])
    ready(juju)
    assert deployed(lab)[1].verdict == "passed"


def test_destroy_falls_back_to_force(juju: Juju, describe: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    lab = describe()
    ready(juju)
    assert deployed(lab)[1].verdict == "passed"
    monkeypatch.setattr(client, "GENTLE_SECONDS", 0.1)
    juju.write("gentle.sleeps")
    assert environments.target(lab, "trunk").destroy()
    assert juju.calls("destroy-model") == [
        ["destroy-model", "--no-prompt", "--destroy-storage", MODEL],
        ["destroy-model", "--no-prompt", "--destroy-storage", "--force", "--no-wait", MODEL],
    ]
    assert juju.models == []


@pytest.mark.parametrize(
    "current, ways",
    [
        ("error", ["forced"]),
        pytest.param("blocked", ["gentle", "forced"], marks=pytest.mark.integration),  # the gentle way takes its time
        pytest.param("active", ["gentle", "forced"], marks=pytest.mark.integration),
    ],
)
def test_destroy_of_model_with_errors_begins_with_force(
    juju: Juju, monkeypatch: pytest.MonkeyPatch, current: str, ways: list[str]
) -> None:
    monkeypatch.setattr(client, "GENTLE_SECONDS", 2.0)
    juju.model("qalab-testlab-trunk", "a mark")
    juju.write("gentle.sleeps")
    juju.statuses(changed(status(), (unit("keystone/0"), {"workload-status": {"current": current}})))
    client.JujuModel("lab", "admin", "qalab-testlab-trunk").destroy()
    assert ["forced" if "--force" in call else "gentle" for call in juju.calls("destroy-model")] == ways


def test_model_and_machines_are_made_as_asked(juju: Juju, describe: Callable[..., Lab]) -> None:
    lab = describe(credential="lab-user", constraints="mem=8G virt-type=virtual-machine", config={"test-mode": True})
    ready(juju)
    deployed(lab)
    (model,), (machines,) = juju.calls("add-model"), juju.calls("add-machine")
    assert model[model.index("--credential") + 1] == "lab-user"
    assert "test-mode=true" in model
    assert machines[-2:] == ["--constraints", "mem=8G virt-type=virtual-machine"]


@pytest.mark.parametrize("name", ["cloudinit-userdata", "logging-config", "extra-info", "automatically-retry-hooks"])
def test_configuration_that_qalab_sets_is_refused(describe: Callable[..., Lab], name: str) -> None:
    with pytest.raises(DescriptionError, match=f"config: {name}: qalab sets it"):
        describe(config={name: "x"})


@pytest.mark.parametrize(
    "settings, minutes",
    [
        ({}, 60),
        ({"timeout_minutes": 5}, 5),
        ({"bundle": "b.yaml"}, 240),
        ({"bundle": "b.yaml", "timeout_minutes": 90}, 90),
    ],
)
def test_bundle_has_more_time(settings: dict[str, Any], minutes: int) -> None:
    context = {"home": Path("/lab")}
    assert JujuSettings.model_validate(settings, context=context).minutes == minutes


def test_destroy_keeps_record_of_surviving_model(juju: Juju, describe: Callable[..., Lab]) -> None:
    lab = describe()
    ready(juju)
    assert deployed(lab)[1].verdict == "passed"
    for how in ("gentle", "forced"):
        juju.write(f"{how}.stays")
    mark = (juju.home / "mark").read_text()
    juju.model(
        "qalab-testlab-trunk", mark, life="dying", status={"current": "destroying", "message": "machine 3 is stuck"}
    )
    at = begin(lab, "exercise")
    record = at.execute(reset)
    assert record.exit_code == 3
    assert record.message.startswith(
        f"the model {MODEL} does not die (dying: machine 3 is stuck) (the next destroy goes on; "
    )
    assert environments.names(lab) == ["trunk"]
    (juju.home / "forced.stays").unlink()
    assert at.execute(reset).message == "pristine again"
    assert (juju.models, environments.names(lab)) == ([], [])


def test_package_from_other_archive_fails(juju: Juju, describe: Callable[..., Lab]) -> None:
    ready(juju)
    installed(juju, "keystone", "2:25.0.0-0ubuntu1", "http://archive.ubuntu.com/ubuntu")
    _, record = deployed(describe())
    assert record.message == f"keystone 2:25.0.0-0ubuntu1 is installed, and not the {VERSION} to be tested"


def test_failed_action_is_reported(juju: Juju, describe: Callable[..., Lab]) -> None:
    ready(juju)
    juju.write("run", {"keystone/0": {"id": "2", "status": "failed", "message": "not the leader"}})
    _, record = deployed(describe())
    message = "juju run keystone/leader get-admin-password: failed: not the leader"
    assert (record.verdict, record.message) == ("failed", f"keystone: {message}")


TASK = (
    "ERROR the following task failed:\n - id \"2\" with return code 1\n\nuse 'juju show-task' to inspect the failure\n"
)
CRASH = {"return-code": 1, "stderr": "Traceback (most recent call last):\n  File 'x'\nKeyError: 'leader'\n"}


@pytest.mark.parametrize(
    "answer, message",
    [
        ({"status": "failed", "message": "not the leader"}, "failed: not the leader"),
        ({"status": "failed", "message": "exit status 1", "results": CRASH}, "failed: exit status 1: KeyError: 'leader'"),
        ({"status": "failed", "results": CRASH}, "failed: KeyError: 'leader'"),
        ({"status": "error", "message": "cannot run: no such action"}, "error: cannot run: no such action"),
        (None, "the following task failed: - id \"2\" with return code 1 use 'juju show-task' to inspect the failure"),
    ],
)  # fmt: skip
def test_failed_action_has_its_own_reason(
    juju: Juju, describe: Callable[..., Lab], answer: dict[str, Any] | None, message: str
) -> None:
    """The client ends with an error then, which has a number only, and prints the result nevertheless."""
    ready(juju)
    juju.write("run", json.dumps({"keystone/0": answer}) if answer else "")
    juju.write("get-admin-password.fails", TASK)
    _, record = deployed(describe())
    assert record.verdict == "failed"
    assert record.message == f"keystone: juju run keystone/leader get-admin-password: {message}"


WARNING = "WARNING: cgroup v2 is not fully supported yet, proceeding with partial confinement\n"


def test_warnings_before_answers_are_ignored(juju: Juju, describe: Callable[..., Lab]) -> None:
    for name in ("whoami", "version", "run", "config"):
        juju.write(name, WARNING + (juju.home / name).read_text())
    program = juju.home / "../juju"
    program.write_text(program.read_text().replace("set -- ", f"echo '{WARNING.strip()}'; set -- ")
                       .replace("printf '{\"models", f"echo '{WARNING.strip()}'; printf '{{\"models")
                       .replace("model-config) ", f"model-config) echo '{WARNING.strip()}'; "))  # fmt: skip
    lab = describe()
    ready(juju)
    _, record = deployed(lab)
    assert record.verdict == "passed", record.message
    assert environments.target(lab, "trunk").destroy()
    assert juju.models == []


@pytest.mark.parametrize("text", ["{", '{"machines": [', "panic: runtime error", '{"machines": 7}', "null", ""])
def test_one_broken_status_is_passed_over(juju: Juju, describe: Callable[..., Lab], text: str) -> None:
    lab = describe()
    up = bare(status())
    juju.statuses(text, up, text, up, then=(status(), text, status()))
    installed(juju, "keystone")
    _, record = deployed(lab)
    assert record.verdict == "passed", record.message


@pytest.mark.parametrize(
    "answer, verdict, message",
    [
        ({}, "error", "juju run keystone/leader get-admin-password: it has no result"),
        (
            {"keystone/0": {"status": "running"}},
            "error",
            "juju run keystone/leader get-admin-password: running",
        ),
        ({"keystone/0": {"status": "completed"}}, "failed", "keystone: get-admin-password returns no admin-password"),
        (
            {"keystone/0": {"status": "completed", "results": None}},
            "failed",
            "keystone: get-admin-password returns no admin-",
        ),
        (
            {"keystone/0": {"status": "failed"}},
            "failed",
            "keystone: juju run keystone/leader get-admin-password: failed:",
        ),
        (
            {"keystone/0": None},
            "error",
            "juju run keystone/leader get-admin-password: not as it is documented: keystone/0: ",
        ),
        ([], "error", "juju run keystone/leader get-admin-password: not as it is documented: : Input should be"),
    ],
)
def test_answer_of_an_action_without_a_result(
    juju: Juju, describe: Callable[..., Lab], answer: object, verdict: str, message: str
) -> None:
    ready(juju)
    juju.write("run", json.dumps(answer))
    _, record = deployed(describe())
    assert (record.verdict, record.message[: len(message)]) == (verdict, message)


def test_command_arguments_arrive_unchanged(juju: Juju, describe: Callable[..., Lab]) -> None:
    lab = describe("greet", GREET)
    juju.statuses(bare(status("greet")))
    target = environments.target(lab, "trunk")
    (node,) = target._make("ubuntu@24.04", ["node0"], {})  # type: ignore[attr-defined]
    odd = ["greet", "two words", "$HOME", "it's", '"', "", "a\nb", "*", "--", ";rm", "\\", "é"]
    assert node.run(odd, capture=True).stdout == "hello\n"
    assert juju.on_machines()[-1] == odd
    assert node.attempt(["greet", "*"])[1] == ["hello"]
    node.write("/etc/motd", "a file\n")
    assert (juju.home / "written/motd").read_text() == "a file\n"
    with pytest.raises(ProgramFailed):
        node.read("/none")


def test_env_commands_create_show_reset_destroy(
    juju: Juju, describe: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe("greet", GREET)
    juju.statuses(bare(status("greet")))

    def call(*argv: str) -> str:
        result = CliRunner().invoke(
            env, [argv[0], "--lab", str(tmp_path / "lab.yaml"), *argv[1:]], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return re.sub("; open a shell.*", "", result.output)

    assert call("create", "trunk", "greet") == "trunk: node0 10.142.7.20\n"
    assert call("list") == "trunk: node0 10.142.7.20; nothing deployed\n"
    entered: list[list[str]] = []
    monkeypatch.setattr(os, "execvp", lambda _, words: entered.append(words))
    call("shell", "trunk", "--", "uptime")
    assert entered[0][:5] == ["juju", "ssh", "--model", MODEL, "0"]
    assert re.search(" env TERM=[a-z0-9-]+ uptime$", entered[0][5])
    assert call("reset", "trunk") == "trunk: node0 10.142.7.20\n"
    assert [len(juju.calls(command)) for command in ("add-model", "destroy-model")] == [2, 1]
    assert call("destroy", "--yes") == "trunk: destroyed\n"
    assert juju.models == []


def test_logs_are_packed_and_unpacked(tmp_path: Path) -> None:
    """Run the real tools on other files."""
    for name, text in {"var/log/a.log": "a\n", "var/log/juju/two words.log": "b\n", "var/log/old.gz": "c"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    find = ["find", "var/log", *model_logs.LOGS[2:]]
    made = run(["sh", "-c", model_logs.PACK, "sh", *find], cwd=tmp_path, capture=True).stdout
    model_logs.unpack(made.encode("utf-8", "surrogateescape"), tmp_path / "into")
    found = {str(path.relative_to(tmp_path / "into")) for path in (tmp_path / "into").rglob("*") if path.is_file()}
    assert found == {"a.log", "juju/two words.log", "journal.log"}
    model_logs.unpack(
        jujufake.packed({"../../evil": b"", "var/log//etc/evil": b"", "var/log/good": b""}), tmp_path / "into"
    )
    assert sorted(path.name for path in tmp_path.rglob("*") if path.name in {"evil", "good"}) == ["good"]


@pytest.mark.parametrize(
    ("applications", "message"),
    [
        ({"greet": {"role": "package", "origin": "source"}}, "deployment.applications.greet.charm: missing: no charm is called package"),
        ({"other": {"role": "other", "origin": "source"}}, "no application is of greet, and Juju deploys charms: give those that have its packages the role greet; there is: other"),
        ({"greet": {"role": "greet"}}, "greet: no origin, so nothing would come from the lab's archive"),
    ],
)  # fmt: skip
def test_bad_application_is_refused(juju: Juju, describe: Callable[..., Lab], applications: Any, message: str) -> None:
    _, record = deployed(describe("greet", applications))
    assert record.exit_code == 2
    assert message in record.message
    assert juju.calls() == []


def test_missing_prerequisite_is_reported(
    juju: Juju, describe: Callable[..., Lab], lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DescriptionError, match=r"lab.yaml:\d+: archive.url: missing; where Juju's machines find"):
        lab_factory(lab={"deployment": {"target": "juju", "applications": {}}})
    ready(juju)
    lab = describe()
    (Store.of(lab).archive / "dists/trunk").rename(Store.of(lab).archive / "dists/other")
    assert deployed(lab)[1].message == "the lab's archive has nothing for the track yet (build it first)"
    (juju.home.parent / "juju").unlink()
    target = environments.target(lab, "other")
    with pytest.raises(ConfigurationError, match=r"the program juju is not on this machine \(snap install juju, or"):
        target.prepare(None).__enter__()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "version, keys, code, message",
    [
        ("3.6.8-genericlinux-amd64", (), 0, ""),
        ("3.6.8-genericlinux-amd64", ("ssh-rsa AAAA client",), 0, ""),  # a model of JAAS
        ("4.0.1-genericlinux-amd64", ("ssh-rsa AAAA client", "ssh-ed25519 BBBB user"), 0, ""),
        ("4.0.1-genericlinux-amd64", None, 3, "no SSH key in "),
        ("2.9.51-ubuntu-amd64", (), 2, "juju 2.9.51-ubuntu-amd64: Juju 3 is needed"),
        ("", (), 2, "juju (no version): Juju 3 is needed"),
        ("WARNING: cgroup v2 is not fully supported yet\n3.6.8-genericlinux-amd64", (), 0, ""),
    ],
)
def test_models_without_a_key_get_those_of_the_user(  # noqa: PLR0917 - the columns of the table
    juju: Juju,
    describe: Callable[..., Lab],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    keys: tuple[str, ...] | None,
    code: int,
    message: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUJU_DATA", str(tmp_path / "data"))
    for path, key in zip(("data/ssh/juju_id_rsa.pub", "home/.ssh/id_ed25519.pub"), keys or (), strict=False):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(f"{key}\n")
    juju.write("version", f"{version}\n")
    if keys != ():
        juju.write("ssh-keys")
    ready(juju, status())
    _, record = deployed(describe())
    assert record.exit_code == code, record.message
    assert record.message.startswith(message)
    assert [call[3:] for call in juju.calls("add-ssh-key")] == ([[*keys]] if keys else [])
    if keys:  # machines that are there have a key only later
        names = [call[0] for call in juju.calls()]
        assert names.index("add-ssh-key") < names.index("add-machine")


def test_application_without_nodes_has_one_of_its_own(juju: Juju, describe: Callable[..., Lab]) -> None:
    """As with Juju itself: two services of one port do not meet on a machine."""
    applications = {name: {key: value for key, value in unit.items() if key != "to" or not value}
                    for name, unit in KEYSTONE.items()}  # fmt: skip
    applications["glance"] = {"role": "glance", "to": [2]}
    lab = describe(applications=applications, relations=RELATIONS)
    assert lab.deployment
    assert lab.deployment.places == {"mysql": (3,), "keystone-mysql-router": (), "keystone": (4,), "glance": (2,)}
    made = planner.topology(lab, "trunk", "keystone", {})
    assert {each.name: each.nodes for each in made.applications} == {
        "mysql": ("node3",), "keystone-mysql-router": (), "keystone": ("node4",), "glance": ("node2",),
    }  # fmt: skip
