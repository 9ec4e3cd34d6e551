"""``qalab build``: a working tree through the steps of a run, and out of every archive."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from lab.base import environment
from lab.base.debian import compare
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store import step
from lab.store.run_directory import Run
from lab.store.runs import Store
from lab.store.working_tree import KEPT_OUT, described_for
from reports import status
from reports.sources import local
from reports.sources.runs import Runs
from scripts.phases import retention, runner, watching
from scripts.registry import STEPS
from tests.conftest import GitRepository, packaging_files


def qalab(*argv: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in argv], env={"COLUMNS": "200"})


@pytest.fixture
def upstream(git_repository: Callable[..., GitRepository]) -> GitRepository:
    repository = git_repository("greet")
    repository.commit("Start", {"greet.txt": "hello\n"})
    repository.tag("v1.0")
    repository.commit("Two", {"two": "2\n"})
    return repository


@pytest.fixture
def packaging(git_repository: Callable[..., GitRepository]) -> GitRepository:
    repository = git_repository("packaging")
    repository.commit("Package it", packaging_files())
    return repository


@pytest.fixture
def lab(lab_factory: Callable[..., Lab], upstream: GitRepository, packaging: GitRepository) -> Lab:
    return lab_factory(
        upstream=upstream.path,
        packaging=packaging.path,
        component={
            "upload": {"to": "file:///nowhere"},
            "packaging": {"push": {"git": str(packaging.path), "branch": "main"}},
        },
    )


def built(lab: Lab, directory: Path, until: str = "source") -> Run:
    result = qalab("build", directory, "--lab", lab.file, "--until", until)
    assert result.exit_code == 0, result.output
    return Store.of(lab).local_runs().runs[-1]


@pytest.mark.integration
def test_build_has_uncommitted_changes_and_records_them(lab: Lab, upstream: GitRepository) -> None:
    (upstream.path / "greet.txt").write_text("edited\n")
    (upstream.path / "new").write_text("new\n")
    run = built(lab, upstream.path)
    tree, snapshot = run.info.working_tree, run.record("snapshot")
    assert tree
    assert snapshot
    assert (tree.dirty, tree.changed, tree.commit, tree.parts) == (True, 2, upstream.heads[-1], ("upstream",))
    assert "2 changed files" in snapshot.message
    assert snapshot.version.endswith(f".1.{upstream.heads[-1][:7]}+local1")
    assert run.id == "trunk/greet/local-1"
    assert status.find("trunk/greet/local-1").path == run.path
    shown = json.loads(qalab("show", run.id, "--json").stdout)
    assert (shown["id"], shown["working_tree"]["dirty"]) == (run.id, True)
    assert "2 changed" in qalab("show", run.id).stdout
    assert [each["id"] for each in json.loads(qalab("status", "--json").stdout)] == [run.id]


@pytest.mark.integration
def test_build_version_is_between_commits(lab: Lab, upstream: GitRepository) -> None:
    def version(run: Run) -> str:
        record = run.record("snapshot")
        assert record
        return record.version

    assert qalab("run", "trunk", "greet", "--lab", lab.file, "--until", "snapshot").exit_code == 0
    commit = version(Store.of(lab).runs()[-1])
    first, second = version(built(lab, upstream.path, "snapshot")), version(built(lab, upstream.path, "snapshot"))
    upstream.commit("Three", {"three": "3\n"})
    assert qalab("run", "trunk", "greet", "--lab", lab.file, "--until", "snapshot").exit_code == 0
    following = version(Store.of(lab).runs()[-1])
    for lower, higher in [(commit, first), (first, second), (second, following)]:
        assert compare(lower, "lt", higher)


@pytest.mark.integration
def test_build_of_packaging_uses_upstream_of_lab(lab: Lab, packaging: GitRepository) -> None:
    (packaging.path / "debian/README.Debian").write_text("New.\n")
    run = built(lab, packaging.path)
    assert run.info.working_tree
    assert run.info.working_tree.parts == ("packaging",)
    assert (run.work / "packaging/debian/README.Debian").read_text() == "New.\n"


@pytest.mark.integration
def test_build_of_upstream_with_packaging(
    lab: Lab, upstream: GitRepository, git_repository: Callable[..., GitRepository]
) -> None:
    upstream.commit("Package it here", packaging_files())
    (upstream.path / "debian/install").write_text("two usr/share/greet\n")
    run = built(lab, upstream.path)
    assert (run.work / "packaging/debian/install").read_text() == "two usr/share/greet\n"


@pytest.mark.integration
@pytest.mark.parametrize("name", KEPT_OUT)
def test_build_refuses_publishing_steps(lab: Lab, upstream: GitRepository, name: str) -> None:
    run = built(lab, upstream.path, "snapshot")
    assert name not in run.steps
    with pytest.raises(ConfigurationError, match="refused for the build of a working tree"):
        step.execute(name, STEPS[name].action, lab, run)
    result = qalab("step", name, "--run", run.path, "--lab", lab.file)
    assert isinstance(result.exception, ConfigurationError)
    assert not (Store.of(lab).archive / "dists").exists()
    settings = described_for(lab, run.info).component("greet", "trunk")
    assert (settings.upload, settings.packaging.push) == (None, None)


@pytest.mark.integration
def test_build_is_not_a_run_of_the_store(lab: Lab, upstream: GitRepository) -> None:
    run = built(lab, upstream.path, "snapshot")
    assert Store.of(lab).runs() == []
    assert runner.unfinished(Store.of(lab)) is None
    assert runner.next_run(lab, run) is None
    assert watching.new_commits(lab, "trunk", "greet")[0] == [upstream.heads[-1]]  # still the first time
    assert [*Runs(lab, lambda _: False).look({})] == []
    with pytest.raises(ConfigurationError, match="never published"):
        local.build(run, lab)


@pytest.mark.integration
def test_build_is_removed_by_tidy(lab: Lab, upstream: GitRepository) -> None:
    run = built(lab, upstream.path, "snapshot")
    for _ in range(lab.runs.keep):
        built(lab, upstream.path, "snapshot")
    run.write_info(run.info.model_copy(update={"started": "2020-01-01T00:00:00.000Z"}))
    assert [old.id for old, _ in retention.tidy(lab, environment.now())] == [run.id]


@pytest.mark.integration
def test_build_resumes_with_captured_files(lab: Lab, upstream: GitRepository) -> None:
    (upstream.path / "new").write_text("first\n")
    run = built(lab, upstream.path, "packaging")
    (upstream.path / "new").write_text("second\n")
    assert qalab("run", "--run", run.id, "--from", "snapshot", "--until", "source", "--lab", lab.file).exit_code == 0
    orig = next(run.out.glob("*.orig.tar.xz"))
    with tarfile.open(orig) as tar:
        member = tar.extractfile(next(name for name in tar.getnames() if name.endswith("/new")))
        assert member
        assert member.read() == b"first\n"


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--component", "nosuch"], "no component nosuch"),
        (["--track", "nosuch"], "no track nosuch"),
        (["--until", "archive"], "no step archive in this phase"),
    ],
)
def test_build_with_bad_option_creates_no_run(lab: Lab, upstream: GitRepository, argv: list[str], message: str) -> None:
    result = qalab("build", upstream.path, "--lab", lab.file, *argv)
    assert isinstance(result.exception, ConfigurationError)
    assert message in str(result.exception)
    assert Store.of(lab).local_runs().runs == []


@pytest.mark.parametrize("name, message", [("nosuch", "no such directory"), ("plain", "is no git working tree")])
def test_build_says_what_directory_lacks(lab: Lab, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "plain").mkdir()
    result = qalab("build", tmp_path / name, "--lab", lab.file)
    assert isinstance(result.exception, ConfigurationError)
    assert message in str(result.exception)


def test_build_refuses_unknown_source_package(lab: Lab, packaging: GitRepository) -> None:
    packaging.commit("Rename", {"debian/changelog": packaging_files("greetings")["debian/changelog"]})
    result = qalab("build", packaging.path, "--lab", lab.file)
    assert "greetings is no component of the lab (name it with --component; known: greet; nearest: greet)" in str(
        result.exception
    )
