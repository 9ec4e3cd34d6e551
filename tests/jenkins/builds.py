"""What a Jenkins does at the addresses of a job and of its builds."""

from __future__ import annotations

import json
import mimetypes
import re
from typing import Any

from tests.jenkins import junit
from tests.jenkins.calls import Call, Refused, bare, broken, missing, page
from tests.jenkins.exported import PERMALINKS, default_of, definitions, find_permalink
from tests.jenkins.rewriting import parse, resaved
from tests.jenkins.server import Answer
from tests.jenkins.state import LABELS, Build, Item, Parameter

_NOTE = re.compile(rb"\x1b\[8mha:.*?\x1b\[0m")  # hudson.console.ConsoleNote: in the log, and never shown
_TYPES = {".dsc": "text/prs.lines.tag", ".log": "text/plain", ".xml": "application/xml"}


def job_route(call: Call, job: Item, rest: list[str]) -> Answer:
    match rest:
        case ["enable" | "disable" as what]:
            call.writes("Configure")
            job.write(re.sub(r"<disabled>\w+<", f"<disabled>{str(what == 'disable').lower()}<", resaved(job.xml)))
            return call.redirect(job.path)
        case ["build"]:
            call.writes("Build")
            return _build(call, job)
        case ["buildWithParameters"]:
            call.writes("Build")
            return _build_with_parameters(call, job)
        case ["postBuildResult"] if job.kind == "hudson.model.ExternalJob":
            call.writes("Build")
            return _external_result(call, job)
        case [number, *below]:
            build = find_permalink(job, number) if number in PERMALINKS else None
            if number.isdecimal():
                build = job.builds.get(int(number))
            if build is not None:
                return _of_build(call, build, below)
    raise missing()


def _schedule(call: Call, job: Item, parameters: tuple[Parameter, ...]) -> tuple[str, bool]:
    queued, new = call.state.enqueue(job, parameters, call.user.name)
    if new and call.run is not None and (job.label or "built-in") in LABELS:
        queued.starting = call.gap
        if not call.gap:
            call.run(call.state.start(queued))
    return f"queue/item/{queued.id}/", new


def _build(call: Call, job: Item) -> Answer:
    _check_buildable(job)
    if next(definitions(job), None) is not None:
        raise Refused(bare(400, "Nothing is submitted"))
    return call.redirect(_schedule(call, job, ())[0], 201)


def _build_with_parameters(call: Call, job: Item) -> Answer:
    _check_buildable(job)
    wanted = list(definitions(job))
    if not wanted:
        raise broken(ValueError("This build is not parameterized!"))
    parameters = []
    for definition in wanted:
        name, default = definition.findtext("name") or "", default_of(definition)
        value = call.form.get(name, default)
        if isinstance(default, bool):
            value = value in {True, "true", "on"}
        if value is not None:  # a file that was not sent is no parameter
            parameters.append(Parameter(name, value))
    path, new = _schedule(call, job, tuple(parameters))
    return call.redirect(path, 201 if new else 303)


def _check_buildable(job: Item) -> None:
    if job.disabled or job.kind == "hudson.model.ExternalJob":
        raise Refused(bare(409, f"{job.full_name} is not buildable"))


def _external_result(call: Call, job: Item) -> Answer:
    """A result from outside: what cannot be read is answered with 200 as well, and leaves a failed build."""
    fields: dict[str, Any] = {"result": "FAILURE"}
    log = ""
    try:
        root = parse(call.text)
        log = bytes.fromhex(root.findtext("log") or "").decode("utf-8", "replace")
        fields = {
            "result": "SUCCESS" if root.findtext("result") == "0" else "FAILURE",
            "duration": int(root.findtext("duration") or "0"),
            "display_name": root.findtext("displayName"),
            "description": root.findtext("description"),
        }
    except ValueError:  # no XML, no hexadecimal, no number
        pass
    text = f"Started\nRunning as {call.user.name}\n{log}Finished: {fields['result']}\n"
    job.new_build(log=text, **fields)
    return Answer(200)


def _of_build(call: Call, build: Build, rest: list[str]) -> Answer:  # noqa: PLR0911 - one line an address
    log = build.log.encode()
    match rest:
        case []:
            return page(200, f"{build.job.name} #{build.number} [Jenkins]")
        case ["api", "json"]:
            return call.json(call.exporter.build(build))
        case ["consoleText"]:
            return Answer(200, _NOTE.sub(b"", log), "text/plain;charset=utf-8")
        case ["logText", "progressiveText"]:
            return _progressive(log, int(call.form.get("start", "0")), building=build.building)
        case ["testReport", "api", "json"] if build.test_report is not None:
            return call.json(junit.report_bean(build.test_report, build.number))
        case ["testReport", *_]:
            raise Refused(Answer(404, b"<html><title></title></html>", "text/html;charset=utf-8"))
        case ["artifact", *path] if (name := "/".join(path)) in build.artifacts:
            return Answer(200, build.artifacts[name], _type_of(name))
    return _change_build(call, build, rest)


def _change_build(call: Call, build: Build, rest: list[str]) -> Answer:
    match rest:
        case ["configSubmit"]:
            call.writes("Configure")
            said = json.loads(call.form["json"])
            build.display_name, build.description = said.get("displayName") or None, said.get("description")
            return call.redirect(build.path)
        case ["stop"]:
            call.writes("Build")
            build.result = build.result or "ABORTED"
            return call.redirect(build.path)
        case ["doDelete"]:
            call.writes("Delete")
            del build.job.builds[build.number]
            return call.redirect(build.job.path)
    raise missing()


def _progressive(log: bytes, start: int, *, building: bool) -> Answer:
    """The log from a place on; places count what is hidden too, and a place behind the end means the beginning."""
    headers = {"X-Text-Size": str(len(log))} | ({"X-More-Data": "true"} if building else {})
    shown = _NOTE.sub(b"", log[start if start <= len(log) else 0 :]).replace(b"\n", b"\r\n")
    return Answer(200, shown, "text/plain;charset=utf-8", headers)


def _type_of(name: str) -> str:
    suffix = f".{name.rpartition('.')[2]}"
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
