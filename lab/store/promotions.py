"""The records of automatic promotions, the results of phases, and the votes of other CI systems.

::

    promotions/LABEL/NUMBER.json   a round of a promotion, see `PromotionRound`
    promotions/LABEL/waiting.json  the versions that are not in the label after the last round
    phases/TRACK/COMPONENT/PHASE/VERSION.json
                                   the result of a phase for a version, see `PhaseResult`
    probes/STATE/                  the results of a state's deployment by a job, see `scripts.promotion.elsewhere`
    votes/STATE/NAME.json          the vote of a CI system for a state, see `StateVote`

A round is written before and after each of its actions, so that the next call continues it after a kill.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.store.archive import ArchivePart
from lab.store.records import Stored
from lab.store.runs import Store
from lab.store.standing import RunVerdict

ASKED = "asked.json"
WEB_ADDRESS = r"^(https?://\S+)?$"
LONGEST_ADDRESS = 2000
LARGEST_VOTE = 10_000
PATIENCE: Final = timedelta(hours=12)
ProbeVerdict = Literal["passed", "failed"]


class ProbeFailure(ArchivePart):
    """A failure of a state: a test case or a step, and its message."""

    test: str
    message: str = ""


class ProbeRecord(ArchivePart):
    """The result of the deployment and the exercises of a state; ``items``: the versions that it adds to the label."""

    state: str
    items: tuple[str, ...] = ()
    verdict: ProbeVerdict
    runs: tuple[str, ...] = ()
    failures: tuple[ProbeFailure, ...] = ()
    regressions: tuple[ProbeFailure, ...] = ()
    """The failures that the state of the label does not have."""
    votes: tuple[str, ...] = ()
    """The votes that were counted, each with its URL."""
    message: str = ""
    finished: str = ""


class FailedProbe(ArchivePart):
    """A state that has failed and has no verdict yet: the state of the label must be tested to compare."""

    state: str
    runs: tuple[str, ...] = ()
    failures: tuple[ProbeFailure, ...] = ()
    message: str = ""
    ended_at: str = ""


class HeldVersion(ArchivePart):
    """An item that failed in a round, with its evidence.

    ``item`` names the version, so that a newer version is a new candidate.
    """

    item: str
    state: str
    runs: tuple[str, ...] = ()
    message: str = ""
    together: tuple[str, ...] = ()
    """The other items of the state that failed; without these items, but with some of the others, it passed."""
    released: bool = False
    """Whether a user has asked for another try."""


class PromotionRound(Stored):
    """promotions/LABEL/NUMBER.json: a round of a promotion."""

    migrations = dict.fromkeys((1,), lambda data: data)  # the new field has a default
    schema_version: int = Field(2, alias="schema")
    number: int
    track: str
    label: str
    base: str = ""
    """The state of the label at the start; empty for a label that no state has yet."""
    newest: str
    """The state that has the candidates."""
    hints: str = ""
    """The text of the file of hints at the start."""
    started: str
    finished: str = ""
    items: tuple[str, ...]
    """The items that fulfil the criteria, the oldest first."""
    baseline: ProbeRecord | None = None
    """The result of the state of the label, if a state has failed."""
    failed: FailedProbe | None = None
    """The result of a state, while the state of the label is tested to compare."""
    probes: tuple[ProbeRecord, ...] = ()
    held: tuple[HeldVersion, ...] = ()
    decided: bool = False
    """Whether ``target`` and ``held`` are final."""
    target: str = ""
    """The state that the label is to name; empty: none passed."""
    outcome: Literal["open", "promoted", "nothing", "superseded"] = "open"

    @property
    def needed(self) -> set[str]:
        """The states without which an open round cannot go on: people remove some when the disk is full."""
        if self.decided:
            return {self.target} - {""}
        passed = {probe.state for probe in self.probes if probe.verdict == "passed"}
        return ({self.base, self.newest} | passed) - {""}

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs of the state that was promoted."""
        return next((probe.runs for probe in self.probes if probe.state == self.target), ())


class WaitingVersion(ArchivePart):
    """A component whose newest version is not in the label, and the one thing it waits for."""

    item: str
    component: str
    before: str = ""
    """The version in the label."""
    version: str = ""
    """The newest version; empty for a component that is no longer in the track."""
    waits_for: str = ""
    reason: str
    runs: tuple[str, ...] = ()


class WaitingVersions(Stored):
    """promotions/LABEL/waiting.json: all components that are not in the label, and the state of the open round."""

    track: str
    label: str
    state: str = ""
    """The state of the label."""
    newest: str = ""
    checked: str
    components: tuple[WaitingVersion, ...] = ()
    open_state: str = ""
    """The state that the open round waits for votes on."""
    open_votes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class PhaseResult(Stored):
    """phases/TRACK/COMPONENT/PHASE/VERSION.json: the newest run of a phase for a version, wherever its directory is."""

    run: str
    """The URL of the Jenkins build, else the name of the run."""
    verdict: RunVerdict
    failures: tuple[ProbeFailure, ...] = ()


