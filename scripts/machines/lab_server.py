"""The HTTP server that bare machines boot from: it decides for each machine and boot what is to be done.

A machine is known by its address, which the DHCP server gives to its MAC, and then by the token of its boot.

::

    GET  /boot.ipxe            the script of iPXE, with a new token
    GET  /ipxe.efi             iPXE itself, for UEFI HTTP boot
    GET  /vmlinuz/TOKEN, /restorer.cpio/TOKEN
    GET, PUT /kernel/TOKEN, /initrd/TOKEN   of the system on the disk, where kexec fails
    GET  /task/TOKEN           once; see restorer.sh
    GET  /image/TOKEN, /identity/TOKEN
    POST /stage/TOKEN          NAME UPTIME
    POST /failed/TOKEN         why
"""

from __future__ import annotations

import http.server
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lab.base import failures, files
from lab.base.errors import LabError
from lab.base.text import cut_short, one_line, printable_line
from lab.config.description import Lab
from lab.config.machines import BareMachine, LabServer
from lab.store.runs import Store
from scripts.drivers.systems.content import ARGUMENTS, UNCHECKED
from scripts.machines import dnsmasq, volumes
from scripts.machines.netboot import FILES, IDENTITY, OWN, BootRefused, MachineBoots

MOST_BYTES: Final = 10_000
MOST_FILE_BYTES: Final = 2**28
SECONDS: Final = 60.0
LOADER: Final = "ipxe.efi"
LONGEST: Final = 500
STAGE: Final = re.compile(r"(?P<name>[a-z_]{1,40}) (?P<uptime>[0-9]{1,9}(\.[0-9]{1,9})?)")


@dataclass
class BootServer:
    """The decisions, without HTTP."""

    lab: Lab
    server: LabServer
    good: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def machine_at(self, address: str) -> tuple[MachineBoots, BareMachine]:
        """Return the machine of an address.  Raises BootRefused."""
        for name, machine in self.lab.machines.items():
            if machine.installable and machine.address == IPv4Address(address):
                return MachineBoots(Store.of(self.lab), name), machine
        raise BootRefused(f"no machine has the address {address}")

    def script(self, address: str) -> str:
        """Return the script of iPXE for a machine's next boot.  Raises BootRefused."""
        boots, machine = self.machine_at(address)
        boot = boots.begin()
        token, url = boot.token, f"http://{self.server.address}:{self.server.port}"
        if boot.own:
            return (
                f"#!ipxe\nkernel {url}/kernel/{token} initrd=initrd root={volumes.ROOT_DEVICE} ro"
                f" {ARGUMENTS} {UNCHECKED}\n"
                f"initrd --name initrd {url}/initrd/{token}\nboot\n"
            )
        words = (
            f"{ARGUMENTS}{f' {UNCHECKED}' if boot.task else ''} qalab.server={url} qalab.token={token} qalab.mac={machine.mac}"
            f" qalab.address={address}/{self.server.network.prefixlen}"
        )
        # The word initrd= is for EFI.
        return (
            f"#!ipxe\nkernel {url}/vmlinuz/{token} initrd=restorer.cpio quiet {words}\n"
            f"initrd --name restorer.cpio {url}/restorer.cpio/{token}\nboot\n"
        )

    def get(self, address: str, what: str, token: str) -> str | Path:
        """Return the answer to a request: a text, or a file.  Raises BootRefused."""
        if what == dnsmasq.SCRIPT:
            return self.script(address)
        if what == LOADER:
            return dnsmasq.LOADERS[what]
        boots, machine = self.machine_at(address)
        if what in (*FILES, *OWN):
            boots.may_read(token)
            return boots.home / what
        if what == "task":
            return boots.fetch(token, machine)
        if what == "identity":
            boots.image(token)
            return boots.home / IDENTITY
        if what == "image":
            task = boots.image(token)
            self._check(Path(task.image), task.sha256)
            return Path(task.image)
        raise BootRefused("no such page")

    def post(self, address: str, what: str, token: str, said: str) -> None:
        """Take a report.  Raises BootRefused, and ValueError for one that no restorer makes."""
        boots, _ = self.machine_at(address)
        text = printable_line(said)
        if what == "stage":
            found = STAGE.fullmatch(text)
            if not found:
                raise ValueError("not a stage: its name, and the seconds since the start")
            boots.report(token, found["name"], float(found["uptime"]))
        elif what == "failed":
            boots.fail(token, cut_short(text, LONGEST))
        else:
            raise BootRefused("no such page")

    def may_put(self, address: str, what: str, token: str) -> None:
        """Raise BootRefused where a file is not taken."""
        boots, _ = self.machine_at(address)
        if what not in OWN:
            raise BootRefused("no such page")
        boots.may_read(token)

    def put(self, address: str, what: str, token: str, data: bytes) -> None:
        """Take a file.  Raises BootRefused."""
        self.may_put(address, what, token)
        self.machine_at(address)[0].keep(token, what, data)

    def _check(self, path: Path, expected: str) -> None:
        try:
            status = path.stat()
            key = (str(path), status.st_mtime_ns, status.st_size)
            found = self.good.get(key) or self.good.setdefault(key, files.sha256(path))
        except FileNotFoundError:
            raise BootRefused(f"{path}: the image is there no more") from None
        if found != expected:
            raise BootRefused(f"{path}: wrong digest: {found}")


