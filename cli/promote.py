"""``qalab promote``: test what is new in a track, and move its label to what passes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from cli.archive.access import advice, by_option, reader, who, why_line
from cli.options import dry_run_option
from cli.output import out, print_lines
from cli.phases import run_phases
from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.terminal import Terminal
from lab.config import loading
from lab.config.description import Lab
from lab.config.options import json_option, lab_option
from lab.store.archive import SOURCE_LOCK
from lab.store.archive_place import is_apart
from lab.store.promotions import WaitingVersions
from lab.store.run_directory import HANDED_OVER, Run, parameters
from lab.store.runs import Store
from reports import junit
from scripts.archives import archive_identity
from scripts.promotion import after, elsewhere, opening, probing, rounds
from scripts.promotion.after import LateStep
from scripts.promotion.criteria import TrackCriteria, demotion
from scripts.promotion.rounds import Promoter, PromotionOutcome
from scripts.promotion.survey import survey


@click.command("promote")
@click.argument("track")
@lab_option
@click.option("--label", default="", metavar="LABEL", help="Another label of the track; default: promotion.label.")
@click.option(
    "--why", is_flag=True, help="Change nothing; print what each component waits for that is not in the label."
)
@click.option("--retry", metavar="COMPONENT", help="Test the held-back versions of a component again.")
@dry_run_option
@by_option
@json_option
def command(
    track: str, lab_file: Path, label: str, retry: str | None, by: str, *, why: bool, dry_run: bool, as_json: bool
) -> None:
    """Test what is new in a track, and move its label to what passes.

    The candidates are the source versions that are not in the state of the label.  Those that fulfil the criteria of
    tracks.TRACK.promotion, and that leave nothing newly uninstallable, become a state, which is deployed and exercised.
    If it passes, the label names it.  If not, the versions at fault are found by halving and held back until their
    component has a newer version; the rest is promoted.  A call that was interrupted is continued by the next one.
    """
    if why and retry is not None:
        raise click.UsageError("--why and --retry exclude each other")
    lab = loading.load(lab_file)
    criteria = opening.criteria(lab, track, label)
    store = Store.of(lab)
    archive_identity.require(lab)
    if retry is not None:
        count = rounds.release(criteria, retry, dry_run=dry_run)
        if not count:
            raise ConfigurationError(
                f"{retry}: no version is held back from {criteria.label}", hint=demoted(criteria, retry)
            )
        if as_json:
            click.echo(json.dumps({"label": criteria.label, "component": retry, "released": count}, indent=2))
        else:
            out.print(f"{retry}: {'would be' if dry_run else 'is'} tested again by the next promotion")
        return
    if why or dry_run:
        with Path(os.devnull).open("w", encoding="utf-8") as log:  # a full disk takes no log
            show(lab, criteria, log, why=why, as_json=as_json)
        return
    with logged(store, criteria.label) as log:
        outcome = promoter(lab, criteria, who(by), log, as_json=as_json).run()
        steps = list(after.carry_out(lab, track, criteria.label))
    for step in steps:
        if step.run:
            junit.write(step.run)
    print_outcome(criteria.label, outcome, steps, as_json=as_json)
    if any(step.problem for step in steps):
        sys.exit(InfrastructureError.exit_code)


def demoted(criteria: TrackCriteria, component: str) -> str:
    """Return how a version of a component comes back that a demotion took away."""
    archive = reader(criteria.lab)
    newest = set(archive.lock(criteria.track, SOURCE_LOCK))
    gone = [version for source, version in demotion(archive, criteria.label).keys() & newest if source == component]
    verb = f"qalab archive promote {criteria.label} STATE"
    return f"a demotion took {', '.join(gone)} away: {verb} moves to a state that has it" if gone else ""


@contextmanager
def logged(store: Store, label: str) -> Iterator[IO[str]]:
    """Open the log of what programs print during a promotion."""
    with (store.root / f"promotion-{label}.log").open("a", encoding="utf-8", errors="surrogateescape") as log:
        yield log


def promoter(lab: Lab, criteria: TrackCriteria, by: str, log: IO[str], *, as_json: bool) -> Promoter:
    """Return the promotion of a label, with the deployments of this machine or, if the archive is apart, of jobs."""
    console = Terminal(soft_wrap=False, stderr=True) if as_json else out

    def run(current: Run) -> Sequence[Run]:
        return run_phases(lab, current, console)[1]

    probe = elsewhere.prober(lab, criteria.track, ask) if is_apart(lab) else probing.prober(lab, criteria.track, run)
    return Promoter(
        criteria,
        probe,
        opening.distribution(lab, criteria.track, log),
        by,
        log,
        console.print,
    )


def ask(state: str) -> bool:
    """Hand the parameters for the deployment of a state over to the next job; return False without Jenkins."""
    if not environment.variable("BUILD_URL"):
        return False
    text = parameters({"COMPONENT": "", "COMMIT": "", "VERSION": "", "ARCHIVE": state, "CAUSE": "promotion"})
    files.write_atomic(Path("results", HANDED_OVER), text)
    return True


def show(lab: Lab, criteria: TrackCriteria, log: IO[str], *, why: bool, as_json: bool) -> None:
    """Print what a promotion would test, or what each component waits for."""
    found = survey(criteria, opening.distribution(lab, criteria.track, log))
    if found is None:
        raise ConfigurationError(f"{criteria.track} has no state yet: the step archive makes the first one")
    items = [str(item) for item in found.items]
    if as_json:
        data = waiting_data(found.waiting)
        click.echo(json.dumps(data if why else {"label": criteria.label, "would_test": items} | data, indent=2))
        return
    if not why:
        out.print(f"would test: {', '.join(items) or 'nothing'}")
    print_waiting(criteria.label, found.waiting)


def print_outcome(label: str, outcome: PromotionOutcome, steps: Sequence[LateStep], *, as_json: bool) -> None:
    turn, waiting = outcome.round, outcome.waiting
    if as_json:
        data: dict[str, Any] = {
            "label": label,
            "promotion": turn.model_dump(exclude={"schema_version"}) if turn else None,
            "waits_for_votes": list(outcome.votes),
            "waits_for_deployment": outcome.deployment,
            "steps": [
                {"step": each.name, "component": each.component, "version": each.version, "problem": each.problem}
                for each in steps
            ],
            "waiting": waiting_data(waiting) if waiting else None,
        }
        click.echo(json.dumps(data, indent=2))
        return
    if turn is None:
        out.print(f"{label}: nothing to promote")
    elif turn.outcome == "promoted":
        out.print(f"{label} moved from {turn.base or '(none)'} to {turn.target}")
    elif outcome.deployment:
        out.print(f"{label}: waits for the deployment of {outcome.deployment}")
    elif outcome.votes:
        out.print(f"{label}: waits for the votes of {', '.join(outcome.votes)}")
    else:
        out.print(f"{label}: {'nothing passed' if turn.outcome == 'nothing' else 'the promotion was given up'}")
    for step in steps:
        done = step.problem or (step.record.message if step.record else "")
        out.print(f"{step.name} {step.component} {step.version}: {done}")
    if waiting:
        print_waiting(label, waiting)


def print_waiting(label: str, waiting: WaitingVersions) -> None:
    """Print a line for each component that is not in the label."""
    for warning in waiting.warnings:
        click.echo(f"qalab: {warning}", err=True)
    if not waiting.components:
        out.print(f"{label} has the newest version of each component")
    for one in waiting.components:
        out.print(why_line(one))
    print_lines(advice(waiting.track, waiting.components))
    if waiting.open_state:
        out.print(f"{waiting.open_state} waits for the votes of {', '.join(waiting.open_votes)}")


def waiting_data(waiting: WaitingVersions) -> dict[str, Any]:
    """Return what waits as JSON."""
    return waiting.model_dump(exclude={"schema_version"})
