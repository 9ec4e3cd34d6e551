"""A real cross build: a C program for the machine's own architecture and another one, in one version of the archive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.run import output
from lab.config.description import Lab
from scripts import sbuild
from tests.conftest import CONTROL, Bench
from tests.integration.test_sbuild import make_source

pytestmark = [pytest.mark.integration, pytest.mark.full]
PROGRAM = {
    "debian/control": CONTROL.format(name="greet").replace("Architecture: all", "Architecture: any"),
    "debian/install": "greet usr/bin\n",
    "Makefile": "greet: greet.c\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<\n",
    "greet.c": '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n',
}


def test_program_is_built_for_two_architectures(
    shared_cache: Path, lab_factory: Callable[..., Lab], bench: Callable[..., Bench], tmp_path: Path
) -> None:
    place = bench(lab_factory(lab={"series": {"bookworm": {"architectures": ["amd64", "arm64"]}}}))
    make_source(place, PROGRAM)
    record = place.execute(sbuild)
    assert record.verdict == "passed", record.message
    assert record.facts["architectures"] == ["amd64", "arm64"]
    packages = {Path(item.path).name: place.run.path / item.path for item in record.artifacts if item.kind == "binary"}
    machines = {"amd64": "x86-64", "arm64": "aarch64"}
    for architecture, machine in machines.items():
        root = tmp_path / architecture
        output(["dpkg-deb", "--extract", packages[f"greet_1.0_{architecture}.deb"], root])
        assert machine in output(["file", root / "usr/bin/greet"])
