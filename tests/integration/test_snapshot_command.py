"""Orig tarballs that commands make in a real clean chroot: by hand, by dzil, and as the sdist of a Python project."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.config.description import Lab
from lab.store.records import Record
from scripts import snapshot
from tests.conftest import Bench, GitRepository, packaging_files

pytestmark = pytest.mark.integration


@pytest.fixture
def upstream(git_repository: Any) -> GitRepository:
    repository: GitRepository = git_repository("upstream")
    repository.commit("Begin", {"greet.txt": "hello\n", "old.tar.gz": "no tarball\n"})
    repository.tag("v1.0")
    return repository


@pytest.fixture
def snap(
    shared_cache: Path, lab_factory: Callable[..., Lab], bench: Callable[..., Bench], git_repository: Any,
    upstream: GitRepository,
) -> Callable[..., tuple[Record, Path]]:  # fmt: skip
    """Snapshot an upstream by a command, or (without one) by its sdist."""
    packaging: GitRepository = git_repository("packaging")
    packaging.commit("Package it", packaging_files())

    def take(command: str, packages: tuple[str, ...] = (), **orig: Any) -> tuple[Record, Path]:
        how = {"method": "command", "command": command} if command else {"method": "sdist"}
        lab = lab_factory(
            upstream=upstream.path,
            packaging=packaging.path,
            component={"orig": how | {"packages": list(packages)} | orig},
        )
        made = bench(lab)
        record = made.execute(snapshot)
        return record, made.run.path / (record.artifacts[0].path if record.artifacts else "")

    assert shared_cache.is_dir()
    return take


def test_command_makes_tarball(snap: Callable[..., tuple[Record, Path]], tmp_path: Path) -> None:
    """The command runs as an ordinary user, has the tags, and sees no files of the host."""
    outside = tmp_path / "outside"
    script = (
        "id -u > who; git describe --tags > version; echo $SOURCE_DATE_EPOCH > date; mkdir -p dist/x-1; cp greet.txt who "
        f"version date dist/x-1; touch {outside} 2>/dev/null || :; tar -czf dist/x-1.tar.gz -C dist x-1; bc --version"
    )
    record, tarball = snap(script, ("bc",))
    assert record.verdict == "passed", record.message
    with tarfile.open(tarball) as tar:
        found = {
            member.name.partition("/")[2]: tar.extractfile(member).read().decode() for member in tar if member.isfile()
        }
    assert found == {
        "greet.txt": "hello\n", "who": "1234\n", "version": "v1.0\n", "date": f"{record.facts['committed']}\n"
    }  # fmt: skip
    assert not outside.exists()
    assert os.getuid() != 1234
    again, other = snap(script, ("bc",))
    assert other.read_bytes() == tarball.read_bytes()
    assert again.version == record.version


@pytest.mark.parametrize(
    "command, packages, code, message",
    [
        ("echo no >&2; false", (), 1, "failed: no"),
        ("true", (), 1, "true: makes 0 tarballs, not one"),
        ("echo x > x.tar.gz", (), 1, "what it made is no tarball"),
        ("true", ("no-such-package",), 3, "the packages for true cannot be installed: "),
    ],
)
def test_command_without_tarball_fails(
    snap: Callable[..., tuple[Record, Path]], command: str, packages: tuple[str, ...], code: int, message: str
) -> None:
    record, _ = snap(command, packages)
    assert record.exit_code == code
    assert message in record.message


def content(tarball: Path, name: str) -> str:
    with tarfile.open(tarball) as tar:
        return next(tar.extractfile(member).read().decode() for member in tar if member.name.partition("/")[2] == name)


def test_command_dzil_with_author_plugins(snap: Callable[..., tuple[Record, Path]], upstream: GitRepository) -> None:
    """Use Debian's Dist::Zilla with a plugin for the version from git and one for documentation."""
    ini = (
        "name = Greet\nauthor = A <a@example.org>\nlicense = Perl_5\ncopyright_holder = A\n[@Basic]\n"
        "[Git::NextVersion]\nfirst_version = 1.0\n[PkgVersion]\n[PodWeaver]\n[AutoPrereqs]\n"
    )
    module = "package Greet;\n# ABSTRACT: greet\nuse strict;\nuse warnings;\nsub hello { return 1 }\n1;\n"
    upstream.commit("Use Dist::Zilla", {"dist.ini": ini, "lib/Greet.pm": module, "old.tar.gz": None})
    plugins = ("libdist-zilla-perl", "libdist-zilla-plugin-git-perl", "libdist-zilla-plugin-podweaver-perl")
    record, tarball = snap("dzil build", plugins)
    assert record.verdict == "passed", record.message
    assert "ExtUtils::MakeMaker" in content(tarball, "Makefile.PL")
    assert "=head1 VERSION\n\nversion 1.1" in content(tarball, "lib/Greet.pm")
    record, _ = snap("dzil build", plugins[:1])
    assert record.exit_code == 1
    assert record.message.startswith("dzil build: failed: ")


