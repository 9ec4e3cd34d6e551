"""The progress of a run: plain lines in a file, a moving line at a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from lab.config.description import Lab
from lab.store import durations
from lab.store.records import Record
from lab.store.run_directory import Run
from lab.store.runs import Store
from reports.progress import Progress


@pytest.fixture
def run(lab_factory: Callable[..., Lab]) -> Run:
    lab = lab_factory()
    return Store.of(lab).new_run(lab, "trunk", "greet")


def record(run: Run, step: str, verdict: str, message: str = "", seconds: float = 0.0) -> Record:
    return Record(
        step=step,
        component="greet",
        track="trunk",
        series="bookworm",
        architecture="amd64",
        started=run.info.started,
        log="x",
        verdict=verdict,  # type: ignore[arg-type]
        message=message,
        seconds=seconds,
    )


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def output_of(run: Run, **options: bool) -> str:
    """Return the complete output about a run."""
    stream = io.StringIO()
    progress = Progress(Console(file=stream, highlight=False, markup=False, width=80, **options))  # type: ignore[arg-type]
    progress.waiting(run)
    progress.kept(run, record(run, "snapshot", "passed", "2.10+git20261123.3.c0ffeec", 1.25))
    progress.started(run, "packaging")
    progress.ended(run, record(run, "packaging", "failed", f"[/x] {'a long reason ' * 10}", 75))
    progress.ended(run, record(run, "sbuild", "aborted"))  # interrupted before its start was reported
    return stream.getvalue()


def test_plain_lines_without_terminal(run: Run) -> None:
    assert output_of(run, soft_wrap=True).splitlines() == [
        "trunk/greet/1: another run of the component is in progress; waiting",
        "trunk/greet/1  snapshot  ✔ passed    1.2 s (kept)  2.10+git20261123.3.c0ffeec",
        f"trunk/greet/1  packaging ✘ failed 1 min 15 s  [/x] {'a long reason ' * 10}",
        "trunk/greet/1  sbuild    ■ aborted    0.0 s  ",
    ]


def test_time_of_the_last_run_at_terminal(run: Run) -> None:
    assert "last time" not in output_of(run, force_terminal=True, no_color=True)
    for verdict, seconds in (("passed", 291.4), ("failed", 7.0)):
        durations.note(run.info, record(run, "packaging", verdict, seconds=seconds))
    assert "packaging 0:00, last time 4:51" in output_of(run, force_terminal=True, no_color=True)
    assert "last time" not in output_of(run)


def test_moving_line_at_terminal(run: Run) -> None:
    text = output_of(run, force_terminal=True, no_color=True)
    assert "trunk/greet/1 packaging" in text  # the moving line
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is hidden and shown again
    for line in output_of(run, soft_wrap=True).splitlines()[1:]:
        assert line in text
