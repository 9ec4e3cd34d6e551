"""``qalab machine doctor``: check the bare machines of a lab, and the server that they boot from."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from cli.machine.names import load_lab
from cli.output import out
from lab.base.errors import InfrastructureError
from lab.config.options import json_option, lab_option
from scripts.host import machine_prerequisites


@click.command("doctor")
@lab_option
@click.argument("names", nargs=-1, metavar="[NAME...]")
@json_option
def command(lab_file: Path, names: tuple[str, ...], *, as_json: bool) -> None:
    """Check the named machines, or all: their settings, what their power switches say, and the lab server.

    It switches nothing. Each problem is one line with what mends it.
    """
    findings = list(machine_prerequisites.doctor(load_lab(lab_file, *names), names))
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings], indent=2))
    for finding in () if as_json else findings:
        fix = f"; fix: {finding.fix}" if not finding.good and finding.fix else ""
        out.print(f"{'✔' if finding.good else '✘'} {finding.what}: {finding.detail}{fix}")
    sys.exit(0 if all(finding.good for finding in findings) else InfrastructureError.exit_code)
