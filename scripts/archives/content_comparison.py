"""What a build has lost against an earlier one: packages, directories, programs, declarations, half of the size.

The packages of a source are compared as a whole where a file or a name may move from one to another.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import PurePosixPath

from lab.base.text import first_of, plural
from scripts.archives.package_content import DOCUMENTATION, BinaryContent
from scripts.archives.python_projects import project

# Below these numbers, a loss of half is not significant.
LEAST_BYTES = 4096
LEAST_FILES = 4
PROGRAM = re.compile(r"usr/(s?bin|games)/[^/]+$")
UNIT = re.compile(
    r"usr/lib/systemd/(system|user)/[^/]+\.(service|socket|timer|path|mount|target|slice)$|etc/init\.d/[^/]+$"
)
LIBRARY = re.compile(r"usr/lib\w*/(?:.*/)?(?P<name>[^/]+?)(?:\.(?:cpython|abi)[^./]*)?\.so(?P<number>\.\d+)?$")
# Files found by their names: what a program is compiled with, and what the system reads by itself.
INTERFACE = re.compile(
    r"usr/include/.+|usr/(lib(/[^/]+)?|share)/([^/]+\.a|pkgconfig/[^/]+\.pc|cmake/.+\.cmake|girepository-1\.0/[^/]+\.typelib)$|"
    r"usr/share/(gir-1\.0|dbus-1|polkit-1|applications|xsessions|wayland-sessions|vala/vapi|aclocal|bash-completion|zsh|fish|glib-2\.0/schemas|mime/packages|java)/.+|"
    r"usr/lib/(udev|tmpfiles\.d|sysusers\.d|sysctl\.d|modules-load\.d|modprobe\.d|binfmt\.d|environment\.d|pam\.d|firmware|systemd/((system|user)-[^/]+|network|(system|user)/[^/]+))/.+"
)
DOCUMENTS = re.compile(r"usr/share/(doc|doc-base|gtk-doc|info|man)/")
OWN_DATA = re.compile(r"etc/.|srv/.|var/[^/]+/.")
MANUAL = re.compile(r"usr/share/man/man[168]/([^/]+)\.[168]\.gz$")
PAPERS = re.compile(r"usr/share/doc/[^/]+/(changelog|copyright)")


@dataclass(frozen=True)
class Loss:
    """Something that an earlier build had and this one does not, or that this one should not have."""

    kind: str
    name: str
    detail: str = ""

    @property
    def title(self) -> str:
        """The text that the patterns of ``build.content.accept`` match."""
        return f"{self.kind}: {self.name}"

    def __str__(self) -> str:
        return f"{self.title} ({self.detail})" if self.detail else self.title


@dataclass(frozen=True)
class BuildContent:
    """The binary packages of one build of a source package."""

    packages: Mapping[str, BinaryContent]

    @classmethod
    def of(cls, packages: Iterable[BinaryContent]) -> BuildContent:
        return cls({package.name: package for package in packages})

    @cached_property
    def files(self) -> frozenset[str]:
        return frozenset(path for package in self.packages.values() for path in package.files)

    def of_kind(self, *, udebs: bool) -> BuildContent:
        """Return the packages for the installer, or those for a system."""
        return BuildContent.of(package for package in self.packages.values() if package.is_udeb == udebs)

    def without_documentation(self) -> BuildContent:
        """Return the packages without documentation, for builds with ``nodoc`` (Policy 4.9.1)."""
        rest = [package for package in self.packages.values() if not DOCUMENTATION.search(package.name)]
        return BuildContent.of(
            replace(package, files={path: size for path, size in package.files.items() if not DOCUMENTS.match(path)})
            for package in rest
        )

    def joined(self, names: Callable[[BinaryContent], Iterable[str]]) -> set[str]:
        """Return names of all packages together."""
        return {name for package in self.packages.values() for name in names(package)}


def accepted(losses: Sequence[Loss], patterns: Sequence[str]) -> list[Loss]:
    """Return the losses that a pattern matches; ``*`` and ``?`` as in a shell."""
    return [loss for loss in losses if any(fnmatchcase(loss.title, pattern) for pattern in patterns)]


def empty_packages(now: BuildContent, before: BuildContent | None = None) -> list[Loss]:
    """Return the packages without any files of their own, unless they say so or were so before."""
    earlier = before.packages if before else {}
    return [
        Loss("empty package", name, f"{_count(package.files)}, all documentation or metadata")
        for name, package in sorted(now.packages.items())
        if package.is_empty and not package.fileless and not (name in earlier and earlier[name].is_empty)
    ]


def losses(before: BuildContent, now: BuildContent) -> list[Loss]:
    """Return what was lost, the worst first."""
    gone = sorted(before.packages.keys() - now.packages.keys())
    empty = empty_packages(now, before)
    named = {*gone, *(loss.name for loss in empty)}
    rest = BuildContent({name: package for name, package in before.packages.items() if name not in named})
    return [
        *(Loss("package gone", name, _count(before.packages[name].files)) for name in gone),
        *empty,
        *_files_lost(rest, now),
        *_empty_directories_lost(rest, now),
        *_emptied(rest, now),
        *_declarations_lost(rest, now),
        *_halved(rest, now),
    ]


def new_files(before: BuildContent | None, now: BuildContent) -> frozenset[str]:
    """Return the files that were not there, without those of the packages' own directories of documentation."""
    added = now.files - (before.files if before else frozenset())
    return frozenset(
        path for path in added if not any(path.startswith(f"usr/share/doc/{name}/") for name in now.packages)
    )


