"""The demo: the main job on real input.

The distribution's own source package becomes an upstream and a packaging repository; two commits really
change the program; each is built, deployed on a pristine container from the lab's archive, and exercised
there; nothing is left of the containers.  Every date is fixed, so that every demo yields the same
sources.  The demo's lab is its own and starts afresh each time; chroots and mirrors are kept.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

from lab.base import environment, files, git, resources
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import ProgramFailed
from lab.base.run import run as run_program
from lab.config import apt
from lab.config.description import PHASES, Series
from lab.store.runs import Store
from scripts.archives.private_apt import own_apt
from scripts.demo.examples import Demo, DemoCommit
from scripts.drivers.nspawn import driver
from scripts.exercises import cases, command

SERIES = "bookworm"
TRACK = "trunk"
MAINTAINER = "Demo Lab <lab@demo.example>"
FIRST_COMMIT = 1_767_261_600  # 2026-01-01 10:00 UTC
DAY = 86_400


@contextmanager
def empty_home(name: str) -> Iterator[Path]:
    """Yield the empty directory of a demo's lab; remove leftovers of an earlier demo.

    Raises InfrastructureError while another process has the directory.
    """
    home = environment.state_home() / f"demo-{name}"
    with ExitStack() as held:
        try:
            held.enter_context(files.locked(environment.cache_home() / f"demo-{name}.lock", wait=False))
        except files.Busy:
            raise InfrastructureError(f"another demo works in {home}", hint="wait for its end, or end it") from None
        driver.target(Store(home).environments / TRACK).destroy()
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        yield home


def origin(demo: Demo) -> str:
    """Return where the repositories of a demo come from."""
    return "this checkout" if demo.from_checkout else f"the source package {demo.component} of Debian {SERIES}"


def last_printed(store: Store) -> str:
    """Return the output of the program in the last exercise."""
    found = cases.read(store.runs()[-1].results / "native" / cases.FILE)
    return next(case.output for case in found if case.classname == command.NAME)


def write_lab(demo: Demo, home: Path, *, deployed: bool) -> Path:
    """Write the description of the demo's lab; see `describe_lab`."""
    path = home / "lab.yaml"
    description = describe_lab(demo, home, name=home.name, deployed=deployed)
    path.write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
    return path


def describe_lab(demo: Demo, home: Path, *, name: str, deployed: bool) -> dict[str, Any]:
    """Return the description of a lab for the repositories in ``home``, see `make_repositories`.

    ``deployed``: whether this machine can deploy the packages.
    """
    packaging = {
        "git": str(home / "packaging"),
        "branch": "master",
        "testing": {"git": str(home / "packaging"), "branch": "testing"},
    }
    component = {
        "upstream": {"git": str(home / "upstream")},
        "packaging": packaging,
        "build": {key: list(words) for key, words in demo.build.items()},
        "test": {
            "steps": ["installable", "piuparts", "autopkgtest"],  # the others would take minutes
            "piuparts": [{"option": option, "reason": reason} for option, reason in demo.piuparts.items()],
        },
        **({"orig": demo.orig} if demo.orig else {}),
    }
    return {
        "lab": {"name": name, "maintainer": MAINTAINER, "description": "The demo"},
        "series": {SERIES: {}},
        "tracks": {TRACK: {"series": SERIES, "branch": "main", "phases": list(PHASES) if deployed else ["build"]}},
        "components": {demo.component: component},
        "deployment": deployment(demo),
        "publish": {"jobs": ["*"]},
    }


def deployment(demo: Demo) -> dict[str, Any]:
    """Return the deployment of a demo, with the applications around it."""
    application: dict[str, Any] = {"role": demo.role}
    application["options"] = {"command": shlex.join(demo.command), "prints": demo.always_prints}
    if demo.role == "package":
        application["packages"] = [demo.install]
    needs = {demo.component: demo.needs, **demo.around}
    return {
        "applications": {demo.component: application, **{name: {"role": name} for name in demo.around}},
        "relations": [[name, other] for name, others in needs.items() for other in others],
        "exercises": list(demo.exercises),
        **({"tempest": {}} if demo.tempest else {}),
    }


