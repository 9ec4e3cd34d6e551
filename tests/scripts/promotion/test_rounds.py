"""Rounds of a promotion: what is promoted, what is held back and why, in a lab of six components."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner

from cli.archive.show import command as show_command
from cli.archive.vote import command as vote_command
from cli.promote import command
from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.store import promotions
from lab.store.archive import State
from lab.store.promotions import ProbeFailure, StateVote
from lab.store.run_directory import open_run
from lab.store.runs import Store
from scripts.archives import lab_archive, labels, retention, withdrawal
from scripts.archives.labels import Reasons
from scripts.archives.withdrawal import SourceVersion
from scripts.migration.indexes import IndexedSuite
from scripts.promotion import opening, phase_results, probing, rounds
from scripts.promotion.probing import ProbeResult
from scripts.promotion.survey import survey
from tests.conftest import Bench
from tests.scripts.promotion.conftest import LABEL, PromotionBed

pytestmark = pytest.mark.integration


def test_new_versions_are_promoted_together(bed: PromotionBed) -> None:
    bed.add("plain 2", "libtalk 2")
    assert bed.promote() == {}
    assert bed.content() == "libtalk/2 plain/2"
    assert bed.probed == ["libtalk/2 plain/2"]
    move = bed.reader.moves(LABEL)[-1]
    assert (move.kind, move.who, move.runs, move.reason) == ("promotion", "tester", ("trunk/all/1",), "promotion 1")


def test_a_broken_user_is_held_back_and_its_fix_releases_it(bed: PromotionBed) -> None:
    """The library and the other components are promoted; the evidence is on record."""
    newest = bed.reader.newest("trunk")
    bed.add("libgreet 2", "hail 2 libgreet (>= 2)", "shout 2 libgreet (>= 2)", "whisper 2", "plain 2")
    bed.broken = {"hail/2": "hail: answers"}
    waiting = bed.promote()
    assert bed.content() == "libgreet/2 plain/2 shout/2 whisper/2"
    assert waiting == {"hail/2": "held back: exercise: hail: answers: hail: answers is broken"}
    held = promotions.rounds(bed.promoter().criteria.store, LABEL)[-1].held[0]
    assert (held.item, len(held.runs)) == ("hail/2", 1)
    assert bed.content(held.state).startswith("hail/2 ")
    # The label of the track has not moved with the states that were probed.
    assert bed.reader.existing("trunk").number == newest.number + 5  # type: ignore[union-attr]
    assert bed.content("trunk") == "hail/2 libgreet/2 plain/2 shout/2 whisper/2"

    count = len(bed.probed)
    assert bed.promote() == waiting  # nothing is tried again for no reason
    assert len(bed.probed) == count
    bed.add("hail 3 libgreet (>= 2)")
    assert bed.promote() == {}
    assert bed.content() == "hail/3 libgreet/2 plain/2 shout/2 whisper/2"


def test_a_broken_library_holds_back_what_needs_it(bed: PromotionBed) -> None:
    bed.add("libgreet 2", "hail 2 libgreet (>= 2)", "shout 2 libgreet (>= 2)", "plain 2")
    bed.broken = {"libgreet/2": "libgreet"}
    waiting = bed.promote()
    assert bed.content() == "plain/2"
    assert waiting["libgreet/2"].startswith("held back: exercise: libgreet")
    for user in ("hail/2", "shout/2"):
        assert "; libgreet/2 is held back: exercise: libgreet: libgreet is broken" in waiting[user]


def test_an_uninstallable_version_waits_without_a_probe(bed: PromotionBed) -> None:
    bed.add("hail 2 libgreet (>= 2)", "plain 2")
    assert bed.promote() == {"hail/2": "hail 2 needs libgreet (>= 2), which is not there"}
    assert bed.probed == ["plain/2"]


def test_what_fails_in_the_label_too_is_no_regression(bed: PromotionBed) -> None:
    bed.broken = {"plain/1": "plain", "plain/2": "plain", "hail/2": "hail"}
    bed.add("plain 2", "hail 2", "shout 2")
    waiting = bed.promote()
    assert bed.content() == "plain/2 shout/2"
    assert list(waiting) == ["hail/2"]
    record = promotions.rounds(bed.promoter().criteria.store, LABEL)[-1]
    assert record.baseline is not None
    assert [each.test for each in record.baseline.failures] == ["exercise: plain"]
    assert bed.probed.count("") == 1  # the present state of the label was tested once


def test_deployment_that_fails_in_the_label_too_promotes_nothing(
    bed: PromotionBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = ProbeFailure(test="deploy: apt failed", message="apt failed")
    bed.add("plain 2", "hail 2")
    with monkeypatch.context() as patch:
        patch.setattr(bed, "probe", lambda _: ProbeResult("failed", (), (failure,), "apt failed", "deploy"))
        for _ in range(2):
            with pytest.raises(InfrastructureError, match="deploy fails there and in the present state of the label"):
                bed.promote()
    assert bed.content() == ""
    bed.broken = {"hail/1": "hail", "hail/2": "hail"}  # repaired: what was compared before does not count
    assert bed.promote() == {}
    assert bed.content() == "hail/2 plain/2"


def test_a_pair_that_breaks_together_only(bed: PromotionBed) -> None:
    bed.add("hail 2", "shout 2", "plain 2")
    bed.broken = {"hail/2+shout/2": "both"}
    waiting = bed.promote()
    assert bed.content() == "hail/2 plain/2"
    assert list(waiting) == ["shout/2"]  # the later one
    held = promotions.rounds(bed.promoter().criteria.store, LABEL)[-1].held[0]
    assert held.together == ("hail/2",)


def test_an_error_of_the_lab_is_no_verdict(bed: PromotionBed) -> None:
    bed.add("plain 2")
    bed.errors = 1
    assert bed.promote() == {}  # tried again in the same call
    bed.add("plain 3")
    bed.errors = 2
    with pytest.raises(InfrastructureError, match="has no verdict: no machine"):
        bed.promote()
    assert bed.content() == "plain/2"
    bed.add("hail 2")
    assert bed.promote() == {"hail/2": "waits for the next promotion"}  # the open round, with what it began with
    assert bed.content() == "plain/3"
    assert bed.promote() == {}


def test_error_in_the_test_of_the_present_state_does_not_cost_another_test_of_the_candidate(
    bed: PromotionBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed.add("hail 2")
    bed.broken = {"hail/2": "hail"}
    probe = bed.probe

    def without_machine(state: State) -> ProbeResult:
        return probe(state) if bed.content(state.name) else ProbeResult("error", message="no machine")

    with monkeypatch.context() as patch:
        patch.setattr(bed, "probe", without_machine)
        for _ in range(2):
            with pytest.raises(InfrastructureError, match="has no verdict: no machine"):
                bed.promote()
    assert bed.promote() == {"hail/2": "held back: exercise: hail: hail is broken"}
    assert bed.probed == ["hail/2", ""]


def test_a_held_version_is_tried_again_on_request(bed: PromotionBed) -> None:
    bed.add("hail 2")
    bed.broken = {"hail/2": "hail"}
    assert list(bed.promote()) == ["hail/2"]
    bed.broken = {}
    criteria = bed.promoter().criteria
    assert rounds.release(criteria, "plain") == 0
    assert rounds.release(criteria, "hail") == 1
    assert bed.promote() == {}
    assert bed.content() == "hail/2"


def test_a_hint_does_not_have_a_held_version_tested_again(bed: PromotionBed) -> None:
    (bed.home / "hints").write_text("force-hint hail/2\n")
    bed.describe("{hints: hints}")
    bed.add("hail 2")
    bed.broken = {"hail/2": "hail"}
    waiting = bed.promote()
    assert waiting == {"hail/2": "held back: exercise: hail: hail is broken"}
    count = len(bed.probed)
    assert bed.promote() == waiting
    assert len(bed.probed) == count


def test_a_demoted_version_is_not_promoted_again(bed: PromotionBed) -> None:
    bed.add("hail 2")
    bed.promote()
    with lab_archive.opened(bed.lab, bed.log) as archive:
        labels.move(archive, "demotion", LABEL, "", Reasons("a person", reason="it is rude"))
    bed.add("plain 2")
    waiting = bed.promote()
    assert bed.content() == "plain/2"
    assert waiting["hail/2"].startswith("waits for a newer version: trunk-tested was demoted by a person, 2")
    assert waiting["hail/2"].endswith("Z: it is rude")
    assert bed.promote() == waiting
    bed.add("hail 3")
    assert bed.promote() == {}


def test_a_demoted_version_that_comes_back_by_a_withdrawal_is_not_promoted_again(bed: PromotionBed) -> None:
    """Even if retention has removed the states of the demotion, because another version was the newest one then."""
    bed.add("hail 2")
    bed.promote()
    with lab_archive.opened(bed.lab, bed.log) as archive:
        labels.move(archive, "demotion", LABEL, "", Reasons("a person", reason="it is rude"))
        move = archive.reader.moves(LABEL)[-1]
    bed.add("hail 3", "plain 2")
    bed.broken = {"hail/3": "hail"}
    bed.promote()
    withdrawal.withdraw(bed.lab, "trunk", SourceVersion("hail", "3"), bed.log)
    for state in (move.before, move.after):
        shutil.rmtree(bed.reader.root / "dists" / state)
    waiting = bed.promote()
    assert list(waiting) == ["hail/2"]
    assert waiting["hail/2"].startswith("waits for a newer version: trunk-tested was demoted by a person, 2")
    assert bed.content() == "plain/2"


def test_retry_of_a_demoted_version_says_how_it_comes_back(bed: PromotionBed) -> None:
    bed.add("hail 2")
    bed.promote()
    with lab_archive.opened(bed.lab, bed.log) as archive:
        labels.move(archive, "demotion", LABEL, "", Reasons("a person"))
    message = (
        r"hail: no version is held back from trunk-tested \(a demotion took 2 away: qalab archive promote trunk-tested"
    )
    with pytest.raises(ConfigurationError, match=message):
        CliRunner().invoke(command, ["trunk", "--retry", "hail", "--lab", str(bed.lab.file)], catch_exceptions=False)


def test_a_version_older_than_that_of_the_label_is_named_so(bed: PromotionBed) -> None:
    bed.add("hail 2")
    bed.promote()
    withdrawal.withdraw(bed.lab, "trunk", SourceVersion("hail", "2"), bed.log)
    assert bed.promote() == {"hail/1": "older than 2 in the label"}


def test_a_label_without_a_state_gets_its_first_one(bed: PromotionBed) -> None:
    bed.lab = bed.lab.model_copy(
        update={"tracks": {"trunk": bed.lab.tracks["trunk"].model_copy(update={"labels": ("tested", "new")})}}
    )
    criteria = opening.criteria(bed.lab, "trunk", "new")
    promoter = bed.promoter()
    promoter.criteria = criteria
    outcome = promoter.run()
    assert outcome.round is not None
    assert (outcome.round.base, outcome.round.outcome) == ("", "promoted")
    # All of it passed, so the label names the state of the track itself.
    assert bed.reader.existing("trunk-new") == bed.reader.existing("trunk")


def test_a_removal_is_promoted(bed: PromotionBed) -> None:
    withdrawal.withdraw(bed.lab, "trunk", SourceVersion("plain", "1"), bed.log)
    withdrawal.withdraw(bed.lab, "trunk", SourceVersion("libgreet", "1"), bed.log)
    waiting = bed.promote()
    assert [name for name, _ in bed.reader.lock(LABEL)] == ["hail", "libgreet", "libtalk", "shout", "whisper"]
    assert list(waiting) == ["-libgreet/1"]


def test_votes_decide(bed: PromotionBed) -> None:
    bed.describe("{votes: [staging, lab2]}")
    bed.add("hail 2", "plain 2")
    outcome = bed.promoter().run()
    assert outcome.votes == ("staging", "lab2")
    assert outcome.waiting is not None
    state = outcome.waiting.open_state
    store = Store.of(bed.lab)

    def vote(state: str, name: str, verdict: Literal["passed", "failed"]) -> None:
        StateVote(state=state, name=name, verdict=verdict, url="https://ci.example/1").write(
            promotions.vote_path(store, state, name)
        )

    vote(state, "staging", "passed")
    assert bed.promoter().run().votes == ("lab2",)
    now = survey(bed.promoter().criteria, lambda _: IndexedSuite())
    assert now is not None
    assert (now.waiting.open_state, now.waiting.open_votes) == (state, ("lab2",))
    reason = f"the promotion 1 has passed so far: {state} waits for the votes of lab2"
    assert {one.item: one.reason for one in now.waiting.components} == dict.fromkeys(("hail/2", "plain/2"), reason)
    assert len(bed.probed) == 1  # a state that waits for votes is not deployed again
    vote(state, "lab2", "failed")
    votes: tuple[str, ...] = ("one",)
    while votes:  # each part of the set asks for the votes anew
        outcome = bed.promoter().run()
        votes = outcome.votes
        if votes:
            assert outcome.waiting is not None
            state = outcome.waiting.open_state
            vote(state, "staging", "passed")
            vote(state, "lab2", "failed" if "hail/2" in bed.content(state) else "passed")
    assert bed.content() == "plain/2"
    held = promotions.rounds(store, LABEL)[-1].held[0]
    assert (held.item, held.message) == ("hail/2", "vote of lab2: https://ci.example/1")


def test_retry_asks_again_for_a_vote_that_was_against(bed: PromotionBed) -> None:
    bed.describe("{votes: [staging]}")
    bed.add("hail 2")
    criteria, outcome = bed.promoter().criteria, bed.promoter().run()
    assert outcome.waiting
    state = outcome.waiting.open_state
    vote = StateVote(state=state, name="staging", verdict="failed")
    vote.write(promotions.vote_path(criteria.store, state, "staging"))
    assert bed.promote() == {"hail/2": "held back: vote of staging: failed"}
    assert rounds.release(criteria, "hail", dry_run=True) == 1
    assert [*promotions.votes(criteria.store, state, ["staging"])] == ["staging"]
    assert rounds.release(criteria, "hail") == 1
    assert bed.promoter().run().votes == ("staging",)
    assert bed.probed == ["hail/2", "hail/2"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://", "ci.example/1", "https://ci.example/1\n"])
def test_a_vote_file_with_another_address_than_http_is_refused(bed: PromotionBed, url: str) -> None:
    """The site links to it, whoever has written the file."""
    bed.describe("{votes: [staging]}")
    bed.add("hail 2")
    criteria, outcome = bed.promoter().criteria, bed.promoter().run()
    assert outcome.waiting
    path = promotions.vote_path(criteria.store, outcome.waiting.open_state, "staging")
    path.parent.mkdir(parents=True)
    data = {"state": outcome.waiting.open_state, "name": "staging", "verdict": "passed", "url": url}
    path.write_text(json.dumps(data))
    with pytest.raises(ConfigurationError, match=r"staging\.json: url: String should match"):
        bed.promote()
    path.write_text(json.dumps(data | {"url": "https://ci.example/1"}))
    assert bed.promote() == {}


@pytest.mark.parametrize(
    "line, wrong",
    [("blok plain/2", "unknown hint"), ("block", "block needs at least 1 words"), ("age-days 3", "age-days needs")],
)
def test_line_that_is_no_hint_is_refused(bed: PromotionBed, line: str, wrong: str) -> None:
    bed.add("plain 2")
    (bed.home / "hints").write_text(f"# why\n{line}\n")
    bed.describe("{hints: hints}")
    with pytest.raises(ConfigurationError, match=rf"hints:2: {line}: {wrong}"):
        bed.promote()


def test_line_of_hints_that_is_not_utf8_is_named(bed: PromotionBed) -> None:
    bed.add("plain 2")
    (bed.home / "hints").write_bytes("# für alle\n".encode() + b"block plain/2\n# f\xfcr alle\n")
    bed.describe("{hints: hints}")
    with pytest.raises(ConfigurationError, match="hints:3: is not UTF-8: invalid start byte"):
        bed.promote()


@pytest.mark.parametrize(
    "promotion, text, reason",
    [
        ("{hints: hints}", "block plain/2\n", "hint: block plain/2"),
        ("{hints: hints}", "block plain/1\n", ""),  # a hint about another version has expired
        ("{hints: hints}", "block plain\nunblock plain/2\n", ""),
        ("{age_days: 1}", "", "0.0 of 1 days old"),
        ("{age_days: 1, hints: hints}", "urgent plain/2\n", ""),
    ],
)
def test_hints_and_age_hold_back(bed: PromotionBed, promotion: str, text: str, reason: str) -> None:
    (bed.home / "hints").write_text(text)
    bed.describe(promotion)
    bed.add("plain 2")
    assert bed.promote() == ({"plain/2": reason} if reason else {})


def test_a_hint_removes_a_version_and_keeps_it_out(bed: PromotionBed) -> None:
    (bed.home / "hints").write_text("remove plain/1\n")
    bed.describe("{hints: hints}")
    assert bed.promote() == {"plain/1": "hint: remove plain/1"}
    assert [name for name, _ in bed.reader.lock(LABEL)] == ["hail", "libgreet", "libtalk", "shout", "whisper"]


def test_a_label_that_was_moved_ends_the_open_round(bed: PromotionBed) -> None:
    bed.add("plain 2")
    bed.errors = 2
    with pytest.raises(InfrastructureError):
        bed.promote()
    bed.add("hail 2")
    with lab_archive.opened(bed.lab, bed.log) as archive:
        labels.move(archive, "promotion", LABEL, "trunk", Reasons("a person"))
    assert bed.promote() == {}
    assert bed.content() == "hail/2 plain/2"
    record = promotions.rounds(bed.promoter().criteria.store, LABEL)[-1]
    assert record.outcome == "superseded"


@pytest.mark.parametrize("which", ["the candidates", "the state that passed", "the state that was decided on"])
def test_a_state_that_was_removed_ends_the_open_round(bed: PromotionBed, which: str) -> None:
    """Somebody made room on the disk: the next round begins with what is there."""
    bed.describe("{votes: [staging]}")
    bed.add("hail 2 libgreet (>= 3)", "plain 2")  # the state that is tested is not the newest one
    outcome = bed.promoter().run()
    assert outcome.round
    store, (probe,) = Store.of(bed.lab), outcome.round.probes
    bed.add("shout 2")
    gone = outcome.round.newest if which == "the candidates" else probe.state
    assert gone != bed.reader.existing("trunk").name
    if which == "the state that was decided on":
        decided = outcome.round.model_copy(update={"decided": True, "target": probe.state})
        decided.write(promotions.round_path(store, LABEL, 1))
    shutil.rmtree(bed.reader.root / "dists" / gone)
    outcome = bed.promoter().run()
    assert f"{gone} was removed: the promotion 1 ends" in bed.said
    assert outcome.round
    assert (outcome.round.number, outcome.votes) == (2, ("staging",))
    (probe,) = outcome.round.probes
    vote = StateVote(state=probe.state, name="staging", verdict="passed")
    vote.write(promotions.vote_path(store, probe.state, "staging"))
    bed.promote()
    assert bed.content() == "plain/2 shout/2"
    assert [each.outcome for each in promotions.rounds(store, LABEL)] == ["superseded", "promoted"]


def test_a_version_withdrawn_during_a_round_is_not_promoted(bed: PromotionBed) -> None:
    """Neither while its state waits for votes, nor while it is tested."""
    bed.describe("{votes: [staging]}")
    bed.add("plain 2", "hail 2")
    bed.promoter().run()
    withdrawal.withdraw(bed.lab, "trunk", SourceVersion("hail", "2"), bed.log)
    outcome = bed.promoter().run()
    assert outcome.waiting is not None
    assert bed.content(outcome.waiting.open_state) == "plain/2"

    bed.describe("{}")
    bed.promote()
    bed.add("shout 2")
    promoter = bed.promoter()

    def probe(state: State) -> ProbeResult:
        withdrawal.withdraw(bed.lab, "trunk", SourceVersion("shout", "2"), bed.log)
        return bed.probe(state)

    promoter.probe = probe
    outcome = promoter.run()
    assert outcome.round is not None
    assert outcome.round.outcome == "superseded"
    assert bed.promote() == {}
    assert bed.content() == "plain/2"


def test_two_promotions_take_turns(bed: PromotionBed) -> None:
    bed.add("plain 2")
    criteria = bed.promoter().criteria
    second = bed.promoter()
    done = threading.Event()

    def later() -> None:
        second.run()
        done.set()

    with files.locked(criteria.store.lock_path("promotion", LABEL)):
        thread = threading.Thread(target=later)
        thread.start()
        assert not done.wait(0.2)
        assert bed.probed == []
    thread.join()
    assert bed.probed == ["plain/2"]
    assert bed.promote() == {}
    assert len(promotions.rounds(criteria.store, LABEL)) == 1


def test_states_of_an_open_round_are_kept(bed: PromotionBed) -> None:
    bed.add("plain 2")
    bed.errors = 2
    with pytest.raises(InfrastructureError):
        bed.promote()
    newest = bed.reader.existing("trunk")
    assert promotions.states_in_use(Store.of(bed.lab)) >= {newest.name, bed.reader.existing(LABEL).name}
    with lab_archive.opened(bed.lab, bed.log) as archive:
        assert retention.reasons(archive)[newest.name]


def test_a_demotion_is_known_after_a_removal_of_states(bed: PromotionBed, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = bed.lab.archive.model_copy(
        update={"states": bed.lab.archive.states.model_copy(update={"keep": 1, "keep_days": 1})}
    )
    bed.lab = bed.lab.model_copy(update={"archive": settings})
    bed.add("hail 2")
    bed.promote()
    demoted = bed.reader.existing(LABEL).name
    with lab_archive.opened(bed.lab, bed.log) as archive:
        labels.move(archive, "demotion", LABEL, "", Reasons("a person", reason="it is rude"))
    bed.add("plain 2")
    waiting = bed.promote()
    assert list(waiting) == ["hail/2"]
    late = environment.now() + timedelta(days=3)
    monkeypatch.setattr(environment, "now", lambda: late)

    def collect() -> tuple[str, ...]:
        with lab_archive.opened(bed.lab, bed.log) as archive:
            return retention.collect(archive).states

    assert collect()
    assert bed.promote() == waiting
    assert bed.content() == "plain/2"
    bed.add("hail 3")  # now the demotion is history
    assert bed.promote() == {}
    late += timedelta(days=3)
    assert demoted in collect()


def ran(bed: PromotionBed, version: str, verdict: str, workspace: Path | None = None) -> None:
    """Leave a run of the phase exercise for a version of plain, in the store or in a workspace of Jenkins."""
    if workspace:
        workspace.mkdir(exist_ok=True)
        run = open_run(workspace, bed.lab, "trunk", "plain", phase="exercise", version=version)
    else:
        run = Store.of(bed.lab).new_run(bed.lab, "trunk", "plain", phase="exercise", version=version)
    for step in run.steps:
        done = Bench(bed.lab, run).pretend(step, message="3 of 4 passed")
        done.model_copy(update={"verdict": verdict if step == "exercise" else "passed"}).write(run.record_path(step))
        phase_results.note(bed.lab, run)


def test_runs_of_a_version_are_criteria_relative_to_the_label(bed: PromotionBed) -> None:
    bed.describe("{criteria: [exercise]}")
    bed.add("plain 2")
    assert bed.promote() == {"plain/2": "waits for the phase exercise: it has no run"}
    ran(bed, "2", "error")
    assert bed.promote() == {"plain/2": "waits for the phase exercise: its newest run trunk/plain/1 is error"}
    ran(bed, "2", "unstable")
    assert bed.promote() == {"plain/2": "the phase exercise unstable: exercise: 3 of 4 passed"}
    assert bed.probed == []
    ran(bed, "1", "unstable")  # the version in the label fails alike
    assert bed.promote() == {}
    bed.add("plain 3")
    ran(bed, "3", "passed")
    assert bed.promote() == {}
    assert bed.content() == "plain/3"


def test_runs_in_workspaces_are_criteria_after_the_workspace_is_wiped(
    bed: PromotionBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD_URL", "https://jenkins.example/job/trunk-plain-test/7/")
    bed.describe("{criteria: [exercise]}")
    bed.add("plain 2")
    ran(bed, "2", "unstable", bed.home / "workspace")
    shutil.rmtree(bed.home / "workspace")
    assert bed.promote() == {"plain/2": "the phase exercise unstable: exercise: 3 of 4 passed"}
    waiting = promotions.waiting(Store.of(bed.lab), LABEL)
    assert waiting
    assert waiting.components[0].runs == ("https://jenkins.example/job/trunk-plain-test/7/",)
    ran(bed, "2", "passed", bed.home / "workspace")
    assert bed.promote() == {}


def test_promote_command_shows_what_waits(bed: PromotionBed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "distribution", lambda *_: lambda _: IndexedSuite())
    monkeypatch.setattr(probing, "prober", lambda *_: bed.probe)

    def call(*argv: str, code: int = 0) -> str:
        result = CliRunner().invoke(command, ["trunk", *argv, "--lab", str(bed.lab.file)], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout

    (bed.home / "hints").write_text("block shout/1\n")
    bed.describe("{hints: hints}")
    assert "trunk-tested has the newest version of each component" in call("--why")
    bed.add("hail 2", "plain 2")
    bed.broken = {"hail/2": "hail"}
    assert call("--dry-run").splitlines()[-3:] == [
        "would test: hail/2, plain/2",
        "hail 2, after 1: waits for the next promotion",
        "plain 2, after 1: waits for the next promotion",
    ]
    assert bed.probed == []
    assert json.loads(call("--dry-run", "--json"))["would_test"] == ["hail/2", "plain/2"]
    text = call()
    assert (
        f"trunk-tested moved from {bed.reader.moves(LABEL)[-1].before} to {bed.reader.existing(LABEL).name}\n" in text
    )
    assert "\nhail 2, after 1: held back: exercise: hail: hail is broken (trunk/all/" in text
    why = json.loads(call("--why", "--json"))
    assert [one["item"] for one in why["components"]] == ["hail/2"]
    assert "trunk-tested: nothing to promote" in call()
    shown = CliRunner().invoke(show_command, [LABEL, "--lab", str(bed.lab.file)], catch_exceptions=False)
    assert "not in trunk-tested: hail 2, after 1: held back: exercise: hail" in shown.output
    advice = "held back: until the component has a newer version, or qalab promote trunk --retry COMPONENT\n"
    assert all(advice in text for text in (shown.output, call("--why"), call()))
    with pytest.raises(ConfigurationError, match="plain: no version is held back from trunk-tested"):
        call("--retry", "plain")
    assert call("--retry", "hail", "--dry-run") == "hail: would be tested again by the next promotion\n"
    assert json.loads(call("--retry", "hail", "--dry-run", "--json"))["released"] == 1
    call("--retry", "hail", "--why", code=2)
    assert call("--retry", "hail") == "hail: is tested again by the next promotion\n"
    bed.broken = {}
    assert json.loads(call("--json"))["promotion"]["outcome"] == "promoted"
    with pytest.raises(ConfigurationError, match="trunk has no label other; known: tested"):
        call("--label", "other")


@pytest.mark.parametrize("options", [("--why",), ("--why", "--json"), ("--dry-run",)])
def test_to_ask_what_waits_writes_nothing(
    bed: PromotionBed, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """It is what people ask when the disk is full."""
    monkeypatch.setattr(opening, "distribution", lambda *_: lambda _: IndexedSuite())
    bed.add("hail 2")

    def there() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in Store.of(bed.lab).root.rglob("*")}

    before = there()
    result = CliRunner().invoke(command, ["trunk", *options, "--lab", str(bed.lab.file)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "hail" in result.stdout
    assert there() == before


def test_a_broken_vote_of_a_stranger_is_not_read(bed: PromotionBed) -> None:
    bed.describe("{votes: [staging]}")
    bed.add("hail 2")
    outcome = bed.promoter().run()
    assert outcome.waiting is not None
    name, store = outcome.waiting.open_state, bed.promoter().criteria.store
    stranger = promotions.vote_path(store, name, "stranger")
    stranger.parent.mkdir(parents=True, exist_ok=True)
    stranger.write_text("{")
    StateVote(state=name, name="staging", verdict="passed").write(promotions.vote_path(store, name, "staging"))
    assert bed.promoter().run().votes == ()


def test_vote_command(bed: PromotionBed) -> None:
    bed.describe("{votes: [staging]}")
    bed.add("plain 2")
    assert bed.promoter().run().votes == ("staging",)
    state = bed.reader.existing("trunk").name

    def vote(*argv: str) -> str:
        words = ["--url", "https://ci.example/1", "--lab", str(bed.lab.file), *argv]
        result = CliRunner().invoke(vote_command, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    with pytest.raises(ConfigurationError, match="stranger has no vote in trunk; known: staging"):
        vote(state, "stranger", "passed")
    with pytest.raises(ConfigurationError, match="trunk-0 names no state"):
        vote("trunk-0", "staging", "passed")
    with pytest.raises(ConfigurationError, match=r"--url javascript:alert\(1\): is no http or https address"):
        vote(state, "staging", "passed", "--url", "javascript:alert(1)")
    assert vote(state, "staging", "passed") == f"staging: passed for {state}\n"
    assert bed.promote() == {}
    assert bed.content() == "plain/2"


def test_votes_that_do_not_come_end_the_round(bed: PromotionBed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.describe("{votes: [staging]}")
    bed.add("plain 2")
    assert bed.promoter().run().votes == ("staging",)
    bed.add("hail 2")
    late = environment.now() + timedelta(hours=25)
    monkeypatch.setattr(environment, "now", lambda: late)
    assert bed.promoter().run().votes == ()
    assert bed.content() == ""
    assert bed.promoter().run().votes == ("staging",)  # the next round has what is new
    assert bed.probed[-1] == "hail/2 plain/2"


@pytest.mark.parametrize("text", ["{", '{"state": "other", "name": "staging", "verdict": "passed"}', "[]"])
def test_a_file_that_is_no_vote_is_refused(bed: PromotionBed, text: str) -> None:
    bed.describe("{votes: [staging]}")
    bed.add("plain 2")
    assert bed.promoter().run().votes == ("staging",)
    path = promotions.vote_path(Store.of(bed.lab), bed.reader.existing("trunk").name, "staging")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=str(path)):
        bed.promote()
    assert bed.content() == ""
