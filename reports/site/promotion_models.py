"""The pages of promotions as data."""

from __future__ import annotations

from typing import Literal

from reports.model import FrozenModel
from reports.promotions import TrackPromotion


class PromotionLink(FrozenModel):
    """The page of a track's promotion: the state that its label names, and the number of components that are not in it.

    ``open_votes``: those that the state of the open promotion waits for; see `reports.promotions`.
    """

    track: str
    label: str
    state: str
    path: str
    count: int
    open_votes: tuple[str, ...]
    checked: str


class PromotionList(FrozenModel):
    """The promotions of all tracks."""

    kind: Literal["promotions"] = "promotions"
    tracks: tuple[PromotionLink, ...]


class PromotionPage(FrozenModel):
    """The components of a track that are not in its label, and the one thing that each waits for."""

    kind: Literal["promotion"] = "promotion"
    promotion: TrackPromotion
    pages: tuple[str, ...]
    """The components that have pages."""
