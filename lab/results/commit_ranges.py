"""What else than the listed commits can explain a first bad range: a rewritten history, and builds that are not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Final, Protocol

from lab.base.text import plural
from lab.results.build_environment import EnvironmentChange

REWRITTEN: Final = EnvironmentChange(
    what="the upstream history was rewritten: commits of before are gone", before="", after=""
)
"""A commit that is gone can be the reason, and those of earlier builds need not be in a build after it."""
UNLISTED: Final = EnvironmentChange(
    what="the list of commits is incomplete: it lacks those of builds that are not published", before="", after=""
)
"""Builds between were retracted or removed, or a list begins later, with a release."""
WAS_FLAKY: Final = EnvironmentChange(
    what="the test was flaky before: its first failures in a row can be chance", before="", after=""
)
"""The commit that broke it can then be in a later build."""
OUTAGE: Final = EnvironmentChange(what="most tests failed at once, as in an outage of the lab", before="", after="")


def reasons_heading(commits: int) -> str:
    """Return the heading of the reasons beside some commits: not all of them are changes."""
    return f"{'Other possible' if commits else 'Possible'} reasons since the last good build"


class RangeBuild(Protocol):
    """A build, and the ``commits`` that it is the first to have: those after ``since``, "" if that is not known.

    ``unlisted``: the number of others.
    """

    @property
    def commit(self) -> str: ...
    @property
    def since(self) -> str: ...
    @property
    def rewritten(self) -> bool: ...
    @property
    def unlisted(self) -> int: ...
    @property
    def commits(self) -> Sized: ...


def other_reasons(good: str, builds: Iterable[RangeBuild]) -> Iterator[EnvironmentChange]:
    """Yield what else can be the reason; the builds after the one at the commit ``good`` are in their order."""
    known, rewritten, is_complete, unlisted = {good}, False, True, 0
    for build in builds:
        rewritten |= build.rewritten
        # After a rewritten history, the lists say nothing of each other.
        is_complete &= not (good and build.commits and build.since) or build.since in known or rewritten
        known.add(build.commit)
        unlisted += build.unlisted
    if rewritten:
        yield REWRITTEN
    if not is_complete:
        yield UNLISTED
    if unlisted:
        yield EnvironmentChange(what=f"{plural(unlisted, 'commit')} that no list names", before="", after="")
