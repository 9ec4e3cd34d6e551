"""A round of a promotion: probe the candidates, hold the culprits back, move the label.

The record of the round is written after each action, and a round is a function of it: a call that finds an open round
asks again only for what the record does not have.  Rounds of a label take turns, by a lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.store import promotions
from lab.store.archive import SOURCE_LOCK, ArchiveReader, State
from lab.store.promotions import FailedProbe, HeldVersion, ProbeRecord, PromotionRound, WaitingVersions
from lab.store.records import rfc3339
from scripts.archives import lab_archive, labels, versions
from scripts.archives.content import Content
from scripts.archives.lab_archive import LabArchive
from scripts.archives.labels import Reasons
from scripts.migration.items import MigrationItem
from scripts.promotion import judgement
from scripts.promotion.candidates import Candidates, Distribution
from scripts.promotion.composition import compose
from scripts.promotion.criteria import TrackCriteria
from scripts.promotion.elsewhere import DeploymentMissing
from scripts.promotion.halving import Culprit, halve
from scripts.promotion.probing import Probe, ProbeResult
from scripts.promotion.survey import PromotionSurvey, survey

# The number of probes of a state in one call, while the lab is at fault.
TRIES = 2
PART = frozenset[MigrationItem]


@dataclass(frozen=True)
class PromotionOutcome:
    """The result of a call: the round, if one was necessary, and what waits now.

    ``votes``: those that are missing; ``deployment``: the state that a job is to deploy first.
    """

    round: PromotionRound | None
    waiting: WaitingVersions | None
    votes: tuple[str, ...] = ()
    deployment: str = ""


@dataclass
class Promoter:
    """The promotion of a label.  ``probe`` is the only access to deployments, ``distribution`` that to the mirror."""

    criteria: TrackCriteria
    probe: Probe
    distribution: Distribution
    who: str
    log: IO[str]
    say: Callable[[str], None]
    turn: PromotionRound = field(init=False)

    @property
    def reader(self) -> ArchiveReader:
        return ArchiveReader.at(self.criteria.store.archive)

    def run(self) -> PromotionOutcome:
        """Continue the open round, or begin one; return the result.

        Raises InfrastructureError where the lab is at fault: the round stays open, and the next call tries again.
        """
        criteria = self.criteria
        with files.locked(criteria.store.lock_path("promotion", criteria.label)):
            if not self._continue() and not self._begin():
                return PromotionOutcome(None, self._note(self._survey()))
            try:
                self._decide()
            except DeploymentMissing as missing:
                return PromotionOutcome(self.turn, self._note(self._survey()), deployment=missing.state)
            except judgement.VotesMissing as missing:
                if not self._is_late(missing):
                    return PromotionOutcome(self.turn, self._note(self._survey()), missing.names)
                self.say(f"{missing.state}: no vote of {', '.join(missing.names)} in time")
                self._update(outcome="superseded", finished=self._now())
                return PromotionOutcome(self.turn, self._note(self._survey()))
            self._move()
            return PromotionOutcome(self.turn, self._note(self._survey()))

    def _survey(self) -> PromotionSurvey | None:
        return survey(self.criteria, self.distribution)

    def _note(self, found: PromotionSurvey | None) -> WaitingVersions | None:
        """Write down what waits now."""
        if found is None:
            return None
        found.waiting.write(promotions.waiting_path(self.criteria.store, self.criteria.label))
        return found.waiting

    def _continue(self) -> bool:
        """Take up the open round; end one that something else has overtaken."""
        last = promotions.last_round(self.criteria.store, self.criteria.label)
        if last is None or last.outcome != "open":
            return False
        self.turn = last
        state = self.reader.state(self.criteria.label)
        name = state.name if state else ""
        moved = self.turn.decided and name == self.turn.target
        if gone := sorted(each for each in self.turn.needed if self.reader.state(each) is None):
            self.say(f"{', '.join(gone)} was removed: the promotion {self.turn.number} ends")
            self._update(outcome="superseded", finished=self._now())
            return False
        if name == self.turn.base and not moved and (gone := self._withdrawn(self.turn.newest)):
            self.say(f"{', '.join(gone)} was withdrawn: the promotion {self.turn.number} ends")
            self._update(outcome="superseded", finished=self._now())
            return False
        if name == self.turn.base or moved:
            self.say(f"continues the promotion {self.turn.number}")
            return True
        self.say(f"{self.criteria.label} was moved: the promotion {self.turn.number} ends")
        self._update(outcome="superseded", finished=self._now())
        return False

    def _withdrawn(self, state: str) -> list[str]:
        """Return the versions of a state that were withdrawn and that the label does not have."""
        new = set(self.reader.lock(state, SOURCE_LOCK)) - set(self.reader.lock(self.turn.base, SOURCE_LOCK))
        gone = {
            (record.source, record.version)
            for track, _, record in versions.everywhere(self.reader.root)
            if track == self.turn.track and record.withdrawn
        }
        return [f"{name}/{version}" for name, version in sorted(new & gone)]

    def _begin(self) -> bool:
        """Begin a round; return whether anything can be promoted."""
        found = self._survey()
        if found is None or not found.items:
            return False
        last = promotions.last_round(self.criteria.store, self.criteria.label)
        self.turn = PromotionRound(
            number=last.number + 1 if last else 1,
            track=self.criteria.track,
            label=self.criteria.label,
            base=found.waiting.state,
            newest=found.waiting.newest,
            hints=found.candidates.hints,
            started=self._now(),
            items=tuple(map(str, found.items)),
        )
        self._update()
        return True

    def _now(self) -> str:
        return rfc3339(environment.now())

    def _update(self, **changes: object) -> None:
        """Change the record of the round, and write it."""
        self.turn = self.turn.model_copy(update=changes)
        self.turn.write(promotions.round_path(self.criteria.store, self.turn.label, self.turn.number))

    def _decide(self) -> None:
        """Find what passes and what does not, unless the record has it."""
        if self.turn.decided:
            return
        candidates = Candidates(self.reader, self.turn.base, self.turn.newest, self.distribution, self.turn.hints)
        order = [candidates.named[name] for name in self.turn.items]
        found = halve(order, candidates.largest, lambda part: self._passes(candidates, part))
        held = tuple(one for culprit in found.culprits for one in self._held(culprit))
        target = self._known(found.good)
        self._update(decided=True, held=held, target=target.state if target else "")

    def _known(self, part: PART) -> ProbeRecord | None:
        names = _names(part)
        return next((probe for probe in self.turn.probes if probe.items == names), None)

    def _held(self, culprit: Culprit[MigrationItem]) -> Iterable[HeldVersion]:
        record = self._known(culprit.failed)
        assert record is not None  # noqa: S101 - a part fails by its record only
        for name in _names(culprit.items):
            yield HeldVersion(
                item=name,
                state=record.state,
                runs=record.runs,
                message=record.message,
                together=_names(culprit.failed - culprit.items),
            )

    def _passes(self, candidates: Candidates, part: PART) -> bool:
        record = self._known(part)
        if record is None:
            state = self._state(candidates, part)
            self.say(f"tests {', '.join(_names(part))} as {state.name}")
            record = self._judged(state, part)
            self._update(probes=(*self.turn.probes, record), failed=None)
            self.say(f"{state.name}: {record.verdict}{': ' if record.message else ''}{record.message}")
        if record.verdict == "passed" and self.criteria.settings.votes and not record.votes:
            voters = self.criteria.settings.votes
            counted = judgement.with_votes(record, promotions.votes(self.criteria.store, record.state, voters), voters)
            self._update(probes=tuple(counted if each == record else each for each in self.turn.probes))
            record = counted
        return record.verdict == "passed"

    def _judged(self, state: State, part: PART) -> ProbeRecord:
        failed, baseline = self.turn.failed, self.turn.baseline
        if failed and failed.state == state.name:
            result = ProbeResult("failed", failed.runs, failed.failures, failed.message, failed.ended_at)
        else:
            result = self._probed(state)
        if result.verdict == "failed" and self.turn.base and baseline is None:
            parts = {"runs": result.runs, "failures": result.failures, "message": result.message}
            # An error in the test of the label's state must not cost another test of this one.
            self._update(failed=FailedProbe(state=state.name, ended_at=result.ended_at, **parts))
            self.say(f"tests {self.turn.base}, the present state of {self.turn.label}, to compare")
            base = self._probed(self.reader.existing(self.turn.base))
            baseline = judgement.judged(base, self.turn.base, (), None, self._now())
            if not base.ended_at:  # else it does not have all failures: the next probe compares again
                self._update(baseline=baseline)
        try:
            return judgement.judged(result, state.name, _names(part), baseline, self._now())
        except InfrastructureError:
            self._update(failed=None)  # after a repair, it is tested again
            raise

    def _probed(self, state: State) -> ProbeResult:
        """Probe a state, again after an error.  Raises InfrastructureError after the last error."""
        for _ in range(TRIES):
            result = self.probe(state)
            if result.verdict != "error":
                return result
            self.say(f"{state.name}: the lab's fault: {result.message}")
        hint = "qalab promote tries again"
        raise InfrastructureError(f"{state.name} has no verdict: {result.message}", hint=hint)

    def _state(self, candidates: Candidates, part: PART) -> State:
        """Return the state that has some items, and else what the label has."""
        criteria, reader = self.criteria, self.reader
        architectures = criteria.lab.series[criteria.lab.tracks[criteria.track].series].architectures
        newest = Content.read(reader, self.turn.newest, architectures)
        base = Content.read(reader, self.turn.base, architectures) if self.turn.base else Content(architectures, {})
        content = compose(base, newest, candidates.solution(part).packages)
        why = f"candidate for {criteria.label}: {', '.join(_names(part))}"
        with lab_archive.opened(criteria.lab, self.log) as archive:
            return archive.candidate(criteria.label, criteria.track, content, why)

    def _is_late(self, missing: judgement.VotesMissing) -> bool:
        limit = timedelta(hours=self.criteria.settings.vote_hours)
        return environment.now() - datetime.fromisoformat(missing.since) > limit

    def _move(self) -> None:
        """Move the label to the state that passed, and end the round."""
        if not self.turn.target:
            self._update(outcome="nothing", finished=self._now())
            return
        with lab_archive.opened(self.criteria.lab, self.log) as archive:
            moved = self._point(archive)
        self._update(outcome="promoted" if moved else "superseded", finished=self._now())

    def _point(self, archive: LabArchive) -> bool:
        """Move the label, unless somebody else has moved it meanwhile; return whether it names the state."""
        state = archive.reader.state(self.turn.label)
        name = state.name if state else ""
        if name not in {self.turn.base, self.turn.target}:
            return False
        if name != self.turn.target and (gone := self._withdrawn(self.turn.target)):
            self.say(f"{', '.join(gone)} was withdrawn: {self.turn.label} does not move")
            return False
        reason = f"promotion {self.turn.number}"
        labels.move(archive, "promotion", self.turn.label, self.turn.target, Reasons(self.who, self.turn.runs, reason))
        return True


def release(criteria: TrackCriteria, component: str, *, dry_run: bool = False) -> int:
    """Let a component be tried again whose versions are held back; return the number of versions.

    Votes against their states are removed: other systems vote again.
    """
    count = 0
    with files.locked(criteria.store.lock_path("promotion", criteria.label)):
        for one in promotions.rounds(criteria.store, criteria.label):
            released = [each for each in one.held if _component(each.item) == component and not each.released]
            count += len(released)
            if released and not dry_run:
                held = (each.model_copy(update={"released": each.released or each in released}) for each in one.held)
                path = promotions.round_path(criteria.store, criteria.label, one.number)
                for state in {each.state for each in released}:
                    promotions.remove_votes_against(criteria.store, state, criteria.settings.votes)
                one.model_copy(update={"held": tuple(held)}).write(path)
    return count


def _component(item: str) -> str:
    return item.removeprefix("-").partition("/")[0]


def _names(part: Iterable[MigrationItem]) -> tuple[str, ...]:
    return tuple(sorted(map(str, part)))
