"""Records: the JSON file of each step, and the run.json that describes a run.

Times are UTC, RFC 3339; paths are relative to the run directory; digests are SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from lab.base import files, schema
from lab.base.errors import ConfigurationError, Verdict
from lab.config.description import Phase
from lab.forges.proposals import ProposalId


def rfc3339(moment: datetime) -> str:
    """Return a moment as ``2026-01-31T12:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def changed(path: Path) -> str:
    """Return when a file was last changed."""
    return rfc3339(datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its zone")
    return text


Moment = Annotated[str, AfterValidator(_moment)]
"""A moment as `rfc3339` writes it."""


class Stored(BaseModel):
    """A model that is stored as one JSON file, written atomically.

    Its schema is the default of ``schema_version``.  A subclass that changes its fields declares the next number there,
    and adds to ``migrations`` a function from raw JSON of the previous schema to that of the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    migrations: ClassVar[Mapping[int, schema.Migration]] = {}
    schema_version: int = Field(1, alias="schema")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if set(cls.migrations) != set(range(1, cls.known_schema())):
            raise TypeError(f"{cls.__name__}: a migration for each schema before {cls.known_schema()}, and no other")

    @classmethod
    def known_schema(cls) -> int:
        """Return the schema that this release writes."""
        return int(cls.model_fields["schema_version"].default)

    def write(self, path: Path) -> None:
        files.write_atomic(path, self.model_dump_json(indent=2, by_alias=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of this schema or an older one; the file stays as it is.

        Raises ConfigurationError when it is missing or damaged, NewerSchemaError when a newer qalab wrote it.
        """
        try:
            data = from_json(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise ConfigurationError(f"{path}: Invalid JSON: {error}") from None
        if not isinstance(data, dict):
            raise ConfigurationError(f"{path}: must be a JSON object")
        current = schema.migrate(data, cls.known_schema(), cls.migrations, path)
        try:
            return cls.model_validate(current)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigurationError(f"{path}: {where}: {first['msg']}; expected schema {cls.known_schema()}") from None


class Artifact(BaseModel):
    """A file that a step created: ``kind`` is orig, source, binary, changes, buildinfo or other."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str
    sha256: str
    size: int
    kind: str


class Native(BaseModel):
    """A result file that a tool wrote: ``format`` names a module of reports/formats."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str
    format: str


class WorkingTree(BaseModel):
    """The working tree that a run builds, see `qalab build`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    directory: str
    commit: str
    """The commit that the tree stands on: HEAD."""
    tree: str
    """The git tree with all files of the working tree: the digest of what is built."""
    dirty: bool
    """Whether it differs from the commit."""
    changed: int
    """The number of files that differ."""
    parts: tuple[Literal["upstream", "packaging"], ...]
    """What the working tree has; the rest is from the repositories of lab.yaml."""
    repository: str
    """The copy of its files, see `scripts.upstream.working_tree`."""
    branch: str


Cause = Literal[
    "",
    "upstream commit",
    "packaging commit",
    "testing commit",
    "dependency",
    "base",
    "settings",
    "change under review",
    "proposed packages",
    "promotion",
    "bisection",
    "timer",
    "by hand",
]
"""Why a run began.  Empty where that is not known: for runs of older releases."""
CAUSES: tuple[Cause, ...] = get_args(Cause)


class RunInputs(BaseModel):
    """The inputs of a build besides commits, as a watch has seen them: what differs the next time is a cause.

    ``settings``: the digest of each group of settings in lab.yaml.  ``needs``: the versions in the lab's archive of the
    components that it build-depends on; empty for one that the archive does not have.  ``base`` and ``series``: the
    digest of the packages of a base chroot, and the versions of the other direct build dependencies in the series; they
    are read where ``build.rebuild_on`` names them only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    settings: Mapping[str, str] = {}
    needs: Mapping[str, str] = {}
    base: str = ""
    series: Mapping[str, str] = {}


class BisectionProbe(BaseModel):
    """What a run of `qalab bisect` holds besides the upstream commit and the archive's state."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    packaging: str = ""
    """The commit of the packaging branch; empty for its head."""
    held: Mapping[str, str] = {}
    """The versions of packages of the distribution in the chroot."""
    since: str = ""
    """The start of the bisection: the base chroot is one that was there then."""


class RunInfo(Stored):
    """run.json: the description of a run."""

    migrations = dict.fromkeys((1, 2, 3, 4, 5), lambda data: data)  # the new fields have defaults
    schema_version: int = Field(6, alias="schema")
    lab: str
    track: str
    component: str
    series: str
    phase: Phase = "build"
    revision: str = ""
    """The requested commit or ref; empty for the tip of the branch."""
    commit: str = ""
    """The upstream commit, once the snapshot has found it (40 hexadecimal digits); of a proposal, the merge."""
    proposal: ProposalId | None = None
    """The change under review; None for other runs."""
    base: str = ""
    """The tip of the branch that the proposal is merged onto, once the snapshot has found it."""
    depends_on: tuple[ProposalId, ...] = ()
    """The open proposals that the proposal is tested with, in the order in which they are merged."""
    onto: str = ""
    """The state of the archive that the packages of a proposal are built with; empty for none."""
    version: str = ""
    """The version that an earlier phase built, for a later phase; empty for the versions in the archive."""
    archive: str = ""
    """The archive's state: of a build, the one that it made; of the later phases, the one that is deployed."""
    lab_commit: str = ""
    """The commit of lab.yaml, see `lab.config.lab_repository.commit_of`; empty when it is in no repository."""
    number: int
    origin: Literal["jenkins", "local"] = "local"
    url: str = ""
    started: str
    cause: Cause = ""
    reason: str = ""
    """The details of the cause, for people: the dependency, and how its interface has changed."""
    inputs: RunInputs | None = None
    """The inputs of a build when a watch began it; None for other runs."""
    packaging: str = ""
    """The head of the packaging branch when `qalab watch` or a Jenkins watch began the run; empty for other runs."""
    testing: str = ""
    """The head of the testing branch, likewise."""
    until: str = ""
    """The step that the last call was asked to stop after; empty: none."""
    keep_chroot: bool = False
    """Whether the chroot of a failed build is kept even if lab.yaml keeps none."""
    working_tree: WorkingTree | None = None
    """The working tree that is built; None for all other runs."""
    probe: BisectionProbe | None = None
    """What a run of a bisection holds; None for all other runs."""


class Record(Stored):
    """results/NN-STEP.json: the result of a step.

    Written once as ``running`` before the work, and again after it.  Later steps and reports use ``facts``; the docstring
    of each step lists its facts.
    """

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
        """Whether a resumed run continues after this step."""
        return self.verdict in {"passed", "skipped", "unstable"}
