"""The content of binary packages: files, and what the control archive declares.  See deb(5)."""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from debian.arfile import ArError
from debian.deb822 import Deb822
from debian.debfile import DebError, DebFile, DebPart
from debian.debian_support import Version

from lab.base.errors import InfrastructureError

# A merged /usr: the same file has a path below / in one release and below /usr in the next.
MERGED = re.compile(r"^(?=(?:bin|sbin|lib|lib32|lib64|libx32)/)")
SCRIPTS = frozenset({"preinst", "postinst", "prerm", "postrm", "config"})
# Lines of a shell script that do nothing: its comments, its frame, and the conditions of its commands.
IDLE = re.compile(
    r"(#.*|dpkg-maintscript-helper .*|set [-+]\w+|exit( \d+)?|return|true|:|fi|done|esac|else|then|do|[{}]|(if|elif|while|for) .*(then|do)|case .* in|[\w|*\-\"' ]+\))?"
    r"[;\s]*$"
)
QUESTION = re.compile(r"^Template: *(\S+)", re.MULTILINE)
VERSIONED = re.compile(r"([^\s,:(]+)(?::\w+)?\s*\(\s*=\s*([^\s)]+)\s*\)")
REPLACING = ("Replaces", "Conflicts")  # Policy 7.6
NEEDED = ("Depends", "Pre-Depends")
PROMISES = ("Multi-Arch", "Essential", "Protected", "Important")
# Programs by which a maintainer script changes the system: each one that it calls no more leaves something undone.
# Not dpkg-maintscript-helper: its calls go when the releases that needed them are gone.
TOOLS = re.compile(
    r"\b(adduser|addgroup|useradd|groupadd|update-alternatives|update-rc\.d|invoke-rc\.d|deb-systemd-helper|deb-systemd-invoke|"
    r"systemctl|systemd-sysusers|systemd-tmpfiles|dpkg-divert|dpkg-statoverride|db_input|db_get|ucf|"
    r"setcap|py3compile|update-initramfs|update-grub|update-ca-certificates|install-info|a2enmod|phpenmod)\b"
)
# What one call of them is about: each link and each unit counts.
CALLS = re.compile(
    r"\b(update-alternatives)\b[^\n;&|]*?--install +['\"]?([^\s'\"$]+)|\b(deb-systemd-helper) enable +['\"]?([^\s'\"$]+)"
)
# The first line of a script; env(1) searches the path.
INTERPRETER = re.compile(rb"#! */?(\S+/env +\S+|\S+)")
# Packages that have no files on purpose: see lintian's tag empty-binary-package.
FILELESS = re.compile(
    r"\b(meta ?-?package|dummy|transitional|dependency package|virtual package|empty package)\b", re.IGNORECASE
)
FILELESS_SECTIONS = ("metapackages", "oldlibs", "tasks")
# What a build that found nothing to build installs nevertheless.
ACCOMPANYING = re.compile(
    r"usr/share/(doc|lintian|bug|doc-base|metainfo)/|.*\.(egg-info|dist-info)(/|$)|usr/lib/\.build-id/|var/lib/gems/.*\.gemspec$"
)
DOCUMENTATION = re.compile(r"-docs?(:|$)")


