"""The stand-in for a real Jenkins, in front of the double: the tests for both must be able to do the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.jenkins.double import Double
from tests.jenkins.real import Real


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as jenkins:
        yield jenkins


def named(double: Double) -> str:
    return double.url.replace("http://", "http://admin:secret@")


def test_it_does_what_the_double_does(double: Double) -> None:
    with Real(named(double)) as real:
        real.create("a", "<project><description>x</description></project>")
        real.create(
            "f",
            "<com.cloudbees.hudson.plugins.folder.Folder><description>d</description></com.cloudbees.hudson.plugins.folder.Folder>",
        )
        real.create("f/b", "<project/>")
        assert (real.jobs(), real.views()) == (double.jobs(), [])
        real.edit("a", "<description>x", "<description>y")
        assert real.config("a") == double.config("a")
        assert "<description>y" in real.config("a")
        before = double.config("f")
        real.resave("f")  # by its own XML: the form of a folder changes the description of a view
        assert double.config("f") == before
        real.wipe()
        assert double.jobs() == []
        assert real.writes() == []  # what tests do themselves is not counted


def test_it_wants_an_empty_one(double: Double) -> None:
    double.create("somebody's", "<project/>")
    with pytest.raises(RuntimeError, match="is not empty"), Real(named(double)):
        pass
    assert double.jobs() == ["somebody's"]