class BootRequest(http.server.BaseHTTPRequestHandler):
    """One request."""

    timeout = SECONDS
    begun = False

    def __init__(self, boot_server: BootServer, *arguments: object) -> None:
        self.boot_server = boot_server
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        with self._answering():
            found = self.boot_server.get(*self._request)
            if isinstance(found, str):
                self._answer(200, found)
            else:
                with found.open("rb") as stream:
                    self._head(200, found.stat().st_size)
                    shutil.copyfileobj(stream, self.wfile)

    def do_HEAD(self) -> None:
        """Say how large the loader is: UEFI asks before it reads, and boots nothing else by HTTP."""
        with self._answering():
            what = self._request[1]
            if what == LOADER:
                self._head(200, dnsmasq.LOADERS[what].stat().st_size)
            else:
                self._head(405, 0)

    def do_POST(self) -> None:
        with self._answering():
            said = self.rfile.read(min(self._size, MOST_BYTES)).decode(errors="replace")
            self.boot_server.post(*self._request, said)
            self._answer(200, "")

    def do_PUT(self) -> None:
        with self._answering():
            self.boot_server.may_put(*self._request)  # before anything is read
            if not 0 < self._size <= MOST_FILE_BYTES or len(data := self.rfile.read(self._size)) != self._size:
                raise ValueError(f"not a file of at most {MOST_FILE_BYTES} bytes")
            self.boot_server.put(*self._request, data)
            self._answer(200, "")

    @property
    def _request(self) -> tuple[str, str, str]:
        what, _, token = urlsplit(self.path).path.strip("/").partition("/")
        return self.client_address[0], what, token

    @property
    def _size(self) -> int:
        told = self.headers.get("Content-Length", "0")
        if not told.isdecimal():
            raise ValueError(f"Content-Length: {told}: not a number of bytes")
        return int(told)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except BootRefused as error:
            self._refuse(403, error)
        except ValueError as error:
            self._refuse(400, error)
        except (ConnectionError, TimeoutError) as error:  # a machine that lost its power
            self.log_error("%s", error)
            self.close_connection = True
        except (LabError, OSError) as error:  # a damaged record, a full disk
            self._refuse(500, failures.failure(error).message)

    def _refuse(self, status: int, why: object) -> None:
        self.log_error("%s", why)
        self.close_connection = True
        if not self.begun:  # within a file, an answer would be taken for a part of it
            self._answer(status, f"{why}\n", str(why))

    def _head(self, status: int, size: int, reason: str | None = None) -> None:
        self.begun = True
        self.send_response(status, reason and one_line(reason).encode("latin-1", "replace").decode("latin-1"))
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def _answer(self, status: int, text: str, reason: str | None = None) -> None:
        data = text.encode()
        with suppress(OSError):
            self._head(status, len(data), reason)
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        """Log without tokens, and without what controls a terminal."""
        line = printable_line(format % arguments)
        for word in line.split():
            if "/" in word and word.count("-"):
                line = line.replace(word, word.rpartition("/")[0])
        with suppress(OSError):  # of a log that is away, such as that of systemd
            sys.stderr.write(f"{self.client_address[0]} {line}\n")


class BootHTTPServer(http.server.ThreadingHTTPServer):
    """The server on a network."""

    daemon_threads = True
    request_queue_size = 128  # a whole rack asks at once

    def __init__(self, boot_server: BootServer, address: str, port: int) -> None:
        super().__init__((address, port), partial(BootRequest, boot_server))
