"""What the files of a build have lost although they are still there: their mode, their target, their commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from lab.base.text import first_of
from scripts.archives.content_comparison import DOCUMENTS, LEAST_BYTES, LIBRARY, BuildContent, Loss, parents

EXECUTABLE: Final = 0o111
SPECIAL: Final = 0o6000  # setuid, setgid
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
        *_owners_changed(before, now),
        *_shrunk(before, now),
        *_targets_gone(before, now),
        *_control_files(before, now),
    ]


def doubtful_links(before: BuildContent, now: BuildContent) -> list[Link]:
    """Return the links that were files before, and that only another package can give a target."""
    there, regular = parents(now.files), {path for package in before.packages.values() for path in package.modes}
    return [
        Link(path, target)
        for path, target in sorted(_links(now).items())
        if path in regular and target not in there and not AT_RUN_TIME.match(target)
    ]


def _modes_lost(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    modes = {path: mode for package in now.packages.values() for path, mode in package.modes.items()}
    for name, package in sorted(before.packages.items()):
        both = [(path, mode, modes[path]) for path, mode in sorted(package.modes.items()) if path in modes]
        plain = [
            path
            for path, was, is_now in both
            if was & EXECUTABLE and not is_now & EXECUTABLE and not DATA.match(path) and not LIBRARY.match(path)
        ]
        if plain:
            yield Loss("executable no more", name, first_of(plain))
        if weaker := [path for path, was, is_now in both if was & SPECIAL & ~is_now]:
            yield Loss("setuid or setgid gone", name, first_of(weaker))


def _owners_changed(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    owners = {path: owner for package in now.packages.values() for path, owner in package.owners.items()}
    for name, package in sorted(before.packages.items()):
        changed = [path for path, owner in sorted(package.owners.items()) if owners.get(path, owner) != owner]
        if changed:
            yield Loss("owner changed", name, first_of([f"{path} to {owners[path]}" for path in changed]))


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
