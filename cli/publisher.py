"""A lab's publisher with its sources and outputs; shared by ``publish``, ``retract`` and ``demo``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from cli.output import out
from lab.base.errors import Aborted, LabError
from lab.base.failures import caught
from lab.config import access
from lab.config.description import Lab
from lab.config.jenkins import Connection
from reports import home, publishing_machine
from reports.journal import Journal
from reports.outputs import culprit_mail
from reports.outputs.delivery import Output, OutputContext, PublisherClock
from reports.outputs.registry import OUTPUTS
from reports.private_proposals import PrivateProposals
from reports.publish import Publisher
from reports.publish_report import PublishReport
from reports.redact import lab_parts
from reports.redact.publication import Publication
from reports.sources.jenkins import JenkinsSource
from reports.sources.runs import Runs
from reports.sources.source import Source
from scripts.ordering.track_components import archive_graphs


@contextmanager
def opened(
    lab: Lab, base: Path, *, wait: bool = False, take_over: bool = False
) -> Iterator[tuple[Publisher, list[tuple[str, LabError]]]]:
    """Give a lab's publisher, and the sources and outputs that cannot be used, each with its error.

    ``base`` is the directory of lab.yaml; ``wait``: wait while another process publishes; ``take_over``: this machine
    publishes from now on.  Raises ConfigurationError where another machine publishes the lab.
    """
    clock = PublisherClock(time.time, time.sleep)
    with home.opened(lab, wait=wait) as (place, journal):
        sources, source_errors = _sources(lab, base, journal)
        connection = source.connection if isinstance(source := sources.get("jenkins"), JenkinsSource) else None
        publishing_machine.check(lab, place, journal, connection, take_over=take_over)
        context = home.context(lab, base, place, journal, clock, partial(archive_graphs, lab))
        outputs, output_errors = _outputs(context)
        publication = Publication.of(lab)
        errors = [*source_errors, *output_errors, *lab_parts.note(lab, place, publication)]
        errors += culprit_mail.send(context)
        private = PrivateProposals(lab, base, clock.now)
        yield Publisher(place, journal, publication, sources, outputs, clock.now, private.withheld), errors


def _sources(lab: Lab, base: Path, journal: Journal) -> tuple[dict[str, Source], list[tuple[str, LabError]]]:
    sources: dict[str, Source] = {"runs": Runs(lab, journal.builds.knows)}
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
    outputs, errors = {}, []
    for name, open_output in OUTPUTS.items():
        try:
            with caught():
                output = open_output(context)
        except Aborted:
            raise
        except LabError as error:
            errors.append((name, error))
        else:
            if output is not None:
                outputs[name] = output
    return outputs, errors


def print_report(report: PublishReport, *, as_json: bool) -> None:
    """Print what a pass did: a line for each output, and a line for each problem."""
    if as_json:
        outcomes = {name: dict(counts) for name, counts in report.outcomes.items()}
        click.echo(json.dumps({"bundled": report.bundled, "outputs": outcomes, "problems": report.lines}))
        return
    out.print(f"builds: {report.bundled} new")
    failed = {where for where, _ in report.errors}
    for name, counts in report.outcomes.items():
        done = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        out.print(f"{name}: {done or ('failed' if name in failed else 'nothing to do')}")
    for line in report.lines:
        click.echo(f"qalab: {line}", err=True)
