"""The commands of docs/how-to/jenkins.md, followed literally and in order, to a published exercise.

The Jenkins is the double.  The command lines of the jobs that it has run on an agent, which is a directory; the steps
that need a chroot or a target do nothing here.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.canonical import parse
from lab.base.git import git
from lab.store.step import StepContext, StepOutcome
from scripts import configure, deploy, exercise, reset, tempest
from tests.conftest import GitRepository, packaging_files
from tests.controller import Agent, Controller, Finished
from tests.jenkins.double import Double
from tests.scripts.handover.test_agents import quick_steps

PAGE = Path(__file__).parents[3] / "docs/how-to/jenkins.md"
SETTINGS = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
PHASES = re.compile(r"set the URLs of the component and `(phases: .*?)`")
COMMANDS = re.compile(r"^ *\$ (.*)$", re.MULTILINE)
INSIDE = "my-lab/"


def section() -> str:
    """Return the section of the page."""
    return PAGE.read_text().partition("## Set up Jenkins")[2].partition("\n## ")[0]


def indented(text: str) -> str:
    return "\n".join(line.removeprefix("   ") for line in text.splitlines()) + "\n"


@dataclass
class Reader:
    """Somebody who follows the page; ``urls``: what they write in place of the page's URLs."""

    call: Callable[..., tuple[int, str]]
    jenkins: Double
    agent: Agent
    urls: Mapping[str, str]
    said: dict[str, str] = field(default_factory=dict)

    def describe(self, told: str) -> None:
        """Edit lab.yaml as the page says."""
        (settings,), (phases,), lab = SETTINGS.findall(told), PHASES.findall(told), Path("lab.yaml")
        text = lab.read_text().partition("# The Jenkins that runs")[0] + indented(settings)
        text, count = re.subn(r"phases: \[build, test\]", phases, text)
        assert count == 1
        for old, new in self.urls.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        lab.write_text(text)

    def follow(self, line: str) -> None:
        argv, _, into = line.partition(" > ")
        match shlex.split(argv):
            case ["git", *rest]:
                git(["-c", "user.name=Lab", "-c", "user.email=lab@lab.example", *rest], cwd=Path.cwd())
            case ["qalab", *rest]:
                code, said = self.call(*(rest[1:] if rest[0] == "jenkins" else rest))
                assert code == 0, (line, said)
                self.said[line] = said
                if into:
                    Path(into).write_text(said)
            case _:
                pytest.fail(f"nothing runs {line}")

    def administrate(self) -> None:
        """Load casc.yaml into Jenkins, as far as it has what that describes."""
        described = yaml.safe_load(Path("casc.yaml").read_text())["unclassified"]["throttleJobProperty"]["categories"]
        self.jenkins._state.throttle_categories = [one["categoryName"] for one in described]

    def run_builds(self, artifacts: Path) -> list[Finished]:
        """Run what waits in the queue on the agent, and what that starts."""
        jobs = {name.removeprefix(INSIDE): parse(self.jenkins.config(name)) for name in self.jenkins.jobs()}
        controller = Controller(jobs, artifacts, self.jenkins.url.rstrip("/"))
        waiting = [one for one in self.jenkins._state.queue.values() if one.waiting]
        for one in waiting:
            one.cancelled = True  # it leaves the queue, and is a build below
        todo: list[tuple[str, Mapping[str, Any]]] = [
            (one.job.name, {each.name: each.value for each in one.parameters}) for one in waiting
        ]
        while todo:
            job, parameters = todo.pop(0)
            done = controller.build(job, self.agent, parameters)
            assert done.result == "SUCCESS", controller.output[-1]
            files = {str(path.relative_to(done.artifacts)): path.read_bytes()
                     for path in done.artifacts.rglob("*") if path.is_file()}  # fmt: skip
            self.jenkins.add_build(INSIDE + job, parameters=dict(parameters), result=done.result, artifacts=files)
            todo += done.triggered
        return controller.builds


@pytest.fixture
def without_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the steps that need a chroot or a target pass in no time."""

    def deployed(context: StepContext) -> StepOutcome:
        context.run.hand_over(context.run.info.version, context.run.info.archive)
        return StepOutcome()

    quick_steps(monkeypatch)
    monkeypatch.setattr(deploy, "action", deployed)
    for step in (configure, exercise, tempest, reset):
        monkeypatch.setattr(step, "action", lambda _context: StepOutcome())


@pytest.mark.integration
@pytest.mark.usefixtures("without_targets")
def test_jenkins_is_set_up_as_the_page_says(
    call: Callable[..., tuple[int, str]],
    jenkins: Double,
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    upstream, packaging = git_repository("hello"), git_repository("hello-packaging")
    upstream.commit("Start", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    commit = upstream.commit("Change it", {"greet.txt": "hello, world\n"})
    upstream.git("branch", "master")
    packaging.commit("Package it", packaging_files("hello"))
    reader = Reader(call, jenkins, Agent(tmp_path / "agent"), {
        "https://jenkins.lab.example/": jenkins.url,
        "https://git.lab.example/my-lab.git": str(tmp_path / "my-lab"),
        "https://git.savannah.gnu.org/git/hello.git": str(upstream.path),
        "https://salsa.debian.org/sanvila/hello.git": str(packaging.path),
    })  # fmt: skip
    commands = COMMANDS.findall(section())
    for line in commands:
        match line.split():
            case ["cd", where]:
                monkeypatch.chdir(where)
                reader.describe(section())
                continue
            case ["qalab", "jenkins", "doctor"]:
                reader.administrate()
            case ["qalab", "publish"]:
                builds = reader.run_builds(tmp_path / "artifacts")
        reader.follow(line)
    assert [line.split()[1:3] for line in commands if line.startswith("qalab")] == [
        ["init", "my-lab"], ["jenkins", "generate"], ["check"], ["jenkins", "plugins"], ["jenkins", "casc"],
        ["jenkins", "doctor"], ["jenkins", "plan"], ["jenkins", "apply"], ["jenkins", "plan"], ["jenkins", "trigger"],
        ["publish"], ["publish", "--status"],
    ]  # fmt: skip
    assert Path("plugins.txt").read_text().startswith("build-timeout:")
    assert git(["status", "--porcelain"], cwd=Path.cwd()).split() == ["??", "casc.yaml", "??", "plugins.txt"]
    assert [build.job for build in builds] == ["trunk-hello-build", "trunk-deploy", "trunk-exercise"]
    assert {build.parameters["COMMIT"] for build in builds} == {commit}
    assert "✔ throttle category my-lab-" in reader.said["qalab jenkins doctor"]
    assert reader.said["qalab publish"].endswith("builds: 3 new\nsite: 3 delivered\n")
    assert reader.said["qalab publish --status"] == "builds: 3 bundled\nsite: 3 delivered\n"
    assert len([*(tmp_path / "state/qalab/my-lab/site").glob("editions/*/builds/*/*/index.html")]) == len(builds)
