"""The words of a lab's description: texts of many kinds, each checked as what it is used for takes it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints


def _source_package_name(name: str) -> str:
    # Debian policy, section 5.6.1.
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name):
        message = "not a source package name: lower-case letters, digits, + - ., two or more, first a letter or digit"
        raise ValueError(message)
    return name


def _label(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        message = "not a name: lower-case letters, digits, - and ., first a letter or digit"
        raise ValueError(message)
    return name


def _identity(text: str) -> str:
    if not re.fullmatch(r"[^<>\n]*\S <[^<>@\s]+@[^<>@\s]+>", text):
        message = "not a maintainer: write it as Name <address@host>"
        raise ValueError(message)
    return text


Label = Annotated[str, AfterValidator(_label)]
SourceName = Annotated[str, AfterValidator(_source_package_name)]
Identity = Annotated[str, AfterValidator(_identity)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


def _repository(url: str) -> str:
    # As git takes it: a scheme, the short form of ssh (host:path), or a path; see git-fetch(1), "GIT URLS".
    if url and ":" not in url and not url.startswith("/"):
        message = "a relative path means another place to each program: write the whole path, or a URL"
        raise ValueError(message)
    return url


def _folder(name: str) -> str:
    # What jenkins.model.Jenkins.checkGoodName() refuses, part by part.
    if any(not part or part in {".", ".."} or re.search(r"[?*\\%!@#$^&|<>\[\]:;]", part) for part in name.split("/")):
        message = "not a folder's name: parts joined by /, none of them empty, . or .., and without ?*\\%!@#$^&|<>[]:;"
        raise ValueError(message)
    return name


def _plain_path(path: str) -> str:
    # It stands in shell lines as it is.
    if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)+", path):
        message = "not a plain absolute path: letters, digits, and _ . + - in its parts, with no / at the end"
        raise ValueError(message)
    return path


def _pattern(text: str) -> str:
    try:
        matches_nothing = re.compile(text).search("")
    except re.error as error:
        message = f"not a regular expression: {error}"
        raise ValueError(message) from None
    if matches_nothing:
        message = "matches an empty text: it must ask for one character at least"
        raise ValueError(message)
    return text


def _host_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])", name):
        message = "not a host's name: letters, digits, - and ., two or more"
        raise ValueError(message)
    return name.lower()


def _web_url(url: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(/[^\s?#\"'<>\\]*)?", url):
        message = (
            "not a URL that can be linked to: http(s)://HOST[:PORT][/PATH], without a login, a query or a fragment"
        )
        raise ValueError(message)
    return url


def _address(text: str) -> str:
    # RFC 5322, 3.4.1, without quoted strings and comments.
    if not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9][A-Za-z0-9.-]*", text):
        message = "not a mail address: write it as name@host"
        raise ValueError(message)
    return text


def _smtp_server(url: str) -> str:
    if not re.fullmatch(r"smtps?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?", url):
        message = "not a mail server: smtp://HOST[:PORT] or smtps://HOST[:PORT], without a login"
        raise ValueError(message)
    return url


def _login(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?", text):
        message = "not a login: write it as USER@HOST[:PORT]"
        raise ValueError(message)
    return text


WebURL = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_web_url)]
Address = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_address)]
SMTPServer = Annotated[str, AfterValidator(_smtp_server)]
Login = Annotated[str, AfterValidator(_login)]
Pattern = Annotated[str, AfterValidator(_pattern)]
HostName = Annotated[str, AfterValidator(_host_name)]
Folder = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_folder)]
PlainPath = Annotated[str, AfterValidator(_plain_path)]
GitURL = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_repository)]


class Model(BaseModel):
    """A part of the description: immutable, and nothing in it unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)
