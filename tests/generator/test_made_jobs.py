"""The XML of unchanged jobs is not made again, and a change of anything that it follows from makes it anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator import expansion, jjb
from generator.items import Item

LAB = """\
- defaults: {name: global, shell: dash}
- builder: {name: hello, builders: [shell: 'echo hello from {shell}']}
- builder: {name: script, builders: [shell: !include-raw-escape: '{file}']}
- job-template: {name: 'job-{n}', description: 'The job {n}', builders: [hello]}
- job: {name: late, builders: [script: {file: late.sh}]}
- view: {name: all-of-it, view-type: list, regex: '.*'}
- project: {name: p, jobs: ['job-{n}'], n: !include: n.yaml.inc}
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "jobs"
    path.mkdir()
    (path / "lab.yaml").write_text(LAB)
    (path / "n.yaml.inc").write_text("[1, 2, 3]")
    (path / "late.sh").write_text("echo one")
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the jobs whose XML was really made."""
    names: list[str] = []
    real = jjb.CachingJobGenerator._getXMLForData
    monkeypatch.setattr(
        jjb.CachingJobGenerator,
        "_getXMLForData",
        lambda self, data: (names.append(data["name"]), real(self, data))[1],
    )
    return names


def expand(jobs: Path) -> list[Item]:
    return expansion.expand(jobs, jjb.Settings(None), None)


def edit(old: str, new: str, name: str = "lab.yaml") -> Callable[[Path], None]:
    def change(jobs: Path) -> None:
        path = jobs / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


ALL = ["job-1", "job-2", "job-3"]


@pytest.mark.parametrize("change, again", [
    pytest.param(edit("3]", "3, 4]", "n.yaml.inc"), ["job-4"], id="a new job"),
    pytest.param(edit("3]", "5]", "n.yaml.inc"), ["job-5"], id="a renamed job"),
    pytest.param(edit(", 3]", "]", "n.yaml.inc"), [], id="a job less"),
    pytest.param(edit("regex: '.*'", "regex: 'job.*'"), [], id="a view"),
    pytest.param(edit("hello from", "bye from"), ALL, id="a macro"),
    pytest.param(edit("shell: dash", "shell: bash"), ALL, id="a default that a macro uses"),
    pytest.param(edit("The job", "Number"), ALL, id="a template"),
    pytest.param(edit("one", "two", "late.sh"), [], id="a file that a macro includes"),
])  # fmt: skip
def test_only_changed_jobs_are_made_again(
    jobs: Path, made: list[str], change: Callable[[Path], None], again: list[str]
) -> None:
    edit("- builder: {name: script, builders: [shell: !include-raw-escape: '{file}']}\n", "")(jobs)
    edit("- job: {name: late, builders: [script: {file: late.sh}]}\n", "")(jobs)
    expand(jobs)
    assert made == ALL
    change(jobs)
    made.clear()
    found = expand(jobs)
    assert made == again
    assert found == jjb.expand(jobs, jjb.configuration(None))


def test_a_file_that_is_included_late_is_read_again(jobs: Path, made: list[str]) -> None:
    expand(jobs)
    edit("one", "two", "late.sh")(jobs)
    found = expand(jobs)
    assert made.count("late") == 2
    assert "echo two" in next(item.xml for item in found if item.key.name == "late")
    assert found == jjb.expand(jobs, jjb.configuration(None))
