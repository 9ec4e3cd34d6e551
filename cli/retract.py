"""``qalab retract``: permanently unpublish a build."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli import publisher
from cli.options import confirm, dry_run_option, yes_option
from cli.output import out
from lab.config import loading
from lab.config.options import lab_option


@click.command("retract")
@click.argument("name", metavar="ID")
@lab_option
@yes_option
@dry_run_option
def command(name: str, lab_file: Path, *, yes: bool, dry_run: bool) -> None:
    """Permanently unpublish a build.

    ID: its identity, its short name, or the URL of its page.  It leaves the site, its data and feeds, and the
    public Jenkins.  Mails and comments that were sent stay.
    """
    lab = loading.load(lab_file)
    with publisher.opened(lab, lab_file.parent, wait=True) as (current, errors):
        build = current.journal.builds.find(name).source
        if dry_run:
            out.print(f"{build}: would be retracted")
            return
        confirm(f"permanently unpublish {build}", yes=yes)
        report = current.retract(name)
    report.errors[:0] = errors
    for line in report.lines:
        click.echo(f"not yet retracted: {line}", err=True)
    out.print(f"{name}: retracted; it will not be published again")
    sys.exit(report.exit_code)
