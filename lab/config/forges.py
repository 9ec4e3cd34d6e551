"""The settings of forges and of commit statuses, and the project on a forge that a repository URL names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field

from lab.config.secret_source import SecretSource
from lab.config.types import MOST, SettingsModel, Text, WebURL, is_among

SCHEMES: Final = {"https", "http", "ssh", "git", "git+ssh", "ssh+git"}
SHORT_SSH: Final = re.compile(r"(?:[^@/:]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^/].*|/[^/].*)")  # [USER@]HOST:PATH
NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")


class ForgeServer(SettingsModel):
    """A GitHub, a GitLab or a Gerrit."""

    forge: Literal["gerrit", "github", "gitlab"] = Field(description="The kind of the forge.")
    url: WebURL | None = Field(
        None,
        description="The URL of the forge. Default: `https://github.com/` or `https://gitlab.com/`.",
        examples=["https://gitlab.example.org/"],
    )
    api: WebURL | None = Field(
        None,
        description="The URL of the REST API. Default: `https://api.github.com/`; `api/v3/` below the URL of another "
        "GitHub; `api/v4/` below the URL of a GitLab.",
        examples=["https://gitlab.example.org/api/v4/"],
    )
    token: SecretSource | None = Field(
        None,
        description="The source of the access token. Default: the variable QALAB_GITHUB_TOKEN or QALAB_GITLAB_TOKEN.",
    )

    @property
    def home(self) -> str:
        """The URL of the forge, with its final slash."""
        return f"{(self.url or f'https://{self.forge}.com').rstrip('/')}/"

    @property
    def api_url(self) -> str:
        """The URL of the REST API, with its final slash."""
        own = "https://api.github.com" if self.home == "https://github.com/" else ""
        below = f"{self.home}api/v{3 if self.forge == 'github' else 4}"
        return f"{(self.api or own or below).rstrip('/')}/"

    @property
    def secret(self) -> SecretSource:
        return self.token or SecretSource(env=f"QALAB_{self.forge.upper()}_TOKEN")

    def project(self, git: str) -> str | None:
        """Return the path of the project that a repository URL names; None for a repository elsewhere."""
        home = urlsplit(self.home)
        found = _location(git)
        if found is None:
            return None
        host, path = found
        if host.startswith("//"):  # a URL of the web server: with its port, and with the path of the forge in front
            if host != f"//{home.netloc.lower()}" or not path.startswith(home.path.lstrip("/")):
                return None
            path = path.removeprefix(home.path.lstrip("/"))
        elif host != home.hostname:
            return None
        parts = path.removesuffix("/").removesuffix(".git").split("/")
        is_plain = _is_plain(parts)
        is_long_enough = len(parts) == 2 if self.forge == "github" else len(parts) > 1  # noqa: PLR2004 - OWNER/NAME
        return "/".join(parts) if is_plain and is_long_enough else None


class CommitStatuses(ForgeServer):
    """Commit statuses on a GitHub or a GitLab: one for each track and phase, at the tested upstream commit."""

    forge: Literal["github", "gitlab"] = Field(description="The kind of the forge.")
    components: tuple[Text, ...] | None = Field(
        None,
        description="Names of components, or patterns of names; the upstream repository of each must be on the forge. "
        "Default: all components whose upstream repository is there.",
    )
    tracks: tuple[Text, ...] = Field(("*",), description="Names of tracks, or patterns of names.")
    context: Text = Field(
        "qalab", description="The first part of the names of the statuses: `CONTEXT/TRACK/PHASE`.", examples=["qalab"]
    )
    history_days: int = Field(
        1,
        ge=1,
        le=MOST,
        description="A build that ended this many days before it was published gets no status, "
        "unless an earlier build of its commit has one: it is history.",
    )

    def names(self, component: str, track: str) -> bool:
        """Return whether lab.yaml names this component for the forge; the location of its repository aside."""
        components = ("*",) if self.components is None else self.components
        return is_among(component, components) and is_among(track, self.tracks)


def _is_plain(parts: Sequence[str]) -> bool:
    return all(NAME.fullmatch(part) and part not in {"-", ".", ".."} for part in parts)


def _location(git: str) -> tuple[str, str] | None:
    """Return the host and the path of a repository URL, None for a local path; a web server's host begins with //.

    See git-fetch(1), "GIT URLS".
    """
    if "://" not in git:
        short = SHORT_SSH.fullmatch(git)
        return (short["host"].lower(), short["path"].lstrip("/")) if short else None
    try:
        url = urlsplit(git)
        host, port = (url.hostname or "").lower(), url.port
    except ValueError:
        return None
    if url.scheme not in SCHEMES or not host or url.query or url.fragment:
        return None
    path = url.path.lstrip("/")
    if url.scheme not in {"https", "http"}:
        return host, path
    usual = {"https": 443, "http": 80}[url.scheme]
    return f"//{host}" if port in {None, usual} else f"//{host}:{port}", path
