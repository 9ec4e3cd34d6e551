"""The test results in a stream of subunit: a verdict, and a line for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.base.errors import Verdict
from lab.base.run import LONGEST
from lab.base.text import one_line, without_middle
from lab.results import subunit
from lab.results.subunit_results import Outcome, is_broken, outcome, why


@dataclass(frozen=True)
class BadTestResult:
    """A test that did not pass: its id in the stream, and the reason."""

    id: str
    outcome: Outcome
    why: str = ""

    @property
    def name(self) -> str:
        """The common name of the test: ``package.module.Class.test``."""
        return ".".join(filter(None, subunit.names(self.id)))


@dataclass(frozen=True)
class Results:
    """All results; ``known`` are the reasons of known failures among them, by id.

    ``broken``: why the results are incomplete; "" when they are complete.
    """

    tests: Sequence[BadTestResult]
    known: Mapping[str, str]
    broken: str = ""

    def of(self, *outcomes: Outcome, known: bool = False) -> list[BadTestResult]:
        """Those of some outcomes that are, or are not, known to fail."""
        return [test for test in self.tests if test.outcome in outcomes and self.is_known(test) is known]

    def is_known(self, test: BadTestResult) -> bool:
        """Return whether a test is known to fail: one that did not end, or damage of the stream, never is."""
        return test.id in self.known and test.outcome != "error"

    @property
    def passed(self) -> int:
        return sum(test.outcome == "passed" for test in self.tests)

    @property
    def verdict(self) -> Verdict:
        """Known failures do not count; ``skipped`` if all tests were skipped, ``error`` if there are no tests."""
        if self.broken or self.of("error") or not self.tests:
            return "error"
        if self.of("failed"):
            return "unstable" if self.passed else "failed"
        return "passed" if self.passed or self.of("failed", known=True) else "skipped"

    def __str__(self) -> str:
        """Return how many passed, failed as known, and were skipped; the first bad one, with its reason."""
        skipped = sum(test.outcome == "skipped" for test in self.tests)
        known, mended = self.of("failed", known=True), self.of("passed", known=True)
        parts = [f"{self.passed} of {len(self.tests)} passed"]
        parts += [f"{skipped} skipped"] if skipped else []
        parts += [f"{len(known)} failed as is known ({_reasons(known, self.known)})"] if known else []
        parts += [f"{len(mended)} passed against what is known ({mended[0].name})"] if mended else []
        bad = next(iter(self.of("error") or self.of("failed")), None)
        return "; ".join([", ".join(parts), *filter(None, [self.broken, f"{bad.name}: {bad.why}" if bad else ""])])


def _reasons(tests: Sequence[BadTestResult], known: Mapping[str, str]) -> str:
    return "; ".join(dict.fromkeys(known[test.id] for test in tests))[:LONGEST]


def results_of(stream: bytes) -> Iterator[BadTestResult]:
    """Yield each bad result in a stream; damage of the stream itself is an error."""
    for test in subunit.tests(stream):
        if isinstance(test, subunit.Damage):
            yield BadTestResult("the stream", "error", str(test))
        elif isinstance(test, subunit.Stray):
            texts = {name: _text(content) for name, (_, content) in test.files.items()}
            broken = [(name, text) for name, text in texts.items() if is_broken(name, text)]
            yield from (
                BadTestResult(name, "error", without_middle(subunit.complaint(text), LONGEST)) for name, text in broken
            )
        else:
            yield BadTestResult(test.id, outcome(test.status), _why(test))


def _why(test: subunit.Test) -> str:
    _, reason = test.files.get("reason", ("", b""))
    _, traceback = test.files.get("traceback", ("", b""))
    return without_middle(one_line(why(test.status, _text(reason), _text(traceback))), LONGEST)


def _text(content: bytes | bytearray) -> str:
    return content.decode("utf-8", "backslashreplace")
