"""A receiver job of the plugin external-monitor-job: result, log, duration, name and description, but no tests.

The plugin answers 200 to any content; therefore an XML library writes the request, and the result is read back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from lab.config.jenkins import Connection
from reports.outputs import freestyle
from reports.outputs.delivery import DeliveryOutcome, OutputContext, PendingDelivery
from reports.outputs.receiver_job import MirroredBuild

TREE: Final = ""
SOURCE: Final = re.compile(r"\[source ([0-9a-f]{20})\]\Z")
HEADERS: Final = {"Content-Type": "text/xml; charset=utf-8"}


def name(build: Mapping[str, Any]) -> str:
    match = SOURCE.search(build["description"] or "")
    return match[1] if match else ""


def send(connection: Connection, job: str, item: PendingDelivery, context: OutputContext) -> str:
    headers = dict(HEADERS)
    connection.send("POST", f"{freestyle.path(job)}postBuildResult", data=_xml(item, context), headers=headers)
    return ""


def stop(connection: Connection, job: str, item: PendingDelivery, twin: MirroredBuild) -> None:
    """Do nothing: such a twin never runs."""


def settle(
    connection: Connection,  # noqa: ARG001 - the interface of receiver jobs
    job: str,
    item: PendingDelivery,
    twin: MirroredBuild,
    context: OutputContext,  # noqa: ARG001
) -> DeliveryOutcome:
    expected = _result(item)
    notes = "" if twin.result == expected else f"{job} {twin.number}: shows as {twin.result}, not {expected}"
    return DeliveryOutcome(item.name, "delivered", notes)


def _result(item: PendingDelivery) -> str:
    return "SUCCESS" if item.read().build.verdict in {"passed", "skipped"} else "FAILURE"


def _xml(item: PendingDelivery, context: OutputContext) -> bytes:
    bundle = item.read()
    build = bundle.build
    title, text = freestyle.name_and_description(build, context.link(build))
    logs = []
    for log in build.logs:
        with bundle.open(log.path) as stream:
            logs.append(f"==> {log.name}\n".encode() + stream.read() + b"\n")
    run = etree.Element("run")
    etree.SubElement(run, "log", encoding="hexBinary").text = b"".join(logs).hex()
    for tag, value in (
        ("result", "0" if _result(item) == "SUCCESS" else "1"),
        ("duration", str(round(build.seconds * 1000))),
        ("displayName", title),
        ("description", f"{text} [source {item.name}]"),
    ):
        etree.SubElement(run, tag).text = value
    return etree.tostring(run, encoding="UTF-8", xml_declaration=True)
