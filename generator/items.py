"""What a Jenkins holds that the lab describes: jobs (folders among them) and views, each with its config.xml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["job", "view"]


@dataclass(frozen=True, order=True)
class ItemKey:
    """What an item is and where: ``name`` is its full name, ``FOLDER/SUBFOLDER/NAME``."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def folder(self) -> str:
        """The full name of the folder that it lies in, empty at the top."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True)
class Item:
    """A job or a view, and its config.xml as text without an XML declaration's encoding to mind."""

    key: ItemKey
    xml: str
