"""The version that the packaging has already: its upstream commit, and what to set where a snapshot is not above it.

A part of the step `changelog`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from debian.debian_support import Version

from lab.base.debian import compare
from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror
from lab.store.step import StepContext
from scripts.upstream import debian_versions, tags, versions
from scripts.upstream.tags import CommitHistory
from scripts.upstream.versions import VersionTag

# The heading of an entry, see deb-changelog(5).
HEADING = re.compile(r"^\w[\w.+-]* \((?P<version>[^()\s]+)\)(?P<suites>[^;\n]*)", re.MULTILINE)
UNRELEASED = (["UNRELEASED"], ["unreleased"])
# An abbreviated commit in a version: 1.0.6~git20210604-d5e0c06, 0.0~git20260101.784c73b, 1.2+gd5e0c06.  Not a date.
COMMIT_ID = re.compile(r"(?:git|g)?(?P<id>(?=[0-9]*[a-f])[0-9a-f]{7,40})")


def newest(changelog: str) -> str:
    """Return the newest version in a changelog that no lab has made, "" when there is none."""
    return next((match["version"] for match in _own_entries(changelog)), "")


def newest_released(changelog: str) -> str:
    """Return the newest of these versions that is not only prepared, "" when there is none.

    An entry for UNRELEASED, see dch(1), is the packager's plan: snapshots before that release belong below it.
    """
    found = (match for match in _own_entries(changelog) if match["suites"].split() not in UNRELEASED)
    return next((match["version"] for match in found), "")


def _own_entries(changelog: str) -> Iterator[re.Match[str]]:
    return (match for match in HEADING.finditer(changelog) if not debian_versions.made_by_a_lab(match["version"]))


def last_commit(context: StepContext, mirror: GitMirror, changelog: str) -> str:
    """Return the upstream commit of the newest version, else that of the newest released one; "" when neither is known."""
    found = (
        upstream_commit(context, mirror, str(Version(version).upstream_version))
        for version in (newest(changelog), newest_released(changelog))
        if version
    )
    return next(filter(None, found), "")


def upstream_commit(context: StepContext, mirror: GitMirror, version: str) -> str:
    """Return the upstream commit of a packaged upstream version, "" when it is not known.

    It is the one whose id stands in the version, else the one with a tag that stands for the version.
    """
    plain = versions.as_in_tags(versions.without_repack(versions.without_components(version)))
    for word in reversed(re.split(r"[^0-9A-Za-z]+", plain)):
        match = COMMIT_ID.fullmatch(word)
        if match and (commit := mirror.resolve(match["id"])):
            return commit
    found = [
        name
        for name, read in tags.read_all(context, mirror)
        if Version(versions.without_repack(read)) == Version(plain)
    ]
    # A tag of a git-buildpackage import is often on a separate branch.
    found.sort(key=lambda name: (name.startswith("upstream/"), name))
    return next((commit for name in found if (commit := mirror.resolve(f"{tags.TAGS}{name}"))), "")


def check(context: StepContext, history: CommitHistory, version: str, packaged: str, published: str) -> None:
    """Raise ConfigurationError where the Debian version of a snapshot is not above others' ("": any is).

    ``packaged`` is the newest version that the packaging has released, ``published`` the one that the series has.  apt upgrades nobody to a
    package that is below, and where the lab's archive is pinned it replaces a newer one.
    """
    series = context.series_name
    others = (packaged, "the packaging's own version", False), (published, f"the version that {series} has", True)
    for other, whose, replaces in others:
        if other and not compare(version, "gt", other):
            cures = Cures(context, history, version, other)
            again = f"qalab run --run {context.run.id} --from snapshot: lab.yaml has another version by now"
            found = again if cures.are_set else hint(context, cures, replaces=replaces)
            raise ConfigurationError(f"{version} is not above {other}, {whose}", hint=found)


def hint(context: StepContext, cures: Cures, *, replaces: bool) -> str:
    """Return what to set in lab.yaml; ``replaces``: also that the lab's package replaces the distribution's."""
    found = [*cures.all(), *(["replace_newer: true"] if replaces else [])]
    keys = " or ".join(f"components.{context.component_name}.version.{cure}" for cure in found)
    if not found or found == ["replace_newer: true"]:
        epoch = Version(cures.other).epoch
        raise_it = f"debian/changelog of the packaging needs a version with the epoch {epoch}"
        return f"{raise_it}, or set {keys}" if keys else raise_it
    return f"set {keys}"


@dataclass(frozen=True)
class Cures:
    """Settings with which the version of a history is above another one; each was tried on the history."""

    context: StepContext
    history: CommitHistory
    version: str
    other: str

    @property
    def are_set(self) -> bool:
        """Whether the settings help that lab.yaml has: the step `snapshot` had others."""
        return self._helps(tags.usable(self.context, self.history), tags.following(self.context))

    def all(self) -> Iterator[str]:
        """Yield ``KEY: VALUE`` for each setting that helps, below ``version``."""
        yield from (f"tag_pattern: {text}" for text in self._patterns())
        read = tags.usable(self.context, self.history)
        ahead, _, rest = versions.without_components(self._upstream).partition("~")
        # A package version 1.0.6~git... leads to 1.0.6.
        releases = [*([ahead] if rest else []), versions.release_after(self._upstream)]
        yield from [f"next: {release}" for release in releases if self._helps(read, release)][:1]

    @property
    def _upstream(self) -> str:
        return str(Version(self.other).upstream_version)

    def _helps(self, read: list[VersionTag], following: str | None) -> bool:
        epoch, revision = Version(self.version).epoch or "0", debian_versions.revision("deb", 1)
        version = self.history.version(read, following).version
        return compare(f"{epoch}:{version}-{revision}", "gt", self.other)

    def _patterns(self) -> Iterator[str]:
        """Yield the pattern that reads a tag of the packaged release, where there is such a tag."""
        release = versions.without_repack(self._upstream)
        stems = dict.fromkeys(match[1] for name in self.history.tags if (match := re.match(r"(\D+)\d", name)))
        for stem in stems:
            text = re.sub(r"\\([-/])", r"\1", re.escape(stem)) + "(.*)"
            found = [(name, versions.from_tag(name, (), re.compile(text))) for name in self.history.tags]
            read = [VersionTag(name, version) for name, version in found if version]
            packaged = any(tag.version == release for tag in read)
            if packaged and self._helps(read, tags.following(self.context)):
                yield text
                return
