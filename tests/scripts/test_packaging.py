"""The packaging branch: which one it is, and what comes of merging a testing branch into it."""

from __future__ import annotations

import configparser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base.debian import newest_entry
from lab.base.git import git
from lab.store.records import Record
from scripts import packaging
from scripts.upstream import packaging_branch
from tests.conftest import EPOCH, QUILT, Bench, GitRepository, packaging_files

Benches = Callable[..., Bench]


@pytest.fixture
def run(lab_factory: Callable[..., Any], bench: Benches, git_repository: Callable[..., GitRepository]) -> Any:
    """``run(repository, packaging settings...)``: the step's record and its bench."""

    def execute(repository: GitRepository, **settings: Any) -> tuple[Record, Bench]:
        made = bench(lab_factory(packaging=repository.path, component={"packaging": settings}))
        made.pretend("snapshot", commit="0" * 40, facts={"committed": EPOCH, "source_package": QUILT})
        return made.execute(packaging), made

    return execute


def entry(version: str, text: str) -> str:
    return (
        f"greet ({version}) unstable; urgency=medium\n\n  * {text}.\n\n"
        " -- Lab <lab@lab.example>  Thu, 01 Jan 2026 00:00:00 +0000\n"
    )


def tree(made: Bench) -> Path:
    return made.run.work / "packaging"


@pytest.mark.parametrize(
    "text, branch",
    [
        ("", ""),
        ("[DEFAULT]\npristine-tar = True\n", ""),
        ("[DEFAULT]\ndebian-branch = debian/sid\n", "debian/sid"),
        ("[DEFAULT]\ndebian-branch = 'debian/sid'\n", "debian/sid"),
        ("[git-buildpackage]\ndebian-branch=old\n", "old"),
        ("[DEFAULT]\ndebian-branch = general\n[buildpackage]\ndebian-branch = special\n", "special"),
        ("[buildpackage]\nexport-dir = ../%(x)s\n[DEFAULT]\ndebian-branch = debian/latest\n", "debian/latest"),
        ("[DEFAULT]\ndebian-branch = one\ndebian-branch = two\n", "two"),
    ],
)
def test_debian_branch_of_gbp_conf(text: str, branch: str) -> None:
    assert packaging_branch.gbp_branch(text) == branch


def test_gbp_conf_without_section_is_refused() -> None:
    with pytest.raises(configparser.Error):
        packaging_branch.gbp_branch("debian-branch = x\n")


@pytest.mark.parametrize(
    "distribution, codename, first",
    [
        ("debian", "bookworm", ["gbp", "debian/bookworm", "debian/latest", "debian/unstable", "debian/master"]),
        ("ubuntu", "noble", ["gbp", "ubuntu/noble", "ubuntu/latest", "ubuntu/devel", "debian/latest"]),
    ],
)
def test_branch_candidates(distribution: str, codename: str, first: list[str]) -> None:
    names = packaging_branch.Names(None, "", distribution, codename).candidates("gbp", "main")
    assert names[: len(first)] == first
    assert names[-2:] == ["main", "master"]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "branches, bare, gbp, named, chosen",
    [
        ([], [], "", None, "main"),
        (["debian/latest"], [], "", None, "debian/latest"),
        (["debian/latest", "debian/bookworm"], [], "", None, "debian/bookworm"),
        (["debian/latest", "debian/trixie"], [], "", None, "debian/latest"),
        (["debian/latest", "special"], [], "special", None, "special"),
        (["debian/latest"], [], "no-such-branch", None, "debian/latest"),
        (["debian/unstable"], ["debian/latest"], "", None, "debian/unstable"),
        (["debian/unstable"], ["special"], "special", None, "debian/unstable"),
        (["debian/latest", "mine"], [], "debian/latest", "mine", "mine"),
    ],
)
def test_branch_with_packaging_is_chosen(  # noqa: PLR0917 - a table
    run: Any,
    git_repository: Callable[..., GitRepository],
    branches: list[str],
    bare: list[str],
    gbp: str,
    named: str | None,
    chosen: str,
) -> None:
    """``branches`` have a debian/control file, ``bare`` ones do not."""
    repository = git_repository("packaging")
    repository.commit("Upstream", {"readme": "hello\n"})
    for name in bare:
        repository.git("branch", name)
    repository.commit("Package it", packaging_files())
    for name in branches:
        repository.git("branch", name)
    if gbp:
        repository.commit("Configure", {"debian/gbp.conf": f"[DEFAULT]\ndebian-branch = {gbp}\n"})
    record, made = run(repository, **({"branch": named} if named else {}))
    assert record.verdict == "passed", record.message
    assert record.facts["branch"] == chosen
    assert record.facts["head"] == record.facts["merged"] == repository.git("rev-parse", chosen)
    assert record.facts["testing"] == ""
    assert git(["symbolic-ref", "--short", "HEAD"], cwd=tree(made)) == chosen
    assert git(["rev-parse", "HEAD"], cwd=tree(made)) == record.facts["merged"]
    assert (tree(made) / "debian/control").is_file()


