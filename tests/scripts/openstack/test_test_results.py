"""Results of tests, counted from the stream of a real Tempest, and the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.openstack.test_results import BadTestResult, Results, results_of

# A Tempest's of four tests, with glance stopped: two passed, one skipped with its class, one failed.
STREAM = (Path(__file__).parents[3] / "tests/data/formats/subunit/tempest.v2").read_bytes()
FAILED = "tempest.api.image.v2.test_images.BasicOperationsImagesTest.test_delete_image"


def test_results_of_subunit_stream() -> None:
    tests = {test.name: test for test in results_of(STREAM)}
    assert {name.rpartition(".v")[2]: test.outcome for name, test in tests.items()} == {
        "2.test_tokens.TokensTest.test_create_token": "skipped",
        "2.test_images.BasicOperationsImagesTest.test_delete_image": "failed",
        "3.test_tokens.TokensV3Test.test_create_token": "passed",
        "3.test_tokens.TokensV3Test.test_validate_token": "passed",
    }
    assert tests[FAILED].why.startswith("urllib3.exceptions.MaxRetryError: HTTPConnectionPool(host='10.20.0.11', ")
    assert tests[FAILED].why.endswith("Failed to establish a new connection: [Errno 111] Connection refused'))")
    assert len(tests[FAILED].why) <= 200
    assert next(test.why for test in tests.values() if test.outcome == "skipped") == "Identity api v2 is not enabled"


def test_results_of_truncated_stream_name_unfinished_tests() -> None:
    half = list(results_of(STREAM[: len(STREAM) // 2]))
    assert [test.why for test in half if test.name.endswith("test_validate_token")] == [
        "it was listed, but did not begin"
    ]
    assert Results(half, {}).verdict == "error"


def table(letters: str, broken: str = "") -> Results:
    """Return the results of a test for each letter, which is its name; a capital is a known failure."""
    outcomes = {"p": "passed", "f": "failed", "s": "skipped", "e": "error"}
    tests = [BadTestResult(f"a.B.{letter}{n}", outcomes[letter.lower()], "why") for n, letter in enumerate(letters)]  # type: ignore[arg-type]
    return Results(tests, {test.id: "rain" for test in tests if test.id[4].isupper()}, broken)


@pytest.mark.parametrize(
    ("letters", "verdict", "message"),
    [
        ("pp", "passed", "2 of 2 passed"),
        ("ps", "passed", "1 of 2 passed, 1 skipped"),
        ("ss", "skipped", "0 of 2 passed, 2 skipped"),
        ("pf", "unstable", "1 of 2 passed; a.B.f1: why"),
        ("ff", "failed", "0 of 2 passed; a.B.f0: why"),
        ("sf", "failed", "0 of 2 passed, 1 skipped; a.B.f1: why"),
        ("fpe", "error", "1 of 3 passed; a.B.e2: why"),
        ("pF", "passed", "1 of 2 passed, 1 failed as is known (rain)"),
        ("FF", "passed", "0 of 2 passed, 2 failed as is known (rain)"),
        ("FE", "error", "0 of 2 passed, 1 failed as is known (rain); a.B.E1: why"),
        ("", "error", "0 of 0 passed"),
        ("pFf", "unstable", "1 of 3 passed, 1 failed as is known (rain); a.B.f2: why"),
        ("pPF", "passed", "2 of 3 passed, 1 failed as is known (rain), 1 passed against what is known (a.B.P1)"),
        ("pS", "passed", "1 of 2 passed, 1 skipped"),
    ],
)
def test_results_verdict_and_message(letters: str, verdict: str, message: str) -> None:
    assert (table(letters).verdict, str(table(letters))) == (verdict, message)


def test_results_of_broken_tempest_are_an_error() -> None:
    results = table("pp", broken="Tempest ended with status 1")
    assert (results.verdict, str(results)) == ("error", "2 of 2 passed; Tempest ended with status 1")
