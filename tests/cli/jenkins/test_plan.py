"""``qalab jenkins plan`` and ``drift``, and the errors of all commands on a Jenkins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.jenkins.double import Double


def write(text: str, name: str = "jobs/jobs.yaml") -> None:
    Path(name).write_text(text)


@pytest.mark.parametrize("verb", ["plan", "drift", "generate"])
def test_check_option_exits_with_1_for_differences(call: Callable[..., tuple[int, str]], verb: str) -> None:
    assert "--check" in (said := " ".join(call(verb, "--help")[1].split()))
    assert "xit with 1 if there are differences." in said


@pytest.mark.integration
def test_missing_plugin_is_no_difference(call: Callable[..., tuple[int, str]]) -> None:
    """It is named, and a plan without a step is still empty."""
    Path("jobs/jobs.yaml").write_text("- job: {name: a, properties: [promoted-build: {names: [x]}]}")
    call("apply", "--yes")
    code, said = call("plan", "--check")
    assert (code, "promoted-builds" in said) == (0, True)


def test_plan_of_plain_jjb_without_lab(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
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
def test_plan_error_is_one_line(call: Callable[..., tuple[int, str]], argv: list[str], code: int, said: str) -> None:
    write("- job: {name: a, builders: [nosuch: 1]}", "bad.yaml")
    write("- job: [", "torn.yaml")
    ended, printed = call(*argv)
    assert (ended, said in printed, printed.count("\n")) == (code, True, 1), printed


@pytest.mark.parametrize("argv", [("plan", "-o", "."), ("plan", "-o", "jobs")])
def test_directory_is_no_file_for_a_plan(call: Callable[..., tuple[int, str]], argv: tuple[str, ...]) -> None:
    code, said = call(*argv)
    assert code == 2
    assert f"File '{argv[-1]}' is a directory" in said


def test_plan_needs_read_permission_only(call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("old, new", [("a=b", "c"), ("a", "b=c"), ("a=b", "b=c"), ("a=*=x", "c=*=x"), ("a=b=c", "a=b")])
def test_rename_of_a_name_with_an_equals_sign(
    call: Callable[..., tuple[int, str]], tmp_path: Path, old: str, new: str
) -> None:
    jobs = tmp_path / "jobs/jobs.yaml"
    for name in (old, new):
        jobs.write_text(f"- job: {{name: {name.replace('*', 'star')}}}\n")
        if name == old:
            assert call("apply", "--yes")[0] == 0
    code, said = call("apply", "--yes", "--rename", f"{old}={new}")
    assert (code, "1 renamed" in said) == (0, True), said


def test_refused_name_is_in_the_plan(call: Callable[..., tuple[int, str]], jenkins: Double) -> None:
    """The other jobs are created; of the refused one, the plan says what is wrong with its name."""
    Path("jobs/jobs.yaml").write_text("- job: {name: 'a & b'}\n- job: {name: good}\n")
    why = "Jenkins refuses the name 'a & b': it has '&'"
    assert f"+ job a & b; {why}\n" in call("plan")[1]
    code, said = call("apply", "--yes")
    assert (code, jenkins.jobs(), said.count(why)) == (2, ["good"], 2)