@pytest.mark.integration
@pytest.mark.parametrize("name", ["-x", "--detach", "HEAD", "feature/ü", "refs/heads/main", "@", "+main"])
def test_branch_of_odd_name_is_packaged(run: Any, git_repository: Callable[..., GitRepository], name: str) -> None:
    """Repositories can have such branches, though git refuses to make or to check out some of them."""
    repository = git_repository("packaging")
    old = repository.commit("Package it", packaging_files())
    repository.commit("Go on", {"debian/docs": "greet.txt\n"})
    repository.git("update-ref", f"refs/heads/{name}", old)
    record, made = run(repository, branch=name)
    assert record.verdict == "passed", record.message
    assert (record.facts["branch"], record.facts["head"], record.facts["merged"]) == (name, old, old)
    assert git(["symbolic-ref", "HEAD"], cwd=tree(made)) == f"refs/heads/{name}"
    assert git(["status", "--porcelain"], cwd=tree(made)) == ""
    assert not (tree(made) / "debian/docs").exists()


def test_branch_of_head_without_packaging_is_not_chosen(run: Any, git_repository: Callable[..., GitRepository]) -> None:
    """HEAD is an upstream branch; the packaging is on the old default branch of git-buildpackage."""
    repository = git_repository("packaging")
    repository.commit("Upstream", {"readme": "hello\n"})
    repository.git("checkout", "--quiet", "-b", "master")
    repository.commit("Package it", packaging_files())
    repository.git("checkout", "--quiet", "main")
    record, _ = run(repository)
    assert record.facts["branch"] == "master"


@pytest.mark.parametrize("tag", ["main", "HEAD", "heads/main"])
def test_branch_is_chosen_beside_tag_of_its_name(
    run: Any, git_repository: Callable[..., GitRepository], tag: str
) -> None:
    repository = git_repository("packaging")
    repository.commit("Upstream", {"readme": "hello\n"})
    repository.tag(tag)
    repository.commit("Package it", packaging_files())
    record, _ = run(repository)
    assert (record.facts.get("branch"), record.facts.get("head")) == ("main", repository.heads[-1]), record.message


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5\n"


@pytest.mark.parametrize(
    "what, message",
    [
        ("submodule", "submodules in debian/: debian/data/inner (commit the files themselves)"),
        ("pointer", "Git LFS pointers stand in the place of files: debian/data/icon.png (commit the files themselves;"),
        ("link", "debian: is a link to packaging/debian (the packaging branch needs the directory itself)"),
    ],
)
def test_debian_directory_without_its_files_is_refused(
    run: Any, git_repository: Callable[..., GitRepository], what: str, message: str
) -> None:
    repository = git_repository("packaging")
    repository.commit("Package it", packaging_files())
    if what == "submodule":
        inner = git_repository("inner")
        inner.commit("Inner", {"inner.txt": "inner\n"})
        repository.git("submodule", "--quiet", "add", str(inner.path), "debian/data/inner")
        repository.commit("Add a submodule")
    elif what == "pointer":
        repository.commit("Add an icon", {"debian/data/icon.png": POINTER})
    else:
        (repository.path / "packaging").mkdir()
        (repository.path / "debian").rename(repository.path / "packaging/debian")
        (repository.path / "debian").symlink_to("packaging/debian")
        repository.commit("Move it")
    record, _ = run(repository)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert message in record.message


