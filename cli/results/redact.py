"""``qalab results redact``: show what the redactor hides."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import IO

import click

from cli.output import out
from lab.base.errors import Failed
from lab.config import loading
from lab.config.options import json_option, lab_option
from reports.redact import explain
from reports.redact.publication import Publication


@click.command("redact")
@click.argument("file", required=False, type=click.File("rb"))
@lab_option
@json_option
@click.option("--rule", metavar="NAME", help="Apply only this rule, to SAMPLE.")
@click.option("--sample", metavar="TEXT", help="A line to apply a rule to.")
def command(file: IO[bytes] | None, lab_file: Path, rule: str | None, sample: str | None, *, as_json: bool) -> None:
    """Show which lines of a file the redactor changes, and by which rule.

    Hidden values are never printed.  FILE: - for standard input.

    With --rule and --sample: show what one rule does to one line; exit with 1 if it hides nothing.
    """
    redactor = Publication.of(loading.load(lab_file)).redactor
    if rule and sample is not None:
        shown, rules = explain.sample(redactor, rule, sample)
        if not rules:
            raise Failed(f"the rule {rule} hides nothing in this sample")
        click.echo(json.dumps({"rules": rules, "shown": shown}) if as_json else shown)
        return
    if file is None or rule or sample is not None:
        raise click.UsageError("name a FILE, or --rule NAME with --sample TEXT")
    counts = Counter[str]()
    for line in explain.stream(redactor, file):
        counts.update(line.rules)
        if as_json:
            click.echo(json.dumps(vars(line)))
        else:
            out.print(f"{line.number}: {', '.join(line.rules)}: {line.shown}")
    if not as_json:
        hidden = ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "nothing to hide"
        out.print(f"{getattr(file, 'name', '-')}: {hidden}")
