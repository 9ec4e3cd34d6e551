"""``qalab log``: print the log of a step."""

from __future__ import annotations

from pathlib import Path

import click

from cli.named_run import named_run
from cli.output import out
from lab.base.errors import ConfigurationError
from lab.config.options import any_lab_option, json_option


@click.command("log")
@click.argument("run_name", metavar="RUN")
@click.argument("step_name", metavar="STEP")
@any_lab_option
@json_option
def command(run_name: str, step_name: str, lab_file: Path | None, *, as_json: bool) -> None:
    """Print the log of a step of a run."""
    found = named_run(run_name, lab_file)
    path = found.log_path(step_name)
    if found.record(step_name) is None or not path.exists():
        known = ", ".join(record.step for record in found.records()) or "none"
        raise ConfigurationError(f"{found.id}: the step {step_name} has no log; steps with a log: {known}")
    text = path.read_text(encoding="utf-8", errors="replace")
    if as_json:
        out.print_json(data={"run": found.id, "step": step_name, "path": str(path), "log": text})
    else:
        click.echo(text, nl=False)
