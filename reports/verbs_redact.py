"""The verbs on what may be public: redact and bundle."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import IO

import click

from lab.base.errors import Failed
from lab.base.terminal import Terminal
from lab.config import loading
from lab.config.options import json_option, lab_option
from lab.store.runs import Store
from reports import bundle as bundles
from reports import status
from reports.redact import explain
from reports.redact.publication import Publication
from reports.sources import local

out = Terminal()


@click.command("redact")
@click.argument("file", required=False, type=click.File("rb"))
@lab_option
@json_option
@click.option("--rule", metavar="NAME", help="Try this rule alone, on SAMPLE.")
@click.option("--sample", metavar="TEXT", help="A line to try a rule on.")
def redact(file: IO[bytes] | None, lab_file: Path, rule: str | None, sample: str | None, *, as_json: bool) -> None:
    """Show what would be hidden in a file.

    FILE (- for standard input), line by line, and by which rule; never the value.

    With --rule and --sample: what one rule makes of one line; exit code 1 when it hides nothing there.
    """
    publication = Publication.of(loading.load(lab_file))
    if rule and sample is not None:
        shown, rules = explain.sample(publication.redactor, rule, sample)
        if not rules:
            raise Failed(f"the rule {rule} hides nothing in this sample")
        click.echo(json.dumps({"rules": rules, "shown": shown}) if as_json else shown)
        return
    if file is None or rule or sample is not None:
        raise click.UsageError("name a FILE, or --rule NAME with --sample TEXT")
    found = Counter[str]()
    for line in explain.stream(publication.redactor, file):
        found.update(line.rules)
        if as_json:
            click.echo(json.dumps(vars(line)))
        else:
            out.print(f"{line.number}: {', '.join(line.rules)}: {line.shown}")
    if not as_json:
        told = ", ".join(f"{name} {count}" for name, count in sorted(found.items())) or "nothing"
        out.print(f"{getattr(file, 'name', '-')}: hidden: {told}")


@click.command("bundle")
@click.argument("run_name", metavar="RUN")
@lab_option
@json_option
def bundle(run_name: str, lab_file: Path, *, as_json: bool) -> None:
    """Make the public bundle of a run.

    In the lab's store; its path is printed.
    """
    lab = loading.load(lab_file)
    build, files = local.build(status.find(run_name), lab)
    path = Publication.of(lab).publish(build, files, Store.of(lab).root / "bundles")
    notes = bundles.read(path).build.notes
    if as_json:
        click.echo(json.dumps({"path": str(path), "sha256": path.name.partition(".")[0], "notes": notes}, indent=2))
        return
    for note in notes:
        click.echo(note, err=True)
    click.echo(path)


VERBS = (redact, bundle)
