"""The command line: every verb hands over to the package that does it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from rich.filesize import decimal

from lab.base import environment, failures
from lab.base.errors import Aborted, ConfigurationError
from lab.base.terminal import Terminal
from lab.config import loading
from lab.config.description import Lab
from lab.config.options import json_option, lab_option
from lab.store import step as steps
from lab.store.records import Record
from lab.store.runs import WHOLE, Run, Store, check_known, run_at
from lab.store.step import EXIT_CODES
from reports import junit, status
from reports.progress import Progress
from scripts import registry, verbs
from scripts.demo import demo
from scripts.host import prerequisites
from scripts.phases import retention, runner

HERE = Path(__file__).parent
# Each with the module that has it in its VERBS.
LOADED_LATE = {
    **dict.fromkeys(
        ("adopt", "apply", "backup", "check", "drift", "generate", "plan", "prune", "restore"), "generator.verbs"
    ),
    **dict.fromkeys(("convert", "junit"), "reports.verbs_convert"),
    **dict.fromkeys(("bundle", "redact"), "reports.verbs_redact"),
    **dict.fromkeys(("publish", "retract"), "reports.verbs_publish"),
    "site": "reports.verbs_site",
}
out = Terminal(soft_wrap=not environment.on_terminal())
track_filter = click.option("--track", help="Only this track.")
component_filter = click.option("--component", help="Only this component.")


class Verbs(click.Group):
    """Verbs of our own, and those that take a while to load: only they wait for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *LOADED_LATE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if module := LOADED_LATE.get(cmd_name):
            return next(verb for verb in import_module(module).VERBS if verb.name == cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """A QA lab as code: every upstream commit packaged, built, tested and published.

    Exit codes: 0 passed; 1 failed, the thing tested is at fault; 2 usage or configuration; 3 the lab is at
    fault, try again; 4 unstable, some tests failed; 70 a bug of qalab's own, never tried again; 130 interrupted.
    With --check (generate, plan, drift), 1 says that there are differences.
    """


@cli.command()
def setup() -> None:
    """Install what the lab needs.

    Debian packages, by apt; and when run by root, a user who builds.
    """
    set_up()
    out.print("this machine is set up")


@cli.command()
@lab_option
@json_option
def doctor(lab_file: Path, as_json: bool) -> None:
    """Say what this machine can do and lacks.

    With each lack, the one command that mends it.
    """
    findings = list(prerequisites.doctor(loading.load(lab_file) if lab_file.exists() else None))
    if as_json:
        out.print_json(data=[vars(finding) for finding in findings])
    for finding in () if as_json else findings:
        out.print(f"{'✔' if finding.good else '✘'} {finding.what}: {finding.detail}")
        if not finding.good:
            out.print(f"  mend it: {finding.mend}")


@cli.command()
def schema() -> None:
    """Print the JSON Schema of lab.yaml."""
    click.echo(loading.schema(), nl=False)


class Steps(click.Group):
    """All steps; the command of one is made when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - all of them, whatever the context
        return [*registry.STEPS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in registry.STEPS:
            raise click.UsageError(f"no step {cmd_name}; known: {', '.join(registry.STEPS)}", ctx)
        module = registry.STEPS[cmd_name]
        command = steps.command(cmd_name, module.action, module.__doc__)
        command.callback = partial(run_step, command.callback)
        return command


def run_step(action: Callable[..., int], **options: Any) -> NoReturn:
    """Run a step, and write the JUnit XML of its run; end with the step's exit code."""
    code = action(**options)
    # After each, because Jenkins goes on with none behind one that fails.
    if current := run_at(options["run"].resolve()):
        junit.write(current)
    sys.exit(code)


@cli.group(cls=Steps, subcommand_metavar="NAME [OPTIONS]")
def step() -> None:
    """Run one step, as a Jenkins job does.

    In a run directory, which is made where --track and --component are given.
    """


@cli.command()
@click.argument("track", required=False)
@click.argument("component", required=False)
@lab_option
@click.option("--commit", default="", metavar="REV", help="An upstream commit or ref; default: the branch's tip.")
@click.option(
    "--resume", is_flag=True, help="Go on with the newest unfinished run (of TRACK and COMPONENT, when named)."
)
@click.option("--run", "run_name", metavar="RUN", help="Go on with this run.")
@click.option("--from", "first", metavar="STEP", help="Do the newest run (or RUN) again from this step on.")
@click.option("--until", metavar="STEP", help="Stop after this step.")
def run(
    track: str | None,
    component: str | None,
    lab_file: Path,
    commit: str,
    resume: bool,
    run_name: str | None,
    first: str | None,
    until: str | None,
) -> None:
    """Run a component through a track's phases.

    Step by step, as Jenkins will.
    """
    if run_name and (track or commit or resume):
        raise click.UsageError(
            "--run names all there is to name: TRACK, COMPONENT, --commit and --resume do not go with it"
        )
    if (resume or first) and commit:
        raise click.UsageError("--commit starts a run, and neither --resume nor --from does")
    lab = loading.load(lab_file)
    sys.exit(run_on(lab, choose_run(lab, track, component, commit, resume, run_name, first, until), first, until))


def choose_run(
    lab: Lab,
    track: str | None,
    component: str | None,
    commit: str,
    resume: bool,
    run_name: str | None,
    first: str | None,
    until: str | None,
) -> Run:
    """The run that a call of `run` is about: one that is there, or a new one."""
    store = Store.of(lab)
    phase = lab.tracks[track].phases[0] if track in lab.tracks else "build"
    if track:
        check_known(lab, track, component, phase)
    found: Run | None = None
    if run_name:
        found = status.find(run_name, lab.lab.name)
    elif resume:
        found = runner.unfinished(store, track, component) or runner.to_go_on(lab, track, component)
        if found is None:
            out.print("nothing to resume: every run is finished")
            sys.exit(0)
    elif not (track and (component or phase != "build")):
        raise click.UsageError("name TRACK and COMPONENT, or --resume, or --run RUN")
    elif first:
        # Of the newest run whose phase has the step.
        runs = [run for run in store.runs(track, component) if first in run.steps] or store.runs(track, component)
        if not runs:
            raise ConfigurationError(f"no run of {component} in {track} yet: there is nothing to do again from {first}")
        found = runs[-1]
    if found:
        check_known(lab, found.info.track)
        runner.check_span(lab, found.info.track, found.info.phase, first, until)
        return found
    runner.check_span(lab, str(track), phase, first, until)
    return store.new_run(lab, str(track), component or WHOLE, commit, phase=phase)


@cli.command()
@click.argument("track")
@lab_option
@click.option("--interval", default=300.0, show_default=True, metavar="SECONDS", help="How often upstream is asked.")
@click.option("--once", is_flag=True, help="One round, then end.")
def watch(track: str, lab_file: Path, interval: float, once: bool) -> None:
    """Test every new upstream commit, in order.

    Or, on a track of proposed packages, all that waits, whenever there is a version that was not tested.
    """
    lab = loading.load(lab_file)
    check_known(lab, track)
    codes = [run_on(lab, current) for current in runner.watch(lab, track, interval, once=once, say=out.print)]
    if not codes:
        out.print(f"{track}: nothing new {'waits' if lab.tracks[track].trigger == 'proposed' else 'upstream'}")
    sys.exit(max(codes, default=0))


@cli.command("status")
@track_filter
@component_filter
@json_option
def status_verb(track: str | None, component: str | None, as_json: bool) -> None:
    """List the runs on this machine."""
    runs, errors = status.survey(track, component)
    for error in errors:
        complain(str(error), 0)
    if as_json:
        click.echo(status.runs_json(runs))
    elif runs:
        out.print(status.runs_table(runs))
    elif track or component:
        known = ", ".join(dict.fromkeys(f"{run.info.track}/{run.info.component}" for run in status.all_runs()))
        raise ConfigurationError(f"no runs of {track or '*'}/{component or '*'}; there are some of: {known or 'none'}")
    else:
        out.print("no runs yet: try ./qalab demo")


@cli.command("tidy")
@lab_option
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def tidy_verb(lab_file: Path, *, dry_run: bool) -> None:
    """Rid old runs of what they no longer need.

    Of those beyond runs.keep that are older than runs.keep_days: scratch, built files, logs of nodes.
    """
    lost = 0
    for old, size in retention.tidy(loading.load(lab_file), environment.now(), dry_run=dry_run):
        out.print(f"{old.id}: {decimal(size)}")
        lost += size
    out.print(f"{decimal(lost)} {'would go' if dry_run else 'gone'}")


@cli.command()
@click.argument("run_name", metavar="RUN")
@json_option
def show(run_name: str, as_json: bool) -> None:
    """Show a run: steps, verdicts and files."""
    found = status.find(run_name)
    if as_json:
        click.echo(status.run_json(found))
    else:
        status.show(out, found)


@cli.command()
@click.argument("run_name", metavar="RUN")
@click.argument("step_name", metavar="STEP")
@json_option
def log(run_name: str, step_name: str, as_json: bool) -> None:
    """Print the log of a run's step."""
    found = status.find(run_name)
    record = found.record(step_name)
    path = found.log_path(step_name)
    if record is None or not path.exists():
        there = ", ".join(record.step for record in found.records()) or "none"
        raise ConfigurationError(f"{found.id}: the step {step_name} has no log; steps with one: {there}")
    text = path.read_text(encoding="utf-8", errors="replace")
    if as_json:
        out.print_json(data={"run": found.id, "step": step_name, "path": str(path), "log": text})
    else:
        click.echo(text, nl=False)


cli.add_command(verbs.env)


@cli.command("demo")
@click.option("--component", default="hello", show_default=True, type=click.Choice(["hello", "keystone"]))
@click.option("--openstack", is_flag=True, help="One commit of keystone, with a whole cloud around it, and Tempest.")
def demo_verb(component: str, *, openstack: bool) -> None:
    """Run the main job on real input.

    A Debian source package, two new upstream commits, packages, an archive, a deployment; no Jenkins is needed.
    """
    if not prerequisites.is_set_up():
        set_up()
    sys.exit(
        demo.run(
            "openstack" if openstack else component,
            out.print,
            run_on,
            lambda runs: out.print(status.side_by_side(runs)),
            publish,
        )
    )


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> NoReturn:
    """Run the fast tests.

    Arguments go to pytest and narrow the fast tests.
    """
    if not prerequisites.is_set_up():
        set_up()
    os.chdir(HERE)
    argv = [sys.executable, "-m", "pytest", *fast_suite(arguments)]
    os.execv(sys.executable, argv)  # noqa: S606 - pytest takes our place


def fast_suite(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of pytest for the fast tests, whatever else is asked for.

    The last ``-m`` is the one that counts: a caller's becomes part of it.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", dest="marked")
    asked, rest = parser.parse_known_args(list(arguments) or ["-q"])
    marked = f"({asked.marked}) and not integration" if asked.marked else "not integration"
    return ["-n", "auto", *rest, "-m", marked]


def publish(lab: Lab, description: Path) -> Path:
    """Publish what is new of a lab; its site's home page."""
    verbs = import_module("reports.verbs_publish")
    with verbs.publisher(lab, description.parent) as (publisher, _):
        verbs.tell(publisher.run(), as_json=False)
        return Path(publisher.place.site, "current", "index.html")


def set_up() -> None:
    path = environment.state_home() / "setup.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        prerequisites.setup(out.print, stream)


def run_on(lab: Lab, current: Run, first: str | None = None, until: str | None = None) -> int:
    """Run a phase, and the phases of the track behind it while all goes well; the last exit code."""
    while True:
        here = until if until in current.steps else None
        code = run_and_report(lab, current, first=first, until=here)
        if here or code not in {0, EXIT_CODES["unstable"]}:
            return code
        following = runner.next_run(lab, current)
        if following is None:
            return code
        current, first = following, None


def run_and_report(lab: Lab, current: Run, *, first: str | None = None, until: str | None = None) -> int:
    """Run a phase with its progress shown and its JUnit XML written; the exit code."""
    ended: Record | None = None
    try:
        ended = runner.run_phase(lab, current, Progress(out), first=first, until=until)
    finally:
        junit.write(current)
    verdict = current.verdict
    if verdict == "aborted" and (ended is None or ended.finished_well):  # None: all of it was done before
        out.print(f"{current.id}: stopped after {until} as asked; go on with: qalab run --run {current.id}")
        return 0
    out.print(f"{current.id}:", status.verdict_text(verdict), current.path)
    # A step's own code tells usage and configuration from the lab's faults.
    return ended.exit_code or 0 if ended and not ended.finished_well else EXIT_CODES.get(verdict, 0)  # type: ignore[call-overload]


def ended_by(number: int, _frame: FrameType | None) -> NoReturn:
    raise Aborted(f"ended by {signal.Signals(number).name}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.  What is not of `lab.base.errors` is a bug; see `lab.base.failures`."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended_by)
    try:
        cli.main(list(argv) if argv is not None else None, prog_name="qalab", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return ConfigurationError.exit_code
    except (KeyboardInterrupt, click.Abort):
        return complain("aborted", Aborted.exit_code)
    except Exception as error:  # noqa: BLE001 - the policy tells what it means
        return fail(error, [*environment.arguments()[:1], *argv] if argv is not None else environment.arguments())
    return 0


def fail(error: Exception, argv: Sequence[str]) -> int:
    """Say in one line what went wrong; the exit code.  The traceback of a bug is in a log."""
    failure = failures.failure(error)
    if not failure.bug:
        return complain(failure.message, failure.exit_code)
    return complain(f"{failure.message}; {failures.write_log(failures.report(error, argv))}", failure.exit_code)


def complain(text: str, code: int) -> int:
    click.echo("\n".join(f"qalab: {line}" for line in text.splitlines()), err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
