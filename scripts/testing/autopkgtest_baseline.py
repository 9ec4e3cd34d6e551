"""The results of autopkgtests in the baseline, kept by source version, baseline and architecture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.store.records import Stored, rfc3339
from lab.store.step import StepContext, architecture
from scripts.testing.candidate import Candidate
from scripts.testing.regression import TestResult

KINDS: Final = "uninstallable"  # part of the key: results of before this kind are not used


class BaselineResults(Stored):
    """A file of results: each test's, by its name; none where the baseline has no such package, or no tests of it."""

    source: str
    version: str
    baseline: str
    finished: str
    results: Mapping[str, TestResult] = {}


def kept(context: StepContext, found: Candidate, source: str, version: str) -> Mapping[str, TestResult] | None:
    """Return the kept results; None where there are none.

    The series below a baseline changes: results are used for as long as a chroot of the series is.
    """
    with suppress(ConfigurationError):
        results = BaselineResults.read(_path(context, found, source, version))
        age = environment.now() - datetime.fromisoformat(results.finished)
        if abs(age) < timedelta(days=context.series.refresh_days):
            return results.results
    return None


def keep(context: StepContext, found: Candidate, source: str, version: str, results: Mapping[str, TestResult]) -> None:
    """Keep results; not those with an error of the testbed, which the next run need not have."""
    if "error" in results.values():
        return
    BaselineResults(
        source=source,
        version=version,
        baseline=found.baseline_name,
        finished=rfc3339(environment.now()),
        results=results,
    ).write(_path(context, found, source, version))


def _path(context: StepContext, found: Candidate, source: str, version: str) -> Path:
    baseline = found.baseline.name if found.baseline else found.series
    # With more time, a test that was ended can pass.
    limit = str(context.component.test.timeout_minutes)
    words = (KINDS, source, version, found.series, baseline, architecture(), limit)
    key = hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
    return context.store.root / "baselines" / f"{source}-{key}.json"
