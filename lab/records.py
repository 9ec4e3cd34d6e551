"""Records: the JSON file that each step leaves, and the run.json that says what is run.

Schema 1.  Times are UTC, RFC 3339; paths are relative to the run directory; digests are SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab import files
from lab.description import Phase
from lab.errors import ConfigurationError, Verdict

SCHEMA: Literal[1] = 1


def rfc3339(moment: datetime) -> str:
    """A moment as ``2026-01-31T12:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Stored(BaseModel):
    """Something kept as one JSON file, written atomically."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def write(self, path: Path) -> None:
        files.write_atomic(path, self.model_dump_json(indent=2, by_alias=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises ConfigurationError when the file is missing, torn, or of another schema."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ": ".join([str(path), *filter(None, [".".join(map(str, first["loc"]))])])
            raise ConfigurationError(f"{where}: {first['msg']}; expected schema {SCHEMA}") from None


class Artifact(BaseModel):
    """A file that a step made: ``kind`` is orig, source, binary, changes, buildinfo or other."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str
    sha256: str
    size: int
    kind: str


class Native(BaseModel):
    """What a tool wrote by itself: ``format`` names a module of reports/formats."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str
    format: str


class RunInfo(Stored):
    """run.json: what this run is."""

    schema_version: Literal[1] = Field(SCHEMA, alias="schema")
    lab: str
    track: str
    component: str
    series: str
    phase: Phase = "build"
    revision: str = ""
    """What was asked for: a commit, a ref; empty for the tip of the branch."""
    commit: str = ""
    """The upstream commit, once the snapshot has found it (40 hexadecimal digits)."""
    version: str = ""
    """What an earlier phase has built, for one that goes on with it; empty for whatever the archive has."""
    number: int
    origin: Literal["jenkins", "local"] = "local"
    url: str = ""
    started: str


class Record(Stored):
    """results/NN-STEP.json: what a step did.

    Written once as ``running`` before the work, and again after it.  ``facts`` are what later steps
    and reports need to know; each step's docstring says which it leaves.
    """

    schema_version: Literal[1] = Field(SCHEMA, alias="schema")
    step: str
    component: str
    track: str
    series: str
    architecture: str
    commit: str = ""
    version: str = ""
    verdict: Verdict | Literal["running"] = "running"
    started: str
    finished: str = ""
    seconds: float = 0.0
    exit_code: int | None = None
    message: str = ""
    log: str
    artifacts: tuple[Artifact, ...] = ()
    native: tuple[Native, ...] = ()
    facts: Mapping[str, Any] = {}

    @property
    def finished_well(self) -> bool:
        """Whether a resumed run goes on behind this step."""
        return self.verdict in {"passed", "skipped", "unstable"}
