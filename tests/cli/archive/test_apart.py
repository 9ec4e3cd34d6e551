"""The verbs on a machine that reads the archive by its URL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.config.loading import load
from scripts.archives import archive_identity
from tests.archives import served
from tests.cli.archive.conftest import described

JENKINS = "jenkins: {url: 'https://jenkins.lab.example/', archive_agent: vault, lab_agent: vault}\n"
ELSEWHERE = r"the lab's archive is not on this machine"


@pytest.fixture
def qalab(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Call a verb on another machine than that of the archive."""
    path = described(tmp_path)
    with served(tmp_path / "state/qalab/testlab/archive") as url:
        text = path.read_text().replace("archive: {states", f"archive: {{url: '{url}', states")
        path.write_text(text.replace("labels: [tested", "promotion: {label: tested}, labels: [tested") + JENKINS)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))

        def call(*argv: str) -> str:
            result = CliRunner().invoke(cli, [*argv, "--lab", str(path)], catch_exceptions=False, standalone_mode=False)
            assert result.exit_code == 0, result.output
            return result.output

        yield call


def test_archive_is_read_by_its_url(qalab: Callable[..., str], states: list[str], tmp_path: Path) -> None:
    rows = json.loads(qalab("archive", "states", "trunk", "--json"))
    assert [row["name"] for row in rows] == states[::-1]
    assert json.loads(qalab("archive", "show", "trunk", "--json"))["packages"] == ["greet=2", "hail=1"]
    assert qalab("archive", "diff", states[0], "trunk") == "greet 1 -> 2\nhail (none) -> 1\n"
    assert "trunk-tested would move from (none)" in qalab("archive", "promote", "trunk-tested", "--dry-run")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "argv",
    [
        ["promote", "trunk"],
        ["promote", "trunk", "--why"],
        ["promote", "trunk", "--retry", "greet"],
        ["archive", "gc", "--dry-run"],
        ["archive", "pin", "trunk"],
        ["archive", "unpin", "trunk"],
        ["archive", "promote", "trunk-tested"],
        ["archive", "drop", "trunk-old"],
    ],
    ids=" ".join,
)
def test_verb_for_the_machine_of_the_archive_names_it(
    qalab: Callable[..., str], argv: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=ELSEWHERE) as caught:
        qalab(*argv)
    assert caught.value.hint == "run this on the machine of jenkins.archive_agent, where the step archive makes it"
    assert not (tmp_path / "other").exists()


def test_promotion_reads_no_archive_that_is_left_over(qalab: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "other/qalab/testlab/archive").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="is not the archive of this machine"):
        qalab("promote", "trunk", "--why")


def test_archive_that_no_machine_has_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    with pytest.raises(ConfigurationError, match="the lab has no archive yet: the step archive makes it"):
        archive_identity.require(load(described(tmp_path)))
