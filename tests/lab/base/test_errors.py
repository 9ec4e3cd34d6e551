"""Errors are types, and types are exit codes."""

from __future__ import annotations

import pytest

from lab.base import errors, run
from lab.store.step import EXIT_CODES


@pytest.mark.parametrize(
    "kind, code, verdict",
    [
        (errors.Failed, 1, "failed"),
        (errors.ConfigurationError, 2, "error"),
        (errors.InfrastructureError, 3, "error"),
        (run.TimedOut, 3, "error"),
        (errors.Unstable, 4, "unstable"),
        (errors.Aborted, 130, "aborted"),
    ],
)
def test_error_type_sets_exit_code(kind: type[errors.LabError], code: int, verdict: errors.Verdict) -> None:
    error = kind("here: it is wrong", hint="do that")
    assert (error.exit_code, error.verdict, str(error)) == (code, verdict, "here: it is wrong (do that)")
    assert str(kind("here: it is wrong")) == "here: it is wrong"
    # A verdict's own code, where the type does not say more.
    assert EXIT_CODES[verdict] == (3 if verdict == "error" else code)