def test_submodule_outside_debian_is_no_matter(run: Any, git_repository: Callable[..., GitRepository]) -> None:
    repository, inner = git_repository("packaging"), git_repository("inner")
    inner.commit("Inner", {"inner.txt": "inner\n"})
    repository.git("submodule", "--quiet", "add", str(inner.path), "inner")
    repository.commit("Package it", packaging_files() | {"icon.png": POINTER})
    assert run(repository)[0].verdict == "passed"


@pytest.mark.integration
@pytest.mark.parametrize(
    "files, settings, code, message",
    [
        ({"readme": "x\n"}, {}, 2, "no packaging branch found; known: main, other (name it as packaging.branch"),
        ({"readme": "x\n"}, {"branch": "other"}, 2, "the branch other has no debian/control"),
        (packaging_files(), {"branch": "gone"}, 2, "no branch gone; known: main, other"),
        (packaging_files() | {"debian/gbp.conf": "nonsense\n"}, {}, 1, "'debian/gbp.conf', line: 1 'nonsense"),
        (packaging_files() | {"debian/source/format": "1.0\n"}, {}, 2, "are not those of the step snapshot"),
        (packaging_files() | {"debian/source/format": "3.0 (git)\n"}, {}, 2, "debian/source/format: 3.0 (git): no"),
        (packaging_files() | {"debian/gbp.conf": "[DEFAULT]\ncomponent = ['doc']\n"}, {}, 2, "are not those of the"),
        (packaging_files(), {"testing": {"git": "{url}", "branch": "gone"}}, 2, "no branch gone; known: main, other"),
        (packaging_files(), {"testing": {"git": "{url}", "branch": "other"}}, 2, "other shares no history with main"),
        (packaging_files(), {"testing": {"git": "/nowhere", "branch": "x"}}, 3, "/nowhere: cannot be fetched"),
    ],
)
def test_packaging_refuses_invalid_repository(  # noqa: PLR0917 - a table
    run: Any,
    git_repository: Callable[..., GitRepository],
    files: dict[str, str],
    settings: dict[str, Any],
    code: int,
    message: str,
) -> None:
    repository = git_repository("packaging")
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.commit("Something else", {"other": "x\n"})
    repository.git("checkout", "--quiet", "--orphan", "main")
    repository.commit("Start", {"other": None} | files)
    if "testing" in settings:
        settings = {"testing": {key: text.format(url=repository.path) for key, text in settings["testing"].items()}}
    record, _ = run(repository, **settings)
    assert record.exit_code == code
    assert message in record.message


@pytest.fixture
def testing(git_repository: Callable[..., GitRepository]) -> tuple[GitRepository, GitRepository]:
    """A packaging repository, and a testing repository that was cloned from it."""
    repository = git_repository("packaging")
    repository.commit("Package it", packaging_files())
    other = git_repository("testing")
    other.git("fetch", "--quiet", repository.path, "main")
    other.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    other.git("checkout", "--quiet", "-b", "proposed")
    return repository, other


def test_testing_branch_is_merged(run: Any, testing: tuple[GitRepository, GitRepository]) -> None:
    repository, other = testing
    head = repository.commit("Ours", {"debian/rules": "#!/usr/bin/make -f\n# ours\n%:\n\tdh $@\n"})
    theirs = other.commit("Theirs", {"debian/patches/series": ""})
    record, made = run(repository, testing={"git": str(other.path), "branch": "proposed"})
    assert record.verdict == "passed", record.message
    assert record.message == f"main at {head[:7]}, with proposed at {theirs[:7]} merged"
    assert {key: record.facts[key] for key in ("branch", "head", "testing")} == {
        "branch": "main",
        "head": head,
        "testing": theirs,
    }
    parents = git(["log", "-1", "--format=%P|%an <%ae>|%ct|%ct|%s", record.facts["merged"]], cwd=tree(made))
    assert parents == (f"{head} {theirs}|Test Lab <lab@lab.example>|{EPOCH}|{EPOCH}|Merge the testing branch proposed")
    assert "# ours" in (tree(made) / "debian/rules").read_text()
    assert (tree(made) / "debian/patches/series").exists()


