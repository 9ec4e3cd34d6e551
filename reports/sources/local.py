"""A run of the local store as a `Build` with its files: unredacted, for `reports.redact` only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

from lab.base.errors import ConfigurationError, Verdict
from lab.config.description import Lab
from lab.results.build_environment import BuildEnvironment
from lab.store.records import Record, RunInfo
from lab.store.run_directory import Run
from reports.formats.runs import cases_of, failing
from reports.model import Build, Commit, File, Log, StepSummary

PACKAGES = 5000
# The verdicts that a step can explain, the worst first.
EXPLAINS: tuple[Verdict, ...] = ("failed", "error", "aborted", "unstable")


def build(run: Run, lab: Lab) -> tuple[Build, Mapping[str, Path]]:
    """Return the build of a finished run, and its logs and artifacts by their names in a bundle.

    Raises ConfigurationError for a run that is not finished, is of another lab, or of a working tree.
    """
    info, standing = run.info, run.standing()
    if info.working_tree:
        raise ConfigurationError(f"{run.id}: is the build of a working tree, which is never published")
    verdict, records = standing.verdict, standing.records
    if verdict == "running" or not records:
        raise ConfigurationError(f"{run.id}: is not finished, and cannot be published yet")
    if info.lab != lab.lab.name:
        hint = "name its description with --lab or QALAB_LAB"
        raise ConfigurationError(f"{run.id}: is a run of the lab {info.lab}, not of {lab.lab.name}", hint=hint)
    cause = next((record for kind in EXPLAINS for record in records if record.verdict == kind), None)
    cases = tuple(cases_of(run))
    contradiction = next(failing(cases), None) if verdict == "passed" else None
    finished = max([record.finished for record in records if record.finished], default=info.started)
    places = {
        f"logs/{record.step}.log": run.path / record.log for record in records if (run.path / record.log).exists()
    }
    artifacts = dict(_files(run, records))
    build = Build(
        origin=info.origin,
        job=f"{info.track}/{info.component}/{info.phase}",
        number=info.number,
        started=info.started,
        finished=finished,
        seconds=round((moment(run, finished) - moment(run, info.started)).total_seconds(), 3),
        lab=info.lab,
        track=info.track,
        component=info.component,
        series=info.series,
        architecture=records[0].architecture,
        phase=info.phase,
        branch=_branch(lab, info.track, info.component),
        commit=info.commit,
        proposal=info.proposal,
        base=info.base,
        depends_on=info.depends_on,
        version=standing.version,
        since=next(_since(records), ""),
        rewritten=any(record.facts.get("rewritten") is True for record in records),
        older=any(record.step == "snapshot" and record.facts.get("rises") is False for record in records),
        unlisted=next(_unlisted(records), 0),
        verdict="unstable" if contradiction else verdict,
        step=cause.step if cause else "",
        message=cause.message if cause else contradiction.message if contradiction else "",
        commits=tuple(Commit(**commit) for record in records for commit in _commits(record)),
        steps=tuple(_step(record, places) for record in records),
        cases=cases,
        logs=tuple(
            Log(name=Path(path).name, path=path, size=place.stat().st_size, lines=0) for path, place in places.items()
        ),
        files=tuple(file for file, _ in artifacts.values()),
        parameters=_parameters(run.results / "parameters.properties"),
        packages=dict([*_packages(records)][:PACKAGES]),
        chroot_days=_chroot_days({record.step: record for record in records}),
        mirror_days=_mirror_days({record.step: record for record in records}),
        archive=info.archive,
        environment=_environment(info, {record.step: record for record in records}),
    )
    return build, places | {path: place for path, (_, place) in artifacts.items()}


def _packages(records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """Yield the binary packages that the steps made or deployed, with their versions; without debug symbols."""
    for record in records:
        for artifact in record.artifacts:
            # NAME_VERSION_ARCHITECTURE.deb: the epoch is not part of the name, see dpkg-name(1).
            name, _, rest = Path(artifact.path).name.partition("_")
            version = rest.rpartition("_")[0]
            if artifact.kind == "binary" and version and not name.endswith("-dbgsym"):
                yield name, record.version if record.version.partition(":")[2] == version else version
        if record.step == "deploy":
            pairs = (package.partition("=") for package in record.facts.get("packages", ()))
            yield from ((name, version) for name, _, version in pairs)


def _environment(info: RunInfo, records: Mapping[str, Record]) -> BuildEnvironment | None:
    """Return the environment of a build from its records; None for another phase."""
    if info.phase != "build":
        return None
    packaging, sbuild = (records[step].facts if step in records else {} for step in ("packaging", "sbuild"))
    chroot = _chroot(sbuild)
    # debian/ of the upstream commit itself is no part of the environment.
    own = packaging.get("head", "") != info.commit
    return BuildEnvironment(
        packages=dict([*sbuild.get("installed", {}).items()][:PACKAGES]) if "sbuild" in records else None,
        packaging=packaging.get("head", "") if own else "",
        packaging_content=packaging.get("content", "") if own else "",
        base=chroot.get("key", ""),
        lab_commit=info.lab_commit,
    )


def _chroot_days(records: Mapping[str, Record]) -> float | None:
    age = _chroot(records["sbuild"].facts).get("age_days") if "sbuild" in records else None
    return float(age) if isinstance(age, int | float) and 0 <= age < inf else None


def _mirror_days(records: Mapping[str, Record]) -> float | None:
    """Return the age of the mirror's index; None also for one from the future: a clock is wrong."""
    record = records.get("sbuild")
    with suppress(ValueError, TypeError, OverflowError):
        if record and record.finished:
            age = datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.facts.get("mirror_date", ""))
            return round(age / timedelta(days=1), 2) if age >= timedelta(0) else None
    return None


