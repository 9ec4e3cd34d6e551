"""Real packages, made in moments without a chroot, in runs that pretend to have built them; steps to be killed."""

from __future__ import annotations

import atexit
import functools
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from lab.base.run import run
from lab.store.step import describe
from tests.conftest import Bench, packaging_files

CHANGELOG = """\
{name} ({version}) {distribution}; urgency=medium

  * {text}.

 -- Test Lab <lab@lab.example>  Thu, 01 Jan 2026 00:00:00 +0000
"""
BINARY = """\
Package: {package}
Source: {name}
Version: {version}
Architecture: all
Maintainer: Test Lab <lab@lab.example>
Section: misc
Priority: optional
Description: program of a test
 It says what it is told.
"""
CONTENT = "usr/share/greet/{name}"
ENVIRONMENT = {"SOURCE_DATE_EPOCH": "1767225600"}
KINDS = {".changes": "changes", ".buildinfo": "buildinfo", ".deb": "binary", ".udeb": "binary", ".ddeb": "binary"}


def pretend_built(bench: Bench, version: str = "1.0-1", **options: Any) -> None:
    """Leave in a run what the steps up to content would have left: real packages and their records."""
    pretend_packages(bench, build(version, **options), version)


def pretend_packages(bench: Bench, packages: Path, version: str) -> None:
    """Leave packages of a directory in a run, with the records of the steps up to content."""
    out = bench.run.out
    shutil.copytree(packages, out, dirs_exist_ok=True)
    kinds = {path: KINDS.get(path.suffix, "orig" if ".orig." in path.name else "source") for path in out.iterdir()}
    made = {path: describe(bench.run, path, kind) for path, kind in sorted(kinds.items())}
    of_source = {path for path in made if made[path].kind == "source" or path.stem.endswith("_source")}
    of_sbuild = {path for path in made if made[path].kind != "orig"} - of_source
    bench.pretend("snapshot", commit="0" * 40)
    bench.pretend("source", version=version, artifacts=tuple(made[path] for path in sorted(of_source)))
    bench.pretend("sbuild", version=version, artifacts=tuple(made[path] for path in sorted(of_sbuild)))
    bench.pretend("lintian")
    bench.pretend("content")


def pretend_also_built(
    bench: Bench, architecture: str, version: str = "1.0-1", files: tuple[tuple[str, str], ...] = ()
) -> None:
    """Add the package greet-tool for an architecture to a run of `pretend_built`."""
    record = bench.run.record("sbuild")
    assert record is not None
    path = bench.run.out / f"greet-tool_{version}_{architecture}.deb"
    control = BINARY.format(package="greet-tool", name="greet", version=version)
    control = control.replace("Architecture: all", f"Architecture: {architecture}")
    binary(bench.run.work / architecture, path, control, "x", files)
    artifacts = (*record.artifacts, describe(bench.run, path, "binary"))
    architectures = [*record.facts.get("architectures", []), architecture]
    bench.pretend("sbuild", version=version, artifacts=artifacts, facts={"architectures": architectures})


