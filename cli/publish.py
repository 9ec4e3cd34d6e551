"""``qalab publish``: publish new builds, and show what was published."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from cli import publisher
from cli.options import WEEK_SECONDS
from cli.output import out
from lab.base.errors import InfrastructureError
from lab.config import loading
from lab.config.description import Lab
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from reports import home, journal
from reports.home import PublicationHome
from reports.journal import Journal
from reports.journal_entries import Delivery, JournalEntry
from reports.outputs.delivery import one_line
from reports.outputs.registry import configured

INTERVAL_SECONDS: Final = 60


@click.command("publish")
@lab_option
@click.option("--watch", is_flag=True, help="Repeat until interrupted.")
@click.option(
    "--interval",
    type=click.IntRange(1, WEEK_SECONDS),
    default=INTERVAL_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Time between passes.",
)
@click.option("--retry", is_flag=True, help="Retry now everything that was postponed or parked.")
@click.option("--take-over", is_flag=True, help="Publish from this machine, in place of the one that did so far.")
@click.option("--status", is_flag=True, help="Publish nothing; show published and waiting builds, and the reasons.")
@json_option
def command(
    lab_file: Path, *, watch: bool, interval: int, retry: bool, take_over: bool, status: bool, as_json: bool
) -> None:
    """Publish new builds to the site, Jenkins, mail, forges, chats and webhooks.

    Each build is delivered once.  A failed delivery is retried later and does not delay the others.
    One machine publishes a lab: a second one is refused.
    """
    lab = loading.load(lab_file)
    if status:
        show_status(lab, as_json=as_json)
        return
    if not watch:
        sys.exit(one_pass(lab, lab_file.parent, retry=retry, as_json=as_json, take_over=take_over))
    while True:
        try:
            one_pass(lab, lab_file.parent, retry=retry, as_json=as_json, take_over=take_over)
            retry = take_over = False
        except InfrastructureError as error:  # another process publishes, or the disk is full: later it can go on
            click.echo(f"qalab: {one_line(error)}", err=True)
        time.sleep(interval)


def one_pass(lab: Lab, base: Path, *, retry: bool, as_json: bool, take_over: bool = False) -> int:
    """Make a pass, print its result, and return its exit code."""
    with publisher.opened(lab, base, take_over=take_over) as (current, errors):
        if retry:
            current.journal.retry()
        report = current.run()
    report.errors[:0] = errors
    publisher.print_report(report, as_json=as_json)
    return report.exit_code


def show_status(lab: Lab, *, as_json: bool) -> None:
    """Print the state of each build and each output."""
    with journal.opened(PublicationHome(Store.of(lab)).journal) as opened:
        found = summary(opened, lab)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    out.print(f"builds: {_counted(found['builds']) or 'none yet'}")
    for name, note in found["sources"].items():
        out.print(f"source {name}: {note}")
    for name, output in found["outputs"].items():
        out.print(f"{name}: {_counted(output['builds']) or 'nothing yet'}")
        if output["outage"]:
            out.print(f"  postponed until {output['outage']['until']}: {output['outage']['note']}")
    for waiting in found["waiting"]:
        until = f", next try {waiting['until']}" if waiting["until"] else ""
        output_name = f"{waiting['output']}: " if waiting["output"] else ""
        note = f": {waiting['note']}" if waiting["note"] else ""
        out.print(f"{output_name}{waiting['build']}: {waiting['state']}{until}{note}")


def summary(opened: Journal, lab: Lab) -> dict[str, Any]:
    """Return what was published, what waits, and why, as JSON."""
    outputs: dict[str, Any] = {}
    for name in configured(lab):
        outage = opened.deliveries.outage(name)
        why = {"until": home.clock(outage.due), "note": outage.note} if outage else None
        outputs[name] = {"builds": opened.deliveries.counts(name), "outage": why}
    deliveries = [entry for entry in opened.deliveries.unfinished() if entry.output in outputs]
    unfinished: list[JournalEntry | Delivery] = [*opened.builds.unfinished(), *deliveries]
    waiting = [
        {
            "build": entry.source,
            "output": entry.output if isinstance(entry, Delivery) else "",
            "state": entry.state,
            "until": home.clock(entry.due) if entry.due else "",
            "note": entry.note,
        }
        for entry in unfinished
    ]
    sources = opened.deliveries.lost_sources()
    return {"builds": opened.builds.counts(), "sources": sources, "outputs": outputs, "waiting": waiting}


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items())
