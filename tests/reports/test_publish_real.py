"""End to end: a build on a private Jenkins, and its mirrored build with tests on a public one.

On doubles; on real, empty ones where QALAB_TEST_JENKINS and QALAB_TEST_PUBLIC_JENKINS name them.
"""

from __future__ import annotations

import base64
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from generator import jjb
from lab.store.run_directory import Run
from reports.publish_report import PublishReport
from tests.jenkins.double import Double
from tests.jenkins.real import Real
from tests.jenkins.state import Build
from tests.processes import wait_for
from tests.reports.publishing import OWNED, Press, a_lab, a_run, make_receivers, receive

# Read at import, because a test does not see the variables of the lab.
PRIVATE, PUBLIC = (os.environ.get(name, "") for name in ("QALAB_TEST_JENKINS", "QALAB_TEST_PUBLIC_JENKINS"))
JOB = """\
- job:
    name: trunk-greet-build
    description: '{owned}'
    builders: [shell: 'echo {data} | base64 -d | tar xz']
    publishers:
      - junit: {{results: 'results/*.xml', allow-empty-results: true}}
      - archive: {{artifacts: 'run.json, results/**', allow-empty: true}}
"""


def receive_later(build: Build) -> None:
    """Receive in a time of its own, as a real one does."""
    build.result = None
    Thread(target=receive, args=[build]).start()


@pytest.fixture
def private() -> Iterator[Double | Real]:
    with Real(PRIVATE) if PRIVATE else Double(run=receive) as one:
        yield one


@pytest.fixture(params=[receive, receive_later])
def public(request: pytest.FixtureRequest) -> Iterator[Double | Real]:
    with Real(PUBLIC) if PUBLIC else Double(run=request.param) as one:
        yield one


def packed(directory: Path) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in sorted(directory.iterdir()):
            tar.add(path, path.name)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.integration
def test_build_is_mirrored_with_tests(
    tmp_path: Path, private: Double | Real, public: Double | Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALAB_PUBLIC_JENKINS_USER", public.credentials[0])
    monkeypatch.setenv("QALAB_PUBLIC_JENKINS_TOKEN", public.credentials[1])
    lab = a_lab(tmp_path, jenkins={"url": private.url}, public={"jenkins": {"url": public.url}})
    run = a_run(Run(tmp_path / "run"), lab, "greet", 1, "unstable", text="two tags")
    (tmp_path / "job.yaml").write_text(JOB.format(owned=OWNED, data=packed(run.path)))
    (item,) = jjb.expand(tmp_path / "job.yaml", jjb.configuration(None))
    private.create(item.key.name, item.xml.replace("&lt;!-- Managed by Jenkins Job Builder --&gt;", ""))
    make_receivers(public, lab, tmp_path)
    start(private)
    press = Press(lab, tmp_path, private, timeout=60.0)
    passes: list[PublishReport] = []

    def is_delivered() -> bool:
        passes.append(press.run())
        return passes[-1].outcomes["jenkins"] == {"delivered": 1}

    assert wait_for(is_delivered), passes  # the clock of a pass does not wait for a server
    assert sum(report.bundled for report in passes) == 1
    assert public.build("trunk-greet-build", 1).result == "UNSTABLE"
    assert press.run().bundled == 0


def start(private: Double | Real) -> None:
    if isinstance(private, Double):
        receive(private.add_build("trunk-greet-build"))
    else:
        private.add_build("trunk-greet-build")
