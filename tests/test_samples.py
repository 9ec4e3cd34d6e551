"""What the core of the integration tests takes of a table, and that the suites are what their names say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.test import fast_suite
from tests.samples import sampled

HOUSE = Path(__file__).parent.parent

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


SUITES = {
    "of the full": (fast_suite(("-m", "full")), []),
    "in one word": (fast_suite(("-qm", "integration")), ["test_fast"]),
    "by name": (fast_suite(("-k", "test_core or test_fast")), ["test_fast"]),
    "core": (["-m", "integration and not full"], ["test_core"]),
    "all": (["-m", "integration"], ["test_core", "test_rest"]),
}
EACH = """
import json, sys
import pytest
for arguments in json.loads(sys.argv[1]):
    code = pytest.main([*sys.argv[2:], *arguments])
    assert code in {0, 5}, code  # 5: no test is selected
    print("next suite")
"""


@pytest.mark.integration
def test_suites(tmp_path: Path) -> None:
    """A real pytest, with the hook of this suite's conftest.py, collects the tests of each suite."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_collection_modifyitems\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    given = json.dumps([arguments for arguments, _ in SUITES.values()])
    argv = [sys.executable, "-c", EACH, given, "-c", HOUSE / "pyproject.toml", "--rootdir", tmp_path, "-n0",
            "--collect-only", "-p", "no:cacheprovider", tmp_path]  # fmt: skip
    done = subprocess.run(argv, cwd=HOUSE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *printed, rest = done.stdout.split("next suite\n")
    assert rest == ""
    collected = [[name for name in ("test_fast", "test_core", "test_rest") if name in text] for text in printed]
    assert dict(zip(SUITES, collected, strict=True)) == {name: expected for name, (_, expected) in SUITES.items()}
