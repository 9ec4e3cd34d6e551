"""``qalab bisect``: find the change that broke a test or a step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import click
from rich.console import Console

from cli.archive.access import by_option, who
from cli.output import out
from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config import loading
from lab.config.description import Lab
from lab.config.options import json_option, lab_option
from lab.store import bisections
from lab.store.bisections import Bisection, BisectionOutcome, Rejection, Sought
from lab.store.records import rfc3339
from lab.store.run_directory import Run, check_known
from lab.store.runs import Store
from reports import first_bad
from scripts.bisection import opening
from scripts.bisection.bisector import Bisector, Judged, cancel_path
from scripts.bisection.opening import BisectionRequest
from scripts.bisection.scratch import Workshop

MOST_JOBS: Final = 64
EXIT_CODES: Final = {"found": 0, "range": 0, "bad is good": 0, "unexplained": 0, "fixed": 0, "cancelled": 130}


@click.command("bisect")
@click.argument("track", required=False)
@click.argument("component", required=False)
@lab_option
@click.option("--test", "case", default="", metavar="CASE", help="A test or a step; default: what is broken longest.")
@click.option(
    "--good", default="", metavar="REV", help="An upstream commit without the breakage; default: by the runs."
)
@click.option("--bad", default="", metavar="REV", help="A later upstream commit with it; default: by the runs.")
@click.option("--jobs", type=click.IntRange(1, MOST_JOBS), metavar="N", help="Commits to test at the same time.")
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
    good: str,
    bad: str,
    jobs: int | None,
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
    """
    lab = loading.load(lab_file)
    store = Store.of(lab)
    if cancel is not None:
        show([cancelled(lab, store, cancel)], as_json=as_json)
        return
    if reject is not None:
        show([rejected(store, reject, who(by), reason)], as_json=as_json)
        return
    if listed:
        show(bisections.all_of(store, track, component), as_json=as_json)
        return
    if not (track and component):
        raise click.UsageError("name TRACK and COMPONENT")
    check_known(lab, track, component)
    with logged(store) as log:
        found = open_one(store, track, component, case) or begin(lab, track, component, case, good, bad, who(by), log)
        console = Console(stderr=True, highlight=False, markup=False) if as_json else out
        done = carry_on(lab, found, jobs or lab.bisection.jobs, log, console.print)
    show([done], as_json=as_json)
    sys.exit(EXIT_CODES.get(done.outcome, InfrastructureError.exit_code))


@contextmanager
def logged(store: Store) -> Iterator[IO[str]]:
    """Open the log of the programs that a bisection runs itself."""
    store.root.mkdir(parents=True, exist_ok=True)
    with (store.root / "bisect.log").open("a", encoding="utf-8", errors="surrogateescape") as log:
        yield log


def open_one(store: Store, track: str, component: str, case: str) -> Bisection | None:
    """Return the open bisection of a component, about a case if one is named."""
    found = bisections.all_of(store, track, component)
    return next((one for one in found if one.outcome == "open" and case in {"", one.sought.name}), None)


def begin(lab: Lab, track: str, component: str, case: str, good: str, bad: str, by: str, log: IO[str]) -> Bisection:
    """Start a bisection, of the breakage that the runs show, or of a range that the call names.

    Raises ConfigurationError where nothing is broken, or an end is not known.
    """
    broken = first_bad.find(lab, track, component, case)
    if broken is None and (case or not (good and bad)):
        what = case or component
        raise ConfigurationError(
            f"{what} is not broken in {track}, as far as its runs show", hint="name --good and --bad"
        )
    if broken is None:
        asked = BisectionRequest(track, component, Sought(phase=lab.tracks[track].phases[0]), good, bad, by=by)
        return opening.begin(lab, asked, log)
    if broken.good is None and not good:
        raise ConfigurationError(f"{broken.sought} has never been good in {track}", hint="name --good")
    ends = (good or (broken.good.info.commit if broken.good else ""), bad or broken.bad.info.commit)
    asked = BisectionRequest(
        track, component, broken.sought, *ends,
        good_run=None if good else broken.good, bad_run=None if bad else broken.bad,
        fails_good=broken.fails_good, known=broken.known, by=by,
    )  # fmt: skip
    return opening.begin(lab, asked, log)


def carry_on(
    lab: Lab,
    found: Bisection,
    jobs: int,
    log: IO[str],
    say: Callable[[str], None],
    pause: Callable[[], bool] = lambda: False,
) -> Bisection:
    """Go on with a bisection until its end, or until ``pause``; return its record."""
    store, seen = Store.of(lab), -1

    def judge(runs: Sequence[Run], sought: Sought) -> Judged:
        return Judged(*first_bad.judged(lab, runs, sought))

    def stop() -> BisectionOutcome | None:
        nonlocal seen
        if cancel_path(store, found.number).exists():
            return "cancelled"
        if seen != len(bisector.found.tests):
            seen = len(bisector.found.tests)
            if first_bad.passes_now(lab, found.track, found.component, found.sought, found.started):
                return "fixed"
        return "open" if pause() else None

    bisector = Bisector(lab, found, jobs, judge, log, say, stop)
    say(f"bisection {found.number}: {found.sought}: {len(found.axes[0].changes)} commits")
    try:
        return bisector.run()
    finally:
        cancel_path(store, found.number).unlink(missing_ok=True)


def cancelled(lab: Lab, store: Store, number: int) -> Bisection:
    """Cancel a bisection: ask the process that works on it, or else do it here."""
    found = bisections.existing(store, number)
    if found.outcome != "open":
        raise ConfigurationError(f"the bisection {number} has ended: {found.outcome}")
    lock = store.lock_path("bisection", str(number))
    try:
        with files.locked(lock, wait=False):
            done = found.model_copy(update={"outcome": "cancelled", "finished": rfc3339(environment.now())})
            Workshop(lab, found, store).clear(kept=True)
            done.write(bisections.path(store, number))
            return done
    except files.Busy:
        files.write_atomic(cancel_path(store, number), "")
    with files.locked(lock):  # the process stops its probes first
        return bisections.existing(store, number)


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
        out.print(f"{one.number}: {one.track}/{one.component}: {text}{wrong}")
        for note in one.notes:
            out.print(f"   {note}")
