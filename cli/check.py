"""``qalab check``: validate lab.yaml and the jobs, without a Jenkins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from cli.jenkins.scope_options import exclude_option, ini_options, names_argument, path_argument, recursive_option
from cli.output import out
from generator import expansion, findings, jjb, lint, render
from generator.scope import JobsOptions, named, some
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import run
from lab.config import deployments, loading, releases
from lab.config.deployment import Deployment
from lab.config.description import Lab
from lab.config.options import json_option, lab_option
from lab.store.step import architecture
from reports.redact import rule_packs
from scripts.chroots.build_target import not_built
from scripts.deployment import planner
from scripts.exercises import choice
from scripts.machines import fence_agent
from scripts.pockets import faults as pocket_faults
from scripts.roles import registry


def deployment_faults(lab: Lab) -> tuple[str, ...]:
    """Return faults of applications, roles, exercises and pockets, each with its line."""
    found: list[tuple[loading.Key, str]] = [*pocket_faults.faults(lab)]
    for home, view in deployments.views(lab):
        try:
            roles = registry.roles_of(view.deployment or Deployment(applications={}))
        except loading.DescriptionError as error:
            return error.complaints
        of_it: list[tuple[loading.Key, str]] = []
        if any("deploy" in track.phases for track in view.tracks.values()):
            of_it += planner.faults(view, roles)
            of_it += () if of_it or found else planner.own_role_faults(view, roles)
        for name, track in view.tracks.items():
            if "exercise" in track.phases:
                of_it += choice.faults(view, name)
        found += deployments.at(home, of_it)
    return loading.read_yaml(lab.file).complaints(dict.fromkeys(found)).complaints if found else ()


def unchecked_agents(lab: Lab) -> Iterator[str]:
    """Yield the fence agents that are not on this machine, so that nobody knows their options."""
    for name, machine in lab.machines.items():
        if why := fence_agent.missing(machine.power.agent):
            yield f"machines.{name}.power: {why}: its options are not checked"


def _agent_options(agent: str) -> dict[str, fence_agent.AgentOption] | str:
    """Return the options of a fence agent, or why it does not tell them: it is none, or lacks a part that it needs."""
    try:
        return fence_agent.options(agent)
    except InfrastructureError as error:
        return str(error.args[0])


def machine_faults(lab: Lab) -> tuple[str, ...]:
    """Return faults of power switches, each with its line: what their agents' own metadata does not allow."""
    agents = {machine.power.agent for machine in lab.machines.values()}
    known = {agent: _agent_options(agent) for agent in agents if not fence_agent.missing(agent)}
    found: list[tuple[loading.Key, str]] = []
    for name, machine in lab.machines.items():
        key: loading.Key = ("machines", name, "power")
        match known.get(machine.power.agent):
            case str(why):
                found.append(((*key, "agent"), why))
            case dict(options):
                for option, fault in fence_agent.faults(options, machine.power):
                    found.append(((*key, "options", *filter(None, [option])), fault))
    return loading.read_yaml(lab.file).complaints(found).complaints if found else ()


