"""The decisions of the lab server, for each machine and boot, and its HTTP."""

from __future__ import annotations

import errno
import io
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.base import environment, files
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.machines import dnsmasq, volumes
from scripts.machines.lab_server import LONGEST, BootHTTPServer, BootServer
from scripts.machines.netboot import MOST_STAGES, BootRefused, BootTask, MachineBoots, end_of, new_id
from tests.lab.config.test_machines import SERVER, described, machine

NODE0, NODE1 = "10.77.0.10", "10.77.0.11"


@pytest.fixture
def server(lab_factory: Callable[..., Lab]) -> BootServer:
    lab = lab_factory(lab=described())
    assert lab.lab_server
    return BootServer(lab, lab.lab_server)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.mkdir()
    for name in ("root.tar", "vmlinuz", "restorer.cpio"):
        (path / name).write_text(f"the {name}")
    (path / "node.tar").write_text("the identity")
    return path


def boots(server: BootServer, name: str = "node0") -> MachineBoots:
    return MachineBoots(Store.of(server.lab), name)


def give(server: BootServer, image: Path, name: str = "node0", minutes: float = 5, sha256: str = "") -> BootTask:
    root = image / "root.tar"
    task = BootTask(
        id=new_id(), until=end_of(minutes), pristine="pristine-bookworm-1", series="bookworm", image=str(root),
        sha256=sha256 or files.sha256(root), size=13, root_size=2**30, features="none", arguments="quiet",
    )  # fmt: skip
    boots(server, name).give(task, image, image / "node.tar")
    return task


def token_of(script: str) -> str:
    (token,) = (word.partition("=")[2] for word in script.split() if word.startswith("qalab.token="))
    return token


def refused(server: BootServer, what: str, token: str, address: str = NODE0) -> str:
    with pytest.raises(BootRefused) as caught:
        server.get(address, what, token)
    return str(caught.value)


def test_machine_is_restored_once(server: BootServer, image: Path) -> None:
    task = give(server, image)
    script = server.script(NODE0)
    assert "fsck.mode=skip" in script, "its root is made anew"
    token = token_of(script)
    assert refused(server, "identity", token) == "node0: this boot has no such task"
    text = server.get(NODE0, "task", token)
    assert isinstance(text, str)
    assert {"TASK=restore", "DISK=/dev/vda", "SERIAL=DISK0", "INSTALL=0"} <= {*text.splitlines()}
    assert refused(server, "task", token) == "node0: the token has been used already"
    assert server.get(NODE0, "image", token) == image / "root.tar"
    server.post(NODE0, "stage", token, "task 2.5")
    assert boots(server).task() == task
    server.post(NODE0, "stage", token, "switch_root 9.5")
    assert boots(server).task() is None
    assert not (boots(server).home / "node.tar").exists(), "the host key is not kept"
    script = server.script(NODE0)
    assert "fsck.mode=skip" not in script
    again = token_of(script)
    text = server.get(NODE0, "task", again)
    assert "TASK=local" in str(text), "a machine that reboots by itself boots its own root"
    assert refused(server, "identity", again) == "node0: this boot has no such task"


def test_machine_that_died_begins_again(server: BootServer, image: Path) -> None:
    give(server, image)
    first = token_of(server.script(NODE0))
    server.get(NODE0, "task", first)
    second = token_of(server.script(NODE0))
    assert refused(server, "image", first) == "node0: not the token of its last boot"
    assert "TASK=restore" in str(server.get(NODE0, "task", second))


def test_no_task(server: BootServer, image: Path) -> None:
    with pytest.raises(BootRefused, match="node0 has never been installed: it has no task"):
        server.script(NODE0)
    with pytest.raises(BootRefused, match=r"no machine has the address 10\.77\.0\.99"):
        server.script("10.77.0.99")
    give(server, image, minutes=-1)
    assert "TASK=local" in str(server.get(NODE0, "task", token_of(server.script(NODE0)))), "its end has passed"


def test_token_is_of_one_machine_and_task(server: BootServer, image: Path) -> None:
    give(server, image)
    give(server, image, "node1")
    token = token_of(server.script(NODE0))
    server.script(NODE1)
    assert refused(server, "task", token, NODE1) == "node1: not the token of its last boot"
    give(server, image)
    assert refused(server, "task", token) == "node0: not the token of its last boot"


def test_wrong_digest(server: BootServer, image: Path) -> None:
    give(server, image)
    token = token_of(server.script(NODE0))
    server.get(NODE0, "task", token)
    (image / "root.tar").write_text("another")
    assert ": wrong digest: " in refused(server, "image", token)
    (image / "root.tar").unlink()
    assert refused(server, "image", token).endswith("the image is there no more")


