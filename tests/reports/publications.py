"""Builds for tests of publications, and the path from a text to the final bytes of a bundle."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lab.config.description import Lab
from lab.forges.proposals import ProposalId
from lab.results.secret_patterns import PATTERNS
from reports import bundle
from reports.bundle import Bundle
from reports.model import Build, File, Log
from reports.redact import places, rules
from reports.redact.known_secrets import Secret
from reports.redact.pseudonyms import Pseudonyms
from reports.redact.publication import Publication
from reports.redact.redactor import Redactor
from reports.redact.scan import Scanner

KEY = Pseudonyms(b"a key of tests")
SECRET = "s3cr3t/w0rd&x y'z"  # with characters that URLs, shells, JSON and XML quote
PLANTED = "Pl4nted-Secret/77"
COMMIT = "c0ffee" * 6 + "c0de"


def a_proposal(number: int = 12) -> ProposalId:
    """Return the identity of a pull request."""
    head, ref = f"{number:040x}", f"refs/pull/{number}/head"
    return ProposalId(forge="hub", project="up/greet", number=number, head=head, ref=ref, branch="main")


def a_build(**changed: Any) -> Build:
    fields: dict[str, Any] = {
        "origin": "local",
        "job": "trunk/greet/build",
        "number": 7,
        "started": "2026-01-01T00:00:00.000Z",
        "finished": "2026-01-01T00:01:00.000Z",
        "seconds": 60.0,
        "lab": "testlab",
        "track": "trunk",
        "component": "greet",
        "series": "bookworm",
        "architecture": "amd64",
        "phase": "build",
        "commit": COMMIT,
        "version": "10.0.1.2-1",
        "verdict": "passed",
    }
    return Build(**fields | changed)


@dataclass
class Press:
    """The publication of a lab, and its output directory."""

    home: Path
    publication: Publication
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.home / "raw.log"

    def path(self, build: Build, files: Mapping[str, Path] | None = None) -> Path:
        return self.publication.publish(build, files or {}, self.home / "bundles")

    def publish(self, build: Build, files: Mapping[str, Path] | None = None) -> Bundle:
        return bundle.read(self.path(build, files))

    def line(self, raw: str | bytes) -> str:
        """Return the log in the final bytes of a bundle for a log with this content."""
        self.log.write_bytes(raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass"))
        log = Log(name="x.log", path="logs/x.log", size=0, lines=0)
        with self.publish(a_build(logs=(log,)), {"logs/x.log": self.log}).open("logs/x.log") as stream:
            return stream.read().decode()

    def artifact(self, name: str, content: bytes) -> tuple[Bundle, bytes | None]:
        """Return the bundle of a build with an artifact, and the published content."""
        path = self.home / "artifact"
        path.write_bytes(content)
        one = File(name=name, sha256="0" * 64, size=len(content), kind="other", path="files/it")
        found = self.publish(a_build(files=(one,)), {"files/it": path})
        names = [name for name in found.sizes if name.startswith("files/")]
        if not names:
            return found, None
        with found.open(names[0]) as stream:
            return found, stream.read()


@cache
def a_publication() -> Publication:
    """Return the publication of a lab that publishes everything and has one known secret."""
    lab = Lab.model_validate({
        "lab": {"name": "testlab", "maintainer": "Lab <lab@lab.example>"}, "series": {"bookworm": {}},
        "tracks": {"trunk": {"series": "bookworm"}}, "components": {"greet": {}},
        "publish": {"jobs": ("*",), "artifacts": ("*",), "parameters": ("*",)},
    })  # fmt: skip
    secrets = (Secret("cloud", SECRET),)
    every = rules.for_lab(lab, secrets, KEY)
    sure = tuple(rule for rule in every if rule.sure)
    return Publication(lab.publish, Redactor(every), Redactor(sure), Scanner(secrets, every))


def press(lab: Lab, home: Path, hosts: tuple[str, ...] = ()) -> Press:
    return Press(home, Publication.with_key(lab, KEY, hosts))


def lab_that_publishes(lab_factory: Callable[..., Lab], **publish: Any) -> Lab:
    return lab_factory(lab={"publish": {"jobs": ["*"]} | publish})


def final_bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def a_redactor(line: int = 8192) -> Redactor:
    secrets = [Secret("cloud", SECRET), Secret("planted", PLANTED)]
    nodes = places.of_places(KEY, ["builder7"], ["corp.example"], frozenset())
    every = (*rules.of_secrets(secrets), *map(rules.of_pattern, PATTERNS), *nodes, *places.emails())
    return Redactor(every, line)
