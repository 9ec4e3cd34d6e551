"""Vendor the locked requirements in the sdist, so that the Debian package builds without network.

The sdist is the upstream tarball of the Debian package.  Its ``vendor/`` holds the distributions of
``requirements.txt``, each checked against its hash, for the Pythons of Debian 12 and 13 on the architectures of
``debian/control``; and the build backend that builds qalab from it.  A wheel has none of this.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PYTHONS = ("3.11", "3.13")
MACHINES = ("x86_64", "aarch64")
GLIBC = ("2_17", "2_28", "2_34", "2_36")  # Debian 12 has glibc 2.36


class VendorHook(BuildHookInterface[Any]):
    """Download the locked requirements into ``vendor/`` of an sdist."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        # An sdist that is unpacked has it already.
        if (Path(self.root) / "vendor").is_dir():
            build_data["force_include"][str(Path(self.root) / "vendor")] = "vendor"
            return
        self.vendored = tempfile.TemporaryDirectory(prefix="qalab-vendor-")
        for python in PYTHONS:
            for machine in MACHINES:
                download(
                    self.vendored.name,
                    python,
                    machine,
                    ["--require-hashes", "--requirement", f"{self.root}/requirements.txt"],
                )
        download(self.vendored.name, PYTHONS[0], MACHINES[0], backend())
        build_data["force_include"][self.vendored.name] = "vendor"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if hasattr(self, "vendored"):
            self.vendored.cleanup()


def download(target: str, python: str, machine: str, wanted: Iterable[str]) -> None:
    """Download exactly these distributions; a wheel where one exists."""
    platforms = [f"--platform=manylinux_{glibc}_{machine}" for glibc in GLIBC]
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--prefer-binary", "--dest", target]
    options += ["--implementation=cp", f"--python-version={python}", "--platform=any", *platforms]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, *wanted], check=True)


def backend() -> list[str]:
    """Return the build backend that runs now, and what it requires, each as NAME==VERSION."""
    wanted, pins = ["hatchling"], {}
    while wanted:
        found = metadata.distribution(wanted.pop())
        pins[found.metadata["Name"]] = found.version
        needed = (re.match(r"[\w.-]+", text) for text in found.requires or () if "extra ==" not in text)
        for name in (match[0] for match in needed if match):
            try:
                metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue  # for another Python
            if name not in pins:
                wanted.append(name)
    return sorted(f"{name}=={version}" for name, version in pins.items())
