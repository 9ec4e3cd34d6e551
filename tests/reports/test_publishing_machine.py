"""One machine publishes a lab; a second one is refused before it delivers anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from generator.server import FOLDER
from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config.access import Access
from lab.config.description import Lab
from lab.config.jenkins import Connection
from lab.store.runs import Store
from reports import journal, publishing_machine
from reports.home import PublicationHome
from reports.journal import Journal
from reports.journal_entries import SourceBuild
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER
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


def connected(double: Double, password: str = "") -> Connection:
    user, known = double.credentials
    return Connection(Access(double.url, user, password or known, timeout=60.0))


def test_copied_state_is_refused(
    tmp_path: Path, place: PublicationHome, empty: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = a_lab(tmp_path)

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
        connection = connected(double)
        if refused:
            with pytest.raises(ConfigurationError, match=f"the agent {refused} has"):
                publishing_machine.check(lab, place, empty, connection)
            assert not (place.store.root / "publisher.json").exists()
            empty.builds.see([SourceBuild("jenkins", "trunk-greet-build", 1, 1)])  # it has published before
        publishing_machine.check(lab, place, empty, connection)
    assert (place.store.root / "publisher.json").exists()


def test_jenkins_without_the_job_has_no_publisher(lab: Lab, place: PublicationHome, empty: Journal) -> None:
    with Double() as double:
        publishing_machine.check(lab, place, empty, connected(double))
    assert (place.store.root / "publisher.json").exists()


def test_last_success_is_found_behind_many_failures(
    lab: Lab, place: PublicationHome, empty: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery that stays parked makes each pass fail."""
    monkeypatch.setattr(publishing_machine, "NEWEST", 2)
    with Double() as double:
        double.create("lab-publish", "<project/>")
        for result in ("SUCCESS", "FAILURE", "FAILURE", "FAILURE"):
            double.add_build("lab-publish", result=result, agent="a1", timestamp=1, duration=1)
        with pytest.raises(ConfigurationError, match="the agent a1 has"):
            publishing_machine.check(lab, place, empty, connected(double))


def unreachable(double: Double) -> Connection:
    double.fault("reset", times=FOREVER)
    return connected(double)


def closed(double: Double) -> Connection:
    double.fault("page", times=FOREVER)
    return connected(double)


def loading(double: Double) -> Connection:
    double.fault(503, times=FOREVER)
    return connected(double)


def unauthorised(double: Double) -> Connection:
    return connected(double, "wrong")


def without_login(_: Double) -> None:
    return None


@pytest.mark.parametrize("state", [unreachable, closed, loading, unauthorised, without_login])
def test_nothing_is_published_first_without_an_answer_of_jenkins(
    lab: Lab, place: PublicationHome, empty: Journal, monkeypatch: pytest.MonkeyPatch,
    state: Callable[[Double], Connection | None],
) -> None:  # fmt: skip
    monkeypatch.setattr("lab.config.jenkins.PAUSES_SECONDS", (0.0, 0.0))
    with Double() as double:
        with pytest.raises(LabError, match="this machine has never published, and Jenkins does not say") as raised:
            publishing_machine.check(lab, place, empty, state(double))
        assert "--take-over" in (raised.value.hint or "")
        assert not (place.store.root / "publisher.json").exists()
        publishing_machine.check(lab, place, empty, state(double), take_over=True)
        publishing_machine.check(lab, place, empty, state(double))  # as often as it likes


def test_lab_without_a_jenkins_publishes_at_once(tmp_path: Path) -> None:
    lab = a_lab(tmp_path)
    place = PublicationHome(Store.of(lab))
    with journal.opened(place.journal) as empty:
        publishing_machine.check(lab, place, empty, None)
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
        connection = connected(double)
        with pytest.raises(InfrastructureError, match=r"does not say .* nothing there"):
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
