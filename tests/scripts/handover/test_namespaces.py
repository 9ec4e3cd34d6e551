"""Machines with disks and networks of their own: two agents, the machine of the archive, and one that deploys.

Each is a directory for its state and a network namespace; each command line of a job is a process there, and a process
group of its own.  Only the machine of the archive serves it, at an address that only these machines reach.
"""

from __future__ import annotations

import functools
import http.server
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from debian.debian_support import Version

from lab.base.run import output, run
from lab.store.archive import ArchiveReader
from lab.store.step import StepContext, StepOutcome
from scripts import sbuild
from tests.archives import Quiet, assert_whole
from tests.conftest import GitRepository
from tests.controller import Agent, Controller
from tests.namespaces import Network, missing_prerequisite, network, wait_for_server
from tests.scripts.handover.test_agents import (
    COMPONENTS,
    Field,
    apt_of,
    archive_of,
    commits_named,
    fake_sbuild,
    make_field,
    quick_steps,
)

PORT = 8080
POWER_CUT = "power-cut"


@dataclass
class NetworkController(Controller):
    """A controller whose agents run each command line as a process with the network of their machine."""

    network: Network = field(init=False)

    def _run(self, line: str, agent: Agent, workspace: Path, env: Mapping[str, str]) -> int:
        run_line = super()._run
        with_cut = {**env, "POWER_CUT": str(self.home.parent / POWER_CUT)}
        code = self.network.call(agent.home.name, lambda: run_line(line, agent, workspace, with_cut))
        self.output.append((line, code))
        return code


def cut_or_build(context: StepContext) -> StepOutcome:
    """Build, or kill this machine's processes in the middle of the step, once."""
    cut = Path(os.environ["POWER_CUT"])
    if cut.exists():
        cut.unlink()
        os.killpg(0, signal.SIGKILL)
    return fake_sbuild(context)


def serve(root: Path) -> None:
    handler = functools.partial(Quiet, directory=str(root))
    http.server.ThreadingHTTPServer(("", PORT), handler).serve_forever()


@dataclass
class Machines:
    """The lab, and the machines by name."""

    lab: Field
    network: Network

    def agent(self, name: str) -> Agent:
        """Add a machine with an empty disk."""
        self.network.add(name)
        return self.lab.agent(name)

    def lose(self, agent: Agent) -> None:
        shutil.rmtree(agent.home)
        self.network.remove(agent.home.name)


@pytest.fixture
def machines(
    tmp_path: Path, git_repository: Callable[..., GitRepository], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machines]:
    if why := missing_prerequisite():
        pytest.skip(why)
    quick_steps(monkeypatch)
    monkeypatch.setattr(sbuild, "action", cut_or_build)
    root = archive_of(tmp_path)
    with network() as made:
        url = f"http://{made.add('vault')}:{PORT}"
        for name in ("a1", "a2", "deployer"):
            made.add(name)
        server = made.start("vault", lambda: serve(root))
        try:
            wait_for_server(made, "deployer", url)
            lab = make_field(tmp_path, git_repository, url, NetworkController)
            assert isinstance(lab.controller, NetworkController)
            lab.controller.network = made
            yield Machines(lab, made)
        finally:
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)


def deployed(field: Field, suite: str, component: str) -> tuple[str, str]:
    """Return the version and the upstream commit of a package that apt fetches, verifies and unpacks from a suite."""
    root, apt = apt_of(field, suite)
    run([*apt, "-qq", "update"], cwd=root)
    run([*apt, "-qq", "--yes", "--download-only", "install", component], cwd=root)
    [deb] = (root / "archives").glob(f"{component}_*.deb")
    run(["dpkg-deb", "--extract", deb, root / component])
    return output(["dpkg-deb", "--field", deb, "Version"]), (
        root / f"{component}/usr/share/{component}/content"
    ).read_text()


@pytest.mark.integration
@pytest.mark.full
def test_twelve_builds_on_machines_with_networks_of_their_own(machines: Machines) -> None:
    """Each deployment has the state that it names; what agents lose, in a build or between two steps, costs nothing."""
    lab, chance = machines.lab, random.Random(162)
    order = [name for name in COMPONENTS for _ in range(3)]
    chance.shuffle(order)
    versions: dict[str, list[str]] = {name: [] for name in COMPONENTS}
    named: list[tuple[str, str, str, str]] = []
    for number, component in enumerate(order):
        commit = lab.commit(component, f"Change {number}")
        agent = chance.choice(lab.builders)
        if number == 5:  # a machine is lost in the step sbuild, and another one takes its place
            (lab.root / POWER_CUT).touch()
            lost = lab.build(component, agent)
            assert (lost.result, lost.triggered) == ("FAILURE", ())
            record = agent.home / f"workspace/{lost.job}/results/05-sbuild.json"
            assert '"running"' in record.read_text()
            machines.lose(agent)
            lab.builders[lab.builders.index(agent)] = agent = machines.agent("a3")
        moment = chance.randrange(8)
        build = lab.build(component, agent, lambda place, agent=agent, at=moment: place == at and agent.lose_disk())
        assert build.result == "SUCCESS", lab.controller.output[-1]
        assert commits_named(build) == [f"Change {number}"]
        [imported] = lab.follow(build, lab.vault)
        assert imported.result == "SUCCESS", lab.controller.output[-1]
        [(job, parameters)] = imported.triggered
        assert (job, parameters["COMMIT"]) == ("trunk-deploy", commit)
        versions[component].append(parameters["VERSION"])
        named.append((parameters["ARCHIVE"], component, parameters["VERSION"], commit))
    for found in versions.values():
        assert len(found) == 3
        assert sorted(set(found), key=Version) == found
    archive = lab.vault.home / "state/qalab/testlab/archive"
    assert [state.name for state in ArchiveReader.at(archive).states("trunk")] == [state for state, *_ in named]
    assert_whole(archive)
    for state, component, version, commit in named:
        assert machines.network.call("deployer", lambda: deployed(lab, state, component)) == (version, commit)  # noqa: B023
    for agent in (*lab.builders, lab.agent("deployer")):
        assert not (agent.home / "state/qalab/testlab/archive").exists()
        assert not list(agent.home.rglob("gnupg"))
