"""The double beyond what was recorded: its state, logins, faults, and the programs that it must serve."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jenkins as python_jenkins
import pytest
import requests

from tests.jenkins import recordings
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER
from tests.jenkins.users import User
from tests.processes import wait_for

JOB = recordings.xml("contract-folder_inner", "sent")
FOLDER = recordings.xml("contract-folder", "sent")
VIEW = recordings.xml("contract-view", "sent")
MIRROR = recordings.xml("contract-mirror", "sent")


@pytest.fixture
def double() -> Iterator[Double]:
    with Double(
        users=(User("admin"), User("reader", rights=frozenset({"Read"})), User("robot", token="t0k3n"))
    ) as made:
        yield made


@pytest.fixture
def server(double: Double) -> Iterator[python_jenkins.Jenkins]:
    made = python_jenkins.Jenkins(double.url, "admin", "secret", timeout=60)
    yield made
    made._session.close()


class Client:
    """A bare client that is logged in and has its crumb."""

    def __init__(self, double: Double, user: str = "admin") -> None:
        self.url = double.url
        self.session = requests.Session()
        self.session.auth = (user, "secret")
        self.renew()

    def renew(self) -> None:
        crumb = self.session.get(f"{self.url}crumbIssuer/api/json", timeout=60).json()
        self.session.headers[crumb["crumbRequestField"]] = crumb["crumb"]

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        options = {"timeout": 5, "allow_redirects": False} | options
        return self.session.request(method, self.url + path, **options)


@pytest.fixture
def client(double: Double) -> Iterator[Client]:
    made = Client(double)
    yield made
    made.session.close()


def test_python_jenkins_drives_it(double: Double, server: python_jenkins.Jenkins) -> None:
    server.create_job("a folder", FOLDER)
    server.create_job("a folder/später", JOB)
    server.create_job("a folder/deep", FOLDER)
    server.create_job("a folder/deep/job", JOB)
    assert sorted(job["fullname"] for job in server.get_all_jobs()) == sorted(double.jobs())
    server.reconfig_job("a folder/später", JOB.replace("<command>true", "<command>false"))
    assert "<command>false" in double.config("a folder/später")
    server.rename_job("a folder/später", "a folder/nachher")
    server.copy_job("a folder/nachher", "a folder/copy")
    assert server.get_job_info("a folder/copy")["fullName"] == "a folder/copy"
    server.disable_job("a folder/copy")
    assert server.get_job_info("a folder/copy")["color"] == "disabled"
    server.enable_job("a folder/copy")
    assert not server.get_job_info("a folder/copy")["disabled"]
    server.create_view("a folder/some", VIEW)
    server.create_view("top", VIEW)
    server.reconfig_view("top", VIEW.replace("contract-.*", "a.*"))
    assert [view["name"] for view in server.get_views()] == ["all", "top"]
    assert [job["name"] for job in server.get_jobs(view_name="top")] == ["a folder"]
    assert server.get_view_config("a folder/some") == double.view_config("a folder/some")
    server.delete_view("a folder/some")
    server.delete_job("a folder/deep")
    assert double.jobs() == ["a folder", "a folder/copy", "a folder/nachher"]
    assert double.views() == ["top"]
    assert server.get_version() == "2.426.2"
    assert server.get_whoami()["id"] == "admin"
    assert server.get_plugins()["git"]["version"] == "5.2.0"
    with pytest.raises(python_jenkins.NotFoundException):
        server.get_job_config("nothing")


def test_python_jenkins_builds(double: Double, server: python_jenkins.Jenkins) -> None:
    double.create("mirror", MIRROR)
    number = server.build_job("mirror", {"SOURCE_ID": "lab/1"})
    assert server.get_queue_info()[0]["id"] == number
    build = double.start(number, log="done\n", result="FAILURE", artifacts={"a/b": b"\x00\xff"})
    assert server.get_queue_item(number)["executable"]["number"] == build.number == 1
    assert server.get_build_info("mirror", 1)["result"] == "FAILURE"
    assert server.get_build_console_output("mirror", 1) == "done\n"
    assert server.get_job_info("mirror")["lastFailedBuild"]["number"] == 1
    assert server.get_build_test_report("mirror", 1) is None


def test_what_waits_and_what_runs_can_be_ended(double: Double, server: python_jenkins.Jenkins) -> None:
    double.create("job", JOB)
    server.cancel_queue(server.build_job("job"))
    assert server.get_queue_info() == []
    server.build_job("job")
    double.start(2, result=None)
    server.stop_build("job", 1)
    assert double.build("job", 1).result == "ABORTED"
    assert server.get_job_info("job")["color"] == "aborted"
    server.delete_build("job", 1)
    assert server.get_job_info("job")["builds"] == []
    assert server.get_job_info("job")["nextBuildNumber"] == 2


@pytest.mark.integration
def test_jenkins_job_builder_yields_what_was_recorded(double: Double, tmp_path: Path) -> None:
    """Its second run adds the ``<disabled>`` that the recordings have, so this is the recorded state, byte for byte."""
    ini = tmp_path / "jenkins_jobs.ini"
    ini.write_text(f"[jenkins]\nurl={double.url}\nuser=admin\npassword=secret\n")
    program: list[str | Path] = [Path(sys.executable).parent / "jenkins-jobs", "--conf", ini, "--ignore-cache"]
    for _ in range(2):
        done = subprocess.run([*program, "update", recordings.DATA / "contract-jobs.yaml"],
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert {name: double.config(recordings.full_name(name)) for name in recordings.JOBS} == {
        name: recordings.xml(name, "stored") for name in recordings.JOBS
    }
    assert double.view_config("contract-view") == recordings.xml("contract-view", "stored")
    double.resave_all()
    assert {name: double.config(recordings.full_name(name)) for name in recordings.JOBS} == {
        name: recordings.xml(name, "resaved") for name in recordings.JOBS
    }


def test_a_hand_edit_is_saved_as_jenkins_saves(double: Double) -> None:
    double.create("job", JOB)
    double.edit("job", "<command>true", "<command>echo it's")
    assert "<command>echo it&apos;s</command>" in double.config("job")
    assert double.config("job").startswith("<?xml version='1.1' encoding='UTF-8'?>\n<project>")
    with pytest.raises(ValueError, match="not in its"):
        double.edit("job", "<command>true", "")


def test_a_rename_keeps_the_builds(double: Double, client: Client) -> None:
    double.create("old", JOB)
    double.create("taken", JOB)
    double.add_build("old", log="one\n")
    clash = client("POST", "job/old/doRename?newName=taken")
    assert (clash.status_code, clash.headers["X-Error"]) == (400, "The name  taken  is already in use.")
    done = client("POST", "job/old/doRename?newName=new")
    assert (done.status_code, done.headers["Location"]) == (302, f"{double.url}job/new/")
    assert client("GET", "job/new/1/consoleText").text == "one\n"
    assert client("GET", "job/old/api/json").status_code == 404


@pytest.mark.parametrize(
    "request_line, body, status",
    [
        ("POST createItem?name=JOB", JOB, 400),
        ("POST createItem?name=a.", JOB, 400),
        ("POST createItem?name=", JOB, 400),
        ("POST createItem?name=copy&mode=copy&from=nothing", "", 400),
        ("POST createView?name=view", VIEW, 400),
        ("POST createView?name=bad", "<hudson.model", 500),
        ("POST createView?name=odd", "<hudson.odd.View/>", 500),
        ("POST view/view/config.xml", "<hudson.model.MyView/>", 500),
        ("POST job/job/createItem?name=x", JOB, 404),
        ("POST job/job/buildWithParameters", "", 500),
        ("POST job/off/build", "", 409),
        ("POST createItem?name=a*", JOB, 400),
        ("POST view/view/build", "", 404),
        ("GET job/job/doDelete", "", 405),
        ("GET createItem?name=x", "", 405),
        ("GET api/json?tree=jobs[", "", 500),
        ("GET view/nothing/config.xml", "", 404),
        ("GET job/job/1/api/json", "", 404),
        ("GET queue/item/7/api/json", "", 404),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(
    double: Double, client: Client, request_line: str, body: str, status: int
) -> None:
    double.create("job", JOB)
    double.create("off", recordings.xml("contract-deploy", "sent"))
    double.create_view("view", VIEW)
    before = [double.config(name) for name in double.jobs()], double.view_config("view")
    assert client(*request_line.split(), data=body).status_code == status
    assert ([double.config(name) for name in double.jobs()], double.view_config("view")) == before
    assert double.writes() == []


@pytest.mark.parametrize("xml", [VIEW, VIEW.replace("  <name>contract-view</name>\n", "")])
def test_a_view_keeps_its_name(double: Double, client: Client, xml: str) -> None:
    double.create_view("view", VIEW)
    assert client("POST", "view/view/config.xml", data=xml).status_code == 200
    assert "<name>view</name>" in double.view_config("view")


def test_every_thing_has_a_page_and_everything_a_view(double: Double, client: Client) -> None:
    double.create("job", JOB)
    double.create_view("view", VIEW)
    double.add_build("job")
    for path in ("", "job/job/", "job/job/1/", "view/view/"):
        assert client("GET", path).headers["Content-Type"] == "text/html;charset=utf-8"
    assert client("GET", "view/all/api/json?tree=jobs[name]").json()["jobs"][0]["name"] == "job"


def test_a_folder_holds_its_views(double: Double, client: Client) -> None:
    double.create("folder", FOLDER)
    assert client("POST", "job/folder/createView?name=own", data=VIEW).status_code == 200
    saved = double.config("folder")
    assert "<name>own</name>" in saved
    double.resave("folder")
    assert double.config("folder") == saved
    client("POST", "job/folder/config.xml", data=FOLDER)
    assert double.views() == []
    client("POST", "job/folder/config.xml", data=saved)
    assert double.views() == ["folder/own"]
    assert double.view_config("folder/own") == recordings.xml("contract-view", "stored").replace("contract-view", "own")


def test_logins(double: Double) -> None:
    double.create("job", JOB)
    with requests.Session() as session:
        by_token = session.post(f"{double.url}createItem?name=a", data=JOB, auth=("robot", "t0k3n"), timeout=60)
        by_password = session.post(f"{double.url}createItem?name=b", data=JOB, auth=("robot", "secret"), timeout=60)
        stranger = session.get(f"{double.url}api/json", auth=("nobody", ""), timeout=60)
        anonymous = session.get(f"{double.url}job/job/config.xml", timeout=60)
    assert [one.status_code for one in (by_token, by_password, stranger, anonymous)] == [200, 403, 401, 403]
    assert double.jobs() == ["a", "job"]
    reader = Client(double, "reader")
    assert [reader("POST", path, data=JOB).status_code for path in (
        "createItem?name=c", "job/job/config.xml", "job/job/doDelete", "job/job/build", "job/job/doRename?newName=d",
    )] == [403] * 5  # fmt: skip
    reader.session.close()
    assert [request.user for request in double.writes()] == ["robot"]


def test_without_anonymous_read() -> None:
    with Double(anonymous_read=False) as double, requests.Session() as session:
        assert session.get(f"{double.url}api/json", timeout=60).status_code == 403
        assert session.get(f"{double.url}api/json", auth=("reader", "secret"), timeout=60).status_code == 200


def test_crumbs_are_of_their_session(double: Double, client: Client) -> None:
    other = Client(double)
    stolen = {"Jenkins-Crumb": other.session.headers["Jenkins-Crumb"]}
    assert client("POST", "createItem?name=a", data=JOB, headers=stolen).status_code == 403
    double.expire_crumbs()
    assert client("POST", "createItem?name=a", data=JOB).status_code == 403
    client.renew()
    assert client("POST", "createItem?name=a", data=JOB).status_code == 200
    other.session.close()


@pytest.mark.parametrize(
    "kind, done, error",
    [
        (500, False, None), (503, False, None), (403, False, None), ("crumb", False, None),
        ("reset", False, requests.ConnectionError), ("lost", True, requests.ConnectionError),
        ("silence", False, requests.Timeout), ("slow", True, None),
    ],
)  # fmt: skip
def test_faults(double: Double, client: Client, *, kind: Any, done: bool, error: type[Exception] | None) -> None:
    double.fault(kind, at=2, method="POST", path="createItem", seconds=0.1)
    assert client("GET", "createItem").status_code == 405  # of another method: not counted
    assert client("POST", "createItem?name=first", data=JOB).status_code == 200
    status = 0 if error else {"slow": 200, "crumb": 403}.get(kind, kind)
    started = time.monotonic()
    if error is None:
        assert client("POST", "createItem?name=second", data=JOB).status_code == status
    else:
        with pytest.raises(error):
            client("POST", "createItem?name=second", data=JOB, timeout=0.3 if kind == "silence" else 60)
    assert kind != "slow" or time.monotonic() - started >= 0.1
    assert wait_for(lambda: double.requests[-1].status == status)  # the client may give up before the server reads it
    assert double.jobs() == ["first", *(["second"] if done else [])]
    assert len(double.writes()) == 1 + done
    assert client("POST", "createItem?name=third", data=JOB).status_code == 200  # once, and no more


def test_a_fault_for_ever_until_healed(double: Double, client: Client) -> None:
    double.fault(503, times=FOREVER)
    assert [client("GET", "api/json").status_code for _ in range(3)] == [503] * 3
    double.heal()
    assert client("GET", "api/json").status_code == 200


def test_logs_grow(double: Double, client: Client) -> None:
    double.create("job", JOB)
    build = double.add_build("job", log="one\n", result=None)
    assert client("GET", "job/job/api/json?tree=color").json()["color"] == "notbuilt_anime"
    first = client("GET", "job/job/1/logText/progressiveText?start=0")
    assert (first.text, first.headers["X-Text-Size"], first.headers["X-More-Data"]) == ("one\r\n", "4", "true")
    build.log, build.result = "one\ntwo\n", "SUCCESS"
    second = client("GET", "job/job/lastBuild/logText/progressiveText?start=4")
    assert (second.text, second.headers["X-Text-Size"]) == ("two\r\n", "8")
    assert "X-More-Data" not in second.headers


def test_artifacts_and_files_are_bytes(client: Client, double: Double) -> None:
    content = bytes(range(256)) + b"\r\n--\r\n"
    double.create("mirror", MIRROR)
    double.run = lambda build: setattr(build, "artifacts", {"deep/er/it.bin": build.parameters[0].value})
    for number in (1, 2):  # one with a file is never folded with another
        made = client("POST", "job/mirror/buildWithParameters", files={"bundle.tar": ("x", content)})
        assert (made.status_code, made.headers["Location"]) == (201, f"{double.url}queue/item/{number}/")
    assert client("GET", "job/mirror/2/artifact/deep/er/it.bin").content == content
    assert client("GET", "job/mirror/2/artifact/deep/it.bin").status_code == 404


def test_a_body_in_chunks(client: Client, double: Double) -> None:
    assert client("POST", "createItem?name=job", data=iter([JOB[:9].encode(), JOB[9:].encode()])).status_code == 200
    assert "<command>true</command>" in double.config("job")


def test_a_connection_is_closed_when_asked(double: Double) -> None:
    with socket.create_connection(
        ("127.0.0.1", int(double.url.rstrip("/").rpartition(":")[2])), timeout=60
    ) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        with connection.makefile("rb") as stream:
            assert stream.read().startswith(b"HTTP/1.1 200 OK\r\n")  # and then its end


def test_wipe_and_two_of_them(double: Double) -> None:
    double.create("folder", FOLDER)
    double.create("folder/job", JOB)
    double.create_view("view", VIEW)
    with Double() as other:
        assert other.jobs() == []
        other.create("else", JOB)
        double.wipe()
        assert (double.jobs(), double.views(), other.jobs()) == ([], [], ["else"])


def test_https(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem,
                    "-out", tmp_path / "cert.pem"], check=True, capture_output=True)  # fmt: skip
    pem.write_bytes(pem.read_bytes() + (tmp_path / "cert.pem").read_bytes())
    with Double(certificate=pem) as double:
        assert double.url.startswith("https://")
        assert requests.get(double.url, verify=str(tmp_path / "cert.pem"), timeout=60).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(double.url, timeout=60)


@pytest.mark.integration
def test_many_clients_at_once(double: Double) -> None:
    for number in range(8):
        double.create(f"job{number}", JOB)
    statuses: list[int] = []

    def work(number: int) -> None:
        client = Client(double)
        statuses.extend(client("POST", f"job/job{number}/config.xml", data=JOB).status_code for _ in range(20))
        client.session.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses, len(double.writes())) == ([200] * 160, 160)
