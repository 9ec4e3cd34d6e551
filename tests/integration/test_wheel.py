"""The wheel: one importable name, and a complete command outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import GitRepository, packaging_files

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", into, ROOT]
    subprocess.run(argv, check=True)
    (path,) = into.glob("qalab-*.whl")
    return path


@pytest.fixture(scope="module")
def qalab(wheel: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``qalab(*argv, cwd=DIR)``: the installed command, with the dependencies of this environment."""
    site = wheel.parent / "site"
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel]
    subprocess.run(argv, check=True)

    def call(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"PYTHONPATH": str(site)}
        command = [sys.executable, "-P", "-c", "import sys, qalab; sys.exit(qalab.main())", *argv]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)

    return call


def test_wheel_has_one_importable_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"qalab"}
    assert not [name for name in names if "/tests/" in name or name.endswith(".pyc")]


def test_installed_command_starts_a_lab(
    qalab: Callable[..., subprocess.CompletedProcess[str]],
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert qalab("--version", cwd=empty).stdout.startswith("qalab ")
    assert qalab("check", cwd=empty).returncode == 2
    assert qalab("check", ".", cwd=empty).returncode == 2
    done = qalab("init", "lab", cwd=empty)
    assert done.returncode == 0, done.stderr
    lab = empty / "lab"
    assert "valid: 6 jobs, " in (checked := qalab("check", cwd=lab)).stdout, checked.stdout + checked.stderr

    upstream, packaging = git_repository("upstream"), git_repository("packaging")
    upstream.commit("Start", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    packaging.commit("Package it", packaging_files())
    data = yaml.safe_load((lab / "lab.yaml").read_text())
    upstream_branch = upstream.git("branch", "--show-current").strip()
    data["components"] = {
        "greet": {
            "upstream": {"git": str(upstream.path), "branch": upstream_branch},
            "packaging": {"git": str(packaging.path), "branch": packaging.git("branch", "--show-current").strip()},
        }
    }
    (lab / "lab.yaml").write_text(yaml.safe_dump(data))
    assert qalab("check", cwd=lab).returncode == 2
    assert qalab("jenkins", "generate", cwd=lab).returncode == 0
    assert qalab("check", cwd=lab).returncode == 0
    done = qalab("run", "trunk", "greet", "--until", "source", cwd=lab)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "source    ✔ passed" in done.stdout
    assert qalab("doctor", cwd=lab).returncode in {0, 3}
    assert qalab("test", cwd=lab).returncode == 2
