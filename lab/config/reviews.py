"""The settings of the servers with changes under review."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from lab.config.forges import ForgeServer
from lab.config.types import Login, Text, WebURL

GERRIT_ONLY: Final = ("label", "credentials", "ssh")
OTHERS_ONLY: Final = ("api", "token", "context", "publish_private")
PROJECT: Final = re.compile(r"[A-Za-z0-9_.+-]+(/[A-Za-z0-9_.+-]+)*")


class ReviewServer(ForgeServer):
    """A server with changes under review: a Gerrit (changes), a GitHub (pull requests) or a GitLab (merge requests)."""

    trusted: tuple[Text, ...] = Field(
        (),
        description="User names, or patterns of names: their changes are tested at once, and they may approve those of "
        "others. On GitHub, who may write to the project is trusted too, and on GitLab its members from Developer on. "
        "For a Gerrit it is required; `*` trusts everybody.",
        examples=[["alice", "*-bot"]],
    )
    git: WebURL | None = Field(
        None,
        description="The repositories to fetch changes from, above the path of a project. Default: the upstream "
        "repository of the component, which must not be a mirror without changes.",
        examples=["https://review.example.org/"],
    )
    context: Text = Field(
        "qalab", description="The name of the commit status of a pull or merge request.", examples=["qalab"]
    )
    publish_private: bool = Field(
        False,
        description="Test the changes of projects that not everybody sees, and publish the results. Default: only those "
        "of public projects.",
    )
    label: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = Field(
        "Verified", description="The label of a Gerrit to vote on."
    )
    credentials: Text = Field(
        "env",
        description="The source of the HTTP credentials of a Gerrit: `env` (QALAB_GERRIT_USER, QALAB_GERRIT_PASSWORD), "
        "`ini:PATH` (section gerrit), or `keyring:SERVICE`.",
    )
    ssh: Login | None = Field(
        None,
        description="`USER@HOST[:PORT]`: use the SSH command line of a Gerrit instead of HTTP, with the keys of the user "
        "that publishes. Default: HTTP.",
        examples=["qalab@review.example.org:29418"],
    )

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        is_gerrit = self.forge == "gerrit"
        if wrong := [name for name in (OTHERS_ONLY if is_gerrit else GERRIT_ONLY) if name in self.model_fields_set]:
            raise ValueError(f"{wrong[0]}: a {self.forge} has no such setting")
        if is_gerrit and not self.url:
            raise ValueError("url: missing; the URL of the Gerrit server")
        if is_gerrit and not self.trusted:
            raise ValueError('trusted: missing; whose changes are tested: user names, or "*" for everybody')
        return self

    def project(self, git: str) -> str | None:
        """Return the path of the project that a repository URL names; None for a repository elsewhere.

        A Gerrit's project can also be named by the URL of a mirror, whose path then is the name of the project.
        """
        return gerrit_project(self.home, git) if self.forge == "gerrit" else super().project(git)

    def repository(self, project: str, upstream: str) -> str:
        """Return the repository to fetch a change from."""
        return f"{self.git.rstrip('/')}/{project}" if self.git else upstream


def gerrit_project(home: str, git: str) -> str | None:
    """Return the project on the Gerrit at ``home`` that a repository URL names, None for a path on this machine.

    Gerrit serves authenticated HTTP below a/; see its REST API, "Authentication".
    """
    if git.startswith(("/", "file:")) or not git:
        return None
    url = urlsplit(git) if "://" in git else None
    path = (url.path if url else git.partition(":")[2]).strip("/").removesuffix(".git")
    if url and url.scheme in {"http", "https"} and url.hostname == urlsplit(home).hostname:
        below = urlsplit(home).path.strip("/")
        path = path.removeprefix(f"{below}/") if below else path
        path = path.removeprefix("a/")
    return path if PROJECT.fullmatch(path) else None
