"""A cache of digests: the normal form of a config.xml that was seen before is not computed again.

The key is the SHA-256 of the text, so a changed text is compared as if there were no cache.  A file of the cache belongs
to one Jenkins and owner, and to the code that computes digests: other code ignores it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from lxml import etree

from generator import canonical, git_scm
from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.results import ownership_mark
from lab.store.records import Stored

MOST: Final = 100_000
KEPT: Final = 20
CODE: Final = (canonical, git_scm, ownership_mark)


class StoredDigests(Stored):
    """The digests of texts, by the SHA-256 of the text."""

    digests: Mapping[str, str] = {}


class Digests:
    """Digests of config.xml files, of which some are known; not for several threads."""

    def __init__(self, known: Mapping[str, str] = {}) -> None:
        self.known = known
        self.used: dict[str, str] = {}

    def of(self, xml: str | bytes) -> str:
        """Return the digest of a config.xml.  Raises InfrastructureError, as `canonical.digest`."""
        text = xml if isinstance(xml, bytes) else xml.encode("utf-8", "surrogatepass")
        name = hashlib.sha256(text).hexdigest()
        found = self.used.get(name) or self.known.get(name) or canonical.digest(xml)
        self.used[name] = found
        return found


@contextmanager
def remembered(url: str, owner: str) -> Iterator[Digests]:
    """Read the digests of a Jenkins and an owner; write those that were computed in the context."""
    said = json.dumps([url, owner, _code()])
    place = environment.cache_home() / "digests" / f"{hashlib.sha256(said.encode()).hexdigest()}.json"
    digests = Digests(_read(place))
    yield digests
    if not digests.used.keys() <= digests.known.keys():
        known = digests.known if len(digests.known) < MOST else {}
        stored = StoredDigests(digests={**known, **digests.used}).model_dump_json(by_alias=True)
        files.write_cache(place, stored, KEPT)  # private: who knows the rest of a text could guess a secret in it


def _read(place: Path) -> Mapping[str, str]:
    try:
        return StoredDigests.read(place).digests
    except ConfigurationError:  # absent, or written by other code
        return {}


@cache
def _code() -> list[str]:
    return [files.sha256(Path(str(module.__file__))) for module in CODE] + [
        etree.__version__,
        str(etree.LIBXML_VERSION),
    ]