@functools.cache
def build(
    version: str = "1.0-1",
    *,
    name: str = "greet",
    distribution: str = "bookworm",
    text: str = "Say hello",
    binaries: tuple[str, ...] = ("greet.deb",),
    drop: str = "",
    ballast: int = 0,
    control: str = "",
    files: tuple[tuple[str, str], ...] = (),
    described: str = "",
) -> Path:
    """A directory with a source package, ``binaries`` (PACKAGE.SUFFIX) and a .changes of either; not to be changed.

    ``text`` is told by the changelog and by the binary packages; lines of a control file that begin
    with ``drop`` are left out; the orig tarball has so many bytes of ``ballast``.  The binary packages have
    more lines of ``control`` and more ``files`` (paths, contents); ``described``: the binary package of debian/control.
    """
    home = Path(tempfile.mkdtemp(prefix="qalab-test-"))
    atexit.register(shutil.rmtree, home)
    upstream, plain = version.partition("-")[0].rpartition(":")[2], version.rpartition(":")[2]
    out, tree = home / "out", home / f"{name}-{upstream}"
    out.mkdir()
    entry = CHANGELOG.format(name=name, version=version, distribution=distribution, text=text)
    content = packaging_files(name) | {"greet.txt": f"{upstream}\n", "debian/changelog": entry}
    control_file = content["debian/control"].replace(f"Package: {name}\n", f"Package: {described or name}\n")
    content["debian/control"] = _without(drop, control_file)
    for path, data in content.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(data)
    (tree / "debian/rules").chmod(0o755)
    if ballast:
        (tree / "ballast").write_bytes(random.Random(ballast).randbytes(ballast))
    # As the lab's orig tarballs are: the same bytes whenever it is packed.
    run(["tar", "--create", "--gzip", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--exclude=debian",
         "--file", out / f"{name}_{upstream}.orig.tar.gz", tree.name], cwd=home)  # fmt: skip
    run(["dpkg-source", "--build", tree], cwd=out, env=ENVIRONMENT)
    run(["dpkg-genbuildinfo", "--build=source", f"-u{out}", f"-O{out}/{name}_{plain}_source.buildinfo"], cwd=tree)
    _changes(tree, out / f"{name}_{plain}_source.changes", "--build=source", "-sa")
    named = []
    for package, _, suffix in (binary.rpartition(".") for binary in binaries):
        named.append(f"{package}_{plain}_all.{suffix}")
        fields = BINARY.format(package=package, name=name, version=version).replace("Section:", f"{control}Section:")
        binary(home / package, out / named[-1], _without(drop, fields), text, files)
    (tree / "debian/files").write_text("".join(f"{file} {'-' if drop else 'misc'} optional\n" for file in named))
    _changes(tree, out / f"{name}_{plain}_amd64.changes", "--build=binary")
    return out


def binary(root: Path, path: Path, control: str, text: str, files: tuple[tuple[str, str], ...] = ()) -> None:
    """A binary package at ``path``, made of what lies at ``root`` then."""
    for name, content in (("DEBIAN/control", control), (CONTENT.format(name=root.name), f"{text}\n"), *files):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
        (root / name).chmod(0o755 if content.startswith("#!") else 0o644)
    run(["dpkg-deb", "--root-owner-group", "--build", root, path], env=ENVIRONMENT)


def _changes(tree: Path, path: Path, *options: str) -> None:
    result = run(["dpkg-genchanges", *options, f"-u{path.parent}"], cwd=tree, env=ENVIRONMENT, capture=True)
    path.write_text(result.stdout)


def _without(prefix: str, text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not (prefix and line.startswith(prefix)))


def start(module: ModuleType, bench: Bench) -> subprocess.Popen[bytes]:
    """A step as a process of its own."""
    program = f"import sys; from {module.__name__} import main; sys.exit(main(sys.argv[1:]))"
    lab = bench.run.path.parents[6] / "lab.yaml"
    argv = [sys.executable, "-c", program, "--lab", lab, "--run", bench.run.path]
    return subprocess.Popen(
        argv, cwd=Path(__file__).parent.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


KILLER = """\
#!/bin/sh
echo >> "$0.calls"
if [ "$(wc -l < "$0.calls")" -eq {call} ]; then
    {real} "$@" &
    sleep {delay}
    kill -9 $! $PPID
    exit 1
fi
exec {real} "$@"
"""


def killer(directory: Path, program: str, call: int, delay: float = 0) -> Path:
    """A directory for PATH with a program that dies in its n-th call, and the step that called it with it."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / program
    Path(f"{path}.calls").unlink(missing_ok=True)
    path.write_text(KILLER.format(call=call, delay=delay, real=shutil.which(program)))
    path.chmod(0o755)
    return directory


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last, "in vain"
        time.sleep(0.02)
