"""The lab's own repository: its checkout, and the commit of a lab.yaml, with real git."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config import lab_repository
from tests.conftest import GitRepository


@pytest.fixture
def repository(git_repository: Callable[..., GitRepository]) -> GitRepository:
    """Return a lab's repository with two commits on main."""
    made = git_repository("lab-repository")
    made.commit("Start", {"lab.yaml": "first\n"})
    made.commit("Go on", {"lab.yaml": "second\n", "sub/other.yaml": "other\n"})
    return made


def branch_of(repository: GitRepository) -> str:
    return repository.git("branch", "--show-current").strip()


def head_of(repository: GitRepository) -> str:
    return repository.git("rev-parse", "HEAD").strip()


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_checkout_has_the_tip_of_the_branch(repository: GitRepository, tmp_path: Path, scheme: str) -> None:
    branch = branch_of(repository)
    repository.git("checkout", "--quiet", "-b", "other")
    repository.commit("Elsewhere", {"lab.yaml": "third\n"})
    commit = lab_repository.checkout(f"{scheme}{repository.path}", branch, tmp_path / "new")
    assert (tmp_path / "new/lab.yaml").read_text() == "second\n"
    assert lab_repository.commit_of(tmp_path / "new/lab.yaml") == commit == repository.git("rev-parse", branch).strip()


@pytest.mark.parametrize(
    "url, branch, reason",
    [("gone", "main", "fatal: .*does not exist"), ("lab-repository", "gone", "fatal: Remote branch gone not found")],
)
def test_failed_checkout_leaves_no_directory(
    repository: GitRepository, tmp_path: Path, url: str, branch: str, reason: str
) -> None:
    place = repository.path.with_name(url)
    said = rf"{place}: branch {branch} cannot be cloned: {reason}.*can this account"
    with pytest.raises(InfrastructureError, match=said):
        lab_repository.checkout(str(place), branch, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_checkout_never_touches_an_existing_directory(repository: GitRepository) -> None:
    (repository.path / "lab.yaml").write_text("precious\n")
    with pytest.raises(ConfigurationError, match="exists already"):
        lab_repository.checkout(str(repository.path), branch_of(repository), repository.path)
    assert (repository.path / "lab.yaml").read_text() == "precious\n"


def test_commit_of_a_file(repository: GitRepository, tmp_path: Path) -> None:
    head = head_of(repository)
    link = tmp_path / "link.yaml"
    link.symlink_to(repository.path / "lab.yaml")
    assert lab_repository.commit_of(link) == head
    assert lab_repository.commit_of(repository.path / "sub/other.yaml") == head
    (repository.path / "lab.yaml").write_text("changed\n")
    assert lab_repository.commit_of(link) == f"{head}-dirty"
    assert lab_repository.commit_of(repository.path / "sub/other.yaml") == head


@pytest.mark.parametrize("name", ["lab-repository/new.yaml", "plain/lab.yaml", "empty/lab.yaml"])
def test_uncommitted_file_has_no_commit(repository: GitRepository, tmp_path: Path, name: str) -> None:
    home = repository.path.parent
    (home / "plain").mkdir()
    (home / "empty").mkdir()
    lab_repository.git(["init", "--quiet"], cwd=home / "empty")
    (home / name).write_text("x\n")
    assert lab_repository.commit_of(home / name) == ""
