"""Upstream histories in a few words, as a model and as a real git repository.

A history is a line of words:

- ``.`` a commit, a day after the one before; ``.-3`` three days before it, ``.0`` at the same time;
- ``@name`` go to the commit called ``name`` and commit on top of it from there (``@`` alone: to no commit, a new root);
- ``*name`` a commit that merges the commit called ``name``;
- ``=name`` call the commit ``name``;
- ``^tag`` an annotated tag, ``^^tag`` a tag of a tag, put on the commit; ``#tag`` a tag of a file;
- anything else is a lightweight tag, put on the commit.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.upstream import versions

START = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY = 86_400


def tags_of(names: Iterable[str]) -> list[versions.VersionTag]:
    return [versions.VersionTag(name, version) for name in names if (version := versions.from_tag(name, ["greet"]))]


def dpkg(left: str, relation: str, right: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", left, relation, right], check=False).returncode == 0


@dataclass
class History:
    """Commits by number, each with its parents and its committer date; tags by name, with their commit.

    ``objects``: the tags that have an object of their own, and how deep it is nested (0: it is a file).
    """

    parents: list[tuple[int, ...]] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    tags: dict[str, int] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)

    def add(self, parents: Sequence[int], stamp: int) -> int:
        self.parents.append(tuple(parents))
        self.stamps.append(stamp)
        return len(self.stamps) - 1

    @classmethod
    def read(cls, text: str) -> History:
        history, here, names = cls(), None, {}
        for word in text.split():
            above = [] if here is None else [here]
            when = START + DAY if not history.stamps else history.stamps[-1] + DAY
            if word.startswith("."):
                days = 1 if word == "." else int(word[1:])
                here = history.add(above, when + (days - 1) * DAY)
            elif word.startswith("*"):
                here = history.add([*above, names[word[1:]]], when)
            elif word.startswith("@"):
                here = names[word[1:]] if word[1:] else None
            elif word.startswith("="):
                names[word[1:]] = here
            elif word.startswith("#"):
                history.objects[word[1:]] = 0
            else:
                name = word.lstrip("^")
                history.tags[name] = here
                if depth := len(word) - len(name):
                    history.objects[name] = depth
        return history

    def ancestors(self, commit: int) -> set[int]:
        """With the commit itself."""
        found, todo = set(), [commit]
        while todo:
            if (one := todo.pop()) not in found:
                found.add(one)
                todo.extend(self.parents[one])
        return found

    def edges(self) -> Iterator[tuple[int, int]]:
        """Parent and child."""
        return ((parent, child) for child, parents in enumerate(self.parents) for parent in parents)

    def snapshot(self, commit: int, following: str | None = None, name: str | None = None) -> versions.SnapshotVersion:
        """Return the version of a commit; ``name`` is its real id, if any."""
        reach = self.ancestors(commit)
        start = versions.base(tags_of(tag for tag, at in self.tags.items() if at in reach), following)
        stretches = [self._stretch(reach, tag.name) for tag in start.tags] or [self._stretch(reach, "")]
        return versions.snapshot(start, stretches, name or hashlib.sha1(b"%d" % commit).hexdigest())

    def _stretch(self, reach: set[int], tag: str) -> versions.CommitRange:
        at = {self.tags[tag]} if tag else set()
        behind = reach - self.ancestors(self.tags[tag]) if tag else reach
        return versions.CommitRange(tag, len(behind), max(self.stamps[one] for one in behind | at))

    def write(self, repository: Path) -> list[str]:
        """Write a bare repository whose branch main is the last commit; return the full ids of the commits."""
        subprocess.run(["git", "init", "--quiet", "--bare", "--template=", repository], check=True)
        stream = []
        for number, (parents, stamp) in enumerate(zip(self.parents, self.stamps, strict=True)):
            # A ref each: no commit is lost, and no order of committing matters.
            stream += [f"reset refs/heads/c{number}", f"commit refs/heads/c{number}", f"mark :{number + 1}"]
            stream += [f"committer A <a@upstream.example> {stamp} +0000", f"data {len(str(number))}", str(number)]
            stream += [f"{'merge' if place else 'from'} :{parent + 1}" for place, parent in enumerate(parents)]
            stream += ["M 644 inline greet.txt", f"data {len(str(number))}", str(number)]
        stream += ["reset refs/heads/main", f"from :{len(self.stamps)}", ""]
        for tag, at in self.tags.items():
            stream += [f"reset refs/tags/{tag}", f"from :{at + 1}", ""]
        marks = repository / "marks"
        argv = ["git", "fast-import", "--quiet", "--force", f"--export-marks={marks}"]
        subprocess.run(argv, cwd=repository, input="\n".join(stream).encode() + b"\n", check=True)
        found = dict(line.split() for line in marks.read_text().splitlines())
        for tag, depth in self.objects.items():
            nest(repository, tag, depth)
        return [found[f":{number + 1}"] for number in range(len(self.stamps))]


def nest(repository: Path, tag: str, depth: int) -> None:
    """Make a lightweight tag an annotated one, or a tag of a tag; or with depth 0 a new tag of a file."""
    who = ["-c", "user.name=A", "-c", "user.email=a@upstream.example", "-c", "advice.nestedTag=false"]
    if not depth:
        subprocess.run(["git", "tag", tag, "main:greet.txt"], cwd=repository, check=True)
    for level in range(depth):
        argv = ["git", *who, "tag", "--annotate", "--force", "--message", f"level {level}", tag, tag]
        subprocess.run(argv, cwd=repository, check=True, stdout=subprocess.DEVNULL)


# What happens (name: words), version.next, the last commit's version without its id, and what dpkg must hold it to be
# above and below.
CASES: dict[str, tuple[str, str | None, str, str, str]] = {
    # Where there is nothing to count from.
    "one commit": (".", None, "0.0.1~git20260102.1", "0", "0.0.1"),
    "no tag": (". . .", None, "0.0.1~git20260104.3", "0.0.0", "0.0.1~rc1"),
    "no tag, next known": (". . .", "1.0", "1.0~git20260104.3", "0.9.9", "1.0"),
    "words for tags": (". stable latest . nightly", None, "0.0.1~git20260103.2", "0", "0.0.1"),
    "a tag elsewhere": (". =a . 1.0 @a . .", None, "0.0.1~git20260105.3", "0", "0.0.1"),
    "ends of life only": (". newton-eol . ocata-em . yoga-eom .", None, "0.0.1~git20260105.4", "0", "0.0.1"),
    "private tags only": (". private-1.0 . private-2 .", None, "0.0.1~git20260104.3", "0", "0.0.1"),
    "the packaging's tags only": (". debian/1.0-1 . debian/1.1-1 .", None, "0.0.1~git20260104.3", "0", "0.0.1"),
    "DEP-14 tags": (". upstream/1.0 . upstream/1.1_rc1 .", None, "1.1~rc1+git20260104.1", "1.1~rc1", "1.1"),
    "DEP-14 tags beside upstream's": (". v1.0 . upstream/1.0+dfsg .", None, "1.0+git20260104.2", "1.0+dfsg", "1.0.1"),
    "a repacked DEP-14 tag above upstream's": (
        ". v1.0 . upstream/1.0.dfsg .",
        None,
        "1.0.dfsg+git20260104.1",
        "1.0.dfsg",
        "1.1",
    ),
    "an epoch in a DEP-14 tag": (". upstream/1.0 . upstream/1%2.0 .", None, "1.0+git20260104.2", "1.0", "1.1"),
    "build metadata": (". v1.0.0+1 . v1.0.0+2 .", None, "1.0.0+git20260104.2", "1.0.0", "1.0.1"),
    "a first tag below 0.0.1": (". . 0.0.0 .", None, "0.0.1~git20260104.3", "0.0.0", "0.0.1"),
    "a first alpha of 0.0.1": (". . 0.0.1a1 .", None, "0.0.1~git20260104.3", "0.0.1~a1", "0.0.1"),
    "0.0.1 is out": (". . 0.0.1 .", None, "0.0.1+git20260104.1", "0.0.1", "0.0.2"),
    # One line, releases on it.
    "at the tag": (". . v1.0", None, "1.0+git20260103.0", "1.0", "1.0.1"),
    "after the tag": (". v1.0 . .", None, "1.0+git20260104.2", "1.0", "1.0.1"),
    "two releases": (". v1.0 . v1.1 .", None, "1.1+git20260104.1", "1.1", "1.1.1"),
    "ten after nine": (". 1.9 . 1.10 .", None, "1.10+git20260104.1", "1.10", "1.11"),
    "two tags on a commit": (". 1.0 . 1.1 1.2 .", None, "1.2+git20260104.1", "1.2", "1.2.1"),
    "a lower tag later": (". 2.0 . 1.9.1 . .", None, "2.0+git20260105.3", "2.0", "2.0.1"),
    "named tags": (". greet-1.0 . greet-1.1 .", None, "1.1+git20260104.1", "1.1", "1.2"),
    "another project's tags": (". greet-1.0 . frown-7.1 .", None, "1.0+git20260104.2", "1.0", "1.1"),
    "releases in words": (". release-1.0 . version-1.1 . rel_1_2 .", None, "1.2+git20260105.1", "1.2", "1.2.1"),
    "underscores": (". GREET_1_2_3 .", None, "1.2.3+git20260103.1", "1.2.3", "1.2.4"),
    "dates beside versions": (". v1.0 . 20260103 nightly-2026-01-03 .", None, "1.0+git20260104.2", "1.0", "1.1"),
    "versions by the calendar": (". 2025.12 . 2026.01.03 .", None, "2026.01.03+git20260104.1", "2026.01.03", "2026.2"),
    "whole numbers": (". v254 . v255 .", None, "255+git20260104.1", "255", "255.1"),
    "rebuilt releases": (". 7.1.0-61 . 7.1.0-62 .", None, "7.1.0.62+git20260104.1", "7.1.0.62", "7.1.0.63"),
    "ends of life beside versions": (". 1.0 . newton-eol . 1.0-eol .", None, "1.0+git20260105.3", "1.0", "1.1"),
    "a four-part version": (". 1.2.3.4 .", None, "1.2.3.4+git20260103.1", "1.2.3.4", "1.2.3.5"),
    "leading zeros": (". 1.02 . 1.2 .", None, "1.02+git20260104.2", "1.2", "1.3"),
    # Pre-releases.
    "a candidate": (". 1.0rc1 .", None, "1.0~rc1+git20260103.1", "1.0~rc1", "1.0~rc2"),
    "from candidate to release": (". 1.0rc1 . 1.0rc2 . 1.0 .", None, "1.0+git20260105.1", "1.0", "1.0.1"),
    "alpha, beta, candidate": (". 1.0a1 . 1.0b1 . 1.0rc1 .", None, "1.0~rc1+git20260105.1", "1.0~rc1", "1.0"),
    "PBR's betas": (". 13.0.0 . 14.0.0.0b1 . 14.0.0.0b2 .", None, "14.0.0~b2+git20260105.1", "14.0.0~b2", "14.0.0~b3"),
    "PBR's candidate": (". 14.0.0.0b3 . 14.0.0.0rc1 .", None, "14.0.0~rc1+git20260104.1", "14.0.0~rc1", "14.0.0"),
    "PBR's release": (". 14.0.0.0rc1 . 14.0.0.0rc2 . 14.0.0 .", None, "14.0.0+git20260105.1", "14.0.0", "14.0.1"),
    "PBR's development tags": (". 14.0.0.0b1.dev5 .", None, "14.0.0~b1~dev5+git20260103.1", "13.9", "14.0.0~b1"),
    "development versions": (". 1.0 . 1.1.dev1 .", None, "1.1~~dev1+git20260104.1", "1.0", "1.1~a1"),
    "semantic versions": (
        ". v1.0.0-alpha.9 . v1.0.0-beta.2 .",
        None,
        "1.0.0~beta2+git20260104.1",
        "1.0.0~alpha10",
        "1.0.0",
    ),
    "beta eleven": (". 1.0-beta.2 . 1.0-beta.11 .", None, "1.0~beta11+git20260104.1", "1.0~beta2", "1.0~rc1"),
    "milestones": (". 5.0-M1 . 5.0-M2 . 5.0-RC1 .", None, "5.0~rc1+git20260105.1", "5.0~m2", "5.0"),
    "a late candidate": (". 1.0 . 1.0rc9 . .", None, "1.0+git20260105.3", "1.0", "1.0.1"),
    # After a release.
    "a post release": (". 1.0 . 1.0.post1 .", None, "1.0.post1+git20260104.1", "1.0.post1", "1.0.post2"),
    # 1.0.2a is below 1.0.2+git...: the version continues from 1.0.2, and is above 1.0.2a.
    "letters": (". 1.0.2 . . 1.0.2a .", None, "1.0.2+git20260105.3", "1.0.2a", "1.0.3"),
    "letters without their number": (". 2025a . 2025b .", None, "2025b+git20260104.1", "2025b", "2025c"),
    "patch levels": (". 9.6p1 . 9.7p1 .", None, "9.7p1+git20260104.1", "9.7p1", "9.7p2"),
    "patch levels beside the release": (". 1.9.15 . 1.9.15p1 . .", None, "1.9.15+git20260105.3", "1.9.15p1", "1.9.16"),
    "final": (". 1.0.Final . 1.1-RELEASE .", None, "1.1+git20260104.1", "1.1", "1.1.1"),
    # Merges.
    "a merge": (". v1.0 =a . @a . =b @a . *b", None, "1.0+git20260106.3", "1.0", "1.1"),
    "a merged tag": (". v1.0 =a . v1.1 =b @a . *b", None, "1.1+git20260105.2", "1.1", "1.2"),
    "a merged lower tag": (". v1.0 =a . 1.0.1 =b @a . v2.0 *b .", None, "2.0+git20260106.3", "2.0", "2.1"),
    "two roots": (". v1.0 =a @ . . *a .", None, "1.0+git20260106.4", "1.0", "1.1"),
    "the same version on two sides": (". =a . . 1.0 =b @a . v1.0 . . =c . *b", None, "1.0+git20260109.6", "1.0", "1.1"),
    "the same version on two sides, one of them late": (
        ". =r . . . v1.0 =t @r .900 =h @t .-899 *h =a @h . 1.0 =u @a *u",
        None,
        "1.0+git20280623.6",
        "1.0",
        "1.1",
    ),
    # Dates that do not rise.
    "backwards": (". v1.0 . .-1 .-1", None, "1.0+git20260103.3", "1.0", "1.1"),
    "far backwards": (". v1.0 . .-20 .-20 .-20", None, "1.0+git20260103.4", "1.0", "1.1"),
    "all before their tag": (".40 v1.0 .-30 .1 .1", None, "1.0+git20260210.3", "1.0", "1.1"),
    "many on a day": (". v1.0 . .0 .0 .0 .0 .0 .0 .0 .0 .0 .0", None, "1.0+git20260103.11", "1.0", "1.1"),
    "one from the future": (". v1.0 . .30000 .-30000 .", None, "1.0+git21080223.4", "1.0", "1.1"),
    "the future forgotten after a release": (". v1.0 .9000 .-9000 v1.1 . .", None, "1.1+git20260104.2", "1.1", "1.2"),
    "beyond the year 9999": (". v1.0 .3000000 .", None, "1.0+git99991231.2", "1.0", "1.1"),
    "a merge of the past": (". v1.0 =a .20 =b @a .-19 . *b", None, "1.0+git20260122.4", "1.0", "1.1"),
    # The next release is known.
    "before the next": (". 1.0 . .", "2.0", "2.0~git20260104.3", "1.0", "2.0~rc1"),
    "a fix merged before the next": (". 1.0 =a . 1.0.1 =b @a . *b", "2.0", "2.0~git20260105.4", "1.0.1", "2.0"),
    "a beta below the next": (". 1.0 . 2.0b1 . .", "2.0", "2.0~git20260105.4", "2.0~b1", "2.0~rc1"),
    # 2.0~rc1 is above 2.0~git...
    "a candidate of the next": (". 1.0 . 2.0rc1 . .", "2.0", "2.0~rc1+git20260105.2", "2.0~rc1", "2.0"),
    "the next is out": (". 1.0 . 2.0 . .", "2.0", "2.0+git20260105.2", "2.0", "2.0.1"),
    "more than the next is out": (". 1.0 . 3.0 . .", "2.0", "3.0+git20260105.2", "3.0", "3.0.1"),
    "a candidate is next": (". 1.0 . .", "2.0~rc1", "2.0~rc1~git20260104.3", "1.0", "2.0~rc1"),
    "OpenStack's cycle": (
        ". 13.0.0 . 14.0.0.0b1 . 14.0.0.0b2 .",
        "14.0.0",
        "14.0.0~git20260105.4",
        "14.0.0~b2",
        "14.0.0~rc1",
    ),
}