def taken(now: BuildContent, owners: Mapping[str, Collection[str]]) -> list[Loss]:
    """Return the files that belong to packages of other sources and that no package here may replace.

    ``owners``: the packages that have a file, by path.
    """
    found: dict[str, list[str]] = {}
    for path, names in sorted(owners.items()):
        replaced = {name for package in now.packages.values() if path in package.files for name in package.replaces}
        for owner in sorted({*names} - now.packages.keys() - replaced):
            found.setdefault(owner, []).append(path)
    return [Loss("files of another package", owner, first_of(paths)) for owner, paths in found.items()]


def _files_lost(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    conffiles = before.joined(lambda package: package.conffiles)
    single = {path for path in before.files if PROGRAM.match(path) or UNIT.match(path) or path in conffiles}
    directories = lost_directories(before.files - single, now.files)
    for directory, files in directories.items():
        yield Loss("directory gone", directory, _count(files))
    lost = sorted(before.files - now.files)
    for path in lost:
        if UNIT.match(path):
            yield Loss("service gone", path)
        elif PROGRAM.match(path):
            yield Loss("program gone", path)
        elif path in conffiles:
            yield Loss("conffile gone", path)
    unmarked = now.files - now.joined(lambda package: package.conffiles)
    yield from (Loss("conffile no more", path) for path in sorted(conffiles & unmarked))
    libraries = {_library(path) for path in now.files}
    renamed = {_numberless(path) for path in now.files - before.files}
    inside = {path for files in directories.values() for path in files}
    for path in lost:
        if LIBRARY.match(path) and not (path in inside or _library(path) in libraries or _numberless(path) in renamed):
            yield Loss("library gone", path)
    yield from _used_by_name(before, now, [path for path in lost if path not in single and path not in inside])


def _used_by_name(before: BuildContent, now: BuildContent, lost: Iterable[str]) -> Iterator[Loss]:
    """Yield lost helpers and interfaces of directories that are still there, and manual pages of programs that are.

    One whose name has another number now is not lost.
    """
    modes = {path: mode for package in before.packages.values() for path, mode in package.modes.items()}
    kept, shapes = parents(now.files), {shape(path) for path in now.files - before.files}
    programs = {posixpath.basename(path) for path in now.files if PROGRAM.match(path)}
    for path in lost:
        if (manual := MANUAL.match(path)) and manual[1] in programs:
            yield Loss("manual page gone", path)
        if posixpath.dirname(path) not in kept or shape(path) in shapes or DOCUMENTS.match(path) or LIBRARY.match(path):
            continue
        if INTERFACE.match(path):
            yield Loss("interface gone", path)
        elif modes.get(path, 0) & 0o111:
            yield Loss("helper gone", path)


def _emptied(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    """Yield the files that had a content and have none."""
    sizes = {path: size for package in now.packages.values() for path, size in package.files.items()}
    for name, package in sorted(before.packages.items()):
        emptied = sorted(path for path, size in package.files.items() if size and sizes.get(path) == 0)
        if emptied:
            yield Loss("files emptied", name, first_of(emptied))


def _empty_directories_lost(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    """Yield the lost directories for the data of a package, which were empty: nobody makes them on a system."""
    was, is_now = (each.joined(lambda package: package.directories) for each in (before, now))
    gone = was - is_now - {posixpath.dirname(path) for path in was} - parents(before.files) - parents(now.files)
    yield from (Loss("directory gone", path, "empty") for path in sorted(gone) if OWN_DATA.match(path))


def lost_directories(before: Iterable[str], now: frozenset[str]) -> dict[str, list[str]]:
    """Return the directories that had files and have none, with those files.

    Of nested directories, return the one that has all the files of the topmost.  A directory is renamed, not
    lost, where at least half of its files have the same relative path below a directory beside it
    (``foo-1.0.egg-info`` and ``foo-1.1.egg-info``).
    """
    kept = {str(each) for path in now for each in PurePosixPath(path).parents}  # a link of another package can be one
    found: dict[str, list[str]] = {}
    for path in sorted(before):
        lost = [str(parent) for parent in PurePosixPath(path).parents if str(parent) not in kept]
        if lost:
            found.setdefault(lost[-1], []).append(path)
    added = now - set(before)
    projects = {project(path) for path in now}
    lost_ones: dict[str, list[str]] = {}
    for topmost, files in found.items():
        common = PurePosixPath(posixpath.commonpath([posixpath.dirname(path) for path in files]))
        chain = [str(each) for each in (common, *common.parents) if f"{each}/".startswith(f"{topmost}/")]
        noted = project(str(common))
        if not (noted and noted in projects) and not any(_renamed(directory, files, added) for directory in chain):
            lost_ones[str(common)] = files
    return lost_ones


def parents(paths: Iterable[str]) -> frozenset[str]:
    """Return paths, with the directories above them."""
    return frozenset(str(each) for path in paths for each in (path, *PurePosixPath(path).parents))


def _renamed(directory: str, files: Sequence[str], added: Iterable[str]) -> bool:
    parent = directory.rpartition("/")[0]
    below = {
        shape(path.removeprefix(f"{parent}/").partition("/")[2]) for path in added if path.startswith(f"{parent}/")
    }
    return 2 * sum(shape(path.removeprefix(f"{directory}/")) in below for path in files) >= len(files)


def _library(path: str) -> str:
    """Return the path of a shared object, without the Python version that it is built for."""
    match = LIBRARY.match(path)
    return f"{path.rpartition('/')[0]}/{match['name']}.so{match['number'] or ''}" if match else path


def _numberless(path: str) -> str:
    """Return the path of a shared object without versions, but with the number of its interface."""
    match = LIBRARY.match(path)
    return f"{shape(posixpath.dirname(path))}/{shape(match['name'])}.so{match['number'] or ''}" if match else path


def _declarations_lost(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    for name, package in sorted(before.packages.items()):
        for script in sorted(package.scripts.keys() - now.packages[name].scripts.keys()):
            if package.scripts[script]:
                yield Loss("maintainer script gone", f"{name} {script}")
    provided = {shape(name) for name in {*now.joined(lambda package: package.provides), *now.packages}}
    for name in sorted(before.joined(lambda package: package.provides)):
        if shape(name) not in provided:
            yield Loss("Provides gone", name)
    libraries: dict[str, list[str]] = {}
    for entry in sorted(before.joined(lambda package: package.symbols) - now.joined(lambda package: package.symbols)):
        library, _, symbol = entry.partition(" ")
        libraries.setdefault(library, []).append(symbol)
    for library, symbols in libraries.items():
        yield Loss("symbols gone", library, first_of(symbols))
    shlibs = now.joined(lambda package: package.shlibs)
    own = [version for package in before.packages.values() if "-" in (version := package.version.rpartition(":")[2])]
    for entry in sorted(before.joined(lambda package: package.shlibs) - shlibs):
        is_own = any(version in entry.replace(" ", "-") for version in own)  # each build has another one
        if not (is_own and shape(entry) in map(shape, shlibs)):
            yield Loss("shlibs gone", entry)


def shape(name: str) -> str:
    """Return a name without the numbers of a version, which each release has others of.

    So ``librust-itoa-1.0.9-dev``, and the digest of a Haskell package's interface: ``libghc-fgl-dev-5.7.0.3-80ad3``,
    the lab's own versions, and Debian's mark of 64-bit times.
    """
    name = re.sub(r"(?<=\d-)[0-9a-f]{5}$|(?<=git)\d{8}\.\d+\.[0-9a-f]{7}|(?<=\d)t64\b", "#", name)
    return re.sub(r"[\d#][\d.#]*", "#", name)


def _halved(before: BuildContent, now: BuildContent) -> Iterator[Loss]:
    for name, package in sorted(before.packages.items()):
        mine = now.packages[name].files
        elsewhere = now.joined(lambda other: other.files) - set(mine)
        old, new = ({path: size for path, size in files.items() if not PAPERS.match(path)}
                    for files in (package.files, mine))  # fmt: skip
        old = {path: size for path, size in old.items() if path not in elsewhere}
        was, is_now = sum(old.values()), sum(new.values())
        if was >= LEAST_BYTES and 2 * is_now <= was:
            yield Loss("size halved", name, f"{was} bytes before, {is_now} now")
        elif len(old) >= LEAST_FILES and 2 * len(new) <= len(old):
            yield Loss("files halved", name, f"{len(old)} files before, {len(new)} now")


def _count(files: Iterable[str]) -> str:
    return plural(len(list(files)), "file")
