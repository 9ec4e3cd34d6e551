"""``qalab check``: validate lab.yaml and the jobs, without a Jenkins."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.output import out
from generator import expansion, lint, render
from generator.scope import some
from lab.base.errors import ConfigurationError
from lab.config import loading, releases
from lab.config.options import json_option, lab_option
from reports.redact import rule_packs


@click.command("check")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@lab_option
@json_option
def command(path: Path | None, lab_file: Path, *, as_json: bool) -> None:
    """Validate lab.yaml and its Jenkins jobs, without a Jenkins.

    What is probably a mistake, such as an unknown release, is a warning.

    PATH: any directory of Jenkins Job Builder YAML to check instead.
    """
    counts: dict[str, int] = {}
    complaints: list[str] = []
    warnings: list[str] = []
    lines: list[str] = []
    jobs = path
    if jobs is None:
        lab = loading.load(lab_file)
        counts |= {
            "components": len(lab.components),
            "tracks": len(lab.tracks),
            "combinations": sum(len(lab.components_of(track)) for track in lab.tracks),
        }
        if lab.publish.rules:
            counts["rules of redaction"] = len(rule_packs.load(lab.publish.rules))
        lines.append(f"{lab_file}: valid: {', '.join(f'{number} {what}' for what, number in counts.items())}")
        warnings = [f"{lab_file}: warning: {doubt}" for doubt in releases.doubts(lab)]
        jobs = lab_file.parent / "jobs" if lab.jenkins else None
        if jobs and not jobs.exists():
            raise ConfigurationError(f"no jobs in {jobs}", hint="run: qalab jenkins generate")
        if jobs:
            stale = render.stale(lab, jobs)
            complaints += [f"{name}: differs from {lab_file}; run: qalab jenkins generate" for name in stale]
    if jobs:
        items = some(jobs, expansion.expand(jobs, None, "jenkins", None))
        complaints += map(str, lint.lint(items))
        counts |= {f"{kind}s": sum(item.key.kind == kind for item in items) for kind in ("job", "view")}
        lines.append(f"{jobs}: valid: {counts['jobs']} jobs, {counts['views']} views")
    if as_json:
        click.echo(
            json.dumps(
                {"valid": not complaints, "counts": counts, "errors": complaints, "warnings": warnings}, indent=2
            )
        )
    for warning in warnings:
        click.echo(f"qalab: {warning}", err=True)
    if complaints:
        raise ConfigurationError("\n".join(complaints))
    for line in () if as_json else lines:
        out.print(line)
