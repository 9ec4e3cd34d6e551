"""The verification of a run that another machine hands over: it is the expected one, and its records match its files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from lab.base import files
from lab.base.debian import VERSION
from lab.base.errors import InfrastructureError
from lab.config.agents import agent_steps
from lab.config.description import Lab
from lab.store.records import Artifact, Record, RunInfo
from lab.store.run_directory import COMMIT, Run
from lab.store.step import check_ours
from scripts.handover.control_files import PACKAGES, BuiltVersion

# What the names of files of a kind end with: later steps take files by their kind, and they are verified by their names.
ENDS: Final[Mapping[str, tuple[str, ...]]] = {"binary": PACKAGES, "changes": (".changes",)}
BEFORE_VERSION: Final = frozenset({"snapshot", "packaging"})
"""The steps before the package has its version: theirs is upstream's."""
SOURCE_ENDS: Final[Mapping[str, tuple[str, ...]]] = {**ENDS, "changes": ("_source.changes",)}


@dataclass(frozen=True)
class Expected:
    """The run that was announced, by the names in messages; an empty or missing value is not compared."""

    track: str = ""
    component: str = ""
    number: int | None = None
    url: str = ""
    commit: str = ""

    def check(self, info: RunInfo) -> None:
        """Raise InfrastructureError for another run."""
        # A branch or a Gerrit ref says which commit only on the machine that has looked it up.
        commit = self.commit if COMMIT.fullmatch(self.commit) else ""
        pairs = {
            "track": (self.track, info.track),
            "component": (self.component, info.component),
            "number": (self.number, info.number),
            "build": (self.url, info.url),
            "commit": (commit, info.commit),
            "requested commit": (self.commit, info.revision),
        }
        for what, (expected, found) in pairs.items():
            if expected and expected != found:
                raise InfrastructureError(f"the run is of the {what} {found or '(none)'}, and not of {expected}")


def check(run: Run, lab: Lab, expected: Expected) -> None:
    """Verify a run.  Raises InfrastructureError with the first difference, ConfigurationError for an unreadable file."""
    info = run.info
    check_ours(lab, info)
    if info.phase != "build" or info.working_tree:
        raise InfrastructureError(f"{run.id}: only the build of a commit is handed over")
    expected.check(info)
    if not COMMIT.fullmatch(info.commit) or info.series != lab.tracks[info.track].series:
        raise InfrastructureError(f"{run.id}: run.json: its commit or its series cannot be right")
    _check_proposal(run, lab)
    records = _records(run)
    for record in records.values():
        check_record(run, record)
    version = records["source"].version
    if not VERSION.fullmatch(version):
        raise InfrastructureError(f"{run.id}: the step source has made {version!r}, which is no version")
    items = [item for record in records.values() for item in record.artifacts]
    for item in items:
        _check_file(run, item)
        _check_kind(run, item, SOURCE_ENDS if item in records["source"].artifacts else ENDS)
    series = lab.series[info.series]
    known = {item.path: item for item in items}
    release, machines = series.codename or info.series, frozenset(series.architectures)
    built = BuiltVersion(run.id, run.path, known, info.component, version, release, machines)
    for item in items:
        built.check(item)
    _check_steps(run, records, version, machines)


def _check_proposal(run: Run, lab: Lab) -> None:
    """Raise InfrastructureError for a change under review in another track, or another one than that of the commit."""
    info = run.info
    if (lab.tracks[info.track].trigger == "review") != (info.proposal is not None):
        what = f"the change {info.proposal}" if info.proposal else "no change under review"
        raise InfrastructureError(f"{run.id}: run.json: is of {what}, which the track {info.track} does not test")
    if info.proposal and info.proposal.head != info.revision:
        raise InfrastructureError(f"{run.id}: run.json: is of the change {info.proposal}, and of {info.revision}")


def recorded(run: Run) -> set[str]:
    """Return the files in ``out`` that the records name."""
    return {item.path for record in run.records() for item in record.artifacts}


def _records(run: Run) -> dict[str, Record]:
    """Return the records of the agent's steps.  Raises InfrastructureError unless they are all of the run's records."""
    known = {run.record_path(step).name for step in agent_steps()}
    for path in run.results.glob("[0-9][0-9]-*.json"):
        if path.name not in known:
            raise InfrastructureError(f"{run.id}: {path.name}: is not a step of the agent that builds")
    found = {step: run.record(step) for step in agent_steps()}
    for step, record in found.items():
        if record is None or not record.finished_well:
            raise InfrastructureError(f"{run.id}: the step {step} is {record.verdict if record else 'not run'}")
    return {step: record for step, record in found.items() if record}


def check_record(run: Run, record: Record) -> None:
    """Raise InfrastructureError for the record of another run, and for one that names files which are no results."""
    info = run.info
    of_run = (info.component, info.track, info.series, info.commit)
    of_record = (record.component, record.track, record.series, record.commit or info.commit)
    if of_record != of_run:
        raise InfrastructureError(f"{run.id}: the record of {record.step} is of another run: {' '.join(of_record)}")
    for path in (record.log, *(native.path for native in record.native)):
        if ".." in path.split("/") or not path.startswith("results/"):
            raise InfrastructureError(f"{run.id}: the record of {record.step} names {path!r}, which is no result")


def _check_file(run: Run, item: Artifact) -> None:
    path = run.path / item.path
    if item.path != f"out/{path.name}" or not path.is_file():
        raise InfrastructureError(f"{run.id}: {item.path}: a record names it, and it is not there")
    if path.stat().st_size != item.size or files.sha256(path) != item.sha256:
        raise InfrastructureError(f"{run.id}: {item.path}: is not the file that the record names")


def _check_kind(run: Run, item: Artifact, ends: Mapping[str, tuple[str, ...]]) -> None:
    if not item.path.endswith(ends.get(item.kind, ("",))):
        raise InfrastructureError(f"{run.id}: {item.path}: is no name of a file of the kind {item.kind}")


def _check_steps(run: Run, records: dict[str, Record], version: str, machines: Collection[str]) -> None:
    for step, record in records.items():
        upstream = step in BEFORE_VERSION and VERSION.fullmatch(record.version)
        if record.version not in {"", version} and not upstream:
            found = f"the version of {step}, {record.version!r}, is not that of source, {version}"
            raise InfrastructureError(f"{run.id}: {found}")
        if record.architecture not in machines:
            raise InfrastructureError(f"{run.id}: {step} ran on {record.architecture}, which the series has not")
    built = records["sbuild"]
    if built.verdict != "skipped" and not any(item.kind == "binary" for item in built.artifacts):
        raise InfrastructureError(f"{run.id}: sbuild has built no package")
    kinds = [item.kind for item in records["source"].artifacts]
    if kinds.count("changes") != 1 or not any(item.path.endswith(".dsc") for item in records["source"].artifacts):
        raise InfrastructureError(f"{run.id}: the step source has left no source package")
