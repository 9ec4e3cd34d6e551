"""A Jenkins controller in tests: it runs the generated jobs on agents, which are directories, with their own command lines.

It knows what these jobs use: shell builders, Copy Artifact, archived artifacts and the parameterized trigger.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from cli.main import main

Result = str
GOOD = {"SUCCESS", "UNSTABLE"}


@dataclass
class Agent:
    """A machine: its state, its caches and its workspaces."""

    home: Path

    @property
    def env(self) -> dict[str, str]:
        return {"XDG_STATE_HOME": str(self.home / "state"), "XDG_CACHE_HOME": str(self.home / "cache")}

    def lose_disk(self) -> None:
        """Delete all but the workspaces."""
        for name in ("state", "cache"):
            shutil.rmtree(self.home / name, ignore_errors=True)


@dataclass(frozen=True)
class Finished:
    """A finished build."""

    job: str
    number: int
    result: Result
    parameters: Mapping[str, str]
    artifacts: Path
    triggered: tuple[tuple[str, Mapping[str, str]], ...]
    """The jobs that it starts, with their parameters."""


class Killed(Exception):
    """The agent was lost in the middle of a build."""


@dataclass
class Controller:
    """The jobs by name, and where artifacts are kept; ``between`` is called before each builder."""

    jobs: Mapping[str, etree._Element]
    home: Path
    url: str = "https://jenkins.lab.example"
    numbers: dict[str, int] = field(default_factory=dict)
    builds: list[Finished] = field(default_factory=list)
    output: list[tuple[str, int]] = field(default_factory=list)
    """The command lines that were run, with their exit codes."""

    def label(self, job: str) -> str:
        return self.jobs[job].findtext("assignedNode", "")

    def build(
        self, job: str, agent: Agent, given: Mapping[str, str], between: Callable[[int], None] = lambda _: None
    ) -> Finished:
        """Run a build of a job on an agent.  An agent that is killed leaves a build without artifacts."""
        root = self.jobs[job]
        number = self.numbers[job] = self.numbers.get(job, 0) + 1
        workspace = agent.home / "workspace" / job
        if root.find("buildWrappers/hudson.plugins.ws__cleanup.PreBuildCleanup") is not None:
            shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir(parents=True, exist_ok=True)
        defaults = {
            each.findtext("name", ""): each.findtext("defaultValue") or ""
            for each in root.iter("hudson.model.StringParameterDefinition")
        }
        parameters = {name: given.get(name, default) for name, default in defaults.items()}
        env = {
            **parameters,
            "JOB_BASE_NAME": job,
            "BUILD_URL": f"{self.url}/job/{job}/{number}/",
            "BUILD_NUMBER": str(number),
        }
        artifacts = self.home / job / str(number)
        artifacts.mkdir(parents=True)
        try:
            result = self._builders(root, agent, workspace, env, between)
        except Killed:
            result = "FAILURE"
        else:
            self._archive(root, workspace, artifacts)
        triggered = tuple(self._triggers(root, workspace, env, result))
        done = Finished(job, number, result, parameters, artifacts, triggered)
        self.builds.append(done)
        return done

    def _builders(
        self,
        root: etree._Element,
        agent: Agent,
        workspace: Path,
        env: Mapping[str, str],
        between: Callable[[int], None],
    ) -> Result:
        result = "SUCCESS"
        for place, builder in enumerate(root.findall("builders/*")):
            between(place)
            if builder.tag == "hudson.plugins.copyartifact.CopyArtifact":
                self._copy(builder, workspace, env)
                continue
            code = self._run(builder.findtext("command", ""), agent, workspace, env)
            if code == 4 and builder.findtext("unstableReturn") == "4":
                result = "UNSTABLE"
            elif code:
                return "FAILURE"
        return result

    def _run(self, line: str, agent: Agent, workspace: Path, env: Mapping[str, str]) -> int:
        """Run a shell line in this process, which saves the start of Python."""
        program, *words = shlex.split(expand(line, env))
        assert program == "qalab"
        before, here = dict(os.environ), Path.cwd()
        os.environ.update(agent.env | env)
        os.chdir(workspace)
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(before)
        self.output.append((line, code))
        return code

    def _copy(self, builder: etree._Element, workspace: Path, env: Mapping[str, str]) -> None:
        job = expand(builder.findtext("project", "").removeprefix("/"), env)
        assert builder.find("selector").get("class") == "hudson.plugins.copyartifact.SpecificBuildSelector"
        source = self.home / job / expand(builder.findtext("selector/buildNumber", ""), env)
        wanted = builder.findtext("filter", "")
        for path in files_of(source, wanted):
            target = workspace / builder.findtext("target", "") / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, target)

    def _archive(self, root: etree._Element, workspace: Path, artifacts: Path) -> None:
        for pattern in root.findall("publishers/hudson.tasks.ArtifactArchiver/artifacts"):
            for path in files_of(workspace, pattern.text or ""):
                (artifacts / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(workspace / path, artifacts / path)

    def _triggers(
        self, root: etree._Element, workspace: Path, env: Mapping[str, str], result: Result
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        for each in root.findall("publishers/hudson.plugins.parameterizedtrigger.BuildTrigger/configs/*"):
            if result not in GOOD and each.findtext("condition") != "ALWAYS":
                continue
            file = each.findtext("configs/*/propertiesFile")
            text = expand(each.findtext("configs/*/properties") or "", env)
            if file:
                if not (workspace / file).exists():
                    continue
                text = (workspace / file).read_text()
            yield each.findtext("projects", ""), dict(line.split("=", 1) for line in text.splitlines())


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace $NAME and ${NAME}; shell lines have them in double quotes only."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: env.get(match[1] or match[2], ""), text)


def files_of(directory: Path, patterns: str) -> list[Path]:
    """Return the files that Ant's patterns match, such as ``run.json, results/**``; ``**`` is all below."""
    wanted = [pattern.strip().replace("/**", "/*") for pattern in patterns.split(",")]
    names = [path.relative_to(directory) for path in sorted(directory.rglob("*")) if path.is_file()]
    return [name for name in names if any(fnmatch.fnmatchcase(str(name), pattern) for pattern in wanted)]
