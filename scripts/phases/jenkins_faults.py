"""Failed builds of a Jenkins: whether the lab was at fault, by their records.

For Jenkins, all of these are FAILURE: a build of software that is broken, one that the lab could not finish, and one
that was lost with its agent or in a restart of Jenkins.  Only the first is a verdict on its commit.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Final

from lab.base import environment
from lab.config.jenkins import Connection
from lab.config.jenkins_failures import JenkinsForbidden, JenkinsMissing, reading
from scripts.phases.jenkins_builds import WatchedBuild, builds_of

RECORD: Final = re.compile(r"results/[0-9]{2}-[a-z]+\.json")
NEW_SECONDS: Final = 20 * 3600.0
"""The age up to which a failed build is asked: Jenkins keeps artifacts for a day at least."""
MOST_ASKED: Final = 10
"""How many failed builds of a job are asked, the newest."""


def watched_builds(connection: Connection, job: str) -> list[WatchedBuild]:
    """Return `builds_of` with the outcome ``error`` for each new failed build that was the lab's fault."""
    found, now = builds_of(connection, job), environment.now().timestamp()
    failed = [
        place for place, build in enumerate(found) if build.result == "FAILURE" and now - build.started < NEW_SECONDS
    ]
    for place in failed[-MOST_ASKED:]:
        if _last_verdict(connection, found[place].path) != "failed":
            found[place] = replace(found[place], outcome="error")
    return found


def _last_verdict(connection: Connection, where: str) -> str:
    """Return the verdict of the last step of a failed build; "" without a record that can be read.

    A build that was deleted meanwhile, or that this account may not read, counts as failed.
    """
    try:
        with reading(f"{connection.url}{where}"):
            listed = connection.json(f"{where}api/json?tree=artifacts[relativePath]")["artifacts"]
            names = [name for one in listed if one and RECORD.fullmatch(name := str(one["relativePath"]))]
        record = connection.content(f"{where}artifact/{max(names)}") if names else b""
    except (JenkinsMissing, JenkinsForbidden):
        return "failed"
    try:
        return str(json.loads(record)["verdict"])
    except (ValueError, RecursionError, TypeError, KeyError):
        return ""
