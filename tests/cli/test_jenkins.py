"""The verbs on a Jenkins as their users meet them: what they print, what they ask, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.main import main
from generator.items import ItemKey
from generator.server import Server
from lab.base.git import git
from tests.generator.conftest import JOBS
from tests.jenkins.double import Double
from tests.jenkins.faults import FOREVER
from tests.processes import HOUSE, wait_for

LAB = {
    "lab": {"name": "testlab", "maintainer": "Test Lab <lab@lab.example>"},
    "series": {"bookworm": {}},
    "tracks": {"trunk": {"series": "bookworm"}},
    "components": {"greet": {"upstream": {"git": "/nowhere"}, "packaging": {"git": "/nowhere"}}},
}


@pytest.fixture
def call(
    jenkins: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """``call("plan")``: qalab in a directory with a lab.yaml and a jobs/; its exit code, and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QALAB_JENKINS_USER", "admin")
    monkeypatch.setenv("QALAB_JENKINS_TOKEN", "secret")
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(LAB | {"jenkins": {"url": jenkins.url}}))
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/jobs.yaml").write_text(JOBS)

    def qalab_main(*argv: str) -> tuple[int, str]:
        try:
            code = main(argv if argv[0] in {"check", "step"} else ("jenkins", *argv))
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return qalab_main


def write(text: str, name: str = "jobs/jobs.yaml") -> None:
    Path(name).write_text(text)


@pytest.mark.parametrize("verb", ["plan", "drift", "generate"])
def test_there_are_differences_is_one_code_of_all_checks(call: Callable[..., tuple[int, str]], verb: str) -> None:
    assert "--check" in (said := " ".join(call(verb, "--help")[1].split()))
    assert "xit with 1 if there are differences." in said


def test_what_is_not_generated_is_a_difference(call: Callable[..., tuple[int, str]]) -> None:
    code, said = call("generate", "--check")
    assert code == 1
    assert said.startswith("qalab: ")
    assert said.endswith(": differs from lab.yaml (run: qalab jenkins generate)\n")
    assert call("generate")[0] == 0
    assert call("generate", "--check")[0] == 0


