"""Versions in the order of dpkg."""

from __future__ import annotations

from itertools import product

from debian.debian_support import version_compare

from scripts.migration.relations import order

VERSIONS = [
    "0",
    "1",
    "01",
    "1.",
    "1.0",
    "1.01",
    "1.0~rc1",
    "1~",
    "1~~",
    "1+",
    "1+b1",
    "1a",
    "1a0",
    "1A",
    "1-0",
    "1-1",
    "1-1~bpo1",
    "1.0-0",
    "1-1-1",
    "1-1+b1",
    "10",
    "0:1",
    "1:0",
    "1:1-1",
    "~",
    "1.0.0",
    "a",
]


def test_order_is_that_of_dpkg() -> None:
    for left, right in product(VERSIONS, repeat=2):
        wanted = version_compare(left, right)
        assert order(left, right) == (wanted > 0) - (wanted < 0), (left, right)


def test_what_apt_takes_for_a_version_is_ordered_as_apt_does() -> None:
    """The order is that of apt_pkg.version_compare; dpkg refuses these."""
    assert [order("1", other) for other in ("1:", "1_2", "x:1", "1 2", "1:2:3")] == [-1] * 5
