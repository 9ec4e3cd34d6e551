"""Upstream versions: the version that a tag stands for, and the version of a snapshot.  No input, no output.

A snapshot is ``LAST+gitYYYYMMDD.N.SHA7`` or ``NEXT~gitYYYYMMDD.N.SHA7``.  Why it rises along ancestry,
whatever the dates, merges and tags of a history:

- a commit's tags are among its descendants' tags, and the highest of NEXT~git and each TAG+git is taken, so what
  stands before the date never falls (that, and not the highest tag alone, because ``1.0.2a`` < ``1.0.2+git``);
- after the same tag, a descendant has more commits, and their greatest date, the tag's own among them, is no less;
- where no tag is counted from (NEXT~git), it is the whole history that is counted: after the last tag it would
  fall with every further tag below NEXT.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from debian.debian_support import Version

FIRST = "0.0.1"
"""The release that a repository without a usable tag leads to."""
UPSTREAM_VERSION = re.compile(r"[0-9](?:[0-9A-Za-z.+~]*[0-9A-Za-z])?")
"""Debian policy, section 5.6.12, without the characters that would need an epoch or a revision."""

_SNAPSHOT = re.compile(r"(?P<until>.*[+~]git)(?P<day>\d{8})\.(?P<count>\d+)\.(?P<commit>[0-9a-f]{7})")
_NUMBERS = re.compile(r"(?P<above>(?:\d+\.)*)(?P<last>\d+)", re.ASCII)
_REPACKED = re.compile(r"[+~.-](?:dfsg|ds|repack)[0-9.]*$")
_LAST_DAY = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())

# Nightly tags would sort above all real versions.  This means NAME-20260131 and v20260131.
_BARE_DATE = re.compile(r"\d{8}.*|\d{4}[-_]\d\d[-_]\d\d.*")
_DATED = re.compile(r".*[-_]\d{8,}")
# DEP-14: what Debian calls a version, with : as % and ~ as _, and # to keep two dots or ".lock" apart.  A version of
# debian/ without a revision is that of a native package.  CRAN's 0.1-9 is 0.1.9, as in other tags, and 2.1.12-stable is
# 2.1.12.stable, but 1.2-rc1 is none: it would stay above 1.2.
_HYPHEN = r"-(?=[0-9A-Za-z])(?!(?i:alpha|beta|preview|pre|rc|dev|eol|eom|em\b|[abcm]\d))"
_DEP14 = re.compile(
    rf"upstream/(?P<upstream>[0-9](?:[0-9A-Za-z.+_#]|{_HYPHEN})*)|debian/(?:[0-9]+%)?(?P<native>[0-9][0-9A-Za-z.+_#]*)"
)
# Unambiguous schemes of single projects: FFmpeg's n6.1, LLVM's llvmorg-17.0.6, Expat's R_2_5_0.
_SCHEMES = r"(?-i:n(?=\d+\.\d)|llvmorg-(?=\d)|R_(?=\d+_\d))"
_WORD = "(?:releases?|rel|versions?|ver)"
_PREFIX = rf"(?:{_SCHEMES}|(?:{_WORD}[-_./])?(?:{{names}})?(?:{_WORD}[-_./]?)?(?:v[-_.]?)?)"
# SemVer 2.0.0, section 10: build metadata does not count.  Two numbers and a + are no SemVer.
_SEMVER_BUILD = re.compile(r"(?P<version>\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)\+[0-9A-Za-z.-]+", re.ASCII)
_VERSION = re.compile(
    r"""
    (?P<release>\d+(?:[-_.]\d+)*)
    (?:
        (?P<letter>z?[a-wyz])                                             # 1.0.2a, 1.0.2zh: after 1.0.2
      | [-_.]?(?P<pre>(?:alpha|beta|preview|pre|rc)(?:[-_.]?\d+(?:\.\d+)*)?|[abcm][-_.]?\d+(?:\.\d+)*)
    )?
    (?:[-_.]?(?P<post>(?:post|patch|pl|sp|rev|r|p)[-_.]?\d+))?
    (?:[-_.]?(?P<dev>dev[-_.]?\d*))?
    (?:[-_.]?(?:final|release|ga|stable))?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
