"""The verdict on a state: what fails there and not in the state of the label, and the votes of other CI systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.base.errors import InfrastructureError
from lab.store.promotions import ProbeFailure, ProbeRecord, StateVote
from scripts.promotion import failures
from scripts.promotion.probing import ProbeResult


class VotesMissing(Exception):
    """A state that has passed waits for votes; ``since``: the end of its probe."""

    def __init__(self, state: str, names: tuple[str, ...], since: str) -> None:
        super().__init__(f"{state} waits for the votes of {', '.join(names)}")
        self.state, self.names, self.since = state, names, since


def judged(
    result: ProbeResult, state: str, items: tuple[str, ...], baseline: ProbeRecord | None, finished: str
) -> ProbeRecord:
    """Return the record of a result: a failure that the state of the label has too is no regression.

    Raises InfrastructureError where such a failure ended the probe: what it did not reach says nothing about the state.
    """
    known = {failure.test for failure in baseline.failures} if baseline else set()
    regressions = tuple(each for each in result.failures if each.test not in known)
    failed = bool(regressions) or (result.verdict != "passed" and not result.failures)
    message = failures.described(regressions) or result.message
    if result.failures and not regressions:
        if result.ended_at:
            why = f"{result.ended_at} fails there and in the present state of the label: {result.message}"
            raise InfrastructureError(f"{state} has no verdict: {why}", hint="repair what both need")
        message = f"no regression: {failures.described(result.failures)} fails in the present state of the label too"
    return ProbeRecord(
        state=state,
        items=items,
        verdict="failed" if failed else "passed",
        runs=result.runs,
        failures=result.failures,
        regressions=regressions,
        message=message,
        finished=finished,
    )


def with_votes(record: ProbeRecord, votes: Mapping[str, StateVote], voters: Sequence[str]) -> ProbeRecord:
    """Return the record of a state that passed, with the votes counted.  Raises VotesMissing.

    A vote against the state decides, whatever the others are.
    """
    known = [votes[name] for name in voters if name in votes]
    counted = tuple(f"{vote.name} {vote.verdict} {vote.url}".rstrip() for vote in known)
    against = tuple(
        ProbeFailure(test=f"vote of {vote.name}", message=vote.url or vote.verdict)
        for vote in known
        if vote.verdict == "failed"
    )
    if against:
        changes = {"verdict": "failed", "failures": (*record.failures, *against), "regressions": against}
        return record.model_copy(update={**changes, "votes": counted, "message": failures.described(against)})
    if missing := tuple(name for name in voters if name not in votes):
        raise VotesMissing(record.state, missing, record.finished)
    return record.model_copy(update={"votes": counted})
