"""A request on its way through a Jenkins, and the pages that end it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl, unquote

from tests.jenkins import forms, tree
from tests.jenkins.exported import Exporter
from tests.jenkins.server import Answer, Request
from tests.jenkins.state import Build, State
from tests.jenkins.tree import Bean
from tests.jenkins.users import User

VERSION = "2.426.2"
_SECRET = re.compile(r">\{AQAA[A-Za-z0-9+/]+=*\}<")


class Refused(Exception):
    """Ends a request with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def page(status: int, title: str, text: str = "", **headers: str) -> Answer:
    """A page of Jenkins' own."""
    body = (
        f"<!DOCTYPE html><html><head><title>{html.escape(title)}</title></head><body>{html.escape(text)}</body></html>"
    )
    return Answer(status, body.encode(), "text/html;charset=utf-8", {**headers, "X-Jenkins": VERSION})


def bare(status: int, text: str, **headers: str) -> Answer:
    """A page of the servlet container's: Jenkins never saw the request."""
    body = f"<html><head><title>Error {status} {html.escape(text)}</title></head></html>".encode()
    return Answer(status, body, "text/html;charset=iso-8859-1", headers)


def missing() -> Refused:
    return Refused(page(404, "Not Found [Jenkins]"))


def failure(message: str) -> Refused:
    """Jenkins' Failure: its curly quotes are no header's, and go as blanks."""
    return Refused(page(400, "Jenkins [Jenkins]", message, **{"X-Error": re.sub("[‘’“”]", " ", message).lstrip()}))


def broken(error: Exception) -> Refused:
    return Refused(page(500, "Jenkins [Jenkins]", str(error)))


_SECRET = re.compile(r">\{AQAA[A-Za-z0-9+/]+=*\}<")


@dataclass
class Call:
    """A request on its way through."""

    request: Request
    user: User
    state: State
    exporter: Exporter
    run: Callable[[Build], None] | None
    """Does the work of a build that is started."""
    gap: int = 0
    """How many requests later a build appears that has left the queue."""
    changed: bool = False

    @cached_property
    def segments(self) -> list[str]:
        return [unquote(part) for part in self.request.target.partition("?")[0].split("/")[1:]]

    @cached_property
    def query(self) -> Mapping[str, str]:
        return dict(parse_qsl(self.request.target.partition("?")[2], keep_blank_values=True))

    @cached_property
    def form(self) -> Mapping[str, str | bytes]:
        """The query and the form, multipart or not; a file is bytes."""
        return {**self.query, **forms.fields(self.request.headers.get("content-type", ""), self.request.body)}

    @property
    def text(self) -> str:
        return self.request.body.decode("utf-8", "replace")

    def need(self, right: str) -> None:
        if right not in self.user.rights:
            raise Refused(
                page(
                    403,
                    "",
                    f"{self.user.name} is missing the {'Overall' if right == 'SystemRead' else 'Job'}/{right} permission",
                )
            )

    def writes(self, right: str) -> None:
        """What follows changes something: it must be a POST, and allowed."""
        if self.request.method != "POST":
            raise Refused(page(405, "Method Not Allowed [Jenkins]"))
        self.need(right)
        self.changed = True

    def json(self, bean: Bean) -> Answer:
        try:
            branch = tree.parse(self.query["tree"]) if self.query.get("tree") else None
        except ValueError as error:
            raise broken(error) from None
        shown = tree.shown(bean, branch, int(self.query.get("depth", "0")))
        body = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
        return Answer(200, body, "application/json;charset=utf-8", {"X-Jenkins": VERSION})

    def redirect(self, path: str, status: int = 302) -> Answer:
        return Answer(status, headers={"Location": f"{self.exporter.url}{path}"})

    def xml(self, text: str) -> Answer:
        """A config.xml; without Job/Configure with a mask for each secret (see hudson.model.AbstractItem.writeConfigDotXml)."""
        self.need("ExtendedRead")
        if "Configure" not in self.user.rights:
            text = _SECRET.sub(">********<", text)
        return Answer(200, text.encode(), "application/xml")
