"""The store: numbers that never clash, verdicts from records alone, and who holds a run."""

from __future__ import annotations

import codecs
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.schema import NewerSchemaError
from lab.config.description import Lab
from lab.store import run_directory
from lab.store.run_directory import Run, open_run, run_at
from lab.store.runs import Store
from scripts.handover import keeping
from tests.archives import place_behind_link
from tests.conftest import Bench
from tests.processes import python

NUMBERER = """
import sys
from pathlib import Path
from lab.config.loading import load
from lab.store.runs import Store
lab = load(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(*(Store.of(lab).new_run(lab, "trunk", "greet").path.name for _ in range(20)))
"""
# Holds a run, leaves it `running`, ends it well, lets go of it; again and again.
WORKER = """
import sys
from pathlib import Path
from lab.store.run_directory import Run
run = Run(Path(sys.argv[1]))
record = run.record("snapshot")
print("ready", flush=True)
while True:
    with run.held():
        for verdict in ("running", "passed"):
            record.model_copy(update={"verdict": verdict}).write(run.record_path("snapshot"))
"""
STEPS = ("snapshot", "packaging", "changelog", "source", "sbuild", "lintian", "content", "archive", "upload", "push")


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory()


@pytest.fixture
def store(lab: Lab) -> Store:
    return Store.of(lab)


def left(run: Run, verdicts: Mapping[str, str]) -> Run:
    """Write records with these verdicts to a run, and return it."""
    for name, verdict in verdicts.items():
        Bench(None, run).pretend(name)  # type: ignore[arg-type]
        path = run.record_path(name)
        path.write_text(path.read_text().replace('"verdict": "passed"', f'"verdict": "{verdict}"'))
    return run


@pytest.mark.integration
def test_run_numbers_are_unique_across_processes(lab: Lab, store: Store, tmp_path: Path) -> None:
    with ExitStack() as stack:
        racers = [stack.enter_context(python(NUMBERER, tmp_path / "lab.yaml")) for _ in range(3)]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        numbers = [int(word) for racer in racers for word in racer.communicate(timeout=60)[0].split()]
    assert sorted(numbers) == list(range(1, 61))
    assert [run.info.number for run in store.runs()] == sorted(numbers)


def test_run_numbers_rise_despite_other_directories(lab: Lab, store: Store) -> None:
    assert store.new_run(lab, "trunk", "greet").id == "trunk/greet/1"
    ninth = store.new_run(lab, "trunk", "greet").path.rename(store.root / "runs/trunk/greet/9")
    shutil.copytree(ninth, ninth.with_name("9.copy"))
    (ninth.parent / "12").mkdir()  # a run that was killed before it wrote run.json
    assert store.new_run(lab, "trunk", "greet").path.name == "13"
    assert [run.path.name for run in store.runs()] == ["1", "9", "13"]


def test_runs_are_found_by_track_and_component(lab_factory: Callable[..., Lab]) -> None:
    more = {"components": {"zed": {"upstream": {"git": "/u"}, "packaging": {"git": "/p"}}}}
    lab = lab_factory(lab=more | {"tracks": {"stable": {"series": "bookworm"}}})
    store = Store.of(lab)
    for track, component in [("trunk", "zed"), ("trunk", "greet"), ("stable", "greet"), ("trunk", "greet")]:
        store.new_run(lab, track, component)
    found = {
        key: [run.id for run in store.runs(*key)]
        for key in [(None, None), ("trunk", None), (None, "greet"), ("trunk", "greet"), ("old", None)]
    }
    assert found == {
        (None, None): ["stable/greet/1", "trunk/greet/1", "trunk/greet/2", "trunk/zed/1"],
        ("trunk", None): ["trunk/greet/1", "trunk/greet/2", "trunk/zed/1"],
        (None, "greet"): ["stable/greet/1", "trunk/greet/1", "trunk/greet/2"],
        ("trunk", "greet"): ["trunk/greet/1", "trunk/greet/2"],
        ("old", None): [],
    }


