"""The fields of an answer of a forge, checked where they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from lab.base.errors import NotNow, Refused
from lab.base.git import FULL_ID
from lab.forges.proposals import ProposalId, ReviewMessage, mark_of

S = TypeVar("S")
T = TypeVar("T")
LONGEST_NUMBER: Final = 18


@dataclass(frozen=True)
class Fields:
    """An object of an answer; ``what``: where it is from, for messages.  A wrong field raises NotNow."""

    what: str
    answer: Any

    def text(self, *path: str) -> str:
        """Return a text, "" for null and for a field of null: a deleted account, say.

        JSON can have characters that no file and no request can: half of a pair of surrogates.
        """
        value = self._at(path)
        if not isinstance(value, str | None):
            raise NotNow(f"{self.what}: {'.'.join(path)} is no text")
        return (value or "").encode("utf-8", "replace").decode()

    def number(self, *path: str) -> int:
        value = self._at(path)
        if (
            isinstance(value, str) and value.isdecimal() and len(value) <= LONGEST_NUMBER
        ):  # the SSH answers of a Gerrit 2
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise NotNow(f"{self.what}: {'.'.join(path)} is no number")
        return value

    def moment(self, *path: str) -> str:
        """Return a moment as RFC 3339, in UTC: of a text as in ISO 8601, or of a number of seconds since 1970."""
        value = self._at(path)
        try:
            found = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else datetime.fromisoformat(value)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
        except (TypeError, ValueError, OverflowError, OSError):
            raise NotNow(f"{self.what}: {'.'.join(path)} is no moment") from None

    def flag(self, *path: str) -> bool:
        """Return a truth value: only a false, null or missing field is False."""
        return bool(self._at(path))

    def commit(self, *path: str) -> str:
        value = self.text(*path)
        if not FULL_ID.fullmatch(value):
            raise NotNow(f"{self.what}: {'.'.join(path)} is no commit")
        return value

    def items(self, *path: str) -> list[Any]:
        """Return a list, empty for a missing one."""
        value = self._at(path) or []
        if not isinstance(value, list):
            raise NotNow(f"{self.what}: {'.'.join(path)} is no list")
        return value

    def _at(self, path: tuple[str, ...]) -> Any:
        value = self.answer
        for key in path:
            if value is None:
                return None
            if not isinstance(value, dict):
                raise NotNow(f"{self.what}: {'.'.join(path)} is missing")
            value = value.get(key)
        return value


def identity(what: str, **fields: Any) -> ProposalId:
    """Return the identity of a proposal.  Raises NotNow for fields that can be none of a proposal."""
    try:
        return ProposalId(**fields)
    except ValidationError as error:
        name = ".".join(map(str, error.errors()[0]["loc"]))
        raise NotNow(f"{what}: {name} of {fields['project']} {fields['number']} is wrong: {fields.get(name)}") from None


def readable(items: Iterable[S], read: Callable[[S], T]) -> list[T]:
    """Read the items of a list, without those that cannot be read: such as a merge request without a commit.

    Raises NotNow if there are several and none can be read: then the list is at fault.
    """
    found: list[T] = []
    wrong: list[NotNow] = []
    for item in items:
        try:
            found.append(read(item))
        except NotNow as error:
            wrong.append(error)
    if len(wrong) > 1 and not found:
        raise wrong[0]
    return found


def shown_comment(text: str, message: ReviewMessage, where: str) -> None:
    """Raise Refused if the comment that a server shows is not that of a message."""
    if mark_of(text) != message.mark:
        raise Refused(f"{where}: shows another comment on {message.id} than the one that was sent")
