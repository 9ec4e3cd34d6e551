"""A double of a Sentry Switched CDU: telnet, a login, and outlets.

``lies``: it accepts ``off`` and leaves the power on; ``password``: another one is refused.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.scripts.machines.outlets import Outlets

IAC, WILL, ECHO, SUPPRESS_GO_AHEAD = 255, 251, 1, 3
PROMPT = "Switched CDU: "


@dataclass
class Sentry:
    """The device."""

    outlets: Outlets
    password: str = "secret"
    lies: bool = False
    port: int = 0
    asked: list[str] = field(default_factory=list)

    def answer(self, line: str) -> str:
        """Carry out a command; return what the device prints."""
        self.asked.append(line)
        ids = {f".A{number}": name for number, name in enumerate(self.outlets.names, 1)}
        word, _, argument = line.partition(" ")
        match word.lower():
            case "version":
                return "Sentry Switched CDU Version 6.0a\r\n"
            case "status" | "list":
                state = {name: "On" if self.outlets.is_on(name) else "Off" for name in self.outlets.names}
                return "".join(f"  {key}  {name}   {state[name]}   {state[name]}\r\n" for key, name in ids.items())
            case "on":
                self.outlets.start(ids[argument])
            case "off" if not self.lies:
                self.outlets.end(ids[argument])
        return "Command successful\r\n"


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        device = self.server.device
        self.wfile.write(bytes([IAC, WILL, ECHO, IAC, WILL, SUPPRESS_GO_AHEAD]))
        self._ask("Username: ")
        if self._ask("Password: ") != device.password:
            self.wfile.write(b"\r\nAccess denied\r\n")
            return
        while (line := self._ask(PROMPT)) and line != "LOGOUT":
            self.wfile.write(f"{line}\r\n{device.answer(line)}".encode())

    def _ask(self, prompt: str) -> str:
        """Prompt, and return the next line that is not empty; telnet sends CR LF or CR NUL, and its negotiation."""
        self.wfile.write(f"\r\n{prompt}".encode())
        typed = bytearray()
        while byte := self.rfile.read(1):
            if byte[0] == IAC:
                self.rfile.read(2)
            elif byte in b"\r\n\0":
                if typed:
                    break
            else:
                typed += byte
        return typed.decode()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    device: Sentry


@contextmanager
def sentry(outlets: Outlets) -> Iterator[Sentry]:
    """Provide a device on a port of the loopback; its outlets have no power in the end."""
    device = Sentry(outlets)
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.device, device.port = device, server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
        try:
            yield device
        finally:
            server.shutdown()
            outlets.end_all()
