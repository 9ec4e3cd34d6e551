"""A private Jenkins as a source: new builds, and the content of a build in all circumstances."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from generator import mark
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.base.schema import NewerSchemaError
from lab.config.access import Access
from lab.config.description import Lab
from lab.config.jenkins import Connection
from lab.config.jenkins_failures import BadAnswer
from lab.results.ownership_mark import Mark
from reports.journal_entries import SourceBuild
from reports.model import Build
from reports.sources.jenkins import JenkinsSource
from reports.sources.jenkins_files import DOUBTS
from reports.sources.source import Gone, Trouble
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER
from tests.reports.publishing import EPOCH, OWNED, a_jenkins_build, a_lab

JOB = "trunk-greet-build"
REPORT = """<testsuite name="s"><testcase classname="c" name="good" time="1.5"/>
<testcase classname="c" name="bad"><failure message="no">trace</failure></testcase>
<testcase classname="c" name="left"><skipped message="not today"/></testcase></testsuite>"""
GOOD_REPORT = '<testsuite name="s"><testcase classname="c" name="good"/></testsuite>'
UNPROVED = "Jenkins calls it a success, but it has no readable records"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.config.jenkins.PAUSES_SECONDS", (0.0, 0.0))


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as one:
        yield one


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return a_lab(tmp_path, ("greet", "other"), jenkins={"url": "http://127.0.0.1:1/"})


@pytest.fixture
def source(double: Double, lab: Lab) -> JenkinsSource:
    return JenkinsSource(lab, Connection(Access(double.url, *double.credentials, timeout=60.0)))


def look(source: JenkinsSource, mark: tuple[int, int] | None = None) -> tuple[list[int], SourceBuild | None]:
    """Return the numbers of the new builds of the job, and the new mark."""
    found = list(source.look({JOB: mark} if mark else {}))
    return ([one.number for one in found[0][0]], found[0][1]) if found else ([], None)


def fetch(source: JenkinsSource, spool: Path, number: int = 1) -> tuple[Build, dict[str, bytes]]:
    ((found, _),) = source.look({})
    build, files = source.fetch(found[number - 1], spool)
    return build, {name: path.read_bytes() for name, path in files.items()}


def bare(double: Double, **fields: Any) -> None:
    """Make a build without records."""
    if JOB not in double.jobs():
        description = OWNED.replace("<", "&lt;").replace(">", "&gt;")
        double.create(JOB, f"<project><description>{description}</description></project>")
    double.add_build(JOB, **({"timestamp": round(EPOCH.timestamp() * 1000), "duration": 1000} | fields))


def test_look_returns_new_builds_only(double: Double, lab: Lab, source: JenkinsSource) -> None:
    assert look(source) == ([], None)
    for number in (1, 2, 3):
        a_jenkins_build(double, lab, "greet", number)
    numbers, mark = look(source)
    assert numbers == [1, 2, 3]
    assert mark is not None
    assert mark.number == 3
    assert look(source, (mark.number, mark.started)) == ([], None)
    before = len(double.requests)
    look(source, (mark.number, mark.started))
    assert len(double.requests) == before + 1
    a_jenkins_build(double, lab, "greet", 4)
    assert look(source, (mark.number, mark.started))[0] == [4]


@pytest.mark.parametrize("item, copied", [("trunk-other-build", True), (f"moved/{JOB}", False), (JOB, False)])
def test_copy_by_a_person_is_not_looked_at(double: Double, source: JenkinsSource, *, item: str, copied: bool) -> None:
    xml = mark.write("<project/>", Mark("testlab", "0123abcd" * 8, item))
    double.create(JOB, xml)
    bare(double)
    [found] = source.look({})
    assert isinstance(found, Trouble) == copied
    if isinstance(found, Trouble):
        assert f"{JOB}: has builds, and is a copy of {item}" in str(found.error)


def test_build_of_a_copied_job_is_not_published(
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path
) -> None:
    """Its records are of another component: it was made before `apply` restored the job."""
    other = a_jenkins_build(double, lab, "other", 1)
    bare(double, artifacts=other.artifacts)
    double.delete("trunk-other-build")
    with pytest.raises(Gone, match="its records are of trunk other build"):
        fetch(source, tmp_path)


def test_mark_stays_before_running_build(double: Double, lab: Lab, source: JenkinsSource) -> None:
    a_jenkins_build(double, lab, "greet", 1)
    running = a_jenkins_build(double, lab, "greet", 2, fields={"result": None})
    a_jenkins_build(double, lab, "greet", 3)
    numbers, mark = look(source)
    assert (numbers, mark and mark.number) == ([1, 3], 1)
    running.result = "SUCCESS"
    assert mark is not None
    numbers, mark = look(source, (mark.number, mark.started))
    assert (numbers, mark and mark.number) == ([2, 3], 3)


def test_recreated_job_has_new_builds(double: Double, lab: Lab, source: JenkinsSource) -> None:
    for number in (1, 2, 3):
        a_jenkins_build(double, lab, "greet", number)
    _, mark = look(source)
    assert mark is not None
    double.wipe()
    a_jenkins_build(double, lab, "greet", 1, day=50)
    numbers, new = look(source, (mark.number, mark.started))
    assert numbers == [1]
    assert new is not None
    assert look(source, (new.number, new.started)) == ([], None)


def test_deleted_newest_build(double: Double, lab: Lab, source: JenkinsSource) -> None:
    for number in (1, 2):
        a_jenkins_build(double, lab, "greet", number)
    _, mark = look(source)
    assert mark is not None
    del double._state.item(JOB).builds[2]
    assert look(source, (mark.number, mark.started)) == ([], None)


def test_long_history_is_read_in_pages(double: Double, source: JenkinsSource) -> None:
    for number in range(1, 251):
        bare(double, timestamp=number * 1000)
    numbers, mark = look(source)
    assert numbers == list(range(1, 251))
    assert mark is not None
    assert mark.number == 250


def test_jobs_of_others_are_not_read(double: Double, source: JenkinsSource) -> None:
    """One that lab.yaml describes is named: nobody else can have meant it."""
    double.create("theirs", "<project><description>not managed</description></project>")
    double.create(JOB, "<project><description>made by hand</description></project>")
    other = OWNED.replace("testlab", "otherlab").replace("<", "&lt;").replace(">", "&gt;")
    double.create("trunk-other-build", f"<project><description>{other}</description></project>")
    for name in double.jobs():
        double.add_build(name)
    found = list(source.look({}))
    assert [one.where for one in found if isinstance(one, Trouble)] == [JOB, "trunk-other-build"]
    assert len(found) == 2


@pytest.mark.parametrize(
    "description, owned",
    [
        (f"what it does {OWNED}\n", True),
        (f"{OWNED} changed by hand", False),
        (OWNED.replace("0123abcd" * 8, "0123abcd"), False),
        (OWNED.replace("0123abcd", "0123ABCD"), False),
        (f"{OWNED}{OWNED.replace('testlab', 'otherlab')}", False),
        (f"{OWNED}<!-- Managed by Jenkins Job Builder -->", False),
    ],
)
def test_ownership_mark_decides_about_job(
    double: Double,
    source: JenkinsSource,
    description: str,
    owned: bool,  # noqa: FBT001
) -> None:
    """The source uses the same mark as `qalab jenkins plan`."""
    escaped = description.replace("<", "&lt;").replace(">", "&gt;")
    double.create(JOB, f"<project><description>{escaped}</description></project>")
    double.add_build(JOB)
    found = mark.read(description)
    assert (found is not None and found.lab == "testlab") is owned
    (seen,) = source.look({})
    assert isinstance(seen, Trouble) is not owned


@pytest.mark.integration
def test_five_hundred_jobs_without_new_builds(double: Double, tmp_path: Path) -> None:
    names = tuple(f"c{number:03}" for number in range(500))
    lab = a_lab(tmp_path, names, jenkins={"url": double.url})
    description = OWNED.replace("<", "&lt;").replace(">", "&gt;")
    for name in names:
        double.create(f"trunk-{name}-build", f"<project><description>{description}</description></project>")
        double.add_build(f"trunk-{name}-build", timestamp=1000)
    source = JenkinsSource(lab, Connection(Access(double.url, *double.credentials)))
    marks = {f"trunk-{name}-build": (1, 1000) for name in names}
    assert list(source.look(marks)) == []
    assert len(double.requests) <= 500 // 100 + 1


def test_a_build_with_records(double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path) -> None:
    a_jenkins_build(double, lab, "greet", 1, "failed", text="it broke", fields={"parameters": {"WHY": "a test"}})
    build, files = fetch(source, tmp_path / "spool")
    assert (build.id, build.verdict, build.step) == (
        f"jenkins/{JOB}/1@{double.build(JOB, 1).timestamp}",
        "failed",
        "sbuild",
    )
    assert (build.component, build.track, build.phase, build.version) == ("greet", "trunk", "build", "1.1-1")
    assert build.seconds == 90
    assert [commit.subject for commit in build.commits] == ["Change greet 1"]
    assert build.parameters["WHY"] == "a test"
    assert files["logs/console.log"].replace(b"\r", b"") == b"Started\nit broke\nFinished\n"
    assert b"it broke" in files["logs/sbuild.log"]
    assert len(build.cases) == 5


def test_fetched_files_are_not_fetched_again(double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path) -> None:
    a_jenkins_build(double, lab, "greet", 1)
    first = fetch(source, tmp_path / "spool")
    before = len(double.requests)
    assert fetch(source, tmp_path / "spool") == first
    assert len(double.requests) == before + 3  # new builds, and a check that this is the same build


def test_log_continues_after_lost_connection(double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path) -> None:
    log = "".join(f"line {number}\n" for number in range(1000))
    a_jenkins_build(double, lab, "greet", 1, fields={"log": log})
    double.fault("lost", path="progressiveText", times=3)
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        fetch(source, tmp_path / "spool")
    _, files = fetch(source, tmp_path / "spool")
    assert files["logs/console.log"].replace(b"\r", b"").decode() == log
    before = len([one for one in double.requests if "progressiveText" in one.path])
    assert before == 4


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"result": "ABORTED"}, ("aborted", "it has no results")),
        ({"result": "FAILURE"}, ("error", "it has no results")),
        ({"result": "FAILURE", "log": "FATAL: agent went offline during the build\n"}, ("error", "its agent was lost")),
        ({"result": "NOT_BUILT"}, ("skipped", "it has no results")),
        ({"result": "UNSTABLE", "test_report": REPORT}, ("unstable", "")),
        ({"result": "FAILURE", "test_report": REPORT}, ("failed", "")),
        ({"result": "FAILURE", "test_report": REPORT, "log": "ChannelClosed\n"}, ("error", "its agent was lost")),
        ({"result": "ABORTED", "test_report": REPORT}, ("aborted", "it has no results")),
        ({"result": "UNSTABLE"}, ("error", "it has no results")),
        ({"result": "SUCCESS"}, ("error", UNPROVED)),
        ({"result": "SUCCESS", "test_report": GOOD_REPORT}, ("error", UNPROVED)),
        ({"result": "SUCCESS", "test_report": REPORT}, ("unstable", UNPROVED)),
        ({"result": "SUCCESS", "log": "Cannot contact a1: ChannelClosed\n"}, ("error", UNPROVED)),
    ],
)
def test_a_build_without_records(
    double: Double, source: JenkinsSource, tmp_path: Path, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    bare(double, **fields)
    build, files = fetch(source, tmp_path / "spool")
    assert (build.verdict, build.message) == expected
    assert (build.component, list(files)) == ("greet", ["logs/console.log"])


NEWER = b'{"schema": 99}'


@pytest.mark.parametrize(
    "name, content, verdict, message",
    [
        ("run.json", None, "error", UNPROVED),
        ("run.json", b"", "error", UNPROVED),
        ("run.json", b"{", "error", UNPROVED),
        ("run.json", b"[]", "error", UNPROVED),
        ("results/01-snapshot.json", None, "aborted", ""),
        ("results/01-snapshot.json", b"", "error", "snapshot.json: Invalid JSON"),
        ("results/01-snapshot.json", b"{}", "error", "snapshot.json: step: Field required"),
    ],
)
def test_success_with_a_lost_or_damaged_record_is_no_pass(  # noqa: PLR0917 - a table and its fixtures
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path,
    name: str, content: bytes | None, verdict: str, message: str,
) -> None:  # fmt: skip
    made = a_jenkins_build(double, lab, "greet", 1)
    assert name in made.artifacts
    kept = {path: there for path, there in made.artifacts.items() if path != name}
    made.artifacts = kept if content is None else {**kept, name: content}
    for _ in range(DOUBTS - 1 if content is not None else 0):
        with pytest.raises(InfrastructureError, match=f"artifact {name} of .*: is no record"):
            fetch(source, tmp_path / "spool")
    build, _ = fetch(source, tmp_path / "spool")
    assert build.verdict == verdict
    assert message in build.message


@pytest.mark.parametrize(
    "at, times, passes",
    [
        ("artifact/run.json", 1, 1),
        ("artifact/results/01-snapshot.json", 1, 1),
        ("artifact/results/01-snapshot.json", 2, 2),
        ("artifact/run.json", 2 * DOUBTS - 2, DOUBTS),
        ("artifact/results/native/sbuild/x.subunit", 1, 1),
        ("artifact/results/sbuild.log", 1, 1),
        ("logText", 1, 1),
    ],
)
def test_empty_answer_makes_no_good_build_an_error(  # noqa: PLR0917 - a table and its fixtures
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path, at: str, times: int, passes: int
) -> None:
    made = a_jenkins_build(double, lab, "greet", 1)
    made.artifacts = {**made.artifacts, "results/native/sbuild/x.subunit": b"a result"}
    double.fault("empty", path=at, times=times)
    spool = tmp_path / "spool"
    for _ in range(passes - 1):
        with pytest.raises(InfrastructureError, match="is no record"):
            fetch(source, spool)
    build, files = fetch(source, spool)
    assert build.verdict == "passed"
    assert all(files.values())
    assert (spool / "run/results/native/sbuild/x.subunit").read_bytes() == b"a result"


@pytest.mark.parametrize("name", ["run.json", "results/01-snapshot.json"])
def test_build_of_a_newer_qalab_waits_for_the_upgrade(
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path, name: str
) -> None:
    made = a_jenkins_build(double, lab, "greet", 1)
    made.artifacts = {**made.artifacts, name: NEWER}
    with pytest.raises(NewerSchemaError, match="upgrade qalab"):
        fetch(source, tmp_path / "spool")


@pytest.mark.parametrize("at", ["artifact/run.json", "artifact/results/sbuild.log", "logText"])
def test_login_page_is_no_part_of_a_build(
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path, at: str
) -> None:
    a_jenkins_build(double, lab, "greet", 1)
    double.fault("page", path=at)
    with pytest.raises(BadAnswer, match="with a page"):
        fetch(source, tmp_path / "spool")
    assert fetch(source, tmp_path / "spool")[0].verdict == "passed"


def test_tests_of_build_without_records(double: Double, source: JenkinsSource, tmp_path: Path) -> None:
    bare(double, result="FAILURE", test_report=REPORT)
    build, _ = fetch(source, tmp_path / "spool")
    actual = [(case.id, case.outcome, case.message, case.evidence, case.seconds) for case in build.cases]
    assert actual == [
        ("s/c/good", "passed", "", "", 1.5),
        ("s/c/bad", "failed", "no", "trace", 0.0),
        ("s/c/left", "skipped", "not today", "", 0.0),
    ]


@pytest.mark.parametrize(
    "recorded, result, verdict",
    [
        ("passed", "FAILURE", "error"),
        ("unstable", "FAILURE", "error"),
        ("failed", "FAILURE", "failed"),
        ("passed", "UNSTABLE", "unstable"),
        ("failed", "UNSTABLE", "failed"),
        ("error", "SUCCESS", "error"),
        ("failed", "SUCCESS", "failed"),
        ("passed", "NOT_BUILT", "skipped"),
        ("failed", "NOT_BUILT", "failed"),
        ("error", "NOT_BUILT", "error"),
    ],
)
def test_verdict_of_build_with_records_is_the_worse_one(  # noqa: PLR0917 - a table and its fixtures
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path, recorded: str, result: str, verdict: str
) -> None:
    a_jenkins_build(double, lab, "greet", 1, recorded, fields={"result": result})
    build, _ = fetch(source, tmp_path / "spool")
    assert build.verdict == verdict


def test_artifacts_with_unsafe_names_are_not_fetched(
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path
) -> None:
    build = a_jenkins_build(double, lab, "greet", 1)
    odd = {"results/../../evil": b"x", "/etc/passwd": b"x", "out/big.deb": b"x", "results/grün 1.txt": b"kept"}
    build.artifacts = {**build.artifacts, **odd}
    fetch(source, tmp_path / "spool" / "one")
    assert (tmp_path / "spool/one/run/results/grün 1.txt").read_bytes() == b"kept"
    assert not [path for path in (tmp_path / "spool").rglob("*") if path.name in {"evil", "passwd", "big.deb"}]


PARTS = {
    "the data": "tree=timestamp",
    "a record": "artifact/run.json",
    "a result": "artifact/results/sbuild.log",
    "the log": "progressiveText",
    "the test report": "testReport",
}


@pytest.mark.parametrize("gone", ["build", "job"])
@pytest.mark.parametrize("at", PARTS.values(), ids=PARTS)
def test_build_deleted_during_fetch_is_gone(  # noqa: PLR0917 - a table and its fixtures
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path, at: str, gone: str
) -> None:
    def delete() -> None:
        if gone == "build":
            del double._state.item(JOB).builds[1]
        else:
            double.delete(JOB)

    if at == "testReport":
        bare(double, result="FAILURE", test_report=REPORT)
    else:
        a_jenkins_build(double, lab, "greet", 1)
    ((found, _),) = source.look({})
    double.fault("meanwhile", path=at, action=delete)
    with pytest.raises(Gone, match="it was deleted"):
        source.fetch(found[0], tmp_path / "spool")


@pytest.mark.parametrize("at", PARTS.values(), ids=PARTS)
def test_missing_part_of_an_existing_build_is_fetched_later(
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path, at: str
) -> None:
    """A proxy, or a Jenkins that loads, answers 404; without a record, a failed build can look like a good one."""
    if at == "testReport":
        bare(double, result="UNSTABLE", test_report=REPORT)
    else:
        a_jenkins_build(double, lab, "greet", 1, "failed", fields={"result": "SUCCESS"})
    double.fault(404, path=at)
    with pytest.raises(InfrastructureError, match=r"lists the .*, but answers 404 for its") as raised:
        fetch(source, tmp_path / "spool")
    assert not isinstance(raised.value, Gone)
    build, _ = fetch(source, tmp_path / "spool")
    assert build.verdict == ("unstable" if at == "testReport" else "failed")
    assert build.cases


def test_build_in_a_job_without_an_answer_is_fetched_later(
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path
) -> None:
    a_jenkins_build(double, lab, "greet", 1)
    ((found, _),) = source.look({})
    double.fault(404, path=f"job/{JOB}/", times=3)
    for _ in range(2):
        with pytest.raises(InfrastructureError, match="nothing there") as raised:
            source.fetch(found[0], tmp_path / "spool")
        assert not isinstance(raised.value, Gone)
        double.heal()
        double.fault(404, path=f"job/{JOB}/", times=3)
    double.heal()
    assert source.fetch(found[0], tmp_path / "spool")[0].verdict == "passed"


def test_build_of_recreated_job_is_gone(double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path) -> None:
    a_jenkins_build(double, lab, "greet", 1)
    ((found, _),) = source.look({})
    double.wipe()
    a_jenkins_build(double, lab, "greet", 1, day=50)
    with pytest.raises(Gone, match="recreated"):
        source.fetch(found[0], tmp_path / "spool")


@pytest.mark.parametrize(
    "password, kind, message",
    [("wrong", ConfigurationError, "refuses the credentials of admin"), ("secret", InfrastructureError, "answers 500")],
)
def test_unusable_jenkins_raises(double: Double, lab: Lab, password: str, kind: type[LabError], message: str) -> None:
    if password == "secret":
        double.fault(500, times=10)
    with pytest.raises(kind, match=message) as raised:
        list(JenkinsSource(lab, Connection(Access(double.url, "admin", password))).look({}))
    assert "\n" not in str(raised.value)


def test_commits_from_change_sets(
    double: Double, source: JenkinsSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare(double, result="FAILURE")
    item = {"commitId": "c0ffee", "msg": "Mend it", "authorEmail": "ada@up.example", "author": {"fullName": "Ada"}}
    asked = Connection.json

    def with_changes(self: Connection, where: str) -> dict[str, Any]:
        found = asked(self, where)
        return found | {"changeSet": None, "changeSets": [{"items": [item]}]} if "changeSets" in where else found

    monkeypatch.setattr(Connection, "json", with_changes)
    build, _ = fetch(source, tmp_path / "spool")
    assert [(one.id, one.subject, one.author) for one in build.commits] == [
        ("c0ffee", "Mend it", "Ada <ada@up.example>")
    ]


def test_artifact_deleted_during_fetch_is_left_out(
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path
) -> None:
    """Jenkins deletes the artifacts of old builds, and the builds stay."""
    made = a_jenkins_build(double, lab, "greet", 1)
    double.fault(
        "meanwhile", path="artifact/results/sbuild.log", action=lambda: made.artifacts.pop("results/sbuild.log")
    )
    build, files = fetch(source, tmp_path / "spool")
    assert build.verdict == "passed"
    assert "logs/sbuild.log" not in files
    assert "logs/source.log" in files


@pytest.mark.parametrize("status", [400, 406, 410, 451])
def test_refused_artifact_is_not_taken_for_a_large_one(
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path, status: int
) -> None:
    a_jenkins_build(double, lab, "greet", 1, "failed", fields={"result": "SUCCESS"})
    double.fault(status, path="artifact/run.json", times=FOREVER)
    with pytest.raises(LabError, match=f"refuses .*{status}"):
        fetch(source, tmp_path / "spool")


def test_records_are_fetched_before_other_files(
    double: Double, lab: Lab, source: JenkinsSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit of files, no record is left out: the verdict is in them."""
    made = a_jenkins_build(double, lab, "greet", 1, "failed", fields={"result": "SUCCESS"})
    many = {f"results/native/{number:04}.xml": b"" for number in range(50)}
    made.artifacts = many | made.artifacts
    monkeypatch.setattr("reports.sources.jenkins_files.MOST_FILES", 30)
    build, _ = fetch(source, tmp_path / "spool")
    assert (build.verdict, build.step) == ("failed", "sbuild")


