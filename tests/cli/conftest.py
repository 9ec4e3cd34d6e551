"""The Jenkins double, and qalab called in a directory with a lab.yaml and a jobs/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.main import main
from tests.generator.conftest import JOBS, jenkins, there
from tests.jenkins.double import Double

__all__ = ["call", "jenkins", "there"]

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
    """``call("plan")``: run qalab in a directory with a lab.yaml and a jobs/; return its exit code and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QALAB_JENKINS_USER", "admin")
    monkeypatch.setenv("QALAB_JENKINS_TOKEN", "secret")
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(LAB | {"jenkins": {"url": jenkins.url}}))
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/jobs.yaml").write_text(JOBS)

    def qalab_main(*argv: str) -> tuple[int, str]:
        try:
            code = main(argv if argv[0] in {"check", "init", "publish", "step"} else ("jenkins", *argv))
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return qalab_main