# Tags that are no releases of the project, whatever their numbers: those of other projects in the repository, packagings,
# end of life, and what git describe prints.
_OTHERS = re.compile(
    r".*[/@].*|.*-(?:eol|eom|em)|.*-\d+-g[0-9a-f]{7,}|[^\d].*?[-_]v?(?=\d)(?P<version>.+)", re.IGNORECASE
)
# PBR writes a pre-release of 14.0.0 as 14.0.0.0b1.
_PBR = re.compile(r"(\d+\.\d+\.\d+)\.0(?=(?:a|b|rc)\d)", re.IGNORECASE)


def local(version: str, number: int) -> str:
    """Return the version of a working tree's build: above the commit that it stands on, below the next commit."""
    return f"{version}+local{number}"


def reviewed(version: str, number: int) -> str:
    """Return the version of a change under review: another one for each run, because a state of its own has it."""
    return f"{version}+review{number}"


@dataclass(frozen=True)
class VersionTag:
    """A tag and the Debian upstream version that it stands for."""

    name: str
    version: str


@dataclass(frozen=True)
class Base:
    """The start of a snapshot's version, and the tags from which commits count (none: the whole history)."""

    until: str
    tags: tuple[VersionTag, ...] = ()


@dataclass(frozen=True)
class CommitRange:
    """The commits after a tag (``""``: all of history): how many, and the greatest committer date (Unix time).

    The date of the tag's own commit counts too.
    """

    tag: str
    count: int
    newest: int


@dataclass(frozen=True)
class SnapshotVersion:
    """A commit's version, and where it was counted from."""

    version: str
    tag: str
    count: int


def from_tag(tag: str, names: Sequence[str], pattern: re.Pattern[str] | None = None) -> str | None:
    """Return the Debian upstream version that a tag stands for, None when it is no release.

    ``names``: the names of the project (``NAME-1.2`` is a version of NAME).  ``pattern`` is matched against the whole
    tag instead of the rules here, and its one group is read as a version.
    """
    if pattern is not None:
        match = pattern.fullmatch(tag)
        return normalised(match[1] or "") if match else None
    if match := _DEP14.fullmatch(tag):
        version = (match["upstream"] or match["native"]).replace("_", "~").replace("#", "")
        version = as_in_tags(version)
        return version if UPSTREAM_VERSION.fullmatch(version) else None
    text = _prefix(tuple(names)).sub("", tag, count=1)
    noise = _DATED.fullmatch(text) or (text == tag and _BARE_DATE.fullmatch(text))
    return None if noise else normalised(text)


def may_be_release(tag: str, names: Sequence[str]) -> bool:
    """Return whether a tag without a version could be a release of the project all the same: ``r118``, ``v1.2x``."""
    text = _prefix(tuple(names)).sub("", tag, count=1)
    if not re.search(r"\d", text) or _DATED.fullmatch(text) or _BARE_DATE.fullmatch(text):
        return False
    others = _OTHERS.fullmatch(text)
    return not others or bool(others["version"] and not normalised(others["version"]))


def as_in_tags(version: str) -> str:
    """Return a packaged upstream version in the form that `from_tag` gives: 0.1-9 is 0.1.9."""
    return version.replace("-", ".")


def dep14(version: str) -> str:
    """Return an upstream version as the name of a tag below ``upstream/``: see DEP-14, "Version mangling"."""
    return re.sub(r"\.(?=\.|$|lock$)", ".#", version.replace(":", "%").replace("~", "_"))


