"""The pages of promotions as data."""

from __future__ import annotations

from typing import Literal

from reports.model import FrozenModel
from reports.promotions import TrackPromotion


class PromotionLink(FrozenModel):
    """The page of a track's promotion, and the number of components that are not in the label."""

    track: str
    label: str
    path: str
    count: int


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
