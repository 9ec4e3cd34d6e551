"""The criteria of a promotion, besides installability: runs of a version, its age, and its earlier failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config.description import COMPONENT_PHASES, PHASES, Lab
from lab.config.promotion import PromotionSettings
from lab.store import promotions
from lab.store.archive import SOURCE_LOCK, ArchiveReader
from lab.store.promotions import HeldVersion, PromotionRound
from lab.store.runs import Store
from scripts.archives import versions
from scripts.migration import hints
from scripts.migration.items import MigrationItem
from scripts.migration.policies import Criteria, ItemVerdict
from scripts.promotion import failures
from scripts.promotion.candidates import HELD, Candidates

JUDGED = {"passed", "failed", "unstable"}


@dataclass(frozen=True)
class VersionReason:
    """Why an item has to wait, with the runs that are the evidence; ``final``: whatever the hints are."""

    text: str
    runs: tuple[str, ...] = ()
    final: bool = False


@dataclass(frozen=True)
class TrackCriteria:
    """The criteria of a track that promotes, and what the lab knows of its versions."""

    lab: Lab
    track: str
    settings: PromotionSettings

    @property
    def store(self) -> Store:
        return Store.of(self.lab)

    @property
    def label(self) -> str:
        return f"{self.track}-{self.settings.label}"

    @property
    def hints(self) -> str:
        """The text of the file of hints.

        Raises ConfigurationError if it cannot be read, and for a line that is no hint: a misspelt block blocks nothing.
        """
        if self.settings.hints is None:
            return ""
        try:
            text = hints.text_of(Path(self.settings.hints))
        except OSError as error:
            raise ConfigurationError(f"tracks.{self.track}.promotion.hints: {self.settings.hints}: {error}") from None
        for number, words in hints.lines(text):
            if wrong := hints.malformed(words):
                raise ConfigurationError(f"{self.settings.hints}:{number}: {' '.join(words)}: {wrong}")
        return text

    @property
    def phases(self) -> Sequence[str]:
        """The phases whose runs of a version count; the archive has what was built."""
        before = COMPONENT_PHASES & {*self.lab.tracks[self.track].phases}
        wanted = before if self.settings.criteria is None else self.settings.criteria
        return [phase for phase in PHASES if phase in wanted and phase != "build"]

    def reasons(self, candidates: Candidates, past: Sequence[PromotionRound]) -> dict[MigrationItem, VersionReason]:
        """Return the items that have to wait because of their runs or of earlier rounds."""
        held = {each.item: each for one in past for each in one.held}
        demoted = demotion(candidates.reader, self.label)
        found = {}
        for item in candidates.changes:
            reason = _held_reason(held.get(str(item)))
            if reason is None and not item.removal:
                if why := demoted.get((item.source, item.version)):
                    reason = VersionReason(why)
                else:
                    before = candidates.target.sources.get(item.source)
                    reason = next(self._of_phases(item, before.version if before else ""), None)
            if reason:
                found[item] = reason
        return found

    def _of_phases(self, item: MigrationItem, before: str) -> Iterator[VersionReason]:
        """Yield the phases that keep an item waiting, relative to the version ``before``, which the label has."""
        for phase in self.phases:
            result = promotions.phase_result(self.store, self.track, item.source, phase, item.version)
            if result is None or result.verdict not in JUDGED:
                stands = f"its newest run {result.run} is {result.verdict}" if result else "it has no run"
                yield VersionReason(f"waits for the phase {phase}: {stands}", (result.run,) if result else ())
                continue
            there = promotions.phase_result(self.store, self.track, item.source, phase, before)
            known = {each.test for each in there.failures} if there else set()
            if new := [each for each in result.failures if each.test not in known]:
                yield VersionReason(f"the phase {phase} {result.verdict}: {failures.described(new)}", (result.run,))

    def policies(self, reasons: dict[MigrationItem, VersionReason], reader: ArchiveReader) -> Criteria:
        """Return the criteria of a migration."""
        verdicts = {
            (item.source, item.version): ItemVerdict(passed=False, reason=reason.text)
            for item, reason in reasons.items()
            if not item.removal
        }
        now = environment.now()
        known = [record for track, _, record in versions.everywhere(reader.root) if track == self.track]
        return Criteria(
            verdicts=verdicts,
            ages={
                (each.source, each.version): (now - datetime.fromisoformat(each.added)) / timedelta(days=1)
                for each in known
            },
            least_age=self.settings.age_days,
        )


def _held_reason(held: HeldVersion | None) -> VersionReason | None:
    if held is None or held.released:
        return None
    return VersionReason(f"{HELD}{held.message}", held.runs, final=True)


def demotion(reader: ArchiveReader, label: str) -> dict[tuple[str, str], str]:
    """Return the source versions that a demotion of a label took away, each with the reason.

    The next promotion would bring them back.  A version that a later move brought back counts no more.
    """
    found: dict[tuple[str, str], str] = {}
    for move in reader.moves(label):
        after = set(reader.lock(move.after, SOURCE_LOCK))
        if move.kind == "demotion":
            reason = f"{': ' if move.reason else ''}{move.reason}"
            why = f"waits for a newer version: {label} was demoted by {move.who}, {move.when}{reason}"
            # A record of an older release does not name the versions.
            found |= dict.fromkeys(move.taken or set(reader.lock(move.before, SOURCE_LOCK)) - after, why)
        found = {version: why for version, why in found.items() if version not in after}
    return found


def age_order(items: Sequence[MigrationItem], root: Path, track: str) -> list[MigrationItem]:
    """Return items in the order in which their versions came into the archive; removals are last."""
    added = {
        (record.source, record.version): record.added for of, _, record in versions.everywhere(root) if of == track
    }
    return sorted(items, key=lambda item: (item.removal, added.get((item.source, item.version), ""), item))
