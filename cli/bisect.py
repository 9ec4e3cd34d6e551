"""``qalab bisect``: find the change that broke a test or a step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from cli import bisecting
from cli.archive.access import by_option, who
from cli.output import out
from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.terminal import Terminal
from lab.base.text import one_line
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store import bisections
from lab.store.bisections import Bisection, Rejection
from lab.store.records import rfc3339
from lab.store.run_directory import check_known
from lab.store.runs import Store

MOST_JOBS: Final = 64
EXIT_CODES: Final = {
    "found": 0,
    "range": 0,
    "bad is good": 0,
    "unexplained": 0,
    "fixed": 0,
    "cancelled": 130,
    "open": 0,
}


@click.command("bisect")
@click.argument("track", required=False)
@click.argument("component", required=False)
@lab_option
@click.option("--test", "case", default="", metavar="CASE", help="A test or a step; default: what is broken longest.")
@click.option("--phase", default="", metavar="PHASE", help="The phase of CASE, if no run shows the breakage.")
@click.option(
    "--good", default="", metavar="REV", help="An upstream commit without the breakage; default: by the runs."
)
@click.option("--bad", default="", metavar="REV", help="A later upstream commit with it; default: by the runs.")
@click.option("--jobs", type=click.IntRange(1, MOST_JOBS), metavar="N", help="Commits to test at the same time.")
@click.option(
    "--minutes",
    type=click.IntRange(1),
    metavar="N",
    help="Start no more tests after N minutes; the next call continues.",
)
@click.option("--list", "listed", is_flag=True, help="List the bisections (of TRACK and COMPONENT).")
@click.option("--cancel", type=int, metavar="NUMBER", help="Cancel an open bisection.")
@click.option("--reject", type=int, metavar="NUMBER", help="Mark the result of a bisection as wrong.")
@click.option("--reason", default="", metavar="TEXT", help="The reason of --reject.")
@by_option
@json_option
def command(
    track: str | None,
    component: str | None,
    lab_file: Path,
    case: str,
    phase: str,
    good: str,
    bad: str,
    jobs: int | None,
    minutes: int | None,
    cancel: int | None,
    reject: int | None,
    reason: str,
    by: str,
    *,
    listed: bool,
    as_json: bool,
) -> None:
    """Find the change that broke a test or a step of a component.

    The range is that of the runs: from the last good one to the first bad one.  Both ends are tested again in today's
    environment.  Then the commits between them are cut by n-section, and the result is proved: the case fails 3 of 3 at the
    commit and passes 3 of 3 at its parent.  If the good end fails today, the packaging, the other components of the lab and
    the packages of the distribution are searched.  An open bisection is continued.

    Without COMPONENT, the search is the open one of the track, or else the next that is due: the breakage that lasts longest,
    if more than one commit can have caused it, and within the limits of lab.yaml.
    """
    lab = loading.load(lab_file)
    store = Store.of(lab)
    if cancel is not None:
        show([bisecting.cancelled(lab, store, cancel)], as_json=as_json)
        return
    if reject is not None:
        show([rejected(store, reject, who(by), reason)], as_json=as_json)
        return
    if listed:
        show(bisections.all_of(store, track, component), as_json=as_json)
        for line in (damaged := bisections.damage(store)):
            click.echo(line, err=True)
        sys.exit(ConfigurationError.exit_code if damaged else 0)
    if not track:
        raise click.UsageError("name TRACK")
    check_known(lab, track, component or None)
    bisecting.check_trigger(lab, track)
    console = Terminal(soft_wrap=False, stderr=True) if as_json else out
    with bisecting.logged(store) as log:
        if component:
            going_on = None if good or bad else bisecting.open_one(store, track, component, case)
            chosen = bisecting.RangeChoice(case, phase, good, bad)
            found = going_on or bisecting.begin(lab, track, component, chosen, who(by), log)
        elif next_one := bisecting.next_one(lab, track, store, log, console.print):
            found = next_one
        else:
            if not as_json:
                out.print(f"{track}: no search is due")
            show([], as_json=as_json)
            return
        done = bisecting.carry_on(
            lab, found, jobs or lab.bisection.jobs, log, console.print, bisecting.after(minutes and minutes * 60)
        )
    show([done], as_json=as_json)
    sys.exit(EXIT_CODES.get(done.outcome, InfrastructureError.exit_code))


def rejected(store: Store, number: int, by: str, reason: str) -> Bisection:
    """Note that a human says that a result is wrong."""
    found = bisections.existing(store, number)
    if not found.suspects:
        raise ConfigurationError(f"the bisection {number} accuses nothing: {found.outcome}")
    done = found.model_copy(update={"rejected": Rejection(who=by, when=rfc3339(environment.now()), reason=reason)})
    done.write(bisections.path(store, number))
    return done


def show(found: Sequence[Bisection], *, as_json: bool) -> None:
    """Print bisections."""
    if as_json:
        click.echo("[" + ",\n".join(one.model_dump_json(indent=2, by_alias=True) for one in found) + "]")
        return
    for one in found:
        text = one.message or f"{one.sought}: {one.outcome}, {len(one.tests)} tests"
        wrong = f" (rejected by {one.rejected.who}: {one.rejected.reason})" if one.rejected else ""
        out.print(one_line(f"{one.number}: {one.track}/{one.component}: {text}{wrong}"))
        for note in one.notes:
            out.print(f"   {one_line(note)}")
