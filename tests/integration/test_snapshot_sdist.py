"""The snapshot of projects that make their own sdist: with the real build, PBR and setuptools-scm, from the index."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.base.git import git
from lab.config.description import Lab
from lab.store.records import Record
from scripts import snapshot
from tests.conftest import Bench, GitRepository, packaging_files
from tests.scripts.histories import dpkg

pytestmark = pytest.mark.integration

PINS = ["pbr==7.0.1", "setuptools==80.9.0"]
IN_TREE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture
def upstream(git_repository: Callable[..., GitRepository]) -> GitRepository:
    return git_repository()


@pytest.fixture
def snap(
    lab_factory: Callable[..., Lab], bench: Callable[..., Bench], git_repository: Callable[..., GitRepository]
) -> Callable[..., tuple[Record, Path]]:
    """Snapshot a repository's tip by its sdist; the record, and the tarball."""
    packaging = git_repository("packaging")
    packaging.commit("Package it", packaging_files())

    def take(url: Path, pins: list[str] | None = None, **description: Any) -> tuple[Record, Path]:
        how = {"method": "sdist", "constraints": pins or []}
        run = bench(lab_factory(upstream=url, packaging=packaging.path, component={"orig": how | description}))
        record = run.execute(snapshot)
        return record, run.run.path / (record.artifacts[0].path if record.artifacts else "")

    return take


def content(tarball: Path, name: str) -> str:
    with tarfile.open(tarball) as tar:
        return tar.extractfile(name).read().decode()


def field(tarball: Path, name: str, key: str) -> str:
    return next(line for line in content(tarball, name).splitlines() if line.startswith(f"{key}: "))[len(key) + 2 :]


@pytest.fixture
def stevedore(upstream: GitRepository, tmp_path: Path) -> GitRepository:
    """A real OpenStack library as its developers have it, and a commit after the release."""
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        "stevedore",
        "stevedore==5.4.1",
    ]
    subprocess.run([*argv, "--dest", tmp_path / "index"], check=True)
    [sdist] = (tmp_path / "index").iterdir()
    subprocess.run(["tar", "-xf", sdist, "--strip-components=1", "-C", upstream.path], check=True)
    for made in ("PKG-INFO", "AUTHORS", "ChangeLog"):
        (upstream.path / made).unlink()
    subprocess.run(["rm", "-r", upstream.path / "stevedore.egg-info"], check=True)
    upstream.commit("Release it")
    upstream.tag("5.4.1")
    upstream.commit("Grüße from a later commit", {"later.txt": "x\n"}, author="Bea Büthor <bea@upstream.example>")
    return upstream


