"""What the step reverse says where it tests nothing."""

from __future__ import annotations

import pytest

from scripts import reverse


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        (0, "no package with tests depends on the component"),
        (1, "1 package with tests not tested: test.reverse is 0"),
        (15, "15 packages with tests not tested: test.reverse is 0"),
    ],
    ids=["nothing depends on it", "one is left out", "all are left out"],
)
def test_reverse_says_why_nothing_is_tested(left_out: int, message: str) -> None:
    assert reverse.nothing(left_out) == message