@pytest.mark.parametrize(
    "track, component, said",
    [("old", "greet", "no track old; known: trunk"), ("trunk", "grete", "no component grete in trunk; known: greet")],
)
def test_unknown_track_or_component_creates_no_run(
    lab: Lab, store: Store, tmp_path: Path, *, track: str, component: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        store.new_run(lab, track, component)
    assert str(caught.value) == said
    with pytest.raises(ConfigurationError):
        open_run(tmp_path / "plain", lab, track, component)
    assert not store.root.exists()
    assert not (tmp_path / "plain").exists()


@pytest.mark.parametrize(
    "variables, number, origin, url",
    [
        ({}, 1, "local", ""),
        ({"BUILD_NUMBER": "57"}, 1, "local", ""),
        ({"BUILD_URL": "https://ci.example/job/x/57/"}, 1, "jenkins", "https://ci.example/job/x/57/"),
        ({"BUILD_URL": "https://ci.example/job/x/57/", "BUILD_NUMBER": "57"}, 57, "jenkins",
         "https://ci.example/job/x/57/"),
    ],
)  # fmt: skip
def test_plain_directory_becomes_run(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, variables: dict[str, str], number: int, origin: str,
    url: str,
) -> None:  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    run = open_run(tmp_path / "work", lab, "trunk", "greet", revision="v1")
    info = run.info
    assert (info.number, info.origin, info.url, info.revision) == (number, origin, url, "v1")
    assert (info.lab, info.track, info.component, info.series, info.commit) == (
        "testlab", "trunk", "greet", "bookworm", "",
    )  # fmt: skip
    assert sorted(path.relative_to(run.path).as_posix() for path in run.path.rglob("*")) == [
        "out", "results", "results/native", "run.json", "work",
    ]  # fmt: skip
    assert run_at(run.path) == run
    assert run_at(tmp_path) is None


def test_run_id_in_jenkins_is_its_place_in_the_store(lab: Lab, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_URL", "https://ci.example/job/x/57/")
    monkeypatch.setenv("BUILD_NUMBER", "57")
    runs = [store.new_run(lab, "trunk", "greet") for _ in range(2)]
    assert [run.id for run in runs] == ["trunk/greet/1", "trunk/greet/2"]
    assert runs[0].info.origin == "jenkins"


ALL = dict.fromkeys(STEPS, "passed")
FIRST = {"snapshot": "passed", "packaging": "passed"}


@pytest.mark.parametrize(
    "verdicts, lies, held",
    [
        ({}, "aborted", "running"),
        (FIRST, "aborted", "running"),
        (FIRST | {"changelog": "running"}, "aborted", "running"),
        (ALL, "passed", "passed"),
        (ALL | {"upload": "skipped", "push": "skipped"}, "passed", "passed"),
        (dict.fromkeys(ALL, "skipped"), "skipped", "skipped"),
        (ALL | {"lintian": "unstable"}, "unstable", "unstable"),
        (FIRST | {"changelog": "unstable"}, "aborted", "running"),
        (FIRST | {"changelog": "failed"}, "failed", "failed"),
        (FIRST | {"changelog": "error"}, "error", "error"),
        (FIRST | {"changelog": "aborted"}, "aborted", "aborted"),
        (ALL | {"lintian": "unstable", "push": "error"}, "error", "error"),
        (ALL | {"lintian": "failed", "push": "error"}, "failed", "failed"),
        (ALL | {"push": "running"}, "aborted", "running"),
    ],
)
def test_run_verdict_of_records(lab: Lab, store: Store, verdicts: dict[str, str], lies: str, held: str) -> None:
    run = left(store.new_run(lab, "trunk", "greet"), verdicts)
    assert run.verdict == lies
    with run.held():
        assert run.verdict == held
    assert [record.step for record in run.records()] == list(verdicts)


def test_running_record_of_dead_process_is_aborted(lab: Lab, store: Store) -> None:
    run = left(store.new_run(lab, "trunk", "greet"), {"snapshot": "running"})
    record = run.record("snapshot")
    assert record is not None
    assert (record.verdict, record.message) == ("aborted", "ended before it could say how it went")
    with run.held():
        assert [one.verdict for one in run.records()] == ["running"]
    assert '"verdict": "running"' in run.record_path("snapshot").read_text()  # to read it changes nothing


@pytest.mark.integration
def test_run_is_not_aborted_between_two_reads(lab: Lab, store: Store) -> None:
    run = left(store.new_run(lab, "trunk", "greet"), ALL)
    with python(WORKER, run.path) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        seen = [(run.records()[0].verdict, run.verdict) for _ in range(300)]
        assert worker.poll() is None  # reading does not block it
    assert {step for step, _ in seen} <= {"running", "passed"}
    assert {whole for _, whole in seen} <= {"running", "passed"}


def test_run_is_held_by_one_process(lab: Lab, store: Store) -> None:
    run = store.new_run(lab, "trunk", "greet")
    assert not run.is_held()
    with run.held():
        assert run.is_held()
        with pytest.raises(InfrastructureError) as caught, run.held():
            pass
    assert str(caught.value) == f"{run.path}: another process works on this run"
    assert not run.is_held()


def test_record_files_are_numbered_by_step(lab: Lab, store: Store) -> None:
    run = store.new_run(lab, "trunk", "greet")
    assert [run.record_path(name).name for name in STEPS][::9] == ["01-snapshot.json", "10-push.json"]
    assert run.log_path("push") == run.path / "results/push.log"
    assert run.record("push") is None
    with pytest.raises(ConfigurationError, match="no step fly in this phase; known: snapshot, packaging, "):
        run.record_path("fly")


def test_run_version_is_that_of_newest_record(lab: Lab, store: Store) -> None:
    run = store.new_run(lab, "trunk", "greet")
    assert run.version == ""
    Bench(lab, run).pretend("snapshot", version="1.0", commit="a" * 40)
    Bench(lab, run).pretend("packaging")
    assert run.version == "1.0"
    assert run.info.commit == "a" * 40


def test_damaged_record_error_is_one_line(lab: Lab, store: Store) -> None:
    run = left(store.new_run(lab, "trunk", "greet"), FIRST)
    path = run.record_path("packaging")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"novelty": {}}))
    assert run.verdict == "error"
    record = run.record("packaging")
    assert record is not None
    assert record.message == f"{path}: novelty: Extra inputs are not permitted; expected schema 1"
    assert not record.finished_well


