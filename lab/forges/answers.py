"""The fields of an answer of a forge, checked where they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.base.errors import NotNow, Refused
from lab.base.git import FULL_ID
from lab.forges.proposals import ReviewMessage, mark_of


@dataclass(frozen=True)
class Fields:
    """An object of an answer; ``what``: where it is from, for messages.  A wrong field raises NotNow."""

    what: str
    answer: Any

    def text(self, *path: str) -> str:
        """Return a text, "" for null and for a field of null: a deleted account, say."""
        value = self._at(path)
        if not isinstance(value, str | None):
            raise NotNow(f"{self.what}: {'.'.join(path)} is no text")
        return value or ""

    def number(self, *path: str) -> int:
        value = self._at(path)
        if not isinstance(value, int) or isinstance(value, bool):
            raise NotNow(f"{self.what}: {'.'.join(path)} is no number")
        return value

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


def shown_comment(text: str, message: ReviewMessage, where: str) -> None:
    """Raise Refused if the comment that a server shows is not that of a message."""
    if mark_of(text) != message.mark:
        raise Refused(f"{where}: shows another comment on {message.id} than the one that was sent")
