"""The pages of promotions: for each track that promotes, the components that are not in its label, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Final

from lab.results import addresses
from reports.promotions import Promotions, TrackPromotion
from reports.site.identity import Identity
from reports.site.page_selection import Page
from reports.site.promotion_models import PromotionLink, PromotionList, PromotionPage
from reports.site.state import SiteState

HOME: Final = "promotions/"


def fingerprint(found: Promotions) -> str:
    """Return a digest of promotions; empty for none."""
    text = "\n".join(one.model_dump_json() for one in found)
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def path(track: str) -> str:
    return f"{HOME}{addresses.part(track)}/"


def promotion_pages(state: SiteState, site: Identity, found: Promotions) -> Iterator[Page]:
    """Yield the list of promotions and the page of each, and the pages to remove of tracks that promote no more."""
    links = tuple(
        PromotionLink(track=one.track, label=one.label, path=path(one.track), count=len(one.components))
        for one in found
    )
    if site.promotes:
        yield Page(HOME, "promotions.html", lambda: PromotionList(tracks=links))
    names = tuple(sorted({lane.component for lane in state.lanes()})) if found else ()
    for one in found:
        yield Page(path(one.track), "promotion.html", partial(_page, one, names))
    kept = {HOME, *(link.path for link in links)}
    for known in state.pages_below(HOME):
        place = known.removesuffix("index.html")
        if place not in kept:
            yield Page(place, "promotion.html", dict, is_gone=True)


def _page(found: TrackPromotion, names: tuple[str, ...]) -> PromotionPage:
    known = {one.component for one in found.components}
    return PromotionPage(promotion=found, pages=tuple(name for name in names if name in known))
