"""Which cases of a table the core of the integration tests takes; the rest is for the full suite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], *core: Any) -> list[Any]:
    """Return the parameters of a test, with the mark ``full`` on those that are not of the core."""
    known = list(cases)
    assert core, "no case is left for the core"
    assert all(case in known for case in core), "the core has a case that is not in the table"
    return [case if case in core else _full(case) for case in known]


def _full(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.full)
