"""A mail server on loopback that stores its mail: SMTP (RFC 5321) with STARTTLS, AUTH and failures on request."""

from __future__ import annotations

import base64
import socket
import socketserver
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Self

from tests.loopback import Loopback


@dataclass(frozen=True)
class Taken:
    """A mail and its recipients."""

    to: tuple[str, ...]
    data: bytes
    is_encrypted: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        return BytesParser(policy=policy.default).parsebytes(self.data)  # type: ignore[return-value]


@dataclass
class MailServer(Loopback):
    """A server that runs in a ``with`` block.

    ``refuse``: the answer to a command instead of its effect, None for none; an empty answer closes the connection.
    ``lose``: the number of mails that the server accepts without an answer.
    """

    certificate: Path | None = None
    users: dict[str, str] = field(default_factory=dict)
    is_tls_from_the_start: bool = False
    refuse: Callable[[str], str | None] = lambda _: None
    lose: int = 0
    taken: list[Taken] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        server = self
        self.context = None
        if self.certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(self.certificate)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                talk = Talk(server, self.request)
                with suppress(OSError):  # the client disconnected, or has no TLS
                    talk.run()
                talk.close()

        return self.serve(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))

    def forget(self) -> None:
        """Answer as at the start, without mails."""
        self.refuse = lambda _: None
        self.lose = 0
        self.taken.clear()
        self.commands.clear()

    @property
    def url(self) -> str:
        scheme = "smtps" if self.is_tls_from_the_start else "smtp"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def subjects(self) -> list[str]:
        return [str(one.message["Subject"]) for one in self.taken]


class Talk:
    """A connection."""

    def __init__(self, server: MailServer, connection: socket.socket) -> None:
        self.server, self.connection = server, connection
        self.is_encrypted, self.user, self.to = False, "", []
        self.stream = connection.makefile("rb")

    def close(self) -> None:
        self.stream.close()
        self.connection.close()

    def _encrypt(self) -> None:
        self.stream.close()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.stream = self.connection.makefile("rb")
        self.is_encrypted = True

    def say(self, *lines: str) -> None:
        code, texts = lines[0][:3], [lines[0][4:], *lines[1:]]
        marks = ["-"] * (len(texts) - 1) + [" "]
        self.connection.sendall(
            "".join(f"{code}{mark}{text}\r\n" for mark, text in zip(marks, texts, strict=True)).encode()
        )

    def run(self) -> None:
        if self.server.is_tls_from_the_start:
            self._encrypt()
        self.say("220 double ESMTP")
        while line := self.stream.readline():
            verb, blank, rest = line.decode().strip().partition(" ")
            parameter, colon, address = rest.partition(":")  # smtplib writes TO:, or to: in newer versions of Python
            command = f"{verb.upper()}{blank}{parameter.upper() if colon else parameter}{colon}{address}"
            self.server.commands.append(command)
            answer = self.server.refuse(command)
            if answer == "":
                return
            if answer:
                self.say(answer)
            elif not self.obey(verb.upper(), command):
                return

    def obey(self, verb: str, command: str) -> bool:
        match verb:
            case "EHLO" | "HELO":
                offers = ["STARTTLS"] if self.server.context and not self.is_encrypted else []
                offers += ["AUTH PLAIN"] if self.server.users else []
                self.say("250 double", *offers, "8BITMIME")
            case "STARTTLS":
                self.say("220 go ahead")
                self._encrypt()
            case "AUTH":
                _, user, password = base64.b64decode(command.split()[2]).decode().split("\0")
                self.user = user if self.server.users.get(user) == password else ""
                self.say("235 welcome" if self.user else "535 authentication failed")
            case "MAIL" | "RSET" | "NOOP":
                self.to = []
                self.say("530 who are you?" if self.server.users and not self.user else "250 OK")
            case "RCPT":
                self.to.append(command.partition("<")[2].partition(">")[0])
                self.say("250 OK")
            case "DATA":
                self.say("354 go on")
                return self.take()
            case "QUIT":
                self.say("221 bye")
                return False
            case _:
                self.say("500 what?")
        return True

    def take(self) -> bool:
        lines = []
        while (line := self.stream.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if line == b"":
            return False
        answer = self.server.refuse("(data)")
        if answer:
            self.say(answer)
            return True
        self.server.taken.append(Taken(tuple(self.to), b"".join(lines), self.is_encrypted, self.user))
        if self.server.lose:
            self.server.lose -= 1
            return False
        self.say("250 taken")
        return True
