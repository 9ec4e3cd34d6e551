"""Something before Jenkins that redirects: no write is believed for it, and one line says which URL is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from generator.items import ItemKey
from generator.server import Server
from lab.base.errors import LabError
from lab.config import jenkins as lab_jenkins
from lab.config.access import Access
from lab.config.jenkins import Connection
from lab.config.jenkins_redirects import Redirected, is_own
from tests.jenkins.double import Double

JOB, NEW, VIEW = ItemKey("job", "f/one"), ItemKey("job", "f/new"), ItemKey("view", "v")
EMPTY = b"<project/>"
A_VIEW = b"<hudson.model.ListView><name>v</name></hudson.model.ListView>"
PARAMETERS = (
    b"<project><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions>"
    b"<hudson.model.StringParameterDefinition><name>P</name></hudson.model.StringParameterDefinition>"
    b"</parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties></project>"
)
FORM = {"json": '{"displayName": "x", "description": "y"}', "Submit": "Save"}


def at(url: str) -> Server:
    return Server(Access(url, "admin", "secret", 5.0))


def post(where: str, **body: object) -> Callable[[Server], object]:
    return lambda there: there.connection.send("POST", where, **body)


WRITES: dict[str, Callable[[Server], object]] = {
    "create a job": lambda there: there.create(NEW, EMPTY),
    "create a view": lambda there: there.create(ItemKey("view", "w"), A_VIEW),
    "update a job": lambda there: there.update(JOB, b"<project><description>x</description></project>"),
    "update a view": lambda there: there.update(VIEW, A_VIEW.replace(b"<name>", b"<description>x</description><name>")),
    "rename": lambda there: there.rename(JOB, "new"),
    "delete a job": lambda there: there.delete(JOB),
    "delete a job at the top": lambda there: there.delete(ItemKey("job", "top")),
    "delete a view": lambda there: there.delete(VIEW),
    "start a build": post("job/f/job/one/buildWithParameters", data={"P": "x"}),
    "describe a build": post("job/f/job/one/1/configSubmit", data=FORM),
    "delete a build": post("job/f/job/one/1/doDelete"),
    "disable": post("job/f/job/one/disable"),
    "enable": post("job/f/job/one/enable"),
    "describe": post("job/f/job/one/submitDescription", data={"description": "x"}),
}


@pytest.fixture
def full(jenkins: Double, there: Server) -> Server:
    there.create(ItemKey("job", "f"), b"<com.cloudbees.hudson.plugins.folder.Folder/>")
    there.create(JOB, PARAMETERS)
    there.create(ItemKey("job", "top"), EMPTY)
    there.create(VIEW, A_VIEW)
    jenkins.add_build("f/one", parameters={"P": "y"})
    return there


@pytest.mark.parametrize("write", WRITES)
def test_write_succeeds_at_the_configured_url(full: Server, jenkins: Double, write: str) -> None:
    before = len(jenkins.writes())
    WRITES[write](full)
    assert len(jenkins.writes()) == before + 1


@pytest.mark.integration
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("write", WRITES)
def test_write_redirected_by_a_proxy_fails(full: Server, jenkins: Double, write: str, status: int) -> None:
    old, before = jenkins.moved("/old/", status), len(jenkins.writes())
    with pytest.raises(Redirected) as raised:
        WRITES[write](at(old))
    right = f"(configure {jenkins.url} as the URL of this Jenkins)"
    assert str(raised.value) == f"{old}: redirects to {jenkins.url} {right}"
    assert len(jenkins.writes()) == before
    assert full.config(JOB)


@pytest.mark.integration
@pytest.mark.parametrize("to", ["", "login?from={}", "securityRealm/commenceLogin"])
@pytest.mark.parametrize("write", WRITES)
def test_write_redirected_to_a_login_fails(full: Server, jenkins: Double, write: str, to: str) -> None:
    """Also where the page that it leads to is one that Jenkins shows after a write."""
    front, before = jenkins.moved("/front/", 302, f"{jenkins.url}front-page/{to}"), len(jenkins.writes())
    with pytest.raises(Redirected, match=r"is a login in front of it\?") as raised:
        WRITES[write](at(front))
    assert "\n" not in str(raised.value)
    assert len(jenkins.writes()) == before
    assert full.config(JOB)


def test_unproved_deletion_fails(full: Server, jenkins: Double) -> None:
    """A login that leads to the front page, as Jenkins does after a deletion: it is looked at whether the job is there."""
    jenkins.moved("/job/top/doDelete", 302, jenkins.url)
    with pytest.raises(Redirected, match="redirects POST job/top/doDelete to"):
        full.delete(ItemKey("job", "top"))
    assert full.config(ItemKey("job", "top"))


def test_proved_deletion_succeeds(full: Server, jenkins: Double) -> None:
    jenkins._exporter.url = "http://behind.lab.example:8080/"  # what Jenkins writes whose proxy does not say its name
    full.delete(JOB)
    assert jenkins.jobs() == ["f", "top"]


@pytest.mark.integration
def test_redirect_from_http_to_https(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_jenkins, "PAUSES_SECONDS", ())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", f"{certificate}.crt")
    with Double(certificate=certificate, anonymous_read=False) as secure, Double() as plain:
        plain.moved("/", 301, f"{secure.url}{{}}")
        for call in (lambda there: there.listing(), lambda there: there.create(NEW, EMPTY)):
            with pytest.raises(Redirected, match=f"redirects to {secure.url} ") as raised:
                call(at(plain.url))
            assert raised.value.exit_code == 2
        assert secure.writes() == []
        at(secure.url).create(ItemKey("job", "a"), EMPTY)


@pytest.mark.parametrize("read", [lambda there: there.listing(), lambda there: there.config(JOB)])
def test_read_redirected_elsewhere_fails(full: Server, jenkins: Double, read: Callable[[Server], object]) -> None:
    old = jenkins.moved("/old/")
    with pytest.raises(Redirected, match=f"configure {jenkins.url} as"):
        read(at(old))


@pytest.mark.parametrize("where", ["job/top/9/artifact/a", "job/top/9/api/json"])
def test_redirect_on_the_same_server_is_followed(full: Server, jenkins: Double, tmp_path: Path, where: str) -> None:
    jenkins.add_build("top", artifacts={"a": b"x"})
    jenkins.moved("/job/top/9/", 302, f"{jenkins.url}job/top/1/{{}}")
    with (tmp_path / "a").open("w+b") as file:
        full.connection.download(where, file, 10_000)
    assert (tmp_path / "a").read_bytes()


def test_file_redirected_to_another_server_is_not_fetched(full: Server, jenkins: Double, tmp_path: Path) -> None:
    """The answer of an internal service would be published."""
    with Double() as internal:
        internal.create("secret", "<project/>")
        jenkins.moved("/job/top/9/artifact/", 302, f"{internal.url}job/secret/{{}}")
        with (tmp_path / "a").open("w+b") as file, pytest.raises(Redirected):
            full.connection.download("job/top/9/artifact/config.xml", file, 10_000)
        assert internal.requests == []
    assert (tmp_path / "a").read_bytes() == b""


def test_queued_build_returns_its_queue_item(jenkins: Double, full: Server) -> None:
    send = WRITES["start a build"]
    send(full)
    answer = send(full)
    assert isinstance(answer, requests.Response)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{jenkins.url}queue/item/1/")


def test_redirect_without_a_location(full: Server, jenkins: Double) -> None:
    jenkins.fault(302, method="POST", path="config.xml")
    with pytest.raises(LabError):
        full.update(JOB, EMPTY)


@pytest.mark.parametrize("root", ["https://ci.example/", "https://ci.example/jenkins/", "https://ci.example/jenkins"])
@pytest.mark.parametrize(
    "where, shown, own",
    [
        ("job/a/doDelete", "", True),
        ("job/f/job/a/doDelete", "job/f/", True),
        ("view/v/doDelete", "", True),
        ("job/a/7/doDelete", "job/a/", True),
        ("job/a/7/configSubmit", "job/a/7/", True),
        ("job/a%20b/disable", "job/a%20b/", True),
        ("job/a%2Bb/disable", "job/a+b/", True),
        ("job/a/buildWithParameters?x=y", "queue/item/7/", True),
        ("createItem?name=a", "createItem?name=a", False),
        ("createItem?name=a", "login", False),
        ("job/a/config.xml", "job/a/config.xml", False),
        ("job/a/7/configSubmit", "", False),
        ("job/a/buildWithParameters", "job/a/", False),
    ],
)
def test_redirects_of_jenkins_itself(root: str, where: str, shown: str, own: bool) -> None:  # noqa: FBT001
    base = root.rstrip("/") + "/"
    for location in (f"{base}{shown}", f"{base}{shown}".replace("https://ci.example", "http://ci.example:8080")):
        answer = SimpleNamespace(url=f"{base}{where}", headers={"Location": location})
        assert is_own(root, where, answer) is own  # type: ignore[arg-type]
    answer = SimpleNamespace(url=f"{base}{where}", headers={"Location": f"https://idp.example/{shown}"})
    assert not is_own(root, where, answer)  # type: ignore[arg-type]


def test_connection_is_usable_after_a_redirect(full: Server, jenkins: Double) -> None:
    connection = Connection(full.access)
    for number in (1, 2):
        connection.send("POST", "job/f/job/one/disable")
        assert jenkins.writes()[-1].path.endswith("/disable"), number
