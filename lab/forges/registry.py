"""The forges of a lab.  A new kind of forge is a module with a `lab.forges.proposals.Forge`, and a line below."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab.config import access
from lab.config.description import Lab
from lab.forges.forge_api import ForgeApi
from lab.forges.gerrit import GerritForge
from lab.forges.gerrit_rest import GerritRest
from lab.forges.gerrit_ssh import GerritSsh
from lab.forges.github import GitHubForge
from lab.forges.gitlab import GitLabForge
from lab.forges.proposals import Forge


def open_forge(lab: Lab, base: Path, name: str, now: Callable[[], float]) -> Forge:
    """Return a server of ``reviews`` in lab.yaml; ``base``: the directory of lab.yaml.

    Raises ConfigurationError for credentials that are not where lab.yaml says.
    """
    server, key = lab.reviews[name], f"{lab.file.name}: reviews.{name}"
    if server.forge == "github":
        return GitHubForge(name, server, ForgeApi(server, key, now))
    if server.forge == "gitlab":
        return GitLabForge(name, server, ForgeApi(server, key, now))
    if server.ssh:
        return GerritForge(name, server, GerritSsh(server, server.ssh))
    login = access.login(server.credentials, base, "reviews.gerrit")
    return GerritForge(name, server, GerritRest(server, key, login, now))
