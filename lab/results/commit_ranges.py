"""The commits of a first bad range, and what else can explain it: a rewritten history, and builds that are not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Generic, Protocol, TypeVar

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


class ListedCommit(Protocol):
    @property
    def id(self) -> str: ...


C = TypeVar("C", bound=ListedCommit)
C_co = TypeVar("C_co", bound=ListedCommit, covariant=True)


class RangeBuild(Protocol[C_co]):
    """A build, and the ``commits`` after ``since``, "" if that is not known: the commit that was packaged last.

    The lists of builds overlap while none of them is packaged.  ``unlisted``: the number of commits that the list lacks;
    ``commit_count``: the number in the list, of which ``commits`` can be the first.
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
    def commit_count(self) -> int: ...
    @property
    def commits(self) -> Sequence[C_co]: ...


@dataclass(frozen=True)
class ListedRange(Generic[C]):
    """The commits after the build ``good``, up to the last of the ``builds`` after it."""

    good: RangeBuild[C]
    builds: Sequence[RangeBuild[C]]

    @cached_property
    def commits(self) -> list[C]:
        """The commits that the lists name, the oldest build's first."""
        return list(
            {one.id: one for build in self.builds for one in build.commits if one.id not in self._before}.values()
        )

    @property
    def count(self) -> int:
        """The number of all commits."""
        return len(self.commits) + sum(missing for missing, _ in self._missing())

    @property
    def unlisted(self) -> int:
        """The number of the commits that no list names."""
        return sum(unlisted for _, unlisted in self._missing())

    @cached_property
    def _before(self) -> set[str]:
        return {self.good.commit, self.good.since, *(one.id for one in self.good.commits)}

    @cached_property
    def _again(self) -> set[str]:
        """The commits that were packaged before, and built again: these builds list none."""
        return {build.commit for build in self.builds if build.commit == build.since and not build.commits}

    @cached_property
    def _named(self) -> set[str]:
        """The commits of builds that have a list, and those in the lists."""
        return (
            self._before | {build.commit for build in self.builds if build.commits} | {one.id for one in self.commits}
        )

    def _missing(self) -> Iterator[tuple[int, int]]:
        """Yield, for the builds with the same beginning, how many commits are not in ``commits``, and in no list."""
        groups: dict[str | int, list[RangeBuild[C]]] = {}
        for place, build in enumerate(self.builds):
            groups.setdefault(build.since or place, []).append(build)
        for since, its in groups.items():
            longest = max(its, key=_length)
            named = {one.id for build in its for one in build.commits}
            again, more = len(named & self._before), longest.unlisted
            # Where the first of a list are all new, others in it are, too.
            is_cut = not again and len(longest.commits) < longest.commit_count
            if since == self.good.since:
                again, more = _length(self.good), longest.unlisted - self.good.unlisted
            missing = max(0, _length(longest) - again - len(named - self._before))
            yield missing, min(missing, max(0, more)) if is_cut else missing

    def reasons(self) -> Iterator[EnvironmentChange]:
        """Yield what else than the commits can be the reason."""
        known, rewritten, is_complete = {self.good.commit, self.good.since}, False, True
        for build in self.builds:
            rewritten |= build.rewritten
            # After a rewritten history, the lists say nothing of each other.
            has_list = self.good.commit and build.commits and build.since
            is_complete &= not has_list or build.since in known or rewritten
            known.add(build.commit)
        is_complete &= rewritten or not self.good.commit or self._again <= self._named
        if rewritten:
            yield REWRITTEN
        if not is_complete:
            yield UNLISTED
        if unlisted := self.unlisted:
            yield EnvironmentChange(what=f"{plural(unlisted, 'commit')} that no list names", before="", after="")


def _length(build: RangeBuild[C]) -> int:
    return build.commit_count + build.unlisted
