"""The identity of a case."""

from __future__ import annotations

import pytest

from lab.results.cases import Case


@pytest.mark.parametrize(
    ("suite", "classname", "name", "identity"),
    [
        ("s", "c", "n", "s/c/n"),
        ("s", "t/a.t", "n", "s/t%2Fa.t/n"),
        ("s/t", "c", "n", "s%2Ft/c/n"),
        ("s", "c", "n/m", "s/c/n/m"),
        ("s%2Ft", "c", "100%", "s%252Ft/c/100%"),
    ],
)
def test_case_identity(suite: str, classname: str, name: str, identity: str) -> None:
    assert Case(suite=suite, classname=classname, name=name, outcome="passed").id == identity
