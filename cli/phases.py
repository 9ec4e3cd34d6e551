"""Run phases with their progress on the terminal; shared by ``run``, ``watch`` and ``demo``."""

from __future__ import annotations

from rich.console import Console

from lab.config.description import Lab
from lab.store.records import Record
from lab.store.run_directory import Run
from lab.store.step import EXIT_CODES
from reports import junit, status
from reports.progress import Progress
from scripts.phases import runner
from scripts.promotion import phase_results


def run_phases(
    lab: Lab, current: Run, console: Console, *, first: str | None = None, until: str | None = None
) -> tuple[int, list[Run]]:
    """Run a phase, then the later phases of its track while they pass; return the exit code and the runs."""
    runs = [current]
    while True:
        last = until if until in current.steps else None
        code = run_phase(lab, current, console, first=first, until=last)
        if last or code not in {0, EXIT_CODES["unstable"]}:
            return code, runs
        if why := why_to_stop(lab, current):
            console.print(f"{current.id}: no further phase: {why}")
            return code, runs
        following = runner.next_run(lab, current)
        if following is None:
            return code, runs
        current, first = following, None
        runs.append(current)


def why_to_stop(lab: Lab, current: Run) -> str:
    """Return why the later phases of a run are not needed; "" where they are."""
    if current.info.proposal is None:
        return ""
    from scripts.reviews import superseding  # noqa: PLC0415 - the forges' clients, which other runs do not need

    return superseding.why_to_stop(lab, current)


def run_phase(lab: Lab, current: Run, console: Console, *, first: str | None = None, until: str | None = None) -> int:
    """Run one phase, show its progress, write its results, and return the exit code."""
    ended: Record | None = None
    try:
        ended = runner.run_phase(lab, current, Progress(console), first=first, until=until)
    finally:
        junit.write(current)
        phase_results.note(lab, current)
    verdict = current.verdict
    if verdict == "aborted" and (ended is None or ended.finished_well):  # None: every step was done before
        console.print(f"{current.id}: stopped after {until}, as requested; continue with: qalab run --run {current.id}")
        asked = current.steps[: current.steps.index(until) + 1] if until else current.steps
        verdicts = [record.verdict for record in current.records() if record.step in asked]
        return EXIT_CODES["unstable"] if "unstable" in verdicts else 0
    console.print(f"{current.id}:", status.verdict_text(verdict), current.path)
    # A step's own exit code tells a configuration error from an infrastructure error.
    if ended and not ended.finished_well:
        return ended.exit_code or 0
    return 0 if verdict == "running" else EXIT_CODES[verdict]
