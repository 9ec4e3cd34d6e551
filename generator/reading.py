"""Reading of many items: one that cannot be read is told in one line, and stops no other one."""

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
)

WORKERS = 8
UNANSWERED = 8
"""So many requests without an answer, one after the other, are no fault of an item: the server is away."""


def fetch_readable(server: Server, keys: Iterable[ItemKey]) -> tuple[dict[ItemKey, bytes], dict[ItemKey, LabError]]:
    """Return the config.xml of each item, without items that were deleted meanwhile, and the errors of the others.

    Raises LabError if the server cannot be reached, or lets this account read none of several items.
    """
    unanswered: list[ItemKey] = []

    def one(key: ItemKey) -> tuple[ItemKey, bytes | LabError] | None:
        if len(unanswered) >= UNANSWERED:
            return None  # the error of the last one is raised
        try:
            answer = key, server.config(key)
        except JenkinsMissing:
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
        found = dict(answer for answer in pool.map(one, keys) if answer)
    configs = {key: answer for key, answer in found.items() if isinstance(answer, bytes)}
    failures = {key: answer for key, answer in found.items() if isinstance(answer, LabError)}
    if len(failures) > 1 and not configs and all(isinstance(one, JenkinsForbidden) for one in failures.values()):
        raise next(iter(failures.values()))
    return configs, failures
