"""The pages of bisections: the list of them, and the evidence of each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from lab.results import addresses
from reports.bisections import Bisections, PublicBisection
from reports.site.bisection_models import BisectionLink, BisectionList, BisectionPage
from reports.site.identity import Identity
from reports.site.page_selection import Page
from reports.site.state import SiteState

HOME: Final = "bisections/"


def link(one: PublicBisection) -> BisectionLink:
    return BisectionLink(
        path=addresses.bisection_path(one.number), component=one.component, track=one.track, message=one.message, finished=one.finished,
        rejected=bool(one.rejected),
    )  # fmt: skip


def bisection_pages(state: SiteState, site: Identity) -> Iterator[Page]:
    """Yield the list of bisections and the page of each, and the pages to remove."""
    found: Bisections = site.bisections
    if found:
        yield Page(HOME, "bisections.html", lambda: BisectionList(bisections=tuple(map(link, reversed(found)))))
    known = {lane.component for lane in state.lanes()} if found else set()
    for one in found:
        yield Page(addresses.bisection_path(one.number), "bisection.html", partial(_page, one, one.component in known))
    kept = {HOME, *(addresses.bisection_path(one.number) for one in found)} if found else set()
    for name in state.pages_below(HOME):
        if (place := name.removesuffix("index.html")) not in kept:
            yield Page(place, "bisection.html", dict, is_gone=True)


def _page(one: PublicBisection, has_component: bool) -> BisectionPage:  # noqa: FBT001 - for partial
    return BisectionPage(bisection=one, has_component=has_component)
