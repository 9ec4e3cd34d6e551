"""The public form of bare machines: of a lab with public deployments, with redacted reasons."""

from __future__ import annotations

from lab.config.description import Lab
from reports import machines
from reports.home import PublicationHome
from reports.machines import Machines
from reports.redact.promotions import PROBED, is_public
from reports.redact.publication import Publication


def note(lab: Lab, place: PublicationHome, publication: Publication) -> tuple[()]:
    """Write down the state of the lab's machines, for the site."""
    place.machines.write(published(lab, publication, machines.of_lab(lab)))
    return ()


def published(lab: Lab, publication: Publication, found: Machines) -> Machines:
    """Return the machines with redacted texts; none where no deployment is public."""
    if not any(
        is_public(publication, track, PROBED, name) for track in lab.tracks for name in ("all", *lab.components)
    ):
        return ()
    text = publication.redactor.text
    return tuple(one.model_copy(update={"reason": text(one.reason), "failed": text(one.failed)}) for one in found)
