"""``qalab run``: run a component through the phases of a track."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from cli.options import keep_option
from cli.output import out
from cli.phases import run_phases
from lab.base.errors import ConfigurationError
from lab.base.terminal import Terminal
from lab.config import loading
from lab.config.description import Lab, Phase
from lab.config.options import json_option, lab_option
from lab.store.archive_place import reader_of
from lab.store.run_directory import WHOLE, Run, check_known
from lab.store.runs import Store
from reports import status
from scripts.phases import runner


@dataclass(frozen=True)
class RunRequest:
    """The arguments that choose a run; see `command`."""

    track: str | None
    component: str | None
    commit: str
    resume: bool
    run_name: str | None
    first: str | None
    until: str | None
    keep: bool
    state: str

    def __post_init__(self) -> None:
        """Raise click.UsageError for options that exclude each other."""
        if self.run_name and (self.track or self.commit or self.resume):
            raise click.UsageError("--run cannot be combined with TRACK, COMPONENT, --commit or --resume")
        if self.state and (self.resume or self.run_name or self.first):
            raise click.UsageError("--state starts a new run; it cannot be combined with --resume, --run or --from")
        if (self.resume or self.first) and self.commit:
            raise click.UsageError("--commit starts a new run; it cannot be combined with --resume or --from")


def not_empty(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return the value of an option.  Raises click.BadParameter for an empty one: a variable that is not set, say."""
    given = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    if given and not value.strip():
        raise click.BadParameter("is empty; leave the option out for the default", context, parameter)
    return value


@click.command("run")
@click.argument("track", required=False)
@click.argument("component", required=False)
@lab_option
@click.option(
    "--commit",
    default="",
    metavar="REV",
    callback=not_empty,
    help="An upstream commit or ref; default: the tip of the branch.",
)
@click.option("--resume", is_flag=True, help="Continue the newest unfinished run (of TRACK and COMPONENT).")
@click.option("--run", "run_name", metavar="RUN", help="Continue this run.")
@click.option("--from", "first", metavar="STEP", help="Repeat the newest run (or RUN) from this step on.")
@click.option("--until", metavar="STEP", help="Stop after this step.")
@click.option(
    "--state",
    default="",
    metavar="STATE|LABEL",
    callback=not_empty,
    help="Deploy this state of the archive, without a build; see qalab archive states. On a track of proposed packages, "
    "`released` is its baseline.",
)
@keep_option
@json_option
def command(lab_file: Path, *, as_json: bool, **options: str | bool | None) -> None:
    """Run a component through the phases of a track, step by step, as Jenkins does."""
    request = RunRequest(**options)  # type: ignore[arg-type] # click hands over what the options above declare
    lab = loading.load(lab_file)
    current = choose_run(lab, request)
    if current is None:
        out.print("nothing to resume: every run is finished")
        return
    if request.keep:
        current.write_info(current.info.model_copy(update={"keep_chroot": True}))
    console = Terminal(soft_wrap=False, stderr=True) if as_json else out
    code, runs = run_phases(lab, current, console, first=request.first, until=request.until)
    if as_json:
        click.echo(status.runs_json(runs))
    sys.exit(code)


def choose_run(lab: Lab, request: RunRequest) -> Run | None:
    """Return the run that a call is about: an existing one, a new one, or None when there is nothing to resume."""
    store, track, component = Store.of(lab), request.track, request.component
    first = lab.tracks[track].phases[0] if track and track in lab.tracks else "build"
    phase: Phase = "deploy" if request.state else first
    if track:
        check_known(lab, track, component, phase)
    found: Run | None = None
    if request.run_name:
        found = status.find(request.run_name, lab.lab.name)
    elif request.resume:
        found = runner.unfinished(store, track, component) or runner.to_go_on(lab, track, component)
        if found is None:
            return None
    elif not (track and (component or phase != "build")):
        raise click.UsageError("name TRACK and COMPONENT, or --resume, or --run RUN")
    elif request.first:
        # The newest run whose phase has the step.
        runs = [run for run in store.runs(track, component) if request.first in run.steps]
        runs = runs or store.runs(track, component)
        if not runs:
            raise ConfigurationError(f"no run of {component} in {track} to repeat from {request.first}")
        found = runs[-1]
    if found:
        check_known(lab, found.info.track)
        runner.check_span(lab, found.info.track, found.info.phase, request.first, request.until)
        return found
    runner.check_span(lab, str(track), phase, request.first, request.until)
    state = deployable(lab, str(track), request.state) if request.state else ""
    begun = store.new_run(lab, str(track), component or WHOLE, request.commit, phase=phase)
    begun.write_info(begun.info.model_copy(update={"archive": state}))
    return begun


def deployable(lab: Lab, track: str, name: str) -> str:
    """Return the name of the state to deploy.  Raises ConfigurationError where the track cannot deploy it."""
    # The planner behind them takes a fifth of a CPU second, which most runs do not need.
    from scripts.archives import package_source  # noqa: PLC0415
    from scripts.pockets import baseline  # noqa: PLC0415

    described = lab.tracks[track]
    if described.trigger == "proposed" and name == baseline.RELEASED:
        return name
    if "deploy" not in described.phases or described.trigger == "proposed":
        raise ConfigurationError(f"{track} deploys no states of the archive", hint="name the phase deploy in lab.yaml")
    return package_source.state_of_track(reader_of(lab), track, name).name
