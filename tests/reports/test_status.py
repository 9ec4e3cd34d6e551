"""The runs of this machine as tables and as JSON, and the names of runs."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.records import Artifact
from lab.store.run_directory import Run
from lab.store.runs import Store
from reports import status
from tests.conftest import Bench
from tests.openings import openings

COMMIT = "c0ffee" * 6 + "c0de"
LONG = "[bold]debian/patches/0001-fix-all.patch[/]: hunk 2 of nova/virt/libvirt/driver.py, line 1000, does not apply"


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    long = {"upstream": {"git": "/u"}, "packaging": {"git": "/p"}}
    return lab_factory(
        lab={"components": {"python-openstackclient": long}, "tracks": {"caracal-proposed": {"series": "bookworm"}}}
    )


def new_run(lab: Lab, name: str = "trunk/greet", **verdicts: str) -> Run:
    """Return a run with records of these verdicts, each with its message."""
    run = Store.of(lab).new_run(lab, *name.split("/"))
    for number, (step, verdict) in enumerate(verdicts.items()):
        message = LONG if verdict == "failed" else f"{step} is {verdict}"
        version = "2.10+git20261123.3.c0ffeec-0qalab1~bookworm1" if number else "2.10+git20261123.3.c0ffeec"
        Bench(lab, run).pretend(step, version=version, commit=COMMIT, message=message, seconds=1.25)
        path = run.record_path(step)
        path.write_text(path.read_text().replace('"verdict": "passed"', f'"verdict": "{verdict}"'))
    return run


def whole(lab: Lab, name: str = "trunk/greet", **changed: str) -> Run:
    run = new_run(lab, name)
    return new_run(lab, name, **dict.fromkeys(run.steps, "passed") | changed)


def shown(what: Any, width: int = 80, **options: Any) -> str:
    """Render an object with a console like that of the command line."""
    console = Console(file=io.StringIO(), highlight=False, markup=False, width=width, **options)
    what(console) if callable(what) else console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    "verdicts, verdict, step, message, version",
    [
        ({}, "aborted", "", "", ""),
        ({"snapshot": "passed"}, "aborted", "snapshot", "snapshot is passed", "2.10+git20261123.3.c0ffeec"),
        ({"snapshot": "passed", "packaging": "failed"}, "failed", "packaging", LONG,
         "2.10+git20261123.3.c0ffeec-0qalab1~bookworm1"),
        ({"snapshot": "running"}, "aborted", "snapshot", "ended before it could say how it went",
         "2.10+git20261123.3.c0ffeec"),
    ],
)  # fmt: skip
def test_summary_of_run(
    lab: Lab, *, verdicts: dict[str, str], verdict: str, step: str, message: str, version: str
) -> None:
    run = new_run(lab, **verdicts)
    assert json.loads(status.runs_json([run])) == [
        {
            "id": "trunk/greet/1",
            "lab": "testlab",
            "track": "trunk",
            "component": "greet",
            "series": "bookworm",
            "number": 1,
            "phase": "build",
            "commit": COMMIT if verdicts else "",
            "version": version,
            "lab_commit": "",
            "cause": "by hand",
            "working_tree": None,
            "verdict": verdict,
            "step": step,
            "message": message,
            "started": run.info.started,
            "seconds": 1.25 * len(verdicts),
            "path": str(run.path),
        }
    ]


@pytest.mark.parametrize(
    "changed, verdict, step",
    [
        ({}, "passed", "push"),
        ({"upload": "skipped", "push": "skipped"}, "passed", "push"),
        ({"lintian": "unstable"}, "unstable", "lintian"),
        ({"lintian": "unstable", "push": "error"}, "error", "push"),
    ],
)
def test_summary_has_step_that_explains_verdict(lab: Lab, changed: dict[str, str], verdict: str, step: str) -> None:
    actual = status.summary(whole(lab, **changed))
    assert (actual["verdict"], actual["step"]) == (verdict, step)
    assert actual["message"].startswith(f"{step} is ")


def test_run_json_has_steps(lab: Lab) -> None:
    run = new_run(lab, snapshot="passed", packaging="failed")
    actual = json.loads(status.run_json(run))
    steps = actual.pop("steps")
    assert actual == status.summary(run)
    assert [(step["step"], step["verdict"], step["schema"]) for step in steps] == [
        ("snapshot", "passed", 1),
        ("packaging", "failed", 1),
    ]


def unwrapped(table: str) -> str:
    """Return all words of a table, with folded words joined."""
    return re.sub(r"\s", "", table)


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("options", [{}, {"soft_wrap": True}, {"force_terminal": True, "no_color": True}])
def test_tables_fit_terminal_without_truncation(lab: Lab, width: int, options: dict[str, bool]) -> None:
    runs = [new_run(lab, "caracal-proposed/python-openstackclient", snapshot="passed", packaging="failed"), whole(lab)]
    table = shown(status.runs_table(runs), width, **options)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", table)
    assert max(map(len, plain.splitlines())) <= width
    # Read by column, because cells are folded.
    lines = plain.splitlines()
    ends = [match.start() for match in re.finditer(r"(?<=  )\S|^\S", lines[0])]
    cells = [
        unwrapped("".join(line[start:end] for line in lines))
        for start, end in zip(ends, [*ends[1:], None], strict=True)
    ]
    assert cells[0] == "runcaracal-proposed/python-openstackclient/1trunk/greet/2"
    assert cells[1] == "verdict✘failed✔passed"
    assert cells[2] == "started" + "".join(run.info.started[5:16].replace("T", "") for run in runs)
    assert cells[3] == "duration2.5s12.5s"
    assert cells[4] == "causebyhandbyhand"
    assert cells[5] == "messagepackaging:" + unwrapped(LONG) + "2.10+git20261123.3.c0ffeec-0qalab1~bookworm1"

    steps = shown(status.steps_table(runs[0].records()), width, **options)
    assert unwrapped(LONG)[:40] in unwrapped(re.sub(r"\x1b\[[0-9;]*m", "", steps))


@pytest.mark.parametrize("verdict", list(status.SIGNS))
def test_verdict_text_without_colours(verdict: str) -> None:
    text = shown(status.verdict_text(verdict))
    assert text == f"{status.SIGNS[verdict][0]} {verdict}\n"


def test_signs_are_unique() -> None:
    assert len({sign for sign, _ in status.SIGNS.values()}) == len(status.SIGNS)


def test_show_prints_run(lab: Lab) -> None:
    run = new_run(lab, snapshot="passed")
    record = run.record("snapshot")
    assert record is not None
    orig = Artifact(path="out/greet_1.orig.tar.xz", sha256="0123456789abcdef" * 4, size=3, kind="orig")
    record.model_copy(update={"artifacts": (orig,)}).write(run.record_path("snapshot"))
    lines = shown(lambda console: status.show(console, run)).splitlines()
    assert lines[0] == "trunk/greet/1 ■ aborted"
    assert f"  commit   {COMMIT}" in lines
    assert f"  path     {run.path}" in lines
    assert lines[-1] == "  0123456789ab  out/greet_1.orig.tar.xz"


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (60, "1 min 00 s"),
        (119.6, "2 min 00 s"),
        (3725, "62 min 05 s"),
    ],
)
def test_duration_text(seconds: float, text: str) -> None:
    assert status.duration(seconds) == text


def test_find_by_name_and_path(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = new_run(lab), new_run(lab)
    assert status.find("trunk/greet/2") == second
    assert status.find("testlab/trunk/greet/1") == first
    assert status.find("/trunk/greet/1/") == first
    assert status.find(str(second.path)) == second
    elsewhere = second.path.rename(tmp_path / "workspace")
    monkeypatch.chdir(elsewhere)
    assert status.find(".").info.number == 2


def named(counted: Mapping[str, int], suffix: str) -> dict[str, int]:
    return {path: count for path, count in counted.items() if path.endswith(suffix)}


@pytest.mark.parametrize(
    "show",
    [
        status.runs_json,
        status.runs_table,
        status.side_by_side,
        lambda runs: [status.run_json(run) for run in runs],
        lambda runs: [shown(partial(status.show, run=run)) for run in runs],
    ],
    ids=["json", "table", "side by side", "one json", "one"],
)
def test_each_file_of_run_is_read_once(lab: Lab, show: Callable[[list[Run]], Any]) -> None:
    runs = [whole(lab) if number % 2 else new_run(lab, snapshot="passed") for number in range(4)]
    records = {str(run.record_path(record.step)): 1 for run in runs for record in run.records()}
    infos = {str(run.path / "run.json"): 1 for store in status.stores() for run in store.runs()}
    with openings() as counted:
        show(status.survey().runs)
    assert named(counted, "run.json") == infos
    assert {path: count for path, count in counted.items() if path in records} == records


def test_find_reads_no_other_runs(lab: Lab) -> None:
    runs = [new_run(lab) for _ in range(4)]
    for name, run in [("trunk/greet/3", runs[2]), ("testlab/trunk/greet/1", runs[0]), (str(runs[3].path), runs[3])]:
        with openings() as counted:
            assert status.find(name) == run
        assert named(counted, ".json") == {f"{run.path}/run.json": 1}


@pytest.mark.parametrize(
    "content, message",
    [("{", "run.json: Invalid JSON: "), ("[]", "run.json: must be a JSON object"), ("{}", "run.json: lab: Field required"),
     ('{"schema": 9}', "run.json was written by a newer qalab (schema 9; this one knows 6): upgrade qalab")],
)  # fmt: skip
def test_find_reports_damaged_run_in_one_line(lab: Lab, content: str, message: str) -> None:
    run = new_run(lab)
    (run.path / "run.json").write_text(content)
    for name in ("trunk/greet/1", str(run.path)):
        with pytest.raises(ConfigurationError) as caught:
            status.find(name)
        assert message in str(caught.value)
        assert str(run.path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_find_reports_unknown_name_in_one_line(lab: Lab) -> None:
    with pytest.raises(ConfigurationError) as caught:
        status.find("trunk/greet/1")
    assert str(caught.value) == "no run trunk/greet/1; the last ones: none yet"
    for _ in range(7):
        new_run(lab)
    with pytest.raises(ConfigurationError) as caught:
        status.find("trunk/greet")
    ids = ", ".join(f"trunk/greet/{number}" for number in range(3, 8))
    assert str(caught.value) == f"no run trunk/greet; the last ones: {ids}"


def test_find_reports_ambiguous_name(lab_factory: Callable[..., Lab]) -> None:
    runs = [new_run(lab_factory(lab={"lab": {"name": name}})) for name in ("beta", "alpha")]
    with pytest.raises(ConfigurationError) as caught:
        status.find("trunk/greet/1")
    message = "trunk/greet/1: is ambiguous; use one of: beta/trunk/greet/1, alpha/trunk/greet/1"
    assert str(caught.value) == message
    assert status.find("alpha/trunk/greet/1") == runs[1]
    assert status.all_runs() == runs  # by time, not by lab
    assert [store.root.name for store in status.stores()] == ["alpha", "beta"]


def test_all_runs_sorts_by_time_and_filters(lab: Lab) -> None:
    names = ["trunk/greet", "caracal-proposed/greet", "trunk/python-openstackclient", "trunk/greet"]
    runs = [new_run(lab, name) for name in names]
    for number, run in enumerate(runs):
        run.write_info(run.info.model_copy(update={"started": f"2026-01-01T00:00:0{number}.000Z"}))
    assert status.all_runs() == runs
    assert status.all_runs("trunk") == [runs[0], runs[2], runs[3]]
    assert status.all_runs(None, "greet") == [runs[0], runs[1], runs[3]]
    assert status.all_runs("trunk", "greet") == [runs[0], runs[3]]
    assert status.runs_json([]) == "[]"


def test_side_by_side_table(lab: Lab) -> None:
    """A step that a run did not reach is an empty cell; the last line is the whole run."""
    runs = [whole(lab, sbuild="unstable"), new_run(lab, snapshot="passed", packaging="failed")]
    lines = shown(status.side_by_side(runs)).splitlines()
    assert lines[0].split() == ["step", "trunk/greet/2", "trunk/greet/3"]
    assert lines[2].split() == ["packaging", "✔", "passed", "1.2", "s", "✘", "failed", "1.2", "s"]
    assert lines[5].split() == ["sbuild", "!", "unstable", "1.2", "s"]
    assert lines[-1].split() == ["!", "unstable", "12.5", "s", "✘", "failed", "2.5", "s"]