LAST = ("archive", "upload", "push")


@pytest.mark.parametrize(
    "result, steps, gone",
    [
        ("SUCCESS", "agent", True),
        ("UNSTABLE", "agent", True),
        ("FAILURE", "agent", False),
        ("ABORTED", "agent", False),
        ("SUCCESS", "all", False),  # of the time before there was a machine for the archive
    ],
)
def test_build_that_was_handed_over_is_published_by_the_archive_job(
    double: Double, tmp_path: Path, result: str, steps: str, *, gone: bool
) -> None:
    jenkins = {"url": "http://127.0.0.1:1/", "archive_agent": "vault", "lab_agent": "vault"}
    lab = a_lab(tmp_path, jenkins=jenkins, archive={"url": "https://archive.lab.example/"})
    source = JenkinsSource(lab, Connection(Access(double.url, *double.credentials, timeout=60.0)))
    made = a_jenkins_build(double, lab, "greet", 1, fields={"result": result})
    whole = dict(made.artifacts)
    if steps == "agent":
        for name in [name for name in made.artifacts if any(f"-{step}.json" in name for step in LAST)]:
            del made.artifacts[name]
    if gone:
        with pytest.raises(Gone, match="its run continues in the job trunk-greet-archive"):
            fetch(source, tmp_path / "spool")
    else:
        assert fetch(source, tmp_path / "spool")[0].job == JOB
    description = OWNED.replace("<", "&lt;").replace(">", "&gt;")
    double.create("trunk-greet-archive", f"<project><description>{description}</description></project>")
    fields: dict[str, Any] = {"timestamp": made.timestamp, "duration": 1000, "log": "", "result": "SUCCESS"}
    double.add_build("trunk-greet-archive", artifacts=whole, **fields)
    done = [found for seen in source.look({}) if not isinstance(seen, Trouble) for found in seen[0]]
    build, _ = source.fetch(next(each for each in done if each.job != JOB), tmp_path / "other")
    assert (build.phase, build.component, build.verdict, build.version) == ("build", "greet", "passed", "1.1-1")