@dataclass(frozen=True)
class BinaryContent:
    """A binary package: its files with their sizes in bytes, and what its control files declare.

    Paths are relative and as in a system with a merged /usr.  ``symbols`` and ``shlibs`` have entries
    ``LIBRARY SYMBOL`` and ``LIBRARY VERSION`` of deb-symbols(5) and deb-shlibs(5).
    """

    name: str
    version: str = ""
    files: Mapping[str, int] = field(default_factory=dict)
    provides: frozenset[str] = frozenset()
    provided_versions: frozenset[str] = frozenset()
    """``NAME VERSION`` of versioned Provides, without those that have the version of the package itself."""
    versioned: frozenset[str] = frozenset()
    """The names of versioned Provides."""
    replaces: frozenset[str] = frozenset()
    """The packages whose files it may have: those of Replaces, and those of Conflicts, beside which it is never."""
    scripts: Mapping[str, int] = field(default_factory=dict)
    """The maintainer scripts, with the numbers of their commands."""
    tools: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The programs that change the system, some with what they are about, by the maintainer script that calls them."""
    needs: frozenset[str] = frozenset()
    """The packages of Depends and Pre-Depends, ``A | B`` for alternatives."""
    promises: frozenset[str] = frozenset()
    """The fields by which other packages use it, such as ``Multi-Arch: foreign``."""
    questions: frozenset[str] = frozenset()
    """The templates of debconf."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """The owners of its files, as ``USER:GROUP``."""
    triggers: frozenset[str] = frozenset()
    """The directives of deb-triggers(5), without the suffixes that say who waits."""
    modes: Mapping[str, int] = field(default_factory=dict)
    """The permission bits of the regular files."""
    directories: Mapping[str, int] = field(default_factory=dict)
    """The permission bits of the directories."""
    interpreters: Mapping[str, str] = field(default_factory=dict)
    """The interpreters of executable scripts, without options."""
    links: Mapping[str, str] = field(default_factory=dict)
    """The symbolic links, with the paths of their targets."""
    conffiles: frozenset[str] = frozenset()
    symbols: frozenset[str] = frozenset()
    shlibs: frozenset[str] = frozenset()
    is_udeb: bool = False
    """Whether it is for the installer, where it is never beside those of a system and has the same files."""
    fileless: bool = False
    """Whether it says of itself that it has no files of its own (a metapackage, a transitional package)."""

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing beyond documentation and metadata, and is no package of documentation."""
        own = (path for path in self.files if not ACCOMPANYING.match(path))
        documents = DOCUMENTATION.search(self.name) and self.has_documents
        return not any(own) and not documents

    @property
    def has_documents(self) -> bool:
        """Whether there are documents beside changelogs and the copyright."""
        usual = re.compile(r"usr/share/doc/[^/]+/(changelog|copyright|NEWS)")
        return any(path.startswith("usr/share/doc/") and not usual.match(path) for path in self.files)


def read_package(path: Path, machine: str = "") -> BinaryContent:
    """Read a .deb, .udeb or .ddeb.  Raises InfrastructureError for a file that is none.

    ``machine``: an architecture; a package of another one gets the name ``NAME:ARCHITECTURE``, as dpkg names it.
    """
    try:
        with DebFile(str(path)) as deb:
            control, entries = Deb822(_text(deb.control, "control")), dict(_members(deb.data))
            members = {path: each.member for path, each in entries.items() if not each.member.isdir()}
            symbols, shlibs = (_text(deb.control, name) for name in ("symbols", "shlibs"))
            scripts = {
                name: _text(deb.control, name) for name in sorted(SCRIPTS & {_plain(name) for name in deb.control})
            }
            return BinaryContent(
                name=_qualified(control["Package"], control.get("Architecture", "all"), machine),
                version=control["Version"],
                files={path: _size(member, members) for path, member in members.items()},
                provides=frozenset(_names(control.get("Provides", ""))),
                provided_versions=frozenset(_provided_versions(control)),
                versioned=frozenset(name for name, _ in VERSIONED.findall(control.get("Provides", ""))),
                replaces=frozenset(name for key in REPLACING for name in _names(control.get(key, ""))),
                scripts={name: _commands(text) for name, text in scripts.items()},
                tools={name: frozenset(_tools(text)) for name, text in scripts.items()},
                needs=frozenset(need for key in NEEDED for need in _alternatives(control.get(key, ""))),
                promises=frozenset(f"{key}: {control[key]}" for key in PROMISES if control.get(key, "no") != "no"),
                questions=frozenset(QUESTION.findall(_text(deb.control, "templates"))),
                owners={path: _owner(each.member) for path, each in entries.items()},
                triggers=frozenset(_triggers(_text(deb.control, "triggers"))),
                modes={path: member.mode & 0o7777 for path, member in members.items() if not member.issym()},
                directories={path: each.member.mode & 0o7777 for path, each in entries.items() if each.member.isdir()},
                interpreters={path: each.interpreter for path, each in entries.items() if each.interpreter},
                links={path: _target(member) for path, member in members.items() if member.issym()},
                conffiles=frozenset(_conffiles(_text(deb.control, "conffiles"))),
                symbols=frozenset(_symbols(symbols)),
                shlibs=frozenset(_shlibs(shlibs)),
                is_udeb=path.suffix == ".udeb",
                fileless=_says_fileless(control),
            )
    except (ArError, DebError, OSError, EOFError, KeyError) as error:
        raise InfrastructureError(f"{path}: is not a binary package that can be read: {error}") from error


