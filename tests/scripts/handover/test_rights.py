"""The rights of a build agent, by trying: it writes nothing of the archive, and reads no key, no login and no other workspace.

Its user is another one than that of the archive's machine; it reaches the archive by HTTP alone.
"""

from __future__ import annotations

import http.client
import os
import pwd
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lab.base import files
from lab.base.run import output
from scripts.archives import serving
from tests.archives import served
from tests.scripts.handover.test_agents import Field, field

__all__ = ["field"]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]
NOBODY = pwd.getpwnam("nobody")
WRITES = ("PUT", "POST", "DELETE", "PATCH", "MKCOL", "MOVE", "COPY", "PROPPATCH", "LOCK")
# Names of a file beside the directory that is served, as no client that means well writes them.
BESIDE = ("/../{}", "/%2e%2e/{}", "/..%2f{}", "/dists/../../{}", "/dists/%2e%2e/%2e%2e/{}", "//../{}", "/./../{}", "/..\\{}",
          "/archive-id/../../{}", "/%252e%252e/{}", "{root}/{}", "/{root}/{}")  # fmt: skip


@pytest.fixture
def vault(field: Field) -> Path:
    """The lab's state on the machine of the archive, with one build; every other user may pass its directories."""
    build = field.build("greet", field.builders[0])
    for imported in field.follow(build, field.vault):
        assert imported.result == "SUCCESS"
    for path in (field.root, *field.root.parents):
        path.chmod(path.stat().st_mode | 0o055)
    return field.vault.home / "state/qalab/testlab"


def as_agent(argv: list[str]) -> str:
    """Return what a command prints that the user of a build agent runs."""
    rights = [f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
    return output(["setpriv", *rights, *argv], cwd=Path("/"))


def secret_keys(vault: Path) -> list[Path]:
    found = [path for path in (vault / "gnupg").rglob("*") if path.is_file() and "private" in str(path)]
    assert found
    return found


def content(directory: Path) -> dict[str, str]:
    """Return the digests of the files below a directory, and where its links lead."""
    paths = [path for path in directory.rglob("*") if path.is_symlink() or path.is_file()]
    return {str(path): str(path.readlink()) if path.is_symlink() else files.sha256(path) for path in paths}


def test_build_agent_with_the_disk_of_the_archive(field: Field, vault: Path) -> None:
    """On the same machine, as another user."""
    before = content(vault / "archive")
    workspace = field.vault.home / "workspace"
    workspace.chmod(0o700)  # as docs/how-to/agents.md says of the home
    with subprocess.Popen(["sleep", "60"], env={"QALAB_JENKINS_TOKEN": "secret"}) as lab_agent:
        script = "\n".join([
            f"cat /proc/{lab_agent.pid}/environ 2> /dev/null && echo READ token",
            f"kill {lab_agent.pid} 2> /dev/null && echo KILLED",
            *(f"test -r {path} && echo READ {path}" for path in secret_keys(vault)),
            f"ls {vault}/gnupg 2> /dev/null && echo READ keys",
            f"ls {workspace} 2> /dev/null && echo READ workspace",
            *(f"touch {path}/mine 2> /dev/null && echo WROTE {path}" for path in (vault, vault / "archive", vault / "archive/dists")),
            f"rm -rf {vault}/archive/pool 2> /dev/null && echo DELETED",
            f"cat {vault}/archive/archive-id > /dev/null && echo public",
            "true",
        ])  # fmt: skip
        try:
            assert as_agent(["sh", "-c", script]).split() == ["public"]
        finally:
            lab_agent.kill()
    assert content(vault / "archive") == before


def test_step_archive_on_a_build_agent_is_refused(field: Field, vault: Path) -> None:
    states, builder = field.reader.states(), field.builders[0]
    code = field.controller._run(
        f"qalab step archive --lab {field.root}/lab.yaml", builder,
        builder.home / "workspace/trunk-greet-build", {"BUILD_URL": "https://jenkins.lab.example/job/trunk-greet-build/1/"},
    )  # fmt: skip
    assert (code, field.reader.states()) == (2, states)
    assert vault.exists()
    assert not (builder.home / "state/qalab/testlab/archive").exists()


@pytest.fixture(params=["of the lab", "of the tests"])
def address(request: pytest.FixtureRequest, vault: Path) -> Iterator[str]:
    """The archive over HTTP: served during builds, and as other tests serve it."""
    if request.param == "of the tests":
        with served(vault / "archive") as url:
            yield url
        return
    handler = partial(serving._Handler, directory=str(vault / "archive"))
    with serving._Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.002,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def asked(url: str, wanted: list[tuple[str, str]]) -> list[tuple[int, bytes]]:
    """Return the status and the body of requests, each by its method and its path as it is."""
    found = []
    for method, path in wanted:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("Content-Length", "4")
        connection.putheader("Destination", f"{url}/mine")
        connection.endheaders(b"mine")
        answer = connection.getresponse()
        found.append((answer.status, answer.read()))
        connection.close()
    return found


def test_build_agent_with_the_network_of_the_archive(vault: Path, address: str) -> None:
    before, keys = content(vault / "archive"), secret_keys(vault)
    for status, _ in asked(
        address, [(method, path) for method in WRITES for path in ("/mine", "/archive-id", "/dists/")]
    ):
        assert status in {405, 501}
    beside = [path.relative_to(vault) for path in keys]
    wanted = [form.format(path, root=vault) for form in BESIDE for path in beside]
    secrets = [path.read_bytes() for path in keys]
    assert asked(address, [("GET", "/archive-id")]) == [(200, (vault / "archive/archive-id").read_bytes())]
    for path, (status, body) in zip(wanted, asked(address, [("GET", path) for path in wanted]), strict=True):
        assert status >= 400, path
        assert not [secret for secret in secrets if secret in body]
    assert content(vault / "archive") == before


def test_links_of_the_archive_lead_nowhere_else(vault: Path) -> None:
    """A web server follows them."""
    archive = (vault / "archive").resolve()
    links = [path for path in archive.rglob("*") if path.is_symlink()]
    assert links
    assert [path for path in links if not path.resolve().is_relative_to(archive)] == []
