"""A run of the local store as a build; only finished runs are builds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.results.build_environment import BuildEnvironment
from lab.store.records import Artifact
from reports import bundle
from reports.model import Commit
from reports.redact.publication import Publication
from reports.sources import local
from tests.conftest import Bench
from tests.reports.publications import COMMIT, KEY, lab_that_publishes

VERSION = "2.10+git20261123.3.c0ffeec-0qalab1~bookworm1"
SHA = "ab" * 32


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_that_publishes(lab_factory, parameters=["VERSION"])


@pytest.fixture
def finished(lab: Lab, bench: Callable[..., Bench]) -> Bench:
    """Return a run with records, logs and files."""
    made = bench(lab)
    for number, step in enumerate(made.run.steps):
        facts = {"named": [{"id": COMMIT, "subject": "Fix it", "author": "Ada <ada@up.example>"}]}
        made.pretend(step, version=VERSION if number else "", commit=COMMIT, seconds=1.5, message=f"{step} is done",
                     finished=f"2099-01-01T00:00:0{number}.000Z",
                     facts=facts if step == "changelog" else {})  # fmt: skip
        made.run.log_path(step).write_text(f"+ {step}\nat 10.0.1.2\n")
    made.run.write_info(made.run.info.model_copy(update={"started": "2098-12-31T23:59:58.500Z"}))
    (made.run.out / "greet_1.changes").write_text("Maintainer: A <a@b.example>\n")
    artifacts = tuple(
        Artifact(path=f"out/{name}", sha256=SHA, size=28, kind=kind)
        for name, kind in (("greet_1.changes", "changes"), ("greet_1_all.deb", "binary"))
    )
    for step in ("source", "sbuild"):  # both name the same files
        path = made.run.record_path(step)
        record = made.run.record(step)
        assert record
        record.model_copy(update={"artifacts": artifacts}).write(path)
    (made.run.results / "parameters.properties").write_text(f"COMMIT={COMMIT}\nVERSION={VERSION}\n")
    return made


def test_build_has_all_data_of_run(lab: Lab, finished: Bench) -> None:
    build, files = local.build(finished.run, lab)
    steps = finished.run.steps
    assert build.id == "local/trunk/greet/build/1@4070908798500"
    assert (build.lab, build.track, build.component, build.series) == ("testlab", "trunk", "greet", "bookworm")
    assert (build.architecture, build.phase, build.branch) == ("amd64", "build", "main")
    assert (build.commit, build.version, build.verdict) == (COMMIT, VERSION, "passed")
    assert (build.step, build.message) == ("", "")
    assert (build.started, build.finished) == ("2098-12-31T23:59:58.500Z", f"2099-01-01T00:00:0{len(steps) - 1}.000Z")
    assert build.seconds == len(steps) - 1 + 1.5
    assert build.commits == (Commit(id=COMMIT, subject="Fix it", author="Ada <ada@up.example>"),)
    assert [(one.step, one.verdict, one.message, one.log) for one in build.steps] == [
        (step, "passed", f"{step} is done", f"{step}.log") for step in steps
    ]
    assert [(log.name, log.path) for log in build.logs] == [(f"{step}.log", f"logs/{step}.log") for step in steps]
    assert [(one.name, one.kind, one.sha256) for one in build.files] == [
        ("greet_1.changes", "changes", SHA),
        ("greet_1_all.deb", "binary", SHA),
    ]
    assert build.parameters == {"COMMIT": COMMIT, "VERSION": VERSION}
    assert {case.name for case in build.cases} >= set(steps)
    assert files["logs/sbuild.log"].read_text() == "+ sbuild\nat 10.0.1.2\n"
    assert files["files/greet_1.changes"] == finished.run.out / "greet_1.changes"


@pytest.mark.parametrize(
    "packaging, sbuild, expected",
    [
        (
            {"head": "d" * 40, "content": "c1"},
            {"installed": {"libc6": "2.36-9"}, "chroot": {"key": "base1"}},
            {"packages": {"libc6": "2.36-9"}, "packaging": "d" * 40, "packaging_content": "c1", "base": "base1"},
        ),
        # debian/ of the upstream commit itself
        ({"head": COMMIT, "content": "c1"}, {"installed": {}}, {"packages": {}}),
        ({"head": "d" * 40}, None, {"packages": None, "packaging": "d" * 40}),
        ({}, {"mode": "schroot"}, {"packages": {}}),  # of a step that made no chroot
    ],
)
def test_environment_of_a_build(
    lab: Lab,
    bench: Callable[..., Bench],
    packaging: dict[str, object],
    sbuild: dict[str, object] | None,
    expected: dict[str, object],
) -> None:
    made = bench(lab)
    made.pretend("snapshot", commit=COMMIT)
    made.pretend("packaging", facts=packaging)
    if sbuild is not None:
        made.pretend("sbuild", facts=sbuild)
    made.run.write_info(made.run.info.model_copy(update={"lab_commit": "e" * 40}))
    build, _ = local.build(made.run, lab)
    assert build.environment == BuildEnvironment(lab_commit="e" * 40, **expected)  # type: ignore[arg-type] # a table


def artifact(name: str, kind: str = "binary") -> Artifact:
    return Artifact(path=f"out/{name}", sha256=SHA, size=1, kind=kind)


@pytest.mark.parametrize(
    "step, fields, expected",
    [
        ("sbuild", {"artifacts": (artifact("greet_1.2-1_all.deb"),), "version": "1.2-1"}, {"greet": "1.2-1"}),
        ("sbuild", {"artifacts": (artifact("greet_1.2-1_all.deb"),), "version": "2:1.2-1"}, {"greet": "2:1.2-1"}),
        # A version of its own.
        ("sbuild", {"artifacts": (artifact("libg1_7-1_amd64.deb"),), "version": "2:1.2-1"}, {"libg1": "7-1"}),
        ("sbuild", {"artifacts": (artifact("greet-dbgsym_1-1_amd64.deb"), artifact("greet_1.dsc", "source"))}, {}),
        ("sbuild", {"artifacts": (artifact("odd.deb"),)}, {}),
        ("deploy", {"facts": {"packages": ["a=1:2-3", "b=4"]}}, {"a": "1:2-3", "b": "4"}),
        ("deploy", {"facts": {}}, {}),
        ("source", {"facts": {"packages": 3}}, {}),  # of another step
    ],
)
def test_packages_of_a_build(
    lab: Lab, bench: Callable[..., Bench], step: str, fields: dict[str, object], expected: dict[str, str]
) -> None:
    made = bench(lab)
    phase = "deploy" if step == "deploy" else "build"
    made.run.write_info(made.run.info.model_copy(update={"phase": phase, "commit": COMMIT}))
    made.pretend(step, **fields)
    build, _ = local.build(made.run, lab)
    assert build.packages == expected


def test_bundle_has_public_data_only(lab: Lab, finished: Bench) -> None:
    build, files = local.build(finished.run, lab)
    paths = [Publication.with_key(lab, KEY).publish(build, files, finished.run.path / name) for name in ("a", "b")]
    assert paths[0].name == paths[1].name
    found = bundle.read(paths[0])
    assert set(found.sizes) == {"junit.xml", "files/greet_1.changes", *(log.path for log in build.logs)}
    with found.open("logs/sbuild.log") as stream:
        assert stream.read().decode() == f"+ sbuild\nat {KEY.name('node', '10.0.1.2')}\n"
    with found.open("junit.xml") as stream:
        assert b'name="sbuild"' in stream.read()
    assert found.build.commits[0].author == "Ada <***@up.example>"
    assert found.build.parameters == {"VERSION": VERSION}
    assert [(one.name, one.path) for one in found.build.files] == [
        ("greet_1.changes", "files/greet_1.changes"),
        ("greet_1_all.deb", ""),
    ]
    log = next(log for log in found.build.logs if log.name == "sbuild.log")
    assert (log.lines, log.size, log.cut) == (2, found.sizes["logs/sbuild.log"], False)


@pytest.mark.parametrize(
    "verdicts, step",
    [
        ({"sbuild": "unstable", "lintian": "failed"}, "lintian"),
        ({"lintian": "unstable"}, "lintian"),
        ({"snapshot": "unstable", "sbuild": "error"}, "sbuild"),
        ({"sbuild": "aborted"}, "sbuild"),
    ],
)
def test_step_explains_verdict(lab: Lab, finished: Bench, verdicts: dict[str, str], step: str) -> None:
    for name, verdict in verdicts.items():
        record = finished.run.record(name)
        assert record
        record.model_copy(update={"verdict": verdict}).write(finished.run.record_path(name))
    build, _ = local.build(finished.run, lab)
    assert (build.verdict, build.step, build.message) == (verdicts[step], step, f"{step} is done")


def test_killed_run_is_aborted_build(lab: Lab, bench: Callable[..., Bench]) -> None:
    made = bench(lab)
    record = made.pretend("snapshot")
    record.model_copy(update={"verdict": "running"}).write(made.run.record_path("snapshot"))
    build, files = local.build(made.run, lab)
    assert (build.verdict, build.step, build.seconds) == ("aborted", "snapshot", 0.0)
    assert build.message == "ended before it could say how it went"
    assert (build.logs, build.steps[0].log, dict(files)) == ((), "", {})


def test_run_of_removed_component(lab: Lab, finished: Bench, lab_factory: Callable[..., Lab]) -> None:
    other = lab_factory(name="other")
    build, _ = local.build(finished.run, other)
    assert (build.component, build.branch) == ("greet", "")


def test_unfinished_run_raises(lab: Lab, bench: Callable[..., Bench], finished: Bench) -> None:
    made = bench(lab)
    with pytest.raises(ConfigurationError, match="trunk/greet/2: is not finished"):
        local.build(made.run, lab)
    made.pretend("snapshot")
    with made.run.held(), pytest.raises(ConfigurationError, match="trunk/greet/2: is not finished"):
        local.build(made.run, lab)
    foreign = lab.model_copy(update={"lab": lab.lab.model_copy(update={"name": "theirs"})})
    with pytest.raises(ConfigurationError, match="trunk/greet/1: is a run of the lab testlab, not of theirs"):
        local.build(finished.run, foreign)


@pytest.mark.parametrize(
    "step, facts, expected",
    [
        ("snapshot", {"rises": True}, (False, 0)),
        ("snapshot", {"rises": False}, (True, 0)),  # an older commit, on purpose
        ("sbuild", {"rises": False}, (False, 0)),
        ("changelog", {"unnamed": 3}, (False, 3)),
        ("changelog", {"unnamed": -3}, (False, 0)),
        ("changelog", {"unnamed": "many"}, (False, 0)),
        ("changelog", {}, (False, 0)),
    ],
)
def test_place_of_a_build_in_the_upstream_history(
    finished: Bench, lab: Lab, step: str, facts: dict[str, object], expected: tuple[bool, int]
) -> None:
    finished.pretend(step, version=VERSION, commit=COMMIT, finished="2099-01-01T00:00:04.000Z", facts=facts)
    build, _ = local.build(finished.run, lab)
    assert (build.older, build.unlisted) == expected


@pytest.mark.parametrize(
    "chroot, expected",
    [({"age_days": 3.5}, 3.5), ({"age_days": 0}, 0.0), ({"age_days": -1}, None), ({"age_days": "old"}, None), ({}, None), (None, None), (7, None)],
)  # fmt: skip
def test_age_of_chroot_is_that_of_sbuild(finished: Bench, lab: Lab, chroot: object, expected: float | None) -> None:
    finished.pretend(
        "sbuild", version=VERSION, commit=COMMIT, finished="2099-01-01T00:00:04.000Z", facts={"chroot": chroot}
    )
    build, _ = local.build(finished.run, lab)
    assert (build.chroot_days, build.agent) == (expected, "")


@pytest.mark.parametrize(
    "date, expected",
    [("2098-12-30T12:00:04.000Z", 1.5), ("2099-01-01T00:00:04.000Z", 0.0), ("2099-01-01T00:00:05.000Z", None),
     ("", None), (7, None), ("2098-12-30T12:00:04", None)],
)  # fmt: skip
def test_age_of_mirror_is_that_of_sbuild(finished: Bench, lab: Lab, date: object, expected: float | None) -> None:
    finished.pretend(
        "sbuild", version=VERSION, commit=COMMIT, finished="2099-01-01T00:00:04.000Z", facts={"mirror_date": date}
    )
    build, _ = local.build(finished.run, lab)
    assert build.mirror_days == expected


def test_build_names_its_state_of_the_archive(finished: Bench, lab: Lab, tmp_path: Path) -> None:
    state = "trunk-20260102T030405Z-1a2b3c4d"
    assert local.build(finished.run, lab)[0].archive == ""
    finished.run.write_info(finished.run.info.model_copy(update={"archive": state}))
    build, given = local.build(finished.run, lab)
    redacted, _ = Publication.with_key(lab, KEY).redacted(build, given, tmp_path)
    assert (build.archive, redacted.archive) == (state, state)
