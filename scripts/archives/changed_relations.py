"""What the control files of packages have lost: dependencies, promises to other packages, questions, and Replaces for moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from debian.debian_support import Version

from lab.base.text import first_of
from scripts.archives.content_comparison import BuildContent, Loss, shape
from scripts.archives.package_content import BinaryContent
from scripts.archives.python_projects import numbers, releases, with_entry_points

LEAST_NEEDS: Final = 4  # below it, half of the dependencies is not significant
# What packages of a language need, with the files that say so.
LANGUAGES: Final = {
    "python3": re.compile(r"usr/lib/python3/"),
    "perl": re.compile(r"usr/share/perl5/"),
    "ruby": re.compile(r"usr/(lib/ruby|share/rubygems-integration)/"),
}


def changed_relations(before: BuildContent, now: BuildContent) -> list[Loss]:
    """Return what packages that both builds have no longer declare, and the moves of files that dpkg refuses."""
    both = [(package, now.packages[name]) for name, package in sorted(before.packages.items()) if name in now.packages]
    older = all(Version(is_now.version) < Version(was.version) for was, is_now in both)  # on purpose: see `changelog`
    return [
        *(loss for was, is_now in both for loss in _needs_gone(was, is_now)),
        *(loss for was, is_now in both if not older for loss in _versions_fell(was, is_now)),
        *(
            Loss("Provides without version", name)
            for name in sorted(
                before.joined(lambda package: package.versioned) - now.joined(lambda package: package.versioned)
            )
            if name in now.joined(lambda package: package.provides)
        ),
        *(
            Loss("field gone", f"{was.name} {promise}")
            for was, is_now in both
            for promise in sorted(was.promises - is_now.promises)
        ),
        *(
            Loss("questions gone", was.name, first_of(sorted(was.questions - is_now.questions)))
            for was, is_now in both
            if was.questions - is_now.questions
        ),
        *(
            Loss("entry points gone", f"{was.name} {name}")
            for was, is_now in both
            for name in sorted(with_entry_points(was.files) - with_entry_points(is_now.files))
        ),
        *_moved(before, now),
        *_in_two_packages(before, now),
    ]


def _needs_gone(before: BinaryContent, now: BinaryContent) -> Iterator[Loss]:
    """Yield the loss of dependencies; numbers in their names can change."""
    was, is_now = ({shape(need) for need in package.needs} for package in (before, now))
    gone = sorted(need for need in before.needs if shape(need) not in is_now)
    languages = [need for need in gone if need in LANGUAGES and _is_of(now, need)]
    if was and not was & is_now and not is_now:
        yield Loss("dependencies gone", before.name, first_of(gone))
    elif len(was) >= LEAST_NEEDS and 2 * len(was & is_now) <= len(was):
        yield Loss("dependencies halved", before.name, first_of(gone))
    elif languages:
        yield Loss("dependencies gone", before.name, first_of(languages))


def _is_of(package: BinaryContent, language: str) -> bool:
    modules = any(LANGUAGES[language].match(path) for path in package.files)
    return modules or f"usr/bin/{language}" in package.interpreters.values()


def _versions_fell(before: BinaryContent, now: BinaryContent) -> Iterator[Loss]:
    """Yield the package if its version is lower now, and the Python projects in it: one that found no version says 0.0.0."""
    if Version(now.version) < Version(before.version):
        yield Loss("version fell", before.name, f"{before.version} before, {now.version} now")
    was, is_now = (releases(package.files) for package in (before, now))
    for name in sorted(was.keys() & is_now.keys()):
        if numbers(is_now[name]) < numbers(was[name]):
            yield Loss("version fell", f"{before.name} {name}", f"{was[name]} before, {is_now[name]} now")


def _moved(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    """Yield the packages with files of another one of the source that they do not replace: an upgrade fails (Policy 7.6)."""
    for name, package in sorted(now.packages.items()):
        mine = before.packages[name].files if name in before.packages else {}
        for owner, other in sorted(before.packages.items()):
            taken = sorted(package.files.keys() & other.files.keys() - mine)
            if taken and not _may_share(package, other):
                yield Loss("moved without Replaces", f"{name} from {owner}", first_of(taken))


def _in_two_packages(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    """Yield the pairs of packages with the same new files: dpkg refuses to install both."""
    for one, other in combinations([package for _, package in sorted(now.packages.items())], 2):
        both = sorted((one.files.keys() & other.files.keys()) - before.files)
        if both and not _may_share(one, other) and not _may_share(other, one):
            yield Loss("file in two packages", f"{one.name} {other.name}", first_of(both))


def _may_share(package: BinaryContent, other: BinaryContent) -> bool:
    """Return whether a package can have files of another one: it replaces it, is never beside it, or is it for another architecture."""
    name = other.name.partition(":")[0]
    return package.name.partition(":")[0] == name or bool({name, *other.provides} & package.replaces)