@pytest.mark.integration
def test_merge_of_same_inputs_gives_same_commit(run: Any, testing: tuple[GitRepository, GitRepository]) -> None:
    repository, other = testing
    repository.commit("Ours", {"debian/a": "a\n"})
    other.commit("Theirs", {"debian/b": "b\n"})
    first, made = run(repository, testing={"git": str(other.path), "branch": "proposed"})
    (tree(made) / ".git/index.lock").touch()  # as a killed git leaves it
    (tree(made) / "debian/control").unlink()
    again = made.execute(packaging)
    elsewhere, _ = run(repository, testing={"git": str(other.path), "branch": "proposed"})
    assert first.facts == again.facts == elsewhere.facts
    assert (tree(made) / "debian/control").exists()


def test_testing_branch_without_commits_keeps_head(run: Any, testing: tuple[GitRepository, GitRepository]) -> None:
    repository, other = testing
    head = repository.commit("Ours", {"debian/a": "a\n"})
    record, _ = run(repository, testing={"git": str(other.path), "branch": "proposed"})
    assert record.facts["merged"] == head


@pytest.mark.integration
def test_merge_orders_changelog_entries_by_version(run: Any, testing: tuple[GitRepository, GitRepository]) -> None:
    repository, other = testing
    old = packaging_files()["debian/changelog"]
    repository.commit("Ours", {"debian/changelog": entry("1.0-3", "Ours") + "\n" + old})
    other.commit("Theirs", {"debian/changelog": entry("1.0-2", "Theirs") + "\n" + old})
    record, made = run(repository, testing={"git": str(other.path), "branch": "proposed"})
    assert record.verdict == "passed", record.message
    text = (tree(made) / "debian/changelog").read_text()
    assert text == "\n".join([entry("1.0-3", "Ours"), entry("1.0-2", "Theirs"), old])
    assert newest_entry(text).version == "1.0-3"


@pytest.mark.integration
def test_merge_conflict_names_files_and_commits(run: Any, testing: tuple[GitRepository, GitRepository]) -> None:
    repository, other = testing
    control = packaging_files()["debian/control"]
    ours = repository.commit("Say it in our way", {"debian/control": control.replace("of a test", "of ours")})
    theirs = other.commit(
        "Say it in Zo\xeb's way".encode("latin-1"), {"debian/control": control.replace("of a test", "of theirs")}
    )
    record, made = run(repository, testing={"git": str(other.path), "branch": "proposed"})
    assert (record.verdict, record.exit_code) == ("failed", 1)
    assert record.message == (
        f"debian/control: conflict between main ({ours[:7]} Say it in our way) and "
        f"proposed ({theirs[:7]} Say it in Zoë's way) (the step's log has the hunks)"
    )
    log = made.log("packaging")
    assert "++<<<<<<< HEAD" in log
    assert " +Description: program of ours" in log
    assert "+ Description: program of theirs" in log
    assert "What proposed did to the files in conflict:" in log


@pytest.mark.integration
def test_merge_conflict_of_removed_file(run: Any, testing: tuple[GitRepository, GitRepository]) -> None:
    repository, other = testing
    repository.commit("Remove it", {"debian/install": None})
    other.commit("Change it", {"debian/install": "greet.txt usr/share/doc\n"})
    record, _ = run(repository, testing={"git": str(other.path), "branch": "proposed"})
    assert record.message.startswith("debian/install: conflict between main (")


def test_content_digest_covers_debian_without_changelog(
    git_repository: Callable[..., GitRepository],
) -> None:
    repository = git_repository("packaging")
    repository.commit("Package it", packaging_files())
    first = packaging.content_digest(repository.path)
    repository.commit("Push", {"debian/changelog": "more", "upstream.c": "x"})
    assert packaging.content_digest(repository.path) == first
    repository.commit("Change it", {"debian/rules": "#!/bin/sh\n"})
    assert packaging.content_digest(repository.path) != first
