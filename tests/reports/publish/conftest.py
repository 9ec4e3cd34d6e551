"""Publishers of labs, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jenkins.double import Double
from tests.reports.publish.everything import Everything
from tests.reports.publishing import Press, a_lab, receive
from tests.reports.smtp import MailServer
from tests.servers import Service


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.config.jenkins.PAUSES_SECONDS", (0.0, 0.0))


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """Return the publisher of a lab that publishes local runs to its site."""
    return Press(a_lab(tmp_path), tmp_path)


@pytest.fixture
def all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Everything]:
    for name in ("QALAB_PUBLIC_JENKINS_USER", "QALAB_JENKINS_USER"):
        monkeypatch.setenv(name, "admin")
    for name in ("QALAB_PUBLIC_JENKINS_TOKEN", "QALAB_JENKINS_TOKEN"):
        monkeypatch.setenv(name, "secret")
    with Double() as private, Double(run=receive) as public, MailServer() as mail:
        yield Everything(tmp_path, private, public, mail)


@pytest.fixture
def hooked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Press, Service]]:
    """A lab with a webhook that refuses its first build."""
    monkeypatch.setenv("QALAB_WEBHOOK_SECRET", "k3y-of-tests")
    with Service(lambda request: (500 if b'"number": 1,' in request.body else 204, "")) as service:
        yield Press(a_lab(tmp_path, notifications={"webhook": {"url": service.url}}), tmp_path), service