def test_failure_is_one_line(server: BootServer, image: Path) -> None:
    give(server, image)
    token = token_of(server.script(NODE0))
    server.post(NODE0, "failed", token, f"wrong disk:\nno\x1b[1m\x07 {'x' * 5000}")
    boot = boots(server).boot()
    assert boot
    assert boot.failed.startswith("wrong disk: no x")
    assert len(boot.failed) == LONGEST
    assert boots(server).task(), "it is still to be done"


def test_system_on_the_disk_is_booted_once(server: BootServer, image: Path) -> None:
    give(server, image)
    token = token_of(server.script(NODE0))
    server.get(NODE0, "task", token)
    for name in ("kernel", "initrd"):
        server.put(NODE0, name, token, f"its {name}".encode())
    with pytest.raises(BootRefused, match="no such page"):
        server.put(NODE0, "vmlinuz", token, b"of somebody else")
    with pytest.raises(BootRefused, match="not the token of its last boot"):
        server.put(NODE0, "kernel", "no", b"of somebody else")
    server.post(NODE0, "stage", token, "reboot 9.5")
    script = server.script(NODE0)
    assert f" root={volumes.ROOT_DEVICE} ro " in script
    (token,) = {word.rpartition("/")[2] for word in script.split() if word.startswith("http://")}
    kept = server.get(NODE0, "kernel", token)
    assert isinstance(kept, Path)
    assert kept.read_text() == "its kernel"
    assert "/vmlinuz/" in server.script(NODE0), "then it is the restorer's turn"


def test_task_goes_before_the_system_on_the_disk(server: BootServer, image: Path) -> None:
    give(server, image)
    token = token_of(server.script(NODE0))
    server.put(NODE0, "kernel", token, b"its kernel")
    server.post(NODE0, "stage", token, "reboot 9.5")
    give(server, image)
    assert "/vmlinuz/" in server.script(NODE0)
    assert not (boots(server).home / "kernel").exists()


@pytest.mark.parametrize(("why", "reboots"), [("kexec -l: no", True), ("wrong disk", False)])
def test_failed_kexec_is_remembered(server: BootServer, image: Path, why: str, *, reboots: bool) -> None:
    give(server, image)
    server.post(NODE0, "failed", token_of(server.script(NODE0)), why)
    assert bool(boots(server).kexec_failure()) == reboots
    text = str(server.get(NODE0, "task", token_of(server.script(NODE0))))
    assert ("WAY=reboot\n" in text) == reboots
    boots(server).withdraw()
    text = str(server.get(NODE0, "task", token_of(server.script(NODE0))))
    assert ("WAY=reboot\n" in text) == reboots, "also when it reboots by itself"


@pytest.fixture
def http(server: BootServer) -> Iterator[str]:
    machines = {**server.lab.machines}
    machines["node0"] = machines["node0"].model_copy(update={"address": IPv4Address("127.0.0.1")})
    local = replace(server, lab=server.lab.model_copy(update={"machines": machines}))
    with BootHTTPServer(local, "127.0.0.1", 0) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.002,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def asked(url: str, data: bytes | None = None, method: str | None = None) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()