def _qualified(name: str, architecture: str, machine: str) -> str:
    return name if architecture in {"all", machine} or not machine else f"{name}:{architecture}"


def read_packages(paths: Iterable[Path], machine: str = "") -> list[BinaryContent]:
    """Read binary packages, without those that only have debugging symbols; ``machine``: see `read_package`."""
    return [
        read_package(path, machine) for path in sorted(paths) if not path.name.partition("_")[0].endswith("-dbgsym")
    ]


def _plain(name: str) -> str:
    return name.removeprefix("./").lstrip("/")


def _text(part: DebPart, name: str) -> str:
    """Return a control file; an empty text when there is none."""
    content = part.get_content(name) if part.has_file(name) else b""
    return (content or b"").decode("utf-8", "surrogateescape")


class _Entry(NamedTuple):
    """A file or a directory, with the interpreter if it is an executable script."""

    member: tarfile.TarInfo
    interpreter: str


def _members(data: DebPart) -> Iterator[tuple[str, _Entry]]:
    archive = data.tgz()
    for member in archive:
        path = MERGED.sub("usr/", _plain(member.name))
        content = archive.extractfile(member) if member.isreg() and member.mode & 0o111 else None
        match = INTERPRETER.match(content.read(200)) if content else None
        interpreter = " ".join(match[1].decode("utf-8", "replace").split()) if match else ""
        yield path, _Entry(member, MERGED.sub("usr/", interpreter))


def _size(member: tarfile.TarInfo, members: Mapping[str, tarfile.TarInfo]) -> int:
    """Return the size of a file; that of a symbolic link is the length of its target, so that only empty files have none."""
    if member.islnk():
        member = members.get(MERGED.sub("usr/", _plain(member.linkname)), member)
    return member.size if member.isreg() else len(member.linkname)


def _target(link: tarfile.TarInfo) -> str:
    path = posixpath.join("/", posixpath.dirname(_plain(link.name)), link.linkname)
    return MERGED.sub("usr/", posixpath.normpath(path).lstrip("/"))


def _commands(script: str) -> int:
    return sum(not IDLE.match(line.strip()) for line in script.splitlines())


def _tools(script: str) -> Iterator[str]:
    for line in script.replace("\\\n", " ").splitlines():
        if not IDLE.match(line.strip()):
            yield from TOOLS.findall(line)
            yield from (" ".join(filter(None, call)) for call in CALLS.findall(line))


def _owner(member: tarfile.TarInfo) -> str:
    return f"{member.uname or member.uid}:{member.gname or member.gid}"


def _alternatives(relations: str) -> Iterator[str]:
    return (" | ".join(_names(item.replace("|", ","))) for item in relations.split(",") if item.strip())


def _triggers(text: str) -> Iterator[str]:
    rows = (line.partition("#")[0].split() for line in text.splitlines())
    return (" ".join((row[0].removesuffix("-noawait").removesuffix("-await"), *row[1:])) for row in rows if row)


def _names(relations: str) -> Iterator[str]:
    return (item.split()[0].partition(":")[0] for item in relations.split(",") if item.strip())


def _provided_versions(control: Deb822) -> Iterator[str]:
    full = Version(control["Version"])
    own = {str(full), full.upstream_version or ""}
    for name, version in VERSIONED.findall(control.get("Provides", "")):
        if not {version, version.partition(":")[2]} & own:
            yield f"{name} {version}"


def _conffiles(text: str) -> Iterator[str]:
    """Yield the paths; a line with a flag is about a file that the package no longer has."""
    return (line.strip().lstrip("/") for line in text.splitlines() if line.startswith("/"))


def _symbols(text: str) -> Iterator[str]:
    library = ""
    for line in text.splitlines():
        if line.startswith(" ") and library:
            yield f"{library} {line.split()[0]}"
        elif line and line[0] not in "|*#":
            library = line.split()[0]


def _shlibs(text: str) -> Iterator[str]:
    lines = (line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return (" ".join(words[:2]) for words in lines if not words[0].endswith(":"))


def _says_fileless(control: Deb822) -> bool:
    section = control.get("Section", "").rpartition("/")[2]
    return section in FILELESS_SECTIONS or bool(FILELESS.search(control.get("Description", "")))