def test_pbr(
    snap: Callable[..., tuple[Record, Path]], stevedore: GitRepository, tmp_path: Path, own_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    mine, tarball = snap(stevedore.path, PINS)
    assert mine.verdict == "passed", mine.message
    assert mine.version == f"5.4.1+git20260103.1.{mine.commit[:7]}"
    top = f"greet-{mine.version}"
    python_version = field(tarball, f"{top}/PKG-INFO", "Version")
    assert python_version == "5.4.2.dev1", "PBR's own: it is what the package's build finds"
    assert dpkg("5.4.1", "lt", mine.version)
    assert "Bea Büthor <bea@upstream.example>" in content(tarball, f"{top}/AUTHORS")
    assert "* Grüße from a later commit\n\n5.4.1\n-----\n" in content(tarball, f"{top}/ChangeLog")
    assert json.loads(content(tarball, f"{top}/stevedore.egg-info/pbr.json"))["git_version"] == mine.commit[:7]
    with tarfile.open(tarball) as tar:
        assert {(member.uid, member.gid, member.mtime) for member in tar} == {(0, 0, mine.facts["committed"])}

    # Another machine.
    other = tmp_path / "theirs.git"
    git(["clone", "--quiet", "--bare", stevedore.path, other])
    for number in range(40):
        git(["update-ref", f"refs/heads/more{number}", "main"], cwd=other)
    git(["update-ref", "refs/tags/9.9.9", git(["commit-tree", "-m", "elsewhere", "main^{tree}"], cwd=other, env={
        "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b.example", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b.example",
    })], cwd=other)  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "their cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "their state"))
    (own_home / ".gitconfig").write_text("[log]\n\tdate = relative\n\tshowSignature = true\n[core]\n\tabbrev = 12\n")
    theirs, _ = snap(other, PINS)
    assert theirs.artifacts == mine.artifacts, theirs.message


def test_setuptools_scm(snap: Callable[..., tuple[Record, Path]], upstream: GitRepository) -> None:
    project = (
        '[build-system]\nrequires = ["setuptools>=64", "setuptools-scm>=8"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "greet"\ndynamic = ["version"]\n[tool.setuptools_scm]\n[tool.setuptools]\npy-modules = ["greet"]\n'
    )
    upstream.commit("Begin", {"pyproject.toml": project, "greet.py": "x = 1\n"})
    upstream.tag("v1.0")
    tip = upstream.commit("Go on", {"greet.py": "x = 2\n"})
    record, tarball = snap(upstream.path, ["setuptools==80.9.0", "setuptools-scm==8.3.1"])
    assert record.verdict == "passed", record.message
    version = field(tarball, f"greet-{record.version}/PKG-INFO", "Version")
    assert version.startswith("1.1.dev1+g")
    assert version.partition("+g")[2][:7] == tip[:7]


@pytest.mark.full
def test_constraints_hold(snap: Callable[..., tuple[Record, Path]], upstream: GitRepository) -> None:
    project = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "greet"\nversion = "1"\n'
    upstream.commit("Begin", {"pyproject.toml": project, "greet.py": "x = 1\n"})
    record, tarball = snap(upstream.path, ["setuptools==68.0.0"])
    assert record.verdict == "passed", record.message
    assert field(tarball, f"greet-{record.version}/PKG-INFO", "Metadata-Version") == "2.1"
    record, _ = snap(upstream.path, ["setuptools==0.0.99"])
    assert (record.verdict, record.exit_code) == ("failed", 1)
    assert "Cannot install setuptools" in record.message


@pytest.mark.full
@pytest.mark.parametrize(
    "files, message",
    [
        ({"greet.py": "x = 1\n"}, "does not appear to be a Python project"),
        ({"pyproject.toml": IN_TREE, "backend.py": "def build_sdist(d, c=None):\n    raise SystemError('no way')\n"}, "SystemError: no way"),
        ({"pyproject.toml": IN_TREE, "backend.py": "import nothing_like_it\n"}, "No module named 'nothing_like_it'"),
        ({"setup.py": "import setuptools\nsetuptools.setup(name='x', version='one')\n"}, "Invalid version: 'one'"),
    ],
    ids=["no project", "backend fails", "backend cannot be imported", "setup.py fails"],
)  # fmt: skip
def test_a_backend_that_fails(
    snap: Callable[..., tuple[Record, Path]], upstream: GitRepository, files: dict[str, str], message: str
) -> None:
    upstream.commit("Begin", files)
    record, _ = snap(upstream.path)
    assert (record.verdict, record.exit_code) == ("failed", 1)
    assert record.message.startswith("the project makes no sdist: ")
    assert message in record.message


@pytest.mark.full
def test_an_index_that_is_away(
    snap: Callable[..., tuple[Record, Path]], upstream: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.commit("Begin", {"setup.py": "import setuptools\nsetuptools.setup(name='x')\n"})
    monkeypatch.setenv("PIP_INDEX_URL", "http://localhost:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    record, _ = snap(upstream.path)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert record.message.startswith("what builds the sdist cannot be had: ")


def test_submodules_are_there_for_the_build(
    snap: Callable[..., tuple[Record, Path]], upstream: GitRepository, git_repository: Callable[..., GitRepository]
) -> None:
    lib = git_repository("lib")
    commit = lib.commit("Lib", {"lib.txt": "from the submodule\n"})
    backend = (
        "import tarfile\n\ndef build_sdist(directory, settings=None):\n"
        "    with tarfile.open(f'{directory}/greet-1.tar.gz', 'w:gz') as tar:\n"
        "        tar.add('lib/lib.txt', 'greet-1/lib.txt')\n    return 'greet-1.tar.gz'\n"
    )
    modules = '[submodule "lib"]\n\tpath = lib\n\turl = ../lib\n'
    upstream.git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    (upstream.path / "lib").mkdir()
    upstream.commit("Begin", {"pyproject.toml": IN_TREE, "backend.py": backend, ".gitmodules": modules})
    record, tarball = snap(upstream.path, submodules="include")
    assert record.verdict == "passed", record.message
    assert content(tarball, f"greet-{record.version}/lib.txt") == "from the submodule\n"
