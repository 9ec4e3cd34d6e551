"""The public form of bisections: those of public jobs, with redacted texts and without private components."""

from __future__ import annotations

from collections.abc import Iterator

from lab.base.errors import ConfigurationError, LabError
from lab.config.description import Lab
from lab.store.bisections import damage
from lab.store.runs import Store
from reports import bisections
from reports.bisections import Bisections, PublicBisection, PublicChange
from reports.home import PublicationHome
from reports.redact.promotions import is_public
from reports.redact.publication import Publication


def note(lab: Lab, place: PublicationHome, publication: Publication) -> list[LabError]:
    """Write down the answers of bisections, for the site; return what is damaged: the others are published."""
    place.bisections.write(published(publication, bisections.of_lab(lab)))
    return [ConfigurationError(line) for line in damage(Store.of(lab))]


def published(publication: Publication, found: Bisections) -> Bisections:
    """Return the bisections of public jobs that name no private component, redacted."""
    return tuple(
        _redacted(publication, one)
        for one in found
        if is_public(publication, one.track, (one.phase,), one.component)
        and all(is_public(publication, one.track, ("build",), name) for name in _components(one))
    )


def _components(one: PublicBisection) -> Iterator[str]:
    """Yield the other components of the lab that a bisection names."""
    tested = (point.change for point in one.points if point.change)
    yield from (change.id for change in (*one.suspects, *tested) if change.kind == "component")


def _redacted(publication: Publication, one: PublicBisection) -> PublicBisection:
    text = publication.redactor.text

    def redacted(change: PublicChange) -> PublicChange:
        return change.model_copy(update={"subject": text(change.subject), "author": text(change.author)})

    points = (
        point.model_copy(
            update={"message": text(point.message), "change": redacted(point.change) if point.change else None}
        )
        for point in one.points
    )
    return one.model_copy(
        update={
            "message": text(one.message), "name": text(one.name), "notes": tuple(map(text, one.notes)),
            "rejected": text(one.rejected), "suspects": tuple(map(redacted, one.suspects)), "points": tuple(points),
        }
    )  # fmt: skip