@pytest.mark.parametrize("name", ["run.json", "results/01-snapshot.json", "results/02-packaging.json"])
def test_run_of_newer_qalab_is_refused(lab: Lab, store: Store, name: str) -> None:
    path = left(store.new_run(lab, "trunk", "greet"), FIRST).path
    data = json.loads((path / name).read_text()) | {"schema": 9, "novelty": {}}
    (path / name).write_text(json.dumps(data))
    before = {each: each.read_bytes() for each in path.rglob("*") if each.is_file()}
    run = Run(path)
    uses: list[Callable[[], object]] = [lambda: run.verdict, run.records, lambda: run.held().__enter__()]
    for use in uses:
        with pytest.raises(NewerSchemaError, match=rf"/{name} was written by a newer qalab \(schema 9; this one"):
            use()
    assert not run.is_held()
    after = {each: each.read_bytes() for each in path.rglob("*") if each.is_file() and each.name != "run.lock"}
    assert after == before


def test_runs_refuse_newer_run_and_survey_reports_it(lab: Lab, store: Store) -> None:
    first, second = (store.new_run(lab, "trunk", "greet") for _ in range(2))
    (first.path / "run.json").write_text('{"schema": 9}')
    with pytest.raises(NewerSchemaError):
        store.runs()
    survey = store.survey()
    assert survey.runs == [second]
    assert [type(error) for error in survey.errors] == [NewerSchemaError]


def test_run_info_is_read_once(lab: Lab, store: Store) -> None:
    run = store.new_run(lab, "trunk", "greet")
    (run.path / "run.json").unlink()
    assert run.info.number == 1
    run.write_info(run.info.model_copy(update={"commit": "c" * 40}))
    assert run.info.commit == Run(run.path).info.commit == "c" * 40
    with pytest.raises(AttributeError):
        run.path = store.root  # type: ignore[misc]


