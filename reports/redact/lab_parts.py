"""What the site shows of a lab besides its builds, in its public form: written down by each pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from lab.base.errors import Aborted, LabError
from lab.base.failures import caught
from lab.config.description import Lab
from reports.home import PublicationHome
from reports.redact import bisections, machines, promotions
from reports.redact.publication import Publication

PARTS: Final[dict[str, Callable[[Lab, PublicationHome, Publication], Iterable[LabError]]]] = {
    "promotions": promotions.note,
    "bisections": bisections.note,
    "machines": machines.note,
}


def note(lab: Lab, place: PublicationHome, publication: Publication) -> list[tuple[str, LabError]]:
    """Write the parts down; return what failed, which does not stop the others."""
    errors: list[tuple[str, LabError]] = []
    for name, write in PARTS.items():
        try:
            with caught():
                errors += [(name, error) for error in write(lab, place, publication)]
        except Aborted:
            raise
        except LabError as error:
            errors.append((name, error))
    return errors
