"""The types of texts in a lab's description, each with the check that its use requires."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo

# The largest count or time in lab.yaml: a century of days.  Beyond the dates of Python, a time is no time.
MOST: Final = 36_500


def matching(pattern: str, complaint: str) -> AfterValidator:
    """Return a validator of texts that match a pattern from beginning to end."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(complaint)
        return text

    return AfterValidator(check)


def is_among(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a name matches one of some names and patterns of names."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _repository(url: str) -> str:
    # The forms of git: a scheme, the short form of ssh (host:path), or a path; see git-fetch(1), "GIT URLS".
    if url and ":" not in url and not url.startswith("/"):
        message = "a relative path depends on the directory of each program: write the absolute path, or a URL"
        raise ValueError(message)
    return url


def _folder(name: str) -> str:
    # The names that jenkins.model.Jenkins.checkGoodName() refuses, part by part.
    if any(not part or part in {".", ".."} or re.search(r"[?*\\%!@#$^&|<>\[\]:;]", part) for part in name.split("/")):
        message = "not a folder's name: parts joined by /, none of them empty, . or .., and without ?*\\%!@#$^&|<>[]:;"
        raise ValueError(message)
    return name


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


def beside_lab_file(path: str, info: ValidationInfo) -> str:
    """Return a path that starts at the directory of the lab file, which the loader passes as context."""
    return str(Path(info.context["home"], path)) if info.context else path


CommitId = Annotated[str, matching(r"[0-9a-f]{40}", "not a full commit id: 40 hexadecimal digits")]
Stripped = StringConstraints(strip_whitespace=True)
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Schedule = Annotated[str, Stripped]


def _plain(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError("neither a text, a number, true nor false")  # noqa: TRY004 - the error that pydantic takes
    return value


PlainValue = Annotated[str | int | float | bool, BeforeValidator(_plain)]
Label = Annotated[
    str,
    # A name is a part of file names, of host names (RFC 1035: 63 characters) and of jobs.
    matching(
        r"[a-z0-9][a-z0-9.-]{0,62}",
        "not a name: lower-case letters, digits, - and ., first a letter or digit, 63 characters at most",
    ),
]


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [name for name in names if name in {"all", "any", "source"} or names.count(name) > 1]:
        raise ValueError(f"must name each architecture once, as dpkg does: {wrong[0]}")
    return names


Architectures = Annotated[tuple[Label, ...], Field(min_length=1), AfterValidator(_each_once)]
PACKAGE: Final = r"[a-z0-9][a-z0-9+.-]+"  # Debian policy, sections 5.6.1 and 5.6.7
OF_PACKAGE: Final = "lower-case letters, digits, + - ., two or more, first a letter or digit"
SourceName = Annotated[str, matching(PACKAGE, f"not a source package name: {OF_PACKAGE}")]
BinaryName = Annotated[str, matching(PACKAGE, f"not the name of a binary package, without a version: {OF_PACKAGE}")]
Identity = Annotated[
    str, matching(r"[^<>\n]*\S <[^<>@\s]+@[^<>@\s]+>", "not a maintainer: write it as Name <address@host>")
]
Pattern = Annotated[str, AfterValidator(_pattern)]
GitURL = Annotated[str, Stripped, AfterValidator(_repository)]
Folder = Annotated[str, Stripped, AfterValidator(_folder)]
PlainPath = Annotated[  # part of shell lines, without quotes
    str,
    matching(
        r"(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)+",
        "not a plain absolute path: letters, digits, and _ . + - in its parts, with no / at the end",
    ),
]
CommandLine = Annotated[
    str, Stripped, matching(r"[^\x00-\x1f\x7f{}]+", "not a command: write it on one line, without braces")
]
HostName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])", "not a host's name: letters, digits, - and ., two or more"
    ),
    StringConstraints(to_lower=True),
]
WebURL = Annotated[
    str,
    Stripped,
    matching(
        r"https?://[A-Za-z0-9.\[\]:-]+(/[^\s?#\"'<>\\]*)?",
        "not a URL that can be linked to: http(s)://HOST[:PORT][/PATH], without a login, a query or a fragment",
    ),
]
CommitURL = Annotated[
    str,
    Stripped,
    matching(
        r"https?://[A-Za-z0-9.\[\]:-]+/(?:[^\s\"'<>\\{}]|\{component\})*\{commit\}(?:[^\s\"'<>\\{}]|\{component\})*",
        "not the address of a commit: http(s)://HOST[:PORT]/PATH with {commit} once, and no placeholder but {component}",
    ),
]
Address = Annotated[  # RFC 5322, 3.4.1, without quoted strings and comments
    str,
    Stripped,
    matching(
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9][A-Za-z0-9.-]*", "not a mail address: write it as name@host"
    ),
]
SMTPServer = Annotated[
    str,
    matching(
        r"smtps?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?",
        "not a mail server: smtp://HOST[:PORT] or smtps://HOST[:PORT], without a login",
    ),
]
Login = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?",
        "not a login: write it as USER@HOST[:PORT]",
    ),
]


class SettingsModel(BaseModel):
    """A part of the description: immutable, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)
