"""What the core of the integration tests takes of a table, and that the suites are what their names say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.test import fast_suite
from tests.samples import sampled

TESTS = """\
import pytest
def test_fast(): pass
@pytest.mark.integration
def test_core(): pass
@pytest.mark.full
def test_rest(): pass
"""


def test_what_is_not_of_the_core_is_marked() -> None:
    one, other = sampled([1, (2, "b")], 1)
    assert one == 1
    assert (other.values, [mark.name for mark in other.marks]) == ((2, "b"), ["full"])


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ((), ["-q", "-m", "not integration"]),
        (("-q", "tests/lab"), ["-q", "tests/lab", "-m", "not integration"]),
        (("-k", "foo", "-x"), ["-k", "foo", "-x", "-m", "not integration"]),
        (("-m", "integration", "-x"), ["-x", "-m", "(integration) and not integration"]),
        (("-mfull or slow",), ["-m", "(full or slow) and not integration"]),
    ],
)
def test_arguments_narrow_the_fast_suite(arguments: tuple[str, ...], expected: list[str]) -> None:
    assert fast_suite(arguments) == ["-n", "auto", *expected]


@pytest.mark.parametrize("core", [(), (3,)])
def test_a_core_that_is_not_in_the_table_is_refused(core: tuple[int, ...]) -> None:
    with pytest.raises(AssertionError):
        sampled([1, 2], *core)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (fast_suite(("-m", "full")), []),
        (fast_suite(("-qm", "integration")), ["test_fast"]),
        (fast_suite(("-k", "test_core or test_fast")), ["test_fast"]),
        (["-m", "integration and not full"], ["test_core"]),
        (["-m", "integration"], ["test_core", "test_rest"]),
    ],
    ids=["of the full", "in one word", "by name", "core", "all"],
)
def test_suites(arguments: list[str], expected: list[str], tmp_path: Path) -> None:
    """A real pytest, with the hook of this suite's conftest.py."""
    house = Path(__file__).parent.parent
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_collection_modifyitems\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    argv = [sys.executable, "-m", "pytest", "-c", house / "pyproject.toml", "--rootdir", tmp_path, "-n0", "--collect-only",
            "-p", "no:cacheprovider", *arguments, tmp_path]  # fmt: skip
    done = subprocess.run(argv, cwd=house, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 5}, done.stdout + done.stderr  # 5: no test is selected
    assert [word for word in ("test_fast", "test_core", "test_rest") if word in done.stdout] == expected