def test_from_nothing_to_nothing_to_do(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    code, said = call("plan", "--check")
    assert code == 1
    assert "+ job folder/build" in said
    assert f"{jenkins.url}: 6 to create, 0 as described" in said
    code, said = call("apply", "--yes")
    assert (code, said.splitlines()[-1]) == (0, "6 created")
    assert call("plan", "--check")[0] == 0
    code, said = call("apply")  # nothing to do: nobody is asked
    assert (code, said) == (0, f"{jenkins.url}: 6 as described\n")
    jenkins.edit("folder/build", "make two", "make three")
    code, said = call("drift", "--check")
    assert code == 1
    assert said.startswith("! job folder/build: edited by hand\n")
    assert said.count("edited by hand") == 1
    assert "make three" in said
    told = json.loads(call("drift", "--json")[1])
    assert [step["name"] for step in told] == ["folder/build"]
    code, said = call("apply", "--yes")
    assert "! job folder/build (edited by hand)" in said
    assert "1 put back as described" in said
    assert "the previous configuration is kept in" in said
    assert call("drift") == (0, "nothing was edited by hand\n")


def test_nobody_to_ask_is_no_yes(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    code, said = call("apply")
    assert code == 2
    assert "--yes" in said.splitlines()[-1]
    assert jenkins.writes() == []


def test_what_is_overwritten_can_be_had_back(
    call: Callable[..., tuple[int, str]], jenkins: Double, tmp_path: Path
) -> None:
    call("apply", "--yes")
    jenkins.edit("plain", "H 3 * * *", "H 4 * * *")
    edited = jenkins.config("plain")
    call("apply", "--yes")
    kept = tmp_path / "state/qalab/testlab/jenkins"
    assert (kept / "jobs/plain/config.xml").read_text() == edited
    assert git(["rev-list", "--count", "HEAD"], cwd=kept) == "1"
    code, said = call("restore", str(kept), "plain", "--yes")
    assert (code, "1 put back" in said) == (0, True)
    assert "H 4 * * *" in jenkins.config("plain")


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_killed_half_way_the_next_one_finishes(
    call: Callable[..., tuple[int, str]], jenkins: Double, tmp_path: Path, writes: int
) -> None:
    call("apply", "--yes")
    write(
        JOBS.replace("make one", "make 1").replace("'true'", "'false'").replace("'.*'", "'b.*'").replace("H 3", "H 4")
    )
    before = len(jenkins.writes())
    last = jenkins.fault("silence", method="POST", at=writes + 1, times=FOREVER)  # one that is never answered
    argv = [sys.executable, HOUSE / "qalab.py", "jenkins", "apply", "--yes", "--workers", "1"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        asked = wait_for(lambda: last.seen > writes)
        process.kill()
    assert asked
    assert len(jenkins.writes()) == before + writes
    jenkins.heal()
    (tmp_path / "state/qalab/testlab/jenkins/.git/index.lock").touch()  # at whatever git was
    code, said = call("apply", "--yes")
    assert code == 0, said
    assert call("plan", "--check")[0] == 0
    assert len(jenkins.writes()) == before + 4  # each once, and not one more
    kept = git(["log", "--format=", "--name-only"], cwd=tmp_path / "state/qalab/testlab/jenkins").split("\n")
    assert sorted(kept) == ["jobs/folder/jobs/build/config.xml", "jobs/plain/config.xml",
                            "jobs/with a blank/config.xml", "views/lab.xml"]  # fmt: skip


def test_a_saved_plan(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    code, said = call("plan", "-o", "plan.json")
    assert code == 0
    jenkins.create("by-hand", "<project/>")
    assert call("apply", "plan.json", "--yes")[0] == 0  # others may do what they like
    write(JOBS.replace("make one", "make 1"))
    call("plan", "-o", "plan.json")
    jenkins.edit("folder/build", "make one", "make 7")
    before = len(jenkins.writes())
    code, said = call("apply", "plan.json", "--yes")
    assert code == 3
    assert said == "qalab: job folder/build: was changed since the plan was made (make a new plan)\n"
    assert len(jenkins.writes()) == before
    write("{}", "plan.json")
    code, said = call("apply", "plan.json", "--yes")
    assert (code, said.count("\n")) == (2, 1)


def test_prune_has_a_budget_and_touches_nobody_elses(
    call: Callable[..., tuple[int, str]], jenkins: Double, there: Server, tmp_path: Path
) -> None:
    call("apply", "--yes")
    write("- job: {name: theirs}\n- job: {name: theirs-too}\n", "theirs.yaml")
    assert call("apply", "theirs.yaml", "--owner", "other", "--yes")[0] == 0
    there.create(ItemKey("job", "by-hand"), b"<project/>")
    write("- job: {name: plain, triggers: [timed: 'H 3 * * *']}\n")
    before = jenkins.jobs()
    code, said = call("prune", "--yes", "--max-delete", "4")
    assert code == 2
    assert "5 would be deleted, more than 4 (check the path; to delete them anyway: --max-delete 5)" in said
    assert jenkins.jobs() == before
    build = jenkins.config("folder/build")
    code, said = call("prune", "--yes")
    assert code == 2
    assert "5 of 6 would be deleted, more than half (check the path; to delete them anyway: --max-delete 5)" in said
    assert jenkins.jobs() == before
    code, said = call("prune", "--yes", "--max-delete", "5")
    assert (code, "5 deleted" in said) == (0, True)
    assert sorted(jenkins.jobs()) == ["by-hand", "plain", "theirs", "theirs-too"]
    assert (tmp_path / "state/qalab/testlab/jenkins/jobs/folder/jobs/build/config.xml").read_text() == build
    assert call("prune", "theirs.yaml", "--owner", "other", "--yes") == (0, "")


@pytest.mark.parametrize("path", ["empty", "above"])
def test_where_nothing_is_described_nothing_goes(
    call: Callable[..., tuple[int, str]], jenkins: Double, path: str
) -> None:
    call("apply", "--yes")
    Path("empty").mkdir()
    Path("above/below").mkdir(parents=True)
    write("- job: {name: plain}", "above/below/jobs.yaml")
    before = jenkins.jobs()
    refused = f"qalab: no jobs in {path}: nothing is described there (name the directory of the YAML; "
    for verb in (["prune", "--yes"], ["prune", "--yes", "--max-delete", "99"], ["apply", "--yes"], ["plan"], ["drift"],
                 ["check"]):  # fmt: skip
        code, said = call(verb[0], path, *verb[1:])
        assert (code, said.startswith(refused), said.count("\n")) == (2, True, 1), said
    code, said = call("prune", path, "--yes", "--delete-all", "--max-delete", "5")
    assert (code, "6 would be deleted, more than 5" in said) == (2, True), said
    assert jenkins.jobs() == before
    code, said = call("prune", path, "--yes", "--delete-all")
    assert (code, jenkins.jobs(), jenkins.views()) == (0, [], [])


@pytest.mark.parametrize("there, described, options, refused", [
    (2, 1, [], ""),
    (3, 1, [], "2 of 3 would be deleted, more than half"),
    (3, 1, ["--delete-all"], "2 of 3 would be deleted, more than half"),
    (3, 1, ["--max-delete", "2"], ""),
    (3, 1, ["--max-delete", "1"], "2 would be deleted, more than 1"),
    (30, 20, [], ""),
    (30, 19, [], "11 would be deleted, more than 10"),
    (30, 19, ["--max-delete", "11"], ""),
])  # fmt: skip
def test_how_much_a_prune_may_delete(
    call: Callable[..., tuple[int, str]],
    jenkins: Double,
    *,
    there: int,
    described: int,
    options: list[str],
    refused: str,
) -> None:
    write("".join(f"- job: {{name: j{number}}}\n" for number in range(there)))
    call("apply", "--yes")
    write("".join(f"- job: {{name: j{number}}}\n" for number in range(described)))
    code, said = call("prune", "--yes", *options)
    assert (code, refused in said, len(jenkins.jobs())) == ((2, True, there) if refused else (0, True, described)), said


def test_prune_renames(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    call("apply", "--yes")
    jenkins.add_build("plain", result="SUCCESS")
    write(JOBS.replace("name: plain", "name: plainer"))
    code, said = call("prune", "--yes", "--max-delete", "0")
    assert code == 0
    assert "> job plain -> plainer; its builds stay with it" in said
    assert jenkins.build("plainer", 1).result == "SUCCESS"


def test_adopting(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    jenkins.create("plain", "<project><description>by hand</description><disabled>true</disabled></project>")
    jenkins.add_build("plain", result="SUCCESS")
    before = jenkins.config("plain")
    code, said = call("apply", "--yes")
    assert code == 2
    assert "? job plain: exists, and this lab does not manage it; qalab jenkins adopt plain takes it as it is" in said
    assert jenkins.config("plain") == before
    assert call("drift")[1] == "nothing was edited by hand\n"
    assert call("adopt", "plain") == (0, "job plain: now owned by testlab; see what would change: qalab jenkins plan\n")
    after = jenkins.config("plain")
    assert after.replace(after[after.index("&lt;!--") : after.index("--&gt;") + 6], "") == before
    assert call("drift")[1] == "nothing was edited by hand\n"
    code, said = call("plan")
    assert "~ job plain\n" in said
    assert "    - description: by hand\n" in said
    assert "disabled" not in said  # nobody describes it, so it stays
    assert call("adopt", "plain") == (0, "")
    assert call("apply", "--yes")[0] == 0
    assert jenkins.build("plain", 1).result == "SUCCESS"


@pytest.mark.parametrize(
    "names, said",
    [
        (["nothing"], "nothing: no job or view of this name is described"),
        (["with a blank"], "job with a blank: does not exist: qalab jenkins apply creates it"),
        (["plain"], "job plain: is the lab other's (--from other takes it over)"),
    ],
)
def test_what_cannot_be_adopted(
    call: Callable[..., tuple[int, str]], jenkins: Double, names: list[str], said: str
) -> None:
    write("- job: {name: plain}\n", "theirs.yaml")
    call("apply", "theirs.yaml", "--owner", "other", "--yes")
    before = len(jenkins.writes())
    code, printed = call("adopt", *names)
    assert (code, said in printed, printed.count("\n")) == (2, True, 1)
    assert len(jenkins.writes()) == before
    assert call("adopt", "plain", "--from", "other")[0] == 0


def test_backup_and_restore(call: Callable[..., tuple[int, str]], jenkins: Double, tmp_path: Path) -> None:
    call("apply", "--yes")
    code, said = call("backup", "saved")
    assert (code, said.startswith("saved: 6 items, 6 changed, 0 removed; commit ")) == (0, True)
    assert call("backup", "saved")[1].endswith("nothing new\n")
    state = tmp_path / "state/qalab/testlab/jenkins-backup"
    assert call("backup")[1].startswith(f"{state}: 6 items, 6 changed, 0 removed; commit ")
    before = {name: jenkins.config(name) for name in jenkins.jobs()}
    jenkins.wipe()
    assert call("restore", "saved")[0] == 2  # nobody to ask
    code, said = call("restore", "saved", "--yes")
    assert (code, "6 created" in said) == (0, True)
    assert {name: jenkins.config(name) for name in jenkins.jobs()} == before


def test_plain_jjb_without_a_lab(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    Path("lab.yaml").unlink()
    write(f"[jenkins]\nurl={jenkins.url}\nuser=admin\npassword=secret\nquery_plugins_info=True\n", "j.ini")
    code, said = call("plan", "jobs", "--ini", "j.ini", "--owner", "me")
    assert (code, "6 to create" in said) == (0, True)
    code, said = call("plan", "jobs", "--ini", "j.ini")
    assert (code, said) == (2, "qalab: lab.yaml: there is no such file; name it with --lab or QALAB_LAB\n")


@pytest.mark.parametrize(
    "argv, code, said",
    [
        (["plan", "gone"], 2, "gone: there is no such file or directory"),
        (["plan", "--ini", "gone.ini"], 2, "gone.ini: there is no such file"),
        (["plan", "--rename", "x"], 2, "--rename x: is not OLD=NEW"),
        (["plan", "bad.yaml"], 2, "bad.yaml:1:3: Unknown entry point or macro 'nosuch'"),
        (["plan", "torn.yaml"], 2, "torn.yaml:1:"),
        (["restore", "jobs", "--yes"], 2, "is no backup"),
    ],
)
def test_bad_input_is_one_line(call: Callable[..., tuple[int, str]], argv: list[str], code: int, said: str) -> None:
    write("- job: {name: a, builders: [nosuch: 1]}", "bad.yaml")
    write("- job: [", "torn.yaml")
    ended, printed = call(*argv)
    assert (ended, said in printed, printed.count("\n")) == (code, True, 1), printed


def test_who_may_only_read(call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QALAB_JENKINS_USER", "reader")
    assert call("plan")[0] == 0
    code, said = call("apply", "--yes")
    assert code == 2
    assert said.splitlines()[-1] == "6 not done"
    assert "reader may not POST createItem?name=plain" in said
    monkeypatch.setenv("QALAB_JENKINS_TOKEN", "wrong")
    code, said = call("plan")
    assert (code, said.count("\n")) == (2, 1)
    assert "refuses the credentials of reader (QALAB_JENKINS_USER and QALAB_JENKINS_TOKEN)" in said


@pytest.mark.parametrize("text, said", [
    ("- job: {name: a, triggers: [timed: '61 * * * *']}", "61 * * * *"),
    ("- job: {name: a, builders: [shell: 'curl -u bot:s3cret http://x/']}", "in plain text"),
    ("- job: {name: a, publishers: [trigger: {project: gone}]}", "gone"),
])  # fmt: skip
def test_check_looks_at_any_jobs(call: Callable[..., tuple[int, str]], text: str, said: str) -> None:
    write(text, "other.yaml")
    code, printed = call("check", "other.yaml")
    assert (code, said in printed) == (2, True), printed
    write("- job: {name: a}\n- view: {name: v, view-type: list}\n", "other.yaml")
    assert call("check", "other.yaml") == (0, "other.yaml: valid: 1 jobs, 1 views\n")
