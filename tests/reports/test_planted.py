"""Secrets planted in everything that a build publishes: none is in the bytes of its bundle and of the site."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from itertools import cycle
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest

from lab.results.cases import Case
from reports.formats import registry
from reports.model import Build, Commit, File, Log, StepSummary
from reports.site import Identity, build
from tests import planted
from tests.reports.archived import texts_in
from tests.reports.publications import a_build, a_publication

pytestmark = pytest.mark.integration

TEMPLATES = [template for templates in planted.KINDS.values() for template in templates]
OVER_LINES = "over lines"
NAMES = (
    "OS_PASSWORD",
    "API_TOKEN",
    "adminPass",
    "db_pass",
    "MYSQL_PWD",
    "CLIENT_SECRET",
    "RAILS_MASTER_KEY",
    "password2",
)


def a_tar(texts: list[str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for number, text in enumerate(texts):
            member = tarfile.TarInfo(f"{number}.txt")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def a_zip(texts: list[str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.txt", "\n".join(texts))
        archive.writestr("in.tar.gz", a_tar([]))
    return out.getvalue()


@dataclass
class Planted:
    """The planted secrets, by their carrier and template."""

    secrets: list[tuple[str, str, str]]

    def texts(self, carrier: str, step: int = 1, kind: str = "") -> list[str]:
        """Return the texts for a carrier, each with secrets that no other text has; of all templates, or each ``step``-th."""
        found = []
        chosen = list(planted.OVER_LINES.values()) if kind == OVER_LINES else planted.KINDS[kind] if kind else TEMPLATES
        for template in chosen[::step]:
            text, secrets = planted.parts(template, carrier)
            self.secrets += [(carrier, template, secret) for secret in secrets]
            found.append(text)
        return found

    def parameters(self) -> dict[str, str]:
        values = {name: planted.secret(f"parameter {name}") for name in NAMES}
        self.secrets += [("parameter", name, value) for name, value in values.items()]
        return values


def a_junit(texts: list[str]) -> bytes:
    """Return a result with each text in an output, a failure, a property or the output of its suite."""
    tests = [
        f"<testcase name='t{number}'><{kind}>{escape(text)}</{kind}></testcase>"
        for number, (text, kind) in enumerate(zip(texts, cycle(("failure", "system-out", "system-err", "error"))))
    ]
    properties = "".join(f"<property name='x' value={quoteattr(text)}/>" for text in texts[::5])
    suite = f"<testsuite name='s'><properties>{properties}</properties>{''.join(tests)}"
    return f"{suite}<system-out>{escape(chr(10).join(texts[::7]))}</system-out></testsuite>".encode()


def a_subunit(texts: list[str]) -> bytes:
    """Return a stream in which each text is an attachment of a test."""
    return b"".join(
        f"test: t{number}\nfailure: t{number} [ multipart\nContent-Type: text/plain;charset=utf8\nlog\n"
        f"{len(text.encode()):X}\r\n{text}0\r\n]\n".encode()
        for number, text in enumerate(texts)
    )


def of_results(plants: Planted, home: Path) -> list[Case]:
    """Return the cases of results with plants, as the formats read them."""
    (home / "x.xml").write_bytes(a_junit([*plants.texts("JUnit"), *plants.texts("JUnit", kind=OVER_LINES)]))
    (home / "x.subunit").write_bytes(
        a_subunit([*plants.texts("subunit attachment"), *plants.texts("subunit attachment", kind=OVER_LINES)])
    )
    return [*registry.cases("junit", home / "x.xml"), *registry.cases("subunit", home / "x.subunit")]


def whole_build(plants: Planted, home: Path) -> tuple[Build, dict[str, Path]]:
    """Return a build with plants in every part of it, and its files."""
    contents: dict[str, bytes] = {
        "logs/sbuild.log": "\n".join([*plants.texts("log"), *plants.texts("log", kind=OVER_LINES)]).encode(),
        "files/text": "\n".join([*plants.texts("artifact"), *plants.texts("artifact", kind=OVER_LINES)]).encode(),
        "files/tar": a_tar([*plants.texts("archive"), *plants.texts("archive", kind=OVER_LINES)]),
        "files/gz": gzip.compress("\n".join(plants.texts("gz", 2)).encode()),
        "files/zip": a_zip(plants.texts("zip", 3)),
    }
    given = {}
    for number, (name, content) in enumerate(contents.items()):
        given[name] = home / f"raw{number}"
        given[name].write_bytes(content)
    names = {"text": "x.txt", "tar": "x.tar.gz", "gz": "x.log.gz", "zip": "x.zip"}
    files = [File(name=name, sha256="0" * 64, size=1, kind="other", path=f"files/{key}") for key, name in names.items()]
    files += [
        File(name=f"{text}.txt", sha256="0" * 64, size=1, kind="other")
        for text in plants.texts("file name", 3, "token")
    ]
    case = Case(
        suite="planted", classname="x", name="all", outcome="failed", message="\n".join(plants.texts("message", 3)),
        evidence="\n".join(plants.texts("evidence", 3)), output="\n".join(plants.texts("output")), errors="\n".join(plants.texts("errors", 3)),
    )  # fmt: skip
    named = [
        Case(suite="planted", classname="x", name=text, outcome="failed", message="x") for text in plants.texts("test name")
    ]  # fmt: skip
    commits = tuple(Commit(id="c0ffee" * 6 + "c0de", subject=text, author="A") for text in plants.texts("commit"))
    return a_build(
        verdict="failed", step="sbuild", message=plants.texts("build", 60)[0], cases=(case, *named, *of_results(plants, home)), commits=commits,
        steps=(StepSummary(step="sbuild", verdict="failed", message="\n".join(plants.texts("step", 5)), log="sbuild.log"),),
        logs=(Log(name="sbuild.log", path="logs/sbuild.log", size=1, lines=1),), files=tuple(files),
        parameters={**plants.parameters(), "NOTE": "\n".join(plants.texts("parameter"))},
        notes=tuple(plants.texts("note", 9)),
    ), given  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planted, dict[str, str]]:
    """Return the plants, and the texts of the bundle and of the site by their names."""
    home = tmp_path_factory.mktemp("planted")
    plants = Planted([])
    one, given = whole_build(plants, home)
    path = a_publication().publish(one, given, home / "bundles")
    build([path], home / "site", Identity("planted"))
    raw = {"bundle": path.read_bytes()}
    raw |= {str(file.relative_to(home)): file.read_bytes() for file in (home / "site").rglob("*") if file.is_file()}
    texts = {name: b"\n".join(texts_in(content)).decode("utf-8", "replace") for name, content in raw.items()}
    return plants, {name: text + unescape(text) if "&" in text else text for name, text in texts.items()}


def test_enough_is_planted(published: tuple[Planted, dict[str, str]]) -> None:
    plants, texts = published
    for carrier in ("log", "JUnit", "subunit attachment", "parameter", "artifact", "archive", "commit", "test name"):
        assert len({secret for where, _, secret in plants.secrets if where == carrier}) >= len(TEMPLATES) > 250
    assert len({secret for _, _, secret in plants.secrets}) >= 2500
    assert {carrier for carrier, _, _ in plants.secrets} >= {
        "log", "artifact", "archive", "gz", "zip", "file name", "message", "evidence", "output", "errors", "test name", "commit", "parameter",
    }  # fmt: skip
    everything = "".join(texts.values())
    assert "REDACTED" in everything
    assert everything.count("[REDACTED:") > 1000


@pytest.mark.parametrize(
    "where", [lambda name: name == "bundle", lambda name: name != "bundle"], ids=["bundle", "site"]
)
def test_no_planted_secret_survives(published: tuple[Planted, dict[str, str]], where: Callable[[str], bool]) -> None:
    plants, texts = published
    everything = "\n".join({line for name, text in texts.items() if where(name) for line in text.split("\n")})
    shortest = min(len(secret) for _, _, secret in plants.secrets)
    pieces = {everything[at : at + shortest] for at in range(len(everything))}  # a search for each secret takes longer
    survivors = [plant for plant in plants.secrets if plant[2][:shortest] in pieces and plant[2] in everything]
    assert survivors == []
