"""autopkgtest: run the package's own tests against the state.

The tests in debian/tests run in containers with the packages of the component from the state, and everything else from
the baseline: the state of the first label of the track, or the series alone until this label exists.  For tests whose
packages cannot be installed that way, everything comes from the state, and the message says so.

A test that fails is tried again, and the others with it: one that fails and passes is ``flaky``, and both results are
kept.  A test that does not pass again is compared with the baseline, whose results are kept by version, baseline and
architecture for as long as a chroot of the series.  There too, a test has failed if it fails twice.  A regression (it
fails with the candidate and not in the baseline) gives the verdict ``failed``, a flaky test ``unstable``.  A test that
fails in the baseline too does not change the verdict.  Without tests, or if all are skipped or superficial, the step is
``skipped``; a test counts as superficial if it ran with a package that the component does not build any more, and with none
of the candidate.  A testbed that does not work is an error of the lab.  Tests that need the Internet are skipped: testbeds
reach mirrors alone.

``results/native/autopkgtest`` has the output of all runs, ``results/native/autopkgtest.jsonl`` a case for each test.

Facts: ``state``, ``baseline``, ``whole`` (the tests with everything from the state), ``tests`` (the status of each test),
``runs`` (by name, the exit code of autopkgtest).
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.store import step_command
from lab.store.step import StepContext, StepOutcome
from scripts.testing.autopkgtest_judging import AutopkgtestRuns, judge, native
from scripts.testing.candidate import Candidate
from scripts.testing.conclusion import Findings, archive_url, carry_out

NAME = "autopkgtest"


def test(context: StepContext, found: Candidate) -> Findings:
    """Run the tests of the component."""
    with archive_url(context, found) as url:
        home = context.run.results / "native" / NAME
        runs = AutopkgtestRuns(context, found, url, context.component_name, home)
        judgement = judge(runs)
    passed, every = judgement.of("passed"), judgement.statuses
    summary = f"{len(passed)} of {len(every)} tests passed"
    if judgement.proves_nothing:
        kind = "superficial or skipped" if passed else "skipped"
        summary = f"all {len(every)} tests were {kind}" if every else "no tests"
    also = [f"{name} fails in {judgement.baseline} too" for name in judgement.of("known")]
    also += filter(None, [judgement.note])
    facts = {
        "whole": list(judgement.whole),
        "tests": dict(every),
        "runs": {name: run.code for name, run in runs.done.items()},
    }
    return Findings(list(native(judgement)), summary, also, prefix={"failed": "regression: "}, facts=facts)


def action(context: StepContext) -> StepOutcome:
    return carry_out(context, NAME, test)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
