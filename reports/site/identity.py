"""The lab of a site, and the failures that it knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from lab.config import known_failures
from lab.config.description import Lab
from lab.config.known_failures import KnownFailure
from reports.bisections import Bisections
from reports.lab_view import phases_of

COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
# Debian policy, 5.6.7 and 5.6.12: the lines are for a shell, and bundles can come from elsewhere.
PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+=[A-Za-z0-9.+:~-]+")
SUITE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~-]*")


@dataclass(frozen=True)
class Identity:
    """The lab of a site; ``url`` is the site's public address with a final slash, "" if it is unknown.

    ``archive`` is the public address of the lab's archive, "" if it has none; ``commit_urls`` are the components whose
    upstream commits have pages, with the template of their addresses.
    ``known``, ``bisections`` and ``phases`` do not decide how a page of a build looks: a change of them changes other
    pages alone.
    """

    lab: str
    description: str = ""
    url: str = ""
    known: tuple[KnownFailure, ...] = ()
    archive: str = ""
    commit_urls: tuple[tuple[str, str], ...] = ()
    promotes: bool = False
    """Whether a track of the lab promotes by itself."""
    bisections: Bisections = ()
    phases: tuple[tuple[str, str, str], ...] = ()
    """The components, tracks and phases that lab.yaml has; without any, none counts as dropped."""

    @cached_property
    def _phases(self) -> frozenset[tuple[str, str, str]]:
        return frozenset(self.phases)

    def has(self, component: str, track: str, phase: str) -> bool:
        """Return whether the lab still has a phase of a component on a track."""
        return not self.phases or (component, track, phase) in self._phases

    @cached_property
    def _commit_urls(self) -> dict[str, str]:
        return dict(self.commit_urls)

    def commit_url(self, component: str, commit: str) -> str:
        """Return the upstream page of a commit, "" if it has none."""
        template = self._commit_urls.get(component, "")
        return template.replace("{commit}", commit) if COMMIT.fullmatch(commit) else ""

    def apt_lines(self, suite: str, packages: Mapping[str, str]) -> tuple[str, ...]:
        """Return the lines that make packages of a state or a track available and install them; none without an archive."""
        wanted = [f"{name}={version}" for name, version in packages.items() if PACKAGE.fullmatch(f"{name}={version}")]
        if not self.archive or not wanted or not SUITE.fullmatch(suite):
            return ()
        key = f"/etc/apt/keyrings/{self.lab}.asc"
        return (f"deb [signed-by={key}] {self.archive} {suite} main", f"apt-get install {' '.join(wanted)}")


def identity(lab: Lab) -> Identity:
    """Return the identity of a lab's site."""
    public = lab.public
    url = (public.site_url if public else None) or ""
    return Identity(
        lab.lab.name,
        lab.lab.description,
        f"{url.rstrip('/')}/" if url else "",
        known_failures.read(lab),
        (lab.archive.url or "").rstrip("/"),
        tuple(_commit_urls(lab).items()),
        any(track.promotion for track in lab.tracks.values()),
        phases=tuple(phases_of(lab)),
    )


NO_LAB: Final = Identity("")


def _commit_urls(lab: Lab) -> dict[str, str]:
    """Return the template of each component; that of the first track which has one."""
    found: dict[str, str] = {}
    for track in lab.tracks:
        for name in lab.components_of(track):
            if name not in found and (url := lab.component(name, track).upstream.commit_url):
                found[name] = url
    return found
