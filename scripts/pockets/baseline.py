"""The baseline of a track of proposed packages: the release without the pocket, and the results that its cases have there.

A baseline is named for its content: the released packages that can take part in the deployment, its description in
lab.yaml, and the lab's own exercises and roles.  A newer package of the release, or another line in an exercise, makes
another baseline.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base import environment
from lab.base.files import sha256
from lab.config.deployment import OwnExercise
from lab.config.description import Lab
from lab.results.cases import Case
from lab.store.records import Stored, rfc3339
from lab.store.run_directory import WHOLE
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts.deployment import planner
from scripts.pockets.selection import Pocket
from scripts.testing.installability import PackageSet

RELEASED = "released"
"""The request for a baseline; the name of one begins with it."""
KEPT = 20
"""How many baselines of a track are kept."""


class BaselineCases(Stored):
    """The results of a step in a baseline: the messages of the cases that failed by their identity, and those that passed."""

    run: str
    finished: str
    failed: Mapping[str, str] = {}
    passed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compared:
    """Cases with the baseline's results in them, and the identities of those that differ, or fail in both.

    ``missing``: pass in the baseline, and neither passed nor failed now.
    """

    cases: Sequence[Case]
    regressions: Sequence[str] = ()
    known: Sequence[str] = ()
    fixed: Sequence[str] = ()
    missing: Sequence[str] = ()


def is_baseline(content: str) -> bool:
    """Return whether the name of a content is that of a baseline, or the request for one."""
    return content == RELEASED or content.startswith(f"{RELEASED}-")


def name_of(lab: Lab, track: str, pocket: Pocket) -> str:
    """Return the name of a track's baseline, as the release is now."""
    built = pocket.released_packages(lab.components_of(track))
    wanted = planner.topology(lab, track, WHOLE, built).packages
    needed = PackageSet([*pocket.everybodys.values()], (), pocket.architecture).needed_by(wanted)
    lines = [
        *(f"{each.name}={each.version}" for each in needed),
        repr(lab.deployment_of(track)),
        *_own_files(lab, track),
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return f"{RELEASED}-{digest[:16]}"


def _own_files(lab: Lab, track: str) -> Iterator[str]:
    """Yield the paths and digests of the lab's own exercises of a track, and of its roles."""
    base, deployment = lab.file.parent, lab.deployment_of(track)
    chosen = [each for each in deployment.exercises if isinstance(each, OwnExercise)]
    roots = [base / name for each in chosen for name in (each.run, *each.files)]
    roots += [base / deployment.roles] if deployment.roles else []
    for path in sorted({path for root in roots for path in (root, *root.rglob("*")) if path.is_file()}):
        if "__pycache__" not in path.parts:
            yield f"{path.name} {sha256(path)}"


def keep(context: StepContext, name: str, step: str, failed: Mapping[str, str], passed: Iterable[str]) -> None:
    """Keep the results of a step in a baseline: see `BaselineCases`."""
    lab, track = context.lab, context.track_name
    BaselineCases(
        run=context.run.id,
        finished=rfc3339(environment.now()),
        failed=failed,
        passed=tuple(passed),
    ).write(_path(lab, track, name, step))
    ordered = sorted(_home(lab, track).glob(f"*.{step}.json"), key=lambda path: path.stat().st_mtime_ns)
    for path in ordered[:-KEPT]:
        path.unlink()


def kept(lab: Lab, track: str, name: str, step: str) -> BaselineCases | None:
    """Return the results of a step in a baseline; None where there are none."""
    path = _path(lab, track, name, step)
    return BaselineCases.read(path) if path.exists() else None


def compare(cases: Iterable[Case], baseline: BaselineCases) -> Compared:
    """Compare cases with the baseline: a regression, fails in the release too, or fixed.

    A case without a result in the baseline counts as good there: see `scripts.testing.regression`.
    """
    compared: list[Case] = []
    found: dict[str, list[str]] = {"regression": [], "known": [], "fixed": []}
    good, ran = set(baseline.passed), set[str]()
    for case in cases:
        kind, changes = _compare(case, baseline.failed.get(case.id), is_good=case.id in good)
        compared.append(case.model_copy(update=changes))
        ran |= {case.id} if case.outcome in {"passed", "failed"} else set()
        if kind:
            found[kind].append(case.id)
    return Compared(compared, found["regression"], found["known"], found["fixed"], sorted(good - ran))


def _compare(case: Case, failure: str | None, *, is_good: bool) -> tuple[str, dict[str, str]]:
    """Return the kind of a difference ("": none), and what changes in the case."""
    if case.outcome == "passed" and failure is not None:
        return "fixed", {"message": f"fixed; in the release: {failure}"}
    if case.outcome != "failed":
        return "", {}
    if failure is None:
        word = "regression" if is_good else "regression (the release has no result)"
        return "regression", {"message": f"{word}: {case.message}"}
    message = f"fails in the release too: {case.message}"
    return "known", {"outcome": "skipped", "nuance": "expected-failure", "message": message}


def _home(lab: Lab, track: str) -> Path:
    return Store.of(lab).root / "proposed" / track


def _path(lab: Lab, track: str, name: str, step: str) -> Path:
    return _home(lab, track) / f"{name}.{step}.json"
