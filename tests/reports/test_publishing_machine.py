"""One machine publishes a lab; a second one is refused before it delivers anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.server import FOLDER
from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config.access import Access
from lab.config.description import Lab
from lab.config.jenkins import Connection
from lab.store.runs import Store
from reports import journal, publishing_machine
from reports.home import PublicationHome
from reports.journal import Journal
from reports.journal_entries import SourceBuild
from tests.jenkins.double import Double
from tests.reports.publishing import a_lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return a_lab(tmp_path, jenkins={"url": "http://127.0.0.1:1/"})


@pytest.fixture
def place(lab: Lab) -> PublicationHome:
    return PublicationHome(Store.of(lab))


@pytest.fixture
def empty(place: PublicationHome) -> Iterator[Journal]:
    with journal.opened(place.journal) as opened:
        yield opened


def test_copied_state_is_refused(
    lab: Lab, place: PublicationHome, empty: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def become(name: str) -> None:
        monkeypatch.setattr(environment, "machine", lambda: name)

    become("one")
    for _ in range(2):
        publishing_machine.check(lab, place, empty, None)
    become("other")
    with pytest.raises(ConfigurationError, match="another machine publishes with this state"):
        publishing_machine.check(lab, place, empty, None)
    publishing_machine.check(lab, place, empty, None, take_over=True)
    publishing_machine.check(lab, place, empty, None)
    become("")  # a container without an identity
    publishing_machine.check(lab, place, empty, None)
    become("one")
    with pytest.raises(ConfigurationError, match="another machine"):
        publishing_machine.check(lab, place, empty, None)


@pytest.mark.parametrize(
    "node, results, refused",
    [
        ("a2", ["SUCCESS"], "a1"),
        ("a1", ["SUCCESS"], ""),
        ("a2", ["FAILURE"], ""),
        ("a2", [], ""),
        ("a2", ["SUCCESS", None], "a1"),  # None: this build
        ("", ["SUCCESS"], "a1"),  # by hand
    ],
)
def test_machine_without_a_journal_asks_jenkins(  # noqa: PLR0917 - a table and its fixtures
    lab: Lab, place: PublicationHome, empty: Journal, monkeypatch: pytest.MonkeyPatch,
    node: str, results: list[str | None], refused: str,
) -> None:  # fmt: skip
    if node:
        monkeypatch.setenv("NODE_NAME", node)
    else:
        monkeypatch.delenv("NODE_NAME", raising=False)
    with Double() as double:
        double.create("lab-publish", "<project/>")
        for result in results:
            double.add_build("lab-publish", result=result, agent="a1" if result else node, timestamp=1, duration=1)
        connection = Connection(Access(double.url, *double.credentials, timeout=60.0))
        if refused:
            with pytest.raises(ConfigurationError, match=f"the agent {refused} has"):
                publishing_machine.check(lab, place, empty, connection)
            assert not (place.store.root / "publisher.json").exists()
            empty.builds.see([SourceBuild("jenkins", "trunk-greet-build", 1, 1)])  # it has published before
        publishing_machine.check(lab, place, empty, connection)
    assert (place.store.root / "publisher.json").exists()


def test_unreachable_jenkins_decides_nothing(lab: Lab, place: PublicationHome, empty: Journal) -> None:
    with Double() as double:
        connection = Connection(Access(double.url, *double.credentials, timeout=60.0))
        publishing_machine.check(lab, place, empty, connection)  # Jenkins has no such job
    assert (place.store.root / "publisher.json").exists()


@pytest.mark.parametrize("folder", [{}, {"folder": "qa/lab"}])
def test_job_that_is_listed_and_gives_no_answer_decides_nothing(tmp_path: Path, folder: dict[str, str]) -> None:
    lab = a_lab(tmp_path, jenkins={"url": "http://127.0.0.1:1/", **folder})
    place = PublicationHome(Store.of(lab))
    with Double() as double, journal.opened(place.journal) as empty:
        inside = ""
        for name in filter(None, folder.get("folder", "").split("/")):
            double.create(f"{inside}{name}", f"<{FOLDER}/>")
            inside += f"{name}/"
        double.create(f"{inside}lab-publish", "<project/>")
        double.add_build(f"{inside}lab-publish", result="SUCCESS", agent="a1", timestamp=1, duration=1)
        double.fault(404, path="lab-publish")
        connection = Connection(Access(double.url, *double.credentials, timeout=60.0))
        publishing_machine.check(lab, place, empty, connection)
        assert not (place.store.root / "publisher.json").exists()
        with pytest.raises(ConfigurationError, match="the agent a1 has"):
            publishing_machine.check(lab, place, empty, connection)


def test_identity_of_a_machine_is_a_digest() -> None:
    path = Path("/etc/machine-id")
    text = path.read_text().strip() if path.exists() else ""
    found = environment.machine()
    assert bool(found) == bool(text)
    assert not text or text not in found