def _chroot(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fact ``chroot`` of sbuild; a record from an agent can have anything there."""
    chroot = facts.get("chroot")
    return chroot if isinstance(chroot, dict) else {}


def _branch(lab: Lab, track: str, component: str) -> str:
    """Return the upstream branch; "" if lab.yaml no longer has the run's track or component."""
    if track not in lab.tracks or component not in lab.components:
        return ""
    return lab.component(component, track).upstream.branch or ""


def _since(records: Sequence[Record]) -> Iterator[str]:
    """Yield the commit after which the list of a changelog entry begins; a record from an agent can have anything there."""
    found = (record.facts.get("since") for record in records if record.step == "changelog")
    return (since for since in found if isinstance(since, str))


def _unlisted(records: Sequence[Record]) -> Iterator[int]:
    """Yield the number of commits that a changelog entry does not name; a record from an agent can have anything there."""
    found = (record.facts.get("unnamed") for record in records if record.step == "changelog")
    return (count for count in found if isinstance(count, int) and count > 0)


def _commits(record: Record) -> list[dict[str, Any]]:
    """Return the commits that a changelog entry names, and the merges that can break something by themselves."""
    if record.step != "changelog":
        return []
    merges = [{**commit, "merge": True} for commit in record.facts.get("merges", [])]
    return [*record.facts.get("named", []), *merges]


def _step(record: Record, places: Mapping[str, Path]) -> StepSummary:
    log = f"{record.step}.log"
    return StepSummary(
        step=record.step,
        verdict="aborted" if record.verdict == "running" else record.verdict,
        seconds=record.seconds,
        message=record.message,
        log=log if f"logs/{log}" in places else "",
    )


def _files(run: Run, records: Sequence[Record]) -> Iterator[tuple[str, tuple[File, Path]]]:
    """Yield the artifacts of the steps, each file once: the last record of it counts."""
    for record in records:
        for artifact in record.artifacts:
            name = Path(artifact.path).name
            path = f"files/{name}"
            yield (
                path,
                (
                    File(name=name, sha256=artifact.sha256, size=artifact.size, kind=artifact.kind, path=path),
                    run.path / artifact.path,
                ),
            )


def _parameters(path: Path) -> dict[str, str]:
    """Read the parameters that the step archive wrote for the next job."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: value for name, equals, value in pairs if equals}


def moment(run: Run, text: str) -> datetime:
    """Return a time of a run's files.  Raises ConfigurationError for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ConfigurationError(f"{run.id}: {text[:40]!r} is not a time with a time zone")
    return found
