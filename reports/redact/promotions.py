"""The public form of promotions: without private components, and with redacted reasons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lab.config.description import Lab, job_name
from reports import promotions
from reports.home import PublicationHome
from reports.promotions import Promotions, TrackPromotion, UnpromotedComponent
from reports.redact.publication import Publication, allowed

PROBED = ("deploy", "exercise")
PRIVATE = "waits for a component that is not public"


def note(lab: Lab, place: PublicationHome, publication: Publication) -> tuple[()]:
    """Write down what the tracks of a lab have not promoted, for the site."""
    place.promotions.write(published(publication, promotions.of_lab(lab)))
    return ()


def published(publication: Publication, found: Promotions) -> Promotions:
    """Return the promotions of the tracks whose deployments or exercises are public, with redacted reasons."""
    return tuple(_redacted(publication, one) for one in found if is_public(publication, one.track, PROBED, "all"))


def _redacted(publication: Publication, found: TrackPromotion) -> TrackPromotion:
    text = publication.redactor.text
    public = [one for one in found.components if is_public(publication, found.track, ("build",), one.component)]
    private = {one.component for one in found.components} - {one.component for one in public}
    components = (
        one.model_copy(update={"reason": PRIVATE, "waits_for": "", "runs": ()})
        if _names(one, private)
        else one.model_copy(update={"reason": text(one.reason), "waits_for": text(one.waits_for)})
        for one in public
    )
    return found.model_copy(update={"components": tuple(components)})


def _names(one: UnpromotedComponent, components: Iterable[str]) -> bool:
    """Return whether the reason of a component names a version of one of some components."""
    told = f"{one.waits_for} {one.reason}"
    return any(re.search(rf"(?<![\w.+-])-?{re.escape(name)}[/ ]", told) for name in components)


def is_public(publication: Publication, track: str, phases: tuple[str, ...], component: str) -> bool:
    """Return whether a job of some phases is public, by its name in Jenkins or in the local store."""

    def names() -> Iterator[str]:
        for phase in phases:
            yield from (job_name(track, component, phase), f"{track}/{component}/{phase}")

    return any(allowed(name, publication.policy.jobs) for name in names())
