"""The items of a Jenkins that the lab describes: jobs (including folders) and views, each with its config.xml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["job", "view"]


@dataclass(frozen=True, order=True)
class ItemKey:
    """The kind and the full name of an item: ``FOLDER/SUBFOLDER/NAME``."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def folder(self) -> str:
        """The full name of the item's folder, empty at the top."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True)
class Item:
    """A job or a view, and its config.xml as decoded text."""

    key: ItemKey
    xml: str


Keep = Callable[[ItemKey, bytes], object]
"""Keeps the present config.xml of an item that a change overwrites or deletes."""