class ProbeRequest(Stored):
    """probes/STATE/asked.json: since when a job was asked to deploy a state, after how many errors of the lab."""

    since: str
    errors: int = 0

    @property
    def is_open(self) -> bool:
        """Whether a deployment is to be asked for, the first time or because the last one was lost."""
        return not self.since or environment.now() - datetime.fromisoformat(self.since) > PATIENCE


class StateVote(Stored):
    """votes/STATE/NAME.json: the vote of a CI system for a state."""

    state: str
    name: str
    verdict: Literal["passed", "failed"]
    url: str = Field("", pattern=WEB_ADDRESS, max_length=LONGEST_ADDRESS)
    """The page of the result: the site links to it."""
    when: str = Field("", max_length=40)


def home(store: Store, label: str) -> Path:
    """Return the directory of the rounds of a label."""
    return store.root / "promotions" / label


def round_path(store: Store, label: str, number: int) -> Path:
    return home(store, label) / f"{number}.json"


def rounds(store: Store, label: str) -> list[PromotionRound]:
    """Return the rounds of a label, the oldest first."""
    return [PromotionRound.read(path) for path in _round_paths(store, label)]


def last_round(store: Store, label: str) -> PromotionRound | None:
    """Return the last round of a label; None before the first one."""
    return next((PromotionRound.read(path) for path in _round_paths(store, label)[-1:]), None)


def _round_paths(store: Store, label: str) -> list[Path]:
    paths = [path for path in home(store, label).glob("*.json") if path.stem.isdecimal()]
    return sorted(paths, key=lambda path: int(path.stem))


def waiting_path(store: Store, label: str) -> Path:
    return home(store, label) / "waiting.json"


def waiting(store: Store, label: str) -> WaitingVersions | None:
    """Return the versions that the last round of a label has left; None before the first round."""
    path = waiting_path(store, label)
    return WaitingVersions.read(path) if path.exists() else None


def states_in_use(store: Store) -> set[str]:
    """Return the states that open rounds use, and those whose deployment was asked for and can still come."""
    found: set[str] = set()
    for last in open_rounds(store):
        found |= {last.base, last.newest, last.target, *(probe.state for probe in last.probes)}
    asked = store.root.glob(f"probes/*/{ASKED}")
    return found | {path.parent.name for path in asked if not ProbeRequest.read(path).is_open}


def open_rounds(store: Store) -> Iterator[PromotionRound]:
    """Yield the round of each label that has an open one."""
    for path in sorted((store.root / "promotions").glob("*")):
        last = last_round(store, path.name)
        if last and last.outcome == "open":
            yield last


def probe_home(store: Store, state: str) -> Path:
    return store.root / "probes" / state


def probe_request(store: Store, state: str) -> ProbeRequest | None:
    """Return since when a job was asked to deploy a state; None where no promotion waits for that."""
    path = probe_home(store, state) / ASKED
    return ProbeRequest.read(path) if path.exists() else None


def phase_path(store: Store, track: str, component: str, phase: str, version: str) -> Path:
    return store.root / "phases" / track / component / phase / f"{version}.json"


def phase_result(store: Store, track: str, component: str, phase: str, version: str) -> PhaseResult | None:
    """Return the result of a phase for a version; None if it has no run."""
    path = phase_path(store, track, component, phase, version)
    return PhaseResult.read(path) if version and path.exists() else None


def vote_path(store: Store, state: str, name: str) -> Path:
    return store.root / "votes" / state / f"{name}.json"


def votes(store: Store, state: str, voters: Iterable[str]) -> dict[str, StateVote]:
    """Return the votes of some voters for a state, by the name of the voter.

    Raises ConfigurationError for a file that is no vote, or that is a vote of another voter or for another state.
    """
    found = {}
    for name in voters:
        path = vote_path(store, state, name)
        if not path.exists():
            continue
        if not path.is_file() or path.stat().st_size > LARGEST_VOTE:
            raise ConfigurationError(f"{path}: is no vote: right is a file of {LARGEST_VOTE} bytes at most")
        vote = StateVote.read(path)
        if (vote.state, vote.name) != (state, name):
            raise ConfigurationError(f"{path}: is the vote of {vote.name} for {vote.state}")
        found[name] = vote
    return found


def remove_votes_against(store: Store, state: str, voters: Iterable[str]) -> None:
    """Remove the votes of some voters against a state."""
    for vote in votes(store, state, voters).values():
        if vote.verdict == "failed":
            vote_path(store, state, vote.name).unlink()
