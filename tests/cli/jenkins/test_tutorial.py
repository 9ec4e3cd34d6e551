"""The commands of docs/how-to/jenkins.md, followed literally and in order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lab.base.git import git
from tests.jenkins.double import Double

PAGE = Path(__file__).parents[3] / "docs/how-to/jenkins.md"
SETTINGS = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
COMMANDS = re.compile(r"^ *\$ (.*)$", re.MULTILINE)


def section() -> str:
    """Return the section of the page."""
    return PAGE.read_text().partition("## Set up Jenkins")[2].partition("\n## ")[0]


def indented(text: str) -> str:
    return "\n".join(line.removeprefix("   ") for line in text.splitlines()) + "\n"


@pytest.mark.integration
def test_jenkins_is_set_up_as_the_page_says(
    call: Callable[..., tuple[int, str]], jenkins: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    told = section()
    (settings,) = SETTINGS.findall(told)
    commands = COMMANDS.findall(told)
    assert next(shlex.split(line)[:3] for line in commands) == ["qalab", "init", "my-lab"]
    for line in commands:
        argv, _, into = line.partition(" > ")
        words = shlex.split(argv)
        match words:
            case ["cd", where]:
                monkeypatch.chdir(where)
                lab = Path("lab.yaml")
                text = lab.read_text().partition("# The Jenkins that runs")[0] + indented(settings)
                assert text.count("https://jenkins.lab.example/") == 1
                lab.write_text(text.replace("https://jenkins.lab.example/", jenkins.url))
            case ["git", *rest]:
                identity = ["-c", "user.name=Lab", "-c", "user.email=lab@lab.example"]
                git([*identity, *rest], cwd=Path.cwd())
            case ["qalab", "jenkins", *rest]:
                code, said = call(*rest)
                assert code == 0, (line, said)
                if into:
                    Path(into).write_text(said)
            case ["qalab", *rest]:
                code, said = call(*rest)
                assert code == 0, (line, said)
            case _:
                pytest.fail(f"nothing runs {line}")
    assert "my-lab/trunk-hello-build" in jenkins.jobs()
    assert Path("plugins.txt").read_text().startswith("build-timeout:")
    assert yaml.safe_load(Path("casc.yaml").read_text())["unclassified"]["throttleJobProperty"]["categories"]
    assert git(["status", "--porcelain"], cwd=Path.cwd()).split() == ["??", "casc.yaml", "??", "plugins.txt"]
    assert [line.split()[2] for line in commands if line.startswith("qalab jenkins")] == [
        "generate", "plugins", "doctor", "casc", "plan", "apply", "plan",
    ]  # fmt: skip