@lru_cache
def _prefix(names: tuple[str, ...]) -> re.Pattern[str]:
    spelt = "|".join(_named(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(_PREFIX.format(names=spelt), re.IGNORECASE | re.ASCII)


def _named(name: str) -> str:
    """Return the pattern of a project's name in front of its version: ``NAME-1``, ``NAME/v1``, ``NAME@1``, ``go1.21``."""
    spelt = re.sub(r"(?:\\?[-_.])+", "[-_.]", re.escape(name))
    # python3.12 is no version 12 of python3.
    return spelt + (r"[-_/@]" if name[-1:].isdigit() else r"(?:[-_./@]|(?=\d))")


def normalised(text: str) -> str | None:
    """Return a version as upstreams write it in the form that Debian sorts; None when it is no version.

    Pre-releases go below the release (``~rc1``), and development versions below those (``~~dev5``).
    """
    if semver := _SEMVER_BUILD.fullmatch(text):
        text = semver["version"]
    match = _VERSION.fullmatch(_PBR.sub(r"\1", text, count=1))
    if match is None:
        return None
    parts = {key: re.sub(r"(?<=[a-z])[-_.]", "", (value or "").lower()) for key, value in match.groupdict().items()}
    version = re.sub(r"[-_]", ".", parts["release"]) + parts["letter"]
    if parts["pre"]:
        version += f"~{parts['pre']}"
    if parts["post"]:
        version += parts["post"] if re.match(r"p\d", parts["post"]) else f".{parts['post']}"
    if parts["dev"]:
        version += f"~{parts['dev']}" if parts["pre"] or parts["post"] else f"~~{parts['dev']}"
    return version


def base(tags: Iterable[VersionTag], following: str | None = None) -> Base:
    """Return what to count from, among the tags merged into a commit; ``following`` is the next release, where known.

    Several tags may stand for the same version, and all of them are taken: which of them was there first does not
    matter then.
    """
    ahead = f"{following or FIRST}~git"
    ranked = [(Version(f"{tag.version}+git"), tag) for tag in tags]
    highest = max((rank for rank, _ in ranked), default=None)
    if highest is None or highest < Version(ahead):
        return Base(ahead)
    return Base(str(highest), tuple(tag for rank, tag in ranked if rank == highest))


def snapshot(start: Base, ranges: Sequence[CommitRange], commit: str) -> SnapshotVersion:
    """Return the version of a commit (its full id), from a range for each tag of ``start``, or one for all commits."""
    longest = max(ranges, key=lambda each: (each.count, each.tag))
    newest = max(each.newest for each in ranges)
    return SnapshotVersion(f"{start.until}{day(newest)}.{longest.count}.{commit[:7]}", longest.tag, longest.count)


def successor(version: str, commit: str) -> str | None:
    """Return the snapshot version next above ``version`` for a commit; ``version`` itself when it is the commit's own.

    None when ``version`` is no snapshot's.
    """
    match = _SNAPSHOT.fullmatch(version)
    if match is None:
        return None
    if match["commit"] == commit[:7]:
        return version
    return f"{match['until']}{match['day']}.{int(match['count']) + 1}.{commit[:7]}"


def without_repack(version: str) -> str:
    """Return an upstream version without Debian's mark of a repacked tarball (``+dfsg1``, ``.ds``, ``+repack``)."""
    return _REPACKED.sub("", version)


def without_components(version: str) -> str:
    """Return an upstream version without the versions of further orig tarballs: ``7.3.5`` for ``7.3.5+~7.3.9``."""
    return version.partition("+~")[0]


def without_suffix(version: str) -> str:
    """Return a snapshot's version without what stands after its commit id; any other version as it is.

    That is a mark of a repacked tarball (``+dfsg``), the number of a second tarball of the commit (``+2``), and the
    revision of a native package.
    """
    match = _SNAPSHOT.match(version)
    return match[0] if match else version


def release_after(version: str) -> str:
    """Return a release whose ``RELEASE~git`` is above every upstream version with the numbers of ``version``.

    ``1.2.14`` for ``1.2.13.dfsg``: the next of the last number that stands before anything else.
    """
    match = _NUMBERS.match(version)
    if match is None:
        raise ValueError(f"{version} is no upstream version")
    return f"{match['above'] or ''}{int(match['last']) + 1}"


def commit_of(version: str) -> str | None:
    """Return the short id in a snapshot's version, None when it is no snapshot's."""
    match = _SNAPSHOT.fullmatch(version)
    return match["commit"] if match else None


def day(stamp: int) -> str:
    """Return the day of a Unix time, UTC, always in eight digits: dates beyond the year 9999 are taken for its last day."""
    return f"{datetime.fromtimestamp(min(stamp, _LAST_DAY), UTC):%Y%m%d}"
