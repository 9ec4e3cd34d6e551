"""Redirects that Jenkins sends after a write, and redirects of a proxy or a login page in front of it.

Jenkins answers a deletion, a change of a build and some other writes with a redirect to a page that shows the result
(recorded: 302 after ``doDelete``, ``disable`` and ``configSubmit``, 303 after ``buildWithParameters`` of a build that
waits already).  A proxy that redirects all requests to https, or to another path, keeps the rest of the URL.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import requests

from lab.base.errors import ConfigurationError

PORTS: Final = {"http": 80, "https": 443}


class Redirected(ConfigurationError):
    """A proxy or a login page redirects requests; the server did nothing."""


def is_own(root: str, where: str, answer: requests.Response) -> bool:
    """Return whether a redirect is Jenkins' own after a POST to ``where``, a path below the URL ``root``.

    The scheme and the port are ignored: behind a proxy that terminates TLS, Jenkins can write those that it sees itself.
    """
    redirect, base = urlsplit(target(answer)), urlsplit(_directory(root))
    if redirect.hostname != base.hostname or not redirect.path.startswith(base.path):
        return False
    shown = unquote(redirect.path.removeprefix(base.path))
    *directory, call = unquote(where.partition("?")[0]).split("/")
    match call:
        case "build" | "buildWithParameters":
            return shown.startswith("queue/item/")
        case "doDelete":  # a build, job/NAME/NUMBER, shows its job; job/NAME and view/NAME show what they were in
            return shown in {_path(directory[:-1]), _path(directory[:-2])}
    return shown == _path(directory)


def is_below(root: str, url: str) -> bool:
    """Return whether a URL is below that of a Jenkins."""
    one, base = urlsplit(url), urlsplit(_directory(root))
    return _origin(one) == _origin(base) and one.path.startswith(base.path)


def complaint(root: str, answer: requests.Response) -> Redirected:
    """Return the error for the URL of a Jenkins that answered with a redirect, with the correct URL as a hint."""
    requested, redirect = urlsplit(answer.url), urlsplit(target(answer))._replace(query="", fragment="")
    where = requested.path.removeprefix(urlsplit(_directory(root)).path)
    if where and redirect.path.endswith(f"/{where}"):
        right = redirect._replace(path=redirect.path.removesuffix(where)).geturl()
        return Redirected(f"{root}: redirects to {right}", hint=f"configure {right} as the URL of this Jenkins")
    hint = "configure a URL at which Jenkins answers itself; is a login in front of it?"
    return Redirected(f"{root}: redirects {answer.request.method} {where} to {redirect.geturl()}", hint=hint)


def target(answer: requests.Response) -> str:
    """Return the URL that a redirect names."""
    return urljoin(answer.url, answer.headers.get("Location", ""))


def _directory(root: str) -> str:
    return root.rstrip("/") + "/"


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def _path(segments: list[str]) -> str:
    return "".join(f"{segment}/" for segment in segments)
