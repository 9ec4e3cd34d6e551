"""What the files of a build have lost although they are still there: their mode, their target, their commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar

from lab.base.text import first_of
from scripts.archives.content_comparison import DOCUMENTS, LEAST_BYTES, LIBRARY, BuildContent, Loss, parents
from scripts.archives.package_content import BinaryContent

Value = TypeVar("Value")
EXECUTABLE: Final = 0o111
SPECIAL: Final = 0o6000  # setuid, setgid
SYSTEM: Final = re.compile(r"usr/s?bin/(?!env )[^/]+$")  # an interpreter that a package has
# Here an executable file is an oversight, and its correction no loss.
DATA: Final = re.compile(
    r"usr/(include|share/(doc|doc-base|gtk-doc|info|man|icons|pixmaps|fonts|locale|applications))/"
)
STUB: Final = 10  # a file of at most a tenth is another thing
LEAST_COMMANDS: Final = 8  # below it, half of a maintainer script is not significant
# A link into these directories has a target that exists on a system in use only.
AT_RUN_TIME: Final = re.compile(r"(dev|etc/alternatives|proc|run|sys|tmp|var)(/|$)")


class Link(NamedTuple):
    """A symbolic link in the place of a file, with a target that the packages do not have."""

    path: str
    target: str

    def __str__(self) -> str:
        return f"{self.path} to {self.target}"


def changed_files(before: BuildContent, now: BuildContent) -> list[Loss]:
    """Return what was lost inside of files, links and control files that both builds have."""
    return [
        *_modes_lost(before, now),
        *_permissions_changed(before, now),
        *_owners_changed(before, now),
        *_interpreters_changed(before, now),
        *_shrunk(before, now),
        *_targets_gone(before, now),
        *_control_files(before, now),
    ]


def doubtful_links(before: BuildContent, now: BuildContent) -> list[Link]:
    """Return the links that had a target among the files before, or were files, and that only another package can give one."""
    was, there = parents(before.files), parents(now.files)
    good = {path for package in before.packages.values() for path in package.modes}
    good |= {path for path, target in _links(before).items() if target in was}
    known = was | there
    return [
        Link(path, target)
        for path, target in sorted(_links(now).items())
        if path in good and target not in known and not AT_RUN_TIME.match(target)
    ]


def _compared(
    before: BuildContent, now: BuildContent, values: Callable[[BinaryContent], Mapping[str, Value]]
) -> Iterator[tuple[str, list[tuple[str, Value, Value]]]]:
    """Yield the packages with what their paths had and have; a path that moved has what its new package says."""
    anywhere = {path: value for package in now.packages.values() for path, value in values(package).items()}
    for name, package in sorted(before.packages.items()):
        there = {**anywhere, **(values(now.packages[name]) if name in now.packages else {})}
        yield name, [(path, was, there[path]) for path, was in sorted(values(package).items()) if path in there]


def _modes_lost(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    for name, both in _compared(before, now, lambda package: package.modes):
        plain = [
            path
            for path, was, is_now in both
            if was & EXECUTABLE and not is_now & EXECUTABLE and not DATA.match(path) and not LIBRARY.match(path)
        ]
        if plain:
            yield Loss("executable no more", name, first_of(plain))
        if weaker := [path for path, was, is_now in both if was & SPECIAL & ~is_now]:
            yield Loss("setuid or setgid gone", name, first_of(weaker))


def _permissions_changed(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    """Yield the packages with files and directories that other users may read or write now, or no longer, or run as another."""
    for name, both in _compared(before, now, lambda package: {**package.directories, **package.modes}):
        changed = [
            f"{path} from {was:04o} to {is_now:04o}"
            for path, was, is_now in both
            if (was ^ is_now) & ~EXECUTABLE and not was & SPECIAL & ~is_now and not DOCUMENTS.match(path)
        ]
        if changed:
            yield Loss("permissions changed", name, first_of(changed))


def _owners_changed(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    for name, both in _compared(before, now, lambda package: package.owners):
        changed = [f"{path} to {is_now}" for path, was, is_now in both if was != is_now]
        if changed:
            yield Loss("owner changed", name, first_of(changed))


def _interpreters_changed(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    """Yield the packages with scripts whose interpreter is not the system's any more: one of the build, say."""
    for name, both in _compared(before, now, lambda package: package.interpreters):
        changed = [
            f"{path} from {was} to {is_now}"
            for path, was, is_now in both
            if SYSTEM.match(was) and not SYSTEM.match(is_now)
        ]
        if changed:
            yield Loss("interpreter changed", name, first_of(changed))


def _shrunk(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    """Yield the packages with files that are a stub of what they were, such as the wrapper of a program."""
    sizes = {
        path: size for package in now.packages.values() for path, size in package.files.items() if path in package.modes
    }
    for name, package in sorted(before.packages.items()):
        stubs = [
            path
            for path, size in sorted(package.files.items())
            if path in package.modes
            and size >= LEAST_BYTES
            and 0 < STUB * sizes.get(path, 0) <= size
            and not DOCUMENTS.match(path)
        ]
        if stubs:
            yield Loss("files shrunk", name, first_of(stubs))


def _targets_gone(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    was, there = parents(before.files), parents(now.files)
    for path, target in sorted(_links(now).items()):
        if target in was and target not in there:
            yield Loss("link target gone", path, target)


def _control_files(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    for name, package in sorted(before.packages.items()):
        if name in now.packages:
            shrunk = list(_scripts_shrunk(name, package.scripts, now.packages[name].scripts))
            yield from shrunk
            if not shrunk:
                yield from _tools_gone(name, package.tools, now.packages[name].tools)
            if gone := sorted(package.triggers - now.packages[name].triggers):
                yield Loss("triggers gone", name, first_of(gone))


def _scripts_shrunk(name: str, before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[Loss]:
    for script in sorted(before.keys() & now.keys()):
        was, is_now = before[script], now[script]
        if was and not is_now:
            yield Loss("maintainer script emptied", f"{name} {script}", f"{was} commands before")
        elif was >= LEAST_COMMANDS and 2 * is_now <= was:
            yield Loss("maintainer script halved", f"{name} {script}", f"{was} commands before, {is_now} now")


def _tools_gone(name: str, before: Mapping[str, frozenset[str]], now: Mapping[str, frozenset[str]]) -> Iterator[Loss]:
    for script in sorted(before.keys() & now.keys()):
        if gone := sorted(before[script] - now[script]):
            yield Loss("call gone", f"{name} {script}", first_of(gone))


def _links(content: BuildContent) -> dict[str, str]:
    return {path: target for package in content.packages.values() for path, target in package.links.items()}
