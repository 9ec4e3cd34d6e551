"""A receiver job of core Jenkins: a file parameter with the bundle, and a script that verifies and unpacks it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from lab.base.errors import Verdict
from lab.base.redirects import is_redirect
from lab.config.jenkins import Connection, job_path
from lab.config.jenkins_failures import JenkinsForbidden, JenkinsMissing, JenkinsRefused
from reports.model import Build
from reports.outputs.delivery import DeliveryOutcome, OutputContext, PendingDelivery
from reports.outputs.receiver_job import MirroredBuild

TREE: Final = ",actions[parameters[name,value]]"
FILE: Final = "bundle.tar.gz"
RECEIPT: Final = "received/build.json"
RESULTS: Final[Mapping[Verdict, str]] = {
    "passed": "SUCCESS",
    "skipped": "SUCCESS",
    "unstable": "UNSTABLE",
    "aborted": "ABORTED",
}
PROOFS: Final = ("SUCCESS", "UNSTABLE")
"""Results that only a received build has."""
WAITS: Final = "waits until the publisher stops this build"
"""The last line of the log of an aborted build, which no exit code can make ABORTED."""
QUEUE_ITEM: Final = re.compile(r"queue/item/[0-9]+/")
MOST_OF_A_LOG: Final = 10_000_000
path = job_path


def name(build: Mapping[str, Any]) -> str:
    ids = (
        parameter.get("value")
        for action in build["actions"]
        for parameter in action.get("parameters") or ()
        if parameter["name"] == "SOURCE_ID"
    )
    return str(next(ids, "") or "")


def send(connection: Connection, job: str, item: PendingDelivery, context: OutputContext) -> str:  # noqa: ARG001 - the interface of receiver jobs
    answer = connection.send(
        "POST",
        f"{path(job)}buildWithParameters",
        data={"SOURCE_ID": item.name, "SHA256": item.path.name.partition(".")[0]},
        files={FILE: (FILE, item.path.read_bytes(), "application/gzip")},  # bytes: a request can be sent again
    )
    found = QUEUE_ITEM.search(answer.headers.get("Location", ""))
    return found[0] if found else ""


def stop(connection: Connection, job: str, item: PendingDelivery, twin: MirroredBuild) -> None:
    """Stop the twin of an aborted build when it has received the build; the right to build includes that to stop."""
    if item.read().build.verdict != "aborted":
        return
    try:
        log = connection.content(f"{path(job)}{twin.number}/consoleText")
        if log.rstrip().endswith(WAITS.encode()):
            connection.send("POST", f"{path(job)}{twin.number}/stop")
    except (JenkinsForbidden, JenkinsMissing, JenkinsRefused):
        return  # it ends by itself, as a failure, and is settled so


def settle(
    connection: Connection, job: str, item: PendingDelivery, twin: MirroredBuild, context: OutputContext
) -> DeliveryOutcome:
    build = item.read().build
    expected = RESULTS.get(build.verdict, "FAILURE")
    if twin.result not in PROOFS and not _is_received(connection, job, twin):
        return DeliveryOutcome(item.name, "parked", f"{job} {twin.number}: {_refusal(connection, job, twin)}")
    notes = [] if twin.result == expected else [f"{job} {twin.number}: shows as {twin.result}, not {expected}"]
    title, text = name_and_description(build, context.link(build))
    if (twin.title, twin.description) != (title, text):
        form = json.dumps({"displayName": title, "description": text})
        try:
            where = f"{path(job)}{twin.number}/configSubmit"
            answer = connection.send("POST", where, data={"json": form, "Submit": "Save"})
            if not is_redirect(answer):  # as Jenkins answers
                raise connection.unproved(where, answer)
        except JenkinsForbidden:
            notes.append(
                f"{job} {twin.number}: has no name and description: the account lacks the permission Run/Update"
            )
        except JenkinsRefused as error:
            notes.append(f"{job} {twin.number}: has no name and description: {error}")
    return DeliveryOutcome(item.name, "delivered", "; ".join(notes))


def name_and_description(build: Build, link: str) -> tuple[str, str]:
    """Return the display name and the description of a mirrored build."""
    title = f"#{build.number} {build.version}".strip()
    failed = f" at {build.step}" if build.step else ""
    minutes, seconds = divmod(round(build.seconds), 60)
    text = f"{build.component} on {build.track}: {build.verdict}{failed}, after {minutes} min {seconds:02d} s"
    return title, f"{text}. {link}".rstrip(". ") if link else text


def _is_received(connection: Connection, job: str, twin: MirroredBuild) -> bool:
    info = connection.json(f"{path(job)}{twin.number}/api/json?tree=artifacts[relativePath]")
    return any(artifact["relativePath"] == RECEIPT for artifact in info["artifacts"])


def _refusal(connection: Connection, job: str, twin: MirroredBuild) -> str:
    """Return why a receiver refused a bundle, from the last lines of its log."""
    log = connection.content(f"{path(job)}{twin.number}/consoleText")[-MOST_OF_A_LOG:]
    lines = log.decode("utf-8", "replace").splitlines()
    return next((line for line in reversed(lines) if line.startswith("refused: ")), f"ended as {twin.result}")
