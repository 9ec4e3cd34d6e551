"""The XML of jobs that was made before: Jenkins Job Builder does not make that of an unchanged job again.

It follows from the job's expanded data, the macros and the defaults, on one machine with one Jenkins Job Builder.
Python shows some objects by their address alone, for example a file that a macro includes later: what follows from
them is made each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ADDRESS: Final = " object at 0x"


@dataclass
class MadeJobs:
    """The XML of jobs, by the digest of its sources; ``digests``: those of the jobs of this expansion, by their names."""

    known: Mapping[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    _common: str = ""

    def expanding(self, macros: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any]) -> None:
        """Set the macros and defaults of Jenkins Job Builder that all jobs share."""
        self._common = _digest([
            [(kind, name, one.defaults_name, one.params, one.elements) for kind, named in macros.items() for name, one in named.items()],
            [(name, one.params) for name, one in defaults.items()],
        ])  # fmt: skip

    def found(self, name: str, data: Mapping[str, Any]) -> str | None:
        """Return the XML of a job, None if it has to be made."""
        digest = _digest([self._common, data]) if self._common else ""
        if digest:
            self.digests[name] = digest
        return self.known.get(digest)


def _digest(sources: Any) -> str:
    """Return a digest of data, "" for data that has objects with an address."""
    said = repr(sources)
    return "" if ADDRESS in said else hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
