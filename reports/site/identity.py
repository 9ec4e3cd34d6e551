"""The lab of a site, and the bugs that it knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lab.config.description import Lab
from lab.config.servers import KnownBug


@dataclass(frozen=True)
class Identity:
    """The lab of a site; ``url`` is the site's public address with a final slash, "" if it is unknown.

    ``known`` does not decide how a page of a build looks: a change of it changes the pages of breakages alone.
    """

    lab: str
    description: str = ""
    url: str = ""
    known: tuple[KnownBug, ...] = ()


def identity(lab: Lab) -> Identity:
    """Return the identity of a lab's site."""
    public = lab.public
    url = (public.site_url if public else None) or ""
    known = public.known_bugs if public else ()
    return Identity(lab.lab.name, lab.lab.description, f"{url.rstrip('/')}/" if url else "", known)


@dataclass(frozen=True)
class FailureFacts:
    """A breakage, as far as it decides about known bugs; ``day`` is that of its newest bad build."""

    component: str
    track: str
    name: str
    message: str
    day: str


def bug_of(known: Iterable[KnownBug], failure: FailureFacts) -> str:
    """Return the URL of the first known bug that explains a breakage, "" if there is none."""
    return next((bug.bug for bug in known if _explains(bug, failure)), "")


def _explains(bug: KnownBug, failure: FailureFacts) -> bool:
    def matches(name: str, patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    return (
        matches(failure.name, (bug.test,))
        and matches(failure.component, bug.components)
        and matches(failure.track, bug.tracks)
        and (bug.until is None or failure.day <= bug.until.isoformat())
        and (bug.message is None or re.search(bug.message, failure.message) is not None)
    )
