"""The environment of a build, and what of it changed between two builds.

A build that breaks is the work of its upstream commits only where nothing else changed: the packages in the chroot, the
packaging, the definition of the base chroot, and the lab's description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict

SHOWN: Final = 20
"""The changes that a page or a mail shows; the number of the others follows."""
UNKNOWN: Final = "not recorded"


class BuildEnvironment(BaseModel):
    """What a build depended on besides the upstream commit.

    ``packages``: the versions in the chroot; None if the build used no chroot, empty if they are not recorded.
    ``packaging`` is the commit that debian/ is from, ``packaging_content`` a digest of debian/ without the changelog;
    both are empty if debian/ belongs to the upstream commit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    packages: Mapping[str, str] | None = None
    packaging: str = ""
    packaging_content: str = ""
    base: str = ""
    lab_commit: str = ""


class EnvironmentChange(BaseModel):
    """A part of the environment that changed; ``before`` is "" for a new one, ``after`` is "" for one that is gone.

    Without both, ``what`` has all words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    what: str
    before: str
    after: str

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows if it changed."""
        return UNKNOWN in {self.before, self.after}

    def __str__(self) -> str:
        """Return the change in words."""
        if self.is_unknown:
            return f"{self.what}: {UNKNOWN}"
        if self.before and self.after:
            return f"{self.what} {self.before} -> {self.after}"
        if not self.before and not self.after:
            return self.what
        return f"{self.what} {self.after} (new)" if self.after else f"{self.what} {self.before} (gone)"


def changes(before: BuildEnvironment | None, after: BuildEnvironment | None) -> tuple[EnvironmentChange, ...]:
    """Return what changed from one build to another; what is not known counts as changed."""
    if before is None or after is None:
        return (EnvironmentChange(what="environment", before=UNKNOWN, after=UNKNOWN),)
    return (*_definition(before, after), *_packages(before, after))


def _definition(before: BuildEnvironment, after: BuildEnvironment) -> Iterator[EnvironmentChange]:
    known = before.packaging_content and after.packaging_content
    same = before.packaging_content == after.packaging_content if known else before.packaging == after.packaging
    if not same:
        yield _change("packaging", before.packaging[:7], after.packaging[:7])
    if before.lab_commit != after.lab_commit:
        yield _change("lab.yaml", _short(before.lab_commit), _short(after.lab_commit))
    # Without a chroot, a build has no base.
    if before.base and after.base and before.base != after.base:
        yield _change("base chroot", before.base, after.base)


def _packages(before: BuildEnvironment, after: BuildEnvironment) -> Iterator[EnvironmentChange]:
    if after.packages is None:
        return
    if not (before.packages and after.packages):
        yield _change("packages in the chroot", "" if before.packages else UNKNOWN, "" if after.packages else UNKNOWN)
        return
    yield from package_changes(before.packages, after.packages)


def package_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[EnvironmentChange, ...]:
    """Return the packages whose version changed, sorted by name."""
    return tuple(
        EnvironmentChange(what=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in sorted({*before, *after})
        if before.get(name, "") != after.get(name, "")
    )


def _change(what: str, before: str, after: str) -> EnvironmentChange:
    return EnvironmentChange(what=what, before=before or "none", after=after or "none")


def _short(commit: str) -> str:
    """Return a commit of the lab as people read it, with the mark of changes that are not committed."""
    return commit[:7] + commit[40:]