def make_repositories(demo: Demo, home: Path, log: IO[str]) -> list[str]:
    """Make the upstream and the packaging repository; return the ids of the new upstream commits."""
    packaging, upstream = home / "packaging", home / "upstream"
    env = git.NO_CONFIG | git.identity(MAINTAINER, FIRST_COMMIT)
    if demo.from_checkout:
        _clone_checkout(upstream, "main")
        _clone_checkout(packaging, "master")
    else:
        dsc = download_source(demo.component, environment.cache_home() / "sources", log)
        # Outside of any repository: gbp would import into the current one.
        run_program(["gbp", "import-dsc", "--no-pristine-tar", "--debian-branch=master", dsc, packaging.name],
                    log=log, env=env, cwd=home)  # fmt: skip
        git.git(["clone", "--quiet", "--branch", "upstream", "--single-branch", packaging, upstream])
        git.git(["branch", "--move", "main"], cwd=upstream)
    git.git(["tag", "--force", f"v{demo.upstream_version}"], cwd=upstream)
    tips = [
        _commit(upstream, commit, FIRST_COMMIT + number * DAY) for number, commit in enumerate(demo.commits, start=1)
    ]
    git.git(["checkout", "--quiet", "-b", "testing"], cwd=packaging)
    tests = packaging / "debian/tests/control"
    tests.parent.mkdir(exist_ok=True)
    before = tests.read_text() + "\n" if tests.exists() else ""
    tests.write_text(before + demo.test)
    git.git(["add", "--all"], cwd=packaging)
    git.git(["commit", "--quiet", "--message", "Test that the program starts"], cwd=packaging, env=env)
    git.git(["checkout", "--quiet", "master"], cwd=packaging)
    return tips


def _clone_checkout(path: Path, branch: str) -> None:
    """Clone this checkout's current commit as a branch.  Raises ConfigurationError outside a checkout."""
    if not (resources.ROOT / ".git").exists():
        raise ConfigurationError("this demo packages qalab's own git history: run it in a checkout")
    git.git(["clone", "--quiet", "--no-checkout", resources.ROOT, path])
    git.git(["checkout", "--quiet", "-B", branch, git.git(["rev-parse", "HEAD"], cwd=resources.ROOT)], cwd=path)


def _commit(repository: Path, commit: DemoCommit, when: int) -> str:
    for name in commit.files:
        path = repository / name
        text = path.read_text(encoding="utf-8")
        if commit.old not in text:
            raise InfrastructureError(f"{name} of this source package has no {commit.old!r}: the demo does not fit it")
        path.write_text(text.replace(commit.old, commit.new), encoding="utf-8")
    env = git.identity(commit.author, when)
    git.git(["commit", "--quiet", "--all", "--message", commit.subject], cwd=repository, env=env)
    return git.git(["rev-parse", "HEAD"], cwd=repository)


def download_source(name: str, cache: Path, log: IO[str]) -> Path:
    """Download the newest source package of a name with a private apt configuration, and return its .dsc."""
    options = own_apt(cache / "apt", apt.sources(SERIES, Series(), kind="deb-src"))
    into = cache / name
    into.mkdir(parents=True, exist_ok=True)
    try:
        run_program(["apt-get", *options, "update"], log=log)
        run_program(["apt-get", *options, "source", "--download-only", "--only-source", name], log=log, cwd=into)
    except ProgramFailed as error:
        hint = f"see {log.name}"
        raise InfrastructureError(
            f"the source package {name} cannot be had from this machine's mirror", hint=hint
        ) from error
    # Earlier calls can have left older versions; the newest file is the one that apt just downloaded.
    return max(into.glob("*.dsc"), key=lambda path: path.stat().st_mtime)
