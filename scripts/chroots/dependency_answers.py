"""What apt installs for build dependencies: its answers, kept while nothing changes that it answers from.

apt needs some CPU seconds to read the indices of a distribution.  Its answer for the distribution alone is kept with the
digests of the signed Release files that it had, which name all other indices by their digests.  The names that the answer
can depend on are kept too: those of the installed packages, of the build dependencies, and of all that they depend on, over
all alternatives and all packages that provide a name.  An archive of the lab that has and provides none of these names
cannot change the answer.

::

    HOME/answers/BASE/KEY.json    an answer; KEY: of the question
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.base.errors import ConfigurationError
from lab.base.run import ProgramFailed
from lab.store.records import Stored
from scripts.chroots import release_dates
from scripts.chroots.backends import SessionBackend
from scripts.chroots.bootstrap import SOURCE, Repository, resolve_script
from scripts.chroots.sessions import opened

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
NOT_NAMES = re.compile(r"^[A-Za-z-]+: |\([^)]*\)|\[[^\]]*\]|<[^>]*>|:\w+", re.MULTILINE)
ASKED = "qalab-asked"
RELATIONS = "--no-recommends --no-suggests --no-enhances --no-conflicts --no-breaks --no-replaces"
UNKNOWN: Mapping[str, str] = {}


@dataclass(frozen=True)
class Known:
    """What the caller knows without asking apt.

    ``releases``: the digests of the distribution's Release files now, by name; empty where they are not known.
    ``offered``: the names that the packages of the lab's archive have and provide; None where they are not known.
    """

    releases: Mapping[str, str]
    offered: Collection[str] | None = None


NOTHING = Known(UNKNOWN)


class AptAnswer(Stored):
    """What apt changes for a question, as `bootstrap.resolve_script` prints it, from the indices of a date."""

    changes: str
    mirror_date: str
    releases: Mapping[str, str] = {}
    """The digests of the Release files, by name."""
    names: tuple[str, ...] = ()
    """The names that the answer can depend on."""


@dataclass(frozen=True)
class Resolved:
    """An answer that a layer is made by; ``repository``: the lab's archive, where the layer is made with it.

    ``ready``: the lab's archive adds nothing to it.
    """

    changes: str
    mirror_date: str
    repository: Repository | None
    ready: bool


@dataclass(frozen=True)
class Question:
    """Build dependencies, to be installed on a base; see `bootstrap.dependencies`."""

    way: SessionBackend
    base: Path
    lock: int
    control: str
    profiles: Sequence[str]
    host: str
    log: IO[str] | None

    def answer(self, repository: Repository | None, known: Known = NOTHING) -> Resolved:
        """Return what a layer is to be made by.  Raises ProgramFailed where apt cannot install the dependencies."""
        if repository is None:
            return _resolved(self.of_distribution(known))
        if known.offered is not None and not repository.held:
            with suppress(ProgramFailed):  # the lab's archive may have what lacks
                alone = self.of_distribution(known)
                if alone.names and not {*alone.names} & {*known.offered}:
                    return _resolved(alone)
        found = self.ask(repository)
        if f" {repository.origin}:" not in found.changes:
            return _resolved(found, repository)
        try:
            return _resolved(self.of_distribution(known), ready=False)
        except ProgramFailed:
            return _resolved(found, repository)

    def of_distribution(self, known: Known) -> AptAnswer:
        """Return the answer from the distribution's indices of now, kept or new.  Raises ProgramFailed."""
        path = self._path
        with suppress(ConfigurationError):  # there is none, or it is damaged
            kept = AptAnswer.read(path)
            if known.releases and kept.releases == known.releases:
                return kept
        answer = self.ask(None)
        if answer.releases and answer.names:
            path.parent.mkdir(parents=True, exist_ok=True)
            answer.write(path)
        return answer

    def ask(self, repository: Repository | None) -> AptAnswer:
        """Ask apt in a session.  Raises ProgramFailed."""
        with opened(self.way, "resolve", [self.base], log=self.log, keep=[self.lock]) as session:
            printed = session.shell(self._script(repository), capture=True).stdout
        changes, date = release_dates.split(printed, repository)
        rows = [line.split() for line in printed.splitlines() if line.startswith(("Release ", "Name "))]
        releases = {Path(row[2]).name: row[1] for row in rows if row[0] == "Release"}
        names = tuple(row[1] for row in rows if row[0] == "Name")
        return AptAnswer(changes=changes, mirror_date=date, releases=releases, names=names)

    def _script(self, repository: Repository | None) -> str:
        script = resolve_script(self.control, self.profiles, repository, self.host) + release_dates.script()
        return script if repository or self.host else script + names_script(self.control)

    @property
    def _path(self) -> Path:
        of = hashlib.sha256(self._script(None).encode()).hexdigest()[:12]
        return answers_of(self.way.home, self.base.name.partition(".")[0]) / f"{of}.json"


def _resolved(answer: AptAnswer, repository: Repository | None = None, *, ready: bool = True) -> Resolved:
    return Resolved(answer.changes, answer.mirror_date, repository, ready)


def answers_of(home: Path, base: str) -> Path:
    """Return the directory of the answers for a base."""
    return home / "answers" / base


def names_script(control: str) -> str:
    """Return lines of sh that print the digests of the Release files, and the names that apt's answer can depend on.

    They print ``Release DIGEST PATH`` and ``Name NAME``; no name where apt-cache cannot tell them.
    """
    asked = sorted({*NAME.findall(NOT_NAMES.sub("", control.partition("\n")[2]))})
    stanza = (
        f"Package: {ASKED}\nVersion: 1\nArchitecture: all\nMaintainer: it\nDescription: it\nFilename: it\nSize: 1\n"
        + (f"Depends: {', '.join(asked)}\n" if asked else "")
    )
    place = f"{SOURCE}/asked"
    return (
        "sha256sum /var/lib/apt/lists/*Release | sed 's/^/Release /'\n"
        f"mkdir -p {place}\nprintf %s {shlex.quote(stanza)} > {place}/Packages\n"
        f"if apt-cache --with-source {place}/Packages depends --recurse {RELATIONS} {ASKED}"
        f" $(dpkg-query --show --showformat '${{Package}} ') > {place}/names; then\n"
        f"tr -d '<>|' < {place}/names | sed 's/^ *//; s/^[A-Za-z]*: //; s/:.*//; s/^/Name /' | sort -u\nfi\n"
    )
