"""What else than the listed commits can explain a first bad range: a rewritten history, and builds that are not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Final, Protocol

from lab.results.build_environment import EnvironmentChange

REWRITTEN: Final = EnvironmentChange(
    what="the upstream history was rewritten: commits of before are gone", before="", after=""
)
"""A commit that is gone can be the reason, and those of earlier builds need not be in a build after it."""
UNLISTED: Final = EnvironmentChange(
    what="the list of commits is incomplete: it lacks those of builds that are not published", before="", after=""
)
"""Builds between were retracted or removed, or a list begins later, with a release."""


class RangeBuild(Protocol):
    """A build, and the ``commits`` that it is the first to have: those after ``since``, "" if that is not known."""

    @property
    def commit(self) -> str: ...
    @property
    def since(self) -> str: ...
    @property
    def rewritten(self) -> bool: ...
    @property
    def commits(self) -> Sized: ...


def other_reasons(good: str, builds: Iterable[RangeBuild]) -> Iterator[EnvironmentChange]:
    """Yield what else can be the reason; the builds after the one at the commit ``good`` are in their order."""
    known, rewritten, is_complete = {good}, False, True
    for build in builds:
        rewritten |= build.rewritten
        # After a rewritten history, the lists say nothing of each other.
        is_complete &= not (good and build.commits and build.since) or build.since in known or rewritten
        known.add(build.commit)
    if rewritten:
        yield REWRITTEN
    if not is_complete:
        yield UNLISTED
