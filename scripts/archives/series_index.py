"""What a series and its pockets have of a source package, from the indices of its mirror.

The indices are those of an apt of the lab's own, in the cache.  A question about a version takes indices that are up to
an hour old, and older ones where the mirror does not answer; the answer then names their age.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from debian.deb822 import Packages
from debian.debian_support import Version

from lab.base import environment, files, outages
from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, TimedOut, run
from lab.config import apt
from lab.config.description import Series
from lab.store.step import architecture
from scripts.archives.private_apt import own_apt

CAT = "/usr/lib/apt/apt-helper"
FRESH_SECONDS = 3600
PATIENCE_SECONDS = 90
IMPATIENT = ("-oAcquire::Retries=0", "-oAcquire::http::Timeout=20", "-oAcquire::https::Timeout=20")


@dataclass(frozen=True)
class SeriesVersion:
    """The newest version of a source package in a series ("": it has none, or it is not known); a doubt, or ""."""

    version: str
    doubt: str = ""
    is_known: bool = True


@dataclass(frozen=True)
class SeriesIndex:
    """The indices of a series; ``options`` are apt's, ``stamp`` is the file that dates them."""

    home: Path
    options: tuple[str, ...]
    stamp: Path
    log: IO[str]

    def update(self, *options: str, timeout: float | None = None) -> None:
        """Read the mirror's indices.  Raises ProgramFailed or TimedOut."""
        run(["apt-get", *self.options, *options, "update", "--error-on=any"], log=self.log, timeout=timeout)
        self.stamp.touch()
        if as_of := outages.oldest():
            os.utime(self.stamp, (as_of.timestamp(), as_of.timestamp()))

    def packages(self, source: str) -> list[Packages]:
        """Return the paragraphs of the binary packages of a source package, each once, from its newest version."""
        return newest_build(item for text in self.texts() for item in built_from(text, source))

    def texts(self, kind: str = "Packages") -> Iterator[str]:
        """Yield the text of each Packages file, or of each file of another kind, such as ``Sources``."""
        form = ["--format", "$(FILENAME)", f"Created-By: {kind}"]
        listed = run(["apt-get", *self.options, "indextargets", *form], log=self.log, capture=True).stdout
        for path in listed.splitlines():
            yield run([CAT, "cat-file", path], capture=True).stdout  # it may be compressed


@contextmanager
def opened(name: str, series: Series, log: IO[str], machine: str = "") -> Iterator[SeriesIndex]:
    """Provide the indices of a series, locked; ``machine``: their architecture, if it is not that of this machine."""
    own = architecture()
    home, sources = environment.cache_home() / "reference" / name, apt.sources(name, series)
    stamp = home / f"updated-{hashlib.sha256(' '.join(sources).encode()).hexdigest()[:12]}"
    if machine not in {"", own}:
        home, stamp = home / machine, home / machine / stamp.name
    with files.locked(home / "lock"):
        named = (f"-oAPT::{name}={machine or own}" for name in ("Architecture", "Architectures"))
        options = (*own_apt(home, sources), *named)
        yield SeriesIndex(home, options, stamp, log)


def newest_version(name: str, series: Series, source: str, log: IO[str]) -> SeriesVersion:
    """Return the newest version of a source package in a series and its pockets.

    The answer is kept until the indices are read again.  A mirror that does not answer is no error: the build needs
    it too, and says more.
    """
    with opened(name, series, log) as index:
        doubt = refreshed(index)
        if not index.stamp.exists():
            return SeriesVersion("", f"{name}'s own version is not known: {doubt}", is_known=False)
        date = index.stamp.stat().st_mtime
        kept = index.home / f"versions-{index.stamp.name}.json"
        known = json.loads(kept.read_text()) if kept.exists() else {}
        if known.get("") != date:
            known = {"": date}
        if source not in known:
            known[source] = next((str(item.source_version) for item in index.packages(source)), "")
            files.write_atomic(kept, json.dumps(known))
        day = datetime.fromtimestamp(date, UTC).strftime("%Y-%m-%d %H:%M")
        return SeriesVersion(known[source], doubt and f"{name}'s own version is that of {day} UTC: {doubt}")


def known_version(name: str, series: Series, source: str, log: IO[str]) -> str:
    """Return the newest version of a source package in a series and its pockets, "" if they have none.

    Raises InfrastructureError where no indices were ever read and the mirror does not answer.
    """
    found = newest_version(name, series, source, log)
    if not found.is_known:
        raise InfrastructureError(found.doubt)
    return found.version


def packages_files(name: str, series: Series, log: IO[str]) -> list[str]:
    """Return the texts of the Packages files of a series and its pockets.

    Raises InfrastructureError where no indices were ever read and the mirror does not answer.
    """
    with opened(name, series, log) as index:
        doubt = refreshed(index)
        if not index.stamp.exists():
            raise InfrastructureError(f"the packages of {name} are not known: {doubt}")
        return list(index.texts())


def refreshed(index: SeriesIndex) -> str:
    """Read the indices again where they are not fresh; return why that failed, or ""."""
    if index.stamp.exists() and environment.now().timestamp() - index.stamp.stat().st_mtime < FRESH_SECONDS:
        return ""
    try:
        index.update(*IMPATIENT, timeout=PATIENCE_SECONDS)
    except ProgramFailed as error:
        return error.result.complaint
    except TimedOut:
        return f"the mirror took more than {PATIENCE_SECONDS} seconds"
    return outages.told()


def built_from(index: str, source: str) -> list[Packages]:
    """Return the paragraphs of a Packages file about packages of a source package, without debugging symbols."""
    # A whole distribution has tens of thousands; to parse each would take half a minute.  A pattern that begins with
    # a plain character is found much faster than one with ^.
    name = re.escape(source)
    likely = re.compile(rf"\n(?:Package: {name}|Source: {name}(?: \(.*\))?)(?=\n)")
    text = f"\n{index}\n\n"
    starts = sorted({text.rfind("\n\n", 0, match.start() + 1) + 2 for match in likely.finditer(text)})
    found = (Packages(text[start : text.index("\n\n", start)]) for start in starts)
    return [item for item in found if item.source == source and not item["Package"].endswith("-dbgsym")]


def newest_build(packages: Iterable[Packages]) -> list[Packages]:
    """Return the packages of the newest version of their source, each once."""
    known = list(packages)
    newest = max((Version(str(item.source_version)) for item in known), default=None)
    build = {item["Package"]: item for item in known if Version(str(item.source_version)) == newest}
    return [build[name] for name in sorted(build)]
