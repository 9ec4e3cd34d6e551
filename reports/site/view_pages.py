"""The pages that show the lab itself, which changes also without new builds: health, the order of builds, promotions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from lab.results import addresses
from reports.lab_view import LabView
from reports.promotions import Promotions, TrackPromotion
from reports.site import order_page, overview
from reports.site.identity import Identity
from reports.site.page_selection import Page
from reports.site.promotion_models import PromotionLink, PromotionList, PromotionPage
from reports.site.state import SiteState

HOME: Final = "promotions/"


def pages_of_view(state: SiteState, site: Identity, view: LabView) -> Iterator[tuple[str, Iterator[Page]]]:
    """Yield the pages in independent groups, each with the name of its subject."""
    yield "the lab's health", _health(state, view)
    yield "the order of builds", _order(state, view)
    yield "promotions", _promotions(state, site, view.promotions)


def _health(state: SiteState, view: LabView) -> Iterator[Page]:
    yield Page("health/", "health.html", lambda: overview.health(state.lanes(), view))


def _order(state: SiteState, view: LabView) -> Iterator[Page]:
    yield Page(order_page.PATH, "order.html", lambda: order_page.order_page(view.graphs, state.lanes()))


def _promotion_path(track: str) -> str:
    return f"{HOME}{addresses.part(track)}/"


def _promotions(state: SiteState, site: Identity, found: Promotions) -> Iterator[Page]:
    """Yield the list of promotions and the page of each, and the pages to remove of tracks that promote no more."""
    links = tuple(
        PromotionLink(
            track=one.track,
            label=one.label,
            state=one.state,
            path=_promotion_path(one.track),
            count=len(one.components),
            open_votes=one.open_votes if one.open_state else (),
            checked=one.checked,
        )
        for one in found
    )
    if site.promotes:
        yield Page(HOME, "promotions.html", lambda: PromotionList(tracks=links))
    names = tuple(sorted({lane.component for lane in state.lanes()})) if found else ()
    for one in found:
        yield Page(_promotion_path(one.track), "promotion.html", partial(_promotion, one, names))
    kept = {HOME, *(link.path for link in links)}
    for known in state.pages_below(HOME):
        place = known.removesuffix("index.html")
        if place not in kept:
            yield Page(place, "promotion.html", dict, is_gone=True)


def _promotion(found: TrackPromotion, names: tuple[str, ...]) -> PromotionPage:
    known = {one.component for one in found.components}
    return PromotionPage(promotion=found, pages=tuple(name for name in names if name in known))
