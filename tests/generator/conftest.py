"""A Jenkins on loopback, and the lab's door to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator import jjb
from generator.items import Item
from generator.server import Server
from lab.config import jenkins as lab_jenkins
from lab.config.access import Access
from tests.jenkins.double import Double
from tests.jenkins.real import Real

JOBS = """\
- job: {name: folder, project-type: folder}
- job:
    name: folder/build
    description: Builds one component.
    builders: [shell: 'make one', shell: 'make two']
    publishers: [archive: {artifacts: 'results/**'}]
- job: {name: 'with a blank', builders: [shell: 'true']}
- job: {name: 'grün', disabled: true, builders: [shell: 'echo "<&>"']}
- job: {name: plain, triggers: [timed: 'H 3 * * *']}
- view: {name: lab, view-type: list, regex: '.*'}
"""


# Taken here, because a test does not see the lab's variables.
REAL = os.environ.get("QALAB_TEST_JENKINS", "")


@pytest.fixture
def jenkins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double | Real]:
    """The double, or the real Jenkins that QALAB_TEST_JENKINS names."""
    monkeypatch.setattr(lab_jenkins, "PAUSES_SECONDS", (0.0, 0.0))
    with Real(REAL) if REAL else Double() as one:
        yield one


@pytest.fixture
def there(jenkins: Double | Real) -> Server:
    return Server(Access(jenkins.url, *jenkins.credentials, timeout=60.0))


def described(directory: Path, text: str = JOBS) -> list[Item]:
    """The items of JJB YAML."""
    path = directory / "described.yaml"
    path.write_text(text)
    return jjb.expand(path, jjb.configuration(None))