def test_http(http: str, server: BootServer, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(f"{http}/boot.ipxe") == (403, "node0 has never been installed: it has no task")
    give(server, image)
    token = token_of(asked(f"{http}/boot.ipxe")[1])
    assert asked(f"{http}/vmlinuz/{token}") == (200, "the vmlinuz")
    assert asked(f"{http}/task/{token}")[0] == 200
    assert asked(f"{http}/task/{token}") == (403, "node0: the token has been used already")
    assert asked(f"{http}/image/{token}") == (200, "the root.tar")
    assert asked(f"{http}/identity/{token}") == (200, "the identity")
    assert asked(f"{http}/stage/{token}", b"unpacked 3") == (200, "")
    assert asked(f"{http}/stage/{token}", b"unpacked")[0] == 400
    assert asked(f"{http}/kernel/{token}", b"its kernel", "PUT") == (200, "")
    assert asked(f"{http}/kernel/{token}") == (200, "its kernel")
    assert asked(f"{http}/kernel/{token}", b"", "PUT") == (400, f"not a file of at most {2**28} bytes")
    assert asked(f"{http}/../../etc/passwd")[0] == 403
    assert asked(f"{http}/image/no")[0] == 403
    assert token not in capsys.readouterr().err


def test_uefi_asks_for_the_size_of_the_loader(
    http: str, server: BootServer, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loader").write_bytes(b"x" * 1234)
    monkeypatch.setitem(dnsmasq.LOADERS, "ipxe.efi", tmp_path / "loader")
    request = urllib.request.Request(f"{http}/ipxe.efi", method="HEAD")
    with urllib.request.urlopen(request) as answer:
        assert (answer.headers["Content-Length"], answer.read()) == ("1234", b"")
    give(server, image)
    token = token_of(asked(f"{http}/boot.ipxe")[1])
    assert asked(f"{http}/task/{token}", method="HEAD")[0] == 405
    assert asked(f"{http}/task/{token}")[0] == 200


@pytest.mark.parametrize(
    "stage",
    [b"unpacked", b"unpacked nan", b"unpacked inf", b"unpacked -1", b"un/packed 1", b"", b"\xff 1", b"x" * 41 + b" 1"],
    ids=["no time", "nan", "endless", "before the start", "path", "empty", "no text", "long"],
)
def test_stage_that_no_restorer_reports(http: str, server: BootServer, image: Path, stage: bytes) -> None:
    give(server, image)
    token = token_of(asked(f"{http}/boot.ipxe")[1])
    assert asked(f"{http}/stage/{token}", stage, "POST")[0] == 400
    boot = boots(server).boot()
    assert boot
    assert boot.stages == ()


def test_stages_have_an_end(server: BootServer, image: Path) -> None:
    give(server, image)
    token = token_of(server.script(NODE0))
    for number in range(MOST_STAGES):
        server.post(NODE0, "stage", token, f"task {number}")
    with pytest.raises(BootRefused, match="node0: more than 40 stages of one boot"):
        server.post(NODE0, "stage", token, "task 99")


def raw(http: str, request: bytes, *, open_end: bool = False) -> bytes:
    """Return all that the server says to some bytes; ``open_end``: the client says no more and listens."""
    host, port = http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(request)
        if not open_end:
            client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answers:
            return answers.read()


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("size", ["-1", "many", "1e9", "99999999999999999999"])
def test_length_that_is_none(http: str, server: BootServer, image: Path, method: str, size: str) -> None:
    give(server, image)
    token = token_of(asked(f"{http}/boot.ipxe")[1])
    what = "stage" if method == "POST" else "kernel"
    head = f"{method} /{what}/{token} HTTP/1.0\r\nContent-Length: {size}\r\n\r\n".encode()
    # Half of a body: a client that goes on would have its whole memory sent.
    answered = raw(http, head, open_end=not size.isdecimal())
    assert b" 400 " in answered.splitlines()[0]


def test_file_of_a_stranger_is_refused_before_it_is_read(http: str, server: BootServer, image: Path) -> None:
    give(server, image)
    asked(f"{http}/boot.ipxe")
    head = b"PUT /kernel/guessed HTTP/1.0\r\nContent-Length: 200000000\r\n\r\n"
    answered = raw(http, head, open_end=True)
    assert answered.splitlines()[0] == b"HTTP/1.0 403 node0: not the token of its last boot"


@pytest.mark.parametrize(
    "target",
    [
        "//[",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/image/../../etc/passwd",
        "/boot.json/x",
        "/task.json",
        "/node.tar/x",
        "http://x/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_paths_that_lead_nowhere(http: str, server: BootServer, image: Path, method: str, target: str) -> None:
    give(server, image)
    answered = raw(http, f"{method} {target} HTTP/1.0\r\n\r\n".encode())
    assert answered.splitlines()[0].split()[1] in {b"400", b"403", b"405"}


@pytest.mark.parametrize("name", ["task.json", "boot.json"])
@pytest.mark.parametrize("damage", ["", "{", "[]", '{"until": "soon"}'], ids=["empty", "cut", "no object", "no time"])
def test_damaged_record_is_told(http: str, server: BootServer, image: Path, name: str, damage: str) -> None:
    give(server, image)
    token = token_of(asked(f"{http}/boot.ipxe")[1])
    (boots(server).home / name).write_text(damage)
    code, said = asked(f"{http}/task/{token}")
    assert (code, str(boots(server).home / name) in said) == (500, True)
    code, said = asked(f"{http}/boot.ipxe")
    if name == "boot.json":  # a new one replaces it
        assert asked(f"{http}/task/{token_of(said)}")[0] == 200
    else:  # whether the machine is to be restored is not known
        assert (code, str(boots(server).home / name) in said) == (500, True)


@pytest.mark.parametrize("damage", ["", "{", '{"since": 1}'])
def test_damaged_note_of_kexec_has_the_machine_reboot(server: BootServer, image: Path, damage: str) -> None:
    give(server, image)
    (boots(server).home / "kexec.json").write_text(damage)
    failure = boots(server).kexec_failure()
    assert failure
    assert "its record is damaged: " in failure.why
    assert "WAY=reboot\n" in str(server.get(NODE0, "task", token_of(server.script(NODE0))))
    boots(server).allow_kexec()
    assert boots(server).kexec_failure() is None


def test_disk_without_room_is_told(
    http: str, server: BootServer, image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give(server, image)
    home = boots(server).home

    def full(path: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(files, "write_atomic", full)
    assert asked(f"{http}/boot.ipxe") == (500, f"No space left on device: {home / 'boot.json'}")
    assert "Traceback" not in capsys.readouterr().err


def test_refusal_with_letters_of_all_kinds(http: str, server: BootServer, image: Path, tmp_path: Path) -> None:
    odd = tmp_path / "画像"
    image.rename(odd)
    give(server, odd)
    token = token_of(asked(f"{http}/boot.ipxe")[1])
    asked(f"{http}/task/{token}")
    (odd / "root.tar").unlink()
    assert asked(f"{http}/image/{token}") == (403, f"{odd / 'root.tar'}: the image is there no more")


def test_log_cannot_be_written(http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Away())
    assert asked(f"{http}/boot.ipxe")[0] == 403


def test_machines_at_once_have_their_own_boots(server: BootServer, image: Path) -> None:
    tasks = {name: give(server, image, name) for name in ("node0", "node1")}
    with ThreadPoolExecutor(8) as threads:
        scripts = list(threads.map(server.script, [NODE0, NODE1] * 8))
    for address, name in ((NODE0, "node0"), (NODE1, "node1")):
        boot = boots(server, name).boot()
        assert boot
        assert boot.task == tasks[name].id
        tokens = {token_of(script) for script in scripts} - {boot.token}
        assert all("not the token" in refused(server, "task", token, address) for token in tokens)
        assert "TASK=restore" in str(server.get(address, "task", boot.token))


@pytest.mark.parametrize("name", ["ignore", "24h", "infinite", "10.0.0.1", "10"])
def test_dnsmasq_takes_no_name_for_something_else(lab_factory: Callable[..., Lab], tmp_path: Path, name: str) -> None:
    lab = lab_factory(lab=described(machines={name: machine(0)}))
    assert lab.lab_server
    lines = dnsmasq.configuration(lab, lab.lab_server, tmp_path / "tftp").splitlines()
    assert [line for line in lines if line.startswith("dhcp-host")] == ["dhcp-host=52:54:00:77:00:00,10.77.0.10"]


def test_dnsmasq_knows_the_machines_alone(server: BootServer, tmp_path: Path) -> None:
    lines = dnsmasq.configuration(server.lab, server.server, tmp_path / "tftp").splitlines()
    assert "dhcp-host=52:54:00:77:00:00,10.77.0.10" in lines
    assert "dhcp-ignore=tag:!known" in lines
    assert "dhcp-range=10.77.0.0,static,255.255.255.0,1h" in lines
    assert "dhcp-boot=tag:ipxe,http://10.77.0.1:8070/boot.ipxe" in lines


@pytest.mark.integration
@pytest.mark.skipif(not all(map(shutil.which, ("dnsmasq", "unshare"))), reason="dnsmasq or unshare is not here")
@pytest.mark.skipif(not environment.is_root(), reason="only root has a network of its own")
@pytest.mark.parametrize("name", ["a,b", "a b", "#a", 'a"b', "a\\b", "\u00e4"])
def test_dnsmasq_reads_odd_paths(lab_factory: Callable[..., Lab], tmp_path: Path, name: str) -> None:
    lab = lab_factory(lab=described(lab_server={**SERVER, "interface": "lo"}))
    assert lab.lab_server
    tftp = tmp_path / name / "tftp"
    tftp.mkdir(parents=True)
    (tmp_path / "conf").write_text(dnsmasq.configuration(lab, lab.lab_server, tftp))
    command = f"ip link set lo up && exec dnsmasq --keep-in-foreground --log-facility=- --conf-file={tmp_path}/conf"
    said = []
    with subprocess.Popen(["unshare", "--net", "sh", "-c", command], stderr=subprocess.PIPE) as server:
        assert server.stderr
        for line in server.stderr:
            said.append(line.decode())
            if "TFTP root is" in said[-1]:
                break
        server.terminate()
    assert f"TFTP root is {tftp} " in said[-1], said
