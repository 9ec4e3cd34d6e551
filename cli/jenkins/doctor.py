"""``qalab jenkins doctor``: check the rights of the lab's account and the plugins."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from cli.output import out
from generator import casc, doctor
from generator.plugins import needed_plugins
from generator.server import Server
from lab.base.errors import ConfigurationError
from lab.config import access, loading
from lab.config.options import json_option, lab_option


@click.command("doctor")
@lab_option
@json_option
def command(lab_file: Path, *, as_json: bool) -> None:
    """Check the rights of the lab's account on the Jenkins, the plugins, and the throttle category of deployments.

    A disabled job and a view named qalab-doctor-NUMBER are created in the lab's folder, changed, and deleted.
    """
    lab = loading.load(lab_file)
    server = Server(access.for_lab(lab.jenkins, lab_file.parent))
    folder = (lab.jenkins.folder if lab.jenkins else None) or ""
    category = casc.category_name(lab) if casc.needs_category(lab) else ""
    checks = list(doctor.examine(server, folder, needed_plugins(lab), category))
    if as_json:
        click.echo(json.dumps([vars(check) for check in checks], indent=2))
    for check in () if as_json else checks:
        out.print(f"{'✔' if check.good else '✘'} {check.what}: {check.detail}")
        if check.fix:
            out.print(f"  fix: {check.fix}")
    sys.exit(0 if all(check.good for check in checks) else ConfigurationError.exit_code)
