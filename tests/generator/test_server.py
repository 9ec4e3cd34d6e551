"""The door to Jenkins: what it says when it is not let in, and names of all kinds."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import IO

import pytest

from generator.items import ItemKey
from generator.server import FOLDER, Server
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config import jenkins as lab_jenkins
from lab.config.access import Access
from lab.config.jenkins import Connection
from lab.config.jenkins_failures import JenkinsForbidden, JenkinsMissing, JenkinsRefused
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER

EMPTY = b"<project/>"


def at(url: str, user: str | None = "admin", password: str | None = "secret", timeout: float = 5.0) -> Server:
    return Server(Access(url, user, password, timeout, source="a test"))


@pytest.mark.parametrize(
    "name", ["a", "with a blank", "grün", "a+b", "100%?"[:3], "x=y", "日本", "a'b", "~tilde", "a~b(c)"]
)
def test_names_with_special_characters(there: Server, name: str) -> None:
    key = ItemKey("job", name)
    there.create(key, EMPTY)
    assert key in there.listing()
    there.update(key, b"<project><description>x</description></project>")
    assert b"<description>x</description>" in there.config(key)
    there.rename(key, f"{name} too")
    assert there.listing().keys() == {ItemKey("job", f"{name} too")}
    there.delete(ItemKey("job", f"{name} too"))
    assert there.listing() == {}


def test_plugins(there: Server) -> None:
    assert there.plugins()["git"]


def test_missing_item_is_an_error(there: Server) -> None:
    for call in (there.config, there.delete, lambda key: there.update(key, EMPTY), lambda key: there.rename(key, "b")):
        with pytest.raises(JenkinsMissing):
            call(ItemKey("job", "gone"))


def test_refused_xml_is_an_error(there: Server) -> None:
    there.create(ItemKey("job", "a"), EMPTY)
    with pytest.raises(JenkinsRefused, match="already exists"):
        there.create(
            ItemKey("job", "a"), EMPTY.replace(b"/", b"><description>y</description></project") if False else EMPTY
        )
    with pytest.raises(InfrastructureError, match="answers 500"):
        there.create(ItemKey("job", "b"), b"<nonsense/>")


@pytest.mark.parametrize(
    "user, password, error, said",
    [
        ("admin", "wrong", ConfigurationError, "refuses the credentials of admin (a test)"),
        ("reader", "secret", JenkinsForbidden, "reader may not POST createItem?name=a"),
        (None, None, JenkinsForbidden, "anonymous may not POST createItem?name=a"),
    ],
)
def test_forbidden_request_is_an_error(
    jenkins: Double, user: str | None, password: str | None, error: type[LabError], said: str
) -> None:
    with pytest.raises(error) as raised:
        at(jenkins.url, user, password).create(ItemKey("job", "a"), EMPTY)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "wrong" not in str(raised.value)
    assert (jenkins.writes(), jenkins.jobs()) == ([], [])


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.usefixtures("jenkins")
def test_unreachable_server_is_an_error() -> None:
    for url in (f"http://127.0.0.1:{closed_port()}/", "http://no-such-host.invalid/"):
        with pytest.raises(InfrastructureError, match="cannot be reached") as raised:
            at(url, timeout=60.0).listing()
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("url", ["no url at all", "ftp://x/", "http://", "http://a b/", "http://[x/", "jenkins:8080"])
def test_invalid_url_is_an_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no URL of a Jenkins"):
        at(url)


def test_url_with_password_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="its URL has credentials in it") as raised:
        at("https://bot:s3cret@jenkins.lab.example/")
    assert "s3cret" not in str(raised.value)


def test_timeout_is_an_error(jenkins: Double) -> None:
    jenkins.fault("silence", times=FOREVER)
    with pytest.raises(InfrastructureError, match=r"did not answer within 0.2 seconds"):
        at(jenkins.url, timeout=0.2).listing()


def test_answer_that_is_not_jenkins_is_an_error(jenkins: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(_: Connection, __: str, into: IO[bytes], ___: int) -> dict[str, str]:
        into.write(b"<html>")
        return {}

    monkeypatch.setattr(Connection, "download", download)
    with pytest.raises(ConfigurationError, match="something else than JSON"):
        at(jenkins.url).listing()


def test_untrusted_certificate_is_an_error(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_jenkins, "PAUSES_SECONDS", ())
    with Double(certificate=certificate) as jenkins:
        with pytest.raises(InfrastructureError, match=r"TLS: .*certificate verify failed"):
            at(jenkins.url).listing()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", f"{certificate}.crt")
        assert at(jenkins.url).listing() == {}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("variable", ["{}_proxy", "all_proxy"])
def test_unreachable_proxy_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str) -> None:
    monkeypatch.setattr(lab_jenkins, "PAUSES_SECONDS", ())
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv(variable.format(scheme), f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(InfrastructureError, match=r"the proxy cannot be reached: .* \(HTTP_PROXY, HTTPS_PROXY"):
            at(f"{scheme}://jenkins.lab.example/").listing()


@pytest.mark.parametrize("prefix", ["", "jenkins/", "a/b/"])
def test_url_without_a_jenkins_is_named(jenkins: Double, prefix: str) -> None:
    """A proxy answers 404 where it knows no server; a path can be missing in the URL."""
    jenkins.fault(404, path="api/json", times=FOREVER)
    with pytest.raises(ConfigurationError) as raised:
        at(f"{jenkins.url}{prefix}").listing()
    assert str(raised.value) == f"{jenkins.url}{prefix}: nothing there (is that a Jenkins? check the URL)"


@pytest.mark.parametrize("place", ["job/f", "job/f/", "job/f/job/a/", "view/v/", "job/f/view/v/", "user/admin/"])
def test_url_of_something_in_a_jenkins_is_refused(jenkins: Double, place: str) -> None:
    """There, nothing would be found: nothing to prune, and nothing edited by hand."""
    jenkins.create("f", f"<{FOLDER}/>")
    jenkins.create("f/a", "<project/>")
    for name in ("v", "f/v"):
        jenkins.create_view(name, "<hudson.model.ListView/>")
    with pytest.raises(ConfigurationError, match=r"in a Jenkins, not a Jenkins|nothing there"):
        at(f"{jenkins.url}{place}").listing()


@pytest.mark.parametrize("fault", [403, 500, 429])
def test_message_has_no_long_query(jenkins: Double, monkeypatch: pytest.MonkeyPatch, fault: int) -> None:
    monkeypatch.setattr(lab_jenkins, "BUSY_TRIES", 0)
    monkeypatch.setattr(lab_jenkins, "PAUSES_SECONDS", ())
    jenkins.fault(fault, path="api/json", times=FOREVER)
    with pytest.raises(LabError) as raised:
        at(jenkins.url).listing()
    assert "GET api/json" in str(raised.value)
    assert "tree=" not in str(raised.value)


@pytest.mark.parametrize("deleted", ["a/b/c/d", "a/b", "a"])
def test_deep_folder_that_is_deleted_meanwhile_is_no_error(there: Server, jenkins: Double, deleted: str) -> None:
    for depth in range(1, 7):
        jenkins.create("/".join("abcdef"[:depth]), f"<{FOLDER}/>")
    jenkins.fault("meanwhile", path="job/d/api/json", action=lambda: jenkins.delete(deleted))
    assert max(key.name.count("/") for key in there.listing()) == 3


def test_deep_folder_without_an_answer_is_no_deletion(there: Server, jenkins: Double) -> None:
    for depth in range(1, 7):
        jenkins.create("/".join("abcdef"[:depth]), f"<{FOLDER}/>")
    jenkins.fault(404, path="job/d/api/json", times=FOREVER)
    with pytest.raises(InfrastructureError, match="lists the folder a/b/c/d, but answers 404 for its content"):
        there.listing()
