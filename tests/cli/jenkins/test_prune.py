"""``qalab jenkins prune``."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.items import ItemKey
from generator.server import Server
from tests.generator.conftest import JOBS
from tests.jenkins.double import Double


def write(text: str, name: str = "jobs/jobs.yaml") -> None:
    Path(name).write_text(text)


@pytest.mark.integration
def test_prune_has_a_limit_and_keeps_foreign_jobs(
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
    assert call("prune", "theirs.yaml", "--owner", "other", "--yes") == (0, f"{jenkins.url}: nothing to delete\n")


@pytest.mark.integration
@pytest.mark.parametrize("path", ["empty", "above"])
def test_prune_refuses_empty_description(call: Callable[..., tuple[int, str]], jenkins: Double, path: str) -> None:
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


@pytest.mark.integration
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
def test_prune_limits_share_of_deleted_jobs(
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


def test_prune_keeps_what_was_perhaps_renamed(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    call("apply", "--yes")
    jenkins.add_build("plain", result="SUCCESS")
    write(JOBS.replace("name: plain", "name: plainer"))
    code, said = call("prune", "--yes")
    assert (code, said) == (
        0, "perhaps renamed: plain -> plainer; to rename it, with its builds: --rename plain=plainer\n"
    )  # fmt: skip
    assert "plain" in jenkins.jobs()
    code, said = call("prune", "--yes", "--max-delete", "0", "--rename", "plain=plainer")
    assert code == 0
    assert "> job plain -> plainer; its builds stay with it" in said
    assert jenkins.build("plainer", 1).result == "SUCCESS"


@pytest.mark.parametrize("verb, answer, there", [
    ("apply", "y\ny\n", ["plainer"]),
    ("apply", "n\ny\n", ["plain", "plainer"]),
    ("prune", "y\ny\n", ["plainer"]),
    ("prune", "n\n", ["plain"]),
])  # fmt: skip
def test_rename_is_asked_for_at_a_terminal(
    call: Callable[..., tuple[int, str]],
    jenkins: Double,
    monkeypatch: pytest.MonkeyPatch,
    *,
    verb: str,
    answer: str,
    there: list[str],
) -> None:
    write("- job: {name: plain}\n- job: {name: other, disabled: true}\n")
    call("apply", "--yes")
    write("- job: {name: plainer}\n- job: {name: other, disabled: true}\n")
    monkeypatch.setattr("cli.options.can_ask", lambda: True)
    monkeypatch.setattr("cli.jenkins.scope_options.can_ask", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    call(verb)
    assert sorted(jenkins.jobs()) == sorted(["other", *there])


@pytest.mark.integration
@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("name, copied", [("plain", "my-plain"), ("folder/build", "folder/try"), ("grün", "grün 2")])
def test_prune_keeps_a_persons_copy(
    call: Callable[..., tuple[int, str]], jenkins: Double, *, name: str, copied: str, changed: bool
) -> None:
    """It has the mark of the job that it was made from, also after that job has changed."""
    call("apply", "--yes")
    jenkins.create(copied, jenkins.config(name))
    if changed:
        write(JOBS.replace("H 3", "H 4").replace("make one", "make 1").replace("echo", "printf"))
        assert call("apply", "--yes")[0] == 0
    code, said = call("plan", "--check")
    assert (code, f"nobody describes it: job {copied}\n" in said) == (0, True), said
    assert call("prune", "--yes") == (0, f"{jenkins.url}: nothing to delete\n")
    assert copied in jenkins.jobs()


@pytest.mark.integration
def test_prune_keeps_a_copy_whose_original_is_gone(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    call("apply", "--yes")
    jenkins.create("my-plain", jenkins.config("plain"))
    write(JOBS.replace("- job: {name: plain", "#"))
    assert "1 deleted" in call("prune", "--yes")[1]
    assert call("prune", "--yes") == (0, f"{jenkins.url}: nothing to delete\n")
    assert "my-plain" in jenkins.jobs()
    assert "plain" not in jenkins.jobs()


OF_PEOPLE = {
    "credentials": "com.cloudbees.hudson.plugins.folder.properties.FolderCredentialsProvider_-FolderCredentialsProperty",
    "permissions": "com.cloudbees.hudson.plugins.folder.properties.AuthorizationMatrixProperty",
    "libraries": "org.jenkinsci.plugins.workflow.libs.FolderLibraries",
}


@pytest.mark.integration
@pytest.mark.parametrize("what", [*OF_PEOPLE, ""])
def test_prune_keeps_a_folder_with_settings_of_people(
    call: Callable[..., tuple[int, str]], jenkins: Double, what: str
) -> None:
    others = "".join(f"- job: {{name: j{number}}}\n" for number in range(3))
    write(f"- job: {{name: f, project-type: folder}}\n{others}")
    call("apply", "--yes")
    if what:
        tag = OF_PEOPLE[what]
        jenkins.edit("f", "<properties/>", f"<properties><{tag}><x>1</x></{tag}></properties>")
    write(others)
    code, said = call("prune", "--yes")
    assert (code, "f" in jenkins.jobs()) == ((2, True) if what else (0, False)), said
    assert ("job f: not done: has settings that no configuration made: " in said) == bool(what)
