"""What the client of Juju prints as JSON, apart from the status."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from lab.base.errors import InfrastructureError
from lab.base.run import LONGEST
from scripts.drivers.juju.status_info import Info, StatusPart

T = TypeVar("T")
GENERIC: Final = re.compile(r"^(?:exit status \d+)?$")
DECODER: Final = json.JSONDecoder()
BEGINNING: Final = re.compile(r"^[{\[]", re.MULTILINE)


class JujuLogin(StatusPart):
    """The output of ``juju whoami``."""

    controller: str
    user: str


class JujuUser(StatusPart):
    """The output of ``juju show-user``; ``access``: to the controller, such as ``login`` or ``superuser``."""

    access: str = ""


class ListedModel(StatusPart):
    """A model in a list; ``owner``: none where a version does not name it."""

    name: str = Field("", alias="short-name")
    owner: str = ""
    full: str = Field("", alias="name")
    """The name with that of the owner before a slash."""
    life: str = "alive"
    status: Info = Info()

    @property
    def of(self) -> str:
        """Return the owner; Juju 4 names only a qualifier."""
        return self.owner or self.full.rpartition("/")[0]


class ModelList(StatusPart):
    """The output of ``juju models``."""

    models: tuple[ListedModel, ...] = ()


class CharmOption(StatusPart):
    """An option of a charm."""

    value: str | int | float | bool | None = None


class CharmOptions(StatusPart):
    """The output of ``juju config``."""

    settings: Mapping[str, CharmOption] = {}


class ActionResult(StatusPart):
    """What ``juju run`` prints of one unit."""

    status: str = ""
    message: str = ""
    results: Mapping[str, Any] = {}

    @property
    def reason(self) -> str:
        """Return why it failed: of a program that says nothing to Juju, the last line of its error output."""
        lines = str(self.results.get("stderr") or "").strip().splitlines()
        if GENERIC.search(self.message) and lines:
            return f"{self.message}: {lines[-1]}".removeprefix(": ")
        return self.message


def parse(kind: type[T], text: str, where: str) -> T:
    """Return an answer.  A client can print warnings before and after it.

    Raises InfrastructureError for another one; ``where``: what printed it.
    """
    match = BEGINNING.search(text)
    if not match:
        raise InfrastructureError(f"{where}: not JSON: {text.strip()[:LONGEST] or 'nothing'}")
    # A warning can begin with a bracket, too; where nothing is whole, the error tells why.
    answer = max(_values(text), key=len, default=text[match.start() :])
    try:
        return TypeAdapter(kind).validate_json(answer)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InfrastructureError(f"{where}: not as it is documented: {place}: {first['msg']}") from None


def _values(text: str) -> Iterator[str]:
    """Yield the objects and lists of JSON that begin at the beginning of a line."""
    end = 0
    for match in BEGINNING.finditer(text):
        if match.start() >= end:
            with suppress(ValueError, RecursionError):
                _, end = DECODER.raw_decode(text, match.start())
                yield text[match.start() : end]
