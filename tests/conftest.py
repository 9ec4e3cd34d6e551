"""What all tests share: a home of their own, real git repositories, small labs, runs with a step in them."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, settings

from lab.base import environment, files
from lab.base.git import NO_CONFIG, SAFE
from lab.config import apt
from lab.config.description import Lab
from lab.config.loading import load
from lab.store import step
from lab.store.records import Record
from lab.store.run_directory import Run
from lab.store.runs import Store
from scripts.archives import series_index
from scripts.registry import Step
from tests.source_mirror import Signer, SourceMirror, signer

# The same examples in each run, however busy the machine is.  For others: --hypothesis-profile=default.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("suite")

# Without this, each worker and each Python program of a test compiles its modules again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell without job control has what it starts in the background ignore SIGINT, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

NOWHERE = Path("/sys/nowhere")  # not even root can create it
EPOCH = 1_767_225_600  # 2026-01-01T00:00:00Z
QUILT = {"format": "3.0 (quilt)", "native": False, "components": [], "excluding": [], "suffix": ""}
"""The fact ``source_package`` of a snapshot for `packaging_files`."""


@pytest.hookimpl(tryfirst=True)  # before pytest looks at -m
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each ``full`` test be an ``integration`` test, so that the fast suite has neither."""
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker("integration")


def pytest_collection_finish() -> None:
    """Keep the garbage collector from visiting thousands of collected tests again and again."""
    gc.collect()
    gc.freeze()


INTEGRATION = Path(__file__).parent / "integration"


@pytest.fixture(autouse=True)
def own_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the user's is read or written.  A test without a directory has a home that nobody can create."""
    has_directory = "tmp_path" in request.fixturenames or request.node.get_closest_marker("integration")
    place = request.getfixturevalue("tmp_path") if has_directory else NOWHERE
    home: Path = place / "home"
    if place != NOWHERE:
        home.mkdir()
    for name in [name for name in os.environ if name.startswith(("GIT_", "QALAB_", "DEB", "BUILD_"))]:
        if name != "GIT_SSL_CAINFO":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    return home


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test cuts the power, so none waits for the disk."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture(autouse=True)
def short_patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that somebody holds is held for the whole of a fast test."""
    if not request.node.get_closest_marker("integration"):
        monkeypatch.setattr(files, "PATIENCE_SECONDS", 0.05)


@pytest.fixture(scope="session")
def mirror_signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    with signer(tmp_path_factory.mktemp("signer") / "gnupg") as made:
        yield made


@pytest.fixture
def source_mirror(tmp_path: Path, mirror_signer: Signer, monkeypatch: pytest.MonkeyPatch) -> SourceMirror:
    """The mirror of Debian series, with nothing in it."""
    mirror = SourceMirror(tmp_path / "mirror", mirror_signer)
    mirror.publish()
    monkeypatch.setenv("QALAB_MIRROR_DEBIAN", mirror.url)
    monkeypatch.setitem(apt.KEYRINGS, "debian", mirror_signer.keyring)
    return mirror


@pytest.fixture(autouse=True)
def unasked_mirror(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The distribution has none of the packages of tests, and is asked by those with a mirror of their own."""
    if "source_mirror" not in request.fixturenames and INTEGRATION not in request.path.parents:
        monkeypatch.setattr(series_index, "newest_version", lambda *_: series_index.SeriesVersion(""))


@dataclass
class GitRepository:
    """A real repository with a work tree; every commit a day after the one before it unless told."""

    path: Path
    when: int = EPOCH
    author: str = "Ada Author <ada@upstream.example>"
    heads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main", "--template=")
        with (self.path / ".git/config").open("a") as config:
            config.write("[uploadpack]\nallowAnySHA1InWant = true\n[maintenance]\nauto = false\n")

    def git(self, *argv: str | Path, env: Mapping[str, str] | None = None) -> str:
        argv = ["git", *SAFE, *map(str, argv)]
        return subprocess.run(
            argv, cwd=self.path, env=environment.clean() | NO_CONFIG | dict(env or {}),
            check=True, capture_output=True, encoding="utf-8", errors="surrogateescape",
        ).stdout.rstrip("\n")  # fmt: skip

    def commit(
        self,
        message: str | bytes = "Change it",
        files: Mapping[str, str | bytes | None] | None = None,
        *,
        author: str | None = None,
        when: int | None = None,
        encoding: str | None = None,
    ) -> str:
        """Write ``files`` (None: remove), commit all, return the full id. ``when``: Unix time."""
        self.when = when if when is not None else self.when + 86_400
        for name, content in (files or {}).items():
            target = self.path / name
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
            if name in {"debian/rules", "configure"}:
                target.chmod(0o755)
        self.git("add", "--all")
        name, _, address = (author or self.author).rstrip(">").rpartition(" <")
        stamp = f"{self.when} +0000"
        who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
               for key, value in (("NAME", name), ("EMAIL", address), ("DATE", stamp))}  # fmt: skip
        text = self.path.parent / f".{self.path.name}.message"
        text.write_bytes(message.encode() if isinstance(message, str) else message)
        config = ["-c", f"i18n.commitEncoding={encoding}"] if encoding else []
        self.git(
            *config,
            "commit",
            "--quiet",
            "--allow-empty",
            "--allow-empty-message",
            "--cleanup=verbatim",
            "--file",
            text,
            env=who,
        )
        self.heads.append(self.git("rev-parse", "HEAD"))
        return self.heads[-1]

    def tag(self, name: str, commit: str = "HEAD") -> None:
        self.git("tag", name, commit)


