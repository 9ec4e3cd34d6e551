"""Reading of many items: one that cannot be read is told in one line, and stops no other one.

A 404 alone does not prove that an item was deleted: a proxy answers so to names that it does not like, and a Jenkins
while it loads.  Only an item that a second listing does not have is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from generator.items import ItemKey
from generator.server import Server
from lab.base.errors import LabError
from lab.config.jenkins_failures import (
    BadAnswer,
    JenkinsFault,
    JenkinsForbidden,
    JenkinsMissing,
    JenkinsRefused,
    JenkinsSlow,
    JenkinsUnsure,
    listed_only,
)

WORKERS = 8
UNANSWERED = 8
"""So many requests without an answer, one after the other, are no fault of an item: the server is away."""


def fetch_readable(server: Server, keys: Iterable[ItemKey]) -> tuple[dict[ItemKey, bytes], dict[ItemKey, LabError]]:
    """Return the config.xml of each item, without items that were deleted meanwhile, and the errors of the others.

    Raises LabError if the server cannot be reached, or lets this account read none of several items.
    """
    found, missing = _read(server, keys)
    if missing:
        listed = server.listing()
        again, absent = _read(server, [key for key in missing if key in listed])
        found |= again | {key: listed_only(server.url, str(key), "config.xml") for key in absent}
    configs = {key: answer for key, answer in found.items() if isinstance(answer, bytes)}
    failures = {key: answer for key, answer in found.items() if isinstance(answer, LabError)}
    if len(failures) > 1 and not configs and all(isinstance(one, JenkinsForbidden) for one in failures.values()):
        raise next(iter(failures.values()))
    return configs, failures


def _read(server: Server, keys: Iterable[ItemKey]) -> tuple[dict[ItemKey, bytes | LabError], list[ItemKey]]:
    """Return the config.xml of each item or the error of its own, and the items that the server answers 404 to."""
    unanswered: list[ItemKey] = []
    missing: list[ItemKey] = []

    def one(key: ItemKey) -> tuple[ItemKey, bytes | LabError] | None:
        if len(unanswered) >= UNANSWERED:
            return None  # the error of the last one is raised
        try:
            answer = key, server.config(key)
        except JenkinsMissing:
            missing.append(key)
            return None
        except (BadAnswer, JenkinsFault, JenkinsForbidden, JenkinsRefused, JenkinsSlow) as error:
            return key, error
        except JenkinsUnsure as error:
            unanswered.append(key)
            if len(unanswered) >= UNANSWERED:
                raise
            return key, error
        unanswered.clear()
        return answer

    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(answer for answer in pool.map(one, keys) if answer), missing
