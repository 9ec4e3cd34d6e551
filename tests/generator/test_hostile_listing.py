"""A listing that no Jenkins answers with is one line; nothing of it reaches the terminal, or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from generator.items import ItemKey
from generator.server import FOLDER, Server
from lab.base.errors import LabError
from lab.config.access import Access
from tests.cli.conftest import call, jenkins
from tests.impostor import Impostor, Reply

__all__ = ["call", "jenkins"]

OWN = f"<!-- Managed by qalab: lab=testlab digest={'a' * 64} -->"
PROJECT = "hudson.model.FreeStyleProject"


def job(name: Any, **more: Any) -> dict[str, Any]:
    return {"_class": PROJECT, "name": name, "description": OWN, **more}


def nested(depth: int) -> dict[str, Any]:
    return {"_class": FOLDER, "name": "f", "jobs": [nested(depth - 1)] if depth else []}


LISTINGS: dict[str, dict[str, Any]] = {
    **{repr(name): {"jobs": [job(name)]} for name in ("a\x1b[31mb", "a\nqalab: good", "a/b", "..", "", "a\ud800", "a\0", 7)},
    "a view": {"views": [job("a/../..")]},
    "a description": {"jobs": [job("a", description=7)]},
    "jobs": {"jobs": [7]},
    "nothing": {},
    "no jobs": {"_class": "hudson.model.Hudson", "views": []},
    "a folder without content": {"jobs": [{"_class": FOLDER, "name": "f", "description": OWN, "jobs": None}]},
    "folders without an end": {"jobs": [nested(3)]},
}  # fmt: skip


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    with Impostor(lambda _: Reply(status=404)) as one:
        yield one


@pytest.mark.integration
@pytest.mark.parametrize("name", LISTINGS)
def test_odd_listing_is_one_line(
    call: Callable[..., tuple[int, str]], jenkins: Any, impostor: Impostor, name: str
) -> None:
    lab = Path("lab.yaml")
    lab.write_text(lab.read_text().replace(jenkins.url, impostor.url))
    impostor.odd = {r"/api/json": Reply(LISTINGS[name], {"Content-Type": "application/json"})}
    for verb in (
        ["plan"],
        ["plan", "--quick"],
        ["drift"],
        ["apply", "--yes"],
        ["prune", "--yes"],
        ["backup", "saved"],
        ["doctor"],
    ):
        code, said = call(*verb)
        assert (code, said.count("\n")) == (2, 1), said
        assert "is not what a Jenkins answers: " in said or "in each other" in said
        assert said.strip().isprintable()
    assert not [request for request in impostor.asked if "config.xml" in request or "create" in request]


@pytest.mark.parametrize("crumb", [{"jobs": []}, [], 7, "crumb"])
def test_crumb_that_is_none_is_one_line(impostor: Impostor, crumb: Any) -> None:
    impostor.odd = {r"crumbIssuer/api/json": Reply(crumb, {"Content-Type": "application/json"})}
    with pytest.raises(
        LabError, match=r"^http://\S+: (?:answers with something else than JSON|nothing there: POST \S+).*$"
    ):
        Server(Access(impostor.url, "admin", "token")).create(ItemKey("job", "a"), b"<project/>")
