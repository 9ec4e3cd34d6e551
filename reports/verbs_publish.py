"""The verbs that publish: publish, and retract."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from lab.base.errors import Aborted, LabError
from lab.base.failures import caught
from lab.base.terminal import Terminal
from lab.config import access, loading
from lab.config.description import Lab
from lab.config.jenkins import Connection
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from reports import home, journal
from reports.home import PublicationHome
from reports.journal import Delivery, Journal
from reports.outputs.delivery import Output, OutputContext, PublisherClock
from reports.outputs.registry import OUTPUTS
from reports.publish import Publisher, PublishReport
from reports.redact.publication import Publication
from reports.sources.jenkins import JenkinsSource
from reports.sources.runs import Runs
from reports.sources.source import Source

INTERVAL_SECONDS: Final = 60.0
out = Terminal()


@click.command("publish")
@lab_option
@click.option("--watch", is_flag=True, help="Go on, until ^C.")
@click.option("--interval", default=INTERVAL_SECONDS, show_default=True, metavar="SECONDS", help="Between passes.")
@click.option("--retry", is_flag=True, help="Try again, now, whatever was put off or parked.")
@click.option("--status", is_flag=True, help="Publish nothing; say what is where, what waits, and why.")
@json_option
def publish_verb(  # noqa: PLR0913 - an option each
    lab_file: Path, *, watch: bool, interval: float, retry: bool, status: bool, as_json: bool
) -> None:
    """Publish what is new: to the site, the public Jenkins, by mail, to Gerrit and the webhook, each once.

    One pass, unless --watch.  What fails holds up nothing else and is tried again later.
    """
    lab = loading.load(lab_file)
    if status:
        show_status(lab, as_json=as_json)
        return
    while True:
        with publisher(lab, lab_file.parent) as (made, problems):
            if retry:
                made.journal.retry()
            report = made.run()
        report.errors[:0] = problems
        tell(report, as_json=as_json)
        if not watch:
            sys.exit(report.exit_code)
        retry = False
        time.sleep(interval)


@click.command("retract")
@click.argument("name", metavar="ID")
@lab_option
def retract(name: str, lab_file: Path) -> None:
    """Take a build back, for ever: from the site, its data and feeds, and the public Jenkins.

    ID: its identity, its short name, or the URL of its page.  Mails and comments cannot be taken back.
    """
    lab = loading.load(lab_file)
    with publisher(lab, lab_file.parent, wait=True) as (made, problems):
        report = made.retract(name)
    report.errors[:0] = problems
    for line in report.lines:
        click.echo(f"not yet: {line}", err=True)
    out.print(f"{name}: retracted; it will not be published again")
    sys.exit(report.exit_code)


@contextmanager
def publisher(lab: Lab, base: Path, *, wait: bool = False) -> Iterator[tuple[Publisher, list[tuple[str, LabError]]]]:
    """A lab's publisher, and what of it cannot be used as lab.yaml has it; ``wait``: also for another's end."""
    clock = PublisherClock(time.time, time.sleep)
    with home.opened(lab, wait=wait) as (where, told):
        publication = Publication.of(lab)
        sources, problems = _sources(lab, base, told)
        outputs, more = _outputs(home.context(lab, base, where, told, clock))
        yield Publisher(where, told, publication, sources, outputs, clock.now), [*problems, *more]


def _sources(lab: Lab, base: Path, told: Journal) -> tuple[dict[str, Source], list[tuple[str, LabError]]]:
    sources: dict[str, Source] = {"runs": Runs(lab, told.knows)}
    if lab.jenkins is None:
        return sources, []
    try:
        with caught():
            sources["jenkins"] = JenkinsSource(lab, Connection(access.for_lab(lab.jenkins, base)))
    except Aborted:
        raise
    except LabError as error:
        return sources, [("jenkins", error)]
    return sources, []


def _outputs(context: OutputContext) -> tuple[dict[str, Output], list[tuple[str, LabError]]]:
    outputs, problems = {}, []
    for name, open_output in OUTPUTS.items():
        try:
            with caught():
                output = open_output(context)
        except Aborted:
            raise
        except LabError as error:
            problems.append((name, error))
        else:
            if output is not None:
                outputs[name] = output
    return outputs, problems


def tell(report: PublishReport, *, as_json: bool) -> None:
    """What a pass did, in a line for each output, and a line for each trouble."""
    if as_json:
        outcomes = {name: dict(counts) for name, counts in report.outcomes.items()}
        click.echo(json.dumps({"bundled": report.bundled, "outputs": outcomes, "troubles": report.lines}))
        return
    out.print(f"builds: {report.bundled} new")
    for name, counts in report.outcomes.items():
        done = ", ".join(f"{count} {how}" for how, count in sorted(counts.items()))
        out.print(f"{name}: {done or 'nothing to do'}")
    for line in report.lines:
        click.echo(f"qalab: {line}", err=True)


def show_status(lab: Lab, *, as_json: bool) -> None:
    with journal.opened(PublicationHome(Store.of(lab)).journal) as told:
        found = summary(told)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    out.print(f"builds: {_counted(found['builds']) or 'none yet'}")
    for name, one in found["outputs"].items():
        out.print(f"{name}: {_counted(one['builds']) or 'nothing yet'}")
        if one["outage"]:
            out.print(f"  is put off until {one['outage']['until']}: {one['outage']['note']}")
    for one in found["waiting"]:
        until = f", again at {one['until']}" if one["until"] else ""
        where = f"{one['output']}: " if one["output"] else ""
        out.print(f"{where}{one['build']}: {one['state']}{until}{': ' if one['note'] else ''}{one['note']}")


def summary(told: Journal) -> dict[str, Any]:
    """What is where, what waits and why."""
    outputs = {}
    for name in OUTPUTS:
        outage = told.outage(name)
        why = {"until": home.clock(outage.due), "note": outage.note} if outage else None
        outputs[name] = {"builds": told.deliveries(name), "outage": why}
    waiting = [
        {
            "build": one.source,
            "output": one.output if isinstance(one, Delivery) else "",
            "state": one.state,
            "until": home.clock(one.due) if one.due else "",
            "note": one.note,
        }
        for one in told.troubles()
    ]
    return {"builds": told.states(), "outputs": outputs, "waiting": waiting}


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


VERBS: Final = (publish_verb, retract)
