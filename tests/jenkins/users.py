"""Who may do what: logins by password or API token, sessions and their crumbs."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

READ_ONLY = frozenset({"Read", "ExtendedRead"})
JOBS = READ_ONLY | {"Create", "Configure", "Delete", "Build"}
ALL = JOBS | {"SystemRead"}


@dataclass(frozen=True)
class User:
    """A login.  ``rights`` are Jenkins' permissions on items; config.xml is read with ExtendedRead."""

    name: str
    password: str = "secret"
    token: str = ""
    rights: frozenset[str] = ALL


@dataclass(frozen=True)
class Caller:
    """Who makes a request, and how he logged in."""

    user: User
    by_token: bool = False


ANONYMOUS = User("anonymous", "", rights=frozenset({"Read"}))
NOBODY = User("anonymous", "", rights=frozenset())
DEFAULT = (User("admin"), User("reader", rights=READ_ONLY))


@dataclass
class Gate:
    """The users of one Jenkins and their sessions."""

    users: Iterable[User] = DEFAULT
    anonymous: User = ANONYMOUS
    sessions: dict[str, str] = field(default_factory=dict)
    """The names of the users that sessions were opened by."""

    def caller(self, authorization: str | None) -> Caller | None:
        """Who the header says it is, None when that is not true."""
        if authorization is None:
            return Caller(self.anonymous)
        name, _, password = base64.b64decode(authorization.partition(" ")[2]).decode().partition(":")
        for user in self.users:
            if user.name == name and password and password in {user.password, user.token}:
                return Caller(user, by_token=password == user.token)
        return None

    def open_session(self, user: User) -> str:
        session = secrets.token_hex(12)
        self.sessions[session] = user.name
        return session

    def session(self, cookies: str, user: User) -> str:
        """The caller's session among his cookies, empty when there is none of his."""
        for cookie in cookies.split(";"):
            name, _, value = cookie.strip().partition("=")
            if name.startswith("JSESSIONID") and self.sessions.get(value) == user.name:
                return value
        return ""

    def crumb(self, session: str) -> str:
        return hashlib.sha256(f"crumb of {session} of {self.sessions[session]}".encode()).hexdigest()