SCM = """\
[build-system]
requires = ["setuptools>=64", "setuptools-scm>=7"]
build-backend = "setuptools.build_meta"
[project]
name = "greet"
dynamic = ["version"]
[tool.setuptools_scm]
[tool.setuptools]
py-modules = ["greet"]
"""
PBR_SETUP = "import setuptools\nsetuptools.setup(setup_requires=['pbr'], pbr=True)\n"
PBR = {"setup.py": PBR_SETUP, "setup.cfg": "[metadata]\nname = greet\n[files]\nmodules = greet\n"}


@pytest.mark.parametrize(
    "files, package, version",
    [
        ({"pyproject.toml": SCM}, "python3-setuptools-scm", "1.1.dev1+g"),
        (PBR, "python3-pbr", "1.0.1.dev1"),
    ],
    ids=["setuptools-scm", "PBR"],
)
def test_sdist_has_version(
    snap: Callable[..., tuple[Record, Path]], upstream: GitRepository, files: dict[str, str], package: str, version: str
) -> None:
    upstream.commit("Be a project", files | {"greet.py": "x = 1\n"}, author="Bea Büthor <bea@upstream.example>")
    record, tarball = snap("", (package,))
    assert record.verdict == "passed", record.message
    assert f"\nVersion: {version}" in content(tarball, "PKG-INFO")
    with tarfile.open(tarball) as tar:
        assert {(member.uid, member.gid, member.mtime) for member in tar} == {(0, 0, record.facts["committed"])}
    again, other = snap("", (package,))
    assert again.artifacts == record.artifacts
    assert other.read_bytes() == tarball.read_bytes()


IN_TREE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
LOOK = """\
import os, tarfile
def build_sdist(directory, settings=None):
    with open("found", "w") as file:
        file.write(f"{os.getuid()} {os.path.exists('OUTSIDE')}")
    with tarfile.open(f"{directory}/greet-1.tar.gz", "w:gz") as tar:
        for name in ("found", "lib/lib.txt"):
            tar.add(name, f"greet-1/{name}")
    return "greet-1.tar.gz"
"""


def test_sdist_is_not_made_on_host(
    snap: Callable[..., tuple[Record, Path]], upstream: GitRepository, git_repository: Any, tmp_path: Path
) -> None:
    """The build backend of upstream runs as another user, sees no files of the host, and has the submodules."""
    lib: GitRepository = git_repository("lib")
    commit = lib.commit("Lib", {"lib.txt": "from the submodule\n"})
    upstream.git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    (upstream.path / "lib").mkdir()
    backend = LOOK.replace("OUTSIDE", str(tmp_path))
    modules = '[submodule "lib"]\n\tpath = lib\n\turl = ../lib\n'
    upstream.commit("Be a project", {"pyproject.toml": IN_TREE, "backend.py": backend, ".gitmodules": modules})
    record, tarball = snap("", submodules="include")
    assert record.verdict == "passed", record.message
    assert content(tarball, "found") == "1234 False"
    assert content(tarball, "lib/lib.txt") == "from the submodule\n"


@pytest.mark.parametrize(
    "files, packages, expected",
    [
        ({"pyproject.toml": IN_TREE, "backend.py": "def build_sdist(d, c=None):\n    raise SystemError('no way')\n"}, [], (1, "the project makes no sdist: SystemError: no way")),
        ({"pyproject.toml": IN_TREE, "backend.py": "import nothing_like_it\n"}, [], (1, "No module named 'nothing_like_it'")),
        ({"setup.py": "import setuptools\nsetuptools.setup(name='x', version='one')\n"}, ["no-such-package"], (3, "the packages for the sdist cannot be installed: ")),
        (PBR, [], (1, "the project makes no sdist: missing dependencies: pbr (orig.packages: ")),
        ({"pyproject.toml": SCM}, [], (1, "the project makes no sdist: missing dependencies: setuptools-scm>=7 (orig.packages: ")),
    ],
    ids=["backend fails", "backend cannot be imported", "packages", "PBR", "plugin"],
)  # fmt: skip
def test_sdist_failure_of_project(
    snap: Callable[..., tuple[Record, Path]], upstream: GitRepository, files: dict[str, str], packages: list[str],
    expected: tuple[int, str],
) -> None:  # fmt: skip
    code, message = expected
    upstream.commit("Be no project", files)
    record, _ = snap("", tuple(packages))
    assert record.exit_code == code
    assert message in record.message
