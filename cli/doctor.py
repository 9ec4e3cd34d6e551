"""``qalab doctor``: check this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.output import out
from lab.base.errors import InfrastructureError
from lab.config import loading
from lab.config.agents import Role
from lab.config.options import json_option, lab_option
from scripts.host import phase_prerequisites, prerequisites


@click.command("doctor")
@lab_option
@click.option(
    "--for",
    "role",
    type=click.Choice(["build", "deploy", "archive", "lab"]),
    help="Check whether this machine, as this user, can build, deploy, have the archive, or run the lab's own jobs.",
)
@json_option
def command(lab_file: Path, role: Role | None, *, as_json: bool) -> None:
    """Check this machine's prerequisites and print the command that fixes each problem."""
    if role:
        findings = list(phase_prerequisites.doctor(loading.load(lab_file), role))
    else:
        lab = loading.load(lab_file) if lab_file.exists() else None
        findings = [*prerequisites.doctor(lab), *phase_prerequisites.phases(lab)]
    if as_json:
        out.print_json(data=[vars(finding) for finding in findings])
    for finding in () if as_json else findings:
        out.print(f"{'✔' if finding.good else '✘'} {finding.what}: {finding.detail}")
        if not finding.good:
            out.print(f"  fix: {finding.fix}")
    sys.exit(0 if all(finding.good for finding in findings) else InfrastructureError.exit_code)