@pytest.fixture
def git_repository(tmp_path: Path) -> Callable[..., GitRepository]:
    """``git_repository("upstream")``: a new repository below tmp_path."""

    def make(name: str = "upstream", **options: Any) -> GitRepository:
        return GitRepository(tmp_path / name, **options)

    return make


CONTROL = """\
Source: {name}
Section: misc
Priority: optional
Maintainer: Lab <lab@lab.example>
Build-Depends: debhelper-compat (= 13)
Standards-Version: 4.6.2

Package: {name}
Architecture: all
Depends: ${{misc:Depends}}
Description: program of a test
 It says what it is told.
"""


def packaging_files(name: str = "greet", version: str = "1.0-1") -> dict[str, str]:
    """A small, valid debian/ directory for an architecture-independent package."""
    return {
        "debian/control": CONTROL.format(name=name),
        "debian/rules": "#!/usr/bin/make -f\n%:\n\tdh $@\n",
        "debian/source/format": "3.0 (quilt)\n",
        "debian/install": "greet.txt usr/share/greet\n",
        "debian/copyright": "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n",
        "debian/changelog": (
            f"{name} ({version}) unstable; urgency=medium\n\n  * Initial release.\n\n"
            " -- Lab <lab@lab.example>  Thu, 01 Jan 2026 00:00:00 +0000\n"
        ),
    }


def overlay(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in above.items():
        under = below.get(key)
        below[key] = overlay(dict(under), value) if isinstance(under, dict) and isinstance(value, Mapping) else value
    return below


@pytest.fixture
def lab_factory(tmp_path: Path) -> Callable[..., Lab]:
    """``lab_factory(upstream=URL, packaging=URL, component={...}, track={...}, lab={...})``: a small lab.

    One component (``greet``), one track (``trunk``), one series (``bookworm``); the mappings are laid
    over the component, the track, and the whole description.  Its file is tmp_path/lab.yaml.
    """

    def make(
        *,
        upstream: Path | str = "/nowhere/upstream",
        packaging: Path | str = "/nowhere/packaging",
        name: str = "greet",
        component: Mapping[str, Any] | None = None,
        track: Mapping[str, Any] | None = None,
        lab: Mapping[str, Any] | None = None,
    ) -> Lab:
        data: dict[str, Any] = {
            "lab": {"name": "testlab", "maintainer": "Test Lab <lab@lab.example>"},
            "series": {"bookworm": {}},
            "tracks": {"trunk": {"series": "bookworm", "branch": "main", "settle_seconds": 0}},
            "components": {name: {"upstream": {"git": str(upstream)}, "packaging": {"git": str(packaging)}}},
        }
        overlay(data, {"components": {name: component or {}}, "tracks": {"trunk": track or {}}})
        overlay(data, lab or {})
        path = tmp_path / "lab.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return load(path)

    return make


@pytest.fixture
def small_lab(
    lab_factory: Callable[..., Lab],
    git_repository: Callable[..., GitRepository],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Path]:
    """``small_lab(component={...})``: a lab with a real upstream and packaging repository; its file."""
    monkeypatch.setenv("QALAB_MIRROR_DEBIAN", "file:///nowhere/debian")  # the step changelog asks it
    upstream, packaging = git_repository("upstream"), git_repository("packaging")
    upstream.commit("Start", {"greet.txt": "hello\n"})
    upstream.tag("v1.0")
    upstream.commit("Greet the world", {"greet.txt": "hello world\n"})
    packaging.commit("Package it", packaging_files())

    def make(**parts: object) -> Path:
        lab_factory(upstream=upstream.path, packaging=packaging.path, **parts)
        return tmp_path / "lab.yaml"

    return make


@dataclass
class Bench:
    """A run of a lab, and steps executed in it as the runner does."""

    lab: Lab
    run: Run

    def execute(self, module: Step) -> Record:
        """Run one step; its record, whatever the verdict."""
        with self.run.held():
            return step.execute(module.NAME, module.action, self.lab, self.run)

    def log(self, name: str) -> str:
        return self.run.log_path(name).read_text(errors="surrogateescape")

    def pretend(self, name: str, **fields: Any) -> Record:
        """Leave the record that an earlier step would have left."""
        info = self.run.info
        record = Record(
            step=name,
            component=info.component,
            track=info.track,
            series=info.series,
            architecture="amd64",
            started=info.started,
            log=f"results/{name}.log",
            verdict="passed",
            exit_code=0,
            **fields,
        )
        record.write(self.run.record_path(name))
        if record.commit:
            self.run.write_info(info.model_copy(update={"commit": record.commit}))
        return record


@pytest.fixture
def bench() -> Callable[..., Bench]:
    """``bench(lab, revision="")``: a new run in the lab's store, ready for steps."""

    def make(lab: Lab, revision: str = "", track: str = "trunk", component: str | None = None) -> Bench:
        name = component or next(iter(lab.components))
        return Bench(lab, Store.of(lab).new_run(lab, track, name, revision))

    return make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody has signed but itself, with its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", path, "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path