@pytest.mark.parametrize(
    "place, found",
    [
        (("trunk", "greet", "2"), True),
        (("trunk", "greet", "02"), False),
        (("trunk", "greet", "3"), False),
        (("trunk", "greet", "2.copy"), False),
        (("..", "runs/trunk/greet", "2"), False),
        (("trunk", ".", "2"), False),
        (("", "", "2"), False),
        (("trunk", "greet\0", "2"), False),
    ],
)
def test_run_is_found_by_its_place(lab: Lab, store: Store, place: tuple[str, str, str], *, found: bool) -> None:
    runs = [store.new_run(lab, "trunk", "greet") for _ in range(2)]
    shutil.copytree(runs[1].path, runs[1].path.with_name("2.copy"))
    assert store.run(*place) == (runs[1] if found else None)


def test_mistyped_path_creates_no_directory(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "mistyped/work"
    with pytest.raises(ConfigurationError) as caught:
        open_run(path, lab, "trunk", "greet")
    assert str(caught.value) == f"{path}: there is no directory {path.parent}"
    assert not path.parent.exists()


def test_survey_reports_unreadable_run(lab: Lab, store: Store) -> None:
    good, torn = (store.new_run(lab, "trunk", "greet") for _ in range(2))
    (torn.path / "run.json").write_text("{")
    assert store.runs() == [good]
    assert [str(error).partition(": ")[0] for error in store.survey().errors] == [f"{torn.path}/run.json"]
    assert store.new_run(lab, "trunk", "greet").info.number == 3


def test_store_paths(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "state/qalab/testlab"
    assert (store.archive, store.gnupg) == (root / "archive", root / "gnupg")
    assert store.lock_path("run", "trunk", "greet") == root / "locks/run+trunk+greet.lock"


@pytest.mark.parametrize("linked", ["", "qalab", "qalab/testlab"])
def test_a_store_behind_a_link_has_its_own_runs(lab_factory: Callable[..., Lab], tmp_path: Path, linked: str) -> None:
    """A run that is given by its real path is a run of the store, and is not kept a second time."""
    lab = lab_factory()
    place_behind_link(lab, linked, tmp_path / "disk")
    store = Store.of(lab)
    run = store.new_run(lab, "trunk", "greet")
    assert Run(run.path.resolve()).path.is_relative_to(store.root)
    keeping.keep(store, Run(run.path.resolve()))
    assert not (store.root / "postponed").exists()


def test_history_is_in_the_order_of_its_runs_where_a_clock_was_wrong(lab: Lab, store: Store) -> None:
    """Else what a build broke seems to be fixed before it broke."""
    for hours in (0, 22, 10, 20):
        run = store.new_run(lab, "trunk", "greet")
        day = f"2026-01-01T{hours:02}:00:00.000Z"
        run.write_info(run.info.model_copy(update={"started": day if hours != 20 else "no time"}))
    assert [run.info.number for run in store.history("trunk", "greet")] == [4, 1, 2, 3]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("2:1.0~rc1-1+lab", "2:1.0~rc1-1+lab"),
        ('{"branch":"a \\"quoted\\" one"}', '{"branch":"a \\\\"quoted\\\\" one"}'),
        ("C:\\new\\u0041", r"C:\\new\\u0041"),
        ("$PATH and ${HOME}", r"\u0024PATH and \u0024{HOME}"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{GRINNING FACE}", r"caf\u00e9 \ud83d\ude00"),
        ("two\nlines=1\r", r"two\u000alines=1\u000d"),
    ],
)
def test_parameters_arrive_as_they_are(value: str, written: str) -> None:
    text = run_directory.parameters({"PROPOSAL": value})
    assert text == f"PROPOSAL={written}\n"
    read = codecs.decode(text.removeprefix("PROPOSAL=").removesuffix("\n"), "unicode_escape")
    assert read.encode("utf-16", "surrogatepass").decode("utf-16") == value
