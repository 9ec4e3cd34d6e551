"""What a promotion would do now: the items that can go, and what the others wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.base import environment
from lab.store import promotions
from lab.store.archive import ArchiveReader
from lab.store.promotions import PromotionRound, WaitingVersion, WaitingVersions
from lab.store.records import rfc3339
from scripts.migration.items import MigrationItem
from scripts.migration.migrating import Migration
from scripts.promotion import judgement
from scripts.promotion.candidates import Candidates, Distribution
from scripts.promotion.criteria import TrackCriteria, age_order


@dataclass(frozen=True)
class PromotionSurvey:
    """The candidates of a label now, the result of the criteria, and the versions that wait."""

    candidates: Candidates
    result: Migration
    items: tuple[MigrationItem, ...]
    """The items that can be probed, in the order of their age."""
    waiting: WaitingVersions


def survey(criteria: TrackCriteria, distribution: Distribution) -> PromotionSurvey | None:
    """Return what a promotion of a label would do now; None for a track without a state."""
    reader = ArchiveReader.at(criteria.store.archive)
    newest, base = reader.newest(criteria.track), reader.state(criteria.label)
    if newest is None:
        return None
    past = promotions.rounds(criteria.store, criteria.label)
    name = base.name if base else ""
    candidates = Candidates(reader, name, newest.name, distribution, criteria.hints)
    reasons = criteria.reasons(candidates, past)
    final = {item: reason.text for item, reason in reasons.items() if reason.final}
    result = candidates.chosen(criteria.policies(reasons, reader), final)
    items = tuple(age_order(result.migrated, reader.root, criteria.track))
    held = candidates.waiting(result, {str(item): reason.runs for item, reason in reasons.items()})
    missing = _missing_votes(criteria, past)
    waiting = WaitingVersions(
        track=criteria.track,
        label=criteria.label,
        state=name,
        newest=newest.name,
        checked=rfc3339(environment.now()),
        components=tuple(
            sorted([*held, *_next(candidates, items, past, missing)], key=lambda one: (one.component, one.item))
        ),
        open_state=missing.state if missing else "",
        open_votes=missing.names if missing else (),
        warnings=result.warnings,
    )
    return PromotionSurvey(candidates, result, items, waiting)


def _current(past: Sequence[PromotionRound]) -> PromotionRound | None:
    return past[-1] if past and past[-1].outcome == "open" else None


def _missing_votes(criteria: TrackCriteria, past: Sequence[PromotionRound]) -> judgement.VotesMissing | None:
    """Return the votes that the open round waits for."""
    current, voters = _current(past), criteria.settings.votes
    for probe in current.probes if current and not current.decided else ():
        if probe.verdict == "passed" and not probe.votes:
            try:
                judgement.with_votes(probe, promotions.votes(criteria.store, probe.state, voters), voters)
            except judgement.VotesMissing as missing:
                return missing
    return None


def _next(
    candidates: Candidates,
    items: Sequence[MigrationItem],
    past: Sequence[PromotionRound],
    missing: judgement.VotesMissing | None,
) -> list[WaitingVersion]:
    """Return the items that nothing holds back: an open round tests them, or the next one will."""
    current = _current(past)
    stands = ""
    if current:
        stands = f"the promotion {current.number} {f'has passed so far: {missing}' if missing else 'tests it'}"
    return [
        WaitingVersion(
            item=str(item),
            component=item.source,
            before=known.version if (known := candidates.target.sources.get(item.source)) else "",
            version="" if item.removal else item.version,
            waits_for="promotion",
            reason=stands if current and str(item) in current.items else "waits for the next promotion",
        )
        for item in items
    ]