@dataclass
class Report:
    """What was checked, and what is wrong."""

    counts: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    findings: list[findings.LintFinding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        found = [
            {"severity": one.severity, "items": one.items, "where": one.where, "what": one.what, "hint": one.hint}
            for one in self.findings
        ]
        return {
            "valid": not self.errors,
            "counts": self.counts,
            "errors": self.errors,
            "warnings": self.warnings,
            "findings": found,
        }


@click.command("check")
@path_argument
@names_argument
@lab_option
@ini_options
@recursive_option
@exclude_option
@click.option(
    "--exceptions",
    type=click.Path(path_type=Path),
    help=f"Findings that are no problem, with reasons.  [default: {findings.NAME} in PATH]",
)
@json_option
def command(
    path: str | None,
    names: tuple[str, ...],
    lab_file: Path,
    ini: Path | None,
    section: str,
    excludes: tuple[str, ...],
    exceptions: Path | None,
    *,
    recursive: bool,
    as_json: bool,
) -> None:
    """Validate lab.yaml and its Jenkins jobs, without a Jenkins.

    Probable mistakes, such as an unknown release, are warnings.

    PATH: Jenkins Job Builder YAML to check instead: a file or directory, several as A:B, or - for standard input.
    NAMES: patterns of the names of the jobs and views to check.
    """
    report = Report()
    jobs = jjb.paths_of(path) if path else check_lab(lab_file, report)
    if jobs:
        settings = JobsOptions(path, names, recursive, excludes).settings(ini, section)
        check_jobs(jobs, names, settings, findings.exceptions(jobs, exceptions), report)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    for warning in report.warnings:
        click.echo(f"qalab: {warning}", err=True)
    if report.errors:
        raise ConfigurationError("\n".join(report.errors))
    for line in () if as_json else report.lines:
        out.print(line)


def check_lab(lab_file: Path, report: Report) -> tuple[Path, ...]:
    """Check lab.yaml and the generated jobs; return the directory of the jobs, if there are any."""
    lab = loading.load(lab_file)
    report.counts |= {
        "components": len(lab.components),
        "tracks": len(lab.tracks),
        "combinations": sum(len(lab.components_of(track)) for track in lab.tracks),
    }
    if lab.publish.rules:
        report.counts["rules of redaction"] = len(rule_packs.load(lab.publish.rules))
    counted = ", ".join(f"{number} {what}" for what, number in report.counts.items())
    report.lines.append(f"{lab_file}: valid: {counted}")
    report.warnings += [f"{lab_file}: warning: {doubt}" for doubt in (*releases.doubts(lab), *not_built_here(lab))]
    report.errors += deployment_faults(lab)
    report.errors += machine_faults(lab)
    report.warnings += [f"{lab_file}: warning: {doubt}" for doubt in unchecked_agents(lab)]
    if not lab.jenkins:
        return ()
    jobs = lab_file.parent / "jobs"
    if not jobs.exists():
        raise ConfigurationError(f"no jobs in {jobs}", hint="run: qalab jenkins generate")
    stale = render.stale(lab, jobs)
    report.errors += [f"{name}: differs from {lab_file}; run: qalab jenkins generate" for name in stale]
    return (jobs,)


def check_jobs(
    paths: tuple[Path, ...],
    names: tuple[str, ...],
    settings: jjb.Settings,
    excepted: tuple[findings.LintException, ...],
    report: Report,
) -> None:
    """Check jobs; a reference to a job counts as known if any of the paths describes that job."""
    items = some(paths, expansion.expand(paths, settings, None), names)
    chosen = {str(item.key) for item in named(items, names)}
    complaints = [one for one in lint.lint(items) if one.item in chosen]
    report.findings = findings.findings(complaints, excepted)
    for found in report.findings:
        (report.errors if found.severity == "error" else report.warnings).append(str(found))
    where = ":".join(map(str, paths))
    if not names:
        report.warnings += [f"{where}: {line}" for line in findings.unused(complaints, excepted)]
    report.counts |= {f"{kind}s": sum(key.startswith(kind) for key in chosen) for kind in ("job", "view")}
    used = f", with the settings of {settings.ini}" if settings.ini else ""
    report.lines.append(f"{where}: valid: {report.counts['jobs']} jobs, {report.counts['views']} views{used}")


def not_built_here(lab: Lab) -> Iterator[str]:
    """Yield the packages that this machine does not build, in the words of the step sbuild."""
    machine = architecture()
    for name, series in lab.series.items():
        if machine not in series.architectures:
            wanted = ", ".join(series.architectures)
            yield f"series.{name}.architectures: this machine builds for {machine}, and not for {wanted}"
            continue
        for unknown in series.architectures:
            if not run(["dpkg-architecture", "--host-arch", unknown, "--query", "DEB_HOST_ARCH"], check=False):
                yield f"series.{name}.architectures: dpkg knows no architecture {unknown}"
        for track in (key for key, described in lab.tracks.items() if described.series == name):
            for component in lab.components_of(track):
                if missing := not_built(series, lab.component(component, track).build, machine):
                    yield f"{component} on {track} is not built for {', '.join(missing)} (build.cross: false)"
