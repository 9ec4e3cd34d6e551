"""Agents with disks and networks of their own, with the real sbuild: what each builds goes through the archive's machine.

The agents reach the mirror of the distribution at the archive's machine alone, as they reach the archive.
"""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import socketserver
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from debian.debian_support import Version

from lab.config import apt
from lab.config.description import Series
from lab.store.archive import ArchiveReader
from tests.archives import assert_whole
from tests.conftest import GitRepository
from tests.controller import Agent
from tests.namespaces import Network, missing_prerequisite, network, wait_for_server
from tests.scripts.handover.test_agents import Field, archive_of, make_field
from tests.scripts.handover.test_namespaces import PORT, deployed, serve
from tests.shells import ShellController

pytestmark = [pytest.mark.integration, pytest.mark.full]
MIRROR_PORT = 3142
NAMES = ("greet", "hail")


@dataclass
class NetworkShellController(ShellController):
    """A controller whose agents run each shell line with the network of their machine."""

    network: Network = field(init=False)

    def entry(self, agent: Agent) -> list[str]:
        return self.network.entry(agent.home.name)


class Mirror(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A mirror that gives what another one has; its socket is in the network of the machine that made it."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    with urllib.request.urlopen(f"{upstream}{self.path}", timeout=300) as answer:
                        self.send_response(200)
                        self.send_header("Content-Length", answer.headers["Content-Length"])
                        self.end_headers()
                        shutil.copyfileobj(answer, self.wfile)
                except urllib.error.HTTPError as error:
                    self.send_error(error.code)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("", MIRROR_PORT), Handler)


@pytest.fixture
def lab(tmp_path: Path, git_repository: Callable[..., GitRepository]) -> Iterator[tuple[Field, Network]]:
    if why := missing_prerequisite():
        pytest.skip(why)
    mirror = apt.mirror("bookworm", Series())
    root = archive_of(tmp_path)
    with network() as made:
        address = made.add("vault")
        for name in ("a1", "a2", "deployer"):
            made.add(name)
        servers = [made.start("vault", lambda: serve(root)), made.serve("vault", lambda: Mirror(mirror).serve_forever)]
        try:
            url = f"http://{address}:{PORT}"
            wait_for_server(made, "deployer", url)
            lab = make_field(tmp_path, git_repository, url, NetworkShellController)
            assert isinstance(lab.controller, NetworkShellController)
            lab.controller.network = made
            described = yaml.safe_load((tmp_path / "lab.yaml").read_text())
            described["series"]["bookworm"] = {"mirror": f"http://{address}:{MIRROR_PORT}", "pockets": []}
            for name in NAMES:
                described["components"][name]["build"] = {"content": {"verdict": "off"}}
                packaging = GitRepository(tmp_path / f"{name}-packaging")
                packaging.commit("Install it", {"debian/install": f"content usr/share/{name}\n"})
            (tmp_path / "lab.yaml").write_text(yaml.safe_dump(described))
            yield lab, made
        finally:
            for server in servers:
                os.kill(server, signal.SIGKILL)
                os.waitpid(server, 0)


@pytest.mark.usefixtures("shared_cache")
def test_four_builds_on_two_agents_with_networks_of_their_own(lab: tuple[Field, Network]) -> None:
    """Each deployment has the version and the commit of the state that it names; the agents have lost all between."""
    field, machines = lab
    versions: dict[str, list[str]] = {name: [] for name in NAMES}
    named: list[tuple[str, str, str, str]] = []
    for number, name in enumerate(NAMES * 2):
        agent = field.builders[(number // 2 + number) % 2]
        commit = field.upstream[name].commit(f"Change {number}", {"content": f"{number} of {name}\n"})
        build = field.build(name, agent)
        assert build.result == "SUCCESS", field.controller.output[-1]
        [imported] = field.follow(build, field.vault)
        assert imported.result == "SUCCESS", field.controller.output[-1]
        [(job, parameters)] = imported.triggered
        assert (job, parameters["COMMIT"]) == ("trunk-deploy", commit)
        versions[name].append(parameters["VERSION"])
        named.append((parameters["ARCHIVE"], name, parameters["VERSION"], f"{number} of {name}\n"))
        agent.lose_disk()
    for found in versions.values():
        assert sorted(set(found), key=Version) == found
    archive = field.vault.home / "state/qalab/testlab/archive"
    assert [state.name for state in ArchiveReader.at(archive).states("trunk")] == [state for state, *_ in named]
    assert_whole(archive)
    for state, name, version, content in named:
        assert machines.call("deployer", lambda: deployed(field, state, name)) == (version, content)  # noqa: B023
    for agent in field.builders:
        assert not list(agent.home.rglob("gnupg"))
